"""The typed messages between Galena's processes (spec/ipc.tsv), spoken by the tests themselves.

It encodes what no honest process would: any type at any time, any length, any bytes left over. `Bed` is an
archive process with the tests in the supervisor's place, so that a test can be each of its peers: worker,
gate, supervisor.
"""
import mmap
import os
import queue
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

from conftest import BUILD, GALENA, ROOT, run_galena

RING = 1024 * 1024  # body area, and as much again of auxiliary area
INTEGERS = {"u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q"}
LANE_TLS, LANE_PLAIN, LANE_LOCAL, LANE_HTTPS = 0, 1, 2, 3
SINGLE, LIST, WILDCARD, RANGE, EMPTY = range(5)


def table():
    """{name: (number, link, phases, [(field, type)…])}"""
    rows = {}
    with open(os.path.join(ROOT, "spec", "ipc.tsv"), encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#") and line.strip():
                name, link, phases, _, fields, _ = line.rstrip("\n").split("\t")
                pairs = [tuple(x.split(":")) for x in fields.split()]
                rows[name] = (len(rows) + 1, link, phases.split("|"), pairs)
    return rows


TABLE = table()
NAMES = {row[0]: name for name, row in TABLE.items()}


def encode(name, /, **values):
    out = struct.pack("<H", TABLE[name][0])
    for field, kind in TABLE[name][3]:
        value = values.pop(field, 0 if kind in INTEGERS else b"")
        if kind in INTEGERS:
            out += struct.pack(INTEGERS[kind], value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += struct.pack("<I", len(value)) + value
    assert not values, values
    return out


def decode(data):
    name = NAMES[struct.unpack_from("<H", data)[0]]
    got, at = {}, 2
    for field, kind in TABLE[name][3]:
        if kind in INTEGERS:
            got[field], = struct.unpack_from(INTEGERS[kind], data, at)
            at += struct.calcsize(INTEGERS[kind])
        else:
            n, = struct.unpack_from("<I", data, at)
            got[field] = data[at + 4:at + 4 + n]
            at += 4 + n
    assert at == len(data)
    return name, got


def condition(attribute, kind, *operands):
    out = struct.pack("<HBH", attribute, kind, len(operands))
    return out + b"".join(struct.pack("<I", len(o)) + o for o in operands)


class Ended(Exception):
    """The archive has closed the channel."""


class Channel:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(10)
        self.ring = None

    def send(self, name, /, fds=(), **values):
        self.raw(encode(name, **values), fds)

    def raw(self, data, fds=()):
        try:
            socket.send_fds(self.sock, [data], list(fds))
        except (BrokenPipeError, ConnectionResetError):
            raise Ended from None

    def receive(self):
        """(name, fields, [descriptor…])"""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, 70000, 4)
        except ConnectionResetError:
            raise Ended from None
        if not data:
            raise Ended
        return decode(data) + (fds,)

    def call(self, name, /, **values):
        self.send(name, **values)
        return self.receive()[:2]

    def ended(self):
        """Does it end? Answers that come before are passed over."""
        try:
            while True:
                self.receive()
        except Ended:
            return True
        except TimeoutError:
            return False

    def quiet(self, seconds=0.05):
        return not select.select([self.sock], [], [], seconds)[0]

    def get_ring(self):
        self.send("RING_GET")
        name, got, fds = self.receive()
        assert (name, got["body_bytes"], got["aux_bytes"]) == ("RING", RING, RING)
        self.ring = mmap.mmap(fds[0], 2 * RING)
        os.close(fds[0])
        return self

    def close(self):
        self.sock.close()


class Bed:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="galena-rogue-")
        self.dir = os.path.join(self.folder, "archive")
        self.galena("init", self.dir, "--dicom", "127.0.0.1:1")
        self.process, self.sessions = None, 0

    def galena(self, *args):
        return run_galena(*args).stdout

    def start(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = open(os.path.join(self.folder, "log"), "ab")

        def supervisor_is_3():
            os.set_inheritable(theirs.fileno(), True) # if it is 3 already
            os.dup2(theirs.fileno(), 3)

        self.process = subprocess.Popen([os.path.join(BUILD, "prog", "galena-archive"), "."], cwd=self.dir,
                                        stderr=self.log, close_fds=False,
                                        # looking for leaks at the end is more than the sandbox allows
                                        env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"),
                                        preexec_fn=supervisor_is_3)
        theirs.close()
        self.supervisor, self.said = Channel(ours), queue.Queue()
        ours.settimeout(None)
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        self.expect("ARCHIVE_READY")
        return self

    def listen(self):
        """The archive may count on a supervisor that always reads. Log lines are thrown away."""
        try:
            while True:
                name, got, fds = self.supervisor.receive()
                for fd in fds:
                    os.close(fd)
                if name != "ARCHIVE_LOG":
                    self.said.put((name, got))
        except (Ended, OSError):
            pass

    def expect(self, wanted):
        """The next message to the supervisor of this name; others are passed over."""
        while True:
            name, got = self.said.get(timeout=20)
            if name == wanted:
                return got

    def open(self, lane=LANE_LOCAL, source="local", gate=False):
        """A new session: the worker's end, and the gate's if there is one."""
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(1 + gate)]
        self.sessions += 1
        self.supervisor.send("SESSION_NEW", [p[1].fileno() for p in pairs], session=self.sessions, lane=lane,
                             source=source)
        for p in pairs:
            p[1].close()
        ends = [Channel(p[0]) for p in pairs]
        return ends if gate else ends[0]

    def ready(self, calling="LOCAL", **options):
        worker = self.open(**options)
        name, got = worker.call("ASSOCIATE", calling=calling, called="GALENA")
        assert (name, got["accept"]) == ("ASSOCIATE_RESULT", 1), got
        return worker

    def stats(self):
        self.supervisor.send("STATS")
        return dict(line.split(" ", 1) for line in self.expect("STATS_REPLY")["text"].decode().splitlines())

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def errors(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        assert self.process.poll() is None, "the archive ended: %s" % self.process.returncode
        return self

    def stop(self):
        """As the supervisor does: by closing the channel."""
        self.supervisor.sock.shutdown(socket.SHUT_RDWR)
        assert self.process.wait(30) == 0
        self.log.close()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
