"""What arrives on an association that was accepted, from somebody who means harm: an answer where the
protocol has one, an abort where it has none, and a server that goes on as if nothing had been."""
import os
import socket
import struct
import time
import zlib

import pytest

import dul
from conftest import free_port  # noqa: F401  (the fixtures come with it)

CT = "1.2.840.10008.5.1.4.1.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
CONTEXTS = [(dul.VERIFICATION, [dul.IMPLICIT]), (CT, [dul.EXPLICIT]), (dul.STUDY_FIND, [dul.EXPLICIT]),
            (CT, [DEFLATED])]


def pdv(context, control, data):
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def p_data(*pdvs):
    return dul.pdu(4, b"".join(pdvs))


def us(element, value):
    return struct.pack("<HHIH", 0, element, 2, value)


ECHO = dul.command({0x0002: dul.VERIFICATION, 0x0100: dul.ECHO_RQ, 0x0110: 1, 0x0800: 0x0101})
STORE = dul.command({0x0002: CT, 0x0100: dul.STORE_RQ, 0x0110: 1, 0x0700: 0, 0x0800: 1, 0x1000: "1.2.3"})

ECHO_WITH_DATA = dul.command({0x0002: dul.VERIFICATION, 0x0100: dul.ECHO_RQ, 0x0110: 1, 0x0800: 1})
STORE_WITHOUT_DATA = dul.command(
    {0x0002: CT, 0x0100: dul.STORE_RQ, 0x0110: 1, 0x0800: 0x0101, 0x1000: "1.2.3"})

# After acceptance: what is sent, and the reason of the A-ABORT (PS3.8 Table 9-26).
MALFORMED = [
    ("PDU of length 0", dul.pdu(4, b""), 6),
    ("PDU of length 1", dul.pdu(4, b"\0"), 6),
    ("PDU of 2^31", struct.pack(">BxI", 4, 1 << 31), 6),
    ("PDU of 2^32-1", struct.pack(">BxI", 4, (1 << 32) - 1), 6),
    ("PDU of the agreed maximum and one", struct.pack(">BxI", 4, 131073), 6),
    ("PDV of length 0", dul.pdu(4, struct.pack(">IBB", 0, 1, 3)), 6),
    ("PDV of length 1", dul.pdu(4, struct.pack(">IBB", 1, 1, 3)), 6),
    ("PDV longer than its PDU", dul.pdu(4, struct.pack(">IBB", 100, 1, 3) + ECHO[:50]), 6),
    ("PDV length that wraps round", dul.pdu(4, struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + ECHO[:50]), 6),
    ("a context never agreed on", p_data(pdv(99, 3, ECHO)), 6),
    ("an even context", p_data(pdv(2, 3, ECHO)), 6),
    ("a data set without a command", p_data(pdv(3, 2, b"abcd")), 6),
    ("a command inside a data set", p_data(pdv(3, 3, STORE), pdv(3, 0, b"ab"), pdv(3, 3, STORE)), 6),
    ("another context inside a data set", p_data(pdv(3, 3, STORE), pdv(5, 0, b"ab")), 6),
    ("a command set of 100 KB", p_data(pdv(1, 1, b"\0" * 100000)), 6),
    ("a command that is text", p_data(pdv(1, 3, b"GET / HTTP/1.1\r\n")), 6),
    ("a command without message ID", p_data(pdv(1, 3, us(0x0100, 0x30) + us(0x0800, 0x0101))), 6),
    ("a message ID twice", p_data(pdv(1, 3, ECHO + us(0x0110, 7))), 6),
    ("an echo with a data set", p_data(pdv(1, 3, ECHO_WITH_DATA)), 6),
    ("a store without one", p_data(pdv(3, 3, STORE_WITHOUT_DATA)), 6),
    ("a second A-ASSOCIATE-RQ", dul.associate_rq("A", "GALENA", [(1, dul.VERIFICATION, [dul.IMPLICIT])]), 2),
    ("an A-ASSOCIATE-AC", dul.pdu(2, b"\0" * 68), 2),
    ("an A-RELEASE-RP", dul.pdu(6, b"\0" * 4), 2),
    ("a PDU of no known type", dul.pdu(0x42, b"xx"), 1),
]


@pytest.mark.parametrize("name,data,reason", MALFORMED, ids=[m[0] for m in MALFORMED])
def test_malformed_messages_are_aborted_with_their_reason(archive, name, data, reason):
    a = archive.plain("WORKSTATION", contexts=CONTEXTS)
    a.send(data)
    kind, body = a.pdu()
    assert (kind, body[2], body[3]) == (7, 2, reason)
    a.sock.close()
    with archive.plain("WORKSTATION") as b:
        assert b.echo() == 0


UIDS = ["..", ".", "../../etc/passwd", "1." + "2" * 63, "1/2", "1\0.2", "%s%n", "1.2 .3"]


@pytest.mark.parametrize("uid", UIDS, ids=[repr(u) for u in UIDS])
def test_uids_that_are_none_are_aborted(archive, uid):
    a = archive.plain("WORKSTATION", contexts=CONTEXTS)
    with pytest.raises(dul.Aborted):
        a.store(CT, uid, dul.EXPLICIT, b"")
    a.sock.close()


def test_unsolicited_responses_and_a_flood_of_cancels_are_passed_over(archive):
    with archive.plain("WORKSTATION", contexts=CONTEXTS) as a:
        for i in range(5000):
            a.cancel(5, i)
        a.message(3, {0x0100: 0x8001, 0x0120: 5, 0x0900: 0, 0x0002: CT, 0x1000: "1.2"})
        a.message(5, {0x0100: 0x8020, 0x0120: 5, 0x0900: 0xFF00}, b"\0" * 1000)
        assert a.echo() == 0


def element(tag, vr, value):
    long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR")
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + (struct.pack("<xxI", len(value)) if long else struct.pack("<H", len(value))) + value


def identity(instance):
    instance = instance.encode() + b"\0" * (len(instance) % 2)
    sop_class = CT.encode() + b"\0" * (len(CT) % 2)
    return (element(0x00080016, b"UI", sop_class) + element(0x00080018, b"UI", instance),
            element(0x0020000D, b"UI", b"1.2.99") + element(0x0020000E, b"UI", b"1.2.98"))


def nested(depth, defined):
    if not defined:
        return (b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * depth
                + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth)
    inner = b""
    for _ in range(depth):
        item = b"\xfe\xff\0\xe0" + struct.pack("<I", len(inner)) + inner
        inner = b"\x08\0\x40\x11SQ\0\0" + struct.pack("<I", len(item)) + item
    return inner


def data_set(instance, middle=b"", end=b""):
    first, second = identity(instance)
    return first + middle + second + end


def bomb():
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = element(0x00420011, b"OB", b"\0" * (300 << 20))
    return z.compress(data_set("1.2.77")) + z.compress(zeros) + z.flush()


BEGIN_SEQUENCE = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff"
END_SEQUENCE = b"\xfe\xff\xdd\xe0\0\0\0\0"
EMPTY_ITEM = b"\xfe\xff\0\xe0\0\0\0\0"

DATA_SETS = [
    ("nesting of 63", data_set("1.2.77", nested(63, False)), 0x0000),
    ("nesting of 65", data_set("1.2.77", nested(65, False)), 0xC000),
    ("nesting of 65, lengths defined", data_set("1.2.77", nested(65, True)), 0xC000),
    ("nesting of 10,000", data_set("1.2.77", nested(10000, False)), 0xC000),
    ("a million empty items", data_set("1.2.77", BEGIN_SEQUENCE + EMPTY_ITEM * 1000000 + END_SEQUENCE), None),
    ("a missing delimiter", data_set("1.2.77", BEGIN_SEQUENCE + EMPTY_ITEM), 0xC000),
    ("an item longer than its sequence",
     data_set("1.2.77", BEGIN_SEQUENCE[:8] + b"\x10\0\0\0\xfe\xff\0\xe0\xff\0\0\0" + b"\0" * 8), 0xC000),
    ("undefined length on text",
     data_set("1.2.77", b"\x08\0\x70\0UT\0\0\xff\xff\xff\xff" + b"\0" * 20), 0xC000),
    ("a value past the end",
     data_set("1.2.77", b"", b"\xe0\x7f\x10\0OW\0\0\xff\xff\xff\x7f" + b"\0" * 20), 0xC000),
    ("a VR of zeros", data_set("1.2.77", b"\x08\0\x70\0\0\0\x04\0abcd"), None),
    ("group 0002 inside", b"\x02\0\x10\0UI\x04\x001.2\0" + data_set("1.2.77"), None),
    ("text instead of a data set", b"<script>alert(1)</script>\r\n" * 100, 0xC000),
    ("nothing", b"", 0xA900),
    ("another instance than the command's", data_set("1.2.78"), 0xA900),
]


@pytest.mark.parametrize("name,data,status", DATA_SETS, ids=[d[0] for d in DATA_SETS])
def test_hostile_data_sets_get_a_status_and_the_association_goes_on(archive, name, data, status):
    with archive.plain("WORKSTATION", contexts=CONTEXTS) as a:
        got = a.store(CT, "1.2.77", dul.EXPLICIT, data)[0x0900]
        assert got == status or status is None and got in (0, 0xC000), "%04X" % got
        assert a.echo() == 0


def memory_kb(archive):
    total = 0
    for pids in archive.processes().values():
        for pid in pids:
            try:
                with open("/proc/%d/smaps_rollup" % pid) as f:
                    total += sum(int(l.split()[1]) for l in f if l.startswith("Private_"))
            except OSError:
                pass
    return total


def test_a_deflated_bomb_costs_no_memory(archive):
    data = bomb()
    assert len(data) < 1 << 20
    with archive.plain("WORKSTATION", contexts=CONTEXTS) as a:
        before = memory_kb(archive)
        got = a.store(CT, "1.2.77", DEFLATED, data)[0x0900]
        assert got in (0, 0xC000), "%04X" % got
        assert memory_kb(archive) - before < 8192
        assert a.echo() == 0


FINDS = [
    ("a star for everything", element(0x00100010, b"PN", b"*") + element(0x00100020, b"LO", b"*"), 0),
    ("10,000 UIDs", b"", 0),
    ("backtracking", element(0x00100010, b"PN", b"?*" * 30), 0),
    ("SQL", element(0x00100020, b"LO", b"' OR 1=1; DROP TABLE studies;-- "), 0),
    ("a range with its ends exchanged", element(0x00080020, b"DA", b"20991231-20000101 "), 0),
    ("a date that is none", element(0x00080020, b"DA", b"yesterday "), 0xC000),
    ("a key of 2 MB", element(0x00204000, b"UT", b"x" * (2 << 20)), 0xA700),
    ("an escape of another character set", element(0x00100010, b"PN", b"\x1b$B" + b"\x30" * 9), None),
]


@pytest.mark.parametrize("name,keys,status", FINDS, ids=[f[0] for f in FINDS])
def test_hostile_queries_are_answered_in_time(archive, name, keys, status):
    level = element(0x00080052, b"CS", b"STUDY ")
    if name == "10,000 UIDs": # in one value of type UI, as far as 16 bits reach; the rest in a long form
        uids = b"\\".join(b"1.2.3.%d" % i for i in range(6000))[:65534]
        keys = element(0x0020000D, b"UI", uids)
    before, after = (keys, level) if keys[:4] < level[:4] else (level, keys)
    with archive.plain("WORKSTATION", contexts=CONTEXTS) as a:
        start = time.monotonic()
        last = list(a.find(dul.STUDY_FIND, before + after))[-1][0]
        assert last == status or status is None, "%04X" % last
        assert time.monotonic() - start < 5
        assert a.echo() == 0


def descriptors(archive):
    total = 0
    for role in ("supervisor", "archive"):
        for pid in archive.processes().get(role, []):
            total += len(os.listdir("/proc/%d/fd" % pid))
    return total


def settle(look, least, seconds=10):
    deadline = time.monotonic() + seconds
    while look() > least and time.monotonic() < deadline:
        time.sleep(0.1)
    return look()


def test_connecting_and_vanishing_a_thousand_times_leaves_nothing(fresh):
    for _ in range(20):
        fresh.plain("WORKSTATION").sock.close()
    time.sleep(1)
    before, processes = descriptors(fresh), sum(map(len, fresh.processes().values()))
    for i in range(1000):
        s = socket.create_connection(("127.0.0.1", fresh.plain_port), 10)
        if i % 3 == 0:
            s.sendall(b"\1\0\0\0")
        if i % 3 == 1:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    assert settle(lambda: descriptors(fresh), before) <= before + 2
    assert settle(lambda: sum(map(len, fresh.processes().values())), processes) <= processes + 2
    with fresh.plain("WORKSTATION") as a:
        assert a.echo() == 0
