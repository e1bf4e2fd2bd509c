"""Images whose attributes lie about their pixels: kept as they came, and nothing is ever read beyond them.

There are no decoders: what is handed out are the bytes of the frames, found by the attributes (native) or by
the offset tables (encapsulated). Each frame that is asked for is there, or is not; the server is never at a
loss.
"""
import struct

import pytest
from pydicom.datadict import tag_for_keyword

import web_data
from test_dicomweb_stow import NAMES
from web import bed  # noqa: F401, the fixture
from web_data import CT, EXPLICIT, ROOT, base, file_of, image, jpeg

PIXELS = bytes(range(128))  # 8 x 8 of 16 bits


def native(**values):
    d = image(base(CT, ROOT + ".8000.1", next(NAMES), "CT"))
    d.PixelData = PIXELS
    for name, value in values.items():
        if isinstance(value, tuple): # another VR
            d.add_new(tag_for_keyword(name), *value)
        else:
            setattr(d, name, value)
    return d


NATIVE = [ # name, attributes, the frames that are there
    ("as it should be", {}, {1}),
    ("16 bits times 65,535 times 65,535", dict(Rows=65535, Columns=65535), set()),
    ("and times 65,535 samples", dict(Rows=65535, Columns=65535, SamplesPerPixel=65535), set()),
    ("and times 2^31 frames", dict(Rows=65535, Columns=65535, SamplesPerPixel=65535,
                                   NumberOfFrames=2 ** 31 - 1), set()),
    ("frames times bytes are 2^32", dict(Rows=4096, Columns=4096, NumberOfFrames=128), set()),
    ("more frames than there are bytes", dict(NumberOfFrames=2 ** 31 - 1), {1}),
    ("frames of no number", dict(NumberOfFrames=("IS", "-1")), {1}),
    ("no rows", dict(Rows=0), set()), ("no columns", dict(Columns=0), set()),
    ("65,535 bits", dict(BitsAllocated=65535), set()), ("no bits", dict(BitsAllocated=0), set()),
    ("more bits stored than allocated", dict(BitsStored=99, HighBit=200), {1}),
    ("one bit", dict(BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=16), set(range(1, 17))),
    ("a palette of one entry", dict(PhotometricInterpretation="PALETTE COLOR"), {1}),
    ("no such colours", dict(PhotometricInterpretation="KLINGON"), {1}),
    ("rows as a text", dict(Rows=("LO", "8")), set()), ("rows as a long", dict(Rows=("UL", 8)), {1}),
]


def store(bed, data):
    answer = bed.stow(data)
    assert answer.status in (200, 202, 409), answer
    uid = web_data.split(data)[2]
    return uid if answer.status == 200 else None


def frame(bed, uid, number):
    """Its bytes; None: there is no such frame to be had."""
    found = bed.get("instances?SOPInstanceUID=" + uid).json()[0]
    path = "studies/%s/series/%s/instances/%s/frames/%d" % (
        found["0020000D"]["Value"][0], found["0020000E"]["Value"][0], uid, number)
    answer = bed.get(path, Accept='multipart/related; type="application/octet-stream"; transfer-syntax=*')
    assert answer.status in (200, 404, 406) or answer.status == 400 and number >= 2 ** 32, answer
    return answer.parts()[0].body if answer.status == 200 else None


def alive(bed):
    status = bed.archive.status()
    assert (status["state"], status["crashes"]) == ("serving", "0"), bed.archive.log()


@pytest.mark.parametrize("name,values,there", NATIVE, ids=[n[0] for n in NATIVE])
def test_native(bed, name, values, there):  # noqa: F811
    uid = store(bed, file_of(native(**values), EXPLICIT))
    for number in (1, 2, 3, 16, 17, 2 ** 31, 2 ** 32) if uid else ():
        got = frame(bed, uid, number)
        assert (got is not None) == (number in there), (number, got)
        assert got is None or len(got) <= len(PIXELS) and got in PIXELS
    alive(bed)


def encapsulated(offsets, fragments, frames):
    d = image(base(web_data.SC_BYTE, ROOT + ".8001.1", next(NAMES), "OT"), bits=8, frames=frames)
    del d.PixelData
    d.is_little_endian, d.is_implicit_VR = True, False
    data = bytearray(web_data.encapsulated(d, [[f] for f in fragments], table=False))
    at = data.index(struct.pack("<HHI", 0xFFFE, 0xE000, 0))
    table = struct.pack("<%dI" % len(offsets), *offsets)
    data[at:at + 8] = struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table
    return bytes(data)


JPEGS = [jpeg(n) for n in (1, 2, 3)]
STEP = [8 + len(j) + len(j) % 2 for j in JPEGS]
AT = [0, STEP[0], STEP[0] + STEP[1]]
TABLES = [ # name, offset table, number of frames, the frames that may be had
    ("as it should be", AT, 3, {1, 2, 3}),
    ("none", [], 3, {1, 2, 3}),
    ("backwards", AT[::-1], 3, {1, 2, 3}),
    ("all the same", [0, 0, 0], 3, {1, 2, 3}),
    ("past the end", [0, 2 ** 32 - 1, 2 ** 31], 3, {1, 2, 3}),
    ("into the middle", [0, 5, 9], 3, {1, 2, 3}),
    ("one entry more", AT + [500], 3, {1, 2, 3}),
    ("ten thousand entries", list(range(10000)), 3, {1, 2, 3}),
    ("two frames of three fragments", [AT[0], AT[2]], 2, {1, 2}),
    ("two frames, backwards", [AT[2], AT[0]], 2, {2}),
    ("two frames, none said", [], 2, set()),
    ("a thousand frames of three fragments", [], 1000, set()),
    ("one frame of three fragments", [0], 1, {1}),
]


@pytest.mark.parametrize("name,offsets,frames,may", TABLES, ids=[t[0] for t in TABLES])
def test_offset_tables(bed, name, offsets, frames, may):  # noqa: F811
    """What a table says is compared with where fragments are; a frame is whole fragments or nothing."""
    uid = store(bed, encapsulated(offsets, JPEGS, frames))
    whole = b"".join(j + b"\0" * (len(j) % 2) for j in JPEGS)
    for number in (1, 2, 3, 4, 1000) if uid else ():
        got = frame(bed, uid, number)
        assert got is None or number in may and got in whole and got.startswith(b"\xff\xd8"), (number, got)
        assert got is not None or number not in may or name != "as it should be"
    alive(bed)
