"""dicomweb-client, a library nobody here wrote, stores, finds and retrieves in a browser."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT
from web import OTHER, web  # noqa: F401
from web_data import BRAIN, BRAIN_1, CHEST, CT, DATASETS, base, file_of, image, split

CHROMIUM = shutil.which("chromium")
LIBRARY = os.path.join(ROOT, "node_modules", "dicomweb-client", "build", "dicomweb-client.js")
STORED = "2.25.4711.88"

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium"),
    pytest.mark.skipif(not os.path.exists(LIBRARY), reason="no dicomweb-client: tools/get_node.sh gets it"),
    pytest.mark.skipif(bool(OTHER), reason="of our own origin"),
    pytest.mark.skipif("san" in os.path.basename(BUILD), reason="in a browser once is enough"),
]


@pytest.fixture(scope="module")
def got(web):  # noqa: F811
    file = file_of(image(base(CT, STORED + ".1", 1, "CT")))
    path = "studies/%s/series/%s/instances/%s.1/bulkdata/7FE00010" % (BRAIN, BRAIN_1, BRAIN_1)
    asked = dict(base="https://127.0.0.1:%d" % web.port, token=web.token, chromium=CHROMIUM, library=LIBRARY,
                 study=BRAIN, series=BRAIN_1, instance=BRAIN_1 + ".1", file=base64.b64encode(file).decode(),
                 bulk="https://127.0.0.1:%d/dicomweb/%s" % (web.port, path))
    script = os.path.join(ROOT, "tests", "e2e", "node", "dicomweb_client.mjs")
    done = subprocess.run(["node", script], text=True, input=json.dumps(asked), capture_output=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_nothing_is_complained_of(got):
    assert got["errors"] == []


def test_it_stores(got, web):  # noqa: F811
    assert web.get("studies/%s/metadata" % STORED).status == 200


def test_it_finds(got):
    all_of_brain = sorted(uid for uid in DATASETS if uid.startswith(BRAIN_1 + "."))
    assert got["studies"] == sorted([BRAIN, CHEST]) and got["series"] == [BRAIN_1]
    assert len(got["instances"]) == 2 and set(got["instances"]) <= set(all_of_brain)
    assert got["metadata"] == got["of_series"] == all_of_brain
    assert got["of_instance"] == [BRAIN_1 + ".1"]


def test_it_retrieves(got):
    pixels = bytes(DATASETS[BRAIN_1 + ".1"].PixelData)
    assert got["study"] == got["whole_series"] == 3
    assert split(base64.b64decode(got["instance"]))[2] == BRAIN_1 + ".1"
    assert pixels in base64.b64decode(got["instance"])
    assert [base64.b64decode(x) for x in got["frames"]] == [pixels]
    assert [base64.b64decode(x) for x in got["bulk"]] == [pixels]
