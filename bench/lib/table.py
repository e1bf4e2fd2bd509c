"""Tables as text and as Markdown, and what stands in them."""

SERVERS = ["galena", "galena TLS", "Orthanc", "storescp", "dcmqrscp"]


def columns(rows):
    return [max(len(str(r[i])) for r in rows) for i in range(len(rows[0]))]


def text(head, rows, left=3):
    """The first columns flush left, the numbers flush right."""
    widths = columns([head] + rows)

    def line(r):
        return "  ".join(str(x).ljust(w) if i < left else str(x).rjust(w)
                         for i, (x, w) in enumerate(zip(r, widths))).rstrip()
    return "\n".join([line(head), "  ".join("-" * w for w in widths)] + [line(r) for r in rows])


def markdown(head, rows, left=3):
    """Columns that are empty in all rows are left out."""
    used = [i for i in range(len(head)) if any(str(r[i]) for r in rows)]
    lines = ["| " + " | ".join(head[i] for i in used) + " |",
             "|" + "|".join("---" if i < left else "---:" for i in used) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(r[i]) for i in used) + " |" for r in rows])


def number(x):
    """Three figures; nothing for None."""
    if x is None:
        return ""
    return "%.0f" % x if abs(x) >= 99.95 else "%.3g" % x


def rate(r):
    return r["objects"] / r["wall_s"] if r["wall_s"] > 0 else 0


def mb_s(r):
    return r["bytes"] / 1e6 / r["wall_s"] if r["bytes"] else None


def ratio(row, other, member):
    return number(row[member] / other[member]) if other and other is not row and other[member] else ""


def faster(row, other):
    return number(rate(row) / rate(other)) if other and other is not row and rate(other) else ""


def lost(r):
    return ("?" if r["lost"] is None else str(r["lost"])) + ("" if r["complete"] else " (broke off)")


def rank(r):
    return SERVERS.index(r["server"])


def fill(document, mark, shown):
    """Replaces what lies between the marks <!-- MARK --> and <!-- end MARK --> of a document."""
    begin, end = "<!-- %s -->" % mark, "<!-- end %s -->" % mark
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError("the document lacks %s … %s" % (begin, end))
    return "%s%s\n%s\n%s%s" % (before, begin, shown, end, after)


def write_document(path, mark, shown):
    with open(path, encoding="utf-8") as f:
        document = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(fill(document, mark, shown))
