"""STOW-RS: PS3.18 10.5, row by row."""
import gzip
import io
import json
import struct
import zlib

import pydicom
import pytest

import dul
import web_data
from web import JSON, XML, bed, make_bed, multipart, remove_bed, web  # noqa: F401
from web_data import (BIG, CT, DEFLATED, EXPLICIT, IMPLICIT, JPEG, SC_BYTE, base, encapsulated, file_of,
    image,
                      part10)
from web_rows import check, parametrize, pending, row, value

STORE, STATUS = "PS3.18 10.5.1", "PS3.18 10.5.3.1"
STORED, FAILED, OTHERS, REASON = "00081199", "00081198", "0008119A", "00081197"
CLASS, UID, URL = "00081150", "00081155", "00081190"
ROOT = web_data.ROOT + ".50"
NAMES = iter(range(1, 10000))


def fresh(study=None, syntax=EXPLICIT, **more):
    """(UID, file) of an object nobody has stored yet, in a study of its own or this one."""
    series = "%s.1" % (study or "%s%d" % (ROOT, next(NAMES)))
    d = image(base(CT, series, next(NAMES), "CT", PatientID="STOW", PatientName="Stow^Stella", **more))
    return d.SOPInstanceUID, file_of(d, syntax)


def post(*objects, study="", type="application/dicom", accept=JSON, content=None, body=None, **more):
    made, data = multipart(objects, type, **more)
    headers = {"Content-Type": content or made, "Accept": accept}
    return ("POST", "studies" + ("/" + study if study else ""), headers, data if body is None else body)


def report(answer):
    assert answer.type == JSON, answer
    r = answer.json()
    return r[0] if isinstance(r, list) else r


def stored(*uids, failed=()):
    def look(answer):
        r = report(answer)
        done = [value(i, UID)[0] for i in value(r, STORED) or ()]
        assert sorted(done) == sorted(uids), r
        for i in value(r, STORED) or ():
            assert value(i, CLASS) and value(i, URL)[0].endswith("/instances/" + value(i, UID)[0]), i
        bad = [(value(i, UID)[0], value(i, REASON)[0]) for i in value(r, FAILED) or ()]
        assert sorted(b[0] for b in bad) == sorted(f[0] for f in failed), r
        for uid, reason in bad:
            wanted = dict(failed)[uid]
            assert reason in (wanted if isinstance(wanted, range) else [wanted]), hex(reason)
    return look


def others_failed(answer):
    r = report(answer)
    assert value(r, OTHERS) or value(r, FAILED), r
    for i in (value(r, OTHERS) or []) + (value(r, FAILED) or []):
        assert value(i, REASON)[0] > 0


def good(section, what, **options):
    uid, data = fresh(**{k: options.pop(k) for k in ("study", "syntax") if k in options})
    return row(section, what, post(data, **options), status=200, check=stored(uid))


def raw_row(what, content, body, section=STORE, **expect):
    return row(section, what, ("POST", "studies", {"Content-Type": content, "Accept": JSON}, body), **expect)


MIXED = web_data.ROOT + ".59"
UNKNOWN = "1.2.840.10008.5.1.4.1.1.999999"
A, B, C, D, E, F = [fresh() for _ in range(6)]
IN_STUDY = fresh(MIXED)
CUT = fresh()
TYPE = 'multipart/related; type="application/dicom"; boundary=%s'


def of_class(sop_class):
    d = base(sop_class, ROOT + "7.1", next(NAMES), "OT")
    return d.SOPInstanceUID, file_of(d)


def without(*names):
    d = image(base(CT, ROOT + "8.1", next(NAMES), "CT"))
    uid = d.SOPInstanceUID
    for n in names:
        delattr(d, n)
    return part10(dul.encode(d, EXPLICIT), EXPLICIT, CT, uid)


def framed(boundary, *pieces):
    return b"".join(p if isinstance(p, bytes) else p.encode() for p in pieces).replace(b"BOUNDARY", boundary)


HEAD = "Content-Type: application/dicom\r\n\r\n"
STRANGE = of_class(UNKNOWN)

GOOD = [
    row(STATUS, "all stored: 200", post(A[1], B[1]), status=200, check=stored(A[0], B[0])),
    good(STORE, "to a study", study=ROOT + "1000", accept=JSON),
    row(STORE, "to the study it belongs to", post(IN_STUDY[1], study=MIXED), status=200,
        check=stored(IN_STUDY[0])),
    good("PS3.18 8.7.4", "boundary with blanks and signs", boundary="a'()+_,-./:=? b", content=TYPE % (
        '"a\'()+_,-./:=? b"')),
    raw_row("type= without quotes", (TYPE % "B").replace('"', ""), framed(b"B", "--BOUNDARY\r\n", HEAD, C[1],
            "\r\n--BOUNDARY--\r\n"), status=200, check=stored(C[0])),
    raw_row("without type=", "multipart/related; boundary=B", framed(b"B", "--BOUNDARY\r\n", HEAD, F[1],
            "\r\n--BOUNDARY--\r\n"), status=200, check=stored(F[0])),
    raw_row("preamble and epilogue are ignored", TYPE % "B",
        framed(b"B", "preamble\r\n--BOUNDARY\r\n", HEAD, D[1],
            "\r\n--BOUNDARY--\r\nepilogue\r\n"), section="RFC 2046 5.1.1", status=200, check=stored(D[0])),
    raw_row("blanks after a boundary", TYPE % "B", framed(b"B", "--BOUNDARY \t\r\n", HEAD, E[1],
            "\r\n--BOUNDARY-- \r\n"), section="RFC 2046 5.1.1", status=200, check=stored(E[0])),
    good("RFC 2046 5.1.1", "a boundary of 73 characters, as Orthanc's", boundary="d9d6a58b-" * 8 + "0"),
    good("RFC 2046 5.1.1", "a boundary of 128 characters", boundary="B" * 128),
    good("PS3.18 8.7.3", "Implicit VR Little Endian", syntax=IMPLICIT),
    good("PS3.18 8.7.3", "Explicit VR Big Endian", syntax=BIG),
    good("PS3.18 10.5.2", "part with transfer-syntax in its type",
         type='application/dicom; transfer-syntax=1.2.840.10008.1.2.1', content=TYPE % "galena-test"),
]

BAD = [
    row(STATUS, "some stored: 202", post(*[f[1] for f in (fresh(MIXED), of_class(UNKNOWN))], study=""),
        status=202,
        check=others_failed),
    row(STATUS, "cut within the second: 202",
        post(fresh()[1], body=multipart((fresh()[1], fresh()[1]))[1][:-200]), status=202,
        check=others_failed),
    row(STATUS, "none stored: 409", post(STRANGE[1]), status=409,
        check=stored(failed=[(STRANGE[0], 0x0122)])),
    row("PS3.18 Table I.2-2", "another study than the path names: 409", post(CUT[1], study=ROOT + "2000"),
        status=409,
        check=stored(failed=[(CUT[0], range(0xA900, 0xB000))])),
    row(STATUS, "not a DICOM file: 409", post(b"this is no DICOM file" * 20), status=409,
        check=others_failed),
    row(STATUS, "an empty part: 409", post(b""), status=[400, 409]),
    row(STATUS, "cut in its data set: 409", post(fresh()[1][:-40]), status=409, check=others_failed),
    row(STATUS, "cut in its meta information: 409", post(fresh()[1][:180]), status=409, check=others_failed),
    row(STATUS, "without a Study Instance UID: 409", post(without("StudyInstanceUID")), status=409,
        check=others_failed),
    row(STATUS, "without a SOP Class UID: 409", post(without("SOPClassUID")), status=409,
        check=others_failed),
    row(STATUS, "a UID that climbs: 409", post(part10(dul.encode(image(base(
        CT, "1.2.3", 1, "CT", SeriesInstanceUID="../../x")), EXPLICIT), EXPLICIT, CT, "1.2.3.4")),
        status=409),
    row(STATUS, "meta information names another instance: 409",
        post(part10(web_data.split(fresh()[1])[3], EXPLICIT,
        CT, "1.2.3.4.5")), status=[200, 409]),
    row(STATUS, "a transfer syntax that is none: 409", post(part10(web_data.split(fresh()[1])[3], "1.2.3", CT,
        "1.2.3.4.5")), status=409, check=others_failed),
    row("PS3.18 10.5.3.1", "not multipart: 415", ("POST", "studies", {"Content-Type": "text/plain"}, b"x"),
        status=415),
    row("PS3.18 10.5.3.1", "a single file without multipart: 415 or stored",
        ("POST", "studies", {"Content-Type": "application/dicom", "Accept": JSON}, fresh()[1]),
        status=[200, 415]),
    row("PS3.18 10.5.3.1", "no Content-Type: 400 or 415", ("POST", "studies", {}, fresh()[1]),
        status=[400, 415]),
    row("PS3.18 10.5.3.1", "parts of a type nobody takes: 415 or 409",
        post(b"<html>", type="text/html"), status=[400, 409, 415]),
    raw_row("no boundary: 400", 'multipart/related; type="application/dicom"', b"--B\r\n\r\n--B--\r\n",
        status=[400, 415]),
    raw_row("an empty body: 400", TYPE % "B", b"", status=400),
    raw_row("no part: 400", TYPE % "B", b"--B--\r\n", status=[400, 409]),
    raw_row("another boundary: 400", TYPE % "B",
        framed(b"C", "--BOUNDARY\r\n", HEAD, "x\r\n--BOUNDARY--\r\n"),
            status=400),
    raw_row("no closing boundary: 400", TYPE % "B", framed(b"B", "--BOUNDARY\r\n", HEAD, b"x" * 500),
        status=400),
    raw_row("a boundary of 129 characters: 400", TYPE % ("B" * 129), framed(b"B" * 129, "--BOUNDARY\r\n",
            HEAD, "x\r\n--BOUNDARY--\r\n"), status=400, section="RFC 2046 5.1.1"),
    row("PS3.18 10.5", "a study UID in the path that is none: 400", post(fresh()[1], study="1..2"),
        status=[400, 404]),
    row("PS3.18 10.5.1", "PUT is not to be had: 405", ("PUT", "studies", {"Content-Type": TYPE % "B"}, b""),
        status=405),
]


def xml_report(answer):
    assert b"NativeDicomModel" in answer.body and (STORED.encode() in answer.body)


REPORTS = [
    row("PS3.18 10.5.3", "Accept: */*", post(fresh()[1], accept="*/*"), status=200, type=JSON),
    row("PS3.18 8.7.5", "a report in a form nobody offers: 406", post(fresh()[1], accept="text/csv"),
        status=406),
    row("PS3.18 Table 10.5.3-1", "Retrieve URL of the study", post(fresh(ROOT + "3000")[1]), status=200,
        check=lambda a: value(report(a), URL)[0].endswith("/studies/%s3000" % ROOT) or 1 / 0),
]

SOON = [
    row("PS3.18 10.5.3", "the report in XML", post(fresh()[1], accept=XML), status=200, type=XML,
        check=xml_report),
]
ROWS = GOOD + BAD + REPORTS + pending(*SOON)


@parametrize(ROWS)
def test_row(web, row):  # noqa: F811
    check(web, row)


def retrieve(client, uid, accept="application/dicom"):
    study = ".".join(uid.split(".")[:-2])
    answer = client.get("studies/%s/series/%s/instances/%s" % (study, uid.rsplit(".", 1)[0], uid),
                        Accept=accept)
    assert answer.status == 200, answer
    return answer.body


def same(a, b):
    a, b = pydicom.dcmread(io.BytesIO(a)), pydicom.dcmread(io.BytesIO(b))
    return a == b


def test_what_was_stored_is_there(bed):  # noqa: F811
    uid, data = fresh()
    assert bed.stow(data).status == 200
    assert same(retrieve(bed, uid), data)
    found = bed.get("instances?SOPInstanceUID=" + uid)
    assert found.status == 200 and len(found.json()) == 1


def test_conditions_are_of_reading(bed):  # noqa: F811
    """RFC 9110 13.2.1: what was stored is never "not modified"."""
    answer = bed.stow(fresh()[1], If_None_Match="*")
    assert answer.status == 200 and answer.header("cache-control") == "no-store"
    assert bed("OPTIONS", "/dicomweb", If_None_Match="*").status == 200


def test_the_same_again_is_stored_once(bed):  # noqa: F811
    uid, data = fresh()
    assert [bed.stow(data).status for _ in range(3)] == [200] * 3
    assert len(bed.get("instances?SOPInstanceUID=" + uid).json()) == 1


@pytest.mark.parametrize("name,preamble", [
    ("Windows program", b"MZ\x90\0"), ("ELF", b"\x7fELF\2\1\1"), ("Mach-O", b"\xcf\xfa\xed\xfe"),
    ("TIFF", b"II*\0\x84\0\0\0"), ("HTML", b"<html><script>alert(1)</script>"), ("ZIP", b"PK\3\4")])
def test_the_preamble_is_neutralised(bed, name, preamble):  # noqa: F811
    """PS3.10 7.5: a file that is something else too does not come out as such."""
    uid, data = fresh()
    assert bed.stow(preamble.ljust(128, b"\0") + data[128:]).status == 200
    assert retrieve(bed, uid)[:132] == bytes(128) + b"DICM"


def deflated(study):
    d = image(base(CT, study + ".1", next(NAMES), "CT"))
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(dul.encode(d, EXPLICIT)) + packer.flush()
    return d.SOPInstanceUID, part10(data + b"\0" * (len(data) % 2), DEFLATED, CT, d.SOPInstanceUID), d


def test_deflated_comes_back(bed):  # noqa: F811
    uid, data, d = deflated(ROOT + "4000")
    assert bed.stow(data).status == 200
    assert pydicom.dcmread(io.BytesIO(retrieve(bed, uid, 'application/dicom; transfer-syntax=*'))) == d


def test_compressed_is_kept_as_it_is(bed):  # noqa: F811
    d = image(base(SC_BYTE, ROOT + "5000.1", 1, "OT"), bits=8, frames=3)
    del d.PixelData
    d.is_little_endian, d.is_implicit_VR = True, False
    data = encapsulated(d, web_data.JPEG_FRAMES)
    assert bed.stow(data).status == 200
    got = pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID, "application/dicom; transfer-syntax=*")))
    assert got.file_meta.TransferSyntaxUID == JPEG and got == pydicom.dcmread(io.BytesIO(data))


@pytest.mark.parametrize("size", [1, 7, 1000, 16384])
def test_the_body_may_come_in_chunks(bed, size):  # noqa: F811
    """RFC 9112 7.1, whatever falls on a border of theirs."""
    uid, data = fresh()
    content, body = multipart([data])
    pieces = (body[i:i + size] for i in range(0, len(body), size))
    answer = bed("POST", "studies", pieces, Content_Type=content)
    assert answer.status == 200, answer
    assert same(retrieve(bed, uid), data)


def test_the_boundary_inside_the_data(bed):  # noqa: F811
    """Without a line's beginning before it, it is data."""
    d = image(base(CT, ROOT + "6000.1", 1, "CT"))
    d.PixelData = (b"--galena-test--\r\n-\r\n--galena-tes\r\n\r\n--galena-testament"[:-8] + bytes(200))[:128]
    data = file_of(d)
    answer = bed.stow(data)
    assert answer.status in (200, 400, 409), answer
    if answer.status == 200:
        assert same(retrieve(bed, d.SOPInstanceUID), data)


def test_a_gzip_body_is_refused(bed):  # noqa: F811
    """No compressed request bodies: nothing that unfolds."""
    content, body = multipart([fresh()[1]])
    answer = bed("POST", "studies", gzip.compress(body), Content_Type=content, Content_Encoding="gzip")
    assert answer.status in (400, 415), answer


def test_many_objects_in_one_request(bed):  # noqa: F811
    some = [fresh(ROOT + "7000") for _ in range(200)]
    answer = bed.stow(*[data for _, data in some])
    assert answer.status == 200
    stored(*[uid for uid, _ in some])(answer)
    answer = bed.get("studies/%s7000/instances?limit=1000" % ROOT)
    assert len(answer.json()) == 200


def test_the_good_ones_around_a_bad_one(bed):  # noqa: F811
    first, last = fresh(), fresh()
    answer = bed.stow(first[1], b"bad" * 100, fresh()[1][:-30], last[1])
    assert answer.status == 202
    assert [value(i, UID)[0] for i in value(report(answer), STORED)] == [first[0], last[0]]
    assert all(bed.get("instances?SOPInstanceUID=" + u).status == 200 for u in (first[0], last[0]))


def test_nothing_of_a_broken_upload_is_seen(bed):  # noqa: F811
    """The connection ends within an object: what was whole is there, the rest is not."""
    whole, part = fresh(), fresh()
    content, body = multipart([whole[1], part[1]])
    c = bed.connect()
    c.putrequest("POST", bed.root + "/studies")
    for name, v in (("Content-Type", content), ("Content-Length", str(len(body))), ("Accept", JSON),
                    ("Authorization", "Bearer " + bed.token)):
        c.putheader(name, v)
    c.endheaders()
    c.send(body[:-len(part[1]) // 2])
    c.close()
    assert bed.get("instances?SOPInstanceUID=" + part[0]).status == 204


# --- as metadata and bulk data

def as_json(d, bulk=b"", location="bulk/1", **changes):
    """(Content-Type, body) of the data set as JSON, its pixels a part of their own."""
    model = {k: v for k, v in d.to_json_dict().items() if k != "7FE00010"}
    model["7FE00010"] = {"vr": d["PixelData"].VR, "BulkDataURI": location}
    model.update(changes)
    parts = [({"Content-Type": JSON}, json.dumps([model]).encode())]
    if bulk:
        parts.append(({"Content-Type": "application/octet-stream", "Content-Location": location}, bulk))
    return multipart(parts, JSON)


def small():
    return image(base(CT, "%s%d.1" % (ROOT, next(NAMES)), 1, "CT", PatientName="Json^Jürgen"))


def test_metadata_with_bulk_data(bed):  # noqa: F811
    """PS3.18 10.5.2.1, F.4."""
    d = small()
    content, body = as_json(d, bytes(d.PixelData))
    answer = bed("POST", "studies", body, Content_Type=content)
    assert answer.status == 200, answer
    got = pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID)))
    assert got.PixelData == d.PixelData and got.PatientName == d.PatientName and got.Rows == d.Rows


def post_models(bed, models, bulk):
    """Metadata of several objects, and (headers, bytes) of what they refer to, in this order."""
    parts = [({"Content-Type": JSON}, json.dumps(models).encode())]
    parts += [(dict({"Content-Type": "application/octet-stream"}, **headers), data) for headers, data in bulk]
    content, body = multipart(parts, JSON)
    return bed("POST", "studies", body, Content_Type=content)


def model(d, location, **changes):
    made = {k: v for k, v in d.to_json_dict().items() if k != "7FE00010"}
    made["7FE00010"] = {"vr": d["PixelData"].VR, "BulkDataURI": location}
    made.update(changes)
    return made


def test_bulk_data_in_any_order(bed):  # noqa: F811
    """What comes before the last of an object waits for it."""
    one, two = small(), small()
    note = {"00420011": {"vr": "OB", "BulkDataURI": "note"}}
    answer = post_models(bed, [model(one, "pixels/1", **note), model(two, "pixels/2")], [
        ({"Content-Location": "pixels/2"}, bytes(two.PixelData)[::-1]),
        ({"Content-Location": "pixels/1"}, bytes(one.PixelData)), ({"Content-Location": "note"}, b"odd")])
    assert answer.status == 200, answer
    got = [pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID))) for d in (one, two)]
    assert got[0].PixelData == one.PixelData and got[0].EncapsulatedDocument == b"odd\0"
    assert got[1].PixelData == bytes(two.PixelData)[::-1]


def framed_model(frames):
    d = image(base(SC_BYTE, "%s%d.1" % (ROOT, next(NAMES)), 1, "OT"), bits=8, frames=frames)
    return d, model(d, "frames")


FRAMES_SENT = [b"\xff\xd8frame %d\xff\xd9" % i * (i + 1) for i in range(3)]


@pytest.mark.parametrize("type,syntax", [
    ("image/jpeg; transfer-syntax=" + JPEG, JPEG), ("image/jpeg", "1.2.840.10008.1.2.4.70"),
    ("image/jls", web_data.JPEG_LS), ("image/jp2", "1.2.840.10008.1.2.4.90"),
    ("image/dicom-rle", "1.2.840.10008.1.2.5")])
def test_frames_as_parts(bed, type, syntax):  # noqa: F811
    """PS3.18 8.7.3.3: each a part; what names no transfer syntax has the default of its media type."""
    d, made = framed_model(3)
    answer = post_models(bed, [made], [
        ({"Content-Type": type, "Content-Location": "frames/frames/%d" % (i + 1)}, f)
        for i, f in enumerate(FRAMES_SENT)])
    assert answer.status == 200, answer
    got = pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID, "application/dicom; transfer-syntax=*")))
    assert got.file_meta.TransferSyntaxUID == syntax
    sent = [f + b"\0" * (len(f) % 2) for f in FRAMES_SENT]
    assert got.PixelData == b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(f)) + f for f in [b""] + sent)


def test_more_frames_than_are_taken(bed):  # noqa: F811
    """What is stored has all its frames, or is not stored."""
    d, _ = framed_model(1)
    d.NumberOfFrames = 65537
    answer = post_models(bed, [model(d, "frames")], [
        ({"Content-Type": "image/jpeg", "Content-Location": "frames"}, b"\xff\xd8\xff\xd9")] * 65537)
    if answer.status == 200:
        got = pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID,
                                                  "application/dicom; transfer-syntax=*")))
        assert got.PixelData.count(b"\xff\xd8\xff\xd9") == 65537
    else:
        assert answer.status == 409


@pytest.mark.parametrize("name,frames,types,allowed", [
    ("a frame short", 3, ["image/jpeg"] * 2, {409}), ("a frame too many", 2, ["image/jpeg"] * 3, {200}),
    ("no frame", 2, [], {409}), ("of a kind that is none", 1, ["image/png"], {409, 415}),
    ("bytes among frames", 2, ["image/jpeg", "application/octet-stream"], {200, 409})])
def test_frames_that_do_not_fit(bed, name, frames, types, allowed):  # noqa: F811
    d, made = framed_model(frames)
    answer = post_models(bed, [made], [({"Content-Type": t, "Content-Location": "frames"}, FRAMES_SENT[i])
                                       for i, t in enumerate(types)])
    assert answer.status in allowed, answer
    there = bed.get("instances?SOPInstanceUID=" + d.SOPInstanceUID).status
    assert there == (200 if answer.status == 200 else 204)


@pytest.mark.parametrize("length", [1, 127, 129, 4000000000])
def test_bulk_data_of_another_length(bed, length):  # noqa: F811
    """Longer or shorter than the Content-Length of its part, or than the attributes say."""
    d = small()
    answer = post_models(bed, [model(d, "p")], [({"Content-Location": "p", "Content-Length": str(length)},
                                                 bytes(d.PixelData))])
    assert answer.status in (400, 409), answer
    assert bed.get("instances?SOPInstanceUID=" + d.SOPInstanceUID).status == 204


@pytest.mark.parametrize("rows,sent", [(3, 27), (3, 28), (3, 26), (3, 40), (2400, 2400 * 2401 * 3),
                                       (2401, 2401 * 2401 * 3), (2401, 2401 * 2401 * 3 + 1)])
def test_pixel_data_of_which_nobody_says_how_long(bed, rows, sent):  # noqa: F811
    """Odd, padded, short: kept as it came, and made even. What is long streams, as the attributes say."""
    d = small()
    d.Rows, d.Columns, d.SamplesPerPixel, d.BitsAllocated = rows, 3 if rows == 3 else 2401, 3, 8
    d.BitsStored, d.HighBit, d.PhotometricInterpretation, d.PlanarConfiguration = 8, 7, "RGB", 0
    pixels = bytes(i * 7 % 251 for i in range(1000)) * (sent // 1000 + 1)
    answer = post_models(bed, [model(d, "p")], [({"Content-Location": "p"}, pixels[:sent])])
    assert answer.status == 200, answer
    got = pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID)))
    assert got.PixelData == pixels[:sent] + b"\0" * (sent % 2)


def test_long_pixel_data_of_another_length_than_the_attributes_say(bed):  # noqa: F811
    d = small()
    d.Rows = d.Columns = 3000
    for more in (-2, 2):
        answer = post_models(bed, [model(d, "p")], [({"Content-Location": "p"}, bytes(18000000 + more))])
        assert answer.status == 409, answer


def test_shared_chrominance(bed):  # noqa: F811
    """PS3.3 C.7.6.3.1.2: YBR_FULL_422 has two samples a pixel."""
    d = small()
    d.Rows = d.Columns = 3000
    d.SamplesPerPixel, d.PhotometricInterpretation, d.BitsAllocated, d.BitsStored = 3, "YBR_FULL_422", 8, 8
    d.HighBit, d.PlanarConfiguration = 7, 0
    answer = post_models(bed, [model(d, "p")], [({"Content-Location": "p"}, bytes(18000000))])
    assert answer.status == 200, answer


@pytest.mark.parametrize("vr", ["UN", "LO", "PN"])
def test_a_name_is_found_whatever_vr_it_has(bed, vr):  # noqa: F811
    """PS3.5 6.2.2: UN is what those write who do not know the attribute."""
    d = base(CT, "%s%d.1" % (ROOT, next(NAMES)), 1, "CT", PatientName="Müller^Ursula")
    head, _, rest = file_of(d).partition(b"\x10\0\x10\0PN")
    length = b"\0\0" + rest[:2] + b"\0\0" if vr == "UN" else rest[:2]
    assert bed.stow(head + b"\x10\0\x10\0" + vr.encode() + length + rest[2:]).status == 200
    for name in ("muller^ursula", "MÜLLER*", "ursula&fuzzymatching=true"):
        found = bed.get("studies?StudyInstanceUID=%s&PatientName=%s" % (
            d.StudyInstanceUID, name.replace("Ü", "%C3%9C")))
        assert found.status == 200, name


URIS = ["file:///etc/passwd", "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/x",
    "/etc/passwd",
        "bulk/2", "../x", ""]


@pytest.mark.parametrize("uri", URIS)
def test_bulk_data_from_elsewhere_is_never_fetched(bed, uri):  # noqa: F811
    d = small()
    content, body = as_json(d, location=uri)
    answer = bed("POST", "studies", body, Content_Type=content)
    assert answer.status in (400, 409, 415), answer
    assert bed.get("instances?SOPInstanceUID=" + d.SOPInstanceUID).status == 204


BAD_JSON = [
    ("deep", b"[" * 100000), ("deep items", b'[{"00081140":{"vr":"SQ","Value":[' * 5000),
    ("cut", b'[{"00080018":'),
    ("no array", b'"x"'), ("NUL", b"\0"), ("a huge number", b'[{"00200013":{"vr":"IS","Value":[1e999999]}}]'),
    ("a key twice", b'[{"00100020":{"vr":"LO","Value":["a"]},"00100020":{"vr":"LO","Value":["b"]}}]'),
    ("not UTF-8", b'[{"00100020":{"vr":"LO","Value":["\xff\xfe"]}}]'),
        ("no VR", b'[{"00100020":{"Value":["a"]}}]'),
    ("a wrong VR", b'[{"00100020":{"vr":"XX","Value":["a"]}}]'), ("empty", b""), ("no object", b"[1,2,3]"),
    ("base64 that is none", b'[{"7FE00010":{"vr":"OB","InlineBinary":"***"}}]'),
    ("a surrogate alone", b'[{"00100020":{"vr":"LO","Value":["\\ud800"]}}]'),
]


@pytest.mark.parametrize("name,text", BAD_JSON, ids=[b[0] for b in BAD_JSON])
def test_json_that_is_none(bed, name, text):  # noqa: F811
    content, body = multipart([({"Content-Type": JSON}, text)], JSON)
    answer = bed("POST", "studies", body, Content_Type=content)
    assert answer.status in (400, 409, 415), answer


BAD_XML = [
    ("DOCTYPE", b'<?xml version="1.0"?><!DOCTYPE x><NativeDicomModel/>'),
    ("external entity", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
     b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO">'
     b'<Value number="1">&e;</Value></DicomAttribute></NativeDicomModel>'),
    ("a billion laughs", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) + b"]><x>&j;</x>"),
    ("deep", b"<a>" * 100000), ("cut", b"<NativeDicomModel><DicomAttr"), ("none", b"hello"),
]


@pytest.mark.parametrize("name,text", BAD_XML, ids=[b[0] for b in BAD_XML])
def test_xml_that_is_none(bed, name, text):  # noqa: F811
    content, body = multipart([({"Content-Type": XML}, text)], XML)
    answer = bed("POST", "studies", body, Content_Type=content)
    assert answer.status in (400, 409, 415), answer
    assert b"root:" not in answer.body


def test_over_the_limit_is_413():
    """The setting that bounds an upload; RFC 9110 15.5.14."""
    small_bed = make_bed(upload_max=1 << 20)
    try:
        d = image(base(CT, ROOT + "9000.1", 1, "CT"), rows=1024, columns=1024)
        content, body = multipart([file_of(d)])
        answer = small_bed("POST", "studies", body, Content_Type=content)
        assert answer.status == 413, answer
        assert small_bed.stow(fresh()[1]).status == 200
    finally:
        remove_bed(small_bed)


@pytest.mark.parametrize("lengths", [False, True])
def test_native_frames_as_parts(bed, lengths):  # noqa: F811
    """As the frames resource gives them: PS3.18 10.4.1.1.3. All of them are the pixel data."""
    d, made = framed_model(3)
    frame = len(d.PixelData) // 3
    parts = [d.PixelData[i * frame:(i + 1) * frame] for i in range(3)]
    answer = post_models(bed, [made], [
        (dict({"Content-Type": "application/octet-stream", "Content-Location": "frames/frames/%d" % (i + 1)},
              **({"Content-Length": str(frame)} if lengths else {})), part) for i, part in enumerate(parts)])
    assert answer.status == 200, answer
    assert pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID))).PixelData == d.PixelData


def test_a_video_is_one_part(bed):  # noqa: F811
    """PS3.18 8.7.3.3: however many frames it has."""
    d, made = framed_model(5)
    video = b"\0\0\0\x18ftypmp42" + bytes(100)
    answer = post_models(bed, [made], [({"Content-Type": "video/mp4", "Content-Location": "frames"}, video)])
    assert answer.status == 200, answer
    got = pydicom.dcmread(io.BytesIO(retrieve(bed, d.SOPInstanceUID, "application/dicom; transfer-syntax=*")))
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert got.PixelData == struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, len(video)) + video
