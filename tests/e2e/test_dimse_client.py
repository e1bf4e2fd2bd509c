"""dcmjs-dimse, a DIMSE library nobody here wrote, stores, finds, gets and is moved to, over TLS."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT, free_port
from web_data import CT, base, file_of, image

LIBRARY = os.path.join(ROOT, "node_modules", "dcmjs-dimse")
STUDY, SERIES = "2.25.4711.89", "2.25.4711.89.1"
DATASETS = {"%s.%d" % (SERIES, i): image(base(CT, SERIES, i, "CT"), rows=8 * i) for i in (1, 2, 3)}
ECHO, SUCCESS, UNKNOWN_DESTINATION = 1, 0, 0xA801

pytestmark = [
    pytest.mark.skipif(not shutil.which("node"), reason="no node"),
    pytest.mark.skipif(not os.path.exists(LIBRARY), reason="no dcmjs-dimse: tools/get_node.sh gets it"),
    pytest.mark.skipif("san" in os.path.basename(BUILD), reason="another's client once is enough"),
]


@pytest.fixture(scope="module")
def got(archive, tmp_path_factory):
    folder, receiver = tmp_path_factory.mktemp("sent"), free_port()
    peer = archive.peer("dcmjs", address="127.0.0.1:%d" % receiver)
    archive.reload()
    for uid, dataset in DATASETS.items():
        (folder / uid).write_bytes(file_of(dataset))
    asked = dict(peer=peer, port=archive.port, receiver=receiver, ae="DCMJS", study=STUDY, series=SERIES,
                 files=[str(folder / uid) for uid in DATASETS], name=str(DATASETS[SERIES + ".1"].PatientName))
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "e2e", "node", "dimse.mjs")], text=True,
                          input=json.dumps(asked), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def objects_came(objects):
    assert sorted(o["instance"] for o in objects) == sorted(DATASETS)
    for o in objects:
        assert base64.b64decode(o["pixels"]) == bytes(DATASETS[o["instance"]].PixelData)


def test_it_stores(got):
    assert got["stored"] == [SUCCESS] * (ECHO + len(DATASETS))


def test_it_finds(got):
    study, series, images, nobody = got["found"]
    assert got["find_ends"] == [SUCCESS] * 4
    assert [(s["StudyInstanceUID"], s["NumberOfStudyRelatedInstances"]) for s in study] == [(STUDY, 3)]
    assert [(s["SeriesInstanceUID"], s["Modality"]) for s in series] == [(SERIES, "CT")]
    assert sorted((i["SOPInstanceUID"], i["InstanceNumber"]) for i in images) == [
        (SERIES + ".%d" % i, i) for i in (1, 2, 3)]
    assert nobody == []


def test_it_gets(got):
    said = got["get"]
    assert (said["status"], said["completed"], said["failed"], said["warned"]) == (SUCCESS, 3, 0, 0)
    objects_came(said["objects"])


def test_it_is_moved_to(got):
    said = got["move"]
    assert (said["status"], said["completed"], said["failed"], said["warned"]) == (SUCCESS, 3, 0, 0)
    objects_came(said["objects"])


def test_nobody_else_is_moved_to(got):
    assert got["elsewhere"] == UNKNOWN_DESTINATION


def test_without_its_certificate_it_is_a_stranger(got):
    assert got["stranger"] == "refused"
