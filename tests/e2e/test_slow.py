"""Slow on purpose, on both sides: bytes that drip in, readers that drip them out. Each ends by a limit, and
others are served meanwhile as if nobody else were there.
"""
import select
import socket
import ssl
import struct
import threading
import time

import pytest

import dul
from dul import EXPLICIT, IMPLICIT
from hostile import ABORT, CLOSED, ECHO_RQ, STORE_RQ, answer, p_data, pdv
from test_find import CT, ct
from test_hostile_http import POST, all_at_once, connect, read_all, request
from web import fill, make_bed, multipart, remove_bed

ARTIM_S, IDLE_S, BODY_S, DRIP_S = 1, 2, 1, 0.1
BIG = "1.2.826.7000"


@pytest.fixture(scope="module")
def bed():
    b = make_bed(artim_s=ARTIM_S, idle_s=IDLE_S, http_header_s=1, http_idle_s=1, http_body_idle_s=BODY_S)
    fill(b)
    d = ct(7000)
    d.PixelData = bytes(24 << 20)
    d["PixelData"].VR = "OW"
    with b.archive.associate(contexts=[(CT, [EXPLICIT])]) as a:
        assert a.store(CT, d.SOPInstanceUID, EXPLICIT, dul.encode(d, EXPLICIT))[0x0900] == 0
    yield b
    remove_bed(b)


@pytest.fixture(autouse=True)
def others(bed):
    """Somebody else's requests, all the while: how long the slowest took."""
    slowest, done = [0.0], threading.Event()

    def ask():
        client = bed.client("reader")
        while not done.wait(0.2):
            began = time.monotonic()
            with bed.archive.plain("WORKSTATION") as a:
                assert a.echo() == 0
            assert client.get("studies?PatientID=WEB1").status == 200
            slowest.append(time.monotonic() - began)
        client.close()

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    done.set()
    thread.join()
    assert len(slowest) > 1 and max(slowest) < 3, slowest
    status = bed.archive.status()
    assert (status["state"], status["crashes"]) == ("serving", "0"), bed.archive.log()


def drip(sock, data, seconds):
    """A byte now and then, until the other end says or does something; how long that took."""
    began = time.monotonic()
    for byte in data:
        if select.select([sock], [], [], DRIP_S)[0]:
            break
        assert time.monotonic() - began < seconds, "still there after %d s" % seconds
        try:
            sock.sendall(bytes([byte]))
        except OSError:
            break
    return time.monotonic() - began


PARTS = [ # what comes at once, what drips
    ("a PDU's header", b"", p_data(length=5000)[:6] + b"\0" * 500),
    ("a PDU", p_data(length=5000), b"\0\0\x13\x80\1\3" + b"\0" * 500),
    ("a data set", p_data(pdv(3, 3, STORE_RQ)) + p_data(length=5006) + b"\0\0\x13\x8a\3\0", b"\0" * 500),
]


@pytest.mark.parametrize("lane", ["plain", "tls"])
@pytest.mark.parametrize("name,first,then", PARTS, ids=[p[0] for p in PARTS])
def test_bytes_that_drip_into_an_association(bed, name, first, then, lane):
    """A PDU has the idle time to be whole, however many bytes of it come."""
    contexts = [(dul.VERIFICATION, [IMPLICIT]), (CT, [EXPLICIT])]
    a = bed.archive.plain("WORKSTATION", contexts) if lane == "plain" else bed.archive.associate(
        contexts=contexts)
    a.send(first)
    took = drip(a.sock, then, IDLE_S + 3)
    assert IDLE_S - 1 < took and answer(a.sock) in (ABORT, CLOSED)


def small_window(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    return s


def dribble(sock, seconds):
    """Reads a byte now and then for that long, then all that is left. (bytes, did the connection end)"""
    end, got = time.monotonic() + seconds, 0
    sock.settimeout(1)
    while time.monotonic() < end:
        try:
            got += len(sock.recv(1))
        except OSError:
            pass
        time.sleep(DRIP_S)
    try:
        while more := sock.recv(1 << 20):
            got += len(more)
    except TimeoutError:
        return got, False
    except OSError:
        pass
    return got, True


def test_a_receiver_that_dribbles(bed):
    """A retrieved object of 24 MB, read byte by byte: the worker does not wait for the end of it."""
    s = small_window(bed.archive.plain_port)
    contexts = [(1, dul.STUDY_GET, [EXPLICIT]), (3, CT, [EXPLICIT])]
    role = dul.item(0x54, struct.pack(">H", len(CT)) + CT.encode() + b"\0\1")
    s.sendall(dul.associate_rq("WORKSTATION", "GALENA", contexts, more=role))
    assert s.recv(1) == b"\2"
    s.recv(4000)
    get = dul.command({0x0002: dul.STUDY_GET, 0x0100: dul.GET_RQ, 0x0110: 1, 0x0700: 0, 0x0800: 1})
    keys = dul.encode(dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=BIG), EXPLICIT)
    s.sendall(p_data(pdv(1, 3, get), pdv(1, 2, keys)))
    got, ended = dribble(s, IDLE_S + 1)
    s.close()
    assert ended and got < 24 << 20


def web_heads(bed):
    content, _ = multipart([b""])
    store = [POST, "Content-Length: 10000000", "Content-Type: " + content]
    return [("of one who may store", request(*store, "Accept: */*", "Authorization: Bearer " + bed.token)),
            ("refused for its form", request(*store, "Accept: text/csv",
                                             "Authorization: Bearer " + bed.token)),
            ("of a stranger", request(*store)), ("of a stranger, a short one",
                                                 request(POST, "Content-Length: 1000")),
            ("of who would sign in", request("POST /api/sign-in HTTP/1.1", "Content-Length: 1000",
                                             "Content-Type: application/json",
                                             "Origin: https://127.0.0.1:%d" % bed.port,
                                             host="Host: 127.0.0.1:%d" % bed.port))]


@pytest.mark.parametrize("drips", [False, True])
def test_bodies_that_do_not_come(bed, drips):
    """They must come at a rate, whether they are wanted or the answer was a refusal, which comes at once."""
    def ends(head):
        with connect(bed) as s:
            s.sendall(head)
            s.settimeout(DRIP_S)
            began = time.monotonic()
            while time.monotonic() - began < BODY_S + 5:
                try:
                    if drips:
                        s.sendall(b"-")
                    got = s.recv(65536)
                    if not got or got.startswith(b"HTTP/1.1 200"):
                        return not got
                except TimeoutError:
                    pass
                except OSError:
                    return True
        return False

    assert not [name for name, ended in all_at_once(ends, web_heads(bed)).items() if not ended]


def test_a_client_that_dribbles(bed):
    """24 MB of an answer, read byte by byte over TLS."""
    s = ssl.create_default_context(cafile=bed.cafile).wrap_socket(small_window(bed.port),
                                                                  server_hostname="127.0.0.1")
    s.sendall(request("GET /dicomweb/studies/%s HTTP/1.1" % BIG, "Accept: */*",
                      "Authorization: Bearer " + bed.token))
    got, ended = dribble(s, BODY_S + 2)
    s.close()
    assert ended and got < 24 << 20


def test_headers_of_many_drip(bed):
    """Forty at once, a byte each in turn: gone with the header's time."""
    crowd = []
    for _ in range(40):
        crowd.append(connect(bed))
    began = time.monotonic()
    line = b"GET /api/info HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200
    for byte in line:
        for s in crowd:
            try:
                s.sendall(bytes([byte]))
            except OSError:
                pass
        if time.monotonic() - began > 3:
            break
        time.sleep(DRIP_S)
    assert all(read_all(s, 3) is not None for s in crowd)
    for s in crowd:
        s.close()


def test_requests_of_many_drip(bed):
    """The same at the door of the DICOM lanes: ARTIM runs from the connection."""
    crowd = [socket.create_connection(("127.0.0.1", bed.archive.plain_port), 10) for _ in range(40)]
    began = time.monotonic()
    raw = dul.associate_rq("WORKSTATION", "GALENA", [(1, dul.VERIFICATION, [IMPLICIT])])
    for byte in raw[:int(1.5 * ARTIM_S / DRIP_S)]:
        for s in crowd:
            try:
                s.sendall(bytes([byte]))
            except OSError:
                pass
        time.sleep(DRIP_S)
    assert all(answer(s) in (ABORT, CLOSED) for s in crowd)
    assert time.monotonic() - began < 2 * ARTIM_S + 2


def test_an_echo_in_pieces_is_still_an_echo(bed):
    """Slow is not wrong: what is whole in time is answered."""
    with bed.archive.plain("WORKSTATION") as a:
        raw = p_data(pdv(1, 3, ECHO_RQ))
        for i in range(0, len(raw), 20):
            a.send(raw[i:i + 20])
            time.sleep(0.05)
        assert a.next_message()[1][0x0900] == 0
