"""The programs that are linked with the failing library (tests/crash/hook), in a folder of their own, and the
file through which it is told what to do. To be imported before anything that reads GALENA_BUILD."""
import ctypes
import glob
import mmap
import os
import shutil
import subprocess
import tempfile

import place

ROLES = ("supervisor", "archive", "auth", "gate", "dimse", "web")
KINDS = ("alloc", "map", "read", "write", "sync", "fd", "send", "recv", "file", "process", "wait")
HALF = -1
CREATE, WROTE, LENGTH, PUNCHED, SYNCED, RENAMED, UNLINKED, MADE_DIR = range(8)


class Block(ctypes.Structure):
    """struct hook_block of hook.h"""
    _fields_ = [("counts", (ctypes.c_uint32 * len(KINDS)) * len(ROLES)),
                ("armed", ctypes.c_uint32), ("role", ctypes.c_uint32), ("kind", ctypes.c_uint32),
                ("nth", ctypes.c_uint32), ("error", ctypes.c_int32), ("forever", ctypes.c_uint32),
                ("fired", ctypes.c_uint32), ("fired_pid", ctypes.c_uint32), ("fired_at", ctypes.c_uint64),
                ("recording", ctypes.c_uint32), ("log_end", ctypes.c_uint64), ("sync_us", ctypes.c_uint32)]


class Hook:
    def __init__(self, log_bytes=0):
        build = os.path.abspath(os.environ["GALENA_BUILD"])
        self.folder = tempfile.mkdtemp(prefix="galena-hooked-")
        os.chmod(self.folder, 0o755)
        prog = os.path.join(self.folder, "prog")
        os.mkdir(prog)
        for path in glob.glob(os.path.join(build, "tests", "crash", "hook", "galena-*")) + glob.glob(
                os.path.join(build, "tests", "crash", "hook", "libgalena_hook.so")):
            if os.path.isfile(path):
                shutil.copy(path, prog)
        shutil.copy(os.path.join(build, "prog", "galena"), prog)
        shutil.copytree(os.path.join(build, "site"), os.path.join(self.folder, "site"))
        self.block = Block.from_buffer(self.make("hook.ctl", ctypes.sizeof(Block)))
        self.log = self.make("hook.log", log_bytes) if log_bytes else None
        self.plain_build, os.environ["GALENA_BUILD"] = build, self.folder

    def make(self, name, size):
        path = os.path.join(self.folder, "prog", name)
        with open(path, "wb") as f:
            f.truncate(size)
        with open(path, "r+b") as f:
            return mmap.mmap(f.fileno(), size)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- failing

    def forget(self):
        self.block.armed = self.block.fired = 0
        ctypes.memset(ctypes.addressof(self.block.counts), 0, ctypes.sizeof(self.block.counts))

    def arm(self, role, kind, nth, error, forever=False):
        self.forget()
        self.block.role, self.block.kind, self.block.nth = ROLES.index(role), KINDS.index(kind), nth
        self.block.error, self.block.forever, self.block.fired_at = error, forever, 0
        self.block.armed = 1

    def disarm(self):
        """True: the call came, and failed."""
        self.block.armed = 0
        return self.block.fired > 0

    def counts(self):
        """{(role, kind): calls since forget() or arm()}"""
        return {(r, k): self.block.counts[i][j] for i, r in enumerate(ROLES) for j, k in enumerate(KINDS)}

    def where(self, role):
        """What called it, if the program knows; else a library did."""
        program = os.path.join(self.folder, "prog", "galena-" + role)
        done = subprocess.run(["addr2line", "-s", "-f", "-e", program, hex(self.block.fired_at - 1)],
                              capture_output=True, text=True, check=False)
        name, _, line = done.stdout.partition("\n")
        return "in a library" if name in ("", "??") else "%s %s" % (name, line.strip())

    # --- recording

    def entries(self):
        """[(what, path, at, n, data)…] of all that was recorded, and where each ends."""
        found, at = [], 0
        while at < self.block.log_end:
            what, path_bytes = (int.from_bytes(self.log[at + 4 * i:at + 4 * i + 4], "little") for i in (0, 1))
            place_, n, data_bytes = (int.from_bytes(self.log[at + 8 + 8 * i:at + 16 + 8 * i], "little")
                                     for i in (0, 1, 2))
            path = self.log[at + 32:at + 32 + path_bytes].decode()
            data = self.log[at + 32 + path_bytes:at + 32 + path_bytes + data_bytes]
            at += 32 + path_bytes + data_bytes
            found.append((what, path, place_, n, data, at))
        return found
