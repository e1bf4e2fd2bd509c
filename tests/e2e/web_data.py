"""The objects of the web's tests, invented. Their UIDs are constants, so that tables can name them.

  BRAIN   MR, three instances in one series; one patient with an umlaut; two values in many places
  CHEST   CT (two series) and a structured report; the same patient ID as BRAIN's, another ward
  FRAMES  several frames: uncompressed, JPEG (lossy), JPEG-LS (lossless), with and without an offset table
  BULK    what is large: an overlay, a waveform, a private OB, a PDF; odd values of every VR
"""
import struct

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import dul

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
SC_BYTE, SC_WORD = "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.3"
SR, PDF = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.104.1"
IMPLICIT, EXPLICIT, BIG = dul.IMPLICIT, dul.EXPLICIT, "1.2.840.10008.1.2.2"
DEFLATED, JPEG, JPEG_LS = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80"

ROOT = "2.25.4711"
BRAIN, CHEST, FRAMES, BULK = [ROOT + ".%d" % n for n in (1, 2, 3, 4)]
BRAIN_1, CHEST_1, CHEST_2, CHEST_3 = BRAIN + ".1", CHEST + ".1", CHEST + ".2", CHEST + ".3"
FRAMES_1, BULK_1 = FRAMES + ".1", BULK + ".1"
NOWHERE = ROOT + ".99"


def part10(data, syntax, sop_class, uid, preamble=bytes(128)):
    def element(number, vr, value):
        value += b"\0" * (len(value) % 2)
        head = struct.pack("<HH2s", 2, number, vr)
        length = struct.pack("<HI", 0, len(value)) if vr == b"OB" else struct.pack("<H", len(value))
        return head + length + value

    meta = (element(1, b"OB", b"\0\1") + element(2, b"UI", sop_class.encode()) + element(3, b"UI",
    uid.encode())
            + element(0x10, b"UI", syntax.encode()) + element(0x12, b"UI", b"2.25.4711.0"))
    return preamble + b"DICM" + element(0, b"UL", struct.pack("<I", len(meta))) + meta + data


def split(file):
    """(SOP class, transfer syntax, UID, data set) of a file."""
    at, found = 132, {}
    while file[at:at + 2] == b"\2\0":
        number, vr = struct.unpack("<H2s", file[at + 2:at + 6])
        long = vr == b"OB"
        n = struct.unpack("<I", file[at + 8:at + 12])[0] if long else struct.unpack("<H",
            file[at + 6:at + 8])[0]
        at += 12 if long else 8
        found[number] = file[at:at + n].rstrip(b"\0").decode("latin-1")
        at += n
    return found[2], found[0x10], found[3], file[at:]


def file_of(d, syntax=EXPLICIT, **more):
    """d as a file; what is encapsulated is so already."""
    d.is_little_endian, d.is_implicit_VR = True, syntax == IMPLICIT
    return part10(dul.encode(d, syntax if syntax in (IMPLICIT, BIG) else EXPLICIT), syntax, d.SOPClassUID,
                  d.SOPInstanceUID, **more)


def base(sop_class, series, number, modality, **more):
    """An object of that series (its study: all but the last number)."""
    d = Dataset()
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID, d.SOPInstanceUID = sop_class, "%s.%d" % (series, number)
    d.StudyInstanceUID, d.SeriesInstanceUID = series.rsplit(".", 1)[0], series
    d.PatientName, d.PatientID = "Web^Wanda", "WEB0"
    d.PatientBirthDate, d.PatientSex = "19700101", "F"
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20240115", "101500", "1", "ACC0"
    d.ReferringPhysicianName = "Someone^Else"
    d.Modality, d.SeriesNumber, d.InstanceNumber = modality, int(series.rsplit(".", 1)[1]), number
    for name, value in more.items():
        setattr(d, name, value)
    return d


def image(d, rows=8, columns=8, bits=16, frames=None, samples=1):
    d.SamplesPerPixel, d.PhotometricInterpretation = samples, "RGB" if samples == 3 else "MONOCHROME2"
    d.Rows, d.Columns, d.BitsAllocated, d.BitsStored, d.HighBit = rows, columns, bits, bits, bits - 1
    d.PixelRepresentation = 0
    if frames:
        d.NumberOfFrames = frames
    d.PixelData = bytes(i * 7 % 251 for i in range(rows * columns * samples * bits // 8 * (frames or 1)))
    d["PixelData"].VR = "OW" if bits > 8 else "OB"
    return d


def encapsulated(d, frames, table=True, syntax=JPEG):
    """Frames of `frames` fragments each; what they hold is nobody's business but a decoder's."""
    items, offsets, at = b"", [], 0
    for fragments in frames:
        offsets.append(at)
        for f in fragments:
            f += b"\0" * (len(f) % 2)
            items += struct.pack("<HHI", 0xFFFE, 0xE000, len(f)) + f
            at += 8 + len(f)
    offsets = struct.pack("<%dI" % len(offsets), *offsets) if table else b""
    data = dul.encode(d, EXPLICIT) + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    data += struct.pack("<HHI", 0xFFFE, 0xE000, len(offsets)) + offsets + items
    data += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return part10(data, syntax, d.SOPClassUID, d.SOPInstanceUID)


def jpeg(n):
    """Looks like one from outside."""
    return b"\xff\xd8\xff\xe0" + bytes(n * 31 % 251 for n in range(60 + n)) + b"\xff\xd9"


def without_pixels(d):
    del d.PixelData
    d.is_little_endian, d.is_implicit_VR = True, False
    return d


def brain(number):
    d = base(MR, BRAIN_1, number, "MR", PatientName="Müller^Änne=山田^花子=やまだ^はなこ", PatientID="WEB1",
             StudyDate="20240301", StudyTime="081500.25", AccessionNumber="ACC1", StudyID="S1",
             ReferringPhysicianName="Referrer^Rita", InstitutionName="Ward 3b", StudyDescription="Brain MR",
             SeriesDescription="T1", ImageType=["ORIGINAL", "PRIMARY", "M"], TimezoneOffsetFromUTC="+0100",
             PatientComments="Alles gut", OtherPatientIDs=["A", "B"])
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "STEP%d" % number, "PROC1"
    d.RequestAttributesSequence = Sequence([item])
    d.PerformedProcedureStepStartDate, d.PerformedProcedureStepStartTime = "20240301", "081000"
    d.add_new(0x00090010, "LO", "GALENA TEST")
    d.add_new(0x00091001, "LO", "private %d" % number)
    return image(d)


def chest(series, number, **more):
    return base(CT, series, number, "CT", **dict(
        dict(PatientName="Chest^Carl", PatientID="WEB1", StudyDate="20240229", StudyTime="235900",
             AccessionNumber="ACC2", StudyID="S2", InstitutionName="Elsewhere", StudyDescription="Chest CT",
             PatientIdentityRemoved="YES", DeidentificationMethod="by hand"), **more))


def report():
    d = chest(CHEST_3, 1, SOPClassUID=SR, Modality="SR")
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "18748-4", "LN", "Report"
    d.ValueType, d.ConceptNameCodeSequence, d.ContinuityOfContent = "CONTAINER", Sequence([name]), "SEPARATE"
    text = Dataset()
    text.RelationshipType, text.ValueType, text.TextValue = "CONTAINS", "TEXT", "Nothing found.\r\nReally."
    d.ContentSequence = Sequence([text, Dataset()])
    d.CompletionFlag, d.VerificationFlag = "COMPLETE", "UNVERIFIED"
    return d


def frames(number, **more):
    return base(SC_BYTE, FRAMES_1, number, "OT", PatientID="WEB2", PatientName="Frames^Fred",
                AccessionNumber="ACC3", StudyDate="20231224", StudyTime="", **more)


JPEG_FRAMES = [[jpeg(1)], [jpeg(2)[:40], jpeg(2)[40:]], [jpeg(3)]]
LS_FRAMES = [[jpeg(5)]]


def bulk():
    d = image(base(SC_BYTE, BULK_1, 1, "OT", PatientID="WEB3", PatientName="Bulk^Bert",
                   AccessionNumber="ACC4", StudyDate="20220101", InstitutionName="Ward 3"), bits=8)
    d.add_new(0x00080070, "LO", "")
    d.add_new(0x00181316, "DS", "1.50")
    d.add_new(0x00200032, "DS", ["-1.0E+02", "0", "00017"])
    d.add_new(0x00540081, "US", 3)
    d.add_new(0x00080064, "CS", "WSD")
    d.add_new(0x00280009, "AT", 0x00181063)
    d.add_new(0x00081140, "SQ", Sequence([Dataset()]))
    d.add_new(0x00089215, "SQ", Sequence([]))
    d.add_new(0x00091010, "OB", b"\1\2\3\4")
    d.add_new(0x00090010, "LO", "GALENA TEST")
    d.add_new(0x00091011, "OB", bytes(i % 256 for i in range(100000)))
    d.add_new(0x00091012, "FD", [1.5, -2.25])
    d.add_new(0x00091013, "FL", 0.5)
    d.add_new(0x00091014, "SS", -3)
    d.add_new(0x00091015, "SL", [-70000, 1])
    d.add_new(0x00091016, "UL", 4000000000)
    d.add_new(0x00091017, "SV", -9007199254740993)
    d.add_new(0x00091018, "UV", 18446744073709551615)
    d.add_new(0x00091019, "UT", "a\\b \"quoted\"\r\n<script>")
    d.add_new(0x0009101A, "PN", "^^Prefix")
    d.add_new(0x0009101B, "OF", struct.pack("<2f", 1.0, 2.0))
    d.add_new(0x0009101C, "LO", ["a", "", "c"])
    d.add_new(0x0009101D, "IS", ["007", "-12"])
    d.add_new(0x0009101E, "UR", "http://example.com/a")
    d.add_new(0x0009101F, "OW", b"\1\0\2\0")
    return d


def pdf():
    d = base(PDF, BULK_1, 2, "DOC", PatientID="WEB3", PatientName="Bulk^Bert",
             AccessionNumber="ACC4", StudyDate="20220101", InstitutionName="Ward 3",
             MIMETypeOfEncapsulatedDocument="application/pdf")
    d.EncapsulatedDocument = b"%PDF-1.4\n" + b"x" * 70000 + b"\n"
    return d


DATASETS = {d.SOPInstanceUID: d for d in
            [brain(n) for n in (1, 2, 3)] + [image(chest(CHEST_1, n)) for n in (1, 2)] +
            [image(chest(CHEST_2, 1)), report(), image(frames(1), bits=8, frames=3), bulk(), pdf()]}
OBJECTS = [file_of(d) for d in DATASETS.values() if d.SOPInstanceUID != CHEST_1 + ".2"] + [
    file_of(DATASETS[CHEST_1 + ".2"], IMPLICIT),
    encapsulated(without_pixels(image(frames(2), bits=8, frames=3)), JPEG_FRAMES),
    encapsulated(without_pixels(image(frames(3), bits=8, frames=3)), JPEG_FRAMES, table=False),
    encapsulated(without_pixels(image(frames(4), bits=8)), LS_FRAMES, syntax=JPEG_LS)]
