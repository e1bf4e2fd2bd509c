"""What the tests of hostile input share: a server of short timers, and PDUs and elements byte by byte."""
import os
import shutil
import socket
import ssl
import struct

import pytest

import dul
from conftest import make_archive
from dul import EXPLICIT, IMPLICIT
from test_find import CT, ct

ARTIM_S, IDLE_S = 1, 3
ABORT, REJECT, ACCEPT, P_DATA, RELEASE_RP, CLOSED = 7, 3, 2, 4, 6, None
LANES = ["plain", "tls"]


@pytest.fixture(scope="module")
def server():
    a, folder = make_archive(plain=True)
    a.configure(artim_s=ARTIM_S, idle_s=IDLE_S)
    a.start()
    with a.associate(contexts=[(CT, [EXPLICIT])]) as association:
        for i in range(30):
            d = ct(i)
            data = dul.encode(d, EXPLICIT)
            assert association.store(CT, d.SOPInstanceUID, EXPLICIT, data)[0x0900] == 0
    yield a
    a.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def survives(server):
    """After each test: no crash, the same archive, the next association served on both lanes."""
    yield
    status = server.status()
    assert (status["state"], status["crashes"]) == ("serving", "0"), server.log()
    log = server.log()
    assert not [word for word in ("the archive ended", "Sanitizer", "runtime error") if word in log], log
    with server.associate() as a, server.plain("WORKSTATION") as b:
        assert a.echo() == b.echo() == 0


def connect(server, lane):
    if lane == "plain":
        return socket.create_connection(("127.0.0.1", server.plain_port), 10)
    c = dul.tls_context(os.path.join(server.dir, "peers", "first"))
    return c.wrap_socket(socket.create_connection(("127.0.0.1", server.port), 10))


def title(lane):
    return "WORKSTATION" if lane == "plain" else "FIRST"


def answer(sock):
    """The PDU that decides (accepted, rejected, released, aborted), or CLOSED when the end comes before."""
    got, kind = b"", CLOSED
    try:
        while kind is CLOSED:
            while len(got) < 6 or len(got) < 6 + struct.unpack_from(">I", got, 2)[0]:
                more = sock.recv(65536)
                if not more:
                    return CLOSED
                got += more
            kind = got[0] if got[0] != P_DATA else CLOSED
            got = got[6 + struct.unpack_from(">I", got, 2)[0]:]
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        sock.close()
    return kind


ECHO = [(1, dul.VERIFICATION, [IMPLICIT])]


def request(lane="plain", contexts=ECHO, **options):
    return dul.associate_rq(title(lane), "GALENA", contexts, **options)


def pdv(context, control, data, length=None):
    return struct.pack(">IBB", len(data) + 2 if length is None else length, context, control) + data


def p_data(*pdvs, length=None):
    body = b"".join(pdvs)
    return struct.pack(">BBI", 4, 0, len(body) if length is None else length) + body


ECHO_RQ = dul.command({0x0002: dul.VERIFICATION, 0x0100: dul.ECHO_RQ, 0x0110: 1, 0x0800: 0x0101})
STORE_RQ = dul.command({0x0002: CT, 0x0100: dul.STORE_RQ, 0x0110: 1, 0x0700: 0, 0x0800: 1, 0x1000: "1.2.3"})


CONTEXTS = [(dul.VERIFICATION, [IMPLICIT]), (CT, [EXPLICIT]), (dul.STUDY_FIND, [EXPLICIT]),
            ("1.2.3.4", [IMPLICIT])]


def associate(server, lane, contexts=CONTEXTS, **options):
    if lane == "plain":
        return server.plain("WORKSTATION", contexts, **options)
    return server.associate(contexts=contexts, **options)
