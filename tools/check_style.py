#!/usr/bin/python3
"""The style rules a machine can check: no tabs, no blanks at the end of a line, lines of at most 110
columns, files under 800 lines.

    check_style.py ROOT           exit 1 and one line a violation when there is any
"""
import os
import sys

COLUMNS, LINES = 110, 800
FOLDERS = ("src", "prog", "tests", "fuzz", "bench", "tools")
ENDINGS = (".c", ".h", ".py", ".cc", ".cpp", ".sh")


def check_file(path, shown, report):
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    if lines[-1] != "":
        report.append("%s: the last line has no end" % shown)
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            report.append("%s:%d: a tab" % (shown, number))
        if line != line.rstrip():
            report.append("%s:%d: blanks at the end" % (shown, number))
        if len(line) > COLUMNS:
            report.append("%s:%d: %d columns, at most %d" % (shown, number, len(line), COLUMNS))
    if len(lines) > LINES:
        report.append("%s: %d lines, under %d; split it by subject" % (shown, len(lines) - 1, LINES))


def check(root):
    report = []
    for top in FOLDERS:
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith(ENDINGS):
                    path = os.path.join(folder, name)
                    check_file(path, os.path.relpath(path, root), report)
    return report


def main(argv):
    report = check(argv[1] if len(argv) > 1 else ".")
    for line in report:
        print(line, file=sys.stderr)
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
