"""The process that talks to the sign-in provider, alone: what it fetches, what it does not."""
import http.server
import os
import socket
import subprocess
import threading

import pytest

import ipc
from authbed import memory_file
from conftest import BUILD

BODY_MAX = 256 * 1024


class Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        what = self.path.strip("/")
        self.send_response(302 if what == "elsewhere" else 200)
        if what == "elsewhere":
            self.send_header("Location", "/5")
        self.end_headers()
        self.wfile.write(b"x" * int(what) if what.isdigit() else b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%s|%s|%s" % (body, self.headers["Authorization"].encode(),
                                        self.headers["Content-Type"].encode()))

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def fetch():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    control, channel = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    wanted = [control[1].fileno(), channel[1].fileno(), memory_file("")]

    def place():
        for i, fd in enumerate([os.dup2(fd, 100 + i) for i, fd in enumerate(wanted)]):
            os.dup2(fd, 3 + i, inheritable=True)
        os.closerange(6, 256)

    process = subprocess.Popen([os.path.join(BUILD, "prog", "galena-fetch")], close_fds=False, env={},
                               preexec_fn=place)
    for end in (control[1], channel[1]):
        end.close()
    os.close(wanted[2])
    assert control[0].recv(100)  # READY: it has tried what it must not be able to do
    auth = ipc.Channel(channel[0])

    def ask(url, **more):
        """(error, status, body)"""
        body = b""
        here = "http://127.0.0.1:%d" % server.server_port
        auth.send("AUTH_FETCH", request=7, url=url.replace("BASE", here), **more)
        while True:
            name, got, _ = auth.receive()
            assert (name, got["request"]) == ("FETCHED", 7)
            body += got["body"]
            if got["last"]:
                return got["error"], got["status"], body

    yield ask
    assert process.poll() is None
    auth.close()
    assert process.wait(10) == 0  # it ends with auth
    server.shutdown()


@pytest.mark.parametrize("n", [0, 1, 57343, 57344, 57345, BODY_MAX - 1, BODY_MAX])
def test_bodies(fetch, n):
    error, status, body = fetch("BASE/%d" % n)
    assert (error, status, len(body)) == (0, 200, n)


def test_a_body_too_long(fetch):
    assert fetch("BASE/%d" % (BODY_MAX + 1))[0] != 0


def test_a_form(fetch):
    got = fetch("BASE/token", authorization="Basic abc", body="a=b&c=d")
    assert got == (0, 200, b"a=b&c=d|Basic abc|application/x-www-form-urlencoded")


def test_redirects_are_not_followed(fetch):
    assert fetch("BASE/elsewhere") == (0, 302, b"")


@pytest.mark.parametrize("url", [
    "", "file:///etc/passwd", "ftp://127.0.0.1/", "http://10.0.0.1/", "http://[fe80::1]/", "http://0.0.0.0/",
    "HTTP://127.0.0.1/", "https://user:word@127.0.0.1/", "http://127.0.0.1/\r\nHost: x",
    "https://nothing.invalid/",
])
def test_what_it_does_not_fetch(fetch, url):
    error, status, body = fetch(url)
    assert error != 0 and status == 0 and body == b""


def test_a_header_cannot_be_smuggled(fetch):
    assert fetch("BASE/1", authorization=b"Basic x\r\nHost: evil")[0] != 0
