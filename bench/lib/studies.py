"""Studies as an archive has them after fifteen years: patients who come again, names of many origins, devices
of several makers, institutions of very different size. One tiny instance each (or some), because it is the
index that is measured. The same number always makes the same study.
"""
import hashlib
import multiprocessing
import os
import time

import data

DAYS, FIRST_DAY = 15 * 365, 1262304000  # from 2010-01-01
MONTHS = [time.strftime("%Y%m%d", time.gmtime(FIRST_DAY + d * 86400)) for d in range(DAYS)]
NEW_PATIENTS = 0.45  # of the studies


def hash_of(text):
    return hashlib.sha256(text.encode()).digest()


LATIN = {
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter "
    "Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner "
    "Krause Lehmann Schmid Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz "
    "Möller Weiß Jung Hahn":
    "Anna Bernd Carla David Élise Franz Greta Hans Ida Jörg Karin Lukas Maria Nils Olga Paul Rosa Stefan",
    "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański Woźniak Dąbrowski "
    "Kozłowski Jankowski Mazur Krawczyk Piotrowski Grabowski":
    "Jan Anna Piotr Maria Krzysztof Katarzyna Paweł Ewa",
    "Yılmaz Kaya Demir Şahin Çelik Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara":
    "Mehmet Fatma Mustafa Ayşe Ahmet Emine Ali Hatice",
    "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefèbvre Michel":
    "Jean Marie Pierre Jeanne Michel Françoise Philippe Hélène",
    "García González Rodríguez Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández":
    "Antonio María José Carmen Manuel Ana Francisco Isabel",
    "Nguyen Tran Le Pham Hoang Phan Vu Dang Bui Do": "Van An Thi Huong Minh Duc Lan Hoa",
    "Andersson Johansson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson O'Brien Smith Jones":
    "Lars Karin Anders Kerstin Johan Margareta Per Ingrid",
}
OTHERS = (["Иванов^Иван", "Петрова^Анна", "Сидоров^Сергей", "Кузнецова^Елена", "Попов^Дмитрий"],
          ["Yamada^Tarou=山田^太郎=やまだ^たろう", "Satou^Hanako=佐藤^花子=さとう^はなこ"],
          ["Wang^XiaoDong=王^小东", "Li^Na=李^娜", "Zhang^Wei=张^伟"], ["Kim^Minsu=김^민수", "Lee^Jiwoo=이^지우"],
          ["Παπαδόπουλος^Γιώργος", "حداد^محمد"])
FAMILIES = [(f, given.split()) for families, given in LATIN.items() for f in families.split()]
FAMILIES.sort(key=lambda x: (x[0] != "Müller", hash_of(x[0])))
PEOPLE = [(f, g) for f, given in FAMILIES for g in given]
ENDINGS = ("", "", "", "s", "mann", "berg", "-Lang", "er", "ova", "hofer", "bach", "sen", "oğlu", "ez", "ini")
KINDS = [  # modality, of a thousand, SOP class, what it looks at
    ("DX", 330, "1.1.1", "Thorax pa;Thorax ap Bett;Knee left;Knee right;Hand left;Hand right;Pelvis;Foot"),
    ("CR", 120, "1", "Thorax pa;Abdomen;Shoulder left;Shoulder right;Ankle;Wrist left;Wrist right"),
    ("CT", 170, "2", "CT Thorax;CT Abdomen;CT Thorax/Abdomen mit KM;CT Head;CT Spine;CT Angio;CT Neck"),
    ("US", 160, "6.1", "US Abdomen;US Liver;US Thyroid;US Vessels;US Obstetrics;US Kidney"),
    ("MR", 130, "4", "MR Brain;MR Brain mit KM;MR Knee left;MR Knee right;MR Spine lumbar;MR Prostate"),
    ("MG", 50, "1.2", "Mammography;Mammography Screening"),
    ("XA", 20, "12.1", "Coronary angiography;PTA leg"),
    ("NM", 10, "20", "Bone scan;Thyroid scan"), ("PT", 10, "128", "PET/CT Whole body")]
BY_CHANCE = [k for k in KINDS for _ in range(k[1] // 10)]
INSTITUTIONS = ["Universitätsklinikum", "Kreiskrankenhaus Nord", "Kreiskrankenhaus Süd", "St. Josef",
                "Radiology Center", "Praxis Dr. Huber", "Praxis am Markt", "Children's Hospital",
                "Klinik am See", "MVZ West", "Ward 3", "Ambulatory"]
MAKERS = ("1.3.12.2.1107.5.1.4", "1.2.840.113619.2.55.3", "1.2.392.200036.9116.2.6.1", "1.3.46.670589.11",
          "1.2.276.0.7230010.3.1")
REMOVED = 200  # one in so many has had its patient's identity removed
PHYSICIAN, COLLECTION = "Hoffmann^Greta", "Ward 3"  # for those who see a part only
MASK = (1 << 64) - 1


def chance(*numbers):
    """64 bits that look random (splitmix64)."""
    x = 0
    for n in numbers:
        x = (x + n + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        x ^= x >> 31
    return x


def uneven(c, n):
    """Of n, the first ones more often: the square of a number between 0 and 1."""
    u = (c & 0xFFFFFF) / 0x1000000
    return int(u * u * n)


def name_of(patient):
    c = chance(patient, 1)
    if c % 16 == 0:
        group = OTHERS[c // 16 % len(OTHERS)]
        return group[c // 4096 % len(group)]
    family, givens = FAMILIES[uneven(c >> 8, len(FAMILIES))]
    second = PEOPLE[(c >> 33) % len(PEOPLE)][1] if c % 3 == 0 else ""
    family += ENDINGS[(c >> 40) % len(ENDINGS)]
    return family + "^" + givens[(c >> 50) % len(givens)] + ("^" + second if second else "")


def patient_of(i):
    """New ones have numbers that grow; those who come again, mostly lately seen."""
    known, c = int(i * NEW_PATIENTS), chance(i, 2)
    return known if c % 100 < 100 * NEW_PATIENTS else known - uneven(c >> 8, known + 1)


def uids(i, day, device):
    c, maker = chance(i, 3), MAKERS[device % len(MAKERS)]
    if c % 32 == 0:
        return "2.25.%d" % (c << 60 | chance(i, 4) >> 4)
    at = (7 + c % 12, c // 16 % 60, c // 1024 % 60, c // 65536 % 1000)
    return "%s.%d.%s%02d%02d%02d%03d" % (maker, 40000 + 37 * device, day, *at)


class Study:
    def __init__(self, i, total):
        c = chance(i, 5)
        self.number, self.patient = i, patient_of(i)
        self.day = MONTHS[min(i * DAYS // total, DAYS - 1)]
        self.modality, _, sop_class, looks = BY_CHANCE[c % len(BY_CHANCE)]
        self.sop_class = "1.2.840.10008.5.1.4.1.1." + sop_class
        self.description = looks.split(";")[(c >> 8) % (looks.count(";") + 1)]
        self.institution = uneven(c >> 16, len(INSTITUTIONS))
        self.device = self.institution * 5 + (c >> 40) % 5
        self.uid = uids(i, self.day, self.device)
        self.accession = "%s%s%07d" % ("A" if self.institution < 9 else "MVZ", self.day[2:4], i)
        physician = PEOPLE[uneven(c >> 3, len(PEOPLE))]
        self.physician = "%s^%s" % physician if i % 500 else PHYSICIAN
        self.patient_id = "%s%07d" % ("" if self.patient % 10 else "X", self.patient)
        self.minute = c >> 5

    def before(self):
        """The attributes up to the UIDs of series and instance, in ascending order of tag."""
        e, p, c = data.element, self.patient, self.minute
        removed = e(0x00120062, "CS", "YES") if self.number % REMOVED == 0 else b""
        time_of_day = "%02d%02d%02d" % (7 + c % 12, c // 16 % 60, c // 1024 % 60)
        return [
            e(0x00080005, "CS", "ISO_IR 192"), e(0x00080016, "UI", self.sop_class), None,
            e(0x00080020, "DA", self.day), e(0x00080021, "DA", self.day), e(0x00080023, "DA", self.day),
            e(0x00080030, "TM", time_of_day), e(0x00080031, "TM", time_of_day),
            e(0x00080033, "TM", time_of_day),
            e(0x00080050, "SH", self.accession), e(0x00080060, "CS", self.modality),
            e(0x00080070, "LO", "Maker %d" % (self.device % len(MAKERS))),
            e(0x00080080, "LO", INSTITUTIONS[self.institution].encode()),
            e(0x00080090, "PN", self.physician.encode()), e(0x00081010, "SH", "ROOM%d" % self.device),
            e(0x00081030, "LO", self.description), e(0x0008103E, "LO", self.description + " 1"),
            e(0x00100010, "PN", name_of(p).encode()), e(0x00100020, "LO", self.patient_id),
            e(0x00100030, "DA", "%d%02d%02d" % (1920 + p * 7 % 95, 1 + p % 12, 1 + p % 28)),
            e(0x00100040, "CS", "FM"[p % 2]), removed, e(0x00180015, "CS", "CHEST"),
            e(0x0020000D, "UI", self.uid), None, e(0x00200010, "SH", "S%07d" % self.number)]


PIXELS = b"".join((
    data.element(0x00280002, "US", data.us(1)), data.element(0x00280004, "CS", "MONOCHROME2"),
    data.element(0x00280010, "US", data.us(2)), data.element(0x00280011, "US", data.us(2)),
    data.element(0x00280100, "US", data.us(16)), data.element(0x00280101, "US", data.us(12)),
    data.element(0x00280102, "US", data.us(11)), data.element(0x00280103, "US", data.us(0)),
    data.element(0x7FE00010, "OW", bytes(8))))


def objects(s, instances, per_series):
    """(series UID, instance UID, data set) of each."""
    parts = s.before()
    for n in range(instances):
        series = "%s.%d" % (s.uid[:57], 1 + n // per_series)
        uid = "%s.%d.%d" % (s.uid[:52], 1 + n // per_series, 1 + n) if instances > 1 else series + ".1"
        parts[2], parts[24] = data.element(0x00080018, "UI", uid), data.element(0x0020000E, "UI", series)
        numbers = data.element(0x00200011, "IS", str(1 + n // per_series)) + \
            data.element(0x00200013, "IS", str(1 + n))
        yield series, uid, b"".join(parts) + numbers + PIXELS


def write_part(path, first, end, total, instances, per_series):
    at = 0
    with open(path, "wb") as f, open(path + ".index", "w", encoding="ascii") as index:
        for i in range(first, end):
            s = Study(i, total)
            for series, uid, body in objects(s, instances, per_series):
                index.write("%s %s %s %s %d %d\n" % (s.sop_class, uid, s.uid, series, at, len(body)))
                f.write(body)
                at += len(body)


def write_pack(path, first, end, total, instances=1, per_series=25):
    """Studies first to end of an archive of `total`; several packs, a processor each. Their paths."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    n = os.cpu_count()
    cuts = [first + (end - first) * i // n for i in range(n + 1)]
    jobs = [("%s-%d" % (path, i), cuts[i], cuts[i + 1], total, instances, per_series) for i in range(n)]
    writers = [multiprocessing.Process(target=write_part, args=job) for job in jobs]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
        if w.exitcode != 0:
            raise RuntimeError("a pack of studies could not be written")
    return [job[0] for job in jobs]
