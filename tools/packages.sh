# What ./run, ./check and the commands that go further need from Debian 12. Sourced by the two, and by
# tools/prepare.py for the others.
# shellcheck shell=sh disable=SC2034

build_packages="gcc libc6-dev meson ninja-build pkg-config python3 libssl-dev libseccomp-dev libconfuse-dev
libargon2-dev libarchive-dev zlib1g-dev libexpat1-dev libsqlite3-dev libnghttp2-dev libhttp-parser-dev
libcjose-dev libjansson-dev libcurl4-openssl-dev"
# The lines that ./run prints use these.
demo_packages="dcmtk socat"
# It gets the viewer (tools/get_viewer.sh). Where node came with its own, Debian's is not wanted.
command -v npm >/dev/null || demo_packages="$demo_packages npm"
test_packages="clang libcmocka-dev python3-pytest python3-pytest-xdist python3-pydicom openssl procps man-db
unzip zip chromium curl nginx-light nodejs wrk"
coverage_packages="llvm" # of clang's version
# bench/run measures these beside Galena, drives them, and draws what came of it.
bench_packages="orthanc orthanc-dicomweb dcmtk wrk curl openssl gnuplot-nox"

# install_missing PACKAGE...: says what it does; asks for nothing when all are there.
install_missing() {
    missing=""
    for package in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ii*) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "These Debian packages are missing:$missing" >&2
            echo "Install them as root: apt-get install$missing" >&2
            return 1
        }
        as_root=sudo
    fi
    echo "Installing from Debian:$missing"
    # shellcheck disable=SC2086
    $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing >/dev/null || return
    # Tests and the bench start their own; the services that come with the packages would serve everyone.
    for service in nginx orthanc; do
        case "$missing " in *" $service "* | *" $service-light "*)
            { $as_root systemctl disable --now $service || $as_root service $service stop; } \
                >/dev/null 2>&1 || true ;;
        esac
    done
}
