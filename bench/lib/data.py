"""The objects that are sent: realistic attributes, several studies and series, pixels of random noise.

One file holds the data sets end to end (Explicit VR Little Endian), PATH.index says what lies where; that is
what bench-load maps. Noise, so that nothing gains by compressing or by finding equal objects.
"""
import collections
import json
import os
import shutil
import struct

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
MULTI_FRAME_WORD = "1.2.840.10008.5.1.4.1.1.7.3"
LONG = {"OB", "OW", "SQ", "UN", "UT"}
ROOT = "2.25.7310"
FOLDER = "/dev/shm/galena-bench-data-%d" % os.getpid()  # on tmpfs: reading them costs the same everywhere

Kind = collections.namedtuple("Kind",
                              "name sop_class modality rows columns frames objects per_study per_series")
Pack = collections.namedtuple("Pack", "path objects bytes uids studies")


def kinds(quick=False):
    small, ct, big = (512, 64, 20) if quick else (8192, 1024, 1000)
    return {k.name: k for k in (
        Kind("ct", CT, "CT", 512, 512, 1, ct, ct // 16, ct // 32),  # sixteen studies of two series
        Kind("small", MR, "MR", 64, 56, 1, small, 32, 16),
        Kind("big", MULTI_FRAME_WORD, "OT", 512, 512, big, 1, 1, 1),
        Kind("frames", MULTI_FRAME_WORD, "OT", 64, 64, 10 * big, 1, 1, 1),
        Kind("series", MR, "MR", 64, 56, 1, big, big, big),
    )}


def element(tag, vr, value):
    if isinstance(value, str):
        value = value.encode("latin-1")
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<HI", 0, len(value)) if vr in LONG else struct.pack("<H", len(value))) + value


def us(x):
    return struct.pack("<H", x)


def sequence(tag, *items):
    return element(tag, "SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(i)) + i for i in items))


def attributes(k, i, uid, study, series):
    """Everything before the pixels, as a scanner of that kind writes it."""
    patient, number = i // k.per_study, i % k.per_series
    e = element
    parts = [
        e(0x00080005, "CS", "ISO_IR 100"),
        e(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        e(0x00080012, "DA", "20240311"),
        e(0x00080013, "TM", "%02d%02d%02d.%03d" % (9 + i % 9, i % 60, i % 59, i % 1000)),
        e(0x00080016, "UI", k.sop_class), e(0x00080018, "UI", uid),
        e(0x00080020, "DA", "202403%02d" % (1 + patient % 28)),
        e(0x00080021, "DA", "202403%02d" % (1 + patient % 28)),
        e(0x00080022, "DA", "20240311"), e(0x00080023, "DA", "20240311"),
        e(0x00080030, "TM", "0912%02d" % (patient % 60)), e(0x00080031, "TM", "091501"),
        e(0x00080032, "TM", "091502.5"), e(0x00080033, "TM", "091503.25"),
        e(0x00080050, "SH", "ACC%07d" % patient), e(0x00080060, "CS", k.modality),
        e(0x00080064, "CS", "WSD") if k.name in ("big", "frames") else b"",
        e(0x00080070, "LO", "Example Imaging"), e(0x00080080, "LO", "Bench Hospital"),
        e(0x00080090, "PN", "Referrer^Rita"), e(0x00081010, "SH", "STATION%d" % (patient % 4)),
        e(0x00081030, "LO", "Abdomen and pelvis"), e(0x0008103E, "LO", "Axial 1.0 B30f"),
        e(0x00081050, "PN", "Reader^Rolf"), e(0x00081090, "LO", "Model 64"),
        sequence(0x00081140, e(0x00081150, "UI", k.sop_class) + e(0x00081155, "UI", uid + ".1")),
        e(0x00100010, "PN", "Bench^Patient%04d" % patient), e(0x00100020, "LO", "BENCH%06d" % patient),
        e(0x00100030, "DA", "19%02d0417" % (30 + patient % 60)), e(0x00100040, "CS", "FM"[patient % 2]),
        e(0x00101010, "AS", "0%02dY" % (20 + patient % 70)), e(0x00101030, "DS", "7%d.5" % (patient % 10)),
        e(0x00180015, "CS", "ABDOMEN"), e(0x00180050, "DS", "1"), e(0x00180060, "DS", "120"),
        e(0x00180090, "DS", "500"), e(0x00181020, "LO", "VA44A"), e(0x00181030, "LO", "Abdomen routine"),
        e(0x00181100, "DS", "380"), e(0x00181110, "DS", "1085.6"), e(0x00181120, "DS", "0"),
        e(0x00181151, "IS", "210"), e(0x00181152, "IS", "105"), e(0x00185100, "CS", "HFS"),
        e(0x0020000D, "UI", study), e(0x0020000E, "UI", series), e(0x00200010, "SH", "S%05d" % patient),
        e(0x00200011, "IS", str(1 + i // k.per_series % 4)), e(0x00200012, "IS", "1"),
        e(0x00200013, "IS", str(number + 1)), e(0x00200032, "DS", "-190\\-190\\%d" % (number - 400)),
        e(0x00200037, "DS", "1\\0\\0\\0\\1\\0"), e(0x00200052, "UI", study + ".99"),
        e(0x00201041, "DS", str(number - 400)),
        e(0x00280002, "US", us(1)), e(0x00280004, "CS", "MONOCHROME2"),
        e(0x00280008, "IS", str(k.frames)) if k.frames > 1 else b"",
        e(0x00280010, "US", us(k.rows)), e(0x00280011, "US", us(k.columns)),
        e(0x00280030, "DS", "0.742\\0.742"), e(0x00280100, "US", us(16)), e(0x00280101, "US", us(16)),
        e(0x00280102, "US", us(15)), e(0x00280103, "US", us(0)),
        e(0x00281050, "DS", "40"), e(0x00281051, "DS", "400"), e(0x00281052, "DS", "-1024"),
        e(0x00281053, "DS", "1"),
        sequence(0x00400275, e(0x00400007, "LO", "CT abdomen") + e(0x00400009, "SH", "SPS%05d" % patient)),
    ]
    return b"".join(parts)


def part10(body, sop_class, uid):
    """The data set as a file: PS3.10 7.1."""
    meta = element(0x00020001, "OB", b"\0\1") + element(0x00020002, "UI", sop_class)
    meta += element(0x00020003, "UI", uid) + element(0x00020010, "UI", "1.2.840.10008.1.2.1")
    meta += element(0x00020012, "UI", ROOT)
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + body


def forget():
    shutil.rmtree(FOLDER, ignore_errors=True)


def write_noise(f, n):
    block = os.urandom(min(n, 16 << 20))
    while n > 0:
        f.write(block[:n])
        n -= len(block)


def make(k, folder):
    """The pack of this kind below folder, made if it is not there already."""
    path = os.path.join(folder, "%s-%d" % (k.name, k.objects * k.frames))
    if not os.path.exists(path + ".json"):
        os.makedirs(folder, exist_ok=True)
        write_pack(k, path)
    with open(path + ".json", encoding="utf-8") as f:
        said = json.load(f)
    with open(path + ".index", encoding="utf-8") as f:
        uids = {line.split()[1] for line in f}
    return Pack(path, k.objects, said["bytes"], uids, said["studies"])


def write_pack(k, path):
    total, code = 0, {"ct": 1, "small": 2, "big": 3, "frames": 4, "series": 5}[k.name]
    pixels = k.rows * k.columns * 2 * k.frames
    with open(path, "wb") as f, open(path + ".index", "w", encoding="utf-8") as index:
        for i in range(k.objects):
            study = "%s.%d.%d" % (ROOT, code, 1 + i // k.per_study)
            series = "%s.%d" % (study, 1 + i // k.per_series)
            uid = "%s.%d" % (series, 1 + i)
            head = attributes(k, i, uid, study, series)
            head += struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, pixels)
            index.write("%s %s %s %s %d %d\n" % (k.sop_class, uid, study, series, f.tell(),
                                                 len(head) + pixels))
            f.write(head)
            write_noise(f, pixels)
            total += len(head) + pixels
    with open(path + ".json", "w", encoding="utf-8") as f:
        json.dump({"bytes": total, "studies": 1 + (k.objects - 1) // k.per_study}, f)


def write_tiny(path, first, count):
    """So many studies of one tiny object, from a number on: the same attributes, with the number in them."""
    number = "99999999"
    study = "%s.7.%s" % (ROOT, number)
    kind = Kind("tiny", MR, "MR", 2, 2, 1, count, 1, 1)
    body = attributes(kind, int(number), study + ".1.1", study, study + ".1")
    body += element(0x7FE00010, "OW", bytes(8))
    pieces = body.split(number.encode())
    with open(path, "wb") as f, open(path + ".index", "w", encoding="ascii") as index:
        for i in range(10000000 + first, 10000000 + first + count):
            study = "%s.7.%d" % (ROOT, i)
            index.write("%s %s.1.1 %s %s.1 %d %d\n" % (MR, study, study, study, f.tell(), len(body)))
            f.write(str(i).encode().join(pieces))
