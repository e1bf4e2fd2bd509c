"""What a step is given: which servers, places and kinds are wanted, the objects, and how to measure."""
import contextlib
import os
import sys
import time

import data
import place as places
import proc
import servers

DISTURBED_PCT = 10  # others took more of the machine: measured again, if there are attempts left


class Bench:
    """words: group -> the words of it that --only may name; wanted: group -> those it does."""

    def __init__(self, words, wanted, quick=False, attempts=2, limit_s=12):
        self.words, self.wanted, self.quick = words, wanted, quick
        self.attempts, self.limit_s = 1 if quick else attempts, limit_s
        if quick:
            proc.quiet_looks = 1
        self.began, self.kinds, self.folders = time.monotonic(), data.kinds(quick), places.folders()

    def wants(self, **what):
        """No word of these groups was named, or these were."""
        return all(not self.wanted.get(group) or str(word) in self.wanted[group]
                   for group, word in what.items())

    def places(self):
        return [p for p in (["tmpfs"] if self.quick else ["disk", "tmpfs"]) if self.wants(place=p)]

    def servers(self, *classes):
        return [c for c in classes if self.wants(server=c.name, lane=c.lane) and servers.available(c)]

    def pack(self, kind):
        return data.make(self.kinds[kind], data.FOLDER)

    def say(self, text):
        print("[%4d s] %s" % (time.monotonic() - self.began, text), file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def running(self, cls, place, warm_bytes=0):
        """The server, started fresh in an empty folder. Afterwards it is stopped and its folder is gone, but
        .written_bytes, .stored_bytes and .indexed_bytes say what it took."""
        folder = os.path.join(self.folders[place], cls.name)
        places.warm(self.folders[place], min(warm_bytes, 2 << 30))
        server = cls(folder)
        try:
            server.start()
            yield server
        finally:
            if server.process:
                server.stop()
            server.stored_bytes, server.indexed_bytes = server.disk_bytes(), server.index_bytes()
            server.clean()

    @staticmethod
    def measured(server, every_s=0.25):
        return proc.Measured(server.process.pid, every_s)

    def load(self, server, kind, **options):
        """One run of bench-load, as a row: what it says, and what the server needed for it."""
        with self.measured(server) as m:
            said, _ = server.load(kind, **options)
        n = max(1, said["objects"])
        return dict(m.row(), server=server.label(), objects=said["objects"], failed=said["failed"],
                    wall_s=said["seconds"], bytes=said["bytes"], complete=said["complete"],
                    cpu_ms=round(m.cpu_s * 1000 / n, 4))

    def undisturbed(self, measure):
        """measure() gives rows; again if others took too much of the machine. The quietest run counts."""
        best, least = None, None
        for _ in range(self.attempts):
            rows = list(measure())
            others = max((r.get("others_pct") or 0 for r in rows), default=0)
            if best is None or others < least:
                best, least = rows, others
            if least <= DISTURBED_PCT or self.quick:
                break
            self.say("others took %.0f %% of the machine" % others)
        return best
