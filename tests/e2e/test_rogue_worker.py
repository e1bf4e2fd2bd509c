"""A worker in hostile hands: its channel to the archive, and whatever one can say there.

Each message in each phase, fields that lie, memory that changes under the archive's eyes. It gets what its
session may have and no more; what no honest worker would say ends its session; and the archive goes on
serving the others.
"""
import os
import random
import re
import socket
import struct
import threading
import time

import pytest

import ipc
from conftest import BUILD, ROOT, wait_until
from ipc import LANE_PLAIN, LANE_TLS, RING, Bed, Ended, condition

with open(os.path.join(ROOT, "src", "std", "index_attr.h"), encoding="utf-8") as header:
    ATTR = {name: i for i, name in enumerate(re.findall(r"^    X\((\w+),", header.read(), re.M))}
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
STUDY = condition(ATTR["StudyInstanceUID"], ipc.SINGLE, b"1.2.3")
WORKER_SAYS = sorted(name for name, row in ipc.TABLE.items() if "dimse>archive" in row[1].split(","))


@pytest.fixture(scope="module")
def bed():
    b = Bed()
    b.galena("peer", "add", b.dir, "modality", "--ae", "MODALITY", "--can", "store", "--plain",
             "127.0.0.1/32")
    b.galena("peer", "add", b.dir, "viewer", "--ae", "VIEWER", "--can", "query,retrieve", "--plain",
             "127.0.0.1/32")
    b.galena("peer", "add", b.dir, "target", "--ae", "TARGET", "--plain", "127.0.0.1/32", "--address",
             "127.0.0.1:2")
    b.galena("peer", "add", b.dir, "first", "--ae", "FIRST")
    b.start()
    store(b.ready().get_ring(), "1.2.3.4", b"one" * 1000)
    yield b
    try:
        b.alive().stop()
        assert "problem" not in b.galena("verify", b.dir)
    finally:
        b.remove()


@pytest.fixture(autouse=True)
def another_is_served(bed):
    """Whatever a test does: a session that was open before goes on, and so does a new one."""
    before = bed.ready().get_ring()
    yield
    bed.alive()
    for other in (before, bed.ready().get_ring()):
        assert len(find(other)) >= 1
        other.close()


def commit(instance="1.2.3.4", study="1.2.3", length=0, **other):
    fields = dict(sop_class=CT, sop_instance=instance, study=study, series="1.2.3.1",
                  transfer_syntax=EXPLICIT,
                  length=length)
    fields.update(other)
    return fields


def store(worker, instance, body, study="1.2.3"):
    worker.ring[:len(body)] = body
    name, got = worker.call("STORE_COMMIT", **commit(instance, study, len(body)))
    assert (name, got["error"]) == ("STORE_DONE", 0), got
    return got["outcome"]


def query(worker, conditions, level=3, returns=(ATTR["SOPInstanceUID"],), **more):
    worker.ring[RING:RING + len(conditions)] = conditions
    return dict(dict(root=1, level=level, conditions_bytes=len(conditions),
                     returns=b"".join(struct.pack("<H", r) for r in returns)), **more)


def find(worker, conditions=STUDY, **more):
    """The SOP Instance UIDs of the study."""
    name, got = worker.call("QUERY", **query(worker, conditions, **more))
    uids = []
    while True:
        assert (name, got["error"]) == ("QUERY_ROWS", 0), got
        at = 0
        while at < len(got["rows"]):
            n, = struct.unpack_from("<H", got["rows"], at)
            uids.append(got["rows"][at + 2:at + 2 + n].decode())
            at += 2 + n
        if got["done"]:
            return uids
        name, got = worker.call("QUERY_MORE")


def locate(worker, conditions=STUDY):
    worker.ring[RING:RING + len(conditions)] = conditions
    name, got = worker.call("LOCATE", root=1, level=1, conditions_bytes=len(conditions))
    assert (name, got["error"]) == ("LOCATED", 0)
    return got["count"]


# --- every message in every phase

def new(bed):
    return bed.open()


def ready(bed):
    return bed.ready().get_ring()


def storing(bed):
    worker = ready(bed)
    name, got = worker.call("STORE_BODY", study="1.2.9", length=100)
    assert (name, got["error"]) == ("STORE_BODY_TAKEN", 0)
    return worker


def querying(bed):
    for i in range(300 - int(bed.stats()["instances"])): # more rows than one answer holds
        if i == 0:
            worker = ready(bed)
        store(worker, "1.2.8.%d" % i, b"%d" % i, study="1.2.8")
    worker = ready(bed)
    everything = condition(ATTR["StudyInstanceUID"], ipc.SINGLE, b"1.2.8")
    name, got = worker.call("QUERY", **query(worker, everything))
    assert (name, got["done"]) == ("QUERY_ROWS", 0)
    return worker


def retrieving(bed):
    worker = ready(bed)
    assert locate(worker) >= 1
    assert worker.call("OBJECT_NEXT")[1]["sop_instance"] == b"1.2.3.4"
    return worker


def dialling(bed):
    worker = retrieving(bed)
    worker.send("DIAL_PEER", ae_title="TARGET")
    assert bed.expect("DIAL")["port"] == 2
    return worker


PHASES = [new, ready, storing, querying, retrieving, dialling]


def well_formed(name, worker):
    if name == "ASSOCIATE":
        return dict(calling="LOCAL", called="GALENA")
    if name == "STORE_BODY":
        return dict(study="1.2.9", length=10)
    if name == "STORE_COMMIT":
        return commit("1.2.9.1", "1.2.9", 10)
    if name in ("QUERY", "LOCATE") and worker.ring:
        fields = query(worker, STUDY)
        return fields if name == "QUERY" else dict(root=1, level=1,
                                                   conditions_bytes=fields["conditions_bytes"])
    if name == "OBJECT_READ":
        return dict(max=RING)
    if name == "OBJECT_NEXT":
        return dict(front=1, max=RING)
    if name == "DIAL_PEER":
        return dict(ae_title="NOBODY")
    return {}


ANSWERS = {"ASSOCIATE": "ASSOCIATE_RESULT", "RING_GET": "RING", "STORE_BODY": "STORE_BODY_TAKEN",
           "STORE_COMMIT": "STORE_DONE",
           "QUERY": "QUERY_ROWS", "QUERY_MORE": "QUERY_ROWS", "LOCATE": "LOCATED", "OBJECT_NEXT": "OBJECT",
           "OBJECT_READ": "OBJECT_DATA", "COUNT": "COUNTED", "DIAL_PEER": "PEER_DIALED"}


@pytest.mark.parametrize("phase", PHASES, ids=[p.__name__ for p in PHASES])
@pytest.mark.parametrize("name", WORKER_SAYS)
def test_each_message_in_each_phase(bed, name, phase):
    """Where spec/ipc.tsv allows it, the answer; where it does not, the end."""
    worker = phase(bed)
    try:
        worker.send(name, **well_formed(name, worker))
        if phase.__name__ not in ipc.TABLE[name][2]:
            assert worker.ended()
        elif name in ANSWERS:
            assert worker.receive()[0] == ANSWERS[name]
        else:
            assert worker.quiet()
    finally:
        worker.close()


@pytest.mark.parametrize("phase", PHASES, ids=[p.__name__ for p in PHASES])
def test_no_message_of_anybody_else(bed, phase):
    """A worker is not the supervisor, not auth, not a gate, whatever number it writes."""
    for number in list(range(len(ipc.TABLE) + 3)) + [0x7FFF, 0xFFFF]:
        if ipc.NAMES.get(number) in WORKER_SAYS:
            continue
        worker = new(bed) if number % 8 else phase(bed)
        name = ipc.NAMES.get(number)
        worker.raw(ipc.encode(name, **({"fingerprint": b"x" * 32} if name == "PROVEN" else {})) if name
                   else struct.pack("<H", number))
        assert worker.ended(), (number, name)
        worker.close()


# --- forms

def test_messages_cut_and_prolonged(bed):
    whole = [ipc.encode(n, **f) for n, f in (
        ("STORE_COMMIT", commit(length=10)), ("QUERY", dict(root=1, level=3, returns=b"\0\0")),
        ("RING_GET", {}),
        ("STORE_BODY", dict(study="1.2.9", length=1)), ("LOCATE", dict(level=1)))]
    for message in whole:
        for spoilt in [message[:n] for n in range(1, len(message), 7)] + [message + b"\0",
                                                                          message + b"\0" * 60000]:
            worker = ready(bed)
            worker.raw(spoilt)
            assert worker.ended(), spoilt[:40]
            worker.close()


def test_lengths_inside_messages_that_lie(bed):
    good = ipc.encode("STORE_BODY", study="1.2.9", length=1)
    for n in (0, 4, 6, 65, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF):
        worker = ready(bed)
        worker.raw(good[:2] + struct.pack("<I", n) + good[6:])
        assert worker.ended(), n
        worker.close()


@pytest.mark.parametrize("uid", ["", "..", ".", "1..2", "../../keys", "1.2/3", "1.2\0", "1.2 ", "a",
                                 "1." * 32 + "1",
                                 "%s%n", "1.2.\u0663"])
def test_uids_that_are_none(bed, uid):
    for field in ("sop_class", "sop_instance", "study", "series", "transfer_syntax"):
        worker = ready(bed)
        worker.send("STORE_COMMIT", **commit(length=10, **{field: uid}))
        assert worker.ended(), field
        worker.close()


def test_descriptors_nobody_asked_for(bed):
    """They are closed, and their sender's session ends."""
    before = bed.descriptors()
    for count in (1, 4, 5, 100):
        worker = ready(bed)
        worker.raw(ipc.encode("RING_GET"), [worker.sock.fileno()] * count)
        assert worker.ended(), count
        worker.close()
    wait_until(lambda: bed.descriptors() <= before)


# --- the ring

RANGES = [ # offset, length, does it lie in the body area
    (0, RING, True), (RING, 0, True), (RING - 1, 1, True), (0, 0, True),
    (RING, 1, False), (RING - 1, 2, False), (0, RING + 1, False), (RING + 1, 0, False), (0, 2 * RING, False),
    (0xFFFFFFFF, 1, False), (1, 0xFFFFFFFF, False), (0x80000000, 0x80000000, False),
    (0xFFFFFFFF, 0xFFFFFFFF, False),
]


@pytest.mark.parametrize("offset,length,inside", RANGES)
def test_places_in_the_ring(bed, offset, length, inside):
    for name, fields in (("STORE_BODY", dict(study="1.2.9")), ("STORE_COMMIT", commit("1.2.9.9", "1.2.9"))):
        worker = ready(bed)
        worker.send(name, **dict(fields, ring_offset=offset, length=length))
        assert worker.receive()[0] == ANSWERS[name] if inside else worker.ended(), name
        worker.close()
    worker = retrieving(bed)
    worker.send("OBJECT_READ", ring_offset=offset, max=length)
    assert worker.receive()[0] == "OBJECT_DATA" if inside and length else worker.ended()
    worker.close()
    worker = retrieving(bed)
    worker.send("OBJECT_NEXT", ring_offset=offset, max=length)
    assert worker.receive()[0] == "OBJECT" if inside else worker.ended()
    worker.close()


@pytest.mark.parametrize("max_bytes", [RING + 1, 2 * RING, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("first", [0, 1])
def test_no_object_comes_along_to_where_no_memory_is(bed, first, max_bytes):
    worker = ready(bed)
    worker.send("LOCATE", root=1, level=1, conditions_bytes=query(worker, STUDY)["conditions_bytes"],
                first=first, max=max_bytes)
    assert worker.ended()
    worker.close()


@pytest.fixture(scope="module")
def with_summary(bed):
    """Conditions for an object, its body, and its summary and frame table as one."""
    worker, body, front = ready(bed), os.urandom(3000), b"summary" + b"frames"
    worker.ring[:len(body)] = body
    worker.ring[RING:RING + len(front)] = front
    name, got = worker.call("STORE_COMMIT", **commit("1.2.4.1", "1.2.4", len(body), summary_bytes=7,
                                                     frames_bytes=6))
    assert (name, got["error"]) == ("STORE_DONE", 0)
    worker.close()
    return condition(ATTR["SOPInstanceUID"], ipc.SINGLE, b"1.2.4.1"), body, front


@pytest.mark.parametrize("front", [0, 1])
@pytest.mark.parametrize("most,read", [(0, 0), (1, 1), (2999, 2999), (3000, 3000), (3001, 3000),
                                       (RING, 3000)])
def test_an_object_comes_along_as_far_as_it_is_wanted(bed, with_summary, most, read, front):
    """With LOCATED, and when it is asked for: what was wanted, where it was wanted, and not a byte more."""
    conditions, body, summary = with_summary
    summary = summary if front else b""
    untouched = bytes([0xEE]) * 2 * RING

    def came(got, place):
        assert (got["error"], got["length"], got["read_bytes"]) == (0, 3000, read)
        assert got["summary_bytes"] + got["frames_bytes"] == len(summary)
        assert worker.ring[:place] + worker.ring[place + read:RING] == untouched[:RING - read]
        assert worker.ring[place:place + read] == body[:read]
        assert worker.ring[RING:RING + len(summary)] == summary
        at = RING + max(len(summary), len(conditions))
        assert worker.ring[at:] == untouched[at:]
        worker.ring[:] = untouched

    worker = ready(bed)
    worker.ring[:] = untouched
    worker.ring[RING:RING + len(conditions)] = conditions
    name, got = worker.call("LOCATE", root=1, level=1, conditions_bytes=len(conditions), first=1, front=front,
                            max=most)
    assert (name, got["count"]) == ("LOCATED", 1)
    came(worker.receive()[1], 0)
    worker.send("RETRIEVE_END")
    assert locate(worker, conditions) == 1
    came(worker.call("OBJECT_NEXT", front=front, ring_offset=RING - most, max=most)[1], RING - most)
    assert worker.call("OBJECT_NEXT", front=front, max=most)[1]["done"] == 1
    assert worker.ring[:] == untouched, "of nothing, nothing comes"
    worker.close()


def test_of_nothing_no_object_comes(bed):
    worker, nobody = ready(bed), condition(ATTR["StudyInstanceUID"], ipc.SINGLE, b"1.2.3.99")
    worker.ring[RING:RING + len(nobody)] = nobody
    name, got = worker.call("LOCATE", root=1, level=1, conditions_bytes=len(nobody), first=1, max=RING)
    assert (name, got["error"], got["count"]) == ("LOCATED", 0, 0)
    assert worker.quiet()
    assert worker.call("OBJECT_NEXT", max=RING)[1]["done"] == 1
    worker.close()


@pytest.mark.parametrize("summary,frames,inside", [(RING, 0, True), (0, RING, True),
                                                   (RING // 2, RING // 2, True),
                                                   (RING + 1, 0, False), (1, RING, False),
                                                   (0xFFFFFFFF, 1, False),
                                                   (1, 0xFFFFFFFF, False), (0x80000000, 0x80000000, False)])
def test_places_in_the_auxiliary_area(bed, summary, frames, inside):
    worker = ready(bed)
    worker.send("STORE_COMMIT", **commit("1.2.9.8", "1.2.9", 10, summary_bytes=summary, frames_bytes=frames))
    assert worker.receive()[0] == "STORE_DONE" if inside else worker.ended()
    worker.close()


@pytest.mark.parametrize("name", ["STORE_BODY", "STORE_COMMIT", "QUERY", "LOCATE"])
def test_no_ring_at_all(bed, name):
    worker = bed.ready()
    worker.send(name, **well_formed(name, worker) if name not in ("QUERY", "LOCATE") else dict(level=1))
    assert worker.ended()
    worker.close()


def test_memory_that_changes_during_commit(bed):
    """What is stored is some mixture; what is sealed opens again, and nothing else is touched."""
    worker, stop = ready(bed), threading.Event()

    def scribble():
        while not stop.is_set():
            worker.ring[:RING] = os.urandom(RING)
            worker.ring[RING:] = os.urandom(RING)

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        uids = ["1.2.7.%d" % i for i in range(20)]
        for uid in uids:
            name, got = worker.call("STORE_COMMIT", **commit(uid, "1.2.7", RING, summary_bytes=50000,
                                                             frames_bytes=50000))
            assert (name, got["error"]) == ("STORE_DONE", 0)
        fields = query(worker, STUDY)
        for _ in range(50): # conditions that change between the check and the use
            worker.send("QUERY", **fields)
            try:
                if worker.receive()[1]["done"] == 0:
                    worker.send("QUERY_END")
            except Ended:
                break
    finally:
        stop.set()
        thread.join()
    reader = ready(bed)
    assert locate(reader, condition(ATTR["StudyInstanceUID"], ipc.SINGLE, b"1.2.7")) == len(uids)
    for _ in uids:
        assert reader.call("OBJECT_NEXT")[1]["length"] == RING
        assert reader.call("OBJECT_READ", max=RING)[1] == dict(error=0, ring_offset=0, length=RING, last=1)
    reader.close()
    worker.close()


def test_rings_without_end(bed):
    worker = bed.ready()
    before = bed.descriptors()
    for _ in range(300):
        worker.get_ring()
        worker.ring.close()
    assert bed.descriptors() <= before + 1
    worker.close()


def test_the_ring_cannot_be_resized(bed):
    """A truncated mapping would kill the archive at its next touch."""
    worker = bed.ready()
    worker.send("RING_GET")
    _, _, fds = worker.receive()
    for size in (0, 4096, 4 * RING):
        with pytest.raises(OSError):
            os.ftruncate(fds[0], size)
    os.close(fds[0])
    worker.close()


# --- objects

def test_the_study_cannot_change_in_the_middle(bed):
    worker = storing(bed)
    worker.send("STORE_COMMIT", **commit("1.2.9.2", "1.2.3", 10))
    assert worker.ended()
    worker.close()


def test_what_is_not_committed_is_not_there(bed):
    """Neither for others nor for oneself, and nothing of it stays when the session ends."""
    worker = ready(bed)
    for _ in range(3):
        worker.call("STORE_BODY", study="1.2.6", length=RING)
    other, mine = ready(bed), condition(ATTR["StudyInstanceUID"], ipc.SINGLE, b"1.2.6")
    assert find(other, mine) == []
    worker.close()
    assert find(other, mine) == []
    store(other, "1.2.6.1", b"whole", "1.2.6")
    assert find(other, mine) == ["1.2.6.1"]
    other.close()


ATTRIBUTES = [
    ("cut in the number", b"\0"), ("cut in the length", b"\0\0\5"), ("cut in the value", b"\0\0\5\0ab"),
    ("of no such number", b"\xff\xff\0\0"), ("descending", b"\4\0\1\0a\0\0\1\0a"),
    ("twice", b"\0\0\1\0a\0\0\1\0a"),
    ("not UTF-8", b"\0\0\2\0\xc3\x28"), ("with an overlong form", b"\0\0\2\0\xc0\x80"),
    ("a surrogate", b"\0\0\3\0\xed\xa0\x80"),
]


@pytest.mark.parametrize("name,raw", ATTRIBUTES, ids=[a[0] for a in ATTRIBUTES])
def test_attributes_that_are_none(bed, name, raw):
    """Refused before it is stored: what the index cannot take must not be in the store either."""
    worker = ready(bed)
    before = bed.stats()["store_bytes"]
    name, got = worker.call("STORE_COMMIT", **commit("1.2.9.3", "1.2.9", 10, attributes=raw))
    assert name == "STORE_DONE" and got["error"] != 0
    assert bed.stats()["store_bytes"] == before
    worker.close()


def test_attributes_of_odd_content(bed):
    """SQL, NUL, a long value, line feeds: text like any other."""
    worker = ready(bed)
    for i, value in enumerate((b"'; DROP TABLE instance; --", b"a\0b", b"\n\r\x1b[2J", b"x" * 40000,
                               "\u202eevil".encode(), b"")):
        uid = "1.2.5.%d" % i
        fields = commit(uid, "1.2.5", 10, attributes=struct.pack("<HH", 0, len(value)) + value)
        name, got = worker.call("STORE_COMMIT", **fields)
        assert name == "STORE_DONE"
        if got["error"] == 0:
            assert uid in find(worker, condition(ATTR["StudyInstanceUID"], ipc.SINGLE, b"1.2.5"))
    worker.close()


def test_reading_what_is_not_open(bed):
    for steps in (["OBJECT_READ"], ["OBJECT_NEXT"] * 2 + ["OBJECT_READ"]):
        worker = ready(bed)
        assert locate(worker, condition(ATTR["SOPInstanceUID"], ipc.SINGLE, b"1.2.3.4")) == 1
        for step in steps[:-1]:
            worker.call(step)
        worker.send("OBJECT_READ", max=100)
        assert worker.ended()
        worker.close()


def test_reading_past_the_end(bed):
    worker = retrieving(bed)
    got = [worker.call("OBJECT_READ", max=RING, offset=at)[1] for at in (0, 3000, 3000, 2999)]
    assert [(g["length"], g["last"]) for g in got] == [(3000, 1), (0, 1), (0, 1), (1, 1)]
    worker.send("OBJECT_READ", max=RING, offset=3001)
    assert worker.ended()
    worker.close()


# --- queries

QUERIES = [
    ("root", dict(root=2)), ("root", dict(root=255)), ("level", dict(level=4)), ("level", dict(level=255)),
    ("more conditions than memory", dict(conditions_bytes=0xFFFFFFFF)),
    ("too many", dict(conditions_bytes=768 * 1024 + 1)),
    ("an attribute that is none", dict(returns=b"\xff\xff")), ("half an attribute", dict(returns=b"\0\0\0")),
    ("too many attributes", dict(returns=b"\0\0" * 512)),
]


@pytest.mark.parametrize("name,fields", QUERIES, ids=[q[0] for q in QUERIES])
def test_queries_that_are_none(bed, name, fields):
    worker = ready(bed)
    worker.send("QUERY", **dict(query(worker, STUDY), **fields))
    assert worker.ended()
    worker.close()


CONDITIONS = [
    ("no such attribute", condition(0xFFFF, ipc.SINGLE, b"x")), ("no such kind", condition(0, 9, b"x")),
    ("a value too few", condition(0, ipc.SINGLE)), ("a range of one", condition(0, ipc.RANGE, b"1")),
    ("not UTF-8", condition(0, ipc.SINGLE, b"\xff")), ("cut short", condition(0, ipc.SINGLE, b"abc")[:-1]),
    ("a count that lies", struct.pack("<HBH", 0, ipc.LIST, 0xFFFF)),
    ("a length that lies", struct.pack("<HBHI", 0, ipc.SINGLE, 1, 0xFFFFFFFF)),
    ("a value too long", condition(0, ipc.SINGLE, b"x" * 4097)), ("129 of them", STUDY * 129),
]


@pytest.mark.parametrize("name,raw", CONDITIONS, ids=[c[0] for c in CONDITIONS])
def test_conditions_that_are_none(bed, name, raw):
    """Refused with an error or with the end; never answered."""
    for message in ("QUERY", "LOCATE"):
        worker = ready(bed)
        fields = query(worker, raw)
        worker.send(message, **fields if message == "QUERY" else dict(level=1, conditions_bytes=len(raw)))
        try:
            assert worker.receive()[1]["error"] != 0
        except Ended:
            pass
        worker.close()


def test_conditions_of_every_attribute_and_kind(bed):
    values = [b"", b"*", b"?*?*?", b"1.2.3", b"'", b"\0", b"9" * 400, "\u00c4".encode(), b"-1", b"1e9999",
              b"\\"]
    worker = ready(bed)
    for attribute in range(len(ATTR)):
        for kind in range(5):
            for level in range(4):
                rng = random.Random(attribute * 31 + kind + level)
                operands = [rng.choice(values) for _ in range((1, 2, 2, 2, 0)[kind])]
                raw = condition(attribute, kind, *operands)
                name, got = worker.call("QUERY", **query(worker, raw, level))
                assert name == "QUERY_ROWS"
                if not got["done"]:
                    worker.send("QUERY_END")
    worker.close()


def test_conditions_of_noise(bed):
    rng = random.Random(1)
    worker = ready(bed)
    for i in range(300):
        raw = bytearray(STUDY * rng.randrange(1, 4))
        for _ in range(rng.randrange(1, 6)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        try:
            worker.send("QUERY", **query(worker, bytes(raw), rng.randrange(4)))
            if not worker.receive()[1]["done"]:
                worker.send("QUERY_END")
        except Ended:
            worker.close()
            worker = ready(bed)
    worker.close()


def test_wildcards_that_backtrack(bed):
    """Linear in what there is to compare, whatever the pattern."""
    worker = ready(bed)
    value = b"a" * 60
    for i in range(50):
        uid = "1.2.4.%d" % i
        worker.call("STORE_COMMIT", **commit(uid, uid, 10, attributes=struct.pack("<HH", 0, 60) + value))
    began, patterns = time.monotonic(), [b"*a" * 1000 + b"b"] * 8
    assert find(worker, condition(ATTR["PatientName"], ipc.WILDCARD, *patterns[:7])) == []
    assert time.monotonic() - began < 5
    too_many = query(worker, condition(ATTR["PatientName"], ipc.WILDCARD, *patterns * 2))
    assert worker.call("QUERY", **too_many)[1]["error"] != 0
    worker.close()


def test_without_any_condition_nothing_is_retrieved(bed):
    worker = ready(bed)
    name, got = worker.call("LOCATE", level=1)
    assert (name, got["count"]) == ("LOCATED", 0) and got["error"] != 0
    worker.close()


BY_OTHER_KEYS = [
    ("a name", condition(ATTR["PatientName"], ipc.SINGLE, b"a")),
    ("a pattern of UIDs", condition(ATTR["StudyInstanceUID"], ipc.WILDCARD, b"*")),
    ("a pattern of IDs", condition(ATTR["PatientID"], ipc.WILDCARD, b"?*" * 1000)),
    ("no UID", condition(ATTR["StudyInstanceUID"], ipc.EMPTY)),
    ("a range", condition(ATTR["SOPInstanceUID"], ipc.RANGE, b"", b"")),
    ("a UID and a modality", STUDY + condition(ATTR["Modality"], ipc.WILDCARD, b"*")),
]


@pytest.mark.parametrize("name,raw", BY_OTHER_KEYS, ids=[k[0] for k in BY_OTHER_KEYS])
def test_nothing_is_retrieved_by_other_than_unique_keys(bed, name, raw):
    worker = ready(bed)
    worker.ring[RING:RING + len(raw)] = raw
    worker.send("LOCATE", level=1, conditions_bytes=len(raw))
    assert worker.ended()
    worker.close()


# --- rights

RIGHTS = [ # who, what it may not
    ("MODALITY", "QUERY"), ("MODALITY", "LOCATE"), ("VIEWER", "STORE_BODY"), ("VIEWER", "STORE_COMMIT"),
]


@pytest.mark.parametrize("who,name", RIGHTS)
def test_what_the_session_may_not(bed, who, name):
    worker = bed.ready(who, lane=LANE_PLAIN, source="127.0.0.1").get_ring()
    worker.send(name, **well_formed(name, worker))
    assert worker.ended()
    worker.close()


@pytest.mark.parametrize("lane,source,calling", [
    (LANE_PLAIN, "127.0.0.2", "VIEWER"), (LANE_PLAIN, "::1", "VIEWER"), (LANE_PLAIN, "", "VIEWER"),
    (LANE_PLAIN, "x" * 80, "VIEWER"),
    (LANE_PLAIN, "127.0.0.1", "SOMEONE"), (LANE_PLAIN, "127.0.0.1", "FIRST"),
    (LANE_TLS, "127.0.0.1", "FIRST"),
    (LANE_TLS, "127.0.0.1", "VIEWER")])
def test_who_it_says_it_is_proves_nothing(bed, lane, source, calling):
    worker = bed.open(lane, source)
    for _ in range(3): # however often
        name, got = worker.call("ASSOCIATE", calling=calling, called="GALENA")
        assert (name, got["accept"], got["rights"]) == ("ASSOCIATE_RESULT", 0, 0)
    worker.send("RING_GET")
    assert worker.ended()
    worker.close()


def test_a_lane_that_is_none(bed):
    worker = bed.open(4)
    assert worker.ended()
    worker.close()


def test_a_gate_that_lies(bed):
    for proofs in ([b"\0" * 32], [b""], [b"\0" * 31], [b"\0" * 32] * 2):
        worker, gate = bed.open(LANE_TLS, "127.0.0.1", gate=True)
        try:
            for p in proofs:
                gate.send("PROVEN", fingerprint=p)
        except Ended:
            pass
        try:
            name, got = worker.call("ASSOCIATE", calling="FIRST", called="GALENA")
            assert (name, got["accept"]) == ("ASSOCIATE_RESULT", 0)
        except Ended:
            pass
        worker.close()
        gate.close()


def test_a_gate_says_nothing_else(bed):
    for name in ("ASSOCIATE", "RING_GET", "RELOAD", "AUTH_RESULT"):
        worker, gate = bed.open(LANE_TLS, "127.0.0.1", gate=True)
        gate.send(name)
        assert gate.ended() and worker.ended(), name
        worker.close()
        gate.close()


# --- too much of it

ENDLESS = [(new, "ASSOCIATE", dict(calling="NOBODY", called="GALENA")), (ready, "RING_GET", {}),
           (retrieving, "OBJECT_NEXT", {}),
           (retrieving, "DIAL_PEER", dict(ae_title="NOBODY")), (retrieving, "OBJECT_READ", dict(max=1))]


@pytest.mark.parametrize("phase,name,fields", ENDLESS, ids=[e[1] for e in ENDLESS])
def test_questions_whose_answers_nobody_reads(bed, phase, name, fields):
    """The archive waits for no worker: this one's session ends, the others do not notice."""
    worker, other = phase(bed) if phase != new else bed.open(LANE_PLAIN, "127.0.0.1"), ready(bed)
    message = ipc.encode(name, **fields)
    with pytest.raises(Ended):
        for i in range(100000):
            worker.raw(message)
            if i % 500 == 0:
                assert other.call("LOCATE", level=1)[0] == "LOCATED"
    other.close()
    worker.close()


def test_sessions_that_come_and_go(bed):
    """In each phase the worker dies; no descriptor and no memory stays."""
    def memory():
        with open("/proc/%d/statm" % bed.process.pid) as f:
            return int(f.read().split()[1]) * 4096

    def round():
        for phase in PHASES:
            worker = phase(bed)
            if worker.ring:
                worker.ring.close()
            worker.close()
    round()
    bed.stats()
    descriptors, before = bed.descriptors(), memory()
    for _ in range(30):
        round()
    bed.stats()
    wait_until(lambda: bed.descriptors() <= descriptors)
    if "san" not in os.path.basename(BUILD):  # whose quarantine keeps what was freed
        assert memory() - before < 8 << 20


def test_answers_for_sessions_that_are_gone(bed):
    """A connection that was dialled for one that has ended meanwhile is closed."""
    worker = retrieving(bed)
    worker.send("DIAL_PEER", ae_title="TARGET")
    request = bed.expect("DIAL")["request"]
    worker.close()
    bed.stats()
    before = bed.descriptors()
    a, b = socket.socketpair()
    for number in (request, request + 1, 0, 2 ** 64 - 1):
        bed.supervisor.send("DIALED", [b.fileno()], request=number)
    b.close()
    bed.stats()
    assert bed.descriptors() == before
    a.settimeout(5)
    assert a.recv(1) == b"", "closed"
    a.close()
