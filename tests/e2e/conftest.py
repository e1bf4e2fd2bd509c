"""A server for the tests: `archive` is one for a whole module, `fresh` one for a single test."""
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import dul  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("GALENA_BUILD", os.path.join(ROOT, "build")))
GALENA = os.path.join(BUILD, "prog", "galena")
CORPUS = os.environ.get("GALENA_CORPUS", os.path.join(os.path.dirname(ROOT), "shared", "corpus"))
VIEWER = os.path.join(ROOT, "viewer", "viewer.pack")
if os.path.exists(VIEWER):
    os.environ.setdefault("GALENA_VIEWER", VIEWER)

needs_corpus = pytest.mark.skipif(not os.path.isdir(CORPUS), reason="../shared/corpus is not here")


# Files that run side by side (pytest-xdist) each have ports of their own, below those that the kernel gives
# to clients: what was free is still free when a server comes to listen there.
PORTS_FIRST, PORTS_EACH = 12000, 2000
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
PORTS = itertools.count(random.randrange(PORTS_EACH))

# Those that take long begin first, so that none is left alone at the end.
LONG = ("oidc", "crash", "bench", "slow", "hostile_http", "processes", "hostile", "https_lane",
        "identity", "durability", "run")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures or keeps to times, with no other test beside it")


def pytest_collection_modifyitems(items):
    names = ["test_" + name for name in LONG]
    items.sort(key=lambda i: names.index(i.module.__name__) if i.module.__name__ in names else len(names))


def free_port():
    for n in itertools.islice(PORTS, PORTS_EACH):
        port = PORTS_FIRST + WORKER % 10 * PORTS_EACH + n % PORTS_EACH
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise OSError("no port is free")


def run_galena(*args, status=0, stdin=None, cwd=None):
    """What became of the command, which ends with this status."""
    done = subprocess.run([GALENA, *args], capture_output=True, text=True, input=stdin, timeout=120, cwd=cwd)
    assert done.returncode == status, "galena %s: %d\n%s%s" % (" ".join(args), done.returncode, done.stdout,
                                                               done.stderr)
    return done


def galena(*args, **options):
    """What it says, on either of its ways."""
    done = run_galena(*args, **options)
    return done.stdout + done.stderr


def wait_until(true, seconds=10):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


class Archive:
    """An archive in a folder of its own, and the server on it."""

    def __init__(self, folder, plain=False):
        self.dir = os.path.join(folder, "archive")
        self.log_path = os.path.join(folder, "log")
        self.port, self.plain_port = free_port(), free_port() if plain else None
        self.https_port = free_port()
        options = ["--plain", "127.0.0.1:%d" % self.plain_port] if plain else []
        self.run("init", self.dir, "--dicom", "127.0.0.1:%d" % self.port, "--https",
                 "127.0.0.1:%d" % self.https_port, *options)
        self.process = None

    def run(self, *args, status=0, stdin=None):
        return run_galena(*args, status=status, stdin=stdin).stdout

    def peer(self, name, ae=None, can="store,query,retrieve", **options):
        args = [x for k, v in options.items() for x in ("--" + k, v)]
        self.run("peer", "add", self.dir, name, "--ae", ae or name.upper(), "--can", can, *args)
        return os.path.join(self.dir, "peers", name)

    def start(self):
        self.log_file = open(self.log_path, "a", encoding="utf-8")
        seen = os.path.getsize(self.log_path)
        self.process = subprocess.Popen([GALENA, "serve", self.dir], stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=self.log_file)
        self.await_log("ready\n", seen)
        return self

    def configure(self, **settings):
        """Into galena.conf, before start() or reload()."""
        path = os.path.join(self.dir, "galena.conf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for name, value in settings.items():
            text, n = re.subn(r"(?m)^%s = .*$" % name, "%s = %s" % (name, value), text)
            assert n == 1, name
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def reload(self):
        return self.run("reload", self.dir)

    def status(self):
        """{name: value} of galena status, without the program."""
        text = b""
        with dul.unix(os.path.join(self.dir, "run", "supervisor.sock"), 10) as s:
            s.sendall(b"status\n")
            while True:
                more = s.recv(65536)
                if not more:
                    return dict(line.split(None, 1) for line in text.decode().splitlines())
                text += more

    def log(self, since=0):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            f.seek(since)
            return f.read()

    def await_web_connections(self, count):
        wait_until(lambda: self.status()["connections_web"] == str(count), 15)

    def await_log(self, text, since=0, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.log(since):
                return
            assert self.process.poll() is None, "the server ended:\n" + self.log()
            time.sleep(0.02)
        raise AssertionError("no %r in the log:\n%s" % (text, self.log(since)))

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                # an association a test left open: a second signal does not wait for it
                self.process.send_signal(how)
                self.process.wait(30)
        self.process = None

    def processes(self):
        """{role: [pid…]} of the server, from /proc."""
        found = {}
        children = [self.process.pid]
        while children:
            pid = children.pop()
            try:
                name = os.path.basename(os.readlink("/proc/%d/exe" % pid))
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    children += [int(c) for c in f.read().split()]
            except OSError:
                continue
            found.setdefault(name.replace("galena-", ""), []).append(pid)
        return found

    def associate(self, peer="first", ae=None, contexts=None, **options):
        contexts = contexts or [(dul.VERIFICATION, [dul.IMPLICIT])]
        return dul.Association(("127.0.0.1", self.port), ae or peer.upper(), contexts=contexts,
                               tls=os.path.join(self.dir, "peers", peer), **options)

    def plain(self, ae, contexts=None, **options):
        contexts = contexts or [(dul.VERIFICATION, [dul.IMPLICIT])]
        return dul.Association(("127.0.0.1", self.plain_port), ae, contexts=contexts, **options)


def make_archive(plain):
    folder = tempfile.mkdtemp(prefix="galena-test-")
    a = Archive(folder, plain)
    a.peer("first")
    if plain:
        a.peer("modality", can="store", plain="127.0.0.1/32")
        a.peer("workstation", plain="127.0.0.1/32")
    return a, folder


@pytest.fixture(scope="module")
def archive():
    a, folder = make_archive(plain=True)
    a.start()
    yield a
    a.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh():
    a, folder = make_archive(plain=True)
    a.start()
    yield a
    a.stop(signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
