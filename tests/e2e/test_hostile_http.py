"""Hostile HTTP, byte by byte over TLS: requests of two meanings, what never ends, floods of HTTP/2 frames.

Each case ends with a clear refusal or with the connection; nobody else notices, nothing grows.
"""
import concurrent.futures
import email.utils
import os
import re
import select
import socket
import ssl
import struct
import time

import pytest

from web import fill, make_bed, multipart, remove_bed
from web_data import BRAIN

HEADER_S, IDLE_S, BODY_S = 1, 1, 1


@pytest.fixture(scope="module")
def bed():
    b = make_bed(http_header_s=HEADER_S, http_idle_s=IDLE_S, http_body_idle_s=BODY_S)
    fill(b)
    yield b
    remove_bed(b)


@pytest.fixture(autouse=True)
def survives(bed):
    """After each test: no crash, the next request is served."""
    yield
    bed.close()
    assert bed.get("studies?PatientID=WEB1").status == 200
    status = bed.archive.status()
    log = bed.archive.log()
    assert (status["state"], status["crashes"]) == ("serving", "0"), log[-3000:]
    assert not [w for w in ("Sanitizer", "runtime error", "the archive ended") if w in log], log[-3000:]


def connect(bed, protocols=("http/1.1",)):
    context = ssl.create_default_context(cafile=bed.cafile)
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", bed.port), 10),
        server_hostname="127.0.0.1")


def read_all(s, seconds=10):
    """Until the other end closes; None: it did not."""
    got, end = b"", time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return None
        s.settimeout(left)
        try:
            more = s.recv(65536)
        except TimeoutError:
            return None
        except OSError:
            return got
        if not more:
            return got
        got += more


def say(bed, data, seconds=10):
    """(statuses of the answers, was it closed)"""
    with connect(bed) as s:
        try:
            s.sendall(data)
        except OSError:
            pass
        got = read_all(s, seconds)
    if got is None:
        return None, False
    return [int(n) for n in re.findall(rb"HTTP/1\.[01] (\d{3}) ", got)], True


def request(line="GET /api/info HTTP/1.1", *headers, host="Host: localhost", body=b"", more=b""):
    lines = [line] + ([host] if host else []) + list(headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body + more


NEXT = request("GET /api/info HTTP/1.1", "Connection: close")
POST = "POST /dicomweb/studies HTTP/1.1"
CHUNKED = "Transfer-Encoding: chunked"

# Only one answer, a refusal, and the end: what follows is not taken for a request.
REFUSED = [
    ("length and chunks", request(POST, "Content-Length: 6", CHUNKED, body=b"0\r\n\r\nX", more=NEXT)),
    ("chunks and length", request(POST, CHUNKED, "Content-Length: 6", body=b"0\r\n\r\n", more=NEXT)),
    ("two lengths", request(POST, "Content-Length: 1", "Content-Length: 2", body=b"xx", more=NEXT)),
    ("two lengths in one", request(POST, "Content-Length: 1, 2", body=b"xx", more=NEXT)),
    ("a negative length", request(POST, "Content-Length: -1", more=NEXT)),
    ("a length with a sign", request(POST, "Content-Length: +1", body=b"x", more=NEXT)),
    ("a length in hex", request(POST, "Content-Length: 0x1", body=b"x", more=NEXT)),
    ("a length of 20 digits", request(POST, "Content-Length: 99999999999999999999", more=NEXT)),
    ("a length over 64 bits", request(POST, "Content-Length: 18446744073709551617", body=b"x", more=NEXT)),
    ("an empty length", request(POST, "Content-Length:", more=NEXT)),
    ("a length with a blank", request(POST, "Content-Length: 1 1", body=b"x" * 11, more=NEXT)),
    ("a blank before the colon", request(POST, "Content-Length : 1", body=b"x", more=NEXT)),
    ("chunked twice", request(POST, CHUNKED, CHUNKED, body=b"0\r\n\r\n", more=NEXT)),
    ("not chunked at last", request(POST, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n",
        more=NEXT)),
    ("xchunked", request(POST, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n", more=NEXT)),
    ("chunked with a tab", request(POST, "Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n", more=NEXT)),
    ("gzip, chunked", request(POST, "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n", more=NEXT)),
    ("chunks in HTTP/1.0", request("POST /dicomweb/studies HTTP/1.0", CHUNKED, body=b"0\r\n\r\n", more=NEXT)),
    ("a folded header", request(POST, "X: a\r\n b", "Content-Length: 0", more=NEXT)),
    ("a header without colon", request(POST, "no colon here", more=NEXT)),
    ("an empty name", request(POST, ": x", more=NEXT)),
    ("a name with a blank", request(POST, "X Y: x", more=NEXT)),
    ("NUL in a value", request(POST, "X: a\0b", more=NEXT)),
    ("NUL in a name", request(POST, "X\0Y: b", more=NEXT)),
    ("CR alone in a value", request(POST, "X: a\rContent-Length: 5", more=NEXT)),
    ("no Host", request(host="", more=NEXT)),
    ("two Hosts", request("GET /api/info HTTP/1.1", "Host: other", more=NEXT)),
    ("a Host with a blank", request(host="Host: a b", more=NEXT)),
    ("a Host with a path", request(host="Host: a/b", more=NEXT)),
    ("a Host with a user", request(host="Host: a@b", more=NEXT)),
    ("two cookies' worth of Authorization", request("GET /dicomweb/studies HTTP/1.1",
        "Authorization: Bearer x",
                                                    "Authorization: Bearer y", more=NEXT)),
    ("blanks in the target", request("GET /api/info x HTTP/1.1", more=NEXT)),
    ("no version", request("GET /api/info", more=NEXT)),
    ("version 0.9", request("GET /api/info HTTP/0.9", more=NEXT)),
    ("version 1.7", request("GET /api/info HTTP/7.1", more=NEXT)),
    ("lower case", request("GET /api/info http/1.1", more=NEXT)),
    ("a target without slash", request("GET api/info HTTP/1.1", more=NEXT)),
    ("control characters in the target", request("GET /api\x01info HTTP/1.1", more=NEXT)),
    ("octets in the target", request("GET /api/\xff HTTP/1.1", more=NEXT)),
    ("CONNECT", request("CONNECT localhost:22 HTTP/1.1", more=NEXT)),
    ("a method with NUL", request("GE\0T / HTTP/1.1", more=NEXT)),
    ("a method of 10000 letters", request("A" * 10000 + " / HTTP/1.1", more=NEXT)),
    ("a target of 100000", request("GET /" + "a" * 100000 + " HTTP/1.1", more=NEXT)),
    ("a header of 100000", request(POST, "X: " + "a" * 100000, more=NEXT)),
    ("100000 headers", request(POST, *["X%d: y" % i for i in range(100000)], more=NEXT)),
    ("100000 empty headers", b"GET / HTTP/1.1\r\n" + b":\r\n" * 100000 + NEXT),
    ("1 MB without a line", b"A" * 1000000 + NEXT),
    ("blank lines without end", b"\r\n" * 100000 + NEXT),
    ("HTTP/2 without ALPN", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"),
    ("an upgrade to nothing known", request("GET /api/info HTTP/1.1", "Upgrade: h2c",
        "Connection: Upgrade, close",
                                            "HTTP2-Settings: AAMAAABkAAQAAP__")),
]
REFUSALS = (400, 401, 404, 405, 411, 413, 414, 417, 426, 431, 501, 505)
BODIES = [
    ("a chunk size that overflows", b"FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n"),
    ("a chunk size of 2^63", b"8000000000000000\r\nx\r\n0\r\n\r\n"),
        ("a negative chunk", b"-1\r\nx\r\n0\r\n\r\n"),
    ("a chunk that is no number", b"xyz\r\n\r\n0\r\n\r\n"), ("an empty chunk size", b"\r\nx\r\n0\r\n\r\n"),
    ("a chunk size with 0x", b"0x1\r\nx\r\n0\r\n\r\n"), ("blanks before the size", b" 1\r\nx\r\n0\r\n\r\n"),
    ("a chunk longer than it says", b"1\r\nxyz\r\n0\r\n\r\n"), ("LF alone", b"1\nx\n0\n\n"),
    ("an extension without end", b"1;" + b"a" * 100000 + b"\r\nx\r\n0\r\n\r\n"),
    ("many extensions", b"1;aaaaaaaaaaaaaaaaaaaa\r\nx\r\n" * 5000 + b"0\r\n\r\n"),
    ("trailers without end", b"0\r\n" + b"X: y\r\n" * 100000 + b"\r\n"),
    ("a trailer with a length", b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n"),
    ("zeros before the size", b"0" * 1000 + b"1\r\nx\r\n0\r\n\r\n"),
]


def all_at_once(do, cases):
    """{name: what do(case) returns}. The server lingers a moment before it closes: they wait together."""
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        waiting = {name: pool.submit(do, data) for name, data in cases}
        return {name: w.result() for name, w in waiting.items()}


@pytest.fixture(scope="module")
def said(bed):
    return all_at_once(lambda data: say(bed, data), REFUSED)


@pytest.mark.parametrize("name", [r[0] for r in REFUSED])
def test_what_has_two_meanings_has_none(said, name):
    statuses, closed = said[name]
    assert closed, "the connection stays open"
    assert len(statuses) <= 1, (name, statuses)
    assert not statuses or statuses[0] == 200 or statuses[0] in REFUSALS, statuses
    if statuses and statuses[0] == 200:
        assert "upgrade" in name


@pytest.fixture(scope="module")
def said_of_bodies(bed):
    content, _ = multipart([b""])
    return all_at_once(lambda body: say(bed, request(
        POST, CHUNKED, "Content-Type: " + content, "Authorization: Bearer " + bed.token, "Accept: */*",
        body=body, more=NEXT)), BODIES)


@pytest.mark.parametrize("name", [b[0] for b in BODIES])
def test_chunks(said_of_bodies, name):
    statuses, closed = said_of_bodies[name]
    assert closed and len(statuses) <= 2, statuses
    assert not statuses or statuses[0] >= 400, statuses
    if len(statuses) == 2: # the body was well formed to its end, and refused as what it is
        assert name in ("a trailer with a length", "many extensions", "zeros before the size"), statuses


# --- what never comes

def timed(bed, data, at_most):
    begin = time.monotonic()
    with connect(bed) as s:
        s.sendall(data)
        got = read_all(s, at_most)
        assert got is not None, "still open after %d s" % at_most
    return time.monotonic() - begin, got


def test_a_header_that_does_not_end(bed):
    seconds, got = timed(bed, b"GET /api/info HTTP/1.1\r\nHost: x\r\nX: ", HEADER_S + 4)
    assert seconds >= HEADER_S - 0.5 and (got == b"" or b" 408 " in got)


@pytest.mark.parametrize("head", [b"GET\r\n\r\n", b"GET /api/info HTTP/1.1\r\nX: " + b"x" * 70000],
                         ids=["400", "431"])
def test_what_is_refused_has_a_date(bed, head):
    """RFC 9110 6.6.1: as other answers, to the second."""
    got = timed(bed, head, HEADER_S + 4)[1].decode()
    said = email.utils.parsedate_to_datetime(re.search(r"(?mi)^date: (.+?)\r$", got)[1]).timestamp()
    assert got.startswith("HTTP/1.1 4") and abs(time.time() - said) < 10


def test_a_header_a_byte_at_a_time(bed):
    """Drops do not buy time."""
    begin = time.monotonic()
    with connect(bed) as s:
        for c in b"GET /api/info HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 200:
            try:
                s.sendall(bytes([c]))
            except OSError:
                break
            if select.select([s], [], [], 0.1)[0]:
                break
        assert read_all(s, 5) is not None
    assert time.monotonic() - begin < HEADER_S + 4


def test_4_gib_announced_and_nothing_sent(bed):
    content, _ = multipart([b""])
    data = request(POST, "Content-Length: 4294967296", "Content-Type: " + content, "Accept: */*",
                   "Authorization: Bearer " + bed.token)
    seconds, got = timed(bed, data, BODY_S + 6)
    assert seconds >= BODY_S - 0.5 and (got == b"" or int(got[9:12]) >= 400)


def test_a_body_for_who_may_not(bed):
    """The refusal comes at once; nobody waits for 4 GB."""
    begin = time.monotonic()
    with connect(bed) as s:
        s.sendall(request(POST, "Content-Length: 4294967296"))
        s.settimeout(5)
        assert s.recv(4096).startswith(b"HTTP/1.1 401")
    assert time.monotonic() - begin < 2


def test_an_idle_connection_ends(bed):
    seconds, got = timed(bed, request(), IDLE_S + 5)
    assert got.startswith(b"HTTP/1.1 200") and seconds >= IDLE_S - 0.5


def test_an_answer_nobody_reads(bed):
    """Its worker does not wait for ever."""
    with connect(bed) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one = request("GET /dicomweb/studies/%s/metadata HTTP/1.1" % BRAIN, "Accept: */*",
                      "Authorization: Bearer " + bed.token)
        s.settimeout(0.5)
        try:
            while True:
                s.sendall(one * 50)
        except OSError:
            pass
        end = time.monotonic() + 15
        while int(bed.archive.status()["connections_web"]) > 1 and time.monotonic() < end:
            time.sleep(0.2)
        assert int(bed.archive.status()["connections_web"]) <= 1


def test_many_requests_without_waiting(bed):
    """Pipelined: each has its answer, in their order."""
    paths = ["/api/info", "/nowhere", "/dicomweb/studies"] * 30
    data = b"".join(request("GET %s HTTP/1.1" % p) for p in paths) + NEXT
    statuses, closed = say(bed, data)
    assert closed and statuses == [200, 404, 401] * 30 + [200]


# --- multipart

def post(bed, boundary, body, seconds=60):
    answer = bed("POST", "studies", body, Accept="*/*",
                 Content_Type='multipart/related; type="application/dicom"; boundary=' + boundary)
    return answer.status


def test_a_million_parts(bed):
    assert post(bed, "B", b"--B\r\n\r\n\r\n" * 1000000 + b"--B--\r\n") in (400, 409, 413)


def test_parts_within_parts(bed):
    body = b"--B0\r\n" + b"".join(
        b'Content-Type: multipart/related; type="application/dicom"; boundary=B%d\r\n\r\n--B%d\r\n' % (i, i)
        for i in range(1, 2000))
    assert post(bed, "B0", body + b"--B0--\r\n") in (400, 409, 415)


@pytest.mark.parametrize("name,head", [
    ("no end", b"X: y\r\n" * 100000), ("a long line", b"X: " + b"y" * 1000000 + b"\r\n\r\n"),
    ("NUL", b"X\0: y\r\n\r\n"), ("10000 headers",
        b"".join(b"X%d: y\r\n" % i for i in range(10000)) + b"\r\n"),
    ("a location that climbs",
     b"Content-Type: application/dicom\r\nContent-Location: ../../etc/passwd\r\n\r\n")])
def test_heads_of_parts(bed, name, head):
    assert post(bed, "B", b"--B\r\n" + head + b"x\r\n--B--\r\n") in (400, 409, 413, 415)


def test_a_preamble_without_end(bed):
    assert post(bed, "B", b"x" * 5000000) in (400, 413)


# --- query strings

QUERIES = ["?" + "&".join("a%d=b" % i for i in range(5000)), "?" + "PatientID=" + "*" * 5000,
           "?PatientName=" + "?*" * 2000, "?PatientID=%", "?PatientID=%zz", "?PatientID=%00",
           "?PatientID=%ff%fe",
           "?=", "?&&&&", "?PatientID", "?PatientID=a=b", "?includefield=" + ",".join(["PatientID"] * 2000),
           "?" + "RequestAttributesSequence." * 500 + "PatientID=1", "?StudyDate=99999999-00000000",
           "?PatientID=';DROP TABLE study;--",
           "?StudyInstanceUID=" + ",".join("1.2.%d" % i for i in range(1500)),
           "?limit=18446744073709551616", "?offset=-0", "?limit=1e3", "?limit=%31", "?PatientName=%1b$B%1b(B"]


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q[:30])
def test_queries(bed, query):
    begin = time.monotonic()
    answer = bed.get("studies" + query.replace(" ", "%20"))
    assert answer.status in (200, 204, 400, 413, 414, 431), answer
    assert time.monotonic() - begin < 3


# --- HTTP/2, frame by frame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def text(s):
    return bytes([len(s)]) + s.encode() if len(s) < 127 else None


def headers(method=b"\x82", path="/api/info", more=b""):
    """HPACK without Huffman and without the dynamic table: GET, https, path, authority."""
    return method + b"\x87" + b"\x04" + text(path) + b"\x01" + text("localhost") + more


def literal(name, value):
    return b"\x00" + text(name) + text(value)


GET = headers()


def h2(bed, data=b"", settings=b""):
    s = connect(bed, ("h2",))
    assert s.selected_alpn_protocol() == "h2"
    s.sendall(PREFACE + frame(SETTINGS, payload=settings) + data)
    return s


def frames_of(got):
    """Those that are there as a whole."""
    at = 0
    while at + 9 <= len(got) and at + 9 + (n := int.from_bytes(got[at:at + 3], "big")) <= len(got):
        yield got[at + 3], got[at + 4], int.from_bytes(got[at + 5:at + 9], "big"), got[at + 9:at + 9 + n]
        at += 9 + n


def h2_get(bed):
    """One good request, to be sure of our own frames."""
    with h2(bed, frame(HEADERS, END_STREAM | END_HEADERS, 1, GET)) as s:
        s.settimeout(5)
        got = b""
        while not any(k == DATA and f & END_STREAM for k, f, _, _ in frames_of(got)):
            got += s.recv(65536)
    return got


def test_our_frames_are_good(bed):
    assert b'"version"' in h2_get(bed)


WRONG = [
    ("no preface", None), ("a frame of 16 MB", b"\xff\xff\xff\0\0\0\0\0\1"),
    ("DATA on stream 0", frame(DATA, 0, 0, b"x")), ("HEADERS on stream 0", frame(HEADERS, 5, 0, GET)),
    ("an even stream", frame(HEADERS, 5, 2, GET)), ("DATA on an idle stream", frame(DATA, 1, 1, b"x")),
    ("streams that go down", frame(HEADERS, 5, 5, GET) + frame(HEADERS, 5, 3, GET)),
    ("a stream twice", frame(HEADERS, 5, 1, GET) + frame(HEADERS, 5, 1, GET)),
    ("CONTINUATION alone", frame(CONTINUATION, 4, 1, GET)),
    ("another frame between", frame(HEADERS, 1, 1, GET[:2]) + frame(PING, 0, 0, b"x" * 8)),
    ("padding longer than the frame", frame(HEADERS, 5 | PADDED, 1, b"\xff" + GET)),
    ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, b"x" * 5)), ("SETTINGS on a stream", frame(SETTINGS, 0, 1)),
    ("an initial window of 2^31", frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31))),
    ("a frame size of 1", frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1))),
    ("PING of 7 bytes", frame(PING, 0, 0, b"x" * 7)), ("PUSH_PROMISE", frame(PUSH, 4, 1, b"\0\0\0\2" + GET)),
    ("WINDOW_UPDATE of 0", frame(WINDOW, 0, 0, b"\0" * 4)),
    ("a window over 2^31", frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2),
    ("RST of 3 bytes", frame(HEADERS, 5, 1, GET) + frame(RST, 0, 1, b"xxx")),
    ("RST on an idle stream", frame(RST, 0, 9, b"\0" * 4)),
    ("an HPACK index that is none", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\x0f")),
    ("an HPACK integer that overflows", frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 20)),
    ("an HPACK table of 1 GB", frame(HEADERS, 5, 1, b"\x3f\xe1\xff\xff\xff\x03" + GET)),
    ("Huffman that is none", frame(HEADERS, 5, 1, b"\x00\x84\xff\xff\xff\xff\x00")),
]


def answer_to_frames(bed, data):
    """What comes until the connection ends; None: it does not."""
    with connect(bed, ("h2",)) if data is None else h2(bed, data) as s:
        if data is None:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 100)
        return read_all(s, 10)


@pytest.fixture(scope="module")
def said_to_frames(bed):
    return all_at_once(lambda data: answer_to_frames(bed, data), WRONG)


@pytest.mark.parametrize("name", [w[0] for w in WRONG])
def test_frames_that_are_none(said_to_frames, name):
    """RFC 9113 5.4.1: the connection ends, with GOAWAY where there is time."""
    got = said_to_frames[name]
    assert got is not None, "the connection stays open"
    assert any(k in (GOAWAY, RST) for k, _, _, _ in frames_of(got)) or got == b"" or name == "no preface"


MALFORMED = [
    ("upper case", literal("X-Upper", "y")), ("a connection header", literal("connection", "keep-alive")),
    ("transfer-encoding", literal("transfer-encoding", "chunked")), ("te: gzip", literal("te", "gzip")),
    ("a pseudo-header after others", literal("a", "b") + literal(":path", "/other")),
    ("a second path", literal(":path", "/other")), ("an unknown pseudo-header", literal(":x", "y")),
    ("CR LF in a value", literal("a", "b\r\nx: y")), ("NUL in a value", literal("a", "b\0c")),
    ("an empty name", literal("", "x")), ("another host", literal("host", "other")),
    ("a length that lies", literal("content-length", "5")),
        ("a negative length", literal("content-length", "-1")),
]


@pytest.mark.parametrize("name,more", MALFORMED, ids=[m[0] for m in MALFORMED])
def test_malformed_requests(bed, name, more):
    """RFC 9113 8.1.1: the stream is refused, or the request; never served."""
    with h2(bed, frame(HEADERS, END_STREAM | END_HEADERS, 1, headers(more=more))) as s:
        s.settimeout(5)
        got = b""
        while True:
            kinds = [(k, st, p) for k, _, st, p in frames_of(got)]
            if any(k == RST and st == 1 or k == GOAWAY or k == HEADERS for k, st, _ in kinds):
                break
            more_bytes = s.recv(65536)
            if not more_bytes:
                break
            got += more_bytes
        assert b'"version"' not in got


def send_often(bed, data, times):
    """Until the server has enough, or that often; whatever it answers is read."""
    with h2(bed) as s:
        s.settimeout(10)
        got = b""
        try:
            for _ in range(times):
                s.sendall(data)
                while select.select([s], [], [], 0)[0] or s.pending():
                    more = s.recv(65536)
                    got = got[-65536:] + more
                    if not more or any(k == GOAWAY for k, _, _, _ in frames_of(more)):
                        return
        except OSError:
            pass


def resident_kb(pid):
    try:
        with open("/proc/%d/status" % pid, encoding="utf-8") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("RssAnon"))
    except FileNotFoundError: # it has ended meanwhile
        return 0


def largest_kb(bed):
    return max(resident_kb(p) for role, pids in bed.archive.processes().items() for p in pids
               if role in ("web", "gate", "archive"))


FLOODS = [
    ("rapid reset", b"".join(frame(HEADERS, 5, n, headers(path="/api/info")) + frame(RST, 0, n, b"\0\0\0\x08")
                             for n in range(1, 2001, 2)), 30),
    ("CONTINUATION without end", frame(HEADERS, 1, 1, GET[:2]) + frame(CONTINUATION, 0, 1,
        b"\x00\x01a\x7f" + b"b" * 127)
     * 1000, 30),
    ("empty CONTINUATION", frame(HEADERS, 1, 1, GET[:2]) + frame(CONTINUATION, 0, 1) * 10000, 10),
    ("PING", frame(PING, 0, 0, b"x" * 8) * 1000, 100), ("SETTINGS", frame(SETTINGS, 0, 0, struct.pack(
        ">HI", 3, 100)) * 1000, 100),
    ("PRIORITY", b"".join(frame(PRIORITY, 0, n, b"\0\0\0\0\1") for n in range(1, 2000, 2)), 100),
    ("empty DATA", frame(HEADERS, 4, 1, headers(b"\x83")) + frame(DATA, 0, 1) * 10000, 30),
    ("unknown frames", frame(0x77, 0, 0, b"x" * 100) * 1000, 100),
    ("WINDOW_UPDATE", frame(WINDOW, 0, 0, b"\0\0\0\1") * 1000, 100),
    ("a header bomb", frame(HEADERS, 5, 1, GET + b"\x40\x01a\x7f" + b"b" * 127 + b"\xbe" * 16000), 1),
]


@pytest.mark.parametrize("name,data,times", FLOODS, ids=[f[0] for f in FLOODS])
def test_floods(bed, name, data, times):
    begin = time.monotonic()
    send_often(bed, data, times)
    assert time.monotonic() - begin < 20
    assert largest_kb(bed) < 64 * 1024
    assert b'"version"' in h2_get(bed)


def test_windows_of_nothing(bed):
    """The client opens no window: a hundred requests hold no more than they may, and end."""
    many = b"".join(frame(HEADERS, END_STREAM | END_HEADERS, n, headers(path="/openapi.json"))
                    for n in range(1, 201, 2))
    begin = time.monotonic()
    with h2(bed, many, settings=struct.pack(">HI", 4, 0)) as s:
        got = read_all(s, BODY_S + 10)
        assert got is not None, "still open"
    assert largest_kb(bed) < 64 * 1024 and time.monotonic() - begin < BODY_S + 10


def test_more_streams_than_there_are(bed):
    """RFC 9113 5.1.2: refused, and the others are served."""
    many = b"".join(frame(HEADERS, END_STREAM | END_HEADERS, n, GET) for n in range(1, 1001, 2))
    with h2(bed, many) as s:
        s.settimeout(5)
        got, ends = b"", 0
        while ends < 500:
            more = s.recv(65536)
            if not more:
                break
            got += more
            ends = sum(k == RST or k == DATA and f & END_STREAM for k, f, _, _ in frames_of(got))
        assert got.count(b'"version"') >= 10


def test_connections_without_end(bed):
    """Hundreds that come and go leave nothing behind."""
    def descriptors():
        return sum(len(os.listdir("/proc/%d/fd" % p)) for role, pids in bed.archive.processes().items()
                   for p in pids if role in ("archive", "supervisor"))
    for _ in range(20):
        connect(bed).close()
    time.sleep(1)
    before = descriptors()
    for i in range(150):
        s = connect(bed, ("h2",) if i % 2 else ("http/1.1",))
        if i % 3 == 0:
            s.sendall(request()[:i % 40])
        s.close()
    end = time.monotonic() + 15
    while descriptors() > before and time.monotonic() < end:
        time.sleep(0.2)
    assert descriptors() <= before
