"""What nobody well-behaved sends, through the whole server.

A clear answer where the protocol has one, nobody else hurt, nothing left over. The server of these tests has
short timers, and no crash to its name after each of them.
"""
import os
import socket
import ssl
import struct
import time

import pytest

import dul
from conftest import BUILD
from dul import EXPLICIT, IMPLICIT
from hostile import (ABORT, ACCEPT, ARTIM_S, CLOSED, CONTEXTS, ECHO_RQ, IDLE_S, LANES, REJECT, RELEASE_RP,
                     STORE_RQ, answer, associate, connect, p_data, pdv, request)
from hostile import server, survives  # noqa: F401, the fixtures
from test_find import CT, ct

CYCLES = int(os.environ.get("GALENA_CYCLES", "2000"))


# --- upper layer: instead of an association request

def resized(rq, length):
    return rq[:2] + struct.pack(">I", length) + rq[6:]


def retitled(rq, called=None, calling=None):
    return rq[:10] + (called or rq[10:26]) + (calling or rq[26:42]) + rq[42:]


def with_items(raw):
    """A request with these bytes for its items."""
    head = request()[6:74]
    return dul.pdu(1, head + raw)


APPLICATION = dul.item(0x10, b"1.2.840.10008.3.1.1.1")
USER = dul.item(0x50, dul.item(0x51, struct.pack(">I", 16384)))


def context_item(number, abstract=dul.VERIFICATION.encode(), transfers=(IMPLICIT.encode(),)):
    inner = struct.pack(">BBBB", number, 0, 0, 0) + dul.item(0x30, abstract)
    return dul.item(0x20, inner + b"".join(dul.item(0x40, t) for t in transfers))


def identity(n=1):
    return dul.item(0x58, b"\2\0\0\1u\0\1p") * n


FIRST_PDUS = [ # name, bytes, what may come back
    ("nothing known: type 0", b"\0\0\0\0\0\4abcd", {ABORT}),
    ("nothing known: type 8", b"\x08\0\0\0\0\4abcd", {ABORT}),
    ("nothing known: type FF", b"\xff" * 70, {ABORT}),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {ABORT, CLOSED}),
    ("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n", {ABORT, CLOSED}),
    ("SMB", b"\0\0\0\x85\xffSMB\x72\0\0\0\0\x18\x53\xc8", {ABORT}),
    ("P-DATA before acceptance", dul.pdu(4, b"\0\0\0\6\1\3abcd"), {ABORT, CLOSED}),
    ("an acceptance", dul.pdu(2, request()[6:]), {ABORT, CLOSED}),
    ("a rejection", dul.pdu(3, b"\0\1\1\1"), {ABORT, CLOSED}),
    ("a release", dul.pdu(5, b"\0\0\0\0"), {ABORT, CLOSED}),
    ("a release answered", dul.pdu(6, b"\0\0\0\0"), {ABORT, CLOSED}),
    ("an abort", dul.pdu(7, b"\0\0\0\0"), {CLOSED}),
    ("length 0", dul.pdu(1, b""), {ABORT}),
    ("length 1", dul.pdu(1, b"\0"), {ABORT}),
    ("length 67", dul.pdu(1, request()[6:73]), {ABORT}),
    ("length 2^31", resized(request(), 2 ** 31), {ABORT}),
    ("length 2^32-1", resized(request(), 2 ** 32 - 1), {ABORT}),
    ("body shorter than its length", resized(request(), len(request())), {ABORT, CLOSED}),
    ("no items", with_items(b""), {ABORT, REJECT}),
    ("no context", with_items(APPLICATION + USER), {ABORT, REJECT}),
    ("no user information", with_items(APPLICATION + context_item(1)), {ABORT, REJECT, ACCEPT}),
    ("no application context", with_items(context_item(1) + USER), {ABORT, REJECT}),
    ("another application context", with_items(dul.item(0x10, b"1.2.3") + context_item(1) + USER), {REJECT}),
    ("protocol version 0", request()[:6] + b"\0\0" + request()[8:], {REJECT}),
    ("an item that overruns the PDU", with_items(APPLICATION + context_item(1) + b"\x50\0\xff\xffx"),
     {ABORT}),
    ("half an item header", with_items(APPLICATION + context_item(1) + USER + b"\x20\0\0"), {ABORT}),
    ("a sub-item that overruns its item", with_items(APPLICATION + dul.item(0x20,
                                                                            b"\1\0\0\0\x30\0\xff\0" + b"1")
                                                     + USER), {ABORT}),
    ("an unknown item", with_items(APPLICATION + b"\x99\0\0\4abcd" + context_item(1) + USER),
     {ABORT, ACCEPT}),
    ("128 contexts", with_items(APPLICATION + b"".join(context_item(i) for i in range(1, 256, 2)) + USER),
     {ACCEPT}),
    ("129 contexts", with_items(APPLICATION + b"".join(context_item(i % 256 | 1) for i in range(1, 259,
                                                                                                2)) + USER),
     {ABORT, REJECT}),
    ("2,000 contexts", with_items(APPLICATION + context_item(1) * 2000 + USER), {ABORT, REJECT}),
    ("the same context twice", with_items(APPLICATION + context_item(1) * 2 + USER), {ABORT, REJECT}),
    ("an even context", with_items(APPLICATION + context_item(2) + USER), {ABORT, REJECT}),
    ("context 0", with_items(APPLICATION + context_item(0) + USER), {ABORT, REJECT}),
    ("no transfer syntax", with_items(APPLICATION + context_item(1, transfers=()) + USER),
     {ABORT, REJECT, ACCEPT}),
    ("3,000 transfer syntaxes", with_items(APPLICATION + context_item(1, transfers=[b"1.2.3"] * 3000) + USER),
     {ABORT, REJECT, ACCEPT}),
    ("10,000 transfer syntaxes", with_items(APPLICATION + b"".join(context_item(i, transfers=[b"1.2.3"] * 80)
                                                                   for i in range(1, 256, 2)) + USER),
     {ABORT, REJECT, ACCEPT}),
    ("a UID of 65 characters", with_items(APPLICATION + context_item(1, b"1." * 32 + b"1") + USER),
     {ABORT, REJECT, ACCEPT}),
    ("a UID of 60,000", with_items(APPLICATION + context_item(1, b"1" * 60000) + USER),
     {ABORT, REJECT, ACCEPT}),
    ("a UID with a path", with_items(APPLICATION + context_item(1, b"../../etc") + USER),
     {ABORT, REJECT, ACCEPT}),
    ("an empty UID", with_items(APPLICATION + context_item(1, b"") + USER), {ABORT, REJECT, ACCEPT}),
    ("two user identities", request(more=identity(2)), {ABORT, REJECT}),
    ("a thousand user identities", request(more=identity(1000)), {ABORT, REJECT}),
    ("a user identity of no kind", request(more=dul.item(0x58, b"\xff\1\0\0\0\0")), {ABORT, REJECT, ACCEPT}),
    ("a user identity that overruns", request(more=dul.item(0x58, b"\2\0\xff\xffu")), {ABORT}),
    ("maximum length 1", request(max_pdu=1), {ABORT, REJECT}),
    ("maximum length 127", request(max_pdu=127), {ABORT, REJECT}),
    ("maximum length 0, which is none", request(max_pdu=0), {ACCEPT}),
    ("maximum length 2^32-1", request(max_pdu=2 ** 32 - 1), {ACCEPT}),
    ("roles of a class not proposed", request(roles=[("1.2.3", 1, 1)] * 500), {ABORT, ACCEPT}),
    ("a request of 4 MB", with_items(APPLICATION + context_item(1) + dul.item(0x99,
                                                                              b"x" * 65535) * 64 + USER),
     {ABORT, REJECT}),
]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name,raw,allowed", FIRST_PDUS, ids=[f[0] for f in FIRST_PDUS])
def test_instead_of_an_association_request(server, name, raw, allowed, lane):
    sock = connect(server, lane)
    if lane == "tls" and raw[:1] == b"\1" and len(raw) > 74:
        raw = retitled(raw, calling=b"FIRST".ljust(16))
    try:
        sock.sendall(raw)
    except (ConnectionError, ssl.SSLError):
        pass
    assert answer(sock) in allowed


TITLES = [b"", b"\0" * 16, b"NUL\0IN THE", b"..", b"../../keys", b"/etc/passwd", b"\\\\host\\share",
          b"%s%n%s%n",
          b"\xff" * 16, b"LINE\nFEED", b"\x1b[2J", b"' OR 1=1 --", b"first", b"WORKSTATION2"]


@pytest.mark.parametrize("raw", TITLES)
def test_titles(server, raw):
    """Refused, and the log stays a log: one line each, nothing that a terminal obeys."""
    seen = len(server.log())
    for where in ("called", "calling"):
        sock = connect(server, "plain")
        sock.sendall(retitled(request(), **{where: raw.ljust(16)}))
        assert answer(sock) in (REJECT, ABORT)
    time.sleep(0.02)
    for line in server.log(seen).splitlines():
        assert line.isprintable() and "\x1b" not in line


# --- upper layer: within an association

def elements(*pairs):
    """A command set as it is told: [(element, bytes)…], group length and all."""
    body = b"".join(struct.pack("<HHI", 0, e, len(v)) + v for e, v in pairs)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


US = struct.Struct("<H").pack
CLASS = (0x0002, dul.VERIFICATION.encode() + b"\0")
IS_ECHO, NUMBER, NO_DATA = (0x0100, US(dul.ECHO_RQ)), (0x0110, US(1)), (0x0800, US(0x0101))

WITHIN = [ # context 1: Verification, 3: CT, 5: Study Root FIND
    ("PDU of 0 bytes", p_data()), ("PDU of 1", p_data(b"x")), ("PDU of 5", p_data(b"\0\0\0\2\1")),
    ("PDU of 2^31", p_data(length=2 ** 31)), ("PDU of 2^32-1", p_data(length=2 ** 32 - 1)),
    ("PDU of one more than agreed", p_data(pdv(1, 3, ECHO_RQ), length=131073)),
    ("PDV of 0 bytes", p_data(pdv(1, 3, ECHO_RQ, 0))), ("PDV of 1", p_data(pdv(1, 3, ECHO_RQ, 1))),
    ("PDV longer than its PDU", p_data(pdv(1, 3, ECHO_RQ, len(ECHO_RQ) + 3))),
    ("PDV of 2^31", p_data(pdv(1, 3, ECHO_RQ, 2 ** 31))), ("PDV of 2^32-1",
                                                           p_data(pdv(1, 3, ECHO_RQ, 2 ** 32 - 1))),
    ("PDV that wraps round", p_data(pdv(1, 3, ECHO_RQ, 2 ** 32 - 4))),
    ("stray bytes after the last PDV", p_data(pdv(1, 3, ECHO_RQ), b"xyz")),
    ("context 99", p_data(pdv(99, 3, ECHO_RQ))), ("an even context", p_data(pdv(2, 3, ECHO_RQ))),
    ("context 0", p_data(pdv(0, 3, ECHO_RQ))), ("a context that was refused", p_data(pdv(7, 3, ECHO_RQ))),
    ("a data set without a command", p_data(pdv(3, 2, b"abcd"))),
    ("a data set inside a command", p_data(pdv(3, 1, STORE_RQ[:20]), pdv(3, 2, b"abcd"))),
    ("a command inside a data set", p_data(pdv(3, 3, STORE_RQ), pdv(3, 0, b"\x08\0\5\0"),
                                           pdv(3, 1, ECHO_RQ))),
    ("another context inside a data set", p_data(pdv(3, 3, STORE_RQ), pdv(1, 0, b"\x08\0\5\0"))),
    ("another context inside a command", p_data(pdv(3, 1, STORE_RQ[:20]), pdv(1, 3, STORE_RQ[20:]))),
    ("a data set that the command denies", p_data(pdv(1, 3, ECHO_RQ), pdv(1, 2, b"abcd"))),
    ("a second request", request()), ("an acceptance", dul.pdu(2, request()[6:])),
    ("a rejection", dul.pdu(3, b"\0\1\1\1")),
    ("a release answered", dul.pdu(6, b"\0\0\0\0")), ("type 8", dul.pdu(8, b"abcd")),
    ("type 0", dul.pdu(0, b"abcd")),
    ("a release of 5 bytes", dul.pdu(5, b"abcde")), ("an abort of 2^32-1", b"\7\0\xff\xff\xff\xff"),
    ("no command at all", p_data(pdv(1, 3, b""))), ("a command of noise",
                                                    p_data(pdv(1, 3, bytes(range(200))))),
    ("a command cut short", p_data(pdv(1, 3, ECHO_RQ[:-1]))),
    ("a command without a field", p_data(pdv(1, 3, elements(CLASS, NUMBER, NO_DATA)))),
    ("a command without a message ID", p_data(pdv(1, 3, elements(CLASS, IS_ECHO, NO_DATA)))),
    ("a command without a data set type", p_data(pdv(1, 3, elements(CLASS, IS_ECHO, NUMBER)))),
    ("a command without a class", p_data(pdv(1, 3, elements(IS_ECHO, NUMBER, NO_DATA)))),
    ("a class twice", p_data(pdv(1, 3, elements(CLASS, CLASS, IS_ECHO, NUMBER, NO_DATA)))),
    ("a field twice", p_data(pdv(1, 3, elements(CLASS, IS_ECHO, (0x0100, US(dul.STORE_RQ)), NUMBER,
                                                NO_DATA)))),
    ("a field of 4 bytes", p_data(pdv(1, 3, elements(CLASS, (0x0100, b"0000"), NUMBER, NO_DATA)))),
    ("a class of 65 characters", p_data(pdv(1, 3, elements((2, b"1." * 32 + b"1"), IS_ECHO, NUMBER,
                                                           NO_DATA)))),
    ("a class with a path", p_data(pdv(1, 3, elements((2, b"../../x"), IS_ECHO, NUMBER, NO_DATA)))),
    ("a length of 2^32-1", p_data(pdv(1, 3, b"\0\0\2\0\xff\xff\xff\xff" + b"1.2."))),
    ("another group in the command", p_data(pdv(1, 3, ECHO_RQ + b"\x08\0\x16\0\2\0\0\0ab"))),
    ("a command of 100 KB", p_data(pdv(1, 3, elements(CLASS, IS_ECHO, NUMBER, NO_DATA,
                                                      (0x0902, b"x" * 100000))))),
    ("an endless command", b"".join(p_data(pdv(1, 1, b"\0" * 100000)) for _ in range(20))),
    ("an echo with a data set", p_data(pdv(1, 3, elements(CLASS, IS_ECHO, NUMBER, (0x0800, US(1)))))),
    ("a store without one", p_data(pdv(3, 3, elements((2, CT.encode() + b"\0"), (0x0100, US(1)), NUMBER,
                                                      NO_DATA,
                                                      (0x1000, b"1.2.3\0"))))),
]
@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name,raw", WITHIN, ids=[w[0] for w in WITHIN])
def test_within_an_association(server, name, raw, lane):
    """Aborted at once, not at the end of a timer."""
    a = associate(server, lane)
    began = time.monotonic()
    try:
        a.send(raw)
    except (ConnectionError, ssl.SSLError):
        pass
    assert answer(a.sock) == ABORT
    assert time.monotonic() - began < 0.9 * IDLE_S


def test_the_largest_pdu_agreed_and_empty_fragments(server):
    """The other side of the limits: what is allowed is done."""
    a = associate(server, "plain")
    d = ct(900, StudyDescription="x" * 60)
    d.PixelData = b"\0" * 300000
    d["PixelData"].VR = "OW"
    data, rq = dul.encode(d, EXPLICIT), STORE_RQ.replace(b"1.2.3\0", b"1.2.3\0")
    rq = dul.command({0x0002: CT, 0x0100: dul.STORE_RQ, 0x0110: 1, 0x0700: 0, 0x0800: 1,
                      0x1000: d.SOPInstanceUID})
    for i in range(len(rq)):
        a.send(p_data(pdv(3, 1, b""), pdv(3, 1, rq[i:i + 1])))
    a.send(p_data(pdv(3, 3, b"")))
    room = 131072 - 6
    for i in range(0, len(data), room):
        a.send(p_data(pdv(3, 0, data[i:i + room])))
    a.send(p_data(pdv(3, 0, b"")) + p_data(pdv(3, 2, b""), pdv(1, 3, ECHO_RQ)))
    assert [a.next_message()[1][0x0900] for _ in range(2)] == [0, 0]
    a.release()


def test_a_release_collision(server):
    """Two requests to release: one answer, and the end."""
    for raw in (dul.pdu(5, b"\0\0\0\0") * 2, dul.pdu(5, b"\0\0\0\0") + p_data(pdv(1, 3, ECHO_RQ))):
        a = associate(server, "plain")
        a.send(raw)
        assert answer(a.sock) in (RELEASE_RP, ABORT)


def test_release_in_the_middle_of_a_data_set(server):
    a = associate(server, "plain")
    a.send(p_data(pdv(3, 3, STORE_RQ), pdv(3, 0, b"\x08\0\5\0CS\4\0")) + dul.pdu(5, b"\0\0\0\0"))
    began = time.monotonic()
    assert answer(a.sock) in (RELEASE_RP, ABORT)
    assert time.monotonic() - began < 0.9 * IDLE_S


# --- DIMSE: what is answered, and the association goes on

def response(field, with_data):
    fields = {0x0002: CT, 0x0100: field, 0x0120: 7, 0x0900: 0, 0x0800: 1 if with_data else 0x0101}
    return p_data(pdv(3, 3, dul.command(fields)), *[pdv(3, 2, b"\x08\0\5\0CS\0\0")] * with_data)


def test_responses_nobody_waits_for(server):
    """Passed over; what is no response at all (a C-STORE-RSP with a data set) may end it."""
    a = associate(server, "plain")
    for field in (dul.STORE_RSP, dul.FIND_RSP, dul.GET_RSP, dul.MOVE_RSP, dul.ECHO_RSP, 0x8110, 0x8120,
                  0x8130):
        for _ in range(20):
            a.send(response(field, False))
    for field in (dul.FIND_RSP, dul.GET_RSP, dul.MOVE_RSP):
        a.send(response(field, True))
    assert a.echo() == 0
    a.release()


def test_requests_sent_ahead_are_answered_in_turn(server):
    """No asynchronous operations were agreed; who sends ahead all the same waits, and is not forgotten."""
    a = associate(server, "plain")
    identifier = dul.encode(dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=""), EXPLICIT)
    sent = b""
    for number in range(1, 6):
        rq = dul.command({0x0002: dul.STUDY_FIND, 0x0100: dul.FIND_RQ, 0x0110: number, 0x0700: 0, 0x0800: 1})
        sent += p_data(pdv(5, 3, rq), pdv(5, 2, identifier))
    a.send(sent + p_data(pdv(1, 3, ECHO_RQ)))
    finals = []
    while len(finals) < 6:
        _, got, _ = a.next_message()
        if got[0x0900] != 0xFF00:
            finals.append((got[0x0120], got[0x0900]))
    assert finals == [(n, 0) for n in (1, 2, 3, 4, 5, 1)]
    a.release()


def test_a_request_instead_of_a_response(server):
    """On the association on which objects come back: aborted, because no answer to it would ever come."""
    contexts = [(dul.STUDY_GET, [EXPLICIT]), (CT, [EXPLICIT]), (dul.VERIFICATION, [IMPLICIT])]
    a = server.plain("WORKSTATION", contexts, roles=[(CT, 0, 1)])
    a.message(1, {0x0002: dul.STUDY_GET, 0x0100: dul.GET_RQ, 0x0110: 1, 0x0700: 0},
              dul.encode(dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.826.1"), EXPLICIT))
    assert a.next_message()[1][0x0100] == dul.STORE_RQ
    began = time.monotonic()
    a.send(p_data(pdv(5, 3, ECHO_RQ)))
    assert answer(a.sock) == ABORT
    assert time.monotonic() - began < 0.9 * IDLE_S


def test_a_flood_of_cancels(server):
    a = associate(server, "plain", CONTEXTS)
    cancels = b"".join(p_data(pdv(5, 3, dul.command({0x0100: dul.CANCEL_RQ, 0x0120: i % 5, 0x0800: 0x0101})))
                       for i in range(1000))
    a.send(cancels)
    context = a.context(dul.STUDY_FIND)
    for number in (2, 3):
        a.message(context, {0x0002: dul.STUDY_FIND, 0x0100: dul.FIND_RQ, 0x0110: number, 0x0700: 0},
                  dul.encode(dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=""), EXPLICIT))
        a.send(cancels)
        statuses = [0xFF00]
        while statuses[-1] in (0xFF00, 0xFF01):
            statuses.append(a.next_message()[1][0x0900])
        assert statuses[-1] in (0, 0xFE00)
    assert a.echo() == 0
    a.release()


SERVICES = [("N-GET", 0x0110), ("N-SET", 0x0120), ("N-ACTION", 0x0130), ("N-CREATE", 0x0140),
            ("N-DELETE", 0x0150),
            ("N-EVENT-REPORT", 0x0100), ("none", 0x1234), ("none", 0x0FF0), ("none", 0x7FFF), ("none", 0)]


@pytest.mark.parametrize("name,field", SERVICES)
def test_services_that_are_not_here(server, name, field):
    a = associate(server, "plain")
    fields = {0x0002: CT, 0x0003: CT, 0x0100: field, 0x0110: 5, 0x0800: 0x0101, 0x1000: "1.2.3",
              0x1001: "1.2.3"}
    body = dul.command(fields)
    extra = elements((0x1002, US(1)), (0x1008, US(1)))[12:]
    body = struct.pack("<HHII", 0, 0, 4, len(body) - 12 + len(extra)) + body[12:] + extra
    a.send(p_data(pdv(3, 3, body)))
    try:
        _, got, _ = a.next_message()
        assert (got[0x0900], got[0x0120]) == (0x0211, 5)
        assert a.echo() == 0
        a.release()
    except dul.Aborted:
        assert name in ("none", "N-SET") # N-SET must have a data set: this is no N-SET


def test_services_in_the_wrong_context(server):
    """A C-STORE where C-ECHO was agreed, and the other way round: refused, by a status."""
    a = associate(server, "plain")
    d = dul.encode(ct(901), EXPLICIT)
    a.send(p_data(pdv(1, 3, STORE_RQ), pdv(1, 2, d)))
    assert a.next_message()[1][0x0900] not in (0, 0xFF00)
    a.send(p_data(pdv(5, 3, STORE_RQ), pdv(5, 2, d)))
    assert a.next_message()[1][0x0900] not in (0, 0xFF00)
    find = dul.command({0x0002: dul.STUDY_FIND, 0x0100: dul.FIND_RQ, 0x0110: 3, 0x0700: 0, 0x0800: 1})
    a.send(p_data(pdv(3, 3, find), pdv(3, 2, dul.encode(dul.keys(QueryRetrieveLevel="STUDY",
                                                                 StudyInstanceUID=""),
                                                        EXPLICIT))))
    assert a.next_message()[1][0x0900] not in (0, 0xFF00)
    a.release()
    a = server.plain("MODALITY", [(CT, [EXPLICIT])]) # may store, nothing else
    for field, model in ((dul.FIND_RQ, dul.STUDY_FIND), (dul.GET_RQ, dul.STUDY_GET)):
        a.message(1, {0x0002: model, 0x0100: field, 0x0110: 3, 0x0700: 0}, dul.encode(
            dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.826.1"), EXPLICIT))
        assert a.next_message()[1][0x0900] == 0x0124
    a.release()


# --- slow ones

def seconds_to_the_end(sock):
    """Until the server closes the connection, whatever it says before."""
    began = time.monotonic()
    sock.settimeout(10)
    try:
        while sock.recv(65536):
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    sock.close()
    return time.monotonic() - began


def test_half_open(server):
    """Before and in the middle of the handshake and of the request: all end with ARTIM."""
    open_ones = [connect(server, lane) for lane in LANES]
    for port, first in ((server.port, b""), (server.port, b"\x16"), (server.port, b"\x16\3\1\2\0\1\0"),
                        (server.plain_port, request()[:3]), (server.plain_port, request()[:90])):
        sock = socket.create_connection(("127.0.0.1", port), 10)
        sock.sendall(first)
        open_ones.append(sock)
    assert sum(seconds_to_the_end(sock) for sock in open_ones) < 2 * ARTIM_S + 1


def test_who_was_refused_and_stays(server):
    """The transport is the requestor's to close (PS3.8 9.2); for as long as ARTIM runs."""
    open_ones = [connect(server, "plain") for _ in range(3)]
    for sock, raw in zip(open_ones, (retitled(request(), called=b"X".ljust(16)), b"\xff" * 10,
                                     dul.pdu(5, b"\0\0\0\0"))):
        sock.sendall(raw)
    assert sum(seconds_to_the_end(sock) for sock in open_ones) < 2 * ARTIM_S + 1


@pytest.mark.parametrize("lane", LANES)
def test_a_request_byte_by_byte(server, lane):
    """The timer runs from the connection, not from the last byte."""
    sock, began = connect(server, lane), time.monotonic()
    sock.settimeout(0.05)
    try:
        for byte in request(lane):
            sock.sendall(bytes([byte]))
            try:
                if not sock.recv(100):
                    break
            except TimeoutError:
                pass
    except (ConnectionError, ssl.SSLError):
        pass
    assert time.monotonic() - began < ARTIM_S + 1
    sock.close()


@pytest.mark.parametrize("lane", LANES)
def test_silence_in_the_middle(server, lane):
    """Of a PDU, of a data set, of an association: aborted after the idle time, all of them at once."""
    parts = [b"", b"\4\0\0\0", p_data(pdv(1, 3, ECHO_RQ))[:-5],
             p_data(pdv(3, 3, STORE_RQ), pdv(3, 0, b"\x08\0\5\0CS")),
             p_data(pdv(1, 1, ECHO_RQ[:7]))]
    open_ones = [associate(server, lane) for _ in parts]
    for a, part in zip(open_ones, parts):
        a.send(part)
    began = time.monotonic()
    for a in open_ones:
        a.sock.settimeout(IDLE_S + 2)
        assert answer(a.sock) == ABORT
    assert IDLE_S - 1 < time.monotonic() - began < IDLE_S + 1.5


def test_who_does_not_read_is_not_waited_for(server):
    """Megabytes of answers into a window of nothing: the worker ends, and with it what it held."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(10)
    raw.connect(("127.0.0.1", server.plain_port))
    raw.sendall(dul.associate_rq("WORKSTATION", "GALENA", [(1, dul.STUDY_FIND, [EXPLICIT])]))
    raw.recv(10)
    before = int(server.status()["connections"])
    find = dul.command({0x0002: dul.STUDY_FIND, 0x0100: dul.FIND_RQ, 0x0110: 3, 0x0700: 0, 0x0800: 1})
    identifier = dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID="", SeriesInstanceUID="",
                          SOPInstanceUID="", PatientName="", StudyDescription="")
    query = p_data(pdv(1, 3, find), pdv(1, 2, dul.encode(identifier, EXPLICIT)))
    raw.settimeout(0.3)
    try:
        for _ in range(5000):
            raw.sendall(query)
    except OSError:
        pass
    began = time.monotonic()
    while int(server.status()["connections"]) >= before:
        assert time.monotonic() - began < IDLE_S + 3, server.status()
        time.sleep(0.1)
    raw.close()


def test_strangers_at_the_door_keep_nobody_out(server):
    """Hundreds of half-open connections from elsewhere: those who have a right come in at once."""
    crowd = []
    for _ in range(400):
        s = socket.socket()
        s.bind(("127.0.0.3", 0))
        try:
            s.connect(("127.0.0.1", server.plain_port))
        except OSError:
            pass
        crowd.append(s)
    began = time.monotonic()
    with server.plain("WORKSTATION") as a, server.associate() as b:
        assert a.echo() == b.echo() == 0
    assert time.monotonic() - began < 2
    for s in crowd:
        s.close()


# --- and again, and again

def held(server):
    """Descriptors and memory of the processes that stay."""
    found, got = server.processes(), {}
    for role in ("supervisor", "archive"):
        pid = found[role][0]
        with open("/proc/%d/statm" % pid, encoding="ascii") as f:
            got[role] = len(os.listdir("/proc/%d/fd" % pid)), int(f.read().split()[1]) * 4096
    return got, sum(len(v) for v in found.values())


def abuse(server, i):
    kind = i % 5
    sock = socket.create_connection(("127.0.0.1", server.port if kind == 4 else server.plain_port), 10)
    if kind == 1:
        sock.sendall(request())
        sock.recv(1000)
        sock.sendall(dul.pdu(7, b"\0\0\0\0"))
    elif kind == 2:
        sock.sendall(request()[:50])
    elif kind == 3:
        sock.sendall(request(contexts=[(3, CT, [EXPLICIT])]))
        sock.recv(1000)
        sock.sendall(p_data(pdv(3, 3, STORE_RQ), pdv(3, 0, b"\x08\0\5\0CS")))
    elif kind == 4:
        sock.sendall(b"\x16\3\1\0\4abcd")
    sock.close()


def settled(server):
    end = time.monotonic() + 10
    while int(server.status()["connections"]) > 0:
        assert time.monotonic() < end, server.status()
        time.sleep(0.05)
    time.sleep(0.2)
    return held(server)


def test_thousands_of_connections_leave_nothing(server):
    for i in range(200):
        abuse(server, i)
    before, processes = settled(server)
    for i in range(CYCLES):
        abuse(server, i)
    after, processes_after = settled(server)
    for role in before:
        assert after[role][0] <= before[role][0], "descriptors of the %s" % role
        if "san" not in os.path.basename(BUILD): # which keeps what was freed
            assert after[role][1] <= before[role][1] + (2 << 20), "memory of the %s" % role
    assert processes_after <= processes
