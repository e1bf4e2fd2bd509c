"""DELETE on studies, series, instances: who may, what is gone then, and that a server killed in its midst
comes back with all of it or nothing."""
import http.client
import json
import os
import signal
import ssl
import threading
import time

import pytest

import dul
from conftest import make_archive
from test_collections import CT, EVERYTHING, STUDIES, find, image, numbers, store

PASSWORD = "a long enough pass code"
USERS = [("boss", "administrator", []), ("reader", "reader", []), ("narrow", "administrator",
                                                                    ["--collections", "ward3"]),
         ("eva", "radiographer", []), ("bob", "radiographer", [])]


class Web:
    """One user's session."""

    def __init__(self, archive, user):
        self.archive = archive
        self.cookie = ""
        status, headers, _ = self("POST", "/api/sign-in", json.dumps({"user": user, "password": PASSWORD}),
                                  "application/json")
        assert status == 200
        self.cookie = "; ".join(v.split(";")[0] for k, v in headers if k.lower() == "set-cookie")

    def __call__(self, method, path, body=None, content=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        c = http.client.HTTPSConnection("127.0.0.1", self.archive.https_port, context=context, timeout=60)
        headers = {"Origin": "https://127.0.0.1:%d" % self.archive.https_port, "Cookie": self.cookie,
                   "Accept": "application/dicom+json"}
        if content:
            headers["Content-Type"] = content
        c.request(method, path, body, headers)
        r = c.getresponse()
        got = r.status, r.getheaders(), r.read()
        c.close()
        return got

    def delete(self, study, *more):
        path = "/dicomweb/studies/1.8.%d" % study
        for name, number in zip(("series", "instances"), more):
            path += "/%s/1.8.%d.%s" % (name, study, number)
        return self("DELETE", path)[0]


def upload(web, *objects):
    body = b""
    for d in objects:
        meta = dul.encode(file_meta(d), dul.EXPLICIT)
        body += (b"--B\r\nContent-Type: application/dicom\r\n\r\n" + b"\0" * 128 + b"DICM" + meta
                 + dul.encode(d, dul.EXPLICIT) + b"\r\n")
    status, _, answer = web("POST", "/dicomweb/studies", body + b"--B--\r\n",
                            'multipart/related; type="application/dicom"; boundary=B')
    if status == 501:
        pytest.skip("nothing can be uploaded yet")
    assert status == 200, answer


def file_meta(d):
    m = type(d)()
    m.is_little_endian, m.is_implicit_VR = True, False
    m.FileMetaInformationVersion = b"\0\1"
    m.MediaStorageSOPClassUID, m.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
    m.TransferSyntaxUID, m.ImplementationClassUID = dul.EXPLICIT, "1.2.3"
    m.FileMetaInformationGroupLength = 0
    m.FileMetaInformationGroupLength = len(dul.encode(m, dul.EXPLICIT)) - 12
    return m


@pytest.fixture(scope="module")
def filled():
    archive, folder = make_archive(plain=True)
    archive.run("collection", "add", archive.dir, "ward3", "--institution", "Ward 3*")
    for name, role, more in USERS:
        archive.run("user", "add", archive.dir, name, "--role", role, "--stdin", *more, stdin=PASSWORD + "\n")
    archive.start()
    store(archive, *[image(row[0], series, n, row) for row in STUDIES for series in (1, 2) for n in (1, 2)])
    archive.web = {name: Web(archive, name) for name, _, _ in USERS}
    yield archive
    archive.stop()


def images(archive, study):
    found = []
    for series in find(archive, "first", QueryRetrieveLevel="SERIES", StudyInstanceUID="1.8.%d" % study,
                       SeriesInstanceUID=""):
        found += find(archive, "first", QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.8.%d" % study,
                      SeriesInstanceUID=series.SeriesInstanceUID, SOPInstanceUID="")
    return sorted(d.SOPInstanceUID for d in found)


def test_who_may(filled):
    web = filled.web
    for user, study, expected in (("reader", 1, 403), ("reader", 77, 403), ("eva", 1, 403), ("eva", 77, 404),
                                  ("narrow", 2, 404), ("narrow", 77, 404), ("boss", 77, 404)):
        assert web[user].delete(study) == expected, (user, study)
        assert numbers(find(filled, "first", QueryRetrieveLevel="STUDY", StudyInstanceUID="")) == EVERYTHING


def test_what_is_gone(filled):
    boss, narrow = filled.web["boss"], filled.web["narrow"]
    assert boss.delete(1, "1", "1.1") == 204
    assert images(filled, 1) == ["1.8.1.1.2", "1.8.1.2.1", "1.8.1.2.2"]
    assert boss.delete(1, "1", "1.1") == 404
    assert boss.delete(1, "2", "1.2") == 404 # is in the other series
    assert boss.delete(1, "2") == 204
    assert images(filled, 1) == ["1.8.1.1.2"]
    assert narrow.delete(3) == 204 # is in the ward
    assert boss.delete(2) == 204
    assert numbers(find(filled, "first", QueryRetrieveLevel="STUDY", StudyInstanceUID="")) == [1, 4, 5]
    assert "1.8.2" not in filled.log()
    store(filled, image(2, 1, 1, STUDIES[1])) # and it may come again
    assert images(filled, 2) == ["1.8.2.1.1"]


def test_what_one_has_uploaded(filled):
    eva, bob = filled.web["eva"], filled.web["bob"]
    row = (21, "P9", "Own^Upload", "Ward 3", "", "CT", "")
    upload(eva, image(21, 1, 1, row), image(21, 1, 2, row))
    upload(bob, image(21, 2, 1, row))
    assert bob.delete(21) == 403 and eva.delete(21) == 403
    assert eva.delete(21, "2") == 403 and bob.delete(21, "2") == 204
    store(filled, image(21, 3, 1, row))
    assert eva.delete(21) == 403
    assert eva.delete(21, "1") == 204
    assert images(filled, 21) == ["1.8.21.3.1"]


def test_deleted_is_out_of_reach_of_backups(filled):
    """With the study's key gone, its records are noise; a verify and a reindex find nothing of it."""
    row = (31, "P31", "Gone^For Good", "", "", "CT", "")
    store(filled, image(31, 1, 1, row), image(31, 1, 2, row))
    assert filled.web["boss"].delete(31) == 204
    filled.stop()
    assert "0 damaged" in filled.run("verify", filled.dir)
    assert "0 damaged" in filled.run("reindex", filled.dir)
    filled.start()
    assert images(filled, 31) == []


def test_all_of_a_large_study_gives_its_room_back():
    archive, _ = make_archive(plain=True)
    archive.run("user", "add", archive.dir, "boss", "--role", "administrator", "--stdin",
                stdin=PASSWORD + "\n")
    archive.start()
    total, size = 1300, 60000
    d = image(1, 1, 1, (1, "P1", "Large^Study", "", "", "CT", ""))
    d.PixelData = os.urandom(size)
    d["PixelData"].VR = "OB"
    with archive.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        for n in range(total):
            d.SOPInstanceUID = "1.8.1.1.%d" % (n + 1)
            assert a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, dul.encode(d, dul.EXPLICIT))[0x0900] == 0
    assert Web(archive, "boss").delete(1) == 204
    archive.stop()
    store_dir = os.path.join(archive.dir, "store")
    used = sum(512 * os.stat(os.path.join(store_dir, name)).st_blocks for name in os.listdir(store_dir))
    assert used < total * 3 * 4096, "more than a header's block and what shares it is left of each"


@pytest.mark.parametrize("after_ms", [0, 2, 5, 10, 20, 40])
def test_killed_in_its_midst(after_ms):
    archive, folder = make_archive(plain=True)
    archive.run("user", "add", archive.dir, "boss", "--role", "administrator", "--stdin",
                stdin=PASSWORD + "\n")
    archive.start()
    row = (1, "P1", "Many^Objects", "", "", "CT", "")
    total = 600
    store(archive, *[image(1, 1, n, row) for n in range(1, total + 1)], image(2, 1, 1, row))
    web = Web(archive, "boss")

    def try_to_delete():
        try:
            web.delete(1)
        except (OSError, http.client.HTTPException):
            pass # it was killed

    asking = threading.Thread(target=try_to_delete)
    asking.start()
    time.sleep(after_ms / 1000)
    for pid in archive.processes()["archive"]:
        os.kill(pid, signal.SIGKILL)
    archive.stop(signal.SIGKILL)
    asking.join()
    assert "0 damaged" in archive.run("verify", archive.dir)
    archive.start()
    left = images(archive, 1)
    assert len(left) in (0, total)
    with archive.associate("first", contexts=[(dul.STUDY_GET, [dul.EXPLICIT]), (CT, [dul.EXPLICIT])],
                           roles=[(CT, 0, 1)]) as a:
        _, got, _, _ = a.get(dul.STUDY_GET, dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.8.1"))
    assert len(got) == len(left)
    archive.stop()
    assert "0 damaged" in archive.run("verify", archive.dir)
    text = archive.run("reindex", archive.dir)
    assert text.startswith("%d objects" % (len(left) + 1)), text
