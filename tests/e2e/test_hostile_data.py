"""Data sets and queries that nobody well-behaved sends, through the whole server.

Each gets a status that is true (never A7xx, which would be tried again), is there whole or not at all, and
harms nobody else.
"""
import struct
import time
import zlib

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import dul
from dul import DEFLATED, EXPLICIT, IMPLICIT
from hostile import ABORT, answer, associate, p_data, pdv
from hostile import server, survives  # noqa: F401, the fixtures
from test_find import CT, ct


# --- data sets

def element(tag, vr, value, length=None):
    n = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return head + (struct.pack("<HI", 0, n) if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC") else
                   struct.pack("<H", n)) + value


UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HHI", 0xFFFE, e, n) for e,
                                n in ((0xE000, UNDEFINED), (0xE00D, 0),
                                                                              (0xE0DD, 0)))
SQ = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, UNDEFINED)


def nested(depth):
    return (SQ + ITEM) * depth + (ITEM_END + SEQUENCE_END) * depth


def nested_defined(depth):
    parts, n = [], 0
    for _ in range(depth):
        parts.append(struct.pack("<HH2sHIHHI", 0x0040, 0xA730, b"SQ", 0, n + 8, 0xFFFE, 0xE000, n))
        n += 20
    return b"".join(reversed(parts))


def numbered(n, more=b"", front=b"", **values):
    """A CT image with `more` between its last element and its pixels, `front` before its first element."""
    return front + dul.encode(ct(n, **values), EXPLICIT) + more


STORED, REFUSED, EITHER = "stored", "refused", "either"
DATA_SETS = [ # name, what follows the attributes, what becomes of it
    ("63 levels", nested(63), STORED), ("64 levels", nested(64), STORED), ("65 levels", nested(65), REFUSED),
    ("100,000 levels", nested(100000), REFUSED),
    ("a million levels", nested(1000000), REFUSED),
    ("a million levels, defined", nested_defined(1000000), REFUSED),
    ("100,000 levels without an end", (SQ + ITEM) * 100000, REFUSED),
    ("63 levels, defined", nested_defined(63), STORED), ("65 levels, defined", nested_defined(65), REFUSED),
    ("100,000 levels, defined", nested_defined(100000), REFUSED),
    ("a million empty items", SQ + (ITEM[:4] + b"\0\0\0\0") * 1000000 + SEQUENCE_END, EITHER),
    ("ten million empty items", SQ + (ITEM[:4] + b"\0\0\0\0") * 10000000 + SEQUENCE_END, EITHER),
    ("a sequence without an end", SQ + ITEM, REFUSED), ("an item without an end", SQ + ITEM + SEQUENCE_END,
                                                        EITHER),
    ("an end of nothing", SEQUENCE_END, EITHER), ("an item in no sequence", ITEM + ITEM_END, EITHER),
    ("a delimiter with a length", SQ + ITEM_END[:4] + b"\4\0\0\0" + SEQUENCE_END, REFUSED),
    ("an item longer than its sequence", element(0x0040A730, b"SQ", ITEM[:4] + b"\xff\0\0\0" + b"x" * 8),
     REFUSED),
    ("an element longer than its item", element(0x0040A730, b"SQ",
                                                ITEM[:4] + b"\x08\0\0\0\x08\0\5\0CS\xff\0"), REFUSED),
    ("an element longer than the data set", element(0x0040A123, b"LO", b"x", 1000), REFUSED),
    ("an element of 4 GB", element(0x7FE00010, b"OW", b"xx", 0xFFFFFFFE), REFUSED),
    ("text of undefined length", element(0x0040A160, b"UT", b"xx", UNDEFINED), REFUSED),
    ("UN of undefined length", element(0x00431001, b"UN", SEQUENCE_END, UNDEFINED), STORED),
    ("UN of undefined length without an end", element(0x00431001, b"UN", b"", UNDEFINED), REFUSED),
    ("an unknown VR", element(0x0040A160, b"ZZ", b"abcd"), EITHER), ("a VR in small letters", element(
        0x0040A160, b"lo", b"abcd"), EITHER), ("a VR of NULs", element(0x0040A160, b"\0\0", b"abcd"), EITHER),
    ("an odd length", element(0x0040A160, b"LO", b"abc"), EITHER),
    ("descending tags", element(0x00080005, b"CS", b"ISO_IR 6"), EITHER),
    ("the same tag twice", element(0x0040A160, b"LO", b"a ") * 2, EITHER),
    ("group 0002", element(0x00020010, b"UI", b"1.2.3\0"), EITHER),
    ("group 0000", element(0x00000002, b"UI", b"1.2.3\0"), EITHER),
    ("a group length that lies", element(0x00400000, b"UL", b"\xff\xff\xff\xff"), EITHER),
    ("zeros at the end", b"\0" * 64, EITHER), ("three bytes too many", b"\x40\0\x24", REFUSED),
    ("compressed frames in a native syntax",
     element(0x7FE00010, b"OB", ITEM[:4] + b"\0\0\0\0" + SEQUENCE_END, UNDEFINED), EITHER),
    ("a comment of 1 MB", element(0x00204000, b"UT", b"x" * 1048576), STORED),
    ("5,000 elements", b"".join(struct.pack("<HH2sH", 0x0043, 0x1000 + i, b"LO",
                                            2) + b"x " for i in range(5000)), STORED),
    ("attributes of 3 MB", b"".join(struct.pack("<HH2sH", 0x0043, 0x1000 + i, b"LO",
                                                1000) + b"x" * 1000 for i in range(3000)),
     EITHER),
]


def check_fate(a, status, fate, uid):
    if fate != EITHER:
        assert (status == 0) == (fate == STORED), hex(status)
    assert status == 0 or status & 0xFF00 == 0xA900 or status & 0xF000 == 0xC000, "%04X" % status # never A7xx
    found = [s for s, _ in a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID="",
                                                           SeriesInstanceUID="",
                                                         SOPInstanceUID=uid))]
    assert found == ([0xFF00, 0] if status == 0 else [0]), "all of it, or nothing of it"


@pytest.mark.parametrize("number", range(len(DATA_SETS)), ids=[d[0] for d in DATA_SETS])
def test_data_sets(server, number):
    name, more, fate = DATA_SETS[number]
    uid = "1.2.826.%d.1.1" % (1000 + number)
    with associate(server, "plain") as a:
        status = a.store(CT, uid, EXPLICIT, numbered(1000 + number, more))[0x0900]
        check_fate(a, status, fate, uid)


def deflate(data, end=True):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    return z.compress(data) + (z.flush() if end else z.flush(zlib.Z_SYNC_FLUSH))


def bomb(size):
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = z.compress(numbered(1100) + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size))
    for _ in range(size // (1 << 20)):
        out += z.compress(b"\0" * (1 << 20))
    return out + z.flush()


DEFLATES = [
    ("whole", lambda: deflate(numbered(1100)), EITHER), ("1000:1", lambda: bomb(64 << 20), EITHER),
    ("1000:1, a quarter of a gigabyte", lambda: bomb(256 << 20), EITHER),
    ("cut short", lambda: deflate(numbered(1100))[:-20], REFUSED),
    ("without an end", lambda: deflate(numbered(1100), False), EITHER),
    ("with more behind", lambda: deflate(numbered(1100)) + b"more" * 9, EITHER),
    ("not deflated", lambda: numbered(1100), REFUSED), ("empty", lambda: b"", REFUSED),
    ("with a header of zlib", lambda: zlib.compress(numbered(1100)), REFUSED),
    ("twice", lambda: deflate(deflate(numbered(1100))), REFUSED),
]


@pytest.mark.parametrize("name,make,fate", DEFLATES, ids=[d[0] for d in DEFLATES])
def test_deflated(server, name, make, fate):
    data, began = make(), time.monotonic()
    with associate(server, "plain", [(CT, [DEFLATED]), (dul.VERIFICATION, [IMPLICIT])]) as a:
        a.sock.settimeout(20)
        status = a.store(CT, "1.2.826.1100.1.1", DEFLATED, data)[0x0900]
        assert (status == 0) == (fate == STORED) or fate == EITHER
        assert status & 0xFF00 != 0xA700
        assert a.echo() == 0
    assert time.monotonic() - began < 15


UIDS = ["..", ".", "", "1." * 32 + "1", "1.2\0.3", "/", ".1.2", "1.2.",
        "1.2/3", "1.2\\3", "../../keys/root.key", "1..2", "a.b", "1.2\n",
        "%s%n", "1.2;3", "*"]


@pytest.mark.parametrize("uid", UIDS)
def test_uids(server, uid):
    """In the command or the data set: that object is refused for good, and the association goes on."""
    for where in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        d = ct(1200)
        raw = dul.encode(d, EXPLICIT)
        tag = d[where].tag
        old = element(tag, b"UI", (d[where].value + "\0" * (len(d[where].value) % 2)).encode())
        assert raw.count(old) == 1
        raw = raw.replace(old, element(tag, b"UI", (uid + "\0" * (len(uid) % 2)).encode()))
        with associate(server, "plain") as a:
            status = a.store(CT, d.SOPInstanceUID, EXPLICIT, raw)[0x0900]
            assert status & 0xFF00 == 0xA900 or status & 0xF000 == 0xC000, (where, hex(status))
    if uid: # else it is as if it were left out: no command
        with associate(server, "plain") as a:
            assert a.store(CT, uid, EXPLICIT, numbered(1200))[0x0900] == 0xC000
            assert a.store(CT, ct(1200).SOPInstanceUID, EXPLICIT, numbered(1200))[0x0900] == 0


def test_a_uid_with_a_leading_zero(server):
    """No UID of the standard's, but one that equipment makes (PS3.5 9.1): taken as it is, or refused."""
    with associate(server, "plain") as a:
        raw = numbered(1250, SOPInstanceUID="1.2.0826.1")
        status = a.store(CT, "1.2.0826.1", EXPLICIT, raw)[0x0900]
        assert status == 0 or status & 0xFF00 == 0xA900 or status & 0xF000 == 0xC000
        keys = dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID="", SeriesInstanceUID="",
                        SOPInstanceUID="1.2.0826.1")
        found = [s for s, _ in a.find(dul.STUDY_FIND, keys)]
        assert found == ([0xFF00, 0] if status == 0 else [0])


OTHERS = [("of another patient", dict(name="Else^Somebody", PatientID="ELSE")),
          ("with other pixels", dict(PixelData=b"\1\0" * 32)),
          ("of another study", dict(StudyInstanceUID="1.9"))]


@pytest.mark.parametrize("name,values", OTHERS, ids=[o[0] for o in OTHERS])
def test_the_same_instance(server, name, values):
    """Nothing of the first is replaced: it is still what is found."""
    def pixels(**more):
        d = ct(1260, **dict({"PixelData": bytes(64)}, **more))
        d["PixelData"].VR = "OW"
        return dul.encode(d, EXPLICIT)

    contexts = [(CT, [EXPLICIT]), (dul.STUDY_FIND, [EXPLICIT]), (dul.STUDY_GET, [EXPLICIT])]
    with associate(server, "plain", contexts) as a:
        assert a.store(CT, "1.2.826.1260.1.1", EXPLICIT, pixels())[0x0900] == 0
    with associate(server, "plain", contexts, roles=[(CT, 1, 1)]) as a:
        status = a.store(CT, "1.2.826.1260.1.1", EXPLICIT, pixels(**values))[0x0900]
        assert status == 0 or status & 0xFF00 in (0xA900, 0xB000) or status & 0xF000 == 0xC000
        _, got, _, _ = a.get(dul.STUDY_GET, dul.keys(QueryRetrieveLevel="IMAGE", SeriesInstanceUID="",
                                                     StudyInstanceUID="1.2.826.1260",
                                                     SOPInstanceUID="1.2.826.1260.1.1"))
        assert [g[3] for g in got] == [pixels()]


def test_a_description_of_1_mb(server):
    """In implicit VR an LO may be as long as it likes; what is found is what was stored, or nothing."""
    d = ct(1270)
    raw = dul.encode(d, IMPLICIT)
    old = struct.pack("<HHI", 0x0008, 0x1030, 6) + b"Thorax"
    assert raw.count(old) == 1
    raw = raw.replace(old, struct.pack("<HHI", 0x0008, 0x1030, 1 << 20) + b"x" * (1 << 20))
    contexts = [(CT, [IMPLICIT]), (dul.STUDY_FIND, [EXPLICIT]), (dul.VERIFICATION, [IMPLICIT])]
    with associate(server, "plain", contexts) as a:
        check_fate(a, a.store(CT, d.SOPInstanceUID, IMPLICIT, raw)[0x0900], EITHER, d.SOPInstanceUID)
        answers = list(a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="STUDY", StudyDescription="",
                                                       StudyInstanceUID=d.StudyInstanceUID)))
        assert answers[-1][0] == 0 and a.echo() == 0


def test_an_object_that_is_another_than_the_command_says(server):
    with associate(server, "plain") as a:
        assert a.store(CT, "1.2.3.4", EXPLICIT, numbered(1201))[0x0900] == 0xA900
        other = numbered(1201, SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
        assert a.store(CT, "1.2.826.1201.1.1", EXPLICIT, other)[0x0900] == 0xA900


TEXTS = [b"<script>alert(1)</script>", b"CR\r\nLF: x", "\u202egpj.exe".encode(), b"\x1b$B\x30",
         b"\x1b$)C\xff", b"\x1b" * 30,
         b"\xff\xfe\xfd", b"\0\0\0", b"=" * 60, b"^" * 60, b"\\" * 60, b"%n" * 30, b"' OR 1=1 --"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("charset", ["", "ISO_IR 192", "ISO 2022 IR 87", "\\ISO 2022 IR 149", "GB18030",
                                     "NO_SUCH", "ISO_IR 6\\" * 20])
def test_texts(server, text, charset):
    """Stored or refused; and then found by anyone who asks, in an answer that can be read."""
    number = 1300 + TEXTS.index(text)
    text += b" " * (len(text) % 2)
    d = dul.encode(ct(number), EXPLICIT).replace(element(0x00100010, b"PN", b"Adams^John"),
                                                 element(0x00100010, b"PN", text))
    cs = charset.encode() + b" " * (len(charset) % 2)
    with associate(server, "plain") as a:
        status = a.store(CT, "1.2.826.%d.1.1" % number, EXPLICIT, element(0x00080005, b"CS", cs) + d)[0x0900]
        assert status == 0 or status & 0xF000 == 0xC000
        answers = list(a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="STUDY",
                                                       StudyInstanceUID="1.2.826.%d" % number,
                                                      PatientName="", StudyDescription="")))
        assert answers[-1][0] == 0
        for _, found in answers[:-1]:
            if found.get("SpecificCharacterSet", "") in ("", "ISO_IR 192"):
                found.decode()


# --- queries

def find(server, identifier, lane="plain", seconds=10):
    """The final status, and how many answers came before it."""
    with associate(server, lane) as a:
        began = time.monotonic()
        statuses = [s for s, _ in a.find(dul.STUDY_FIND, identifier)]
        assert time.monotonic() - began < seconds
        assert a.echo() == 0
    return statuses[-1], len(statuses) - 1


def nested_keys(depth):
    d = Dataset()
    for _ in range(depth):
        outer = Dataset()
        outer.RequestAttributesSequence = Sequence([d])
        d = outer
    d.QueryRetrieveLevel, d.StudyInstanceUID = "STUDY", ""
    return dul.encode(d, EXPLICIT)


LEVEL = element(0x00080052, b"CS", b"STUDY ")
NO_UID = element(0x0020000D, b"UI", b"")
IDENTIFIERS = [ # name, identifier, final statuses that are right
    ("everything", LEVEL + element(0x00100010, b"PN", b"* ") + element(0x00100020, b"LO", b"* ") + NO_UID,
     {0}),
    ("?*?*?*", LEVEL + element(0x00100010, b"PN", b"?*" * 300) + NO_UID, {0}),
    ("*a*a*a*b", LEVEL + element(0x00081030, b"LO", b"*a" * 30000 + b"*b") + NO_UID, {0, 0xA700, 0xC000}),
    ("an empty identifier", b"", {0xA900}),
    ("a key of 10 MB", LEVEL + element(0x0040A160, b"UT", b"x" * (10 << 20)) + NO_UID,
     {0, 0xA700, 0xA900, 0xC000}),
    ("10,000 UIDs", LEVEL + element(0x0020000D, b"UC", b"\\".join(b"1.2.826.%d" % i for i in range(10000))),
     {0, 0xC000}),
    ("a date range with its ends exchanged", LEVEL + element(0x00080020, b"DA",
                                                             b"20300101-20000101 ") + NO_UID, {0}),
    ("a date that is none", LEVEL + element(0x00080020, b"DA", b"99999999-x- ") + NO_UID,
     {0, 0xA900, 0xC000}),
    ("SQL", LEVEL + element(0x00100020, b"LO", b"'; DROP TABLE study; -- ") + NO_UID, {0}),
    ("another set's escape sequences", element(0x00080005, b"CS", b"ISO_IR 100") + LEVEL + element(
        0x00100010, b"PN", b"\x1b$B\x30\x30\x1b(B*") + NO_UID, {0, 0xC000}),
    ("a set that does not exist",
     element(0x00080005, b"CS", b"KLINGON ") + LEVEL + element(0x00100010, b"PN", b"a*") + NO_UID,
     {0, 0xA900, 0xC000}),
    ("bytes that are no UTF-8",
     element(0x00080005, b"CS", b"ISO_IR 192") + LEVEL + element(0x00100010, b"PN", b"\xff*\xc0") + NO_UID,
     {0, 0xC000}),
    ("64 levels of keys", nested_keys(64), {0, 0xA900, 0xC000}),
    ("1,000 levels of keys", LEVEL + nested(1000), {0xA900, 0xC000}),
    ("100,000 items of keys", LEVEL + SQ + (ITEM[:4] + b"\0\0\0\0") * 100000 + SEQUENCE_END,
     {0, 0xA900, 0xC000}),
    ("5,000 keys nobody knows", LEVEL + NO_UID + b"".join(struct.pack("<HH2sH", 0x43, 0x1000 + i, b"LO",
                                                                      2) + b"x " for i in range(5000)),
     {0, 0xA700, 0xA900, 0xC000}),
    ("pixels for a key", LEVEL + NO_UID + element(0x7FE00010, b"OW", b"\0" * 1000), {0, 0xA900, 0xC000}),
    ("a level twice", LEVEL * 2 + NO_UID, {0, 0xA900, 0xC000}),
    ("a level of 1,000", element(0x00080052, b"CS", b"STUDY\\" * 200) + NO_UID,
                                                                   {0xA900, 0xC000}),
    ("cut short", LEVEL + NO_UID[:-1], {0xA900, 0xC000}), ("noise", bytes(range(256)) * 20, {0xA900, 0xC000}),
]


@pytest.mark.parametrize("name,raw,allowed", IDENTIFIERS, ids=[i[0] for i in IDENTIFIERS])
def test_queries(server, name, raw, allowed):
    status, n = find(server, raw)
    assert status in allowed or (status & 0xF000 == 0xC000 and 0xC000 in allowed), hex(status)
    if name == "everything":
        assert n >= 30
    elif "SQL" in name or "exchanged" in name:
        assert n == 0
