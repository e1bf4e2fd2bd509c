#!/usr/bin/python3
"""Enforces the layers on #include: who may use whom (ARCHITECTURE.md, layers).

    check_layers.py ROOT          exit 1 and one line a violation when there is any

Includes of our own are written "folder/header.h" with src/ as the root, or "header.h" for a header
(or generated table) of the same folder.
"""
import os
import re
import sys

# A library, and the libraries whose headers it may include, itself apart.
LAYERS = {
    "base": set(),
    "os": {"base"},
    "digest": {"base"},
    "std": {"base"},
    "conf": {"base"},
    "http": {"base"},
    "dicom": {"base", "std"},
    "ul": {"base", "std"},
    "codec": {"base", "std", "dicom"},
    "dimse": {"base", "std", "dicom"},
    "render": {"base", "std", "dicom", "codec"},
    "ipc": {"base", "os", "std"},
    "worker": {"base", "os", "std", "ipc", "dicom"},
    "index": {"base", "os", "std", "ipc"},
    "blob": {"base", "os", "std", "ipc", "digest"},
}

# A program may use any library, but what holds the keys parses nothing that comes from outside.
PROGRAMS = {
    "archive": set(LAYERS) - {"dicom", "ul", "dimse", "codec", "render", "http", "worker"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]*)"')


def sources(top):
    for folder, _, names in sorted(os.walk(top)):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".inc", ".cc", ".cpp")):
                yield os.path.join(folder, name)


def violation(part, allowed, included):
    """Why `part` must not include it, or None."""
    folder, slash, _ = included.partition("/")
    if ".." in included.split("/"):
        return "leaves its folder; write it from src/"
    if not slash or folder == part:
        return None
    if folder not in LAYERS:
        return "there is no library %s" % folder
    if folder not in allowed:
        return "%s may use only %s" % (part, ", ".join(sorted(allowed)) or "itself")
    return None


def check_file(path, shown, part, allowed, report):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = INCLUDE.match(line)
            why = violation(part, allowed, m[1]) if m else None
            if why:
                report.append('%s:%d: includes "%s": %s' % (shown, number, m[1], why))


def check(root):
    report = []
    for top, parts in (("src", LAYERS), ("prog", PROGRAMS)):
        base = os.path.join(root, top)
        for path in sources(base):
            inside = os.path.relpath(path, base).split(os.sep)
            part = inside[0] if len(inside) > 1 else "."
            shown = os.path.join(top, *inside)
            if top == "src" and part not in LAYERS:
                report.append("%s: no layer is known for %s; add it to tools/check_layers.py" % (shown, part))
                continue
            check_file(path, shown, part, parts.get(part, set(LAYERS)), report)
    return report


def main(argv):
    report = check(argv[1] if len(argv) > 1 else ".")
    for line in report:
        print(line, file=sys.stderr)
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
