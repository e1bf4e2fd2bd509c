"""The HTTPS lane below HTTP: TLS as browsers meet it, the processes behind it, and their ends."""
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from conftest import BUILD, GALENA
from test_processes import is_connected, status

H1, BOTH = ["http/1.1"], ["h2", "http/1.1"]


def context(archive, protocols=H1, trust="tls/ca.pem"):
    c = ssl.create_default_context(cafile=os.path.join(archive.dir, trust))
    c.set_alpn_protocols(protocols)
    return c


def connect(archive, protocols=H1, name="127.0.0.1", **options):
    raw = socket.create_connection(("127.0.0.1", archive.https_port), 10)
    return context(archive, protocols, **options).wrap_socket(raw, server_hostname=name)


def is_served(s):
    """An answer of HTTP/1.1 comes, whichever."""
    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return s.recv(4096).startswith(b"HTTP/1.1 ")


def still(s):
    """Neither an answer nor an end for a moment: it is open."""
    s.settimeout(0.3)
    try:
        return s.recv(1) is None
    except TimeoutError:
        s.settimeout(10)
        return True


def ended(s, seconds=10):
    s.settimeout(seconds)
    try:
        while s.recv(4096):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def raw(archive, data=b""):
    s = socket.create_connection(("127.0.0.1", archive.https_port), 10)
    s.sendall(data)
    return s


def connected(archive, role):
    """Twice the same, since a template holds its child's end for a moment too."""
    found = None
    while True:
        last, found = found, {p for p in archive.processes()[role] if is_connected(p)}
        if found == last:
            return found
        time.sleep(0.1)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_the_certificate_is_good_for(archive, name):
    with connect(archive, name=name) as s:
        assert is_served(s)


@pytest.mark.parametrize("offers,expected", [(BOTH, "h2"), (BOTH[::-1], "h2"), (H1, "http/1.1")])
def test_the_protocol_is_negotiated(archive, offers, expected):
    with connect(archive, offers) as s:
        assert s.selected_alpn_protocol() == expected
        assert s.version() == "TLSv1.3" and "GCM" in s.cipher()[0]


def test_an_unknown_protocol_alone_is_refused(archive):
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        connect(archive, ["spdy/3"])


def s_client(archive, *options):
    return subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % archive.https_port, *options],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)


def test_no_certificate_is_asked_for_and_none_resumed(archive):
    done = s_client(archive, "-reconnect", "-tls1_2", "-alpn", "h2")
    assert "No client certificate CA names sent" in done.stdout
    assert "Acceptable client certificate" not in done.stdout
    assert "Reused" not in done.stdout and done.stdout.count("New, TLSv1.2") == 6


def test_old_versions_are_refused(archive):
    for version in ("-tls1", "-tls1_1"):
        done = s_client(archive, version, "-cipher", "ALL:@SECLEVEL=0")
        assert done.returncode != 0 and "Cipher is (NONE)" in done.stdout


def test_plain_http_is_told_where_to_go(archive):
    seen = len(archive.log())
    with raw(archive) as s:
        connection = http.client.HTTPConnection("127.0.0.1", archive.https_port, timeout=10)
        connection.sock = s
        connection.request("GET", "/?patient=Secret")
        answer = connection.getresponse()
        assert answer.status == 400 and "https://" in answer.read().decode()
    archive.await_log("HTTP without TLS on the HTTPS port", seen)
    assert "Secret" not in archive.log(seen)


@pytest.mark.parametrize("sent,says", [
    (b"\x01\x00\x00\x00\x00\x04", "DICOM on the HTTPS port"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "an SSH client on the HTTPS port"),
    (b"\x00" * 64, "what came is not TLS"),
])
def test_strangers_are_named(archive, sent, says):
    seen = len(archive.log())
    with raw(archive, sent) as s:
        s.settimeout(10)
        assert ended(s)
    archive.await_log(says, seen)


def test_a_browser_without_our_authority_is_named(archive):
    seen = len(archive.log())
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(raw(archive), server_hostname="localhost")
    archive.await_log("import tls/ca.pem there", seen)


def test_the_web_worker_is_confined(archive):
    archive.await_web_connections(0)
    with connect(archive) as s:
        archive.await_web_connections(1)
        assert connected(archive, "web")
        for pid in archive.processes()["web"]:
            found = status(pid)
            assert (found["Seccomp"], found["NoNewPrivs"]) == ("2", "1")
            if os.getuid() == 0:
                assert set(found["Uid"].split()) == {"61105"} and set(found["Gid"].split()) == {"61105"}
                assert found["Groups"].strip() == "" and int(found["CapEff"], 16) == 0
            for fd in os.listdir("/proc/%d/fd" % pid):
                assert archive.dir not in os.readlink("/proc/%d/fd/%s" % (pid, fd))
        assert is_served(s)


def test_status_counts_web_connections(archive):
    assert archive.status()["https"] == "127.0.0.1:%d" % archive.https_port
    archive.await_web_connections(0)
    with connect(archive), connect(archive):
        archive.await_web_connections(2)
    archive.await_web_connections(0)


# --- from here on with an archive of its own

def test_a_slow_handshake_ends(fresh):
    fresh.stop()
    fresh.configure(http_header_s=1)
    fresh.start()
    begin = time.monotonic()
    silent, slow = raw(fresh), raw(fresh, b"\x16\x03\x01\x02\x00\x01")
    with silent, slow:
        assert ended(silent, 5) and ended(slow, 5)
    assert 0.5 < time.monotonic() - begin < 4
    with connect(fresh) as s:
        assert is_served(s)


def test_http2_can_be_turned_off(fresh):
    with connect(fresh, BOTH) as s:
        assert s.selected_alpn_protocol() == "h2"
    fresh.configure(https_http2="no")
    fresh.reload()
    with connect(fresh, BOTH) as s:
        assert s.selected_alpn_protocol() == "http/1.1" and is_served(s)


def test_off_when_it_has_no_address(fresh):
    fresh.stop()
    fresh.configure(https='""')
    fresh.start()
    with pytest.raises(ConnectionRefusedError):
        raw(fresh)
    assert "web" not in fresh.processes() and "https" not in fresh.status()
    with fresh.associate() as a:
        assert a.echo() == 0


def make_certificate(folder, name):
    path = os.path.join(folder, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=pacs.example",
                    "-addext", "subjectAltName=DNS:pacs.example", "-days", "29", "-keyout", path + ".key.pem",
                    "-out", path + ".cert.pem"], check=True, capture_output=True)
    return path


def test_a_certificate_of_the_sites_own(fresh):
    """Taken with a reload; what is wrong with it leaves the old one; DICOM keeps its own."""
    tls = os.path.join(fresh.dir, "tls")
    with connect(fresh) as before:
        own = make_certificate(tls, "https")
        if os.getuid() == 0:
            for part in (".key.pem", ".cert.pem"):
                shutil.chown(own + part, 61100, 61100)
        assert "reloaded" in fresh.reload()
        fresh.await_log('the certificate ends soon for=browsers days=')
        assert is_served(before)
    with connect(fresh, name="pacs.example", trust="tls/https.cert.pem") as s:
        assert is_served(s)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(fresh)
    with fresh.associate() as a:
        assert a.echo() == 0
    shutil.copy(os.path.join(tls, "server.key.pem"), own + ".key.pem")
    assert "the old certificates stay" in fresh.run("reload", fresh.dir, status=1)
    fresh.await_log("does not belong to its certificate")  # the gate's own words come by another way
    with connect(fresh, name="pacs.example", trust="tls/https.cert.pem") as s:
        assert is_served(s)


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL])
@pytest.mark.parametrize("role", ["web", "gate"])
def test_a_dying_process_takes_one_connection_along(fresh, role, how):
    with fresh.associate() as dicom, connect(fresh) as good:
        before = connected(fresh, role)
        victim = connect(fresh)
        mine = connected(fresh, role) - before
        assert len(mine) == 1
        os.kill(mine.pop(), how)
        assert ended(victim)
        assert still(good) and is_served(good)
        assert dicom.echo() == 0
    if how == signal.SIGSEGV:
        assert int(fresh.status()["crashes"]) == 1
    time.sleep(1.5)  # its source waits a moment after a crash
    with connect(fresh) as s:
        assert is_served(s)


def test_sigterm_does_not_wait_for_idle_browsers(fresh):
    with connect(fresh) as s, connect(fresh, BOTH) as multiplexed:
        time.sleep(0.2)
        fresh.process.send_signal(signal.SIGTERM)
        assert ended(s) and ended(multiplexed)
        with pytest.raises(OSError):
            raw(fresh)
    assert fresh.process.wait(10) == 0


def test_limits_of_one_source_and_a_proxy_without(fresh):
    fresh.configure(per_source=5)
    fresh.reload()
    many = [connect(fresh) for _ in range(5)]
    with pytest.raises(OSError):
        connect(fresh)
    assert "too many connections (per_source)" in fresh.log()
    for s in many:
        s.close()
    fresh.configure(https_proxies='{"127.0.0.0/8"}')
    fresh.reload()
    many = [connect(fresh) for _ in range(12)]
    assert all(is_served(s) for s in many)
    for s in many:
        s.close()


def test_strangers_on_the_web_leave_room_for_equipment(fresh):
    fresh.stop()
    fresh.configure(max_connections=12)
    fresh.start()
    held = []
    with pytest.raises(OSError):
        for _ in range(12):
            held.append(connect(fresh))
    assert len(held) == 6
    with fresh.associate() as a:
        assert a.echo() == 0
    for s in held:
        s.close()


@pytest.mark.parametrize("mode,says", [(None, "there is no such file"), (0o666, "not writable by others")])
def test_a_viewer_that_is_none_or_anybodys_is_refused(fresh, tmp_path, mode, says):
    """What a pack holds runs in the browsers of those who sign in."""
    fresh.stop()
    pack = tmp_path / "viewer.pack"
    if mode:
        pack.write_bytes(b"GALENAPK")
        pack.chmod(mode)
    done = subprocess.run([GALENA, "serve", fresh.dir], env=dict(os.environ, GALENA_VIEWER=str(pack)),
                          capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and says in done.stderr


def test_idle_browsers_cost_little(fresh):
    """Gate and worker together: under 1 MB of private memory, when they have served something."""
    many = [connect(fresh) for _ in range(20)]
    assert all(is_served(s) for s in many)
    time.sleep(2)  # memory is given back after a second
    pids = connected(fresh, "gate") | connected(fresh, "web")
    total = 0
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
    for s in many:
        s.close()
    if "sanitized" in BUILD:
        pytest.skip("the sanitizer's shadow memory counts too")
    assert len(pids) == 40 and total / 20 < 1024, "%d KB a connection" % (total / 20)
