"""What a client says it takes, at every resource: PS3.18 8.7.3 to 8.7.8."""
import pytest

from test_dicomweb_wado import BRAINS, COMPRESSED, NATIVE, path
from web import JSON, XML, web  # noqa: F401
from web_data import BRAIN, BRAIN_1
from web_rows import check, get, parametrize, row

FILES = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
MODELS = [JSON, 'multipart/related; type="%s"' % XML]
SERIES = "studies/%s/series/%s" % (BRAIN, BRAIN_1)
RESOURCES = [ # what it is, its path, what it can be had as: the first unless something else is wanted
    ("studies", "studies?PatientID=WEB1", MODELS), ("series", "studies/%s/series" % BRAIN, MODELS),
    ("instances", SERIES + "/instances", MODELS), ("metadata", "studies/%s/metadata" % BRAIN, MODELS),
    ("study", "studies/" + BRAIN, [FILES]), ("series' files", SERIES, [FILES]),
    ("instance", path(BRAINS[0]), [FILES, "application/dicom"]),
    ("frames", path(NATIVE) + "/frames/1", [OCTETS, "application/octet-stream"]),
    ("pixels", path(NATIVE) + "/pixeldata", [OCTETS]),
]


def of_type(wanted):
    return wanted.split(";")[0]


def is_not(refused):
    def look(answer):
        got = answer.header("content-type").lower()
        assert not got.startswith(refused.lower()), got
    return look


def rows_of(name, where, offers):
    first, section = offers[0], "PS3.18 8.7.5"
    yield row(section, name + ": no Accept: 406", get(where, None), status=406)
    yield row("PS3.18 8.7.3.2", name + ": */*", get(where, "*/*"), type=of_type(first))
    yield row(section, name + ": a type nobody has: 406", get(where, "application/x-nothing"), status=406)
    yield row("PS3.18 8.7.8", name + ": wanted with q=0: 406", get(where, first + ";q=0"), status=406)
    yield row("RFC 9110 12.5.1", name + ": q=0 beside everything", get(where, "*/*, " + first + ";q=0"),
              check=is_not(first), status=[200, 406])
    yield row("PS3.18 8.7.8", name + ": something less wanted than what there is", get(
        where, "application/x-nothing, %s;q=0.001" % first), type=of_type(first))
    yield row("PS3.18 8.7.5", name + ": no media types are ignored", get(where, ",;, /, a, */x, %s" % first),
              type=of_type(first))
    yield row("PS3.18 8.7.4", name + ": upper case", get(where, first.upper().replace("TYPE=", "Type=")),
              type=of_type(first))
    yield row("PS3.18 8.7.4", name + ": without quotes", get(where, first.replace('"', "")),
        type=of_type(first))
    yield row("PS3.18 8.7.5", name + ": Accept: nothing at all", get(where, ""), status=[200, 406])
    yield row("PS3.18 8.7.4", name + ": DICOM and rendered mixed: 400",
        get(where, "application/dicom, image/jpeg"),
              status=[400, 406])
    for offer in offers[1:]:
        yield row("PS3.18 8.7.3", "%s: as %s" % (name, offer), get(where, offer), type=of_type(offer))
        yield row("PS3.18 8.7.8", "%s: rather as %s" % (name, offer), get(where, "%s;q=0.2, %s;q=0.9" % (
            first, offer)), type=of_type(offer))


JPEGS = 'multipart/related; type="image/jpeg"'
FRAME = path(NATIVE) + "/frames/1"
JPEG_FRAME = path(COMPRESSED) + "/frames/1"
EXACT = [
    row("RFC 9110 12.5.1", "one form with q=0, the other is sent", get(
        path(BRAINS[0]), "application/dicom;q=0, */*"), type="multipart/related"),
    row("RFC 9110 12.5.1", "everything but files, which is all there is", get(
        "studies/" + BRAIN, "multipart/related;q=0, application/zip;q=0, */*"), status=406),
    row("RFC 9110 12.5.1", "multipart/* with q=0", get(path(BRAINS[0]), "multipart/*;q=0, */*"),
        type="application/dicom"),
    row("RFC 9110 12.5.1", "wanted less than everything else", get(
        "studies?PatientID=WEB1", JSON + ";q=0.1, */*;q=0.5"), type="application/json"),
    row("RFC 9110 12.5.1", "wanted, beside everything with q=0", get(
        "studies?PatientID=WEB1", "*/*;q=0, " + JSON), type=JSON),
    row("RFC 9110 12.5.1", "one part type with q=0, the others are not", get(FRAME, JPEGS + ";q=0, */*"),
        type="multipart/related"),
    row("RFC 9110 12.5.1", "the part type that there is, with q=0", get(
        FRAME, OCTETS + ";q=0, application/octet-stream;q=0, */*"), status=406),
    row("RFC 9110 12.5.1", "the same, of a compressed frame", get(
        JPEG_FRAME, JPEGS + ";q=0, multipart/related"), status=406),
    row("RFC 9110 12.5.1", "parts refused, the single part is sent", get(FRAME, OCTETS + ";q=0, */*"),
        type="application/octet-stream"),
    row("RFC 9110 12.5.1", "of it others are refused", get(JPEG_FRAME, OCTETS + ";q=0, multipart/related"),
        type="multipart/related"),
    row("PS3.18 8.7.4", "refused, a rendered type is not mixed in", get(
        path(BRAINS[0]), "application/dicom, image/jpeg;q=0"), type="application/dicom"),
    row("PS3.18 8.7.3.2", "one transfer syntax with q=0 is not all of them", get(
        path(BRAINS[0]), FILES + ";transfer-syntax=1.2.840.10008.1.2.4.50;q=0, */*"),
        type="multipart/related"),
]
ROWS = EXACT + [r for name, where, offers in RESOURCES for r in rows_of(name, where, offers)]


@parametrize(ROWS)
def test_row(web, row):  # noqa: F811
    check(web, row)


LONG = [("10000 ranges", ",".join(["a/b"] * 10000)), ("64 KB of one", "a" * 65536 + "/b"),
        ("parameters without end", "a/b" + ";x=y" * 10000),
        ("a quote that is not closed", 'a/b;x="' + "y" * 1000),
        ("q of any kind", "*/*;q=1.0000, */*;q=-1, */*;q=1e9, */*;q=NaN")]


@pytest.mark.parametrize("name,accept", LONG, ids=[x[0] for x in LONG])
def test_what_is_too_much(web, name, accept):  # noqa: F811
    """Refused or understood; the connection and the server go on."""
    answer = web.get("studies?PatientID=WEB1", Accept=accept)
    assert answer.status in (200, 400, 406, 431), answer
    assert web.get("studies?PatientID=WEB1").status == 200


ANOTHER = FILES + "; transfer-syntax=1.2.840.10008.1.2.4.90"  # in which none of this study is


@parametrize([
    row("PS3.18 8.7.5", "a ZIP where the files are not to be had as wanted",
        get("studies/" + BRAIN, ANOTHER + ", application/zip"), status=200, type="application/zip"),
    row("PS3.18 8.7.5", "files where they are less wanted but to be had",
        get("studies/" + BRAIN, ANOTHER + ", %s;q=0.5, application/zip;q=0.4" % FILES), status=200,
        type="multipart/related"),
    row("PS3.18 8.7.5", "neither", get("studies/" + BRAIN, ANOTHER), status=406),
])
def test_one_of_several_forms(web, row):  # noqa: F811
    check(web, row)
