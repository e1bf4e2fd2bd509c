"""The viewer in a browser: signed in, a study open, its pictures on the canvas, and nothing the browser
complains of. Screenshots: the build folder's viewer-screenshots."""
import array
import io
import json
import os
import shutil
import subprocess

import pydicom
import pytest

import web_data
from conftest import BUILD, CORPUS, ROOT, VIEWER, needs_corpus
from web import PASSWORD, make_bed, remove_bed, store
from web_data import CT, base, file_of

CHROMIUM = shutil.which("chromium")
DRIVER = os.path.join(ROOT, "node_modules", "playwright-core")
SHOTS = os.path.join(BUILD, "viewer-screenshots")
HEAD = "2.25.4712.1"
SLICES = 12

pytestmark = [
    pytest.mark.alone,  # it draws with all the processors there are
    pytest.mark.skipif(not CHROMIUM, reason="no chromium"),
    pytest.mark.skipif(not os.path.isdir(DRIVER), reason="no playwright-core: tools/get_node.sh gets it"),
    pytest.mark.skipif(not os.path.exists(VIEWER), reason="no viewer: tools/get_viewer.sh gets it"),
    pytest.mark.skipif("san" in os.path.basename(BUILD), reason="in a browser once is enough"),
]


def slice_of(n):
    """A disc that changes from slice to slice."""
    d = base(CT, HEAD + ".1", n + 1, "CT", PatientName="Viewer^Vera", PatientID="VIEW",
        SeriesDescription="Axial",
             StudyDescription="For the viewer")
    d.FrameOfReferenceUID, d.ImageOrientationPatient = HEAD + ".9", [1, 0, 0, 0, 1, 0]
    d.ImagePositionPatient, d.PixelSpacing, d.SliceThickness = [-50, -50, 3 * n], [0.8, 0.8], 3
    d.Rows = d.Columns = 128
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.RescaleSlope, d.RescaleIntercept, d.WindowCenter, d.WindowWidth = 1, -1024, 40, 400
    inside = (55 - 3 * n) ** 2
    pixels = [900 + x % 32 * 8 + n * 10 if (x - 64) ** 2 + (y - 64) ** 2 < inside else 24
              for y in range(128) for x in range(128)]
    d.PixelData = array.array("H", pixels).tobytes()
    d["PixelData"].VR = "OW"
    return file_of(d)


@pytest.fixture(scope="module")
def hospital():
    bed = make_bed()
    store(bed.archive, [slice_of(n) for n in range(SLICES)])
    yield bed
    remove_bed(bed)


def look(bed, *studies, user="rita", **more):
    os.makedirs(SHOTS, exist_ok=True)
    asked = dict(dict(base="https://127.0.0.1:%d" % bed.port, user=user, password=PASSWORD, studies=studies,
                      folder=SHOTS, chromium=CHROMIUM, seconds=30), **more)
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "e2e", "node", "viewer.mjs")], text=True,
                          input=json.dumps(asked), capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["signed_in"] == 200
    assert seen["foreign"] == [], "nothing is loaded from elsewhere"
    return seen


@pytest.mark.parametrize("width, height", [(390, 844), (360, 740), (844, 390), (740, 360)])
def test_on_a_telephone(hospital, width, height):
    """Nothing lies over anything else; series, window and the way back are there for a finger."""
    os.makedirs(SHOTS, exist_ok=True)
    asked = dict(base="https://127.0.0.1:%d" % hospital.port, user="rita", password=PASSWORD,
                 search="vera", found="Viewer, Vera", folder=SHOTS, chromium=CHROMIUM, seconds=30,
                 width=width, height=height)
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "e2e", "node", "viewer_touch.mjs")], text=True,
                          input=json.dumps(asked), capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["errors"] == []
    assert seen["covered"] == [] and seen["overflow"] <= 0
    assert seen["share"] > 0.7, "of the screen for the picture"
    assert len(set(seen["window"])) == 3, "by a finger, and by the list"
    assert seen["image"][0] != seen["image"][1], "through the series"
    assert seen["back"] == ["/#/studies", "vera"], "with what was looked for"


def is_clean(seen):
    assert seen["failed"] == []
    assert seen["errors"] == []
    assert [r for r in seen["requests"] if r[0] >= 400] == []


def test_a_study_is_shown_and_scrolled(hospital):
    seen = look(hospital, HEAD, scroll=4)
    is_clean(seen)
    shown = seen["studies"][0]
    assert shown["first"]["shades"] > 20, shown
    assert shown["after"] == [True] * 4, shown
    assert "Axial" in shown["text"], shown["text"]


def test_in_three_planes(hospital):
    """Slices through a volume, by WebGL."""
    seen = look(hospital, HEAD, more="&hangingprotocolId=mpr", name="-mpr")
    is_clean(seen)
    assert seen["studies"][0]["first"]["shades"] > 20


def test_who_is_not_signed_in_is_sent_there(hospital):
    seen = look(hospital, study_before=HEAD)
    is_clean(seen)
    assert "/viewer/" not in seen["before"].split("?")[0] and "return=" in seen["before"], seen["before"]


def test_signing_out_elsewhere_takes_the_images_away(hospital):
    seen = look(hospital, HEAD, sign_out=True, name="-signed-out")
    assert seen["studies"][0]["first"]["shades"] > 20
    assert seen["after_sign_out"] == "https://127.0.0.1:%d/" % hospital.port


def test_somebody_elses_study_is_not_shown(hospital):
    seen = look(hospital, HEAD, user="ward", seconds=4, name="-other")
    assert not seen["studies"][0]["first"] or seen["studies"][0]["first"]["shades"] <= 3
    assert "Axial" not in seen["studies"][0]["text"]


OTHER_CLASSES = ["1.2.840.10008.5.1.4.1.1.6", "1.2.392.200036.9125.1.1.2"]  # retired; Fujifilm's own


def test_images_of_classes_that_the_viewer_does_not_know_by_itself(hospital):
    studies = [as_study(40 + n, io.BytesIO(slice_of(0)), sop) for n, sop in enumerate(OTHER_CLASSES)]
    store(hospital.archive, [f for _, f in studies])
    seen = look(hospital, *[s for s, _ in studies])
    is_clean(seen)
    assert [s["study"] for s in seen["studies"] if not s["first"] or s["first"]["shades"] <= 3] == []


CODECS = ["wg04/RLE/CT1_RLE", "wg04/JPLL/MR1_JPLL", "wg04/JPLY/NM1_JPLY", "wg04/JLSL/CT1_JLSL",
    "wg04/JLSN/RG3_JLSN",
          "wg04/J2KR/US1_J2KR", "wg04/J2KI/VL1_J2KI", "pydicom/emri_small_RLE.dcm",
          "pydicom/SC_rgb_jpeg_dcmtk.dcm",
          "pydicom/MR_small_jp2klossless.dcm"]


def as_study(number, file, sop_class=None):
    """A file as a study of its own: several of the corpus have the same UIDs."""
    d = pydicom.dcmread(file)
    if sop_class:
        d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = sop_class
    d.StudyInstanceUID = "2.25.4712.%d" % number
    d.SeriesInstanceUID, d.SOPInstanceUID = d.StudyInstanceUID + ".1", d.StudyInstanceUID + ".1.1"
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
    out = io.BytesIO()
    pydicom.dcmwrite(out, d, write_like_original=False)
    return d.StudyInstanceUID, out.getvalue()


@needs_corpus
@pytest.mark.filterwarnings("ignore")
def test_every_codec(hospital):
    """What cannot be decompressed here yet is decoded by the viewer, without eval."""
    studies = [as_study(10 + n, os.path.join(CORPUS, name)) for n, name in enumerate(CODECS)]
    assert len({web_data.split(f)[1] for _, f in studies}) >= 8, "transfer syntaxes"
    store(hospital.archive, [f for _, f in studies])
    seen = look(hospital, *[s for s, _ in studies])
    is_clean(seen)
    assert [s["study"] for s in seen["studies"] if not s["first"] or s["first"]["shades"] <= 3] == []
