"""Objects whose bytes follow from their number alone, so that what comes back can be compared without being
kept. Four make a study; most are small, some are streamed in pieces (more than 1 MiB)."""
import random
import struct

import place  # noqa: F401
import web_data

CT, EXPLICIT = web_data.CT, web_data.EXPLICIT
PER_STUDY = 4
ROOT = "2.25.8"
MANY = {"OB", "OW", "SQ", "UN", "UT"}


def study_uid(study):
    return "%s.%d" % (ROOT, study)


def series_uid(study):
    return study_uid(study) + ".1"


def uid(number):
    return "%s.%d" % (series_uid(number // PER_STUDY), number)


def number_of(instance):
    return int(instance.rpartition(".")[2])


def numbers(study):
    return range(study * PER_STUDY, (study + 1) * PER_STUDY)


def size(number):
    mixed = number * 2654435761 >> 7
    if mixed % 53 == 0:
        return 1300000 + mixed % 200000
    return 50000 + mixed % 100000 if mixed % 7 == 0 else 500 + mixed % 9000


def element(tag, vr, value):
    value = value if isinstance(value, bytes) else value.encode("latin-1")
    value += (b"\0" if vr in ("UI", "OB") else b" ") * (len(value) % 2)
    long = vr in MANY
    return (struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
            + (struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))) + value)


def pixels(number):
    """Of one frame, 64 columns wide."""
    return random.Random(number).randbytes(size(number) // 128 * 128)


def dataset(number):
    """Explicit VR Little Endian."""
    study, e = number // PER_STUDY, element
    values = pixels(number)
    us = lambda value: struct.pack("<H", value)
    return b"".join((
        e(0x00080016, "UI", CT), e(0x00080018, "UI", uid(number)),
        e(0x00080020, "DA", "2026%02d%02d" % (study % 12 + 1, study % 28 + 1)), e(0x00080030, "TM", "101500"),
        e(0x00080050, "SH", "A%d" % study), e(0x00080060, "CS", "CT"), e(0x00081030, "LO", "Crash"),
        e(0x00100010, "PN", "Crash^%d" % (study % 50)), e(0x00100020, "LO", "P%d" % (study % 50)),
        e(0x0020000D, "UI", study_uid(study)), e(0x0020000E, "UI", series_uid(study)),
        e(0x00200010, "SH", "1"), e(0x00200011, "IS", "1"), e(0x00200013, "IS", str(number % PER_STUDY)),
        e(0x00280002, "US", us(1)), e(0x00280004, "CS", "MONOCHROME2"),
        e(0x00280010, "US", us(len(values) // 128)), e(0x00280011, "US", us(64)),
        e(0x00280100, "US", us(16)), e(0x00280101, "US", us(16)),
        e(0x00280102, "US", us(15)), e(0x00280103, "US", us(0)), e(0x7FE00010, "OW", values)))


def file(number, data=None):
    return web_data.part10(data or dataset(number), EXPLICIT, CT, uid(number))


def data_sets(files):
    """{number: data set}"""
    return {number_of(uid): data for _, _, uid, data in map(web_data.split, files)}
