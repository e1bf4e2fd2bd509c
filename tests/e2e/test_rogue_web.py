"""A web worker in hostile hands: what it can say to the archive after a browser's bytes have taken it over.

It serves requests of several users one after the other and at once, each on a channel. Whoever holds it has
what the credentials that came over this connection may have, and nothing else: no study outside their scope,
nothing of another channel, nothing after the request is over, and no word that is another role's.
"""
import os
import random
import socket
import struct
import time

import pytest

import ipc
from authbed import BEARER, COOKIE, PASSWORD, AuthBed
from ipc import RING, Channel, Ended, condition
from test_rogue_worker import ATTR, commit, find, locate, query, store

OWN, FOREIGN = "1.3.1", "1.3.2"
WEB_SAYS = sorted(name for name, row in ipc.TABLE.items() if "web>archive" in row[1].split(","))
USERS = [("ann", "reader", []), ("ward", "reader", ["--collections", "ward"]), ("bob", "radiographer", []),
         ("boss", "administrator", []), ("watch", "auditor", [])]
CHANNELS_MAX = 15


def of_study(uid):
    return condition(ATTR["StudyInstanceUID"], ipc.SINGLE, uid.encode())


def attributes(**values):
    found = sorted((2 * ATTR[name], value.encode()) for name, value in values.items())
    return b"".join(struct.pack("<HH", n, len(v)) + v for n, v in found)


@pytest.fixture(scope="module")
def bed():
    b = AuthBed()
    b.galena("collection", "add", b.dir, "ward", "--institution", "Ward*")
    for name, role, options in USERS:
        b.user(name, role, *options)
    b.start()
    b.cookies = {name: b.sign_in(name)["session"] for name, _, _ in USERS}
    local = b.ready().get_ring()
    for study, institution in ((OWN, "Ward 3"), (FOREIGN, "Elsewhere")):
        for n in range(3):
            local.ring[:100] = bytes([65 + n]) * 100
            name, got = local.call("STORE_COMMIT", **commit(
                "%s.1.%d" % (study, n), study, 100, series=study + ".1",
                attributes=attributes(InstitutionName=institution)))
            assert (name, got["error"]) == ("STORE_DONE", 0), got
    for i in range(300):
        store(local, "1.3.8.%d" % i, b"%d" % i, study="1.3.8")
    local.close()
    yield b
    try:
        b.alive().stop()
        assert "problem" not in b.galena("verify", b.dir)
    finally:
        b.remove()


@pytest.fixture(autouse=True)
def others_are_served(bed):
    """Whatever a test does: who was there before goes on, and so does who comes."""
    before = user(bed, "ann").get_ring()
    yield
    bed.alive()
    for other in (before, user(bed, "ann").get_ring()):
        assert len(find(other, of_study(OWN))) == 3
        other.close()


def user(bed, name, worker=None):
    """A channel on which a request of this user is served."""
    worker, who = bed.identify(bed.cookies[name], COOKIE, worker)
    assert who["error"] == 0 and who["user"] == name.encode(), who
    return worker


def new(bed):
    return bed.web()


def ready(bed):
    return user(bed, "bob").get_ring()


def storing(bed):
    worker = ready(bed)
    name, got = worker.call("STORE_BODY", study="1.3.9", length=100)
    assert (name, got["error"]) == ("STORE_BODY_TAKEN", 0)
    return worker


def querying(bed):
    worker = ready(bed)
    name, got = worker.call("QUERY", **query(worker, of_study("1.3.8")))
    assert (name, got["done"]) == ("QUERY_ROWS", 0)
    return worker


def retrieving(bed):
    worker = ready(bed)
    assert locate(worker, of_study(OWN)) == 3
    assert worker.call("OBJECT_NEXT")[0] == "OBJECT"
    return worker


PHASES = [new, ready, storing, querying, retrieving]
FIELDS = {
    "STORE_BODY": dict(study="1.3.9", length=10), "OBJECT_READ": dict(max=RING),
    "OBJECT_NEXT": dict(front=1, max=RING),
    "STORE_COMMIT": commit("1.3.9.1", "1.3.9", 10),
    "IDENTIFY": dict(kind=COOKIE, credential=b"x"), "SIGN_IN": dict(user="nobody", password="x"),
    "OIDC_START": dict(return_to="/"), "OIDC_FINISH": dict(cookie=b"x", state=b"x", code="x"),
    "TOKEN_CREATE": dict(name="t", rights=4, days=1), "TOKEN_REVOKE": dict(id="x"),
    "SESSION_REVOKE": dict(id="x"), "PASSWORD_CHANGE": dict(fresh="y"), "PROVE": dict(password="x"),
    "TOTP_CONFIRM": dict(code="1"), "ADMIN": dict(what=0),
    "DELETE_OBJECTS": dict(study="1.3.77"),
}
ANSWERS = {
    "RING_GET": "RING", "STORE_BODY": "STORE_BODY_TAKEN", "STORE_COMMIT": "STORE_DONE", "QUERY": "QUERY_ROWS",
    "QUERY_MORE": "QUERY_ROWS", "LOCATE": "LOCATED", "OBJECT_NEXT": "OBJECT", "OBJECT_READ": "OBJECT_DATA",
    "COUNT": "COUNTED", "CHANNEL_NEW": "CHANNEL", "IDENTIFY": "IDENTITY",
    "SIGN_IN": "SIGNED_IN", "OIDC_START": "OIDC_GO", "OIDC_FINISH": "SIGNED_IN", "TOKENS": "LINES",
    "SESSIONS": "LINES", "TOKEN_CREATE": "TOKEN_CREATED", "TOKEN_REVOKE": "DONE", "SESSION_REVOKE": "DONE",
    "PROVE": "SIGNED_IN", "PASSWORD_CHANGE": "SIGNED_IN", "TOTP_BEGIN": "TOTP_SECRET",
    "TOTP_CONFIRM": "SIGNED_IN", "TOTP_OFF": "SIGNED_IN",
}
NOT_BOBS = {"ADMIN": "LINES", "DELETE_OBJECTS": "DELETED"}  # an error, or the end
SILENT = {"RELEASE", "QUERY_END", "RETRIEVE_END", "STORE_ABORT"}


def fields_of(name, worker):
    if name in ("QUERY", "LOCATE", "COUNT") and worker.ring:
        made = query(worker, of_study(OWN))
        made = made if name == "QUERY" else dict(root=1, level=1, conditions_bytes=made["conditions_bytes"])
        return {k: v for k, v in made.items() if name != "COUNT" or k != "root"}
    return FIELDS.get(name, {})


def settle(worker):
    """The next message: (name, fields), "ended" or "quiet"."""
    try:
        worker.sock.settimeout(3)
        return worker.receive()[:2]
    except Ended:
        return "ended", None
    except TimeoutError:
        return "quiet", None


@pytest.mark.parametrize("phase", PHASES, ids=[p.__name__ for p in PHASES])
@pytest.mark.parametrize("name", [n for n in WEB_SAYS if n != "SIGN_OUT"])
def test_each_message_in_each_phase(bed, name, phase):
    """Where spec/ipc.tsv allows it, the answer; where it does not, the end."""
    worker, allowed = phase(bed), ipc.TABLE[name][2]
    try:
        worker.send(name, **fields_of(name, worker))
        if phase.__name__ not in allowed and "any" not in allowed:
            assert worker.ended()
        elif name in NOT_BOBS:
            got, fields = settle(worker)
            assert got == "ended" or (got == NOT_BOBS[name] and fields["error"] != 0), (got, fields)
        elif name in ANSWERS:
            assert settle(worker)[0] == ANSWERS[name]
        else:
            assert name in SILENT and worker.quiet()
    finally:
        worker.close()


@pytest.mark.parametrize("phase", PHASES, ids=[p.__name__ for p in PHASES])
def test_no_message_of_anybody_else(bed, phase):
    """It is no DIMSE worker, not the supervisor, not auth, not a gate, whatever number it writes."""
    for number in list(range(len(ipc.TABLE) + 3)) + [0x7FFF, 0xFFFF]:
        name = ipc.NAMES.get(number)
        if name in WEB_SAYS:
            continue
        worker = new(bed) if number % 8 else phase(bed)
        worker.raw(ipc.encode(name, **({"fingerprint": b"x" * 32} if name == "PROVEN" else {})) if name
                   else struct.pack("<H", number))
        assert worker.ended(), (number, name)
        worker.close()


def test_no_association_on_the_web_lane(bed):
    for calling in ("LOCAL", "FIRST", "GALENA"):
        worker = new(bed)
        worker.send("ASSOCIATE", calling=calling, called="GALENA")
        assert worker.ended()
        worker.close()


# --- whose request it is

def test_nobody_until_a_credential_is_shown(bed):
    for name in WEB_SAYS:
        if "new" in ipc.TABLE[name][2] or "any" in ipc.TABLE[name][2]:
            continue
        worker = new(bed)
        worker.send(name, **fields_of(name, worker))
        assert worker.ended(), name
        worker.close()


GUESSES = [b"", b"x" * 43, b"\0" * 43, b"A" * 8192, b"gal_" + b"A" * 43, b"ann", b"../ann", b"'; --"]


@pytest.mark.parametrize("kind", [0, COOKIE, BEARER, 3, 255])
def test_guesses(bed, kind):
    worker = new(bed)
    for guess in GUESSES + [bed.cookies["ann"][:-1], bed.cookies["ann"] + b"A",
        bed.cookies["ann"].swapcase()]:
        try:
            name, got = worker.call("IDENTIFY", kind=kind, credential=guess)
        except Ended:
            worker = new(bed)
            continue
        assert name == "IDENTITY" and got["error"] != 0 and got["rights"] == 0 and got["user"] == b"", guess
    worker.close()


def test_a_cookie_is_no_bearer_token(bed):
    worker = new(bed)
    name, got = worker.call("IDENTIFY", kind=BEARER, credential=bed.cookies["ann"])
    assert name == "IDENTITY" and got["error"] != 0
    worker.close()


def test_not_two_at_once(bed):
    """The second needs RELEASE before: rights never add up."""
    worker = user(bed, "ward")
    worker.send("IDENTIFY", kind=COOKIE, credential=bed.cookies["bob"])
    assert worker.ended()
    worker.close()


@pytest.mark.parametrize("phase", [ready, storing, querying, retrieving], ids=lambda p: p.__name__)
def test_after_release_nothing_is_left(bed, phase):
    for name in ("OBJECT_READ", "OBJECT_NEXT", "QUERY_MORE", "STORE_COMMIT", "QUERY", "LOCATE", "TOKENS",
                 "STORE_BODY", "COUNT"):
        worker = phase(bed)
        worker.send("RELEASE")
        worker.send(name, **fields_of(name, worker))
        assert worker.ended(), name
        worker.close()


def test_what_was_open_is_not_the_next_users(bed):
    """bob's request is over, ward's begins on the same channel: bob's object, rows and upload are gone."""
    for phase, name in ((retrieving, "OBJECT_READ"), (querying, "QUERY_MORE"), (retrieving, "OBJECT_NEXT")):
        worker = phase(bed)
        worker.send("RELEASE")
        user(bed, "ward", worker)
        worker.send(name, **fields_of(name, worker))
        assert worker.ended(), name
        worker.close()
    worker = storing(bed)
    worker.send("RELEASE")
    user(bed, "bob", worker)
    worker.ring[:3] = b"end"
    name, got = worker.call("STORE_COMMIT", **commit("1.3.9.5", "1.3.9", 3))
    assert (name, got["error"]) == ("STORE_DONE", 0)
    assert locate(worker, condition(ATTR["SOPInstanceUID"], ipc.SINGLE, b"1.3.9.5")) == 1
    assert worker.call("OBJECT_NEXT")[1]["length"] == 3, "nothing of the upload before it"
    worker.close()


# --- scope and rights

def test_nothing_outside_the_scope(bed):
    def located(conditions):
        worker = user(bed, "ward").get_ring()
        n = locate(worker, conditions)
        worker.close()
        worker = user(bed, "ward").get_ring()  # and with the first object at once
        worker.ring[RING:RING + len(conditions)] = conditions
        assert worker.call("LOCATE", root=1, level=1, conditions_bytes=len(conditions), first=1, front=1,
                           max=RING)[1]["count"] == n
        if n:
            assert worker.receive()[1]["read_bytes"] == 100
        else:
            assert worker.quiet() and worker.ring[:RING] == bytes(RING)
        worker.close()
        return n

    worker = user(bed, "ward").get_ring()
    for study, n in ((OWN, 3), (FOREIGN, 0), ("1.3.99", 0)):
        for level in (1, 2, 3):
            found = find(worker, of_study(study), level=level, returns=(ATTR["StudyInstanceUID"],))
            assert bool(found) == bool(n)
        assert located(of_study(study)) == n
    for n in range(3):
        uid = "%s.1.%d" % (FOREIGN, n)
        assert located(condition(ATTR["SOPInstanceUID"], ipc.SINGLE, uid.encode())) == 0
    worker.close()


def count(worker, conditions, level=3):
    worker.ring[RING:RING + len(conditions)] = conditions
    name, got = worker.call("COUNT", level=level, conditions_bytes=len(conditions))
    assert (name, got["error"]) == ("COUNTED", 0)
    return got["count"]


def test_counts_are_of_the_scope(bed):
    everything, own = user(bed, "ann").get_ring(), user(bed, "ward").get_ring()
    assert count(everything, of_study(FOREIGN)) == 3
    assert (count(own, of_study(FOREIGN)), count(own, of_study(OWN))) == (0, 3)
    assert count(own, b"") == 3
    everything.close()
    own.close()


RIGHTS = [("ann", "STORE_BODY"), ("ann", "STORE_COMMIT"), ("ward", "STORE_COMMIT"), ("ann", "DELETE_OBJECTS"),
          ("ann", "ADMIN"), ("bob", "ADMIN"), ("bob", "DELETE_OBJECTS"), ("boss", "QUERY"),
          ("boss", "LOCATE"),
          ("boss", "STORE_BODY"), ("boss", "COUNT"), ("watch", "QUERY"), ("watch", "LOCATE"),
              ("watch", "ADMIN"),
          ("watch", "STORE_BODY")]


@pytest.mark.parametrize("who,name", RIGHTS)
def test_what_the_user_may_not(bed, who, name):
    worker = user(bed, who).get_ring()
    worker.send(name, **fields_of(name, worker))
    got, fields = settle(worker)
    assert got == "ended" or fields["error"] != 0, (got, fields)
    worker.close()


def test_studies_of_others_are_not_deleted(bed):
    for who in ("ann", "ward", "bob"):
        worker = user(bed, who)
        worker.send("DELETE_OBJECTS", study=FOREIGN)
        got, fields = settle(worker)
        assert got == "ended" or fields["error"] != 0 and fields["count"] == 0
        worker.close()
    check = user(bed, "ann").get_ring()
    assert len(find(check, of_study(FOREIGN))) == 3
    check.close()


# --- accounts

def lines(worker, name):
    kind, got = worker.call(name)
    assert kind == "LINES"
    return [line.split("\t") for line in got["text"].decode().splitlines()]


def test_only_ones_own_sessions_and_tokens(bed):
    bob, ann = user(bed, "bob"), user(bed, "ann")
    made = bed.change(bob, "TOKEN_CREATE", name="bobs", rights=4, days=1)
    assert made["error"] == 0, made
    theirs = {row[0] for row in lines(bob, "TOKENS")}
    assert made["id"].decode() in theirs
    assert not theirs & {row[0] for row in lines(ann, "TOKENS")}
    sessions = {row[0] for row in lines(bob, "SESSIONS")}
    assert not sessions & {row[0] for row in lines(ann, "SESSIONS")}
    assert ann.call("TOKEN_REVOKE", id=made["id"])[1]["error"] != 0
    for session in sessions:
        assert ann.call("SESSION_REVOKE", id=session)[1]["error"] != 0
    assert made["id"].decode() in {row[0] for row in lines(bob, "TOKENS")}
    assert bob.call("TOKEN_REVOKE", id=made["id"])[1]["error"] == 0
    bob.close()
    ann.close()


@pytest.mark.parametrize("rights", [2, 8, 16, 32, 0xFFFFFFFF, 0x80000000])
def test_no_token_for_more_than_one_may(bed, rights):
    """ann may neither store nor delete nor administer: nor may any token of hers."""
    ann = user(bed, "ann")
    made = bed.change(ann, "TOKEN_CREATE", name="more", rights=rights, days=1)
    if made["error"] == 0:
        worker, who = bed.identify(made["token"], BEARER)
        assert who["rights"] & 0b110010 == 0, bin(who["rights"])
        worker.close()
    ann.close()


def test_after_signing_out(bed):
    session = bed.sign_in("ann")["session"]
    worker, _ = bed.identify(session)
    assert worker.call("SIGN_OUT")[1]["error"] == 0
    other, who = bed.identify(session)
    assert who["error"] != 0
    worker.close()
    other.close()


def test_who_has_signed_out_can_say_so(bed):
    """Another's sign-out has all sessions of that user looked at; the answer to this one's is on its way."""
    worker, _ = bed.identify(bed.sign_in("ann")["session"])
    assert worker.call("SIGN_OUT")[1]["error"] == 0
    another_one, _ = bed.identify(bed.sign_in("ann")["session"])
    assert another_one.call("SIGN_OUT")[1]["error"] == 0
    assert worker.quiet()  # and has not ended
    worker.send("RELEASE")
    user(bed, "ann", worker)
    worker.close()
    another_one.close()


@pytest.mark.parametrize("name", ["TOKENS", "COUNT"])
def test_who_has_signed_out_can_do_nothing(bed, name):
    worker, _ = bed.identify(bed.sign_in("ann")["session"])
    assert worker.call("SIGN_OUT")[1]["error"] == 0
    worker.send(name, **fields_of(name, worker))
    settle(worker)  # an answer with nothing in it, perhaps
    assert worker.ended()
    worker.close()


# --- several channels

def another(worker):
    worker.send("CHANNEL_NEW")
    name, got, fds = worker.receive()
    assert name == "CHANNEL"
    if got["error"]:
        return None
    return Channel(socket.socket(fileno=fds[0]))


def sign_out(bed, worker, _):
    assert worker.call("SIGN_OUT")[1]["error"] == 0


def change_password(bed, worker, _):
    assert bed.change(worker, "PASSWORD_CHANGE", fresh="another password")["error"] == 0


def sign_in_again(bed, worker, session):
    worker.send("RELEASE")
    assert worker.call("SIGN_IN", user="kim", password=PASSWORD, session=session)[1]["error"] == 0


@pytest.mark.parametrize("end", [sign_out, change_password, sign_in_again])
def test_the_answer_comes_before_other_requests_of_its_connection_end(bed, end):
    """Their worker would end with the first of them, and the new session's cookie with it."""
    bed.user("kim")
    bed.reload()
    session = bed.sign_in("kim")["session"]
    workers = [bed.web() for _ in range(2)]
    workers.append(another(workers[0]))
    for worker in workers:
        bed.identify(session, worker=worker)
    asking, elsewhere, beside = workers
    end(bed, asking, session)
    assert elsewhere.ended() and beside.quiet(0.3)
    time.sleep(1)
    beside.send("TOKENS")
    assert beside.ended()
    bed.galena("user", "remove", bed.dir, "kim")
    bed.reload()


def test_each_channel_is_somebodys_of_its_own(bed):
    """One connection, two users: neither reaches what the other has open."""
    first = ready(bed)
    second = another(first)
    second.send("QUERY", root=1, level=1)
    assert second.ended(), "nobody is identified there"
    second = another(first)
    user(bed, "ward", second).get_ring()
    assert locate(first, of_study(FOREIGN)) == 3
    assert first.call("OBJECT_NEXT")[0] == "OBJECT"
    assert locate(second, of_study(FOREIGN)) == 0
    first.ring[:8] = b"bobs own"
    assert second.ring[:8] != b"bobs own", "each has a ring of its own"
    second.send("OBJECT_READ", max=10)
    assert second.ended()
    assert first.call("OBJECT_READ", max=100)[1]["length"] == 100
    first.close()


def test_channels_are_limited_and_end(bed):
    bed.stats()
    before = bed.descriptors()
    worker = ready(bed)
    more = [another(worker) for _ in range(CHANNELS_MAX)]
    assert all(more)
    for _ in range(20):
        try:
            assert another(worker) is None
        except Ended:
            break
    worker.close()
    for c in more:
        c.close()
    end = time.monotonic() + 5
    while bed.descriptors() > before and time.monotonic() < end:
        bed.stats()
        time.sleep(0.05)
    assert bed.descriptors() <= before


def test_channels_for_channels(bed):
    """From a further channel none come that the connection has not."""
    worker = new(bed)
    chain = [worker]
    try:
        for _ in range(40):
            made = another(chain[-1])
            if not made:
                break
            chain.append(made)
    except Ended:
        pass
    assert len(chain) <= CHANNELS_MAX + 1
    for c in chain:
        c.close()


# --- stores that are answered before they are durable

WAITING_MAX = 16  # STORES_WAITING_MAX in prog/archive/archive.h


def early(worker, study, number, length=100000):
    worker.send("STORE_COMMIT", **commit("%s.%d" % (study, number), study, length, series=study + ".0",
                                         early=1))


def in_time(bed, study, wanted):
    """How many objects of it there are, as soon as there are so many."""
    worker, end = ready(bed), time.monotonic() + 5
    while len(find(worker, of_study(study))) < wanted and time.monotonic() < end:
        time.sleep(0.05)
    found = len(find(worker, of_study(study)))
    worker.close()
    return found


def heard(worker):
    """The names of what it has said; "ended" when it is over."""
    names = []
    while names[-1:] != ["ended"] and not worker.quiet(0.002):
        try:
            names.append(worker.receive()[0])
        except Ended:
            names.append("ended")
    return names


def said_to_a_flood(worker, study):
    """What a thousand commits hear that wait for nothing."""
    said = []
    for number in range(1000):
        try:
            early(worker, study, number, 1000)
        except Ended:
            break
        said += heard(worker) if number % 50 == 49 else []
    return said + heard(worker)


def most_waiting(said):
    waiting = [0]
    for name in said:
        waiting.append(waiting[-1] + {"STORE_TAKEN": 1, "STORE_DONE": -1, "ended": 0}[name])
    return max(waiting)


def test_no_more_than_sixteen_stores_wait(bed):
    """Whoever does not wait for the disk loses the channel, and nothing that was durable."""
    for attempt in range(20):  # a fast disk keeps up with some
        study, worker = "1.3.20.%d" % attempt, ready(bed)
        said = said_to_a_flood(worker, study)
        worker.close()
        assert most_waiting(said) <= WAITING_MAX
        if said[-1] == "ended":
            break
    assert said[-1] == "ended" and most_waiting(said) == WAITING_MAX
    durable = said.count("STORE_DONE")
    assert in_time(bed, study, durable) >= durable


def test_sixteen_stores_may_wait(bed):
    worker = ready(bed)
    for attempt in range(20):
        study = "1.3.21.%d" % attempt
        for number in range(WAITING_MAX):
            early(worker, study, number, 10)
        got = [worker.receive()[0] for _ in range(2 * WAITING_MAX)]
        assert got.count("STORE_TAKEN") == got.count("STORE_DONE") == WAITING_MAX
        assert len(find(worker, of_study(study))) == WAITING_MAX
    worker.close()


def test_what_a_request_waited_for_reaches_nobody_else(bed):
    """It is over before its stores are durable: the next one on this channel hears nothing of them."""
    user(bed, "ward").close()  # so that IDENTIFY is answered at once
    late = 0
    for attempt in range(30):
        worker, study = ready(bed), "1.3.22.%d" % attempt
        for number in range(8):
            early(worker, study, number)
        worker.send("RELEASE")
        worker.send("IDENTIFY", kind=COOKIE, credential=bed.cookies["ward"])
        got = []
        while got[-1:] != ["IDENTITY"]:
            got.append(worker.receive()[0])
        assert got.count("STORE_TAKEN") == 8, got
        late += got.count("STORE_DONE") < 8
        assert worker.quiet(), worker.receive()
        assert len(find(worker, of_study(study))) == 0
        worker.close()
    assert late > 0, "no store was under way when its request ended"
    assert in_time(bed, study, 8) == 8


# --- forms and floods

def test_messages_cut_and_prolonged(bed):
    for name in ("IDENTIFY", "SIGN_IN", "TOKEN_CREATE", "DELETE_OBJECTS", "QUERY"):
        message = ipc.encode(name, **FIELDS.get(name, dict(root=1, level=3, returns=b"\0\0")))
        for spoilt in [message[:n] for n in range(2, len(message), 5)] + [message + b"\0"]:
            worker = new(bed) if "new" in ipc.TABLE[name][2] else user(bed, "bob")
            worker.raw(spoilt)
            assert worker.ended(), (name, spoilt[:40])
            worker.close()


def test_messages_of_noise(bed):
    rng = random.Random(4)
    numbers = [n for n, name in ipc.NAMES.items() if name in WEB_SAYS and name not in ("SIGN_OUT",
        "PASSWORD_CHANGE")]
    for i in range(400):
        worker = ready(bed) if i % 2 else new(bed)
        try:
            for _ in range(rng.randrange(1, 5)):
                worker.raw(struct.pack("<H", rng.choice(numbers)) + os.urandom(rng.randrange(0, 200)))
        except Ended:
            pass
        worker.close()


FLOODS = [(new, "IDENTIFY", dict(kind=COOKIE, credential=b"x" * 43)), (ready, "COUNT", dict(level=1)),
          (ready, "TOKENS", {}), (retrieving, "OBJECT_NEXT", dict(front=1, max=RING)),
          (new, "CHANNEL_NEW", {})]


@pytest.mark.parametrize("phase,name,fields", FLOODS, ids=[f[1] for f in FLOODS])
def test_questions_whose_answers_nobody_reads(bed, phase, name, fields):
    worker, other = phase(bed), ready(bed)
    message = ipc.encode(name, **fields)
    worker.sock.settimeout(5)
    try:
        for i in range(20000):
            worker.raw(message)
            if i % 2000 == 0:
                assert len(find(other, of_study(OWN))) == 3
    except (Ended, TimeoutError):
        pass
    assert len(find(other, of_study(OWN))) == 3
    worker.close()
    other.close()


def test_passwords_are_not_guessed_at_speed(bed):
    """Many channels, many workers: the address waits all the same."""
    refused = 0
    for _ in range(40):
        worker = new(bed)
        name, got = worker.call("SIGN_IN", user="watch", password="guess", client="198.51.100.7")
        assert name == "SIGNED_IN" and got["error"] != 0 and got["session"] == b""
        refused += got["wait_s"] > 0
        worker.close()
    assert refused > 10
