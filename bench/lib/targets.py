"""What Galena set out to reach, how each target is computed from the results, and what is said where it is
missed. The reasons are kept by the targets' names in bench/reasons.md: a heading, and what was measured."""
import collections
import os
import re

import index
import results as kept
import servers
import table

REASONS = os.path.join(servers.ROOT, "bench", "reasons.md")

# compute(results): (value, what to show besides), or None if it was not measured. at_most: else at least.
Target = collections.namedtuple("Target", "name subject what limit unit compute at_most", defaults=[True])


def worst(values, at_most=True):
    """Of (value, note): the one farthest from the target."""
    values = [v for v in values if v and v[0] is not None]
    return (max if at_most else min)(values, key=lambda v: v[0], default=None)


def cpu_ratio(kind, peer):
    """On disk, the worst of all numbers of associations."""
    def compute(results):
        rows, found = kept.find(results.rows("store"), place="disk", kind=kind), []
        for ours in kept.find(rows, server="galena"):
            for theirs in kept.find(rows, server=peer, associations=ours["associations"]):
                a, b = ours["cpu_ms"], theirs["cpu_ms"]
                found.append((a / b, "%s against %s ms, associations: %d" % (
                    table.number(a), table.number(b), ours["associations"])))
        return worst(found)
    return compute


def stored(member, kind):
    def compute(results):
        rows = kept.find(results.rows("store"), place="disk", kind=kind)
        return worst((r.get(member), "%s, associations: %d" % (r["server"], r["associations"]))
                     for r in rows if r["server"].startswith("galena"))
    return compute


def growth(results, studies):
    return next(iter(kept.find(results.rows("growth"), server="galena", studies=studies)), None)


def flat(member):
    def compute(results):
        first, last = growth(results, 10_000), growth(results, 1_000_000)
        return first and last and (last[member] / first[member], "%s ms, then %s ms" % (
            table.number(first[member]), table.number(last[member])))
    return compute


def associations(value):
    def compute(results):
        rows = [r for r in results.rows("associations") if r["server"].startswith("galena")]
        return worst((value(r), "%s, %d open" % (r["server"], r["accepted"])) for r in rows
                     if r["accepted"] >= 1000)
    return compute


def encryption(results):
    rows = [r for r in results.rows("encryption") if r["what"] in ("C-GET", "WADO-RS")]
    return worst(((r["share"], "%s, %.0f MB/s" % (r["what"], r["mb_s"])) for r in rows), at_most=False)


def web(what):
    def compute(results):
        rows = kept.find(results.rows("dicomweb"), server="galena", what=what)
        return worst((r["value"], r["place"]) for r in rows)
    return compute


def web_times(what, more=True):
    """How many times better than Orthanc."""
    def compute(results):
        rows, found = kept.find(results.rows("dicomweb"), what=what), []
        for ours in kept.find(rows, server="galena"):
            for theirs in kept.find(rows, server="Orthanc", place=ours["place"]):
                a, b = ours["value"], theirs["value"]
                found.append((a / b if more else b / a, "%s against %s, %s" % (
                    table.number(a), table.number(b), ours["place"])))
        return worst(found, at_most=False)
    return compute


def site(results):
    rows = kept.find(results.rows("site"), studies=100_000)
    return worst((r["slowest_ms"], "%s: %s" % (r["who"], r["request"])) for r in rows)


MOST = 1_000_000


def asked(names, fuzzy=False):
    """The 99th percentiles of who sees everything at a million studies; names: a part of what is asked."""
    def compute(results):
        rows = kept.find(results.rows("queries"), studies=MOST, who="all")
        return worst((r["p99_ms"], "%s, %s" % (r["asked"], r["by"])) for r in rows
                     if any(n in r["asked"] for n in names) and ("fuzzy" in r["asked"]) == fuzzy)
    return compute


def asked_in_part(results):
    rows = kept.find(results.rows("queries"), studies=MOST)
    return worst((r["p99_ms"], "%s: %s" % (r["who"], r["asked"])) for r in rows
                 if r["who"] not in (None, "all"))


def figure(*names, studies=MOST):
    def compute(results):
        rows = results.rows("queries")
        return worst((r.get("value"), r["asked"]) for n in names for r in kept.find(rows, asked=n)
                     if r["studies"] == studies)
    return compute


def adding(results):
    rows = kept.find(results.rows("queries"), studies=MOST)
    last, first = (next((r["value"] for r in kept.find(rows, asked=n)), None)
                   for n in (index.ADD_US, index.ADD_FIRST_US))
    return last and first and (last / first, "%s µs, at first %s" % (table.number(last), table.number(first)))


STORING, ROOM, ASKING, WEB, SERVING = "Storing", "Room", "Searching", "DICOMweb", "Serving"
LEAST = False  # of at_most
TARGETS = [
    Target("cpu-small-storescp", STORING, "CPU of a stored small object, against storescp", 1, "×",
           cpu_ratio("small", "storescp")),
    Target("cpu-ct-storescp", STORING, "CPU of a stored CT, against storescp", 1.5, "×",
           cpu_ratio("ct", "storescp")),
    Target("cpu-small-orthanc", STORING, "CPU of a stored small object, against Orthanc", 0.1, "×",
           cpu_ratio("small", "Orthanc")),
    Target("cpu-ct-orthanc", STORING, "CPU of a stored CT, against Orthanc", 0.2, "×",
           cpu_ratio("ct", "Orthanc")),
    Target("cpu-flat", STORING, "CPU of a stored object at 1,000,000 studies, against 10,000", 1.2, "×",
           flat("cpu_ms")),
    Target("written-small", ROOM, "bytes written to disk for a byte stored, small objects", 1.3, "×",
           stored("written_ratio", "small")),
    Target("written-ct", ROOM, "bytes written to disk for a byte stored, CT", 1.3, "×",
           stored("written_ratio", "ct")),
    Target("index-size", ROOM, "index, for each instance", 200, "bytes", stored("index_bytes", "small")),
    Target("index-each", ROOM, "index, for each of 1,000,000 instances", 200, "bytes",
           figure(index.EACH_BYTES, studies=20_000)),
    Target("index-flat", STORING, "CPU of adding to the index at 1,000,000 studies, against none", 1.2, "×",
           adding),
    Target("ask-exact", ASKING, "exact or no match among 1,000,000 studies, p99", 5, "ms",
           asked(("accession", "patient ID", "UID", "name, no match"))),
    Target("ask-first", ASKING, "the first 50 of a name, a year, a modality, p99", 10, "ms",
           asked(("first 50",))),
    Target("ask-fuzzy", ASKING, "the first 50 of a fuzzy name, p99", 50, "ms",
           asked(("fuzzy",), fuzzy=True)),
    Target("ask-part", ASKING, "the first 50 for who sees a part, p99", 50, "ms", asked_in_part),
    Target("ask-rows", ASKING, "CPU of a row when all of a year is asked for", 20, "µs",
           figure(*(index.ROW_US % by for by in ("C-FIND", "QIDO-RS")))),
    Target("search-flat", ASKING, "search for a study at 1,000,000 studies, against 10,000", 1.5, "×",
           flat("hit_p50_ms")),
    Target("metadata-1000", WEB, "metadata of 1,000 instances", 50, "ms", web("metadata1000")),
    Target("frame-10000", WEB, "a frame of an object of 10,000 frames, median", 2, "ms", web("frame10000")),
    Target("web-series", WEB, "series of 300 CT, times Orthanc's rate", 1, "×", web_times("series"), LEAST),
    Target("web-metadata", WEB, "metadata of that series, times faster", 20, "×",
           web_times("metadata", False), LEAST),
    Target("web-instances", WEB, "its instance list, times faster", 50, "×",
           web_times("instances", False), LEAST),
    Target("web-patient", WEB, "one study by patient ID, times the requests a second", 5, "×",
           web_times("patient"), LEAST),
    Target("web-instance", WEB, "one instance, times the requests a second", 3, "×",
           web_times("instance"), LEAST),
    Target("web-frame", WEB, "one frame, times the requests a second", 3, "×", web_times("frame"), LEAST),
    Target("web-stow", WEB, "STOW-RS of 300 CT in one request, times the rate", 5, "×",
           web_times("stow"), LEAST),
    Target("web-stow1", WEB, "STOW-RS of 300 CT one by one, times the rate", 5, "×",
           web_times("stow1"), LEAST),
    Target("web-memory", WEB, "memory of the largest process while a series is sent", 64, "MB",
           web("memory")),
    Target("web-site", WEB, "slowest request of the pages at 100,000 studies", 100, "ms", site),
    Target("start", SERVING, "start at 1,000,000 studies", 1000, "ms",
           figure(index.START_MS, index.KILLED_MS)),
    Target("idle", SERVING, "memory of each of 1,000 idle associations", 1024, "KB",
           associations(lambda r: r["each_kb"])),
    Target("echo", SERVING, "a C-ECHO beside them, the slowest of 20", 5, "ms",
           associations(lambda r: r["echo"].get("echo_max_ms"))),
    Target("encryption", SERVING, "a large object over TLS, of what `openssl speed` encrypts on one core",
           0.25, "×", encryption, LEAST),
]


def reasons():
    """Name -> text."""
    try:
        with open(REASONS, encoding="utf-8") as f:
            parts = re.split(r"^## +(\S+)\s*$", f.read(), flags=re.M)
    except FileNotFoundError:
        return {}
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2])}


def judge(results):
    """Of each target: the target, its value, the note, whether it is met; None: not measured."""
    for t in TARGETS:
        found = t.compute(results)
        met = None if found is None else found[0] <= t.limit if t.at_most else found[0] >= t.limit
        yield t, found and found[0], found[1] if found else "", met


def with_unit(x, unit):
    return "%s %s" % (table.number(x), unit)


def lines(results):
    for t, value, note, met in judge(results):
        limit = ("≤ " if t.at_most else "≥ ") + with_unit(t.limit, t.unit)
        word = "not measured" if met is None else "**yes**" if met else "**no**"
        yield [t.subject, t.what, limit, "" if value is None else with_unit(value, t.unit), word, note]


HEAD = ["", "target", "limit", "measured", "met?", "of"]


def count(results):
    """(met, missed, not measured)."""
    met = [m for *_, m in judge(results)]
    return sum(m is True for m in met), sum(m is False for m in met), sum(m is None for m in met)


def show(results):
    shown = table.markdown(HEAD, list(lines(results)), left=2)
    why, missed = reasons(), [t for t, _, _, met in judge(results) if met is False]
    if missed:
        said = [" ".join(why.get(t.name, "not looked into yet.").split()) for t in missed]
        shown += "\n\nWhere a target is missed:\n"
        shown += "".join("\n- *%s*: %s" % (t.what, text) for t, text in zip(missed, said))
    return shown
