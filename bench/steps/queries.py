"""Archives of up to a million studies: questions by C-FIND and QIDO-RS, starts, what storing costs."""
import os

import index
import table

NAME = "queries"
KEY = ("studies", "who", "asked", "by")
WORDS = {}
SIZES = [10_000, 100_000, 1_000_000]


def measure_one(bench, studies):
    folder = os.path.join(bench.folders["tmpfs" if bench.quick else "disk"], "index")
    figures, questions, others = index.measure(studies, folder, 0.05 if bench.quick else 1)
    return as_rows(studies, figures) + [dict(studies=studies, others_pct=others, **q) for q in questions]


def as_rows(studies, figures):
    """They have no "who"."""
    return [{"studies": studies, "who": None, "asked": f.name, "by": None, "value": f.value} for f in figures]


def slowest(rows):
    return max((r for r in rows if r["who"]), key=lambda r: r["p99_ms"])


def measure(bench):
    for studies in [500] if bench.quick else SIZES:
        rows = measure_one(bench, studies)
        bench.say("queries: %d studies; the slowest of %d: %s" % (
            studies, len(rows), "%(who)s, %(asked)s, %(by)s: p99 %(p99_ms).1f ms" % slowest(rows)))
        yield rows
    folder = os.path.join(bench.folders["tmpfs" if bench.quick else "disk"], "index")
    studies, per_study = (50, 10) if bench.quick else (20_000, 50)
    figures = index.many_instances(folder, studies, per_study)
    bench.say("queries: %d instances: %.0f bytes each" % (studies * per_study, figures[0].value))
    yield as_rows(studies, figures)


def of_instances(rows):
    return {r["asked"]: r["value"] for r in rows if r["studies"] not in SIZES}


def show(rows):
    sizes = [n for n in SIZES if any(r["studies"] == n for r in rows)]
    of = {(r["studies"], r["who"], r["asked"], r["by"]): r for r in rows}
    names = list(dict.fromkeys(r["asked"] for r in rows if not r["who"] and r["studies"] in sizes))
    asked = list(dict.fromkeys((r["who"], r["asked"], r["by"]) for r in rows if r["who"]))

    def values(key, *members):
        return [table.number(of.get((n, *key), {}).get(m)) for n in sizes for m in members]
    figures = table.markdown(["studies"] + ["{:,}".format(n) for n in sizes],
                             [[name] + values((None, name, None), "value") for name in names], left=1)
    head = ["who", "asked", "by"] + [x for n in sizes for x in ("answers", "p50 ms", "p99 ms")]
    questions = table.markdown(head, [list(key) + values(key, "answers", "p50_ms", "p99_ms")
                                      for key in asked])
    many = "".join("\n- %s: %s" % (name, table.number(x)) for name, x in of_instances(rows).items())
    return "\n\n".join((figures, "20,000 studies of 50 instances:\n" + many,
                        "The questions; studies, in threes of columns: %s." % ", ".join(
                            map("{:,}".format, sizes)),
                        questions))
