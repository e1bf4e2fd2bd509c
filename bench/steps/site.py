"""What the web pages ask for, in an archive of 100,000 studies: how long each request takes."""
import json
import os
import random
import statistics
import time
import urllib.parse

import data
import servers
import table
import web

NAME = "site"
KEY = ("studies", "who", "request")
WORDS = {}
HEAD = ["who", "request", "answers", "median ms", "slowest ms"]
FIELDS = "00081030,00080050,00080090,00080061,00201206,00201208"  # as the site's studies.js
REPEAT = 7
GIVEN = ("Anna Bernd Carla David Élise Franz Greta Hans Ida Jörg Karin Lukas Maria Nils Olga Paul Rosa "
         "Stefan").split()
FIRST = ("Mül Schmi Schnei Fi We Me Wag Be Schul Hoff Schä Ko Bau Rich Klei Wo Schrö Neu Schwa Zim Ju Kai "
         "Lan").split()
LAST = ("ler dt der scher ber yer ner cker ze mann fer ch er ter n lf n mann rz mer ng ser ge hardt berg "
        "lein").split()
DESCRIPTIONS = ["Thorax", "CT Abdomen", "MR Brain", "Knee left", "Knee right", "Mammography", "US Liver",
                "Hand"]
MODALITIES = ["CT", "MR", "CR", "DX", "US", "MG", "PT", "XA"]


def names(r):
    """Some thousand families, as unevenly spread as real ones."""
    families = [a + b + c for a in FIRST for b in LAST for c in ("", "s", "bach", "hofer", "-Lang")]
    r.shuffle(families)
    return families


def attributes(r, i, families, study, uid):
    e, patient = data.element, r.randrange(60000)
    of_patient = random.Random(patient)
    family = families[min(int(of_patient.paretovariate(0.5)), len(families) - 1)]
    day = time.strftime("%Y%m%d", time.gmtime(1573000000 + r.randrange(5 * 365) * 86400))
    parts = [
        e(0x00080005, "CS", "ISO_IR 100"), e(0x00080016, "UI", data.MR), e(0x00080018, "UI", uid),
        e(0x00080020, "DA", day), e(0x00080030, "TM", "%02d%02d00" % (7 + i % 12, i % 60)),
        e(0x00080050, "SH", "ACC%08d" % i), e(0x00080060, "CS", r.choice(MODALITIES)),
        e(0x00080080, "LO", "Ward %d" % (i % 20)),
        e(0x00080090, "PN", "%s^%s" % (families[i % 200], GIVEN[i % len(GIVEN)])),
        e(0x00081030, "LO", r.choice(DESCRIPTIONS)),
        e(0x00100010, "PN", "%s^%s" % (family, of_patient.choice(GIVEN))),
        e(0x00100020, "LO", "P%07d" % patient),
        e(0x00100030, "DA", "%d%02d%02d" % (1930 + patient % 90, 1 + patient % 12, 1 + patient % 28)),
        e(0x00100040, "CS", "FM"[patient % 2]),
        e(0x0020000D, "UI", study), e(0x0020000E, "UI", study + ".1"), e(0x00200010, "SH", "S%07d" % i),
        e(0x00200011, "IS", "1"), e(0x00200013, "IS", "1"),
        e(0x00280002, "US", data.us(1)), e(0x00280004, "CS", "MONOCHROME2"), e(0x00280010, "US", data.us(2)),
        e(0x00280011, "US", data.us(2)), e(0x00280100, "US", data.us(16)), e(0x00280101, "US", data.us(16)),
        e(0x00280102, "US", data.us(15)), e(0x00280103, "US", data.us(0)),
        e(0x7FE00010, "OW", bytes(8))]
    return b"".join(parts)


def write_pack(path, count):
    r = random.Random(4711)
    families = names(r)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f, open(path + ".index", "w", encoding="utf-8") as index:
        for i in range(count):
            study = "%s.8.%d" % (data.ROOT, i + 1)
            uid = study + ".1.1"
            body = attributes(r, i, families, study, uid)
            index.write("%s %s %s %s %d %d\n" % (data.MR, uid, study, study + ".1", f.tell(), len(body)))
            f.write(body)


class Galena(web.GalenaWeb):
    calling = "BENCHP"

    def add_peer(self):
        servers.Galena.add_peer(self)
        super().add_peer()
        self.run("collection", "add", self.dir, "ward", "--institution", "Ward 3")
        self.tokens = {"all": self.token}
        for name, role, can, more in (("ward", "reader", "query,retrieve", ("--collections", "ward")),
                                      ("referrer", "referrer", "query,retrieve",
                                       ("--physician", "Müllers^Anna")),
                                      ("admin", "administrator", "admin", ())):
            self.run("user", "add", self.dir, name, "--role", role, *more)
            self.tokens[name] = self.run("token", "create", self.dir, name, "--user", name, "--can",
                                         can).strip()


def search(**keys):
    keys = dict({"limit": 50, "offset": 0, "includefield": FIELDS}, **keys)
    return "/dicomweb/studies?" + urllib.parse.urlencode(keys)


def spelt(text, before="", after="*"):
    return "\\".join(dict.fromkeys(before + s + after for s in (text, text.upper(), text.capitalize())))


def fuzzy(text, **more):
    return search(PatientName=text, fuzzymatching="true", **more)


SEARCHES = [
    ("newest 50", search()),
    ("newest 50, page 20", search(offset=1000)),
    ("newest 50, page 1000", search(offset=50000)),
    ("newest 50, count=true", search(count="true")),
    ("name m, fuzzy", fuzzy("m")),
    ("name mü, fuzzy", fuzzy("mü")),
    ("name mül, fuzzy", fuzzy("mül")),
    ("name mueller anna, fuzzy", fuzzy("mueller anna")),
    ("name m, fuzzy, page 20", fuzzy("m", offset=1000)),
    ("name nobody has, fuzzy", fuzzy("xqzw")),
    ("name m, fuzzy, CT, one year", fuzzy("m", ModalitiesInStudy="CT", StudyDate="20210101-20211231")),
    ("patient ID p*", search(PatientID=spelt("p"))),
    ("patient ID p00012*", search(PatientID=spelt("p00012"))),
    ("accession acc*", search(AccessionNumber=spelt("acc"))),
    ("accession acc0000471*", search(AccessionNumber=spelt("acc0000471"))),
    ("accession, exact", search(AccessionNumber="ACC00004711")),
    ("one year", search(StudyDate="20210101-20211231")),
    ("one day", search(StudyDate="20210517")),
    ("since a day long ago", search(StudyDate="20150101-")),
    ("CT", search(ModalitiesInStudy="CT")),
    ("CT and MR, one month", search(ModalitiesInStudy="CT\\MR", StudyDate="20210501-20210531")),
    ("modality nobody has", search(ModalitiesInStudy="OP")),
    ("description *thorax*", search(StudyDescription=spelt("thorax", "*"))),
    ("description nobody has", search(StudyDescription=spelt("xqzw", "*"))),
    ("physician, fuzzy", search(ReferringPhysicianName="mü", fuzzymatching="true")),
    ("series of a study", "/dicomweb/studies/%s.8.4711/series" % data.ROOT),
    ("metadata of a study", "/dicomweb/studies/%s.8.4711/metadata" % data.ROOT),
]
OTHERS = {"all": [("who am I", "/api/me"), ("the archive", "/api/info"), ("the page", "/")],
          "admin": [(name, "/api/admin/" + name) for name in ("status", "today", "peers", "users")]}
PEOPLE = {"all": SEARCHES + OTHERS["all"], "ward": SEARCHES, "referrer": SEARCHES, "admin": OTHERS["admin"]}


def ask(c, token, path):
    """Milliseconds, and how many answers; what is not theirs to see (404) is none."""
    began = time.monotonic()
    accept = "*/*" if path == "/" else "application/dicom+json, application/json"
    c.request("GET", path, headers={"Authorization": "Bearer " + token, "Accept": accept})
    r = c.getresponse()
    body = r.read()
    took = (time.monotonic() - began) * 1000
    if r.status not in (200, 204, 404):
        raise RuntimeError("%s: %d %s" % (path, r.status, body[:200]))
    if r.status != 200:
        return took, 0
    return took, len(json.loads(body)) if body.startswith(b"[") else 1


def requests(server, studies):
    for who, asked in PEOPLE.items():
        c = web.connect(server)
        for name, path in asked:
            times, answers = zip(*(ask(c, server.tokens[who], path) for _ in range(REPEAT)))
            yield {"studies": studies, "who": who, "request": name, "answers": answers[-1],
                   "median_ms": round(statistics.median(times), 2), "slowest_ms": round(max(times), 2)}
        c.close()


def measure_one(bench, studies):
    pack = os.path.join(data.FOLDER, "studies-%d" % studies)
    if not os.path.exists(pack + ".index"):
        write_pack(pack, studies)
    with bench.running(Galena, "tmpfs") as server:
        said, _ = server.load("store", pack=pack, associations=4)
        bench.say("site: %d studies stored in %.0f s" % (said["objects"], said["seconds"]))
        time.sleep(2)  # the index is written
        with bench.measured(server) as m:
            rows = list(requests(server, studies))
    return [dict(r, **m.row()) for r in rows]


def measure(bench):
    rows = bench.undisturbed(lambda: measure_one(bench, 500 if bench.quick else 100_000))
    slowest = max(rows, key=lambda r: r["slowest_ms"])
    bench.say("site: the slowest of %d requests took %.0f ms: %s, %s" % (
        len(rows), slowest["slowest_ms"], slowest["who"], slowest["request"]))
    yield rows


def show(rows):
    shown = [[r["who"], r["request"], "{:,}".format(r["answers"]), table.number(r["median_ms"]),
              table.number(r["slowest_ms"])] for r in rows]
    return table.markdown(HEAD, shown, left=2)
