"""The pages: what they are made of, in Node.js; all of them in a browser against a mock archive (tests/site);
and the path from an upload to a deletion against a real one."""
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT
from web import PASSWORD, make_bed, remove_bed
from web_data import CT, base, file_of

SITE = os.path.join(ROOT, "tests", "site")
CHROMIUM = shutil.which("chromium")
DRIVER = os.path.join(ROOT, "node_modules", "playwright-core")

pytestmark = [
    pytest.mark.alone,  # they type and look at the pace of a person, whatever else the machine does
    pytest.mark.skipif(not shutil.which("node"), reason="no node"),
    pytest.mark.skipif("san" in os.path.basename(BUILD), reason="the pages are the same in every build"),
]
in_browser = [
    pytest.mark.skipif(not CHROMIUM, reason="no chromium"),
    pytest.mark.skipif(not os.path.isdir(DRIVER), reason="no playwright-core: tools/get_node.sh gets it"),
]


def node(*args, given=None):
    done = subprocess.run(["node", *args], cwd=ROOT, input=given, capture_output=True, text=True, timeout=300)
    failed = re.findall(r"^ *not ok.*?(?=^ *(?:# Subtest|1\.\.))", done.stdout, re.M | re.S)
    assert done.returncode == 0, "".join(f[:3000] for f in failed) + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", ["search", "parts"])
def test_pieces(name):
    node("--test", os.path.join(SITE, name + ".test.mjs"))


@pytest.mark.parametrize("name", [pytest.param(n, marks=in_browser)
                                  for n in ("account", "studies", "upload", "watch")])
def test_pages(name):
    node("--test", os.path.join(SITE, name + ".test.mjs"))


def test_no_page_is_missing_in_the_pack():
    with open(os.path.join(BUILD, "site", "site.pack"), "rb") as f:
        pack = f.read()
    assert pack.startswith(b"GALENAPK")
    for top, _, names in os.walk(os.path.join(ROOT, "site", "pages")):
        for name in names:
            with open(os.path.join(top, name), "rb") as f:
                assert f.read() in pack, name


@pytest.mark.parametrize("browser", [pytest.param("chromium", marks=in_browser)])
def test_with_a_real_archive(browser, tmp_path):
    bed = make_bed()
    try:
        for n in range(3):
            d = base(CT, "2.25.4713.1.1", n + 1, "CT", PatientName="Upload^Ursula", PatientID="UP-1",
                     StudyDescription="From the browser")
            (tmp_path / ("IM%d" % n)).write_bytes(file_of(d))
        (tmp_path / "readme.txt").write_text("no image")
        bed.archive.run("user", "add", bed.archive.dir, "chief", "--role", "reader,administrator", "--stdin",
                        stdin=PASSWORD + "\n")
        asked = dict(base="https://127.0.0.1:%d" % bed.port, password=PASSWORD, chromium=CHROMIUM,
                     name=browser,
                     folder=str(tmp_path))
        seen = json.loads(node(os.path.join(SITE, "real.mjs"), given=json.dumps(asked)))
    finally:
        remove_bed(bed)
    assert seen["stored"] == "3 images are stored"
    assert seen["arrived"] == ["Upload, Ursula"], "seen by others without reloading"
    assert seen["found"] == ["Upload, Ursula"]
    assert seen["images"] == "3 images"
    assert seen["zip"][:2] == "PK"
    assert seen["after"] == 404
    assert seen["complaints"] == []
