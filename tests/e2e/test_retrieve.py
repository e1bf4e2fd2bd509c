"""C-GET and C-MOVE (PS3.4 C.4.2, C.4.3): counts, statuses, encodings, and receivers of every temper."""
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import zlib

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import dul
from conftest import make_archive, wait_until
from dul import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT
from scp import Receiver
from test_find import CT, MR

JPEG = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
SUCCESS, PENDING, CANCEL, SOME_FAILED, ALL_FAILED, UNKNOWN = 0, 0xFF00, 0xFE00, 0xB000, 0xA702, 0xA801
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023


def image(uid, study, patient, sop_class=CT, charset="ISO_IR 100"):
    d = Dataset()
    d.SpecificCharacterSet = charset
    d.SOPClassUID, d.SOPInstanceUID = sop_class, uid
    d.StudyInstanceUID, d.SeriesInstanceUID = study, uid.rsplit(".", 1)[0]
    d.PatientName, d.PatientID = "Äneas^Rüdiger", patient
    d.StudyDate, d.Modality, d.SeriesNumber, d.InstanceNumber = "20260101", "CT", 1, 1
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "STEP", "ODD"
    d.RequestAttributesSequence = Sequence([item, Dataset()])
    d.add_new(0x00091010, "UN", b"\1\2\3\4")
    d.add_new(0x00090010, "LO", "TESTS")
    d.Rows = d.Columns = 16
    d.BitsAllocated, d.PixelRepresentation, d.SamplesPerPixel = 16, 0, 1
    d.SmallestImagePixelValue = 1
    d["SmallestImagePixelValue"].VR = "US"
    return d


def encoded(d, transfer, pixels):
    big = transfer == BIG_ENDIAN
    if transfer in (JPEG, RLE):
        frame = b"\xff\xd8" + pixels + b"\xff\xd9"
        pixel_data = (b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0" + b"\xfe\xff\0\xe0"
                      + len(frame).to_bytes(4, "little") + frame + b"\xfe\xff\xdd\xe0\0\0\0\0")
        return dul.encode(d, EXPLICIT) + pixel_data
    d.is_little_endian, d.is_implicit_VR = not big, transfer == IMPLICIT
    d.PixelData = pixels
    d["PixelData"].VR = "OW"
    data = dul.encode(d, EXPLICIT if transfer == DEFLATED else transfer)
    del d.PixelData
    if transfer == DEFLATED:
        z = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = z.compress(data) + z.flush()
        data += b"\0" * (len(data) % 2)
    return data


OBJECTS = [ # patient, study, series.instance, SOP class, transfer syntax, bytes of pixels
    ("P1", "1.9.1", "1.1", CT, EXPLICIT, 512), ("P1", "1.9.1", "1.2", CT, EXPLICIT, 512),
    ("P1", "1.9.1", "1.3", CT, IMPLICIT, 512), ("P1", "1.9.1", "1.4", CT, IMPLICIT, 3000000),
    ("P1", "1.9.1", "2.1", MR, EXPLICIT, 3000000), ("P1", "1.9.1", "2.2", CT, JPEG, 5000),
    ("P1", "1.9.1", "2.3", CT, DEFLATED, 512), ("P1", "1.9.1", "2.4", CT, BIG_ENDIAN, 512),
    ("P1", "1.9.1", "2.5", CT, RLE, 2000000),
    ("P1", "1.9.2", "1.1", CT, EXPLICIT, 512), ("P2", "1.9.3", "1.1", CT, EXPLICIT, 512),
    ("P2", "1.9.3", "1.2", CT, EXPLICIT, 512),
]
UID = {o: "%s.%s" % (o[1], o[2]) for o in OBJECTS}
ALL = sorted(UID.values())
FIRST = [u for u in ALL if u.startswith("1.9.1.")]
NATIVE = [UID[o] for o in OBJECTS if o[4] in (EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN)]
DATA = {}
for o in OBJECTS:
    data_set = image(UID[o], o[1], o[0], o[3])
    DATA[UID[o]] = o[3], o[4], encoded(data_set, o[4],
                                       bytes(range(256)) * (o[5] // 256) + b"\1\2" * (o[5] % 256 // 2))


@pytest.fixture(scope="module")
def filled(archive):
    contexts = sorted({(c, (t,)) for c, t, _ in DATA.values()})
    with archive.associate(contexts=contexts) as a:
        for uid, (sop_class, transfer, data) in DATA.items():
            assert a.store(sop_class, uid, transfer, data)[0x0900] == 0, (uid, transfer)
    return archive


NAMES = iter("peer%d" % i for i in range(1000))


def destination(archive, receiver, name=None):
    """A peer of the plain lane for it; its AE title."""
    name = name or next(NAMES)
    archive.peer(name, can="store", plain="127.0.0.1/32", address="127.0.0.1:%d" % receiver.port)
    return name.upper()


def study(uid="1.9.1", **more):
    return dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=uid, **more)


def check_counts(final, pending, total):
    """Each pending answer has all four counts, and they go up by one (C.4.2.1.6)."""
    for i, p in enumerate(pending):
        assert {REMAINING, COMPLETED, FAILED, WARNING} <= set(p)
        assert p[COMPLETED] + p[FAILED] + p[WARNING] + p[REMAINING] == total
    done = [total - p[REMAINING] for p in pending]
    assert done == sorted(set(done)) and (not done or done[0] >= 1)
    if final[0x0900] != CANCEL:
        assert REMAINING not in final
        assert final[COMPLETED] + final[FAILED] + final[WARNING] == total
    else:
        assert final[COMPLETED] + final[FAILED] + final[WARNING] + final[REMAINING] == total


def failed_uids(identifier):
    assert [e.tag for e in identifier] == [0x00080058], "the list and nothing else (C.4.2.1.4.2)"
    uids = identifier.FailedSOPInstanceUIDList
    return sorted([uids] if isinstance(uids, str) else uids)


def get(archive, identifier, contexts=None, model=dul.STUDY_GET, peer="first", **options):
    contexts = contexts or sorted({(c, (t,)) for c, t, _ in DATA.values()})
    roles = [(c, 0, 1) for c in sorted({c for c, _ in contexts})]
    with archive.associate(peer, contexts=[(model, [EXPLICIT])] + contexts, roles=roles) as a:
        return a.get(model, identifier, **options)


def move(archive, identifier, to, model=dul.STUDY_MOVE, peer="first", **options):
    with archive.associate(peer, contexts=[(model, [EXPLICIT])]) as a:
        return a.move(model, identifier, to, **options)


# --- what is asked for

LEVELS = [
    (dul.PATIENT_GET, dict(QueryRetrieveLevel="PATIENT", PatientID="P1"), [u for u in ALL if u < "1.9.3"]),
    (dul.PATIENT_GET, dict(QueryRetrieveLevel="STUDY", PatientID="P1", StudyInstanceUID="1.9.2"),
     ["1.9.2.1.1"]),
    (dul.PATIENT_GET, dict(QueryRetrieveLevel="STUDY", PatientID="P2", StudyInstanceUID="1.9.2"), []),
    (dul.PATIENT_GET, dict(QueryRetrieveLevel="SERIES", PatientID="P1", StudyInstanceUID="1.9.1",
                           SeriesInstanceUID="1.9.1.1"), [u for u in ALL if u.startswith("1.9.1.1.")]),
    (dul.PATIENT_GET, dict(QueryRetrieveLevel="IMAGE", PatientID="P2", StudyInstanceUID="1.9.3",
                           SeriesInstanceUID="1.9.3.1", SOPInstanceUID="1.9.3.1.2"), ["1.9.3.1.2"]),
    (dul.STUDY_GET, dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.9.1"), FIRST),
    (dul.STUDY_GET, dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.9.2\\1.9.3\\1.9.4"),
     ["1.9.2.1.1", "1.9.3.1.1", "1.9.3.1.2"]),
    (dul.STUDY_GET, dict(QueryRetrieveLevel="SERIES", StudyInstanceUID="1.9.1",
                         SeriesInstanceUID="1.9.1.1\\1.9.1.2"), FIRST),
    (dul.STUDY_GET, dict(QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.9.1", SeriesInstanceUID="1.9.1.1",
                         SOPInstanceUID="1.9.1.1.4\\1.9.1.1.1"), ["1.9.1.1.1", "1.9.1.1.4"]),
    (dul.STUDY_GET, dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.9.4"), []),
]


@pytest.mark.parametrize("model,asked,expected", LEVELS)
def test_c_get(filled, model, asked, expected):
    final, got, pending, identifier = get(filled, dul.keys(**asked), model=model)
    assert (final[0x0900], identifier) == (SUCCESS, None)
    check_counts(final, pending, len(expected))
    assert sorted(g[1] for g in got) == expected
    for sop_class, uid, transfer, data in got:
        assert (sop_class, transfer, data) == DATA[uid], uid


@pytest.fixture(scope="module")
def anything(filled):
    """A receiver that takes what comes."""
    receiver = Receiver()
    receiver.title = destination(filled, receiver, "anything")
    return receiver


@pytest.mark.parametrize("model,asked,expected", LEVELS)
def test_c_move(filled, anything, model, asked, expected):
    anything.got.clear()
    final, pending, identifier = move(filled, dul.keys(**asked), "ANYTHING", model[:-1] + "2")
    assert (final[0x0900], identifier) == (SUCCESS, None)
    check_counts(final, pending, len(expected))
    assert sorted(g[0] for g in anything.got) == expected
    for uid, (transfer, data) in anything.objects().items():
        assert (transfer, data) == DATA[uid][1:], uid
    for _, _, _, rq in anything.got:
        assert (rq[0x1030], rq[0x1031]) == (b"FIRST ", 1), "Move Originator (PS3.7 9.1.1.1)"


REFUSED = [
    ("no level", dict(StudyInstanceUID="1.9.1")), ("a level that is none", dict(QueryRetrieveLevel="FRAME")),
    ("a level the model lacks", dict(QueryRetrieveLevel="PATIENT", PatientID="P1")),
    ("no unique key", dict(QueryRetrieveLevel="STUDY")),
    ("an empty unique key", dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="")),
    ("a wildcard for a key", dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="*")),
]


@pytest.mark.parametrize("name,asked", REFUSED, ids=[r[0] for r in REFUSED])
def test_identifiers_that_name_nothing(filled, anything, name, asked):
    refused = 0xC000 if "wildcard" in name else 0xA900
    final, got, pending, _ = get(filled, dul.keys(**asked))
    assert final[0x0900] == refused and not got and not pending
    final, pending, _ = move(filled, dul.keys(**asked), "ANYTHING")
    assert final[0x0900] == refused and not pending


# --- encodings

def same(data, transfer, uid):
    """Is it the stored object, whatever its encoding?"""
    stored = DATA[uid][2]
    if DATA[uid][1] == DEFLATED:
        stored = zlib.decompress(stored, -15)
    a = dul.decode(stored, EXPLICIT if DATA[uid][1] == DEFLATED else DATA[uid][1])
    b = dul.decode(data, transfer)
    words = DATA[uid][1] == BIG_ENDIAN
    assert sorted(e.tag for e in a) == sorted(e.tag for e in b)
    for e in a:
        if e.tag == 0x7FE00010 and words:
            swapped = bytearray(b.PixelData)
            swapped[0::2], swapped[1::2] = swapped[1::2], swapped[0::2]
            assert bytes(swapped) == e.value
        else:
            assert e.value == b[e.tag].value, e.tag
    return True


@pytest.mark.parametrize("only", [IMPLICIT, EXPLICIT])
def test_what_is_not_compressed_is_re_encoded(filled, only):
    """Accepted is one syntax; native objects become it, compressed ones failed."""
    final, got, pending, identifier = get(filled, study(), [(CT, (only,)), (MR, (only,))])
    sent = {uid: (t, d) for _, uid, t, d in got}
    lost = sorted(set(FIRST) - set(NATIVE))
    assert final[0x0900] == SOME_FAILED and failed_uids(identifier) == lost
    check_counts(final, pending, len(FIRST))
    assert all(t == only and same(d, t, uid) for uid, (t, d) in sent.items())
    receiver = Receiver(accepts=lambda c, proposed: only if only in proposed else None)
    final, pending, identifier = move(filled, study(), destination(filled, receiver))
    assert final[0x0900] == SOME_FAILED and failed_uids(identifier) == lost
    assert sorted(receiver.objects()) == sorted(set(FIRST) - set(lost))
    assert all(t == only and same(d, t, uid) for uid, (t, d) in receiver.objects().items())


PREFERENCES = [("the last proposed", lambda c, p: p[-1]), ("implicit", lambda c,
                                                           p: IMPLICIT if IMPLICIT in p else p[0]),
               ("explicit", lambda c, p: EXPLICIT if EXPLICIT in p else p[0])]


@pytest.mark.parametrize("name,prefers", PREFERENCES, ids=[p[0] for p in PREFERENCES])
def test_a_receiver_that_takes_the_stored_syntax_gets_the_stored_bytes(filled, name, prefers):
    """Whatever it likes best: each stored transfer syntax has a context to itself."""
    receiver = Receiver(accepts=prefers)
    assert move(filled, study(), destination(filled, receiver))[0][0x0900] == SUCCESS
    assert {u: v for u, v in receiver.objects().items() if v != DATA[u][1:]} == {}
    assert sorted(receiver.objects()) == FIRST


def test_what_is_proposed(filled, anything):
    """Implicit VR LE for every class (PS3.5 10.1), no context twice."""
    move(filled, study(), "ANYTHING")
    for sop_class in (CT, MR):
        assert any(IMPLICIT in t for c, t in anything.proposed if c == sop_class)
    assert len({(c, tuple(t)) for c, t in anything.proposed}) == len(anything.proposed)


@pytest.mark.parametrize("max_pdu", [128, 0, 131072, 2 ** 32 - 1])
def test_maximum_lengths(filled, max_pdu):
    receiver = Receiver(max_pdu=max_pdu)
    assert move(filled, study("1.9.3"), destination(filled, receiver))[0][0x0900] == SUCCESS
    assert all(v == DATA[u][1:] for u, v in receiver.objects().items()) and len(receiver.got) == 2


# --- receivers of every temper

TEMPERS = [ # status of an instance, final status, completed, failed, warning
    ("takes all", lambda uid: 0, SUCCESS, 9, 0, 0),
    ("coerces", lambda uid: 0xB000, SOME_FAILED, 0, 0, 9),
    ("warns of one", lambda uid: 0xB007 if uid == "1.9.1.1.1" else 0, SOME_FAILED, 8, 0, 1),
    ("refuses one", lambda uid: 0xA700 if uid == "1.9.1.2.2" else 0, SOME_FAILED, 8, 1, 0),
    ("cannot understand", lambda uid: 0xC123, ALL_FAILED, 0, 9, 0),
    ("has a status of its own", lambda uid: 0x0122, ALL_FAILED, 0, 9, 0),
    ("closes at once", lambda uid: "close", ALL_FAILED, 0, 9, 0),
    ("aborts at once", lambda uid: "abort", ALL_FAILED, 0, 9, 0),
]


@pytest.mark.parametrize("name,status,expected,completed,failed,warning", TEMPERS,
                         ids=[t[0] for t in TEMPERS])
def test_receivers(filled, name, status, expected, completed, failed, warning):
    receiver = Receiver(status=status)
    final, pending, identifier = move(filled, study(), destination(filled, receiver))
    assert final[0x0900] == expected
    assert (final[COMPLETED], final[FAILED], final[WARNING]) == (completed, failed, warning)
    check_counts(final, pending, 9)
    assert len(failed_uids(identifier) if identifier else []) == failed
    if "at once" not in name:
        assert receiver.ends == ["release"]


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_receiver_that_goes_in_the_middle(filled, how):
    receiver = Receiver(status=lambda uid: how if len(receiver.got) == 4 else 0)
    final, pending, identifier = move(filled, study(), destination(filled, receiver))
    assert (final[0x0900], final[COMPLETED], final[FAILED]) == (SOME_FAILED, 4, 5)
    check_counts(final, pending, 9)
    assert failed_uids(identifier) == sorted(set(FIRST) - set(receiver.objects()))


@pytest.mark.parametrize("reject", [(1, 1, 3), (1, 1, 7), (2, 3, 2)])
def test_a_receiver_that_rejects_the_association(filled, reject):
    receiver = Receiver(reject=reject)
    final, pending, identifier = move(filled, study("1.9.3"), destination(filled, receiver))
    assert (final[0x0900], final[FAILED], failed_uids(identifier)) == (ALL_FAILED, 2,
                                                                       ["1.9.3.1.1", "1.9.3.1.2"])


def test_a_receiver_that_takes_no_context(filled):
    receiver = Receiver(accepts=lambda c, proposed: None)
    final, _, identifier = move(filled, study("1.9.3"), destination(filled, receiver))
    assert (final[0x0900], final[FAILED], failed_uids(identifier)) == (ALL_FAILED, 2,
                                                                       ["1.9.3.1.1", "1.9.3.1.2"])


def test_no_role_no_object(filled):
    """C-GET without role selection: we may not be SCU of storage, so each sub-operation failed."""
    contexts = [(dul.STUDY_GET, [EXPLICIT]), (CT, [EXPLICIT])]
    with filled.associate(contexts=contexts) as a:
        final, got, pending, identifier = a.get(dul.STUDY_GET, study("1.9.3"))
    assert (final[0x0900], got, failed_uids(identifier)) == (ALL_FAILED, [], ["1.9.3.1.1", "1.9.3.1.2"])


def test_more_failures_than_a_list_can_hold(filled):
    """A UI value ends at 65534 bytes: the list is cut between two UIDs, the counts are whole."""
    n, stem = 1200, "1.9.5.1." + "7" * 48
    with filled.associate(contexts=[(CT, [EXPLICIT])]) as a:
        for i in range(n):
            d = image("%s.%d" % (stem, 1000 + i), "1.9.5", "P5")
            assert a.store(CT, d.SOPInstanceUID, EXPLICIT, dul.encode(d, EXPLICIT))[0x0900] == 0
    with filled.associate(contexts=[(dul.STUDY_GET, [EXPLICIT]), (dul.VERIFICATION, [IMPLICIT])]) as a:
        final, _, pending, identifier = a.get(dul.STUDY_GET, study("1.9.5"))
        assert a.echo() == 0
    assert (final[0x0900], final[FAILED], len(pending)) == (ALL_FAILED, n, n - 1)
    check_counts(final, pending, n)
    listed = failed_uids(identifier)
    assert len(listed) == 65534 // (len(stem) + 6) and {len(u) for u in listed} == {len(stem) + 5}


@pytest.mark.parametrize("status,expected", [(0xA700, ALL_FAILED), (0xB000, SOME_FAILED),
                                             (0xC000, ALL_FAILED)])
def test_c_get_hears_the_status(filled, status, expected):
    final, got, _, identifier = get(filled, study("1.9.3"), status=status)
    assert (final[0x0900], len(got)) == (expected, 2)
    assert (identifier is not None) == (expected == ALL_FAILED)


def test_cancel_of_c_get(filled):
    final, got, pending, _ = get(filled, study(), cancel_after=2)
    assert final[0x0900] == CANCEL and 2 <= len(got) < 9
    assert final[COMPLETED] == len(got)
    check_counts(final, pending, 9)


def test_cancel_of_c_move(filled):
    receiver = Receiver(slow=0.1)
    final, pending, _ = move(filled, study(), destination(filled, receiver), cancel_after=2)
    assert final[0x0900] == CANCEL and 2 <= final[COMPLETED] < 9
    check_counts(final, pending, 9)
    assert len(receiver.got) == final[COMPLETED] and receiver.ends == ["release"]


def test_cancel_of_something_else_is_passed_over(filled, anything):
    with filled.associate(contexts=[(dul.STUDY_MOVE, [EXPLICIT]), (dul.VERIFICATION, [IMPLICIT])]) as a:
        for number in (0, 2, 999):
            a.cancel(a.context(dul.STUDY_MOVE), number)
        final, _, _ = a.move(dul.STUDY_MOVE, study("1.9.3"), "ANYTHING")
        assert (final[0x0900], final[COMPLETED]) == (SUCCESS, 2)
        assert a.echo() == 0


def test_a_release_during_c_get_is_answered(filled):
    """Not what a well-behaved requestor does; but it gets its answer and not a silent association."""
    contexts = [(dul.STUDY_GET, [EXPLICIT]), (CT, [EXPLICIT])]
    a = filled.associate(contexts=contexts, roles=[(CT, 0, 1)])
    a.message(a.context(dul.STUDY_GET), {0x0002: dul.STUDY_GET, 0x0100: dul.GET_RQ, 0x0110: 1, 0x0700: 0},
              dul.encode(study("1.9.3"), EXPLICIT))
    a.send(dul.pdu(5, b"\0\0\0\0"))
    a.sock.settimeout(5)
    while True:
        kind, _ = a.pdu()
        if kind in (6, 7):
            break
    a.sock.close()


def test_a_requestor_that_goes_during_c_move(filled):
    """The destination's association ends in good order; nothing goes on behind nobody's back."""
    receiver = Receiver(slow=0.05)
    to = destination(filled, receiver)
    a = filled.associate(contexts=[(dul.STUDY_MOVE, [EXPLICIT])])
    a.message(a.context(dul.STUDY_MOVE), {0x0002: dul.STUDY_MOVE, 0x0100: dul.MOVE_RQ, 0x0110: 1, 0x0600: to,
                                          0x0700: 0},
              dul.encode(study(), EXPLICIT))
    a.pdu()
    a.sock.close()
    wait_until(lambda: receiver.ends)
    assert len(receiver.got) < 9


# --- destinations

def test_unknown_destinations(filled):
    for name in ("NOBODY", "FIRST", "anything", "ANYTHIN", "..", "%s%n", "'--", "/",
                 "127.0.0.1:104"): # FIRST has no address
        final, pending, _ = move(filled, study(), name)
        assert (final[0x0900], pending) == (UNKNOWN, []), name


NO_TITLES = ["A" * 17, "A" * 70000, "", " ", "A\0B", "A\nB", "\\", "\xff"]


@pytest.mark.parametrize("name", NO_TITLES, ids=lambda n: ascii(n)[:12])
def test_destinations_that_are_no_ae_titles(filled, name):
    """No such destination, or no such command; nobody is dialled."""
    try:
        final, pending, _ = move(filled, study(), name)
        assert (final[0x0900], pending) == (UNKNOWN, []), name
    except dul.Aborted:
        pass
    assert filled.status()["crashes"] == "0"


def test_a_dead_destination(filled):
    receiver = Receiver()
    receiver.close()
    final, _, identifier = move(filled, study("1.9.3"), destination(filled, receiver))
    assert (final[0x0900], final[FAILED]) == (ALL_FAILED, 2)
    assert failed_uids(identifier) == ["1.9.3.1.1", "1.9.3.1.2"]


def test_a_destination_that_does_not_answer_holds_up_nobody(filled, anything):
    """The dialling is a process of its own: others are served at once."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for s in waiting:
        s.setblocking(False)
        s.connect_ex(full.getsockname())
    filled.peer("hole", can="store", plain="127.0.0.1/32", address="127.0.0.1:%d" % full.getsockname()[1])
    stuck = [filled.associate(contexts=[(dul.STUDY_MOVE, [EXPLICIT])]) for _ in range(3)]
    for a in stuck:
        a.message(a.context(dul.STUDY_MOVE), {0x0002: dul.STUDY_MOVE, 0x0100: dul.MOVE_RQ, 0x0110: 1,
                                              0x0600: "HOLE",
                                              0x0700: 0}, dul.encode(study("1.9.3"), EXPLICIT))
    time.sleep(0.2)
    began = time.monotonic()
    final, got, _, _ = get(filled, study("1.9.3"))
    assert (final[0x0900], len(got)) == (SUCCESS, 2)
    assert move(filled, study("1.9.3"), "ANYTHING")[0][0x0900] == SUCCESS
    assert time.monotonic() - began < 2
    for s in stuck:
        s.sock.close()
    for s in waiting + [full]:
        s.close()


def test_a_move_to_ourselves(filled):
    """Each object arrives where it is: identical, and still there once."""
    filled.peer("ourselves", ae="GALENA", can="store", plain="127.0.0.1/32",
                address="127.0.0.1:%d" % filled.plain_port)
    final, pending, identifier = move(filled, study(), "GALENA")
    assert (final[0x0900], final[COMPLETED], identifier) == (SUCCESS, 9, None)
    final, got, _, _ = get(filled, study())
    assert sorted(g[1] for g in got) == FIRST and all(g[2:] == DATA[g[1]][1:] for g in got)


def point(archive, folder, receiver):
    """The peer's address is the receiver's from now on."""
    conf = os.path.join(folder, "peer.conf")
    with open(conf, encoding="utf-8") as f:
        text = f.read()
    with open(conf, "w", encoding="utf-8") as f:
        f.write(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:%d" % receiver.port, text))
    archive.reload()


def test_tls_destinations(filled):
    """The right certificate gets the objects, another peer's gets nothing."""
    folder = filled.peer("tls", can="store", address="127.0.0.1:1")
    right, wrong = Receiver(tls=folder), Receiver(tls=os.path.join(filled.dir, "peers", "first"))
    for receiver in (right, wrong, right):
        point(filled, folder, receiver)
        receiver.got.clear()
        final, _, _ = move(filled, study(), "TLS")
        if receiver == right:
            assert (final[0x0900], len(receiver.got)) == (SUCCESS, 9)
            assert {u: v for u, v in receiver.objects().items() if v != DATA[u][1:]} == {}
        else:
            assert final[0x0900] == ALL_FAILED and not receiver.got and not receiver.requests


@pytest.fixture(scope="module")
def impatient():
    """An archive of short timers."""
    a, folder = make_archive(plain=True)
    a.configure(artim_s=1, idle_s=2)
    a.start()
    with a.associate(contexts=[(CT, [EXPLICIT])]) as association:
        for uid in ("1.9.3.1.1", "1.9.3.1.2"):
            assert association.store(CT, uid, EXPLICIT, DATA[uid][2])[0x0900] == 0
    yield a
    a.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("how", ["no answer to the association", "no answer to an object"])
def test_receivers_that_never_answer(impatient, how):
    receiver = Receiver(silent=True) if "association" in how else Receiver(status="silent")
    began = time.monotonic()
    final, _, identifier = move(impatient, study("1.9.3"), destination(impatient, receiver))
    assert (final[0x0900], final[FAILED]) == (ALL_FAILED, 2)
    assert time.monotonic() - began < 6
    assert len(failed_uids(identifier)) == 2
    receiver.close()


def test_a_tls_destination_that_speaks_no_tls(impatient):
    """It hears a ClientHello and nothing of a patient."""
    receiver = Receiver()
    impatient.peer("tls", can="store", address="127.0.0.1:%d" % receiver.port)
    began = time.monotonic()
    final, _, _ = move(impatient, study("1.9.3"), "TLS")
    assert final[0x0900] == ALL_FAILED and not receiver.requests
    assert time.monotonic() - began < 6
    receiver.close()


# --- others' programs

needs_dcmtk = pytest.mark.skipif(not shutil.which("movescu"), reason="DCMTK is not installed")


def dcmtk(*args, **options):
    return subprocess.run(args, capture_output=True, text=True, timeout=60, **options)


@needs_dcmtk
def test_dcmtk_getscu(filled, tmp_path):
    done = dcmtk("getscu", "-aet", "WORKSTATION", "-aec", "GALENA", "-S", "-k", "QueryRetrieveLevel=STUDY",
                 "-k",
                 "StudyInstanceUID=1.9.3", "-od", str(tmp_path), "127.0.0.1", str(filled.plain_port))
    assert done.returncode == 0, done.stderr
    assert sorted(p.name.split(".", 1)[1] for p in tmp_path.iterdir()) == ["1.9.3.1.1", "1.9.3.1.2"]


@needs_dcmtk
def test_dcmtk_movescu_and_storescp(filled, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    filled.peer("storescp", can="store", plain="127.0.0.1/32", address="127.0.0.1:%d" % port)
    scp = subprocess.Popen(["storescp", "-aet", "STORESCP", "-od", str(tmp_path), "+xa", "-pm", str(port)],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port))
        done = dcmtk("movescu", "-v", "-aet", "WORKSTATION", "-aec", "GALENA", "-aem", "STORESCP", "-S", "-k",
                     "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.9.1", "127.0.0.1",
                     str(filled.plain_port))
    finally:
        scp.terminate()
        scp.wait(10)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name.split(".", 1)[1] for p in tmp_path.iterdir()) == FIRST


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0
