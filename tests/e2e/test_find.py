"""C-FIND: PS3.4 C.2.2.2's kinds of matching, every level of both models, ten character sets."""
import shutil
import subprocess

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import dul

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
MODELS = [(dul.PATIENT_FIND, dul.IMPLICIT), (dul.STUDY_FIND, dul.EXPLICIT)]

NAMES = [ # character set, name
    ("", "Adams^John Robert Quincy^^Rev.^B.A. M.Div."),
    ("ISO_IR 100", "Äneas^Rüdiger"),
    ("ISO_IR 101", "Wałęsa^Lech"),
    ("ISO_IR 144", "Люкceмбypг^Яна"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("ISO_IR 138", "שרון^דבורה"),
    ("ISO_IR 166", "สมชาย^ใจดี"),
    ("ISO_IR 148", "Çavuşoğlu^İnci"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
]


def ct(number, charset="", name="Adams^John", **more):
    d = Dataset()
    d.is_little_endian, d.is_implicit_VR = True, False
    if charset:
        d.SpecificCharacterSet = charset
    d.SOPClassUID, d.SOPInstanceUID = CT, "1.2.826.%d.1.1" % number
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.2.826.%d" % number, "1.2.826.%d.1" % number
    d.PatientName, d.PatientID = name, "P%03d" % number
    d.StudyDate, d.StudyTime = "202601%02d" % (number % 28 + 1), "1%d3000" % (number % 10)
    d.Modality, d.AccessionNumber, d.StudyID = "CT", "A%d" % number, "S%d" % number
    d.SeriesNumber, d.InstanceNumber = number, 1
    d.StudyDescription, d.PatientSex, d.PatientBirthDate = "Thorax", "O", "1970%02d01" % (number % 12 + 1)
    d.ReferringPhysicianName = "House^Gregory"
    for k, v in more.items():
        setattr(d, k, v)
    return d


def request_attributes(step, procedure):
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step, procedure
    return Sequence([item])


OBJECTS = [ct(i, cs, name) for i, (cs, name) in enumerate(NAMES)] + [
    ct(50, name="100%_sure\\^x".replace("\\", ""), StudyDescription="50% of_all"),
    ct(51, StudyDescription="50 of all", RequestAttributesSequence=request_attributes("STEP1", "PROC1")),
    ct(52, "ISO_IR 192", PatientID="", StudyDate="", SliceThickness="2.5", Manufacturer="Siemens",
       StudyDescription="Sch\u00e4del", ManufacturerModelName="\u00e4"),
    ct(53, "ISO_IR 192", Modality="MR", SOPClassUID=MR, AccessionNumber="", StudyDescription="Scha\u0308del",
       ManufacturerModelName="a\u0308"),
]


@pytest.fixture(scope="module")
def filled(archive):
    extra = ct(53, Modality="SR", SeriesInstanceUID="1.2.826.53.2", SOPInstanceUID="1.2.826.53.2.1")
    extra.SOPClassUID = CT
    with archive.associate(contexts=[(CT, [dul.EXPLICIT]), (MR, [dul.EXPLICIT])]) as a:
        for d in OBJECTS + [extra]:
            assert a.store(d.SOPClassUID, d.SOPInstanceUID, dul.EXPLICIT,
                           dul.encode(d, dul.EXPLICIT))[0x0900] == 0
    return archive


def find(archive, model, transfer=dul.EXPLICIT, extended=None, **key_values):
    identifier = dul.keys(**key_values)
    with archive.associate(contexts=[(model, [transfer])],
                           extended=[(model, extended)] if extended else ()) as a:
        answers = list(a.find(model, identifier))
    assert answers[-1][0] == 0, hex(answers[-1][0])
    return [d for _, d in answers[:-1]]


def studies(archive, **key_values):
    """Numbers of the studies that match."""
    found = find(archive, dul.STUDY_FIND, QueryRetrieveLevel="STUDY", StudyInstanceUID="", **key_values)
    return sorted(int(d.StudyInstanceUID.split(".")[3]) for d in found)


ALL = sorted(list(range(len(NAMES))) + [50, 51, 52, 53])

UTF8 = dict(SpecificCharacterSet="ISO_IR 192")
MATCHING = [
    ("universal", dict(PatientName=""), ALL),
    ("star alone", dict(PatientName="*"), ALL),
    ("single value", dict(PatientID="P001"), [1]),
    ("single value is case-sensitive", dict(PatientID="p001"), []),
    ("single value, nothing", dict(PatientID="P1"), []),
    ("a name is not case-sensitive", dict(PatientName="adams^john robert*"), [0]),
    ("a name is not accent-sensitive", dict(PatientName="Aneas^Rudiger"), [1]),
    ("wildcard *", dict(PatientID="P00*"), list(range(10))),
    ("wildcard in the middle", dict(PatientID="P*2"), [2, 12]),
    ("wildcard ?", dict(PatientID="P00?"), list(range(10))),
    ("? is one character", dict(PatientID="P?"), []),
    ("percent is literal", dict(StudyDescription="50%*"), [50]),
    ("percent alone matches nothing", dict(StudyDescription="%"), []),
    ("underscore is literal", dict(StudyDescription="*of_all"), [50]),
    ("quotes are literal", dict(StudyDescription="' OR 1=1 --"), []),
    ("many stars", dict(StudyDescription="*?*?*?*?*?*?*?*?*x"), []),
    ("list of UIDs", dict(StudyInstanceUID="1.2.826.1\\1.2.826.3\\1.2.9"), [1, 3]),
    ("date", dict(StudyDate="20260102"), [1]),
    ("date range", dict(StudyDate="20260102-20260104"), [1, 2, 3]),
    ("open date range", dict(StudyDate="20260125-"), [50, 51, 53] if False else None),
    ("date range with its ends exchanged", dict(StudyDate="20260104-20260102"), []),
    ("time range, inclusive", dict(StudyTime="113000-123000"), [1, 2, 11, 12, 51, 52]),
    ("time of less precision", dict(StudyTime="11"), [1, 11, 51]),
    ("birth date", dict(PatientBirthDate="19700201"), [1, 50 if 50 % 12 == 1 else 1][:1]),
    ("modality of any series", dict(ModalitiesInStudy="SR"), [53]),
    ("modality by wildcard", dict(ModalitiesInStudy="M*"), [53]),
    ("accession number", dict(AccessionNumber="A7"), [7]),
    ("two keys", dict(PatientID="P00*", StudyDate="20260102-20260103"), [1, 2]),
    ("referring physician", dict(ReferringPhysicianName="house*"), ALL),
    ("composed", dict(StudyDescription="Sch\u00e4del"), [52, 53]),
    ("a letter and a mark, as from a Mac", dict(UTF8, StudyDescription="Scha\u0308del"), [52, 53]),
    ("the same with wildcards", dict(UTF8, StudyDescription="Scha\u0308*"), [52, 53]),
    ("? is one letter, composed or not", dict(StudyDescription="Sch?del"), [52, 53]),
    ("other text is accent-sensitive", dict(StudyDescription="Schadel"), []),
    ("composed, in an attribute that no index has", dict(UTF8, ManufacturerModelName="a\u0308"), [52, 53]),
    ("an attribute that no index has", dict(SliceThickness="2.5"), [52]),
    ("the same, nothing", dict(SliceThickness="7"), []),
]


@pytest.mark.parametrize("name,asked,expected", [m for m in MATCHING if m[2] is not None],
                         ids=[m[0] for m in MATCHING if m[2] is not None])
def test_matching(filled, name, asked, expected):
    got = studies(filled, **asked) if "StudyInstanceUID" not in asked else sorted(
        int(d.StudyInstanceUID.split(".")[3]) for d in find(filled, dul.STUDY_FIND,
                                                            QueryRetrieveLevel="STUDY", **asked))
    if name == "birth date":
        assert 1 in got and all(int(n) % 12 == 1 for n in got)
        return
    assert got == expected


@pytest.mark.parametrize("number,text", [(52, "Sch\u00e4del"), (53, "Scha\u0308del")])
def test_text_comes_back_as_it_was_written(filled, number, text):
    found, = find(filled, dul.STUDY_FIND, QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.826.%d" % number,
                  StudyDescription="", SpecificCharacterSet="ISO_IR 192")
    assert found.StudyDescription == text


def test_empty_value_matching_needs_negotiation(filled):
    assert studies(filled, PatientID='""') == []
    found = find(filled, dul.STUDY_FIND, extended=b"\0\0\0\0\0\1", QueryRetrieveLevel="STUDY",
                 StudyInstanceUID="",
                 PatientID='""')
    assert [d.StudyInstanceUID for d in found] == ["1.2.826.52"]


def test_combined_date_and_time_matching_needs_negotiation(filled):
    asked = dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="", StudyDate="20260102-20260103",
                 StudyTime="120000-113000")
    assert find(filled, dul.STUDY_FIND, **asked) == []
    found = find(filled, dul.STUDY_FIND, extended=b"\0\1", **asked)
    assert [d.StudyInstanceUID for d in found] == []
    asked["StudyTime"] = "110000-123000"
    found = find(filled, dul.STUDY_FIND, extended=b"\0\1", **asked)
    assert sorted(d.StudyInstanceUID for d in found) == ["1.2.826.1", "1.2.826.2"]


def test_sequence_matching(filled):
    asked = Dataset()
    asked.ScheduledProcedureStepID, asked.RequestedProcedureID = "STEP1", ""
    found = find(filled, dul.STUDY_FIND, QueryRetrieveLevel="SERIES", StudyInstanceUID="",
                 SeriesInstanceUID="",
                 RequestAttributesSequence=Sequence([asked]))
    assert [d.SeriesInstanceUID for d in found] == ["1.2.826.51.1"]
    item = found[0].RequestAttributesSequence[0]
    assert (item.ScheduledProcedureStepID, item.RequestedProcedureID) == ("STEP1", "PROC1")


def test_a_sequence_of_a_lower_level_is_left_out(filled):
    """PS3.4 C.4.1.1.4: an optional key that this level does not have is no failure."""
    asked = Dataset()
    asked.ScheduledProcedureStepID, asked.RequestedProcedureID = "STEP1", ""
    with filled.associate(contexts=[(dul.STUDY_FIND, [dul.EXPLICIT])]) as a:
        answers = list(a.find(dul.STUDY_FIND, dul.keys(
            QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.826.51",
            RequestAttributesSequence=Sequence([asked]))))
    assert [status for status, _ in answers] == [0xFF01, 0]
    assert answers[0][1].StudyInstanceUID == "1.2.826.51"


@pytest.mark.parametrize("charset,name", NAMES, ids=[str(n[0]) for n in NAMES])
def test_names_come_back_in_the_askers_set(filled, charset, name):
    """Asked in its own set, the name matches and comes back in it; asked in ASCII, in ISO_IR 192."""
    number = [n[1] for n in NAMES].index(name)
    asked = dict(QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName=name)
    if charset:
        asked["SpecificCharacterSet"] = charset
    found = find(filled, dul.STUDY_FIND, **asked)
    assert [d.StudyInstanceUID for d in found] == ["1.2.826.%d" % number]
    found[0].decode()
    assert str(found[0].PatientName) == name
    if charset:
        assert found[0].SpecificCharacterSet == charset
    found = find(filled, dul.STUDY_FIND, QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.826.%d" % number,
                 PatientName="")
    found[0].decode()
    assert str(found[0].PatientName) == name
    assert found[0].get("SpecificCharacterSet", "") == ("ISO_IR 192" if number else "")


@pytest.mark.parametrize("model,transfer", MODELS)
def test_every_level(filled, model, transfer):
    def ask(level, **more):
        return find(filled, model, transfer, QueryRetrieveLevel=level, **more)
    if model == dul.PATIENT_FIND:
        d, = ask("PATIENT", PatientID="P053", PatientName="", NumberOfPatientRelatedStudies="",
                 NumberOfPatientRelatedSeries="", NumberOfPatientRelatedInstances="")
        assert (d.NumberOfPatientRelatedStudies, d.NumberOfPatientRelatedSeries,
                d.NumberOfPatientRelatedInstances) == (1, 2, 2)
    upper = dict(PatientID="P053") if model == dul.PATIENT_FIND else {}
    d, = ask("STUDY", StudyInstanceUID="1.2.826.53", ModalitiesInStudy="", SOPClassesInStudy="",
             NumberOfStudyRelatedSeries="", NumberOfStudyRelatedInstances="", StudyDate="",
             AccessionNumber="", **upper)
    assert sorted(d.ModalitiesInStudy) == ["MR", "SR"]
    assert sorted(d.SOPClassesInStudy) == sorted([CT, MR])
    assert (d.NumberOfStudyRelatedSeries, d.NumberOfStudyRelatedInstances) == (2, 2)
    assert "AccessionNumber" in d and d.QueryRetrieveLevel == "STUDY" and d.RetrieveAETitle == "GALENA"
    upper["StudyInstanceUID"] = "1.2.826.53"
    series = ask("SERIES", SeriesInstanceUID="", Modality="", NumberOfSeriesRelatedInstances="", **upper)
    assert sorted(s.Modality for s in series) == ["MR", "SR"]
    assert [s.NumberOfSeriesRelatedInstances for s in series] == [1, 1]
    upper["SeriesInstanceUID"] = "1.2.826.53.2"
    d, = ask("IMAGE", SOPInstanceUID="", InstanceNumber="", SOPClassUID="", AvailableTransferSyntaxUID="",
             **upper)
    assert (d.SOPInstanceUID, d.InstanceNumber, d.SOPClassUID) == ("1.2.826.53.2.1", 1, CT)
    assert d.AvailableTransferSyntaxUID == dul.EXPLICIT


def test_availability_is_the_archives_own_word(filled):
    def ask(availability):
        return find(filled, dul.STUDY_FIND, QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.2.826.52",
                    SeriesInstanceUID="", SOPInstanceUID="", InstanceAvailability=availability)
    assert {d.InstanceAvailability for d in ask("")} == {"ONLINE"}
    assert len(ask("ONLINE")) == len(ask("")) and ask("OFFLINE") == []


def test_any_stored_attribute_as_return_key(filled):
    d, = find(filled, dul.STUDY_FIND, QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.2.826.52",
              SeriesInstanceUID="",
              SOPInstanceUID="", SliceThickness="", Manufacturer="", KVP="")
    assert (d.SliceThickness, d.Manufacturer, d.KVP) == (2.5, "Siemens", None)


WRONG = [
    ("no level", dict(StudyInstanceUID=""), dul.STUDY_FIND),
    ("a level that is none", dict(QueryRetrieveLevel="FRAME"), dul.STUDY_FIND),
    ("a level the model does not have", dict(QueryRetrieveLevel="PATIENT", PatientID=""), dul.STUDY_FIND),
]


@pytest.mark.parametrize("name,asked,model", WRONG, ids=[w[0] for w in WRONG])
def test_wrong_identifiers(filled, name, asked, model):
    with filled.associate(contexts=[(model, [dul.IMPLICIT])]) as a:
        (status, nothing), = a.find(model, dul.keys(**asked))
        assert status == 0xA900 and nothing is None


def test_an_unreadable_identifier(filled):
    with filled.associate(contexts=[(dul.STUDY_FIND, [dul.IMPLICIT])]) as a:
        (status, _), = a.find(dul.STUDY_FIND, b"\x08\0\x52\0\xff\0\0\0STUDY ")
        assert status & 0xF000 == 0xC000


def test_cancel(filled):
    with filled.associate(contexts=[(dul.STUDY_FIND, [dul.IMPLICIT]),
                                    (dul.VERIFICATION, [dul.IMPLICIT])]) as a:
        statuses = [s for s, _ in a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="STUDY",
                                                                  StudyInstanceUID="",
                                                                 PatientName="*"), cancel_after=1)]
        assert statuses[-1] in (0xFE00, 0), "cancelled, or done before the cancel came"
        assert a.echo() == 0


@pytest.mark.skipif(not shutil.which("findscu"), reason="DCMTK is not installed")
def test_dcmtk_finds_over_tls(filled):
    peer = filled.dir + "/peers/first/"
    done = subprocess.run(["findscu", "+tls", peer + "key.pem", peer + "cert.pem", "+cf", peer + "ca.pem",
                           "-aet", "FIRST",
                           "-aec", "GALENA", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=P001",
                           "-k", "StudyInstanceUID", "127.0.0.1", str(filled.port)], capture_output=True,
                           text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert "1.2.826.1" in done.stdout + done.stderr
