"""What storing, a search and a start cost as the archive grows: studies of one tiny object each, on tmpfs."""
import os
import time

import data
import proc
import results
import servers
import table

NAME = "growth"
KEY = ("server", "studies")
WORDS = {"server": ["galena", "Orthanc"], "lane": ["plain"]}
CHECKPOINTS = [10_000, 30_000, 100_000, 300_000, 1_000_000]
WINDOW = 10_000  # objects, just before each checkpoint, of which the cost is taken
LIMIT_S = 150    # no more is stored then
HEAD = ["server", "studies", "CPU ms/obj", "obj/s", "search ms, p50", "p99", "no match ms, p50", "p99",
        "start s", "largest MB", "index B/study", "on disk B/study"]


class Filler:
    """Stores tiny studies, always new ones, and knows how long that took so far."""

    def __init__(self, bench, server, limit_s):
        self.bench, self.server, self.limit_s = bench, server, limit_s
        self.stored, self.seconds = 0, 0.0
        self.pack = os.path.join(data.FOLDER, "tiny")
        os.makedirs(data.FOLDER, exist_ok=True)

    def left_s(self):
        return max(1, int(self.limit_s - self.seconds))

    def store(self, count, associations):
        """A row, or None if time was up."""
        data.write_tiny(self.pack, self.stored, count)
        row = self.bench.load(self.server, "store", pack=self.pack, associations=associations,
                              limit=self.left_s())
        self.stored += row["objects"]
        self.seconds += row["wall_s"]
        return row if row["objects"] == count else None


def at_checkpoint(bench, filler, studies, window):
    server = filler.server
    more = studies - window - filler.stored
    if more > 0 and not filler.store(more, 4):
        return None
    row = filler.store(window, 1)
    if not row:
        return None
    asked, _ = server.load("ask", pack=filler.pack, count=50 if bench.quick else 500)
    server.stop()
    row.update({k: v for k, v in asked.items() if k.endswith("_ms")})
    row.update(studies=studies, found=asked["found"] / asked["asked"],
               index_bytes=round(server.index_bytes() / studies),
               disk_bytes=round(server.disk_bytes() / studies), start_s=round(server.start_s(), 3))
    if server.precedence:
        proc.prefer(proc.tree(server.process.pid))
    time.sleep(0.5)
    return row


def measure(bench):
    checkpoints, window = ([500, 1000], 250) if bench.quick else (CHECKPOINTS, WINDOW)
    for cls in bench.servers(servers.Galena, servers.Orthanc):
        with bench.running(cls, "tmpfs", (64 if bench.quick else 4096) << 20) as server:
            filler = Filler(bench, server, 10 if bench.quick else LIMIT_S)
            for studies in checkpoints:
                row = at_checkpoint(bench, filler, studies, window)
                if not row:
                    bench.say("growth: %s: the time was up at %d studies" % (server.label(), filler.stored))
                    break
                bench.say("growth: %(server)s, %(studies)d studies: CPU %(cpu_ms).3f ms an object, search "
                          "%(hit_p50_ms).2f ms, start %(start_s).2f s" % row)
                yield [row]


def lines(rows):
    columns = ("hit_p50_ms", "hit_p99_ms", "miss_p50_ms", "miss_p99_ms", "start_s", "largest_mb",
               "index_bytes", "disk_bytes")
    for r in sorted(rows, key=lambda r: (table.rank(r), r["studies"])):
        figures = [r["cpu_ms"], table.rate(r)] + [r[c] for c in columns]
        yield [r["server"], "{:,}".format(r["studies"]), *map(table.number, figures)]


def show(rows):
    return table.markdown(HEAD, list(lines(rows)), left=1)


def at(rows, server, studies):
    return next(iter(results.find(rows, server=server, studies=studies)), None)
