"""Real files: what goes in over the network comes out byte for byte, by C-GET and C-MOVE."""
import glob
import os

import pydicom
import pytest

import dul
from conftest import CORPUS, needs_corpus
from scp import Receiver

pytestmark = needs_corpus


def data_set_of(path):
    """(transfer syntax, encoded data set) of a Part 10 file; None for what is no such file."""
    with open(path, "rb") as f:
        raw = f.read()
    if raw[128:132] != b"DICM":
        return None
    meta = pydicom.filereader.read_file_meta_info(path)
    # group length counts what follows it; the corpus has files without, so find the first element
    # outside group 2
    at = 132
    while raw[at:at + 2] == b"\x02\x00":
        vr = raw[at + 4:at + 6]
        if vr in (b"OB", b"UN"):
            n, head = int.from_bytes(raw[at + 8:at + 12], "little"), 12
        else:
            n, head = int.from_bytes(raw[at + 6:at + 8], "little"), 8
        at += head + n
    return str(meta.get("TransferSyntaxUID", "")), raw[at:]


def objects():
    """Files that are whole composite objects; of several under the same UIDs the first."""
    seen, found = set(), []
    for path in sorted(glob.glob(os.path.join(CORPUS, "**", "*"), recursive=True)):
        if os.path.isdir(path) or path.endswith((".txt", ".md")):
            continue
        try:
            got = data_set_of(path)
            d = pydicom.dcmread(path, stop_before_pixels=True)
            uids = d.StudyInstanceUID, d.SeriesInstanceUID, d.SOPInstanceUID
        except Exception:
            continue
        if not got or not got[0] or "truncated" in path or not set(d.SOPInstanceUID) <= set("0123456789."):
            continue
        if uids not in seen:
            seen.add(uids)
            found.append((path, str(d.SOPClassUID), str(d.SOPInstanceUID), str(d.StudyInstanceUID)) + got)
    return found


OBJECTS = objects() if os.path.isdir(CORPUS) else []


@pytest.fixture(scope="module")
def stored(archive):
    """All of them stored, an association for each pair of class and transfer syntax."""
    statuses = {}
    for path, sop_class, instance, _, transfer, data in OBJECTS:
        with archive.associate(contexts=[(sop_class, [transfer])]) as a:
            statuses[path] = a.store(sop_class, instance, transfer, data)[0x0900]
    return statuses


def test_there_are_many_of_them():
    assert len(OBJECTS) > 60
    assert len({o[4] for o in OBJECTS}) >= 12, "transfer syntaxes"


def test_all_are_stored(stored):
    assert {p: s for p, s in stored.items() if s != 0} == {}


def test_each_comes_back_by_c_get_byte_for_byte(archive, stored):
    wrong = []
    for path, sop_class, instance, study, transfer, data in OBJECTS:
        contexts = [(dul.STUDY_GET, [dul.EXPLICIT]), (sop_class, [transfer])]
        with archive.associate(contexts=contexts, roles=[(sop_class, 0, 1)]) as a:
            final, got, _, _ = a.get(dul.STUDY_GET, dul.keys(QueryRetrieveLevel="IMAGE",
                                                             StudyInstanceUID=study,
                                                             SeriesInstanceUID="", SOPInstanceUID=instance))
        if final[0x0900] != 0 or len(got) != 1 or got[0][1] != instance or got[0][3] != data:
            wrong.append((path, hex(final[0x0900]), len(got)))
    assert wrong == []


def test_each_comes_back_by_c_move_byte_for_byte(archive, stored):
    receiver = Receiver()
    archive.peer("receiver", can="store", plain="127.0.0.1/32", address="127.0.0.1:%d" % receiver.port)
    studies = sorted({o[3] for o in OBJECTS})
    with archive.associate(contexts=[(dul.STUDY_MOVE, [dul.IMPLICIT])]) as a:
        for study in studies:
            final, _, _ = a.move(dul.STUDY_MOVE, dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=study),
                                 "RECEIVER")
            assert final[0x0900] == 0, study
    sent = receiver.objects()
    wrong = [path for path, _, instance, _, transfer, data in OBJECTS
             if sent.get(instance) != (transfer, data)]
    assert wrong == []
    assert receiver.got[0][3][0x1030].decode().strip() == "FIRST", "Move Originator AE title"


def test_an_identical_duplicate_is_success_and_stays_one(archive, stored):
    path, sop_class, instance, study, transfer, data = OBJECTS[0]
    with archive.associate(contexts=[(sop_class, [transfer]), (dul.STUDY_FIND, [dul.EXPLICIT])]) as a:
        assert a.store(sop_class, instance, transfer, data)[0x0900] == 0
        answers = list(a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID=study,
                                                      SeriesInstanceUID="", SOPInstanceUID=instance)))
    assert [status for status, _ in answers] == [0xFF00, 0]


def test_differing_content_under_the_same_uids_is_kept_beside_and_the_first_served(archive, stored):
    path, sop_class, instance, study, transfer, data = next(o for o in OBJECTS if o[4] == dul.EXPLICIT)
    other = data[:-2] + bytes([data[-2] ^ 1, data[-1]])
    contexts = [(sop_class, [transfer]), (dul.STUDY_GET, [dul.EXPLICIT])]
    with archive.associate(contexts=contexts, roles=[(sop_class, 1, 1)]) as a:
        assert a.store(sop_class, instance, transfer, other)[0x0900] == 0
        _, got, _, _ = a.get(dul.STUDY_GET, dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID=study,
                                                     SeriesInstanceUID="", SOPInstanceUID=instance))
    assert [g[3] for g in got] == [data]


UNREADABLE = [
    ("cut in the middle of an element", lambda d: d[:len(d) // 2 + 1], 0xC000),
    ("nothing at all", lambda d: b"", 0xA900),
    ("rubbish", lambda d: bytes(range(256)) * 40, None),
]


@pytest.mark.parametrize("name,spoil,status", UNREADABLE, ids=[u[0] for u in UNREADABLE])
def test_unreadable_objects_get_a_status_and_leave_nothing(archive, name, spoil, status):
    path, sop_class, instance, study, transfer, data = next(o for o in OBJECTS if "CT_small" in o[0])
    uid = "1.2.3.4.999"
    with archive.associate(contexts=[(sop_class, [transfer]), (dul.STUDY_FIND, [dul.EXPLICIT])]) as a:
        rsp = a.store(sop_class, uid, transfer, spoil(data))
        assert rsp[0x0900] == status or (status is None and rsp[0x0900] & 0xF000 in (0xC000, 0xA000))
        assert rsp[0x0900] & 0xFF00 != 0xA700, "A7xx would make the sender try again"
        answers = list(a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID="",
                                                      SeriesInstanceUID="", SOPInstanceUID=uid)))
        assert [s for s, _ in answers] == [0], "the association goes on and finds nothing"
