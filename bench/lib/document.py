"""docs/benchmarks.md: the marks in it are filled from the results that are kept."""
import os

import place
import plots
import servers
import table
import targets

PATH = os.path.join(servers.ROOT, "docs", "benchmarks.md")


def caption(kept):
    """When, where and of what; how busy others were."""
    rows = kept["rows"]
    when, commits = sorted(r["when"] for r in rows), sorted({r["commit"] for r in rows})
    others = [r["others_pct"] for r in rows if r.get("others_pct") is not None]
    said = "%s to %s, %s; commit %s." % (when[0], when[-1], kept["machine"], ", ".join(commits))
    if others:
        said += " Others took %.0f %% of the machine at the median, %.0f %% at most." % (
            sorted(others)[len(others) // 2], max(others))
    return said


def section(step, results):
    kept = results.read(step.NAME)
    if not kept["rows"]:
        return "Not measured."
    return "%s\n\n%s" % (caption(kept), step.show(kept["rows"]))


def summary(results):
    met, missed, not_measured = targets.count(results)
    said = "%d targets are met, %d are missed" % (met, missed)
    return "%s%s.\n\n%s" % (said, ", %d were not measured" % not_measured if not_measured else "",
                            targets.show(results))


def made(steps, results):
    """The document as it is, and as it should be."""
    with open(PATH, encoding="utf-8") as f:
        old = f.read()
    new = table.fill(old, "targets", summary(results))
    for step in steps:
        new = table.fill(new, step.NAME, section(step, results))
    return old, new


def is_up_to_date(steps, results):
    old, new = made(steps, results)
    return old == new


def write(steps, results):
    new = made(steps, results)[1]
    with open(PATH, "w", encoding="utf-8") as f:
        f.write(new)
    plots.all_of_them(results)


def text(steps, results):
    """For the terminal."""
    parts = ["%s\n\n%s" % (place.machine(), summary(results))]
    return "\n\n".join(parts + ["## %s\n\n%s" % (s.NAME, section(s, results)) for s in steps]) + "\n"
