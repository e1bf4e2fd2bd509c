"""The servers that are compared, each started fresh in a folder of its own, as Debian ships it."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import proc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("GALENA_BUILD", os.path.join(ROOT, "build")))
LOAD = os.path.join(BUILD, "bench", "bench-load")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def disk_bytes(*paths):
    """The blocks of these files, and of all in these folders."""
    total = 0
    for path in paths:
        for folder, _, names in os.walk(path):
            total += sum(os.lstat(os.path.join(folder, name)).st_blocks for name in names)
        if os.path.isfile(path):
            total += os.lstat(path).st_blocks
    return total * 512


class Server:
    """start() and stop(); port, called, calling and tls say how to reach it."""
    name = lane = called = ""
    calling = "BENCH"
    tls = None
    precedence = False  # over other programs, once started

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.port, self.move_port = free_port(), free_port()
        self.process = None
        self.written_bytes = 0  # to disk, from its start to its end; known after stop()
        self.log_path = os.path.join(folder, "log")

    def spawn(self, *command, cwd=None):
        # DCMTK answers in two writes with Nagle's algorithm on, and then waits 40 ms for every object,
        # unless this is set. The others don't look at it.
        env = dict(os.environ, TCP_NODELAY="1")
        self.written_before = proc.written_bytes(self.folder)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, cwd=cwd or self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env)

    def start(self):
        self.launch()
        self.await_port()
        if self.precedence:
            proc.prefer(proc.tree(self.process.pid))

    def start_s(self, at_most_s=120):
        """Starts it; seconds until it answers an echo."""
        began = time.monotonic()
        self.launch()
        while time.monotonic() - began < at_most_s:
            try:
                if self.load("echo", count=1, timeout=10)[0]["echoes"]:
                    return time.monotonic() - began
            except RuntimeError:
                pass  # not listening yet
            time.sleep(0.002)
        raise RuntimeError("%s did not start: %s" % (self.name, self.log()))

    def await_port(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    time.sleep(0.5)  # the probe's own traces vanish
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("%s did not start: %s" % (self.name, self.log()))

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]

    def stop(self):
        """How long it took to end in good order."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.written_bytes = proc.written_bytes(self.folder) - self.written_before
        return time.monotonic() - began

    def label(self):
        return self.name + (" TLS" if self.lane == "TLS" and self.name == "galena" else "")

    def disk_bytes(self):
        return disk_bytes(self.folder)

    def index_bytes(self):
        """None: it has no index."""
        return None

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def load_command(self, kind, **options):
        options = dict({"port": self.port, "called": self.called, "calling": self.calling,
                        "destination": self.calling, "listen": self.move_port, "tls": self.tls}, **options)
        args = [LOAD, kind]
        for k, v in options.items():
            if v is not None:
                args += ["--" + k, str(v)]
        return args

    def load(self, kind, limit_s=1200, **options):
        """What bench-load says, and the lines before it."""
        done = subprocess.run(self.load_command(kind, **options), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE,
                              text=True, timeout=limit_s, check=False)
        lines = done.stdout.splitlines()
        if done.returncode or not lines:
            raise RuntimeError("bench-load %s against %s: %s" % (kind, self.name, done.stderr))
        return dict(json.loads(lines[-1]), stderr=done.stderr.strip()), lines[:-1]

    def count(self, pack):
        """How many of the pack's objects the server has, by asking it; None if it takes too long to say."""
        try:
            _, lines = self.load("find", pack=pack.path, limit_s=180)
        except subprocess.TimeoutExpired:
            return None
        return len(pack.uids & set(lines))


class Galena(Server):
    name, lane, called = "galena", "plain", "GALENA"
    calling = "BENCHP"
    extra_settings = ()

    def __init__(self, folder, build=BUILD):
        super().__init__(folder)
        self.program = os.path.join(build, "prog", "galena")
        self.dir = os.path.join(folder, "archive")
        self.tls_port, self.https_port = free_port(), free_port()
        self.run("init", self.dir, "--dicom", "127.0.0.1:%d" % self.tls_port, "--plain",
                 "127.0.0.1:%d" % self.port, "--https", "127.0.0.1:%d" % self.https_port)
        self.add_peer()

    def add_peer(self):
        self.run("peer", "add", self.dir, "benchp", "--ae", "BENCHP", "--can", "store,query,retrieve",
                 "--plain", "127.0.0.1/32", "--address", "127.0.0.1:%d" % self.move_port)

    def run(self, *args):
        return subprocess.run([self.program, *args], check=True, stdout=subprocess.PIPE, text=True).stdout

    def index_bytes(self):
        return disk_bytes(os.path.join(self.dir, "index"))

    def launch(self):
        with open(os.path.join(self.dir, "galena.conf"), "a", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in self.extra_settings)
        self.spawn(self.program, "serve", self.dir)


class GalenaTls(Galena):
    lane, calling = "TLS", "BENCH"

    def add_peer(self):
        self.run("peer", "add", self.dir, "bench", "--ae", "BENCH", "--can", "store,query,retrieve",
                 "--address", "127.0.0.1:%d" % self.move_port)
        self.tls = os.path.join(self.dir, "peers", "bench")
        self.port = self.tls_port


class Orthanc(Server):
    """Debian's configuration, with another folder, other ports, no plugins, and the bench as a known
    modality."""
    name, lane, called = "Orthanc", "plain", "ORTHANC"
    program = "/usr/sbin/Orthanc"

    def index_bytes(self):
        return disk_bytes(*glob.glob(os.path.join(self.folder, "db", "index*")))

    def launch(self):
        with open("/etc/orthanc/orthanc.json", encoding="utf-8") as f:
            text = re.sub(r'("(?:\\.|[^"\\])*")|/\*.*?\*/|//[^\n]*', lambda m: m.group(1) or "", f.read(),
                          flags=re.S)
        settings = json.loads(text)
        db = os.path.join(self.folder, "db")
        settings.update(StorageDirectory=db, IndexDirectory=db, Plugins=[], HttpPort=free_port(),
                        DicomPort=self.port,
                        DicomModalities={"bench": ["BENCH", "127.0.0.1", self.move_port]})
        with open(os.path.join(self.folder, "orthanc.json"), "w", encoding="utf-8") as f:
            json.dump(settings, f)
        self.spawn(self.program, "--logdir=" + self.folder, "orthanc.json")


class Storescp(Server):
    name, lane, called = "storescp", "plain", "STORESCP"
    program = "/usr/bin/storescp"
    fork = ("--fork",)  # without it, it serves one association after the other

    def launch(self):
        self.got = os.path.join(self.folder, "got")
        os.makedirs(self.got, exist_ok=True)
        self.spawn(self.program, *self.fork, "-od", self.got, str(self.port))

    def count(self, pack):
        return len({name.split(".", 1)[1] for name in os.listdir(self.got)} & pack.uids)


class StorescpOne(Storescp):
    fork = ()


class Dcmqrscp(Server):
    name, lane, called = "dcmqrscp", "plain", "DCMQRSCP"
    program = "/usr/bin/dcmqrscp"
    max_associations = 16  # Debian's

    def index_bytes(self):
        return disk_bytes(os.path.join(self.folder, "store", "index.dat"))

    def launch(self):
        store = os.path.join(self.folder, "store")
        os.makedirs(store, exist_ok=True)
        config = os.path.join(self.folder, "dcmqrscp.cfg")
        with open(config, "w", encoding="utf-8") as f:
            f.write("NetworkTCPPort = %d\nMaxPDUSize = 16384\nMaxAssociations = %d\n"
                    "HostTable BEGIN\nbench = (BENCH, 127.0.0.1, %d)\nHostTable END\n"
                    "VendorTable BEGIN\nVendorTable END\n"
                    "AETable BEGIN\nDCMQRSCP %s RW (1000, 8gb) ANY\nAETable END\n"
                    % (self.port, self.max_associations, self.move_port, store))
        self.spawn(self.program, "-c", config)


def available(server):
    return os.access(server.program, os.X_OK) if hasattr(server, "program") else True
