"""Nothing acknowledged is lost: SIGKILL of the whole server under load, a lost index, a full disk."""
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
from conftest import Archive
from test_find import CT, ct

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


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_refuses_stores_and_serves_reads_and_heals():
    folder = tempfile.mkdtemp(prefix="galena-full-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "none", folder],
                      capture_output=True).returncode:
        shutil.rmtree(folder)
        pytest.skip("no right to mount")
    archive = None
    try:
        archive = Archive(folder)
        archive.peer("first")
        archive.start()
        stored, ballast = [], os.path.join(folder, "ballast")
        with archive.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
            for n in range(200):
                d, data = encoded(n, 900000)
                status = a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900]
                if status != 0:
                    break
                stored.append(n)
                if n == 3:  # something else fills the rest
                    with open(ballast, "wb") as f:
                        try:
                            f.write(b"\1" * (26 << 20))
                        except OSError:
                            pass
            assert status == 0xA700
            d, data = encoded(201, 3000000)  # a streamed one as well
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0xA700
            archive.await_log("full")
            assert len(stored) > 3
            assert retrieve(archive, stored[-1]) == [encoded(stored[-1], 900000)[1]]
            assert len(found(archive)) == len(stored)
            os.remove(ballast)
            d, data = encoded(202, 900000)
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0, "freed space heals it"
        assert retrieve(archive, 202) == [data]
    finally:
        if archive:
            archive.stop(signal.SIGKILL)
        time.sleep(0.3)
        subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


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


def test_a_restart_keeps_everything(fresh):
    d, data = encoded(5, 2500000)
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, data)[0x0900] == 0
    fresh.stop()
    fresh.start()
    assert retrieve(fresh, 5) == [data]
