"""The checks of tools/ must be able to fail: each case plants one mistake and expects its message."""
import os
import shutil
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import check_layers  # noqa: E402
import check_style  # noqa: E402
import gen_tables  # noqa: E402


def write(root, path, text):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


class Folder(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)


class Layers(Folder):
    CASES = [
        # file, include, part of the message or None
        ("src/base/a.c", "base/slice.h", None),
        ("src/base/a.c", "a.h", None),
        ("src/base/a.c", "os/fd.h", "base may use only itself"),
        ("src/os/a.c", "base/slice.h", None),
        ("src/os/a.c", "std/tag.h", "os may use only base"),
        ("src/std/a.h", "dicom/reader.h", "std may use only base"),
        ("src/dicom/a.c", "std/tag.h", None),
        ("src/dicom/a.c", "ul/pdu.h", "dicom may use only base, std"),
        ("src/ul/a.c", "dicom/reader.h", "ul may use only base, std"),
        ("src/ipc/a.c", "os/fd.h", None),
        ("src/index/a.c", "ipc/ipc.h", None),
        ("src/index/a.c", "dicom/reader.h", "index may use only base, ipc, os, std"),
        ("src/blob/a.c", "index/index.h", "blob may use only"),
        ("src/blob/a.c", "nowhere/x.h", "there is no library nowhere"),
        ("src/blob/a.c", "../index/x.h", "leaves its folder"),
        ("src/new/a.c", "base/slice.h", "no layer is known for new"),
        ("prog/dimse/a.c", "dicom/reader.h", None),
        ("prog/dimse/a.c", "blob/store.h", None),
        ("prog/archive/a.c", "blob/store.h", None),
        ("prog/archive/sub/a.c", "blob/store.h", None),
        ("prog/archive/a.c", "dicom/reader.h", "archive may use only"),
        ("prog/archive/a.c", "ul/pdu.h", "archive may use only"),
        ("prog/archive/a.c", "codec/jpeg.h", "archive may use only"),
        ("prog/archive/sub/a.h", "http/h1.h", "archive may use only"),
    ]

    def test_includes(self):
        for number, (path, include, message) in enumerate(self.CASES):
            with self.subTest(path=path, include=include):
                root = os.path.join(self.root, str(number))
                write(root, path, '#include <stdio.h>\n  # include "%s"\n// #include "no/such.h"\n' % include)
                report = check_layers.check(root)
                if message is None:
                    self.assertEqual(report, [])
                else:
                    self.assertEqual(len(report), 1)
                    self.assertIn(message, report[0])
                    self.assertTrue(report[0].startswith(path + ":"))


class Style(Folder):
    def test_lines(self):
        cases = [("int a;\n", 0), ("\tint a;\n", 1), ("int a; \n", 1), ("int a;", 1),
                 ("/" * 110 + "\n", 0), ("/" * 111 + "\n", 1), ("a\n" * 799, 0), ("a\n" * 800, 1)]
        for number, (text, count) in enumerate(cases):
            with self.subTest(text=text[:20]):
                root = os.path.join(self.root, str(number))
                write(root, "src/base/a.c", text)
                self.assertEqual(len(check_style.check(root)), count)


class Tables(Folder):
    """One mistake in one table, and what the build says."""
    CASES = [
        # table, text that is there, what replaces it, part of the message
        ("vr.tsv", "AE\tstring", "AE\tstuff", "stuff is no class"),
        ("vr.tsv", "AE\tstring", "ZZ\tstring", "VR out of order"),
        ("vr.tsv", "AS\tstring", "AE\tstring", "VR appears twice"),
        ("vr.tsv", "US\tnumber\tshort\t0x00\t0\t2\t2", "US\tnumber\tshort\t0x00\t0\t2\t4",
         "a number has a size"),
        ("vr.tsv", "\tmulti,wildcard\tApp", "\tmulti,wild\tApp", "wild is no flag"),
        ("tags.tsv", "0010,0010\tPN", "0010,0010\tPX", "PX is no VR of vr.tsv"),
        ("tags.tsv", "0010,0010\tPN\t1\t", "0010,0010\tPN\t0\t", "no value multiplicity"),
        ("tags.tsv", "0010,0010\tPN\t1\t", "0010,0010\tPN\t3-2\t", "the wrong way round"),
        ("tags.tsv", "0010,0032\tTM", "0010,0030\tTM", "tag appears twice"),
        ("tags.tsv", "0010,0020\tLO", "0010,0001\tLO", "tag out of order"),
        ("tags.tsv", "\tPatientID\t", "\tPatientName\t", "keyword PatientName is already at spec/tags.tsv:"),
        ("tags.tsv", "\tPatientID\t", "\tPatient ID\t", "no keyword"),
        ("tags.tsv", "0010,0020\tLO", "0010,002G\tLO", "is no tag"),
        ("tags.tsv", "\tPatientID\tPatient ID\t", "\tPatientID\tPatient ID", "6 columns, not 7"),
        ("xfer.tsv", "1.2.840.10008.1.2.5\t", "1.2.840.10008.1.2.05\t", "is no UID"),
        ("xfer.tsv", "\tRLE\t", "\tRLX\t", "RLX is no family"),
        ("xfer.tsv", "\tRLE\texplicit,", "\tRLE\t", "encapsulated is explicit"),
        ("sop.tsv", "\tverification\t-", "\tverification\tstudy-root", "find, move and get have a model"),
        ("private.tsv", "1.3.12.2.1107.5.9.1\t", "1.2.840.10008.5.9.1\t", "UID out of order"),
        ("private.tsv", "2.16.840.1.114033.5.", "2.16.840.1.114033.05.", "is no UID"),
        ("private.tsv", "1.2.840.113543.6.6.1.3.10001\t", "1.2.840.10008.5.1.4.1.1.2\t", "is the standard's"),
        ("private.tsv", "Siemens\tCSA", "\tCSA", "a manufacturer and a name"),
        ("uids.tsv", "\tDICOMApplicationContext\t", "\tVerification\t", "keyword Verification is already at"),
        ("status.tsv", "store\tB000", "store\tC000", "is a failure by its range, not a warning"),
        ("status.tsv", "store\tA9xx", "store\tA9yx", "is no status code"),
        ("status.tsv", "\tOffendingElement ErrorComment", "\tPatientName",
         "PatientName is no command element"),
        ("dimse_cmd.tsv", "8030\tC-ECHO-RSP", "8031\tC-ECHO-RSP", "has no request"),
        ("dimse_cmd.tsv", " MoveDestination", " MoveDest", "MoveDest is no command element"),
        ("dimse_cmd.tsv", "\tMoveOriginatorApp", "\tPriority MoveOriginatorApp",
         "both mandatory and conditional"),
        ("charset.tsv", "2D 41", "2D 4", "is not hexadecimal"),
        ("charset.tsv", "2D 42", "2D 41", "appears twice"),
        ("charset.tsv", "ext-multi\t87\t\t", "ext-multi\t88\t\t", "ISO-IR 88 is no G0 element"),
        ("charset.tsv", "term\tISO_IR 100\tsingle", "term\tISO_IR 100\text-single", "begin with ISO 2022"),
        ("ul_fsm.tsv", "cells\tEvt1\tAE-1:4", "cells\tEvt1\tAE-1:5", "AE-1 leads to state 4, not 5"),
        ("ul_fsm.tsv", "cells\tEvt1\tAE-1:4", "cells\tEvt1\tAE-9:4", "AE-9 is no action"),
        ("ul_fsm.tsv", "cells\tEvt1\tAE-1:4", "cells\tEvt1\t-", "no cell has this action"),
        ("ul_fsm.tsv", "cells\tEvt2\t-", "cells\tEvt2", "expected cells Evt2"),
    ]

    def test_right(self):
        files = gen_tables.generate(os.path.join(ROOT, "spec"))
        self.assertIn("#define TAG_PatientName 0x00100010u", files["tags.h"])

    def test_mistakes(self):
        for number, (table, there, instead, message) in enumerate(self.CASES):
            with self.subTest(table=table, instead=instead):
                spec = os.path.join(self.root, str(number), "spec")
                shutil.copytree(os.path.join(ROOT, "spec"), spec)
                with open(os.path.join(spec, table), encoding="utf-8") as f:
                    text = f.read()
                self.assertIn(there, text)
                write(spec, table, text.replace(there, instead, 1))
                with self.assertRaises(gen_tables.Wrong) as caught:
                    gen_tables.generate(spec)
                self.assertIn(message, str(caught.exception))
                self.assertIn("spec/" + table, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
