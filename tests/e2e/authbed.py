"""An archive process and an auth process; the tests are supervisor and web workers."""
import base64
import contextlib
import glob
import hashlib
import hmac
import os
import re
import socket
import struct
import subprocess
import time

import ipc
from conftest import BUILD

ROLES = ["reader", "radiographer", "referrer", "researcher", "auditor", "administrator"]
RIGHTS = {"store": 1, "query": 2, "retrieve": 4, "delete": 8, "admin": 16}  # as in conf/token.h
PASSWORD = "correct horse battery"
COOKIE, BEARER = 1, 2


def settings_of(path):
    with open(path, encoding="utf-8") as f:
        return dict(re.findall(r'(?m)^(\w+) = "?(.*?)"?$', f.read()))


def seconds(text):
    return int(time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone)


def memory_file(text):
    fd = os.memfd_create("records")
    os.write(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def totp(secret, at=None):
    """RFC 6238 for the test's telephone."""
    step = int(time.time() if at is None else at) // 30
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[19] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000)


class AuthBed(ipc.Bed):
    def __init__(self, **settings):
        super().__init__()
        self.settings = dict(dict(session_idle_s="1800", session_max_s="43200", archive_name="Test", url=""),
                             **settings)
        self.auth, self.fetch, self.all_auth_log = None, None, []

    def user(self, name, role="reader", *options):
        subprocess.run([ipc.GALENA, "user", "add", self.dir, name, "--role", role, "--stdin", *options],
                       input=PASSWORD + "\n", check=True, capture_output=True, text=True, timeout=60)

    def records(self):
        users, tokens = [], []
        for path in glob.glob(os.path.join(self.dir, "users", "*.conf")):
            u = settings_of(path)
            bits = sum(1 << ROLES.index(r) for r in u["roles"].split(","))
            rest = [u.get(x, "") for x in ("totp", "collections", "physician")]
            users.append("\t".join([os.path.basename(path)[:-5], str(bits), u["password"].replace("\\", "")] +
                                   rest) + "\n")
        for path in glob.glob(os.path.join(self.dir, "tokens", "*.conf")):
            t = settings_of(path)
            can = sum(RIGHTS[w] for w in t["can"].split(","))
            tokens.append("\t".join([os.path.basename(path)[:-5], t["name"], t["user"], t["sha256"], str(can),
                                     str(seconds(t["created"])), str(seconds(t["expires"])),
                                     t.get("collections", "")]) + "\n")
        lines = []
        for name, value in self.settings.items():
            for v in [value] if isinstance(value, str) else value:
                lines.append("%s\t%s\n" % (name, v))
        return [memory_file("".join(x)) for x in (users, tokens, lines)]

    def start_auth(self):
        control, channel = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        wanted = [control[1].fileno(), channel[1].fileno()] + self.records()

        def place():
            high = [os.dup2(fd, 100 + i, inheritable=True) for i, fd in enumerate(wanted)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i, inheritable=True)
            os.closerange(3 + len(high), 256)

        self.auth = subprocess.Popen([os.path.join(BUILD, "prog", "galena-auth")], stderr=self.log,
                                     close_fds=False, preexec_fn=place,
                                     env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        for fd in wanted[2:]:
            os.close(fd)
        control[1].close()
        channel[1].close()
        self.auth_control = control[0]
        assert control[0].recv(100), self.errors()  # READY
        self.supervisor.send("AUTH_CHANNEL", [channel[0].fileno()])
        channel[0].close()
        return self

    def start(self):
        super().start()
        return self.start_auth()

    def reload(self):
        fds = self.records()
        socket.send_fds(self.auth_control, [ipc.encode("USERS")], fds)
        for fd in fds:
            os.close(fd)
        self.supervisor.send("RELOAD")
        assert self.expect("RELOADED")["error"] == 0

    def auth_log(self):
        """Lines auth has written since the last call."""
        lines = []
        self.auth_control.setblocking(False)
        try:
            while data := self.auth_control.recv(70000):
                lines.append(ipc.decode(data)[1]["text"].decode())
        except BlockingIOError:
            pass
        self.all_auth_log += lines
        return lines

    def web(self, source="192.0.2.1"):
        return self.open(lane=ipc.LANE_HTTPS, source=source)

    def sign_in(self, user, password=PASSWORD, source="192.0.2.1", **more):
        w = self.web(source)
        name, got = w.call("SIGN_IN", user=user, password=password, **more)
        assert name == "SIGNED_IN"
        w.close()
        return got

    def identify(self, credential, kind=COOKIE, worker=None, passive=0):
        """(worker, IDENTITY)"""
        w = worker or self.web()
        name, got = w.call("IDENTIFY", kind=kind, credential=credential, passive=passive)
        assert name == "IDENTITY"
        return w, got

    def signed_in(self, user, **more):
        """A worker whose request a session of this user is."""
        got = self.sign_in(user, **more)
        assert got["error"] == 0, got
        return self.identify(got["session"])[0]

    def prove(self, worker, password=PASSWORD, code=""):
        """For one change of the account by this worker's request."""
        name, got = worker.call("PROVE", password=password, code=code)
        assert name == "SIGNED_IN" and got["session"] == b"" and (got["error"] == 0 or not got["detail"])
        return got

    def change(self, worker, what, password=PASSWORD, code="", **fields):
        """What a session alone may not do, with its proof."""
        got = self.prove(worker, password, code)
        return worker.call(what, **fields)[1] if got["error"] == 0 else got

    def remove(self):
        if self.auth and self.auth.poll() is None:
            self.auth.kill()
            self.auth.wait()
        super().remove()


class OnlyArchive(AuthBed):
    """The test is auth, too."""

    def start(self):
        ipc.Bed.start(self)
        return self

    def auth_channel(self):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.supervisor.send("AUTH_CHANNEL", [theirs.fileno()])
        theirs.close()
        return ipc.Channel(mine)


@contextlib.contextmanager
def served(bed, **users):
    """The bed with these users, each with a role, started; at the end it must be alive still."""
    try:
        for name, role in users.items():
            bed.user(name, role)
        bed.start()
        yield bed
        bed.alive().stop()
    finally:
        bed.remove()
