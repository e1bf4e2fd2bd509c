"""DICOMweb: this server over HTTPS with a token, beside Debian's Orthanc with its plugin over plain HTTP."""
import random
import statistics
import time

import data
import results
import servers
import table
import web

NAME = "dicomweb"
KEY = ("place", "what", "server")
JSON = "application/dicom+json"
PARTS = 'multipart/related; type="application/dicom"'
FRAME = 'multipart/related; type="application/octet-stream"'

WHAT = {  # what: (title, unit, more is better)
    "stow": ("STOW-RS of a series of CT in one request", "objects/s", True),
    "stow1": ("STOW-RS of a series of CT one by one", "objects/s", True),
    "study": ("WADO-RS of the study", "MB/s", True),
    "series": ("WADO-RS of the series", "MB/s", True),
    "memory": ("memory meanwhile, RssAnon of the largest process", "MB", False),
    "metadata": ("its metadata", "ms", False),
    "instances": ("its list of instances (QIDO-RS)", "ms", False),
    "patient": ("a study by patient ID (QIDO-RS)", "requests/s", True),
    "instance": ("an instance", "requests/s", True),
    "frame": ("a frame", "requests/s", True),
    "metadata1000": ("metadata of a series of 1,000", "ms", False),
    "frame10000": ("a frame of an object of 10,000, median", "ms", False),
    "frame10000_p99": ("the same, p99", "ms", False),
}
WORDS = {"place": ["disk", "tmpfs"], "server": ["galena", "Orthanc"], "lane": ["plain", "TLS"],
         "web": ["stow", "series", "json", "requests", "large"]}
HEAD = ["place", "what", "unit", "galena", "Orthanc", "times better", "CPU ms, galena", "CPU ms, Orthanc"]


class Galena(web.GalenaWeb):
    """With a peer on the plain lane too, to store by DIMSE what is only fetched here."""

    def add_peer(self):
        servers.Galena.add_peer(self)
        super().add_peer()


class Run:
    """One server's rows."""

    def __init__(self, bench, server, place):
        self.bench, self.server, self.place, self.rows = bench, server, place, []

    def put(self, what, value, cpu_s=None, count=1, m=None):
        self.rows.append(dict(m.row() if m else {}, place=self.place, what=what, server=self.server.name,
                              value=value, cpu_ms=None if cpu_s is None else cpu_s * 1000 / count))

    def measured(self, what, work, count=1):
        """work() gives the value, or the value and how often it was done."""
        with self.bench.measured(self.server, 0.05) as m:
            value = work()
        if isinstance(value, tuple):
            value, count = value
        self.put(what, value, m.cpu_s, count, m)
        return m

    def stow(self, packs):
        n = len(packs[0].files)
        whole = [web.Series.multipart(packs[0].files)]
        each = [web.Series.multipart([f]) for f in packs[1].files]
        self.measured("stow", lambda: (n / web.stow(self.server, whole), n))
        if self.bench.wants(web="stow"):
            self.measured("stow1", lambda: (n / web.stow(self.server, each), n))

    def series(self, pack):
        for what, path in (("study", "/studies/" + pack.study), ("series", pack.path())):
            def once(path=path):
                took, size = web.get(self.server, path, PARTS)
                return size / 1e6 / took
            m = self.measured(what, lambda: max(once() for _ in range(3)), 3)
        self.put("memory", max(m.peak.anonymous_kb.values()) / 1024)

    def fastest(self, what, path, times=5):
        def run():
            return 1000 * min(web.get(self.server, path, JSON)[0] for _ in range(times)), times
        self.measured(what, run)

    def rate(self, what, path, accept):
        def run():
            done, took = web.rate(self.server, path, accept, 1 if self.bench.quick else 3)
            return done / took, done
        self.measured(what, run)

    def frames(self, pack, count):
        """Random frames, one at a time, on one connection."""
        with open(pack.path + ".index", encoding="ascii") as f:
            _, uid, study, series = f.readline().split()[:4]
        path = "%s/studies/%s/series/%s/instances/%s/frames/" % (self.server.web_root, study, series, uid)
        r, frames, times = random.Random(4711), self.bench.kinds["frames"].frames, []
        c = web.connect(self.server)
        headers = dict(self.server.headers, Accept=FRAME)

        def run():
            for i in range(count + 1):
                began = time.monotonic()
                c.request("GET", path + str(r.randint(1, frames)), headers=headers)
                answer = c.getresponse()
                body = answer.read()
                if answer.status != 200 or len(body) < 64 * 64 * 2:
                    raise RuntimeError("%s: a frame: %d" % (self.server.name, answer.status))
                if i:  # the first opens the connection
                    times.append((time.monotonic() - began) * 1000)
            return statistics.median(times), count
        self.measured("frame10000", run)
        self.put("frame10000_p99", sorted(times)[len(times) * 99 // 100])

    def all(self, packs):
        wants, p = self.bench.wants, packs[0]
        instance = "%s/instances/%s" % (p.path(), p.uids[7])
        self.stow(packs)
        if wants(web="series"):
            self.series(p)
        if wants(web="json"):
            self.fastest("metadata", p.path() + "/metadata")
            self.fastest("instances", p.path() + "/instances")
        if wants(web="requests"):
            self.rate("patient", "/studies?PatientID=" + p.patient, JSON)
            self.rate("instance", instance, PARTS)
            self.rate("frame", instance + "/frames/1", FRAME)
        if wants(web="large"):
            self.large()
        return self.rows

    def large(self):
        thousand, frames = self.bench.pack("series"), self.bench.pack("frames")
        for pack in (thousand, frames):
            said, _ = self.server.load("store", pack=pack.path, port=self.server.dicom_port)
            if said["objects"] != pack.objects:
                raise RuntimeError("%s stored only %d objects" % (self.server.name, said["objects"]))
        study = "%s.5.1" % data.ROOT
        self.fastest("metadata1000", "/studies/%s/series/%s.1/metadata" % (study, study), 3)
        self.frames(frames, 30 if self.bench.quick or self.server.name != "galena" else 500)


def measure(bench):
    n = 20 if bench.quick else web.SERIES_OBJECTS
    packs = [web.Series(1, n), web.Series(2, n)]
    for place in bench.places():
        for cls in (Galena, web.OrthancWeb):
            if bench.wants(server=cls.name, lane=cls.lane) and web.available(cls):
                def once(cls=cls):
                    with bench.running(cls, place, 4 * packs[0].bytes) as server:
                        return Run(bench, server, place).all(packs)
                rows = bench.undisturbed(once)
                said = ", ".join("%s %s" % (r["what"], table.number(r["value"])) for r in rows)
                bench.say("dicomweb: %s, %s: %s" % (place, cls.name, said))
                yield rows


def better(what, ours, theirs):
    """How many times; None if one of them was not measured."""
    if not ours or not theirs:
        return None
    a, b = ours["value"], theirs["value"]
    return a / b if WHAT[what][2] else b / a


def pair(rows, place, what):
    return [next(iter(results.find(rows, place=place, what=what, server=s)), None)
            for s in ("galena", "Orthanc")]


def lines(rows):
    for place in WORDS["place"]:
        for what, (title, unit, _) in WHAT.items():
            both = pair(rows, place, what)
            if any(both):
                values, cpu = ([table.number(r[k]) if r else "" for r in both] for k in ("value", "cpu_ms"))
                yield [place, title, unit, *values, table.number(better(what, *both)), *cpu]


def show(rows):
    return table.markdown(HEAD, list(lines(rows)))
