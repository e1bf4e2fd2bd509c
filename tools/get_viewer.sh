#!/bin/sh
# Gets the OHIF viewer and packs its pages into viewer/viewer.pack, which the server serves at /viewer/.
#
#     tools/get_viewer.sh          does nothing when the pack is there and made of the same things
#
# One npm package with built pages is fetched and compared with the digest below before it is unpacked;
# nothing of it runs here, and no other package comes along. tools/viewer/pages.py makes the pages fit. They
# live with this policy (Content-Security-Policy), tried with every codec, slices through volumes and 3D:
#
#     default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self';
#     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self';
#     object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
#
# WebAssembly is for the codecs; OHIF sets styles in attributes; pictures it makes (thumbnails, screenshots)
# are data: and blob: URLs. No eval, no script in text, no worker from a blob.
set -eu

version=3.13.2
digest='sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=='

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
viewer=$(dirname -- "$here")/viewer

# Of all that the pack is made of.
made_of() {
    { echo "$version $digest"; cat "$0" "$here/pack_site.py" "$here"/viewer/*; } | sha256sum | cut -d' ' -f1
}

if [ -f "$viewer/viewer.pack" ] && [ "$(cat "$viewer/made-of" 2>/dev/null)" = "$(made_of)" ]; then
    exit 0
fi

# shellcheck source=tools/packages.sh
. "$here/packages.sh"
command -v npm >/dev/null || install_missing npm

mkdir -p "$viewer"
work=$(mktemp -d "$viewer/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

package=$viewer/ohif-app-$version.tgz
is_good() {
    [ -f "$package" ] || return 1
    [ "sha512-$(openssl dgst -sha512 -binary "$package" | openssl base64 -A)" = "$digest" ]
}
if ! is_good; then
    echo "Getting the OHIF viewer $version (48 MB, once) ..."
    (cd "$work" && npm pack --ignore-scripts --silent "@ohif/app@$version" >/dev/null)
    mv "$work/ohif-app-$version.tgz" "$package"
    is_good || {
        rm -f "$package"
        echo "The viewer that came is not the one expected: its digest differs. It was thrown away." >&2
        exit 1
    }
fi

echo "Packing the viewer ..."
tar -xzf "$package" -C "$work" --no-same-owner package/dist package/LICENSE
python3 "$here/viewer/pages.py" "$work/package/dist" "$work/pages"
cp "$work/package/LICENSE" "$work/pages/LICENSE.txt"
python3 "$here/pack_site.py" --prefix /viewer/ "$work/pages" "$work/viewer.pack"
chmod 644 "$work/viewer.pack"
mv "$work/viewer.pack" "$viewer/viewer.pack"
made_of >"$viewer/made-of"
