"""Collections: what a peer, and a user in an association, sees of the archive, at every level, every way."""
import os

import pytest
from pydicom.dataset import Dataset

import dul
from conftest import make_archive
from scp import Receiver

CT = "1.2.840.10008.5.1.4.1.1.2"
SUCCESS = 0

# number of the study, Patient ID, name, institution, referring physician, modality, identity removed
STUDIES = [
    (1, "P1", "Ward^Anna", "Ward 3", "Smith^John", "CT", ""),
    (2, "P1", "Other^Name", "Elsewhere", "House^Gregory", "MR", ""),
    (3, "P2", "Ward^Berta", "Ward 3b", "House^Gregory", "MR", "YES"),
    (4, "P3", "Else^Carl", "Kreisspital S\u00e4ntis", "Müller^Eva", "CT", "YES"),
    (5, "P4", "None^Dora", "", "Smith^John", "US", ""),
]
EVERYTHING = [1, 2, 3, 4, 5]


def image(study, series, instance, row):
    d = Dataset()
    d.is_little_endian, d.is_implicit_VR = True, False
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID, d.SOPInstanceUID = CT, "1.8.%d.%d.%d" % (study, series, instance)
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.8.%d" % study, "1.8.%d.%d" % (study, series)
    d.PatientID, d.PatientName, d.Modality = row[1], row[2], row[5]
    d.ReferringPhysicianName, d.StudyDate = row[4], "20260101"
    d.SeriesNumber, d.InstanceNumber = series, instance
    if row[3]:
        d.InstitutionName = row[3]
    if row[6]:
        d.PatientIdentityRemoved = row[6]
        d.DeidentificationMethod = "by hand"
    return d


def store(archive, *objects, peer="first"):
    with archive.associate(peer, contexts=[(CT, [dul.EXPLICIT])]) as a:
        for d in objects:
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, dul.encode(d, dul.EXPLICIT))[0x0900] == SUCCESS


@pytest.fixture(scope="module")
def filled():
    archive, folder = make_archive(plain=True)
    make = lambda name, *conditions: archive.run("collection", "add", archive.dir, name, *conditions)
    make("ward3", "--institution", "Ward 3*")
    make("ct", "--modality", "CT")
    make("house", "--referring-physician", "HOUSE^gregory")
    make("spital", "--institution", "*Sa\u0308ntis")  # as a Mac's keyboard may write it
    make("gone", "--patient-id", "x")
    for name in ("ward3", "ct", "house", "spital", "gone"):
        archive.peer("only" + name, collections=name)
    archive.peer("two", collections="ward3,ct")
    archive.run("collection", "remove", archive.dir, "gone")
    users = [("reader", "reader", []), ("referrer", "referrer", ["--physician", "smith^JOHN"]),
             ("nameless", "referrer", []), ("researcher", "researcher", []),
             ("narrow", "reader", ["--collections", "ct"]), ("boss", "administrator", [])]
    for name, role, more in users:
        archive.run("user", "add", archive.dir, name, "--role", role, "--stdin", *more,
                    stdin="a long enough pass code\n")
    archive.start()
    store(archive, *[image(row[0], series, n, row) for row in STUDIES for series in (1, 2) for n in (1, 2)])
    yield archive
    archive.stop()


def find(archive, peer, model=dul.STUDY_FIND, association=None, **key_values):
    options = dict(association or {}, contexts=[(model, [dul.EXPLICIT])])
    with archive.associate(peer, **options) as a:
        answers = list(a.find(model, dul.keys(**key_values)))
    assert answers[-1][0] == SUCCESS, hex(answers[-1][0])
    return [d for _, d in answers[:-1]]


def numbers(answers):
    return sorted({int(d.StudyInstanceUID.split(".")[2]) for d in answers})


SEEN = [("first", EVERYTHING), ("onlyward3", [1, 3]), ("onlyct", [1, 4]), ("onlyhouse", [2, 3]),
        ("onlyspital", [4]), ("onlygone", []), ("two", [1, 3, 4])]


@pytest.mark.parametrize("peer,seen", SEEN)
def test_find_at_every_level(filled, peer, seen):
    asked = dict(StudyInstanceUID="", QueryRetrieveLevel="STUDY")
    assert numbers(find(filled, peer, **asked)) == seen
    for uid in EVERYTHING:
        one = dict(StudyInstanceUID="1.8.%d" % uid)
        inside = uid in seen
        assert len(find(filled, peer, QueryRetrieveLevel="STUDY", **one)) == inside
        series = find(filled, peer, QueryRetrieveLevel="SERIES", SeriesInstanceUID="", **one)
        assert len(series) == (2 if inside else 0)
        images = find(filled, peer, QueryRetrieveLevel="IMAGE", SeriesInstanceUID="1.8.%d.1" % uid,
                      SOPInstanceUID="", **one)
        assert len(images) == (2 if inside else 0)
        exactly = find(filled, peer, QueryRetrieveLevel="IMAGE", SeriesInstanceUID="1.8.%d.1" % uid,
                       SOPInstanceUID="1.8.%d.1.1" % uid, **one)
        assert len(exactly) == inside


@pytest.mark.parametrize("peer,seen", SEEN)
def test_patients_are_what_is_seen_of_them(filled, peer, seen):
    found = find(filled, peer, dul.PATIENT_FIND, QueryRetrieveLevel="PATIENT", PatientID="", PatientName="",
                 NumberOfPatientRelatedStudies="", NumberOfPatientRelatedInstances="")
    got = {d.PatientID: (str(d.PatientName), int(d.NumberOfPatientRelatedStudies),
                         int(d.NumberOfPatientRelatedInstances)) for d in found}
    expected = {}
    for row in STUDIES: # the first that is seen gives the name
        if row[0] in seen:
            name, n, _ = expected.get(row[1], (row[2], 0, 0))
            expected[row[1]] = (name, n + 1, 4 * (n + 1))
    assert got == expected


def test_names_outside_do_not_answer(filled):
    for name, expected in (("Other*", []), ("Ward*", ["P1", "P2"])):
        found = find(filled, "onlyward3", dul.PATIENT_FIND, QueryRetrieveLevel="PATIENT", PatientID="",
                     PatientName=name)
        assert sorted(d.PatientID for d in found) == expected


def keys_of(level, study):
    asked = dict(QueryRetrieveLevel=level, StudyInstanceUID="1.8.%d" % study)
    if level != "STUDY":
        asked["SeriesInstanceUID"] = "1.8.%d.1" % study
    if level == "IMAGE":
        asked["SOPInstanceUID"] = "1.8.%d.1.1" % study
    return dul.keys(**asked)


def get(archive, peer, identifier, model=dul.STUDY_GET):
    with archive.associate(peer, contexts=[(model, [dul.EXPLICIT]), (CT, [dul.EXPLICIT])],
                           roles=[(CT, 0, 1)]) as a:
        final, got, _, _ = a.get(model, identifier)
    return final, sorted(g[1] for g in got)


@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
@pytest.mark.parametrize("peer,seen", SEEN)
def test_get_answers_as_if_it_were_not_there(filled, peer, seen, level):
    nowhere = get(filled, peer, keys_of(level, 99))
    for study in EVERYTHING:
        final, got = get(filled, peer, keys_of(level, study))
        if study in seen:
            assert len(got) == {"STUDY": 4, "SERIES": 2, "IMAGE": 1}[level]
        else:
            assert (final, got) == nowhere


def test_get_of_a_patient_has_only_what_is_seen(filled):
    patient = dul.keys(QueryRetrieveLevel="PATIENT", PatientID="P1")
    assert len(get(filled, "first", patient, dul.PATIENT_GET)[1]) == 8
    _, got = get(filled, "onlyward3", patient, dul.PATIENT_GET)
    assert got == ["1.8.1.%d.%d" % (s, n) for s in (1, 2) for n in (1, 2)]
    mixed = dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=["1.8.1", "1.8.2", "1.8.4"])
    assert get(filled, "onlyward3", mixed)[1] == got


def test_move_answers_as_if_it_were_not_there(filled):
    receiver = Receiver()
    filled.peer("sink", can="store", plain="127.0.0.1/32", address="127.0.0.1:%d" % receiver.port)
    finals = []
    for study in (1, 2, 99):
        with filled.associate("onlyward3", contexts=[(dul.STUDY_MOVE, [dul.EXPLICIT])]) as a:
            finals.append(a.move(dul.STUDY_MOVE, keys_of("STUDY", study), "SINK")[0])
    assert len(receiver.got) == 4 and finals[0][0x1021] == 4
    assert finals[1] == finals[2]
    receiver.close()


def test_storing_is_not_limited_and_moves_no_study(filled):
    before = numbers(find(filled, "onlyward3", QueryRetrieveLevel="STUDY", StudyInstanceUID=""))
    row = list(STUDIES[1])
    row[3], row[4] = "Ward 3", "Smith^John" # into a study that is elsewhere
    store(filled, image(2, 7, 1, row), peer="onlyward3")
    assert numbers(find(filled, "onlyward3", QueryRetrieveLevel="STUDY", StudyInstanceUID="")) == before
    images = find(filled, "first", QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.8.2",
                  SeriesInstanceUID="1.8.2.7", SOPInstanceUID="")
    assert len(images) == 1


USERS = [
    ("first", "reader", EVERYTHING), ("first", "referrer", [1, 5]), ("first", "nameless", []),
    ("first", "researcher", [3, 4]), ("first", "narrow", [1, 4]), ("onlyward3", "reader", [1, 3]),
    ("onlyward3", "narrow", [1]), ("onlyward3", "referrer", [1]), ("onlyct", "researcher", [4]),
    ("onlygone", "reader", []),
]


@pytest.mark.parametrize("peer,user,seen", USERS)
def test_a_user_narrows_its_application(filled, peer, user, seen):
    identity = {"identity": (user, "a long enough pass code")}
    found = find(filled, peer, association=identity, QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    assert numbers(found) == seen


def test_an_administrator_looks_at_nothing(filled):
    with pytest.raises(dul.Rejected):
        find(filled, "first", association={"identity": ("boss", "wrong")}, QueryRetrieveLevel="STUDY",
             StudyInstanceUID="")
    with filled.associate("first", identity=("boss", "a long enough pass code"),
                          contexts=[(dul.STUDY_FIND, [dul.EXPLICIT]), (CT, [dul.EXPLICIT])]) as a:
        assert a.accepted == {}


def test_a_reload_changes_what_is_seen(filled):
    asked = dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    path = os.path.join(filled.dir, "collections", "ct.conf")
    with open(path, encoding="utf-8") as f:
        old = f.read()
    with filled.associate("onlyct", contexts=[(dul.STUDY_FIND, [dul.EXPLICIT])]) as a:
        def seen():
            return numbers([d for _, d in list(a.find(dul.STUDY_FIND, dul.keys(**asked)))[:-1]])
        assert seen() == [1, 4]
        for text, expected in ((old.replace('"CT"', '"US"'), [5]), ("nonsense {", []), (old, [1, 4])):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            since = os.path.getsize(filled.log_path)
            filled.reload()
            assert seen() == expected
            if expected == []:
                filled.await_log("collections/ct.conf", since)


def test_the_command_line_shows_them(filled):
    said = filled.run("collection", "list", filled.dir)
    assert [line.split()[0] for line in said.splitlines()] == ["NAME", "ct", "house", "spital", "ward3"]
    said = filled.run("collection", "show", filled.dir, "ward3")
    assert "institution" in said and "Ward 3*" in said and "modality" not in said
    filled.run("collection", "show", filled.dir, "gone", status=1)
    filled.run("collection", "show", filled.dir, "../peers", status=1)
