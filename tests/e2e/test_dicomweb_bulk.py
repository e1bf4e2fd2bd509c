"""Bulk data of objects that are not stored as they are handed out: big endian, deflated, compressed; whole
and in part (PS3.18 10.4.1.1.5, 10.4.1.1.6: always little endian, never deflated)."""
import io
import zlib

import pydicom
import pytest

import dul
import web_data
from test_dicomweb_wado import bulk_uris
from web import bed  # noqa: F401, the fixture
from web_data import BIG, CT, DEFLATED, EXPLICIT, IMPLICIT, JPEG, ROOT, base, file_of, image, part10

NUMBERS = iter(range(1, 1000))
ROWS = COLUMNS = 800 # more than fits the memory shared with the archive
BYTES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def large():
    d = image(base(CT, ROOT + ".8100.1", next(NUMBERS), "CT"), ROWS, COLUMNS)
    d.PixelData = bytes(i * 31 % 253 for i in range(ROWS * COLUMNS * 2))
    d["PixelData"].VR = "OW"
    return d


def swapped(pixels):
    out = bytearray(pixels)
    out[::2], out[1::2] = pixels[1::2], pixels[::2]
    return bytes(out)


def in_syntax(syntax):
    """(file, pixels as they must come out)"""
    d = large()
    pixels = bytes(d.PixelData)
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(dul.encode(d, EXPLICIT)) + packer.flush()
        return part10(packed + b"\0" * (len(packed) % 2), DEFLATED, CT, d.SOPInstanceUID), pixels
    if syntax == BIG: # what is encoded is not touched: pydicom leaves pixels as they are
        d.PixelData = swapped(pixels)
        d["PixelData"].VR = "OW"
    return file_of(d, syntax), pixels


def stored(bed, data):
    assert bed.stow(data).status == 200
    uid = web_data.split(data)[2]
    found = bed.get("instances?SOPInstanceUID=" + uid).json()[0]
    return "studies/%s/series/%s/instances/%s" % (found["0020000D"]["Value"][0],
                                                  found["0020000E"]["Value"][0], uid)


def uri_of(bed, path):
    uri = bulk_uris(bed.get(path + "/metadata").json()[0], {})["7FE00010"]
    return "/" + uri.split("://", 1)[1].partition("/")[2] if "://" in uri else uri


SYNTAXES = [IMPLICIT, EXPLICIT, BIG, DEFLATED]
NAMES = ["implicit", "explicit", "big endian", "deflated"]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=NAMES)
def test_whole(bed, syntax):  # noqa: F811
    data, pixels = in_syntax(syntax)
    path = stored(bed, data)
    for where in (uri_of(bed, path), path + "/pixeldata"):
        one = bed.get(where, Accept="application/octet-stream")
        assert (one.status, one.body == pixels) == (200, True), (where, one.status)
        parts = bed.get(where, Accept=BYTES).parts()
        assert [p.body == pixels for p in parts] == [True], where


RANGES = ["0-9", "1-1", "1-8", "2-7", "3-", "-1", "-5", "4095-4100", "0-0", "%d-" % (ROWS * COLUMNS * 2 - 3),
          "131071-131074", "1-%d" % (ROWS * COLUMNS * 2 - 2)]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=NAMES)
def test_ranges(bed, syntax):  # noqa: F811
    """At odd places, too: a word that is cut is still the right half of it."""
    data, pixels = in_syntax(syntax)
    uri = uri_of(bed, stored(bed, data))
    for asked in RANGES:
        first, _, last = asked.partition("-")
        wanted = pixels[-int(last):] if not first else pixels[int(first):int(last) + 1 if last else None]
        answer = bed.get(uri, Accept="application/octet-stream", Range="bytes=" + asked)
        assert answer.status == 206 and answer.body == wanted, (asked, answer.body[:20], wanted[:20])


def test_frames_of_odd_length(bed):  # noqa: F811
    """Three frames of nine bytes in words of two: the second begins within a word."""
    d = image(base(web_data.SC_BYTE, ROOT + ".8102.1", next(NUMBERS), "OT"), 3, 3, bits=8, frames=3)
    pixels = bytes(range(1, 28)) + b"\0"
    d.PixelData = swapped(pixels)
    d["PixelData"].VR = "OW"
    path = stored(bed, file_of(d, BIG))
    for number in (1, 2, 3):
        answer = bed.get("%s/frames/%d" % (path, number), Accept=BYTES)
        assert answer.status == 200, answer
        assert answer.parts()[0].body == pixels[9 * number - 9:9 * number]


def test_compressed(bed):  # noqa: F811
    """Each frame a part, as it is stored, for who takes that; else 406."""
    d = image(base(web_data.SC_BYTE, ROOT + ".8101.1", next(NUMBERS), "OT"), bits=8, frames=3)
    del d.PixelData
    d.is_little_endian, d.is_implicit_VR = True, False
    data = web_data.encapsulated(d, web_data.JPEG_FRAMES)
    path = stored(bed, data)
    wanted = [b"".join(f) for f in web_data.JPEG_FRAMES]
    for where in (uri_of(bed, path), path + "/pixeldata"):
        answer = bed.get(where, Accept='multipart/related; type="image/jpeg"; transfer-syntax=' + JPEG)
        assert answer.status == 200, answer
        assert [p.body.rstrip(b"\0") for p in answer.parts()] == [w.rstrip(b"\0") for w in wanted]
        assert bed.get(where, Accept="application/octet-stream").status == 406
    assert pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID in path
