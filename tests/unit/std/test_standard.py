"""The tables against machine-readable extracts of the edition they follow, where these lie beside the
source (../shared/standard: attributes.json, sops.json); skipped where they do not."""
import json
import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
EXTRACTS = os.path.join(ROOT, "..", "shared", "standard")
SKIPPED = 77
MEDIA_ONLY = "1.2.840.10008.1.3.10"  # DICOMDIR: never sent over the network (PS3.4 Annex I)
sys.path.insert(0, os.path.join(ROOT, "tools"))

import gen_tables  # noqa: E402


def extract(name):
    with open(os.path.join(EXTRACTS, name), encoding="utf-8") as f:
        return json.load(f)


def compare_tags(report):
    rows = {r[0]: r for r in gen_tables.read_table(os.path.join(ROOT, "spec"), "tags.tsv", 7)}
    seen = set()
    for a in extract("attributes.json"):
        if not a["keyword"]:
            continue
        tag = (a["id"][:4] + "," + a["id"][4:]).upper().replace("X", "x")
        row = rows.get(tag)
        if row is None:
            report.append("%s is missing" % tag)
            continue
        seen.add(tag)
        vr = a["valueRepresentation"]
        vr = "-" if vr.startswith("See") else vr.replace(" or ", "/")
        vm = a["valueMultiplicity"].replace("1-n or 1", "1-n") or "1"
        expected = [vr, vm, "R" if a["retired"] == "Y" else "", a["keyword"].strip().replace("\u200b", "")]
        if row[1:5] != expected and row[6] == "":
            report.append("%s: %s, not %s" % (row.where, row[1:5], expected))
    for tag, row in rows.items():
        if tag not in seen and row[6] == "" and not tag.startswith("0000,"):
            report.append("%s: not in the edition" % row.where)


def compare_classes(report):
    rows = {r[0]: r for r in gen_tables.read_table(os.path.join(ROOT, "spec"), "sop.tsv", 7)}
    for s in extract("sops.json"):
        if s["id"] == MEDIA_ONLY:
            continue
        row = rows.get(s["id"])
        if row is None or not row[1].startswith("storage"):
            report.append("%s %s is no storage class" % (s["id"], s["name"]))


def main():
    if not os.path.exists(os.path.join(EXTRACTS, "attributes.json")):
        return SKIPPED
    report = []
    compare_tags(report)
    compare_classes(report)
    for line in report:
        print(line, file=sys.stderr)
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
