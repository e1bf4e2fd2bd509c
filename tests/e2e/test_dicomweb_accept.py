"""What a client says it takes, at every resource: PS3.18 8.7.3 to 8.7.8."""
import pytest

from test_dicomweb_wado import BRAINS, NATIVE, path
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


def rows_of(name, where, offers):
    first, section = offers[0], "PS3.18 8.7.5"
    yield row(section, name + ": no Accept: 406", get(where, None), status=406)
    yield row("PS3.18 8.7.3.2", name + ": */*", get(where, "*/*"), type=of_type(first))
    yield row(section, name + ": a type nobody has: 406", get(where, "application/x-nothing"), status=406)
    yield row("PS3.18 8.7.8", name + ": wanted with q=0: 406", get(where, first + ";q=0"), status=406)
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


ROWS = [r for name, where, offers in RESOURCES for r in rows_of(name, where, offers)]


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
