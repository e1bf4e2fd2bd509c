#!/usr/bin/python3
"""Makes tests/data/first-image.dcm: a drawn CT slice of a head phantom, nobody's.

Always the same bytes, so that the file in the repository can be checked against its maker.
"""
import sys

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROOT = "2.25.302458690217309471829384755610293847"
SIZE = 256

# Ellipses: centre x and y, half axes, Hounsfield units; later ones lie over earlier ones.
ELLIPSES = [
    (0.0, 0.0, 0.78, 0.92, 1000),    # skull
    (0.0, -0.01, 0.72, 0.86, 35),    # brain
    (-0.20, -0.05, 0.10, 0.32, 8),   # ventricles
    (0.20, -0.05, 0.10, 0.32, 8),
    (0.0, 0.38, 0.20, 0.20, 45),
    (0.05, -0.60, 0.07, 0.05, 70),
]


def pixels():
    """Rows of 16-bit stored values: HU + 1024, with a little texture that needs no random numbers."""
    out = bytearray()
    for row in range(SIZE):
        y = 2 * (row + 0.5) / SIZE - 1
        for column in range(SIZE):
            x = 2 * (column + 0.5) / SIZE - 1
            value = -1000
            for cx, cy, ax, ay, hounsfield in ELLIPSES:
                if ((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 <= 1:
                    value = hounsfield
            value += (row * 31 + column * 17 + row * column) % 7 - 3
            out += max(0, value + 1024).to_bytes(2, "little")
    return bytes(out)


def image():
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ROOT + ".3"
    ds.StudyDate, ds.SeriesDate, ds.ContentDate = "20260101", "20260101", "20260101"
    ds.StudyTime, ds.SeriesTime, ds.ContentTime = "120000", "120000", "120000"
    ds.AccessionNumber = "FIRST1"
    ds.Modality = "CT"
    ds.Manufacturer = "Galena"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "The first image"
    ds.SeriesDescription = "Drawn head phantom"
    ds.PatientName = "First^Image"
    ds.PatientID = "FIRST-1"
    ds.PatientBirthDate = ""
    ds.PatientSex = "O"
    ds.SliceThickness, ds.KVP = "5", "120"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = ROOT + ".1", ROOT + ".2"
    ds.FrameOfReferenceUID = ROOT + ".4"
    ds.PositionReferenceIndicator = ""
    ds.StudyID, ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = "1", "1", "1", "1"
    ds.ImagePositionPatient = ["-128", "-128", "0"]
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelSpacing = SIZE, SIZE, ["1", "1"]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.PixelData = pixels()
    ds["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = ROOT + ".9"
    ds.file_meta, ds.is_little_endian, ds.is_implicit_VR = meta, True, False
    return ds


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "tests/data/first-image.dcm"
    image().save_as(path, write_like_original=False)
