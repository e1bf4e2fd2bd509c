"""`galena dump` against pydicom: the same tags, VRs and values in every file of the corpus."""
import base64
import json
import math
import os
import subprocess
import warnings

import pydicom
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = os.path.join(os.path.dirname(ROOT), "shared", "corpus")
GALENA = os.path.join(os.environ.get("GALENA_BUILD", os.path.join(ROOT, "build")), "prog", "galena")

# Cut off, or not DICOM: dump must say so.
UNREADABLE = {"MR_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm", "rtplan_truncated.dcm",
              "no_meta.dcm"}


def corpus():
    found = []
    for folder, _, names in sorted(os.walk(CORPUS)):
        found += [os.path.join(folder, n) for n in sorted(names) if not n.endswith((".md", ".txt"))]
    return found


FILES = corpus()
pytestmark = [
    pytest.mark.skipif(not FILES, reason="no corpus at ../shared/corpus"),
    pytest.mark.skipif(not os.path.exists(GALENA), reason="galena is not built"),
    pytest.mark.filterwarnings("ignore"),
]


def dump(path, *options):
    return subprocess.run([GALENA, "dump", *options, path], capture_output=True, timeout=60)


def ours(path):
    done = dump(path, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def theirs(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path, force=True)
        data_set.decode()
        return data_set.to_json_dict(bulk_data_threshold=1 << 40, suppress_invalid_tags=True), data_set


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def text_of(value):
    """Strings without what carries no meaning, so that both sides compare."""
    return value.replace("\r\n", "\n").rstrip(" \0") if isinstance(value, str) else value


def same_value(a, b):
    if isinstance(a, dict) or isinstance(b, dict):
        a, b = a or {}, b or {}
        # PS3.5 6.2.1.1: delimiters at a name's end mean nothing and may be left out, as dcm2json does.
        return all(text_of(a.get(k, "")).rstrip("^ ") == text_of(b.get(k, "")).rstrip("^ ")
                   for k in set(a) | set(b))
    if a in (None, "") or b in (None, ""):
        return a in (None, "") and b in (None, "")
    if is_number(a) or is_number(b):
        return math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=1e-30)
    return text_of(a).strip() == text_of(b).strip()


def swapped(value):
    return b"".join(value[i:i + 2][::-1] for i in range(0, len(value), 2))


def compare_element(where, mine, other):
    if mine["vr"] != other["vr"]:
        # pydicom reads UN as what its dictionaries know; dump shows what is there.
        assert "UN" in (mine["vr"], other["vr"]) or "or" in other["vr"], (where, mine["vr"], other["vr"])
        return
    if mine["vr"] == "SQ":
        items, others = mine.get("Value", []), other.get("Value", [])
        assert len(items) == len(others), where
        for i, (item, wanted) in enumerate(zip(items, others)):
            compare(where + "[%d]" % i, item, wanted)
    elif "BulkDataURI" in mine:
        assert "#offset=" in mine["BulkDataURI"], where
    elif "InlineBinary" in mine or "InlineBinary" in other:
        mine, other = [base64.b64decode(x.get("InlineBinary", "")) for x in (mine, other)]
        # PS3.18 F.2.7 wants little endian; pydicom leaves words as they are in big endian files.
        assert mine.rstrip(b"\0") in (other.rstrip(b"\0"), swapped(other).rstrip(b"\0")), where
    else:
        values, wanted = mine.get("Value", []), other.get("Value", [])
        if len(values) <= 1 and len(wanted) <= 1:
            values, wanted = values or [None], wanted or [None]
        assert len(values) == len(wanted), (where, values, wanted)
        assert all(same_value(a, b) for a, b in zip(values, wanted)), (where, values, wanted)


def compare(where, mine, other, invalid=frozenset()):
    keys = [k for k in other if not k.endswith("0000") and k != "FFFCFFFC"]
    more = set(mine) - set(keys)  # pydicom leaves out what its JSON can't say: values it finds invalid
    assert set(keys) <= set(mine) and more <= invalid, (where, more)
    assert list(mine) == sorted(mine), where
    for key in keys:
        if key == "00080005":
            continue  # ours is UTF-8 and labelled so
        compare_element(where + key, mine[key], other[key])


@pytest.mark.parametrize("path", FILES, ids=lambda p: os.path.relpath(str(p), CORPUS))
def test_same_as_pydicom(path):
    if os.path.basename(path) in UNREADABLE:
        done = dump(path)
        assert done.returncode == 1 and done.stderr.startswith(b"galena: ")
        return
    other, data_set = theirs(path)
    compare("", ours(path), other, {"%08X" % tag for tag in data_set.keys()})


@pytest.mark.parametrize("path", FILES, ids=lambda p: os.path.relpath(str(p), CORPUS))
def test_text_is_safe_and_complete(path):
    if os.path.basename(path) in UNREADABLE:
        return
    done = dump(path)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode("utf-8")  # strictly
    assert not [c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0]
    data_set = theirs(path)[1]
    for element in list(data_set) + list(getattr(data_set, "file_meta", [])):
        assert "(%04x,%04x)" % (element.tag.group, element.tag.elem) in text


def test_huge_file_is_not_read(tmp_path):
    """8 GB of pixels (in two values) in a sparse file: seconds and megabytes are not enough to read them."""
    path = tmp_path / "huge.dcm"
    header = b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
    half = 0xFFFFFFFE
    with open(path, "wb") as f:
        f.write(header)
        f.write(b"\x09\0\x10\x10OB\0\0" + half.to_bytes(4, "little"))
        f.seek(half, os.SEEK_CUR)
        f.write(b"\xe0\x7f\x10\0OW\0\0" + half.to_bytes(4, "little"))
        f.seek(half - 1, os.SEEK_CUR)
        f.write(b"\0")
    done = subprocess.run(["/bin/sh", "-c", 'ulimit -v 200000; exec "$0" dump "$1"', GALENA, str(path)],
                          capture_output=True, timeout=20)
    if b"AddressSanitizer" in done.stderr:
        pytest.skip("a sanitizer needs more address space")
    assert done.returncode == 0, done.stderr
    assert b"(7fe0,0010) OW #4294967294" in done.stdout


def test_standard_input():
    with open(FILES[0], "rb") as f:
        done = subprocess.run([GALENA, "dump", "-"], stdin=f, capture_output=True, timeout=60)
    assert done.stdout.split(b"\n")[1:] == dump(FILES[0]).stdout.split(b"\n")[1:]


@pytest.mark.parametrize("content", [b"", b"GIF89a" + b"x" * 500, b"\0" * 4096, b"\0" * 128 + b"DICM"])
def test_no_dicom_file(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    done = dump(str(path))
    assert done.returncode == 1
    assert done.stderr.startswith(b"galena: ")
