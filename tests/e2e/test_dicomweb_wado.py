"""WADO-RS: PS3.18 10.4, row by row: studies, series, instances, frames, bulk data."""
import hashlib
import io
import zipfile

import pydicom
import pytest

import web_data
from web import parameter, web  # noqa: F401
from web_data import (BIG, BRAIN, BRAIN_1, BULK, BULK_1, CHEST, CHEST_1, CHEST_3, DATASETS, EXPLICIT, FRAMES,
                      FRAMES_1, IMPLICIT, JPEG, JPEG_LS, NOWHERE)
from web_rows import check, get, parametrize, row

DICOM = "application/dicom"
OBJECTS = 'multipart/related; type="application/dicom"'
ANY = OBJECTS + "; transfer-syntax=*"
BYTES = 'multipart/related; type="application/octet-stream"'
RETRIEVE, FRAME, BULKDATA = "PS3.18 10.4.1.1.1", "PS3.18 10.4.1.1.3", "PS3.18 10.4.1.1.5"
NATIVE, COMPRESSED, TABLELESS, LOSSLESS = [FRAMES_1 + ".%d" % n for n in (1, 2, 3, 4)]


def path(instance):
    study = ".".join(instance.split(".")[:4])
    return "studies/%s/series/%s/instances/%s" % (study, instance.rsplit(".", 1)[0], instance)


def read(data):
    return pydicom.dcmread(io.BytesIO(data))


def objects(answer):
    """{UID: data set} of a multipart of files, whose headers are checked."""
    assert answer.type == "multipart/related", answer.header("content-type")
    assert 'type="application/dicom"' in answer.header("content-type"), answer.header("content-type")
    found = {}
    for p in answer.parts():
        assert p.headers["content-type"].startswith(DICOM), p.headers
        assert p.headers["content-location"].startswith("http"), p.headers
        d = read(p.body)
        assert p.body[:128] == bytes(128) and p.body[128:132] == b"DICM"
        assert d.file_meta.MediaStorageSOPInstanceUID == d.SOPInstanceUID
        assert p.headers["content-location"].endswith(d.SOPInstanceUID), p.headers
        named = parameter(p.headers["content-type"], "transfer-syntax")
        assert named in (None, d.file_meta.TransferSyntaxUID), p.headers
        found[d.SOPInstanceUID] = d
    return found


def holds(*uids, syntax=None):
    def look(answer):
        found = objects(answer)
        assert sorted(found) == sorted(uids), list(found)
        for uid, d in found.items():
            assert syntax is None or d.file_meta.TransferSyntaxUID == syntax, d.file_meta.TransferSyntaxUID
            if uid in DATASETS:
                assert d == DATASETS[uid], "%s is not as it was stored" % uid
    return look


def single(syntax=None):
    def look(answer):
        d = read(answer.body)
        assert syntax is None or d.file_meta.TransferSyntaxUID == syntax
    return look


def native(number):
    data = DATASETS[NATIVE].PixelData
    return data[(number - 1) * 64:number * 64]


def frames(*wanted, type="application/octet-stream", syntax=EXPLICIT):
    """These bytes, a part each; an odd one may have its padding."""
    def look(answer):
        assert answer.type == "multipart/related" and parameter(answer.header("content-type"), "type") == type
        parts = answer.parts()
        assert len(parts) == len(wanted), len(parts)
        for p, data in zip(parts, wanted):
            assert p.headers["content-type"].split(";")[0].strip() == type, p.headers
            assert parameter(p.headers["content-type"], "transfer-syntax") in (None, syntax), p.headers
            assert p.body in (data, data + b"\0"), (p.body[:40], data[:40])
            assert "/frames/" in p.headers["content-location"], p.headers
    return look


def quoted(answer):
    assert 'type="' in answer.header("content-type"), answer.header("content-type")


def overlay_of(answer):
    """The OB of 100000 bytes comes as one part."""
    bodies = [p.body for p in answer.parts()]
    assert any(hashlib.sha256(b).digest() == hashlib.sha256(
        bytes(DATASETS[BULK_1 + ".1"][0x00091011].value)).digest() for b in bodies), [len(b) for b in bodies]


BRAINS = [BRAIN_1 + ".%d" % n for n in (1, 2, 3)]
CHESTS = [CHEST + n for n in (".1.1", ".1.2", ".2.1", ".3.1")]
SR_OBJECT = CHEST_3 + ".1"

WHOLE = [
    row(RETRIEVE, "a study", get("studies/" + BRAIN, OBJECTS), check=holds(*BRAINS, syntax=EXPLICIT)),
    row(RETRIEVE, "a series", get("studies/%s/series/%s" % (CHEST, CHEST_1), OBJECTS),
        check=holds(*CHESTS[:2], syntax=EXPLICIT)),
    row(RETRIEVE, "an instance", get(path(BRAINS[0]), OBJECTS), check=holds(BRAINS[0], syntax=EXPLICIT)),
    row(RETRIEVE, "a structured report", get(path(SR_OBJECT), OBJECTS), check=holds(SR_OBJECT)),
    row(RETRIEVE, "odd values of every VR", get(path(BULK_1 + ".1"), OBJECTS), check=holds(BULK_1 + ".1")),
    row("PS3.18 8.7.3", "Implicit VR is sent as Explicit VR", get(path(CHEST_1 + ".2"), OBJECTS),
        check=holds(CHEST_1 + ".2", syntax=EXPLICIT)),
    row("PS3.18 8.7.3.5.2", "transfer-syntax=*: as it is stored", get(path(COMPRESSED), ANY),
        check=holds(COMPRESSED, syntax=JPEG)),
    row("PS3.18 8.7.3.5.2", "compressed without loss, not decompressed: 406", get(path(LOSSLESS), OBJECTS),
        status=406),
    row("RFC 9110 12.5.1", "but to who takes anything", get(path(LOSSLESS), "*/*"),
        check=holds(LOSSLESS, syntax=JPEG_LS)),
    row("RFC 9110 12.5.1", "or any multipart", get(path(LOSSLESS), "multipart/related"),
        check=holds(LOSSLESS, syntax=JPEG_LS)),
    row("PS3.18 8.7.3.5.2", "only a lossy form exists: that one, without being asked",
        get(path(COMPRESSED), OBJECTS), check=holds(COMPRESSED, syntax=JPEG)),
    row("PS3.18 8.7.3.5", "the syntax it has, by name",
        get(path(COMPRESSED), OBJECTS + "; transfer-syntax=" + JPEG),
        check=holds(COMPRESSED, syntax=JPEG)),
    row("PS3.18 8.7.3.5", "a syntax it cannot have: 406",
        get(path(BRAINS[0]), OBJECTS + "; transfer-syntax=1.2.840.10008.1.2.4.103"), status=406),
    row("PS3.18 8.7.3", "Implicit VR is not to be had: 406",
        get(path(BRAINS[0]), OBJECTS + "; transfer-syntax=" + IMPLICIT), status=406),
    row("PS3.18 8.7.3", "big endian is not to be had: 406",
        get(path(BRAINS[0]), OBJECTS + "; transfer-syntax=" + BIG), status=406),
    row(RETRIEVE, "all of a study as they are stored", get("studies/" + FRAMES, ANY),
        check=holds(NATIVE, COMPRESSED, TABLELESS, LOSSLESS)),
    row("PS3.18 8.7.4", "type= without quotes", get("studies/" + BRAIN, OBJECTS.replace('"', "")),
        check=holds(*BRAINS)),
    row("PS3.18 8.6.1.2.1", "type= is sent with quotes", get("studies/" + BRAIN, OBJECTS), check=quoted),
    row("PS3.18 8.7.3.2", "Accept: */*", get("studies/" + BRAIN, "*/*"), check=holds(*BRAINS)),
    row("PS3.18 8.7.3.2", "Accept: multipart/related", get("studies/" + BRAIN, "multipart/related"),
        check=holds(*BRAINS)),
    row("PS3.18 10.4.4", "one instance as a single part", get(path(BRAINS[0]), DICOM), type=DICOM,
        check=single(EXPLICIT)),
    row("PS3.18 10.4.4", "a single part for a single instance only: 406", get("studies/" + BRAIN, DICOM),
        status=406),
    row("PS3.18 8.7.5", "no Accept: 406", get("studies/" + BRAIN, None), status=406),
    row("PS3.18 8.7.4", "DICOM and rendered types mixed: 400", get(path(BRAINS[0]), DICOM + ", image/png"),
        status=400),
    row("PS3.18 8.7.3.2", "a type nobody offers: 406", get(path(BRAINS[0]), "text/plain"), status=406),
    row("PS3.18 8.7.8", "q=0 is no", get(path(BRAINS[0]), OBJECTS + ";q=0, application/zip2"), status=406),
    row(RETRIEVE, "a study that is not there: 404", get("studies/" + NOWHERE, OBJECTS), status=404),
    row(RETRIEVE, "a series of another study: 404", get("studies/%s/series/%s" % (BRAIN, CHEST_1), OBJECTS),
        status=404),
    row(RETRIEVE, "an instance of another series: 404", get("studies/%s/series/%s/instances/%s" % (
        CHEST, CHEST_1, SR_OBJECT), OBJECTS), status=404),
    row(RETRIEVE, "no UID: 400 or 404", get("studies/1..2", OBJECTS), status=[400, 404]),
    row(RETRIEVE, "65 characters: 400 or 404", get("studies/1." + "2" * 63, OBJECTS), status=[400, 404]),
    row(RETRIEVE, "a method it has not: 405", ("PUT", "studies/" + BRAIN, {}), status=405,
        check=lambda a: {"GET", "HEAD"} <= set(a.header("allow").split(", ")) or 1 / 0),
    row("PS3.18 8.3.3.1", "accept in the URL", get(path(BRAINS[0]) + "?accept=application/dicom", "*/*"),
        type=DICOM),
]

FRAME_ROWS = [
    row(FRAME, "a frame", get(path(NATIVE) + "/frames/2", BYTES), check=frames(native(2))),
    row(FRAME, "frames in the order asked for", get(path(NATIVE) + "/frames/3,1", BYTES),
        check=frames(native(3), native(1))),
    row(FRAME, "%2C as comma", get(path(NATIVE) + "/frames/1%2C2", BYTES),
        check=frames(native(1), native(2))),
    row(FRAME, "the only frame", get(path(BRAINS[0]) + "/frames/1", BYTES),
        check=frames(bytes(DATASETS[BRAINS[0]].PixelData))),
    row(FRAME, "frame 0: 400 or 404", get(path(NATIVE) + "/frames/0", BYTES), status=[400, 404]),
    row(FRAME, "past the last: 404", get(path(NATIVE) + "/frames/4", BYTES), status=[400, 404]),
    row(FRAME, "no number: 400", get(path(NATIVE) + "/frames/one", BYTES), status=400),
    row(FRAME, "a huge number: 400 or 404", get(path(NATIVE) + "/frames/99999999999999999999", BYTES),
        status=[400, 404]),
    row(FRAME, "an object without pixels: 404", get(path(SR_OBJECT) + "/frames/1", BYTES), status=[400, 404]),
    row(FRAME, "a compressed frame, as stored",
        get(path(COMPRESSED) + "/frames/1",
            "multipart/related; type=application/octet-stream; transfer-syntax=*"),
        check=frames(web_data.jpeg(1), type="image/jpeg", syntax=JPEG)),
    row(FRAME, "a compressed frame by its type", get(path(COMPRESSED) + "/frames/1",
        'multipart/related; type="image/jpeg"'),
        check=frames(web_data.jpeg(1), type="image/jpeg", syntax=JPEG)),
    row(FRAME, "a frame of two fragments", get(path(COMPRESSED) + "/frames/2",
        'multipart/related; type="image/jpeg"; transfer-syntax=' + JPEG),
        check=frames(web_data.jpeg(2), type="image/jpeg", syntax=JPEG)),
    row(FRAME, "JPEG-LS is image/jls", get(path(LOSSLESS) + "/frames/1",
        'multipart/related; type="image/jls"'),
        check=frames(web_data.jpeg(5), type="image/jls", syntax=JPEG_LS)),
    row("PS3.18 10.4.4", "one frame as a single part",
        get(path(NATIVE) + "/frames/1", "application/octet-stream"),
        type="application/octet-stream", check=lambda a: a.body == native(1) or 1 / 0),
    row("PS3.18 10.4.4", "two frames are no single part: 400 or 406",
        get(path(NATIVE) + "/frames/1,2", "application/octet-stream"), status=[400, 406]),
    row(FRAME, "not as JSON: 406", get(path(NATIVE) + "/frames/1", "application/dicom+json"), status=406),
    row(FRAME, "no Accept: 406", get(path(NATIVE) + "/frames/1", None), status=406),
]

IN_JPEG_LS = frames(web_data.jpeg(5), type="image/jls", syntax=JPEG_LS)
ANYTHING = ["*/*", "multipart/related", "multipart/*", 'multipart/related; type="*/*"; transfer-syntax=*',
            'multipart/related; type="image/*"',
            'multipart/related; type="application/octet-stream", multipart/related; type="image/jls"']
WILD_ROWS = [row("PS3.18 8.7.3.3", "a lossless one to who takes it: " + a,
                 get(path(LOSSLESS) + where, a), check=IN_JPEG_LS)
             for a in ANYTHING for where in ("/frames/1", "/pixeldata", "/bulkdata/7FE00010")] + [
    row("PS3.18 8.7.3.3", "not decompressed to who takes bytes alone: 406",
        get(path(LOSSLESS) + where, a), status=406)
    for a in (BYTES, 'multipart/related; type="application/*"', 'multipart/related; type="image/jpeg"')
    for where in ("/frames/1", "/pixeldata", "/bulkdata/7FE00010")] + [
    row("PS3.18 8.7.3.3", "bytes to who takes anything", get(path(NATIVE) + "/frames/1", a),
        check=frames(native(1)))
    for a in ("*/*", 'multipart/related; type="*/*"', 'multipart/related; type="application/*"')]

FORM_ROWS = [
    row(BULKDATA, "all bulk data of an instance", get(path(BULK_1 + ".1") + "/bulkdata", BYTES),
        check=overlay_of),
    row(BULKDATA, "all bulk data of a study", get("studies/%s/bulkdata" % BULK, BYTES), check=overlay_of),
    row("PS3.18 8.7.3.5", "one of two in Accept", get(path(COMPRESSED), "%s; transfer-syntax=%s, %s; "
        "transfer-syntax=%s" % (OBJECTS, JPEG_LS, OBJECTS, JPEG)), check=holds(COMPRESSED, syntax=JPEG)),
    row("PS3.18 8.7.3.3.2", "media type and transfer syntax agree: else 406",
        get(path(COMPRESSED) + "/frames/1",
        'multipart/related; type="image/jls"; transfer-syntax=' + JPEG), status=[400, 406]),
]

BULK_ROWS = [
    row("PS3.18 10.4.1.1.6", "pixel data of an instance", get(path(NATIVE) + "/pixeldata", BYTES),
        check=lambda a: a.parts()[0].body == bytes(DATASETS[NATIVE].PixelData) or 1 / 0),
    row("PS3.18 10.4.1.1.6", "pixel data of an object without: 404",
        get(path(SR_OBJECT) + "/pixeldata", BYTES),
        status=404),
    row(BULKDATA, "what is no bulk data: 404", get(path(BULK_1 + ".1") + "/bulkdata/00091099", BYTES),
        status=[400, 404]),
    row(BULKDATA, "a path that is none: 400 or 404", get(path(BULK_1 + ".1") + "/bulkdata/..%2f..", BYTES),
        status=[400, 404]),
]

URI = "/wado?requestType=WADO&studyUID=%s&seriesUID=%s&objectUID=%s" % (BRAIN, BRAIN_1, BRAINS[0])
URI_DICOM = URI + "&contentType=application/dicom"
URI_ROWS = [
    row("PS3.18 9.1.2.1", "as a DICOM file", get(URI_DICOM, "*/*"), type=DICOM, check=single(EXPLICIT)),
    row("PS3.18 9.1.2.1", "one of several types",
        get(URI + "&contentType=image/png,application/dicom", "*/*"), type=DICOM, check=single(EXPLICIT)),
    row("PS3.18 9.1.2.1", "rendered: 501", get(URI, "*/*"), status=501),
    row("PS3.18 9.1.2.1", "rendered, by its type: 501", get(URI + "&contentType=image/jpeg", "*/*"),
        status=501),
] + [row("PS3.18 9", "what is to be without names is not sent with them: " + a,
         get("%s&%s" % (URI_DICOM, a), "*/*"), status=501)
     for a in ("anonymize=yes", "anonymize=", "anonymize=YES", "anonymize=no&anonymize=yes")] + [
    row("PS3.18 9", "anonymize=no", get(URI_DICOM + "&anonymize=no", "*/*"), type=DICOM)]

ROWS = WHOLE + FRAME_ROWS + WILD_ROWS + FORM_ROWS + BULK_ROWS + URI_ROWS


@parametrize(ROWS)
def test_row(web, row):  # noqa: F811
    check(web, row)


def bulk_uris(item, found):
    for key, element in item.items():
        if "BulkDataURI" in element:
            found[key] = element["BulkDataURI"]
        for v in element.get("Value", ()) if element["vr"] == "SQ" else ():
            bulk_uris(v, found)
    return found


@pytest.mark.parametrize("uid,key,wanted", [
    (BULK_1 + ".1", "00091011", bytes(DATASETS[BULK_1 + ".1"][0x00091011].value)),
    (BULK_1 + ".1", "7FE00010", bytes(DATASETS[BULK_1 + ".1"].PixelData)),
    (BULK_1 + ".2", "00420011", bytes(DATASETS[BULK_1 + ".2"].EncapsulatedDocument)),
], ids=["private", "pixels", "document"])
@pytest.mark.parametrize("accept", [BYTES, "application/octet-stream", "*/*"])
def test_a_bulk_data_uri_leads_to_its_bytes(web, uid, key, wanted, accept):  # noqa: F811
    """PS3.18 10.4.3.3.2, F.2.6: what metadata leaves out is where the URI says."""
    uri = bulk_uris(web.get(path(uid) + "/metadata").json()[0], {})[key]
    uri = uri if uri.startswith("http") else web.base + "/" + uri
    at = uri.split("://", 1)[1].partition("/")[2]
    answer = web.get("/" + at, Accept=accept)
    assert answer.status == 200, answer
    body = answer.parts()[0].body if answer.type == "multipart/related" else answer.body
    assert body == wanted


def test_the_instance_has_an_etag(web):  # noqa: F811
    """RFC 9110 8.8.3: a viewer asks again without fetching again."""
    first = web.get(path(BRAINS[0]), Accept=DICOM)
    tag = first.header("etag")
    assert first.status == 200 and tag
    again = web.get(path(BRAINS[0]), Accept=DICOM, If_None_Match=tag)
    assert again.status == 304 and again.body == b"" and again.header("etag") == tag
    assert web.get(path(BRAINS[0]), Accept=DICOM, If_None_Match='"other"').status == 200
    assert web.get(path(BRAINS[1]), Accept=DICOM, If_None_Match=tag).status == 200


def test_ranges_of_an_instance(web):  # noqa: F811
    """RFC 9110 14: resumption of a download."""
    whole = web.get(path(BRAINS[0]), Accept=DICOM).body
    for asked, wanted in [("bytes=0-9", whole[:10]), ("bytes=100-", whole[100:]), ("bytes=-7", whole[-7:])]:
        answer = web.get(path(BRAINS[0]), Accept=DICOM, Range=asked)
        assert (answer.status, answer.body) == (206, wanted), asked
        assert answer.header("content-range").endswith("/%d" % len(whole))
    answer = web.get(path(BRAINS[0]), Accept=DICOM, Range="bytes=%d-" % len(whole))
    assert answer.status == 416 and answer.header("content-range") == "bytes */%d" % len(whole)


def test_head_has_the_headers_of_get(web):  # noqa: F811
    got, head = [web(m, path(BRAINS[0]), Accept=DICOM) for m in ("GET", "HEAD")]
    assert head.status == 200 and head.body == b""
    for name in ("content-type", "content-length", "etag"):
        assert got.header(name) == head.header(name), name
    part = web("HEAD", path(BRAINS[0]), Accept=DICOM, Range="bytes=0-9")  # RFC 9110 14.2: of GET alone
    assert part.status == 200 and part.header("content-length") == got.header("content-length")


@pytest.mark.parametrize("what", ["studies/" + BRAIN, "studies/%s/series/%s" % (BRAIN, BRAIN_1)])
@pytest.mark.parametrize("how", ["header", "parameter"])
def test_as_a_zip(web, what, how):  # noqa: F811
    """Ours: PS3.18 10.4.3 knows application/zip since 2020 as PS3.10 folder; every file opens."""
    accept = "application/zip" if how == "header" else "*/*"
    answer = web.get(what + ("?accept=application/zip" if how == "parameter" else ""), Accept=accept)
    assert answer.status == 200 and answer.type == "application/zip", answer
    with zipfile.ZipFile(io.BytesIO(answer.body)) as z:
        assert z.testzip() is None
        found = [pydicom.dcmread(io.BytesIO(z.read(n)), force=False) for n in z.namelist()
                 if z.read(n)[128:132] == b"DICM" and not n.upper().endswith("DICOMDIR")]
    assert sorted(d.SOPInstanceUID for d in found) == sorted(BRAINS)
    assert all(d == DATASETS[d.SOPInstanceUID] for d in found)


def test_answers_to_patient_data_are_kept_by_nobody(web):  # noqa: F811
    for what, accept in [("studies/" + BRAIN, OBJECTS), (path(BRAINS[0]), DICOM),
                         ("studies/%s/metadata" % BRAIN, "application/dicom+json")]:
        answer = web.get(what, Accept=accept)
        assert answer.header("cache-control") in ("no-store", "private, no-cache"), answer
        assert answer.header("x-content-type-options") == "nosniff"
