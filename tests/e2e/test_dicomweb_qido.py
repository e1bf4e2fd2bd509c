"""QIDO-RS: PS3.18 8.3.4 and 10.6, row by row."""
from web import JSON, XML, web  # noqa: F401
from web_data import BRAIN, BRAIN_1, BULK, CHEST, CHEST_1, CHEST_3, FRAMES, MR, NOWHERE
from web_rows import check, get, parametrize, row, value

STUDY_UID, SERIES_UID, SOP_UID, SOP_CLASS = "0020000D", "0020000E", "00080018", "00080016"
NAME, PATIENT, MODALITY, MODALITIES = "00100010", "00100020", "00080060", "00080061"
STUDY_KEYS = ["00080020", "00080030", "00080050", "00080061", "00080090", "00081190", NAME, PATIENT,
    "00100030",
              "00100040", STUDY_UID, "00200010", "00201206", "00201208"]
SERIES_KEYS = [MODALITY, "00081190", SERIES_UID, "00200011", "00201209"]
INSTANCE_KEYS = [SOP_CLASS, SOP_UID, "00081190", "00200013"]
ALL = "studies?PatientID=WEB*"
MATCH, PARAMETERS, ANSWERS = "PS3.18 8.3.4.1", "PS3.18 8.3.4", "PS3.18 8.3.4.4"


def studies(query, *found, section=MATCH, what=None, **expect):
    """That query finds these studies, in any order."""
    def same(answer):
        got = sorted(value(i, STUDY_UID)[0] for i in answer.json()) if answer.status == 200 else []
        assert got == sorted(found), got
    return row(section, what or query, "studies?" + query, status=200 if found else 204, check=same, **expect)


def keys_ascend(answer):
    for item in answer.json():
        assert list(item) == sorted(item), list(item)


def keys_are_tags(answer):
    def walk(item):
        for key, element in item.items():
            assert len(key) == 8 and key == "%08X" % int(key, 16) and not key.endswith("0000"), key
            assert len(element["vr"]) == 2
            for v in element.get("Value", ()):
                if element["vr"] == "SQ":
                    walk(v)
    for item in answer.json():
        walk(item)



def retrieve_url(answer):
    for item in answer.json():
        url = value(item, "00081190")[0]
        assert url.startswith("http") and url.endswith("/studies/" + value(item, STUDY_UID)[0]), url


def has_rest(answer):
    warning = answer.header("warning") or ""
    assert warning.startswith("299 ") and "There are" in warning, warning
    assert "additional results that can be requested" in warning, warning


def xml_parts(answer):
    parts = answer.parts()
    assert len(parts) == 1 and parts[0].headers["content-type"].startswith(XML), parts
    assert b"NativeDicomModel" in parts[0].body and b"DicomAttribute" in parts[0].body


STATUS = [
    row(ANSWERS, "matches: 200, DICOM JSON", "studies?PatientID=WEB1", status=200, type=JSON, count=2,
        warning=None),
    row(ANSWERS, "no match: 204, no body", "studies?PatientID=NOBODY", status=204,
        check=lambda a: a.body == b"" or 1 / 0),
    row("PS3.18 10.6.3.1", "a study that is not there has no series", "studies/%s/series" % NOWHERE,
        status=[204, 404]),
    row("PS3.18 8.3.4.4.1", "more than were returned: Warning 299 with their number", ALL + "&limit=1",
        count=1,
        check=has_rest),
    row("PS3.18 8.3.4.4.1", "the last page has no such warning", ALL + "&limit=2&offset=2", count=2,
        warning=None),
    row(PARAMETERS, "limit that is no number: 400", ALL + "&limit=many", status=400),
    row(PARAMETERS, "a negative limit: 400", ALL + "&limit=-1", status=400),
    row(PARAMETERS, "an offset past the end: 204", ALL + "&offset=100", status=204),
    row(PARAMETERS, "a huge offset: 204 or 400", ALL + "&offset=99999999999999999999", status=[204, 400]),
    row(MATCH, "an attribute that is none: 400", "studies?NoSuchKeyword=1", status=400),
    row(MATCH, "a tag that is none: 400", "studies?0010002=1", status=400),
    row("PS3.18 8.3.4.1.1", "a match attribute twice: 400", "studies?PatientID=WEB1&PatientID=WEB2",
        status=400),
    row("PS3.18 8.3.4.1.1", "twice under two names: 400", "studies?PatientID=WEB1&00100020=WEB2", status=400),
    row(PARAMETERS, "a path that is no UID: 400 or 404", "studies/..%2f..%2fetc/series", status=[400, 404]),
]

MATCHING = [
    studies("PatientID=WEB1", BRAIN, CHEST, what="single value"),
    studies("00100020=WEB1", BRAIN, CHEST, what="by tag"),
    row(MATCH, "keywords are case-sensitive", "studies?patientid=WEB1", status=[400]),
    studies("PatientID=web1", what="values of LO are case-sensitive", section="PS3.4 C.2.2.2.1"),
    studies("PatientName=chest%5Ecarl", CHEST, what="names are not case-sensitive here",
        section="PS3.4 C.2.2.2.1"),
    studies("PatientID=WEB*", BRAIN, CHEST, FRAMES, BULK, what="wildcard *", section="PS3.4 C.2.2.2.4"),
    studies("PatientID=WEB%3F", BRAIN, CHEST, FRAMES, BULK, what="wildcard ?", section="PS3.4 C.2.2.2.4"),
    studies("PatientID=WEB_", what="an underscore is no wildcard", section="PS3.4 C.2.2.2.4"),
    studies("PatientID=WEB%25", what="a percent sign is no wildcard", section="PS3.4 C.2.2.2.4"),
    studies("PatientID=WEB%5C1", what="a backslash escapes nothing", section="PS3.4 C.2.2.2.4"),
    studies("PatientName=M%C3%BCller*", BRAIN, what="UTF-8 in the URL", section="PS3.18 8.3.4"),
    studies("PatientName=*%E5%B1%B1%E7%94%B0*", BRAIN, what="a name's ideographic group",
        section="PS3.4 C.2.2.2.1"),
    studies("StudyDate=20240301", BRAIN, what="a day"),
    studies("StudyDate=20240229-20240301", BRAIN, CHEST, what="a range is inclusive",
        section="PS3.4 C.2.2.2.5"),
    studies("StudyDate=20240301-&PatientID=WEB*", BRAIN, what="from a day on", section="PS3.4 C.2.2.2.5"),
    studies("StudyDate=-20231224&PatientID=WEB*", FRAMES, BULK, what="up to a day",
        section="PS3.4 C.2.2.2.5"),
    row("PS3.4 C.2.2.2.5", "a date that is none: 400 or no match", "studies?StudyDate=20241301",
        status=[400, 204]),
    studies("StudyDate=20240229-20240301&StudyTime=230000-100000", BRAIN, CHEST, section="PS3.18 8.3.4.1.1",
            what="date and time are matched combined"),
    studies("StudyDate=20240301&StudyTime=081500.25", BRAIN, what="a time with a fraction"),
    studies("StudyInstanceUID=%s" % BRAIN, BRAIN, what="a UID"),
    studies("StudyInstanceUID=%s,%s" % (BRAIN, BULK), BRAIN, BULK, what="a list of UIDs with a comma",
            section="PS3.18 8.3.4.1.1"),
    studies("StudyInstanceUID=%s%%5C%s" % (BRAIN, BULK), BRAIN, BULK, what="a list of UIDs with a backslash",
            section="PS3.4 C.2.2.2.2"),
    studies("PatientID=WEB1,WEB2", what="only UIDs take lists", section="PS3.18 8.3.4.1.1"),
    studies("ModalitiesInStudy=MR", BRAIN, what="Modalities in Study", section="PS3.4 C.3.4"),
    studies("ModalitiesInStudy=SR", CHEST, what="Modalities in Study, any series", section="PS3.4 C.3.4"),
    studies("AccessionNumber=ACC2", CHEST, what="Accession Number", section="PS3.18 Table 10.6.1-5"),
    studies("StudyID=S1", BRAIN, what="Study ID", section="PS3.18 Table 10.6.1-5"),
    studies("ReferringPhysicianName=referrer*", BRAIN, what="Referring Physician's Name",
            section="PS3.18 Table 10.6.1-5"),
    studies("PatientBirthDate=19700101&PatientID=WEB2", FRAMES, what="several keys are ANDed"),
    studies("PatientID=&StudyInstanceUID=%s" % BRAIN, BRAIN, what="an empty value matches all",
            section="PS3.4 C.2.2.2.3"),
    row(MATCH, "a key of a lower level: 400, not ignored", "studies?Modality=SR&PatientID=WEB*", status=400),
    row("PS3.18 Table 10.6.1-5", "an item of a sequence",
        "series?RequestAttributesSequence.ScheduledProcedureStepID="
        "STEP1", count=1, values={SERIES_UID: [BRAIN_1]}),
    row("PS3.18 Table 10.6.1-5", "an item of a sequence, by tag", "series?00400275.00400009=STEP1", count=1),
    row("PS3.18 Table 10.6.1-5", "Requested Procedure ID", "series?00400275.00401001=PROC1", count=1),
    row("PS3.18 Table 10.6.1-5", "an item that is not there", "series?00400275.00401001=OTHER", status=204),
    row("PS3.18 Table 10.6.1-5", "Modality", "series?Modality=SR&PatientID=WEB*", count=1),
    row("PS3.18 Table 10.6.1-5", "Series Number", "studies/%s/series?SeriesNumber=2" % CHEST, count=1),
    row("PS3.18 Table 10.6.1-5", "Performed Procedure Step Start Date",
        "series?PerformedProcedureStepStartDate=20240301", count=1),
    row("PS3.18 Table 10.6.1-5", "SOP Class UID", "instances?SOPClassUID=%s&PatientID=WEB*" % MR, count=3),
    row("PS3.18 Table 10.6.1-5", "Instance Number", "studies/%s/instances?InstanceNumber=2" % BRAIN, count=1),
]

LOWER = [
    row(MATCH, "studies by what series have: 400", "studies?Modality=CT", status=400),
    row(MATCH, "in a sequence, too: 400",
        "studies?RequestAttributesSequence.RequestedProcedureID=PROC1", status=400),
    row(PARAMETERS, "such a sequence to be returned is no error",
        "studies?PatientID=WEB1&includefield=RequestAttributesSequence.RequestedProcedureID", status=200,
        count=2),
    row("PS3.4 C.3.4", "by how much is in them: 400", "studies?NumberOfStudyRelatedInstances=3", status=400),
    row("PS3.4 C.3.4", "how much is in them is returned",
        "studies?StudyInstanceUID=%s&NumberOfStudyRelatedInstances=" % BRAIN, values={"00201208": [3]}),
]

FUZZY = [
    row("PS3.18 8.3.4.2", "fuzzymatching is done or warned of",
        "studies?PatientName=Muller&fuzzymatching=true",
        status=[200, 204],
        check=lambda a: a.status == 200 or "fuzzymatching" in a.header("warning") or 1 / 0),
    studies("PatientName=*est&fuzzymatching=true", CHEST, what="wildcards before a word of a fuzzy name",
        section="PS3.18 8.3.4.2"),
    studies("PatientName=C?r*^*hes*&fuzzymatching=true", CHEST, what="and within, and in any order",
        section="PS3.18 8.3.4.2"),
    studies("PatientName=*karl*&fuzzymatching=true", CHEST, what="wildcards round what is fuzzy, as OHIF has",
        section="PS3.18 8.3.4.2"),
    studies("PatientName=*hes&fuzzymatching=true", what="a pattern is for a whole word",
        section="PS3.18 8.3.4.2"),
    studies("PatientID=WEB1&PatientName=*&fuzzymatching=true", BRAIN, CHEST, what="* alone is any name",
        section="PS3.18 8.3.4.2"),
    studies("PatientName=wanda*&fuzzymatching=false", what="fuzzymatching=false is exact",
        section="PS3.18 8.3.4.2"),
    row("PS3.18 8.3.4.2", "fuzzymatching=maybe: 400", "studies?PatientName=x&fuzzymatching=maybe",
        status=400),
    row("PS3.18 8.3.4.5", "emptyvaluematching is done or warned of",
        'studies?StudyTime=""&emptyvaluematching=true'.replace('"', "%22"), status=[200, 204],
        check=lambda a: a.header("warning") or [value(i,
            STUDY_UID)[0] for i in a.json()] == [FRAMES] or 1 / 0),
    row("PS3.18 8.3.4.6", "multiplevaluematching is done or warned of",
        "studies?PatientID=WEB2%5CWEB3&multiplevaluematching=true", status=[200, 204],
        check=lambda a: a.header("warning") or len(a.json()) == 2 or 1 / 0),
]

RETURNED = [
    row("PS3.18 10.6.3.3.1", "what every study has", ALL, has=STUDY_KEYS, check=retrieve_url),
    row("PS3.18 10.6.3.3.1", "nothing of a lower level", ALL,
        lacks=[SERIES_UID, SOP_UID, MODALITY, "00080008"]),
    row("PS3.18 10.6.3.3.1", "counts and modalities of a study", "studies?StudyInstanceUID=" + CHEST,
        values={"00201206": [3], "00201208": [4], MODALITIES: ["CT", "SR"], "00080056": ["ONLINE"]}),
    row("PS3.18 10.6.3.3.3", "availability is the archive's own word",
        "studies/%s/instances?InstanceAvailability=ONLINE" % BRAIN, count=3, values={"00080056": ["ONLINE"]}),
    row("PS3.18 10.6.3.3.3", "and is matched", "studies/%s/instances?InstanceAvailability=OFFLINE" % BRAIN,
        status=204),
    row("PS3.18 10.6.3.3.2", "what every series has", "studies/%s/series" % CHEST, count=3, has=SERIES_KEYS),
    row("PS3.18 10.6.3.3.2", "counts of a series",
        "studies/%s/series?SeriesInstanceUID=%s" % (CHEST, CHEST_1), count=1,
        values={"00201209": [2], MODALITY: ["CT"]}),
    row("PS3.18 10.6.3.3.2", "Request Attributes Sequence of a series", "studies/%s/series" % BRAIN,
        has=["00400275"],
        check=lambda a: value(value(a.json()[0], "00400275")[0], "00400009") or 1 / 0),
    row("PS3.18 10.6.3.3.3", "what every instance has", "studies/%s/instances" % BRAIN, count=3,
        has=INSTANCE_KEYS,
        values={SOP_CLASS: [MR], "00280010": [8], "00280011": [8]}),
    row("PS3.18 10.6.1.1", "all series, with their study's attributes", "series?PatientID=WEB1", count=4,
        has=SERIES_KEYS + [STUDY_UID]),
    row("PS3.18 10.6.1.1", "all instances", "instances?PatientID=WEB1", count=7, has=INSTANCE_KEYS),
    row("PS3.18 10.6.1.1", "instances of a series", "studies/%s/series/%s/instances" % (CHEST, CHEST_3),
        count=1),
    row("PS3.18 10.6.1.1", "a series of another study has no instances here",
        "studies/%s/series/%s/instances" % (BRAIN, CHEST_3), status=[204, 404]),
    row("PS3.18 8.3.4.3", "includefield by keyword", "studies?PatientID=WEB1&includefield=StudyDescription",
        has=["00081030"]),
    row("PS3.18 8.3.4.3", "includefield by tag", "studies?PatientID=WEB1&includefield=00081030",
        has=["00081030"]),
    row("PS3.18 8.3.4.3", "includefield as a list",
        "studies?StudyInstanceUID=%s&includefield=StudyDescription,00080080" % BRAIN, has=["00081030"]),
    row("PS3.18 8.3.4.3", "includefield several times",
        "studies/%s/instances?includefield=00080008&includefield=ContentDate" % BRAIN, has=["00080008"]),
    row("PS3.18 8.3.4.3", "includefield=all", "studies/%s/instances?includefield=all" % BRAIN,
        has=["00080008", "00104000", "0008103E"], lacks=["7FE00010"]),
    row("PS3.18 8.3.4.3", "all beside others: all of it, or 400", ALL + "&includefield=all,StudyDescription",
        status=[200, 400]),
    row("PS3.18 8.3.4.3", "includefield of nothing known: 400", ALL + "&includefield=NoSuchKeyword",
        status=400),
    row("PS3.18 8.3.4.3", "includefield of an item",
        "studies/%s/series?includefield=00400275.00400009" % BRAIN,
        has=["00400275"]),
    row("PS3.18 8.3.4.3", "a field of a lower level is left out", ALL + "&includefield=SOPInstanceUID",
        lacks=[SOP_UID]),
    row("PS3.18 F.2.2", "keys ascend", "studies/%s/instances?includefield=all" % BRAIN, check=keys_ascend),
    row("PS3.18 F.2.2", "keys are tags", "studies/%s/instances?includefield=all" % BRAIN,
        check=keys_are_tags),
    row("PS3.18 F.2.2", "names have their groups", "studies?StudyInstanceUID=" + BRAIN, check=lambda a: value(
        a.json()[0], NAME) == [{"Alphabetic": "Müller^Änne", "Ideographic": "山田^花子",
                                "Phonetic": "やまだ^はなこ"}] or 1 / 0),
    row("PS3.18 F.2.5", "what is empty has only its VR", "studies?StudyInstanceUID=" + FRAMES, check=lambda a:
        a.json()[0]["00080030"] == {"vr": "TM"} or 1 / 0),
    row("PS3.18 C.4.1.1.3.2", "text is UTF-8 and says so", "studies?StudyInstanceUID=" + BRAIN,
        check=lambda a: value(a.json()[0], "00080005") == ["ISO_IR 192"] or 1 / 0),
    row("PS3.18 F.2", "what is ASCII need not say it", "studies?StudyInstanceUID=" + CHEST,
        check=lambda a: "00080005" not in a.json()[0] or 1 / 0),
]

PAGES = [
    row("PS3.18 8.3.4.4", "limit", ALL + "&limit=3", count=3),
    row("PS3.18 8.3.4.4", "limit=0: none of them", ALL + "&limit=0", status=[200, 204, 400],
        check=lambda a: a.status != 200 or a.json() == [] or 1 / 0),
    row("PS3.18 8.3.4.4", "limit=0 of what the index does not decide", "instances?ProtocolName=*&limit=0",
        status=[200, 204, 400], check=lambda a: a.status != 200 or a.json() == [] or 1 / 0),
    row("PS3.18 8.3.4.4", "offset", ALL + "&offset=1", count=3),
    row("PS3.18 8.3.4.4", "instances in their order", "studies/%s/instances" % BRAIN,
        order={"00200013": [1, 2, 3]}),
]

FORMATS = [
    row("PS3.18 8.7.5", "no Accept: 406", get(ALL, accept=None), status=406),
    row("PS3.18 8.7.3.2", "Accept: */*", get(ALL, "*/*"), type=JSON),
    row("PS3.18 8.7.3.2", "Accept: application/json", get(ALL, "application/json"), status=200,
        check=lambda a: a.type in (JSON, "application/json") or 1 / 0),
    row("PS3.18 10.6.3", "a format nobody offers: 406", get(ALL, "text/csv"), status=406),
    row("PS3.18 8.7.3.2", "XML", get("studies?PatientID=WEB2", 'multipart/related; type="%s"' % XML),
        type="multipart/related", check=xml_parts),
    row("PS3.18 8.7.8", "q-values decide", get("studies?PatientID=WEB2",
        'multipart/related; type="%s";q=0.1, %s' % (
        XML, JSON)), type=JSON),
    row("PS3.18 8.7.8", "entries that are no media type are ignored", get(ALL, "nonsense, %s" % JSON),
        type=JSON),
    row("PS3.18 8.3.3.1", "accept in the URL", get(ALL + "&accept=" + JSON.replace("+", "%2B"), "*/*"),
        type=JSON),
    row("PS3.18 8.3.3.1", "with + as it is", get(ALL + "&accept=" + JSON, "*/*"), type=JSON),
    row("PS3.18 8.3.3.1", "within a parameter, too",
        get("studies?PatientID=WEB2&accept=multipart/related;+type=%%22%s%%22" % XML, "*/*"),
        type="multipart/related", check=xml_parts),
    row("RFC 9110 12.5.5", "what depends on Accept says so", get(ALL),
        check=lambda a: "accept" in [v.strip() for v in a.header("vary").lower().split(",")] or 1 / 0),
]
ROWS = STATUS + MATCHING + LOWER + FUZZY + RETURNED + PAGES + FORMATS


@parametrize(ROWS)
def test_row(web, row):  # noqa: F811
    check(web, row)


def test_the_order_is_repeatable(web):  # noqa: F811
    whole = web.get(ALL).json()
    assert web.get(ALL).json() == whole and len(whole) == 4
    assert [web.get(ALL + "&limit=1&offset=%d" % i).json()[0] for i in range(4)] == whole


def test_pages_of_instances_are_the_whole(web):  # noqa: F811
    path = "instances?PatientID=WEB*"
    whole = [value(i, SOP_UID)[0] for i in web.get(path).json()]
    paged = []
    for offset in range(0, 20, 5):
        answer = web.get(path + "&limit=5&offset=%d" % offset)
        paged += [value(i, SOP_UID)[0] for i in answer.json()] if answer.status == 200 else []
    assert paged == whole and len(set(whole)) == 13


def test_head_is_get_without_a_body(web):  # noqa: F811
    answer = web("HEAD", ALL)
    assert answer.status == 200 and answer.body == b"" and answer.type == JSON
