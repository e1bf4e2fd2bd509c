#!/usr/bin/python3
"""The rows of the DICOMweb tables against Galena and against Debian's Orthanc with its DICOMweb plugin
(packages orthanc, orthanc-dicomweb): one line a row, and who keeps to it.

    tests/peers/compare.py [--only WORD] [--why] [--base http://127.0.0.1:PORT/dicom-web]

--base: another server on this machine instead of Orthanc. What a row asks may be more than the standard does
("…or…" says so); it is written down in the tables all the same.
"""
import argparse
import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
import orthanc  # noqa: E402
import web  # noqa: E402
import web_data  # noqa: E402
import web_rows  # noqa: E402

MODULES = ["test_dicomweb_qido", "test_dicomweb_wado", "test_dicomweb_json", "test_dicomweb_stow",
           "test_dicomweb_accept"]


def verdict(client, row):
    try:
        web_rows.check_now(client, row)
        return ""
    except Exception as e:  # whatever goes wrong in a check, the row does not hold
        client.close()
        return (str(e) or type(e).__name__).split("\n")[0][:200] or "no"


def run(client, rows, fill):
    fill()
    return [verdict(client, r) for r in rows]


def fill_by_stow(client):
    for o in web_data.OBJECTS:
        client.stow(o)


def others(args, rows):
    if args.base:
        client = web.Client(args.base)
        return run(client, rows, lambda: fill_by_stow(client))
    peer = orthanc.Orthanc().start()
    try:
        client = web.Client(peer.base)
        return run(client, rows, lambda: fill_by_stow(client))
    finally:
        peer.remove()


def ours(rows):
    bed = web.make_bed()
    try:
        return run(bed, rows, lambda: web.fill(bed))
    finally:
        web.remove_bed(bed)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="")
    p.add_argument("--why", action="store_true")
    p.add_argument("--base")
    args = p.parse_args()
    rows = [r for m in MODULES for r in importlib.import_module(m).ROWS
            if args.only.lower() in (r["section"] + " " + r["what"]).lower()]
    if not args.base and not orthanc.available():
        sys.exit("Orthanc and its DICOMweb plugin are not here: apt-get install orthanc orthanc-dicomweb")
    mine, theirs = ours(rows), others(args, rows)
    for r, a, b in zip(rows, mine, theirs):
        print("%-8s %-8s %-28s %s" % (a and "NO" or "yes", b and "NO" or "yes", r["section"], r["what"]))
        if args.why:
            for who, why in (("ours", a), ("theirs", b)):
                if why:
                    print("             %s: %s" % (who, why))
    print("%d rows: Galena keeps to %d, the other to %d" % (len(rows), mine.count(""), theirs.count("")))


if __name__ == "__main__":
    main()
