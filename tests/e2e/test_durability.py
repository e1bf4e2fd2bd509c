"""Nothing acknowledged is lost: SIGKILL of the whole server under load, a lost index, a full disk."""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import dul
import web_data
from conftest import Archive
from test_find import CT, ct
from web import Bed

ROUNDS = int(os.environ.get("GALENA_CRASH_ROUNDS", "6"))


def encoded(number, size=3000):
    d = ct(number)
    d.PixelData = random.Random(number).randbytes(size)
    d["PixelData"].VR = "OB"
    return d, dul.encode(d, dul.EXPLICIT)


def load(archive, numbers, acknowledged, stop):
    try:
        with archive.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
            a.release = lambda: None
            for n in numbers:
                if stop.is_set():
                    return
                size = 3000 if n % 10 else 3000000
                d, data = encoded(n, size)
                if a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0:
                    acknowledged.append((n, size))
    except (OSError, ConnectionError, AssertionError, dul.Rejected, dul.Aborted):
        pass


def kill_everything(archive):
    for pids in archive.processes().values():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    archive.process.wait()
    archive.process = None


def found(archive):
    with archive.associate(contexts=[(dul.STUDY_FIND, [dul.IMPLICIT])]) as a:
        return {d.SOPInstanceUID for _, d in a.find(dul.STUDY_FIND, dul.keys(
            QueryRetrieveLevel="IMAGE", StudyInstanceUID="", SeriesInstanceUID="", SOPInstanceUID="")) if d}


def retrieve(archive, number):
    with archive.associate(contexts=[(dul.STUDY_GET, [dul.EXPLICIT]), (CT, [dul.EXPLICIT])],
                           roles=[(CT, 0, 1)]) as a:
        _, got, _, _ = a.get(dul.STUDY_GET, dul.keys(QueryRetrieveLevel="STUDY",
                                                     StudyInstanceUID="1.2.826.%d" % number))
    return [g[3] for g in got]


def test_sigkill_at_random_moments_loses_nothing_acknowledged(fresh):
    acknowledged, rng, base = [], random.Random(), 1000
    for _ in range(ROUNDS):
        stop, threads = threading.Event(), []
        for t in range(3):
            threads.append(threading.Thread(target=load, args=(fresh, range(base, base + 2000), acknowledged,
                                                               stop)))
            base += 2000
            threads[-1].start()
        time.sleep(rng.uniform(0.1, 1.0))
        kill_everything(fresh)
        stop.set()
        for t in threads:
            t.join()
        fresh.start()
        have = found(fresh)
        missing = [n for n, _ in acknowledged if "1.2.826.%d.1.1" % n not in have]
        assert missing == [], "acknowledged and lost"
    assert len(acknowledged) > 10 * ROUNDS, "the load was too small to mean anything"
    sample = rng.sample(acknowledged, min(40, len(acknowledged)))
    for n, size in sample:
        assert retrieve(fresh, n) == [encoded(n, size)[1]], n
    # and what was not acknowledged is whole, or not there
    for uid in rng.sample(sorted(have), min(40, len(have))):
        n = int(uid.split(".")[3])
        assert retrieve(fresh, n) in ([encoded(n, 3000)[1]], [encoded(n, 3000000)[1]])
    fresh.stop()
    assert " 0 damaged" in fresh.run("verify", fresh.dir)


def answers(archive):
    got = []
    with archive.associate(contexts=[(dul.STUDY_FIND, [dul.IMPLICIT])]) as a:
        for level, more in (("STUDY", dict(PatientName="", StudyDate="", ModalitiesInStudy="",
                                           NumberOfStudyRelatedInstances="")),
                            ("SERIES", dict(SeriesInstanceUID="", Modality="")),
                            ("IMAGE", dict(SeriesInstanceUID="", SOPInstanceUID="", InstanceNumber=""))):
            got.append(sorted(str(d) for _, d in a.find(dul.STUDY_FIND, dul.keys(
                QueryRetrieveLevel=level, StudyInstanceUID="", **more)) if d))
    return got


def test_a_lost_index_is_built_again_with_the_same_answers(fresh):
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        for n in range(30):
            d, data = encoded(n)
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0
    before = answers(fresh)
    fresh.stop()
    shutil.rmtree(os.path.join(fresh.dir, "index"))
    assert "30 objects" in fresh.run("reindex", fresh.dir)
    fresh.start()
    assert answers(fresh) == before
    fresh.stop()
    with open(os.path.join(fresh.dir, "index", "index.db"), "r+b") as f:  # damaged: built again at the start
        f.seek(4096 * 2)
        f.write(b"\xff" * 4096)
    fresh.start()
    assert answers(fresh) == before


def test_nothing_of_a_patient_is_readable_on_disk(fresh):
    d = ct(7, name="Veryrarename^Xylophon", PatientID="SECRETID77", StudyDescription="HIDDENTEXT")
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, dul.encode(d, dul.EXPLICIT))[0x0900] == 0
    time.sleep(1.5)  # the index commits on a timer
    fresh.stop()
    words = [w.encode(c) for w in ("Veryrarename", "veryrarename", "SECRETID77", "HIDDENTEXT", "1.2.826.7")
             for c in ("utf-8", "utf-16-le")]
    for folder, _, files in os.walk(fresh.dir):
        for name in files:
            with open(os.path.join(folder, name), "rb") as f:
                content = f.read()
            assert not [w for w in words if w in content], name
    assert not [w for w in words if w.decode("utf-8", "ignore") in fresh.log() and b"\0" not in w
                and w != b"1.2.826.7"]


@contextlib.contextmanager
def small_disk(kind, megabytes):
    """A folder on a file system of its own: tmpfs, or ext4 in a file."""
    folder = tempfile.mkdtemp(prefix="galena-full-")
    image = folder + ".img"
    if kind == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=%dm,mode=755" % megabytes, "none", folder]
    else:
        with open(image, "wb") as f:
            f.truncate(megabytes << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", image], check=True)
        mount = ["mount", "-o", "loop", image, folder]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount")
        os.chmod(folder, 0o755)
        yield folder
        subprocess.run(["umount", "-l", folder], check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(image):
            os.remove(image)


def fill_up(path):
    """To the last byte."""
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(b"\1" * size)
            except OSError:
                pass
        try:
            os.fsync(f.fileno())
        except OSError:
            pass


def stow(client, number, size=900000):
    d, data = encoded(number, size)
    return client.stow(web_data.part10(data, dul.EXPLICIT, CT, d.SOPInstanceUID))


@contextlib.contextmanager
def on_small_disk(kind):
    with small_disk(kind, 64) as folder:
        archive = Archive(folder)
        archive.peer("first")
        bed = Bed(archive)
        for user in ("boss", "rita"):
            bed.add_user(user)
        archive.start()
        try:
            yield folder, archive, bed
        finally:
            archive.stop(signal.SIGKILL)
            time.sleep(0.3)


def store_until_refused(a, first):
    """The number of the first that was not stored, and the status it got."""
    for n in range(first, first + 200):
        d, data = encoded(n, 900000)
        status = a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900]
        if status:
            return n, status
    return None, 0


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")


@needs_root
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_disk_refuses_stores_and_serves_reads_and_heals(kind):
    with on_small_disk(kind) as (folder, archive, bed):
        client, ballast = bed.client("rita"), os.path.join(folder, "ballast")
        with archive.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
            for n in range(6):
                d, data = encoded(n, 900000)
                assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0
            fill_up(ballast)
            n, status = store_until_refused(a, 6)  # what was set aside for the segment may still be used
            assert status == 0xA700
            d, data = encoded(201, 3000000)  # a streamed one as well
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0xA700
            archive.await_log("full")
            refused = stow(client, 202)
            assert refused.status == 507, refused
            assert refused.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]
            assert retrieve(archive, n - 1) == [encoded(n - 1, 900000)[1]]
            assert len(found(archive)) == len(client.get("studies").json()) == n
            assert bed.sign_in("rita")
            assert bed.client("boss")("DELETE", "studies/1.2.826.0").status == 507, "it is written down first"
            os.remove(ballast)
            d, data = encoded(203, 900000)
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0, "freed space heals it"
        assert stow(client, 204).status == 200
        assert retrieve(archive, 203) == [data]


@needs_root
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_deleting_makes_room_on_a_disk_full_of_images(kind):
    with on_small_disk(kind) as (_, archive, bed):
        client, boss = bed.client("rita"), bed.client("boss")
        with archive.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
            n, status = store_until_refused(a, 0)
            assert status == 0xA700 and n > 20
            for gone in range(10):
                deleted = boss("DELETE", "studies/1.2.826.%d" % gone)
                assert deleted.status == 204, deleted
            again, status = store_until_refused(a, n)
            assert status == 0xA700 and again - n >= 5, "most of the room of ten"
        assert len(client.get("studies").json()) == again - 10
        assert retrieve(archive, again - 1) == [encoded(again - 1, 900000)[1]]


def test_verify_works_beside_a_running_server(fresh):
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        for n in range(5):
            d, data = encoded(n)
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0
        assert "5 objects" in fresh.run("verify", fresh.dir)
        segment = os.path.join(fresh.dir, "store", sorted(os.listdir(os.path.join(fresh.dir, "store")))[0])
        with open(segment, "r+b") as f:  # one bit of a record
            f.seek(4096 + 2000)
            byte = f.read(1)[0]
            f.seek(4096 + 2000)
            f.write(bytes([byte ^ 1]))
        assert " 1 damaged" in fresh.run("verify", fresh.dir, status=1)


def test_verify_looks_at_every_key(fresh):
    """Also at one of which no object is left, or is there yet."""
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        d, data = encoded(1)
        assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0
    fresh.stop()
    assert " 0 damaged" in fresh.run("verify", fresh.dir)
    with open(os.path.join(fresh.dir, "keys", "studies.keys"), "r+b") as f:
        f.seek(2 * 4096 + 64)  # the slot behind the study's
        f.write(b"L" * 64)
    said = fresh.run("verify", fresh.dir, status=1)
    assert "keys/studies.keys, the keys of 1 studies" in said and " 1 damaged" in said


def test_verify_misses_a_segment(fresh):
    d, data = encoded(1, 2000000)
    contexts = [(CT, [dul.EXPLICIT])]
    with fresh.associate(contexts=contexts) as a, fresh.associate(contexts=contexts) as b:
        a.message(1, {0x0002: CT, 0x0100: dul.STORE_RQ, 0x0110: 1, 0x0700: 0, 0x1000: d.SOPInstanceUID}, data)
        other, more = encoded(2, 2000000)  # while the first has its segment for itself, perhaps
        assert b.store(CT, other.SOPInstanceUID, dul.EXPLICIT, more)[0x0900] == 0
        assert a.next_message()[1][0x0900] == 0
    fresh.stop()
    first, second = (os.path.join(fresh.dir, "store", "seg-0000000%d.gs" % n) for n in (1, 2))
    os.rename(first, first + ".gone" if os.path.exists(second) else second)
    assert "segment 00000001 is missing" in fresh.run("verify", fresh.dir, status=1)


@pytest.mark.parametrize("place", [250, 100000])  # what a reindex takes, its body
def test_what_is_damaged_is_healed_by_sending_it_again(fresh, place):
    d, data = encoded(7, 300000)
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        store = lambda: a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900]
        assert store() == 0
        with open(os.path.join(fresh.dir, "store", "seg-00000001.gs"), "r+b") as f:
            f.seek(4096 + place)
            byte = f.read(1)[0]
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte ^ 1]))
        assert " 1 damaged" in fresh.run("verify", fresh.dir, status=1)
        assert store() == 0
        assert retrieve(fresh, 7) == [data]
        assert store() == 0  # identical now
    assert fresh.status()["beside"] == "1" and fresh.status()["identical"] == "1"
    fresh.stop()
    fresh.run("reindex", fresh.dir, status=1)  # one is damaged still, and on record
    fresh.start()
    assert retrieve(fresh, 7) == [data]


def test_a_restart_keeps_everything(fresh):
    d, data = encoded(5, 2500000)
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0
    fresh.stop()
    fresh.start()
    assert retrieve(fresh, 5) == [data]
