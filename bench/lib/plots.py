"""The plots of docs/benchmarks.md: SVG by gnuplot, no background, colours for light and dark pages."""
import os
import subprocess

import results as kept
import servers
import table

FOLDER = os.path.join(servers.ROOT, "docs", "plots")
COLOURS = {"galena": "#3b82c4", "galena TLS": "#7fb3e0", "Orthanc": "#d9822b", "storescp": "#5a9e5a",
           "dcmqrscp": "#9a6fb0"}
GREY = "#808080"
STYLE = """set terminal svg size 720,340 font "sans-serif,13"
set output "{output}"
set encoding utf8
set border 3 linecolor rgb "{grey}"
set tics nomirror textcolor rgb "{grey}"
set grid ytics linecolor rgb "{grey}" linewidth 0.3
set key outside right top textcolor rgb "{grey}" noenhanced
set title "{title}" textcolor rgb "{grey}" noenhanced
set ylabel "{ylabel}" textcolor rgb "{grey}" noenhanced
set xlabel "{xlabel}" textcolor rgb "{grey}" noenhanced
"""


def draw(name, title, xlabel, ylabel, blocks, more, plots):
    """blocks: datablock name -> lines of data."""
    os.makedirs(FOLDER, exist_ok=True)
    path = os.path.join(FOLDER, name + ".svg")
    script = STYLE.format(output=path, grey=GREY, title=title, xlabel=xlabel, ylabel=ylabel) + more + "\n"
    for block, lines in blocks.items():
        script += "$%s << END\n%s\nEND\n" % (block, "\n".join(lines))
    script += "plot " + ", \\\n  ".join(plots) + "\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def bars(name, title, ylabel, clusters, more=""):
    """clusters: [(label, {server: value})]; nothing is drawn where there is no value."""
    shown = [s for s in table.SERVERS if any(s in values for _, values in clusters)]
    if not shown:
        return
    data = ['"%s" %s' % (label, " ".join("%.6g" % values[s] if s in values else "?" for s in shown))
            for label, values in clusters]
    draw(name, title, "", ylabel, {"data": data},
         "set style data histogram\nset style histogram clustered gap 1\n"
         "set style fill solid\nset boxwidth 0.9\n"
         'set datafile missing "?"\nset yrange [0:*]\n' + more,
         ['$data using %d:xtic(1) title "%s" linecolor rgb "%s"' % (i + 2, s, COLOURS[s])
          for i, s in enumerate(shown)])


def curves(name, title, xlabel, ylabel, series, more=""):
    """series: server -> [(x, y)]; both axes logarithmic."""
    series = {s: points for s, points in series.items() if points}
    if not series:
        return
    blocks = {s.replace(" ", "_"): ["%.6g %.6g" % p for p in points] for s, points in series.items()}
    draw(name, title, xlabel, ylabel, blocks, 'set logscale xy\nset format x "10^{%L}"\n' + more,
         ['$%s with linespoints pointtype 7 pointsize 0.6 linewidth 2 linecolor rgb "%s" title "%s"'
          % (s.replace(" ", "_"), COLOURS[s], s) for s in series])


def by_server(rows, value):
    return {r["server"]: value(r) for r in rows if value(r)}


def store(results):
    rows = kept.find(results.rows("store"), place="disk")
    for kind, title in (("ct", "a CT (526 KB)"), ("small", "a small object (8 KB)")):
        of_kind = kept.find(rows, kind=kind)
        clusters = [("%d association%s" % (n, "s" if n > 1 else ""), kept.find(of_kind, associations=n))
                    for n in (1, 4, 16)]
        bars("store-cpu-" + kind, "Storing %s to disk: CPU of all processes" % title, "ms",
             [(label, by_server(found, lambda r: r["cpu_ms"])) for label, found in clusters])
        bars("store-rate-" + kind, "Storing %s to disk" % title, "objects/s",
             [(label, by_server(found, table.rate)) for label, found in clusters])


def fetch(results):
    rows = kept.find(results.rows("fetch"), place="disk", associations=1, service="get")
    bars("fetch", "Fetching by C-GET, one association", "MB/s",
         [(label, by_server(kept.find(rows, kind=kind), table.mb_s))
          for kind, label in (("ct", "CT, 526 KB"), ("small", "8 KB"), ("big", "500 MB"))])


def growth(results):
    def points(member):
        rows = results.rows("growth")
        return {s: sorted((r["studies"], r[member]) for r in kept.find(rows, server=s)) for s in COLOURS}
    curves("growth-cpu", "CPU of a stored object as the archive grows", "studies", "ms", points("cpu_ms"))
    curves("growth-search", "Search for a study by its UID as the archive grows, median", "studies", "ms",
           points("hit_p50_ms"))
    curves("growth-start", "From its start to the first answer", "studies", "s", points("start_s"))


def dicomweb(results):
    rows, clusters = kept.find(results.rows("dicomweb"), place="disk"), []
    for what, label, more_is_better in (
            ("stow", "STOW", True), ("series", "series", True), ("metadata", "its metadata", False),
            ("instances", "its instances", False), ("patient", "by patient", True),
            ("instance", "instance", True), ("frame", "frame", True)):
        value = by_server(kept.find(rows, what=what), lambda r: r["value"])
        if len(value) == 2:
            times = value["galena"] / value["Orthanc"]
            clusters.append((label, {"galena": times if more_is_better else 1 / times}))
    bars("dicomweb", "DICOMweb over TLS: how many times faster than Orthanc without it", "times", clusters,
         "set logscale y\nset yrange [0.5:*]\n")


def all_of_them(results):
    for plot in (store, fetch, growth, dicomweb):
        plot(results)
