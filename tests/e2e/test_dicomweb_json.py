"""The DICOM JSON model: PS3.18 Annex F and 10.4.1.1.2, row by row; and against DCMTK's dcm2json."""
import base64
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import CORPUS, needs_corpus
from test_corpus import OBJECTS
from test_dicomweb_wado import path
from test_dump import same_value
from web import JSON, XML, make_bed, remove_bed, web  # noqa: F401
from web_data import (BRAIN, BRAIN_1, BULK_1, CHEST, CHEST_1, CHEST_3, FRAMES, FRAMES_1, JPEG, NOWHERE)
from web_rows import check, get, parametrize, row, value

METADATA = "PS3.18 10.4.1.1.2"
ODD, DOCUMENT, REPORT = BULK_1 + ".1", BULK_1 + ".2", CHEST_3 + ".1"
URI_BYTES = 65536  # more than that is a reference in any case; what is less may be inline


def element(key, **wanted):
    """Exactly this is the element; several: any of them."""
    def look(answer):
        found = answer.json()[0].get(key)
        options = wanted["any"] if "any" in wanted else [wanted]
        assert found in options, "%s: %r" % (key, found)
    return look


def meta(uid, section, what, look=None, **expect):
    return row(section, what, path(uid) + "/metadata", check=look, **expect) if look else row(
        section, what, path(uid) + "/metadata", **expect)


def everywhere(look):
    def walk(item, depth=0):
        look(item, depth)
        for e in item.values():
            if e["vr"] == "SQ":
                for v in e.get("Value", ()):
                    walk(v, depth + 1)
    return lambda answer: [walk(item) for item in answer.json()]


def in_order(item, depth):
    assert list(item) == sorted(item), list(item)
    assert all(k == "%08X" % int(k, 16) and len(k) == 8 for k in item)


def no_file_meta(item, depth):
    assert not [k for k in item if k.startswith("0002") or k.endswith("0000")], list(item)


def one_form(item, depth):
    for key, e in item.items():
        assert len(set(e) & {"Value", "InlineBinary", "BulkDataURI"}) <= 1, (key, e)
        assert set(e) <= {"vr", "Value", "InlineBinary", "BulkDataURI"} and e.get("Value") != [], (key, e)


def reference(key, at_least=0):
    def look(answer):
        uri = answer.json()[0][key]["BulkDataURI"]
        assert uri and "file:" not in uri, uri
    return look


def inline_or_reference(key, data):
    def look(answer):
        e = answer.json()[0][key]
        assert "BulkDataURI" in e or base64.b64decode(e["InlineBinary"]) == data, e
    return look


def xml_model(answer):
    parts = answer.parts()
    assert len(parts) == 3, len(parts)
    for p in parts:
        assert p.headers["content-type"].startswith(XML)
        root = ElementTree.fromstring(p.body)
        assert root.tag.endswith("NativeDicomModel")
        names = [a for a in root if a.get("tag") == "00100010"]
        assert names and "Müller" in "".join(names[0].itertext())


ROWS = [
    row(METADATA, "of a study", "studies/%s/metadata" % BRAIN, type=JSON, count=3),
    row(METADATA, "of a series", "studies/%s/series/%s/metadata" % (CHEST, CHEST_1), count=2),
    meta(REPORT, METADATA, "of an instance", count=1),
    row(METADATA, "of compressed objects too", "studies/%s/metadata" % FRAMES, count=4),
    meta(FRAMES_1 + ".2", "PS3.18 10.4.1.1.2", "says which syntax there is",
         lambda a: value(a.json()[0], "00083002") in (None, [JPEG]) or 1 / 0),
    row(METADATA, "not there: 404", "studies/%s/metadata" % NOWHERE, status=404),
    row(METADATA, "a series of another study: 404", "studies/%s/series/%s/metadata" % (BRAIN, CHEST_1),
        status=404),
    row(METADATA, "no Accept: 406", get("studies/%s/metadata" % BRAIN, None), status=406),
    row(METADATA, "*/*", get("studies/%s/metadata" % BRAIN, "*/*"), type=JSON),
    row("PS3.18 8.7.3.2", "XML", get("studies/%s/metadata" % BRAIN, 'multipart/related; type="%s"' % XML),
        check=xml_model),
    row("PS3.18 8.7.3.2", "not as octets: 406",
        get("studies/%s/metadata" % BRAIN, "application/octet-stream"),
        status=406),
    meta(ODD, "PS3.18 F.2.2", "tags in ascending order, in items too", everywhere(in_order)),
    meta(REPORT, "PS3.18 F.2.2", "in a report, too", everywhere(in_order)),
    meta(ODD, METADATA, "no File Meta Information, no group length", everywhere(no_file_meta)),
    meta(ODD, "PS3.18 F.2.2", "one of Value, InlineBinary, BulkDataURI", everywhere(one_form)),
    meta(ODD, "PS3.18 F.2.5", "an empty element has only its VR", element("00080070", vr="LO")),
    meta(ODD, "PS3.18 F.2.5", "an empty sequence", element("00089215", vr="SQ")),
    meta(ODD, "PS3.18 F.2.5", "an empty item is {}", element("00081140", vr="SQ", Value=[{}])),
    meta(ODD, "PS3.18 F.2.5", "an empty value among others is null",
         element("0009101C", vr="LO", Value=["a", None, "c"])),
    meta(ODD, "PS3.18 F.2.2", "PN has only its non-empty groups",
         element("0009101A", vr="PN", Value=[{"Alphabetic": "^^Prefix"}])),
    meta(ODD, "PS3.18 F.2.3", "DS as a number or as it was written",
         element("00181316", any=[{"vr": "DS", "Value": [1.5]}, {"vr": "DS", "Value": ["1.50"]}])),
    meta(ODD, "PS3.18 F.2.3", "DS of several values", element("00200032", any=[
        {"vr": "DS", "Value": [-100.0, 0, 17]}, {"vr": "DS", "Value": ["-1.0E+02", "0", "00017"]},
        {"vr": "DS", "Value": [-100.0, 0, "00017"]}, {"vr": "DS", "Value": ["-1.0E+02", 0, "00017"]}])),
    meta(ODD, "PS3.18 F.2.3", "IS", element("0009101D", any=[
        {"vr": "IS", "Value": [7, -12]}, {"vr": "IS", "Value": ["007", "-12"]},
        {"vr": "IS", "Value": ["007", -12]}])),
    meta(ODD, "PS3.18 F.2.3", "SV keeps its precision", element("00091017", any=[
        {"vr": "SV", "Value": ["-9007199254740993"]}, {"vr": "SV", "Value": [-9007199254740993]}])),
    meta(ODD, "PS3.18 F.2.3", "UV keeps its precision", element("00091018", any=[
        {"vr": "UV", "Value": ["18446744073709551615"]}, {"vr": "UV", "Value": [18446744073709551615]}])),
    meta(ODD, "PS3.18 F.2.3", "US, SS, SL, UL are numbers", element("00091016", vr="UL", Value=[4000000000])),
    meta(ODD, "PS3.18 F.2.3", "FD", element("00091012", vr="FD", Value=[1.5, -2.25])),
    meta(ODD, "PS3.18 F.2.3", "AT is a string of 8 digits", element("00280009", vr="AT", Value=["00181063"])),
    meta(ODD, "PS3.18 F.2.3", "text is one value, whatever is in it",
         element("00091019", vr="UT", Value=['a\\b "quoted"\r\n<script>'])),
    meta(ODD, "PS3.18 F.2.7", "small binary", inline_or_reference("00091010", b"\1\2\3\4")),
    meta(ODD, "PS3.18 F.2.7", "words are little endian", inline_or_reference("0009101F", b"\1\0\2\0")),
    meta(ODD, "PS3.18 10.4.3.3.2", "what is large is a reference", reference("00091011")),
    meta(ODD, "PS3.18 10.4.3.3.2", "pixel data is a reference", reference("7FE00010")),
    meta(DOCUMENT, "PS3.18 10.4.3.3.2", "a document is a reference", reference("00420011")),
    meta(FRAMES_1 + ".2", "PS3.18 10.4.3.3.2", "compressed pixel data is a reference", reference("7FE00010")),
    meta(REPORT, "PS3.18 F.2.4", "sequences", lambda a: value(value(
        a.json()[0], "0040A730")[0], "0040A160") == ["Nothing found.\r\nReally."] or 1 / 0),
    row("PS3.18 F.2.2", "names have their groups", "studies/%s/metadata" % BRAIN, values={"00100010": [
        {"Alphabetic": "Müller^Änne", "Ideographic": "山田^花子", "Phonetic": "やまだ^はなこ"}]}),
    row(METADATA, "Specific Character Set is what the answer is in", "studies/%s/metadata" % BRAIN,
        values={"00080005": ["ISO_IR 192"]}),
    row(METADATA, "private attributes with their creator", "studies/%s/metadata" % BRAIN,
        values={"00090010": ["GALENA TEST"], "00091001": ["private 1"]}),
]


@parametrize(ROWS)
def test_row(web, row):  # noqa: F811
    check(web, row)


def test_metadata_of_a_study_is_that_of_its_instances(web):  # noqa: F811
    whole = web.get("studies/%s/metadata" % BRAIN).json()
    assert [web.get(path(BRAIN_1 + ".%d" % n) + "/metadata").json()[0] for n in (1, 2, 3)] == whole


def test_metadata_has_an_etag(web):  # noqa: F811
    answer = web.get("studies/%s/metadata" % BRAIN)
    tag = answer.header("etag")
    assert tag.startswith('W/"'), "the same with gzip and without: RFC 9110 8.8.1"
    assert web.get("studies/%s/metadata" % BRAIN, Accept_Encoding="gzip").header("etag") == tag
    assert web.get("studies/%s/metadata" % BRAIN, If_None_Match=tag).status == 304
    assert web.get("studies/%s/metadata" % BRAIN, If_None_Match='"x", %s' % tag).status == 304


def test_metadata_is_compressed_for_who_wants_it(web):  # noqa: F811
    plain = web.get("studies/%s/metadata" % BRAIN)
    packed = web.get("studies/%s/metadata" % BRAIN, Accept_Encoding="gzip")
    assert packed.header("content-encoding") == "gzip" and len(packed.body) < len(plain.body) / 2
    assert packed.json() == plain.json()
    assert plain.header("content-encoding") is None
    refused = web.get("studies/%s/metadata" % BRAIN, Accept_Encoding="gzip;q=0, identity")
    assert refused.header("content-encoding") is None


# --- the corpus, against dcm2json

def theirs(source, folder):
    """dcm2json knows no compressed pixels: it gets the file without them."""
    copy = os.path.join(folder, "copy.dcm")
    shutil.copyfile(source, copy)
    os.chmod(copy, 0o600)
    subprocess.run(["dcmodify", "-nb", "-q", "-ie", "-imt", "-ea", "(7fe0,0010)", copy], check=False,
                   capture_output=True)
    done = subprocess.run(["dcm2json", "-q", "-fc", "-ee", copy], capture_output=True, timeout=60)
    return json.loads(done.stdout.decode("utf-8")) if done.returncode == 0 else None


def compare(where, mine, other):
    ignored = {"7FE00010", "00080005", "00083002", "FFFCFFFC", "FFFAFFFA"}
    keys = {k for k in other if not k.endswith("0000")} - ignored
    assert keys <= set(mine), (where, sorted(keys - set(mine)))
    assert set(mine) - ignored <= keys, (where, sorted(set(mine) - keys))
    for key in keys:
        compare_element(where + key, mine[key], other[key])


def compare_element(where, mine, other):
    if "BulkDataURI" in mine or "UN" in (mine["vr"], other["vr"]):
        return
    assert mine["vr"] == other["vr"], (where, mine["vr"], other["vr"])
    if "InlineBinary" in mine or "InlineBinary" in other:
        a, b = [base64.b64decode(x.get("InlineBinary", "")).rstrip(b"\0") for x in (mine, other)]
        assert a == b, where
        return
    values, wanted = mine.get("Value") or [None], other.get("Value") or [None]
    assert len(values) == len(wanted), (where, values, wanted)
    for i, (a, b) in enumerate(zip(values, wanted)):
        if mine["vr"] == "SQ":
            compare("%s[%d]" % (where, i), a or {}, b or {})
        else:
            assert same_value(a, b), (where, a, b)


@pytest.fixture(scope="module")
def stored():
    bed = make_bed()
    contexts = sorted({(sop_class, syntax) for _, sop_class, _, _, syntax, _ in OBJECTS})
    kept = set()
    for i in range(0, len(contexts), 60):
        some = contexts[i:i + 60]
        with bed.archive.associate(contexts=[(c, [s]) for c, s in some]) as a:
            for name, sop_class, uid, _, syntax, data in OBJECTS:
                if (sop_class, syntax) in some and a.store(sop_class, uid, syntax, data)[0x0900] == 0:
                    kept.add(name)
    yield bed, kept
    remove_bed(bed)


@needs_corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [o[0] for o in OBJECTS], ids=lambda n: os.path.relpath(str(n), CORPUS))
def test_same_as_dcm2json(stored, name, tmp_path):
    bed, kept = stored
    if name not in kept:
        pytest.skip("not stored")
    _, _, uid, study, _, _ = next(o for o in OBJECTS if o[0] == name)
    answer = bed.get("studies/%s/metadata" % study)
    assert answer.status == 200, answer
    mine = [i for i in answer.json() if value(i, "00080018") == [uid]]
    assert len(mine) == 1
    other = theirs(name, str(tmp_path))
    if other is None:
        pytest.skip("dcm2json cannot read it")
    compare("", mine[0], other)
