"""Tables as text and as Markdown."""


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
    lines = ["| " + " | ".join(head) + " |",
             "|" + "|".join("---" if i < left else "---:" for i in range(len(head))) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(x) for x in r) + " |" for r in rows])


def write_document(path, mark, shown):
    """Replaces what lies between the marks <!-- MARK --> and <!-- end MARK --> of a document."""
    begin, end = "<!-- %s -->" % mark, "<!-- end %s -->" % mark
    with open(path, encoding="utf-8") as f:
        before, _, rest = f.read().partition(begin)
    after = rest.partition(end)[2]
    with open(path, "w", encoding="utf-8") as f:
        f.write("%s%s\n%s\n%s%s" % (before, begin, shown, end, after))
