"""Import and export: every way in, byte for byte out, and nothing where it does not belong."""
import io
import os
import shutil
import struct
import subprocess
import time
import zipfile

import pydicom
import pytest
from pydicom.fileset import FileSet

from conftest import CORPUS, GALENA, ROOT, galena, needs_corpus

IMAGE = os.path.join(ROOT, "tests", "data", "first-image.dcm")
STUDY = "2.25.302458690217309471829384755610293847.1"


def data_set_bytes(path):
    """What follows the File Meta Information."""
    with open(path, "rb") as f:
        raw = f.read()
    if raw[128:132] != b"DICM":
        return raw
    length = int.from_bytes(raw[140:144], "little")
    return raw[144 + length:]


def test_the_first_image_goes_in_and_out(archive, tmp_path):
    assert "Stored 1." in galena("import", archive.dir, IMAGE)
    assert "Stored 1." in galena("import", archive.dir, IMAGE)  # identical: no second one
    out = tmp_path / "out"
    assert "Exported 1 objects" in galena("export", archive.dir, str(out), "--study", STUDY)
    assert data_set_bytes(out / "DICOM" / "S0000001" / "I0000001") == data_set_bytes(IMAGE)
    assert len(list(FileSet(str(out / "DICOMDIR")))) == 1
    assert "is not an empty folder" in galena("export", archive.dir, str(out), "--study", STUDY, status=1)
    assert (out / "DICOMDIR").exists()


def test_relative_paths_are_the_callers(archive, tmp_path):
    shutil.copy(IMAGE, tmp_path / "x.dcm")
    assert "Stored 1." in galena("import", archive.dir, "x.dcm", cwd=tmp_path)
    assert "Exported 1" in galena("export", archive.dir, "disc", "--study", STUDY, cwd=tmp_path)
    assert (tmp_path / "disc" / "DICOMDIR").exists()


def test_a_disc_comes_back_by_its_dicomdir(archive, tmp_path):
    galena("import", archive.dir, IMAGE)
    disc = tmp_path / "disc"
    galena("export", archive.dir, str(disc), "--study", STUDY)
    assert "Stored 1." in galena("import", archive.dir, str(disc / "DICOMDIR"))
    (disc / "DICOM" / "S0000001" / "I0000001").unlink()
    text = galena("import", archive.dir, str(disc / "DICOMDIR"), status=1)
    assert "No such file" in text and "Stored 0, unreadable 1" in text


def test_a_dicomdir_leads_nowhere_else(archive, tmp_path):
    galena("import", archive.dir, IMAGE)
    disc = tmp_path / "disc"
    galena("export", archive.dir, str(disc), "--study", STUDY)
    shutil.copy(IMAGE, tmp_path / "SECRET1")
    raw = (disc / "DICOMDIR").read_bytes()
    # the file ID is 24 bytes long: one that leads out of the folder instead
    (disc / "DICOMDIR").write_bytes(raw.replace(b"DICOM\\S0000001\\I0000001", b"..\\SECRET1" + b" " * 13))
    assert "Stored 0, unreadable 1" in galena("import", archive.dir, str(disc / "DICOMDIR"), status=1)
    (disc / "DICOM" / "S0000001" / "I0000001").unlink()
    os.symlink(tmp_path / "SECRET1", disc / "DICOM" / "S0000001" / "I0000001")
    (disc / "DICOMDIR").write_bytes(raw)
    assert "Stored 0, unreadable 1" in galena("import", archive.dir, str(disc / "DICOMDIR"), status=1)


def test_a_zip(archive, tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.write(IMAGE, "../../../tmp/evil\x1b[31m.dcm")
        z.writestr("readme.txt", "nothing to see")
    text = galena("import", archive.dir, str(path))
    assert "Stored 1, not DICOM 1." in text and "\x1b" not in text


def test_a_zip_bomb_and_other_bad_zips(archive, tmp_path):
    bomb, cut, nested = tmp_path / "bomb.zip", tmp_path / "cut.zip", tmp_path / "nested.zip"
    with open(IMAGE, "rb") as f:
        image = f.read()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as z:
        with z.open("bomb.dcm", "w") as member:
            member.write(image)
            for _ in range(300):
                member.write(bytes(1 << 20))
    assert "more than 200 times its size" in galena("import", archive.dir, str(bomb), status=1)
    cut.write_bytes(bomb.read_bytes()[:60000])
    galena("import", archive.dir, str(cut), status=1)
    with zipfile.ZipFile(nested, "w") as z:
        z.write(bomb, "inner.zip")
    assert "Stored 0, not DICOM 1" in galena("import", archive.dir, str(nested), status=1)


def zip_of(image, name="x.dcm", **info):
    """The bytes of a ZIP with one stored member."""
    out = io.BytesIO()
    member = zipfile.ZipInfo(name)
    for key, value in info.items():
        setattr(member, key, value)
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(member, image)
    return out.getvalue()


def patched(data, signature, offset, layout, value):
    at = data.index(signature) + offset
    return data[:at] + struct.pack(layout, value) + data[at + struct.calcsize(layout):]


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
FORGED = [ # name, what is done to a good ZIP
    ("a size of 4 GB in both heads", lambda z: patched(patched(z, LOCAL, 22, "<I", 0xFFFFFFFE),
                                                       CENTRAL, 24, "<I", 0xFFFFFFFE)),
    ("a packed size of 4 GB", lambda z: patched(patched(z, LOCAL, 18, "<I", 0xFFFFFFFE), CENTRAL, 20, "<I",
                                                0xFFFFFFFE)),
    ("a size of nothing", lambda z: patched(patched(z, LOCAL, 22, "<I", 0), CENTRAL, 24, "<I", 0)),
    ("heads that differ", lambda z: patched(z, CENTRAL, 24, "<I", 5)),
    ("a member past the end", lambda z: patched(z, CENTRAL, 42, "<I", 0x7FFFFFFF)),
    ("a member inside the directory", lambda z: patched(z, CENTRAL, 42, "<I", z.index(CENTRAL))),
    ("a directory past the end", lambda z: patched(z, END, 16, "<I", 0x7FFFFFFF)),
    ("65,535 members announced", lambda z: patched(patched(z, END, 8, "<H", 65535), END, 10, "<H", 65535)),
    ("a thousand entries for one member", lambda z: overlapping(z, 1000)),
    ("an encrypted member", lambda z: patched(patched(z, LOCAL, 6, "<H", 1), CENTRAL, 8, "<H", 1)),
    ("a way of packing nobody knows", lambda z: patched(patched(z, LOCAL, 8, "<H", 77), CENTRAL, 10, "<H",
                                                        77)),
    ("a wrong checksum", lambda z: patched(patched(z, LOCAL, 14, "<I", 1), CENTRAL, 16, "<I", 1)),
]


def overlapping(z, times):
    """The directory names the same bytes again and again."""
    at = z.index(CENTRAL)
    entry = z[at:z.index(END)]
    data = z[:at] + entry * times + z[z.index(END):]
    for offset in (8, 10):
        data = patched(data, END, offset, "<H", times)
    return patched(data, END, 12, "<I", len(entry) * times)


@pytest.mark.parametrize("name,forge", FORGED, ids=[f[0] for f in FORGED])
def test_forged_zips(archive, tmp_path, name, forge):
    """What the heads say is not believed: at most the one image is stored, and soon."""
    path = tmp_path / "forged.zip"
    with open(IMAGE, "rb") as f:
        path.write_bytes(forge(zip_of(f.read())))
    began = time.monotonic()
    done = subprocess.run([GALENA, "import", archive.dir, str(path)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode in (0, 1) and time.monotonic() - began < 20, done
    text = done.stdout + done.stderr
    assert "Traceback" not in text and "Sanitizer" not in text and "runtime error" not in text


NAMES = ["<script>alert(1)<script>", "a\nb", "a\rb",
         "\u202egpj.exe", "\x1b[2Jx", "-rf", "%s%n", "a b", "\udcff\udcfe"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_of_files_and_members(archive, tmp_path, name):
    """What is shown of them is text: nothing a terminal obeys, no line of its own."""
    text = tmp_path / "folder" / name
    text.parent.mkdir()
    text.write_text("no image")
    told = galena("import", archive.dir, str(text.parent), status=1)
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(b"no image" * 40, name.encode("utf-8", "replace").decode()))
    told += galena("import", archive.dir, str(path), status=1)
    assert all(c.isprintable() for line in told.splitlines() for c in line), ascii(told)
    assert "\nb" not in told


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "/proc/self/environ"])
def test_a_zip_with_a_link(archive, tmp_path, target):
    """A member that is a symbolic link leads nowhere."""
    path = tmp_path / "link.zip"
    path.write_bytes(zip_of(target, "link.dcm", external_attr=0o120777 << 16, create_system=3))
    told = galena("import", archive.dir, str(path), status=1)
    assert "root:" not in told and "Stored 0" in told


def test_what_is_no_dicom(archive, tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "text").write_text("hello")
    (tmp_path / "folder" / "empty").write_text("")
    shutil.copy(IMAGE, tmp_path / "folder" / "deep" / "one")
    os.mkfifo(tmp_path / "folder" / "pipe")
    os.symlink("/etc/passwd", tmp_path / "folder" / "link")
    assert "Stored 1, not DICOM 2." in galena("import", archive.dir, str(tmp_path / "folder"))
    text = str(tmp_path / "folder" / "deep" / "text")
    assert "is not a DICOM file" in galena("import", archive.dir, text, status=1)
    assert "No such file" in galena("import", archive.dir, str(tmp_path / "nothing"), status=1)


@pytest.mark.parametrize("study, says", [
    ("1.2.3.4.5", "no study with this UID"), ("", "is no UID"), ("1..2", "is no UID"), ("*", "is no UID"),
    ("1.2\\1.3", "is no UID"),
])
def test_export_of_nothing(archive, tmp_path, study, says):
    status = 2 if "is no UID" in says else 1
    assert says in galena("export", archive.dir, str(tmp_path / "out"), "--study", study, status=status)
    assert not (tmp_path / "out").exists()


def test_export_of_one_uid_in_two_series(archive, tmp_path):
    """Both are kept (objects are known by study, series and instance), so both go out."""
    image = pydicom.dcmread(IMAGE)
    image.StudyInstanceUID = "1.9.7"
    for n in (1, 2):
        image.SeriesInstanceUID = "1.9.7.%d" % n
        image.save_as(tmp_path / ("%d.dcm" % n))
    assert "Stored 2." in galena("import", archive.dir, str(tmp_path))
    out = tmp_path / "out"
    assert "Exported 2 objects" in galena("export", archive.dir, str(out), "--study", "1.9.7")
    got = {pydicom.dcmread(out / "DICOM" / ("S000000%d" % n) / "I0000001").SeriesInstanceUID for n in (1, 2)}
    assert got == {"1.9.7.1", "1.9.7.2"}


@needs_corpus
def test_export_of_every_study_of_the_corpus(fresh, tmp_path):
    galena("import", fresh.dir, CORPUS, status=1)  # some of its files are broken on purpose
    sent = {}
    studies = set()
    for folder, _, files in sorted(os.walk(CORPUS)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            try:
                ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
                uids = (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
            except Exception:
                continue
            sent.setdefault(uids, []).append(data_set_bytes(path))
            studies.add(uids[0])
    exported = 0
    for i, study in enumerate(sorted(studies)):
        out = str(tmp_path / str(i))
        done = subprocess.run([GALENA, "export", fresh.dir, out, "--study", study], capture_output=True,
                              text=True, timeout=120)
        if "no study with this UID" in done.stderr or "is no UID" in done.stderr:
            continue
        assert done.returncode == 0, done.stderr
        for instance in FileSet(os.path.join(out, "DICOMDIR")):
            ds = instance.load()
            uids = (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
            assert data_set_bytes(instance.path) in sent[uids]
            exported += 1
    assert exported > 50
