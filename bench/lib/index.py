"""For steps/queries.py: an archive of many studies, and what is asked of it over TLS."""
import collections
import json
import math
import os
import random
import shutil
import signal
import subprocess
import time
import urllib.parse

import data
import proc
import servers
import studies
import web

FILL = os.path.join(servers.BUILD, "bench", "bench-fill")
ASK = os.path.join(servers.BUILD, "bench", "bench-ask")
FIELDS = "00081030,00080050,00080090,00080061,00201206,00201208"  # as the site's studies.js
RETURNED = ("00080020 00080030 00080050 00080061 00080090 00081030 00100010 00100020 00100030 00100040 "
            "0020000D 00200010 00201206 00201208").split()
SERIES_OF = 1000  # instances of one series, for its metadata
FOLDER = os.path.join(data.FOLDER, "index")

Question = collections.namedtuple("Question", "who name keys limit fuzzy")
Figure = collections.namedtuple("Figure", "name value")
# Names of figures that targets look up.
ROW_US, START_MS, KILLED_MS = "CPU µs a row, all of a year by %s", "start, ms", "start after a kill, ms"
ADD_US, ADD_FIRST_US = "adding to the index, CPU µs an object", "the same, of the first 50,000"
EACH_BYTES, EACH_US = "index, bytes an instance", "adding to the index, CPU µs an instance"


class Galena(web.GalenaWeb):
    calling = "BENCH"

    def add_peer(self):
        servers.GalenaTls.add_peer(self)
        web.GalenaWeb.add_peer(self)
        for name in ("Ward 3", "MVZ West"):
            self.run("collection", "add", self.dir, name.replace(" ", ""), "--institution", name)
        self.run("collection", "add", self.dir, "pet", "--modality", "PT")
        self.tokens = {"all": self.token}
        people = (("wards", "reader", "--collections", "Ward3,MVZWest"),
                  ("wards, PET", "reader", "--collections", "Ward3,MVZWest,pet"),
                  ("referrer", "referrer", "--physician", studies.PHYSICIAN))
        for name, role, *more in people:
            user = name.replace(", ", "")
            self.run("user", "add", self.dir, user, "--role", role, *more)
            self.tokens[name] = self.run("token", "create", self.dir, user, "--user", user, "--can",
                                         "query,retrieve").strip()

    def begin(self):
        """Starts it; seconds until it says that it is ready."""
        before = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        began = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "serve", self.dir], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        while time.monotonic() < began + 600:
            with open(self.log_path, "rb") as log:
                log.seek(before)
                if b"ready\n" in log.read():
                    took = time.monotonic() - began
                    proc.prefer(proc.tree(self.process.pid))
                    return took
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise RuntimeError("it did not start: " + self.log())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def kill(self):
        for pid in proc.tree(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        time.sleep(0.5)  # its ports are free again

    def archive(self):
        return next(p for p in proc.tree(self.process.pid) if proc.program(p).startswith("galena-archiv"))


def forget():
    shutil.rmtree(FOLDER, ignore_errors=True)


# ---- filling ----------------------------------------------------------------------------------------------


def fill(server, packs):
    """What bench-fill says, step by step."""
    said = subprocess.run([FILL, server.dir, *packs], check=True, stdout=subprocess.PIPE, text=True).stdout
    owner = os.stat(server.dir)
    subprocess.run(["chown", "-R", "%d:%d" % (owner.st_uid, owner.st_gid), server.dir], check=True)
    return [json.loads(line) for line in said.splitlines()]


def written(pid):
    return proc.fields_kb("/proc/%d/io" % pid, ["wchar"])["wchar"]


def store(server, packs, associations=1):
    """CPU ms of all processes for each object, and bytes the archive wrote for each byte of data."""
    pid, archive = server.process.pid, server.archive()
    cpu, wrote = proc.cpu_settled_s(pid), written(archive)
    objects = n = 0
    for pack in packs:
        said, _ = server.load("store", pack=pack, associations=associations)
        if not said["complete"] or said["failed"]:
            raise RuntimeError("storing failed: " + said["stderr"])
        objects, n = objects + said["objects"], n + said["bytes"]
    time.sleep(1.2)  # the index is written
    return (proc.cpu_settled_s(pid) - cpu) * 1000 / objects, (written(archive) - wrote) / n


# ---- asking -----------------------------------------------------------------------------------------------


def questions(total, share=1):
    """Each with keys for so many different values as it is repeated; share: only so many of them."""
    for q in all_questions(total):
        yield q._replace(keys=q.keys[:max(2, int(len(q.keys) * share))])


def all_questions(total):
    r = random.Random(4711)

    def each(n, make):
        return [make(studies.Study(r.randrange(total), total)) for _ in range(n)]

    def family(s):
        return studies.name_of(s.patient).partition("^")[0].partition("=")[0]

    exact = [("accession number", each(200, lambda s: {"00080050": s.accession})),
             ("patient ID", each(200, lambda s: {"00100020": s.patient_id})),
             ("Study Instance UID", each(200, lambda s: {"0020000D": s.uid})),
             ("patient ID, no match", each(200, lambda s: {"00100020": s.patient_id + "9"})),
             ("name, no match", each(200, lambda s: {"00100010": studies.name_of(s.patient) + "^Xqzw"}))]
    listed = [("name, three letters", each(60, lambda s: {"00100010": family(s)[:3] + "*"})),
              ("name, family", each(60, lambda s: {"00100010": family(s) + "*"})),
              ("name M*", [{"00100010": "M*"}] * 60),
              ("a year", [{"00080020": "%d0101-%d1231" % (y, y)} for y in range(2010, 2025)] * 4),
              ("a year and CT", [{"00080020": "%d0101-%d1231" % (y, y), "00080061": "CT"}
                                 for y in range(2010, 2025)] * 4),
              ("CT", [{"00080061": "CT"}] * 60), ("everything", [{}] * 60)]
    fuzzy = [("fuzzy, a family", each(60, lambda s: {"00100010": family(s)})),
             ("fuzzy, mueller anna", [{"00100010": "mueller anna"}] * 10),
             ("fuzzy, no match", [{"00100010": "xqzw"}] * 10)]
    for name, keys in exact:
        yield Question("all", name, keys, 0, False)
    for name, keys in listed:
        yield Question("all", "first 50: " + name, keys, 50, False)
    for name, keys in fuzzy:
        yield Question("all", "first 50: " + name, keys, 50, True)
    for who in ("wards", "wards, PET", "referrer"):
        for name, keys in (listed[-1], listed[0], listed[3]):
            yield Question(who, "first 50: " + name, keys, 50, False)


def dimse(server, asked):
    """Milliseconds and answers of each."""
    def line(q, keys):
        wanted = dict.fromkeys(RETURNED, "")
        wanted.update(keys)
        values = ("%s=%s" % (t, wanted[t].replace(" ", "_")) for t in sorted(wanted))
        return "%d STUDY %s\n" % (q.limit, " ".join(values))
    said = subprocess.run([ASK, "--port", str(server.tls_port), "--called", "GALENA", "--tls", server.tls],
                          input="".join(line(q, k) for q in asked for k in q.keys), check=True,
                          stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [(float(ms), int(n)) for ms, n in (x.split() for x in said)]


def path(q, keys):
    fields = dict({"includefield": FIELDS}, **keys)
    if q.limit:
        fields["limit"] = q.limit
    if q.fuzzy:
        fields["fuzzymatching"] = "true"
    return "/dicomweb/studies?" + urllib.parse.urlencode(fields)


def qido(server, q):
    c = web.connect(server)
    got = []
    for keys in q.keys:
        began = time.monotonic()
        c.request("GET", path(q, keys), headers={"Authorization": "Bearer " + server.tokens[q.who],
                                                 "Accept": "application/dicom+json"})
        r = c.getresponse()
        body = r.read()
        got.append(((time.monotonic() - began) * 1000, body.count(b'"0020000D"')))
        if r.status not in (200, 204):
            raise RuntimeError("%s: %d %s" % (path(q, keys), r.status, body[:200]))
    c.close()
    return got


def percentiles(got):
    times = sorted(ms for ms, _ in got)
    at = [times[min(len(times) - 1, math.ceil(len(times) * p) - 1)] for p in (0.5, 0.99)]
    return round(at[0], 2), round(at[1], 2)


def ask_all(server, total, share):
    """A row of each; answers on the average. Others on the machine shall not be in them."""
    proc.prefer([os.getpid()])
    for q in questions(total, share):
        asked = [("QIDO-RS", qido(server, q))]
        if q.who == "all" and not q.fuzzy:
            asked.insert(0, ("C-FIND", dimse(server, [q])))
        for by, got in asked:
            p50, p99 = percentiles(got)
            answers = round(sum(n for _, n in got) / len(got))
            yield {"who": q.who, "asked": q.name, "by": by, "answers": answers, "p50_ms": p50, "p99_ms": p99}


def stream(server, total):
    """CPU µs of the server for each row when all of some years are asked for."""
    keys = {"00080020": "20100101-20101231" if total > 200000 else "20100101-20291231"}
    q = Question("all", "", [keys], 0, False)
    for name, run in (("C-FIND", lambda: dimse(server, [q])), ("QIDO-RS", lambda: qido(server, q))):
        cpu = proc.cpu_settled_s(server.process.pid)
        (_, rows), = run()
        yield Figure(ROW_US % name, round((proc.cpu_settled_s(server.process.pid) - cpu) * 1e6 / rows, 1))


# ---- all of it for one size -------------------------------------------------------------------------------


def index_bytes(server):
    folder = os.path.join(server.dir, "index")
    return sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))


def metadata(server, s):
    times = []
    for _ in range(20):
        path_of = "/studies/%s/series/%s.1/metadata" % (s.uid, s.uid)
        took, _ = web.get(server, path_of, "application/dicom+json")
        times.append((took * 1000, 0))
    return percentiles(times)


def prepare(folder, total):
    """A stopped archive of so many studies, and what filling it cost."""
    server = Galena(os.path.join(folder, str(total)))
    pack = os.path.join(FOLDER, "many-%d" % total)
    steps = fill(server, studies.write_pack(pack, 0, total, total))
    forget()
    return server, steps


def figures(server, total, steps):
    first, last = steps[0], steps[-1]
    yield Figure("index, bytes a study of one instance", round(index_bytes(server) / total))
    for name, step in ((ADD_US, last), (ADD_FIRST_US, first)):
        yield Figure(name, round(step["index_us"] + step["commit_us"], 1))
    server.begin()
    server.stop()
    yield Figure(START_MS, round(server.begin() * 1000))
    yield from storing(server, total)
    last_ones = studies.write_pack(os.path.join(FOLDER, "last"), total + 2000, total + 3000, total)
    server.load("store", pack=last_ones[0])
    server.kill()
    yield Figure(KILLED_MS, round(server.begin() * 1000))
    long = total + 5000
    long_ones = studies.write_pack(os.path.join(FOLDER, "long"), long, long + 2, total, SERIES_OF, SERIES_OF)
    server.load("store", pack=long_ones[0])
    p50, p99 = metadata(server, studies.Study(long, total))
    yield Figure("metadata of 1,000 instances, ms, p50", p50)
    yield Figure("the same, p99", p99)
    yield from stream(server, total)


def storing(server, total):
    small, ct = (data.kinds(quick=True)[k] for k in ("small", "ct"))
    news = studies.write_pack(os.path.join(FOLDER, "news"), total, total + 2000, total)
    for name, packs in (("studies of one object of 0.7 KB", news),
                        ("small, 8 KB", [data.make(small, FOLDER).path]),
                        ("CT, 526 KB", [data.make(ct, FOLDER).path])):
        cpu, wrote = store(server, packs)
        yield Figure("storing %s: CPU ms each" % name, round(cpu, 3))
        yield Figure("%s: bytes given to write calls, of one" % name, round(wrote, 2))


def memory(server):
    fields = proc.fields_kb("/proc/%d/status" % server.archive(), ["VmHWM", "RssAnon"])
    yield Figure("memory of galena-archive, MB, anonymous", round(fields["RssAnon"] / 1024))
    yield Figure("the same, VmHWM", round(fields["VmHWM"] / 1024))


def measure(total, folder, share):
    """All figures and all questions at this number of studies: ([Figure], [row of ask_all()]); and what
    others took of the machine while it was asked."""
    server, steps = prepare(folder, total)
    try:
        found = list(figures(server, total, steps))
        with proc.Measured(server.process.pid, 2) as m:
            rows = list(ask_all(server, total, share))
        return found + list(memory(server)), rows, m.others_pct
    finally:
        if server.process and server.process.poll() is None:
            server.stop()
        forget()
        shutil.rmtree(server.folder, ignore_errors=True)


def many_instances(folder, count, per_study):
    """What an instance costs where a study has many."""
    server = Galena(os.path.join(folder, "instances"))
    pack = os.path.join(FOLDER, "instances")
    try:
        steps = fill(server, studies.write_pack(pack, 0, count, count, per_study, 25))
        return [Figure(EACH_BYTES, round(index_bytes(server) / (count * per_study), 1)),
                Figure(EACH_US, round(steps[-1]["index_us"] + steps[-1]["commit_us"], 1))]
    finally:
        forget()
        server.clean()
