#!/usr/bin/python3
"""Packs the pages of a folder into the one file that the web's template maps (format: prog/web/pack.h).

    pack_site.py [--prefix /] [--depfile FILE] FOLDER OUT

Text that gzip makes smaller is there both ways. The same files give the same bytes.
"""
import argparse
import gzip
import hashlib
import os
import struct

TEXT = "%s; charset=utf-8"
TYPES = {
    ".html": TEXT % "text/html", ".js": TEXT % "text/javascript", ".mjs": TEXT % "text/javascript",
    ".css": TEXT % "text/css", ".txt": TEXT % "text/plain", ".json": "application/json",
    ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml", ".png": "image/png",
    ".jpg": "image/jpeg", ".ico": "image/x-icon", ".woff2": "font/woff2", ".wasm": "application/wasm",
}
PACKED_ALREADY = {".png", ".jpg", ".woff2"}
HEAD, ENTRY = struct.Struct("<8sII"), struct.Struct("<IIIIQQQQ32s")


def files(folder, prefix):
    """[(path in the URL, file)], sorted as bytes."""
    found = []
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            shown = os.path.relpath(path, folder).replace(os.sep, "/")
            found.append(((prefix + shown).encode(), path))
    return sorted(found)


def smaller(path, plain):
    if os.path.splitext(path)[1] in PACKED_ALREADY:
        return b""
    packed = gzip.compress(plain, 9, mtime=0)
    return packed if len(packed) < len(plain) * 9 // 10 else b""


def pack(folder, prefix):
    found = files(folder, prefix)
    entries, pieces = [], []
    at = HEAD.size + ENTRY.size * len(found)

    def put(data):
        nonlocal at
        pieces.append(data)
        at += len(data)
        return at - len(data), len(data)

    for url, path in found:
        with open(path, "rb") as f:
            plain = f.read()
        kind = TYPES.get(os.path.splitext(path)[1], "application/octet-stream").encode()
        where = put(url) + put(kind) + put(plain) + put(smaller(path, plain))
        entries.append(ENTRY.pack(*where, hashlib.sha256(plain).digest()))
    return HEAD.pack(b"GALENAPK", 1, len(found)) + b"".join(entries) + b"".join(pieces)


def write_depfile(path, folder, out):
    """Its folders too: a file that comes or goes changes them."""
    inputs = [top for top, _, _ in os.walk(folder)] + [name for _, name in files(folder, "/")]
    with open(path, "w", encoding="utf-8") as f:
        f.write("%s: %s\n" % (out, " ".join(name.replace(" ", "\\ ") for name in inputs)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--prefix", default="/")
    p.add_argument("--depfile", help="where to tell ninja what the pack is made of")
    p.add_argument("folder")
    p.add_argument("out")
    args = p.parse_args()
    data = pack(args.folder, args.prefix)
    with open(args.out + ".new", "wb") as f:
        f.write(data)
    os.replace(args.out + ".new", args.out)
    if args.depfile:
        write_depfile(args.depfile, args.folder, args.out)


if __name__ == "__main__":
    main()
