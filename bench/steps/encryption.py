"""One object of 500 MB over TLS, beside what one core can encrypt with AES-256-GCM (openssl speed)."""
import re
import subprocess

import servers
import table
import web

NAME = "encryption"
KEY = ("what",)
WORDS = {}
HEAD = ["what", "MB/s", "of openssl speed", "CPU s", "largest MB"]


class Galena(servers.GalenaTls):
    """TLS for both: DIMSE with a certificate, HTTPS with a token."""
    web_root = "/dicomweb"

    def add_peer(self):
        super().add_peer()
        web.GalenaWeb.add_peer(self)


def openssl_mb_s(seconds):
    command = ["openssl", "speed", "-seconds", str(seconds), "-bytes", "16384", "-evp", "aes-256-gcm"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout
    return float(re.search(r"([\d.]+)k\s*$", said.strip()).group(1)) / 1000


def best(bench, attempt):
    """The fastest of three."""
    return max((attempt() for _ in range(1 if bench.quick else 3)), key=lambda r: r["mb_s"])


def over_dimse(bench, server, service, pack):
    row = bench.load(server, service, pack=pack.path)
    return dict(row, mb_s=row["bytes"] / 1e6 / row["wall_s"], cpu_s=row["cpu_ms"] / 1000)


def over_web(bench, server, pack):
    with open(pack.path + ".index", encoding="ascii") as f:
        _, uid, study, series = f.readline().split()[:4]
    with bench.measured(server) as m:
        took, size = web.get(server, "/studies/%s/series/%s/instances/%s" % (study, series, uid),
                             'multipart/related; type="application/dicom"')
    return dict(m.row(), mb_s=size / 1e6 / took, cpu_s=m.cpu_s)


def measure(bench):
    pack = bench.pack("big")
    core = openssl_mb_s(1 if bench.quick else 3)
    rows = [{"what": "openssl speed", "mb_s": core}]
    with bench.running(Galena, "tmpfs", 2 * pack.bytes) as server:
        rows.append(dict(over_dimse(bench, server, "store", pack), what="C-STORE"))
        rows.append(dict(best(bench, lambda: over_dimse(bench, server, "get", pack)), what="C-GET"))
        rows.append(dict(best(bench, lambda: over_web(bench, server, pack)), what="WADO-RS"))
    for r in rows:
        r["share"] = r["mb_s"] / core
        bench.say("encryption: %s: %.0f MB/s" % (r["what"], r["mb_s"]))
    yield rows


def show(rows):
    return table.markdown(HEAD, [[r["what"]] + [table.number(x) for x in (
        r["mb_s"], r["share"], r.get("cpu_s"), r.get("largest_mb"))] for r in rows], left=1)
