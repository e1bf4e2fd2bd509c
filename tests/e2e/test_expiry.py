"""Sessions and tokens that end by themselves, and what of theirs goes on: what they had begun."""
import os
import re
import time

import pytest

import ipc
from authbed import BEARER, AuthBed, OnlyArchive, served
from ipc import RING, condition
from test_rogue_worker import ATTR, commit, store

STORE, RETRIEVE = 2, 8
SHORT_S = 6 # that a session or a token is good for


def one_of_the_provider(bed, auth, token, **who):
    """A worker with a ring, for a token of which auth says that it is good for so long."""
    worker = bed.web()
    worker.send("IDENTIFY", kind=BEARER, credential=token)
    asked = auth.receive()[1]
    auth.send("AUTH_IDENTITY", request=asked["request"], kind=3, user="oidc:robot", rights=0xffffffff, **who)
    identity = worker.receive()[1]
    assert identity["error"] == 0 and identity["rights"] & STORE
    return worker.get_ring()


def test_an_upload_outlives_the_providers_token_it_came_with():
    """And nothing else does."""
    with served(OnlyArchive()) as b:
        auth = b.auth_channel()

        def robot(token):
            return one_of_the_provider(b, auth, token, roles=2, expires_s=1)

        uploads, late = robot("a.b.c"), robot("d.e.f")
        store(uploads, "1.3.7.1", b"in time", study="1.3.7")
        time.sleep(1.2)
        store(uploads, "1.3.7.2", b"and on", study="1.3.7")
        late.send("STORE_COMMIT", **commit("1.3.7.3", "1.3.7", 1))
        assert late.ended()
        uploads.send("LOCATE", root=1, level=3, conditions_bytes=0)
        assert uploads.ended()


def locate(worker, study):
    """How many objects; -1: its request is over."""
    key = condition(ATTR["StudyInstanceUID"], ipc.SINGLE, study.encode())
    worker.ring[RING:RING + len(key)] = key
    try:
        got = worker.call("LOCATE", root=1, level=1, conditions_bytes=len(key))[1]
    except ipc.Ended:
        return -1
    assert got["error"] == 0
    return got["count"]


def read_all(worker, count):
    for _ in range(count):
        got = worker.call("OBJECT_NEXT", max=RING)[1]
        assert got["read_bytes"] == got["length"] > 0
    worker.send("RETRIEVE_END")


def two_studies(bed):
    """Of two objects each."""
    worker = bed.signed_in("hal").get_ring()
    for study in ("1.3.8", "1.3.9"):
        for n in (1, 2):
            store(worker, "%s.%d" % (study, n), b"an object", study=study)
    worker.close()


@pytest.fixture
def short():
    """Where sessions end soon, and there is something to retrieve."""
    with served(AuthBed(session_max_s=str(SHORT_S)), hal="reader,radiographer") as b:
        two_studies(b)
        yield b


def session_worker(bed):
    return bed.signed_in("hal").get_ring()


def token_worker(bed):
    made = bed.change(bed.signed_in("hal"), "TOKEN_CREATE", name="t", rights=RETRIEVE | STORE, days=1)
    path = os.path.join(bed.dir, "tokens", made["id"].decode() + ".conf")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + SHORT_S))
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r'expires = "[^"]*"', 'expires = "%s"' % end, text))
    bed.reload()
    return bed.identify(made["token"], BEARER)[0].get_ring()


@pytest.mark.parametrize("who", [session_worker, token_worker])
def test_what_was_begun_in_time_ends_whole(short, who):
    """A ZIP is made series by series. No other study, and no other request."""
    zipping = who(short)
    assert locate(zipping, "1.3.8") == 2
    storing = who(short)
    store(storing, "1.3.7.1", b"in time", study="1.3.7")
    other = who(short)
    assert locate(other, "1.3.9") == 2
    read_all(other, 2)
    time.sleep(SHORT_S + 1.5)
    read_all(zipping, 2)
    time.sleep(0.3)
    assert locate(zipping, "1.3.8") == 2
    read_all(zipping, 2)
    store(storing, "1.3.7.2", b"and on", study="1.3.7")
    time.sleep(0.3)
    store(storing, "1.3.7.3", b"and on", study="1.3.7")
    assert locate(other, "1.3.8") in (-1, 2) and other.ended()  # at once, or when auth has said so
    assert locate(zipping, "1.3.9") == -1


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("who", [session_worker, token_worker])
def test_what_was_begun_ends_with_its_user(short, who, late):
    """Also if it has expired before."""
    worker = who(short)
    assert locate(worker, "1.3.8") == 2
    if late:
        time.sleep(SHORT_S + 1.5)
        assert worker.call("OBJECT_NEXT", max=RING)[0] == "OBJECT"
        time.sleep(0.3)
    short.galena("user", "remove", short.dir, "hal")
    short.reload()
    assert worker.ended()


def test_a_retrieval_outlives_the_providers_token_it_came_with():
    with served(OnlyArchive()) as b:
        auth = b.auth_channel()

        def robot(token):
            return one_of_the_provider(b, auth, token, roles=3, expires_s=2)

        first, second = robot("a.b.c"), robot("d.e.f")
        store(first, "1.3.8.1", b"an object", study="1.3.8")
        assert locate(first, "1.3.8") == 1 and locate(second, "1.3.8") == 1
        time.sleep(2.5)
        for worker in (first, second):
            read_all(worker, 1)
            assert locate(worker, "1.3.8") == 1
            read_all(worker, 1)
        assert locate(first, "1.3.9") == -1
        second.send("QUERY", root=1, level=3, returns=b"\0\0")
        assert second.ended()


def test_a_request_does_not_outlive_its_session():
    with served(AuthBed(session_idle_s="2", session_max_s="4"), ann="reader") as b:
        worker, _ = b.identify(b.sign_in("ann")["session"])
        for _ in range(3):  # whose request goes on is not idle
            time.sleep(1.1)
            assert worker.call("SESSIONS")[1]["error"] == 0
        time.sleep(1.5)
        worker.send("SESSIONS")
        assert worker.ended()


def test_what_a_page_asks_by_itself_is_no_use_of_its_session():
    with served(AuthBed(session_idle_s="3", session_max_s="60"), ann="reader") as b:
        session, began = b.sign_in("ann")["session"], time.monotonic()
        worker = b.web()

        def ask(passive):
            got = b.identify(session, worker=worker, passive=passive)[1]
            if got["error"] == 0:
                worker.call("SESSIONS")  # whatever the request does
                worker.send("RELEASE")
            return got["error"] == 0

        while time.monotonic() < began + 2:
            assert ask(passive=1)
            time.sleep(0.4)
        assert ask(passive=0), "used, though what auth said to the page is still remembered"
        used = time.monotonic()
        while ask(passive=1):
            assert time.monotonic() < used + 4
            time.sleep(0.4)
        assert time.monotonic() > used + 2.5
        assert not ask(passive=0)


def test_a_request_that_a_page_made_by_itself_does_not_keep_its_session():
    with served(AuthBed(session_idle_s="2", session_max_s="60"), ann="reader") as b:
        session, began = b.sign_in("ann")["session"], time.monotonic()
        worker, _ = b.identify(session, passive=1)
        with pytest.raises(ipc.Ended):
            while time.monotonic() < began + 4:
                worker.call("SESSIONS")
                time.sleep(0.3)
        assert time.monotonic() > began + 1.5


def test_sessions_end_by_themselves():
    with served(AuthBed(session_idle_s="2", session_max_s="4"), ann="reader") as b:
        got = b.sign_in("ann")
        worker, who = b.identify(got["session"])
        assert got["expires_s"] == 4 and who["expires_s"] <= 2
        time.sleep(2.2)
        worker.send("RELEASE")
        assert b.identify(got["session"], worker=worker)[1]["error"] != 0
