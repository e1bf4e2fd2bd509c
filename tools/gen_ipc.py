#!/usr/bin/python3
"""Generates the message structs and codec tables from spec/ipc.tsv.

usage: gen_ipc.py spec/ipc.tsv OUT.h OUT.c
"""
import re
import sys

PHASES = ["new", "asking", "ready", "storing", "syncing", "querying", "retrieving", "dialling",
          "working"]
SCALARS = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t"}
SLICES = {"uid": 64, "aet": 16}
MAX_MESSAGE = 65536


def fail(line, text):
    sys.exit(f"spec/ipc.tsv:{line}: {text}")


def parse_field(line, text):
    m = re.fullmatch(r"([a-z_]+):([a-z0-9]+)(?:\((\d+)\))?", text)
    if not m:
        fail(line, f"field '{text}' is not name:type or name:type(max)")
    name, kind, limit = m.groups()
    if kind in SCALARS or kind in SLICES:
        return name, kind, SLICES.get(kind, 0)
    if kind in ("str", "bytes") and limit:
        return name, kind, int(limit)
    fail(line, f"unknown type '{kind}' of field '{name}'")


def parse(path):
    rows = []
    for number, raw in enumerate(open(path, encoding="utf-8"), 1):
        if raw.startswith("#") or not raw.strip():
            continue
        cells = raw.rstrip("\n").split("\t")
        if len(cells) != 6:
            fail(number, f"{len(cells)} columns instead of 6")
        name, link, phases, fds, fields, _ = cells
        least, _, most = fds.partition("-")
        mask = 0
        for phase in phases.split("|"):
            if phase == "any":
                mask = (1 << len(PHASES)) - 1
            elif phase in PHASES:
                mask |= 1 << PHASES.index(phase)
            else:
                fail(number, f"unknown phase '{phase}'")
        parsed = [parse_field(number, f) for f in fields.split()]
        size = sum(12 + f[2] for f in parsed)
        if size > MAX_MESSAGE:
            fail(number, f"message {name} may take {size} bytes, more than {MAX_MESSAGE}")
        if name in (r["name"] for r in rows):
            fail(number, f"message {name} stands twice")
        rows.append(dict(name=name, links=link.split(","), mask=mask, fds=(int(least), int(most or least)),
                         fields=parsed))
    return rows


def links(rows):
    return sorted({link for r in rows for link in r["links"]})


def link_id(link):
    return "IPC_" + link.replace(">", "_TO_").upper()


def header(rows):
    out = ["// Generated from spec/ipc.tsv; do not edit.", "#ifndef IPC_GEN_H", "#define IPC_GEN_H", "",
           '#include "base/slice.h"', "", "enum ipc_link {"]
    out += [f"    {link_id(l)} = 1 << {i}," for i, l in enumerate(links(rows))]
    out += ["};", "", "enum ipc_phase {"]
    out += [f"    IPC_PHASE_{p.upper()} = 1 << {i}," for i, p in enumerate(PHASES)]
    out += ["};", "", "enum ipc_type {", "    IPC_NONE,"]
    out += [f"    IPC_{r['name']}," for r in rows]
    out += ["    IPC_TYPE_COUNT_,", "};", ""]
    for r in rows:
        out.append(f"struct ipc_{r['name'].lower()} {{")
        for name, kind, limit in r["fields"]:
            if kind in SCALARS:
                out.append(f"    {SCALARS[kind]} {name};")
            else:
                out.append(f"    struct slice {name}; // {kind}, at most {limit} bytes")
        if not r["fields"]:
            out.append("    char nothing_;")
        out.append("};")
    out += ["", "union ipc_body {"]
    out += [f"    struct ipc_{r['name'].lower()} {r['name'].lower()};" for r in rows]
    out += ["};", "", "#endif", ""]
    return "\n".join(out)


def source(rows):
    out = ["// Generated from spec/ipc.tsv; do not edit.", '#include "ipc/table.h"', "",
           "#include <stddef.h>", ""]
    for r in rows:
        low = r["name"].lower()
        if r["fields"]:
            out.append(f"static const struct ipc_field fields_{low}[] = {{")
            for name, kind, limit in r["fields"]:
                out.append(f"    {{offsetof(struct ipc_{low}, {name}), IPC_KIND_{kind.upper()}, {limit}}},")
            out.append("};")
    out.append("const struct ipc_row ipc_table[IPC_TYPE_COUNT_] = {")
    for r in rows:
        low = r["name"].lower()
        fields = f"fields_{low}" if r["fields"] else "NULL"
        on = " | ".join(link_id(l) for l in r["links"])
        out.append(f'    [IPC_{r["name"]}] = {{"{r["name"]}", {on}, 0x{r["mask"]:x}, '
                   f'{r["fds"][0]}, {r["fds"][1]}, {len(r["fields"])}, {fields}}},')
    out += ["};", ""]
    return "\n".join(out)


def main():
    spec, out_h, out_c = sys.argv[1:]
    rows = parse(spec)
    open(out_h, "w", encoding="utf-8").write(header(rows))
    open(out_c, "w", encoding="utf-8").write(source(rows))


main()
