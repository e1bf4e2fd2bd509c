"""Storing over DIMSE: CT, small and big objects, by 1, 4 and 16 associations; what it costs on disk."""
import results
import servers
import table

NAME = "store"
KEY = ("place", "kind", "associations", "server")
WORDS = {"place": ["disk", "tmpfs"], "kind": ["ct", "small", "big"], "associations": ["1", "4", "16"],
         "server": ["galena", "Orthanc", "storescp", "dcmqrscp"], "lane": ["plain", "TLS"]}
HEAD = ["place", "assoc.", "server", "obj/s", "MB/s", "CPU ms/obj", "CPU / storescp", "CPU / Orthanc",
        "rate / Orthanc", "largest MB", "sum MB", "lost", "written / data", "on disk / data", "index B/obj"]
TITLES = {"ct": "CT, 526 KB", "small": "MR, 8 KB", "big": "One object of 500 MB"}


def measure_one(bench, cls, place, kind, associations):
    pack = bench.pack(kind)
    with bench.running(cls, place, 2 * pack.bytes) as server:
        row = bench.load(server, "store", pack=pack.path, associations=associations, limit=bench.limit_s)
        found = server.count(pack)
    stored = max(1, row["bytes"])
    row.update(place=place, kind=kind, associations=associations,
               lost=None if found is None else row["objects"] - found,
               disk_ratio=round(server.stored_bytes / stored, 3),
               written_ratio=round(server.written_bytes / stored, 3) if place == "disk" else None)
    if server.indexed_bytes is not None:
        row["index_bytes"] = round(server.indexed_bytes / max(1, row["objects"]))
    yield row


def cases(bench):
    for place in bench.places():
        for kind in ["small"] if bench.quick else WORDS["kind"]:
            for associations in [1] if kind == "big" else [4] if bench.quick else [1, 4, 16]:
                if bench.wants(kind=kind, associations=associations):
                    storescp = servers.StorescpOne if associations == 1 else servers.Storescp
                    for cls in bench.servers(servers.Galena, servers.GalenaTls, servers.Orthanc, storescp,
                                             servers.Dcmqrscp):
                        yield cls, place, kind, associations


def measure(bench):
    for case in cases(bench):
        rows = bench.undisturbed(lambda: measure_one(bench, *case))
        for r in rows:
            bench.say("store: %(place)s, %(kind)s, %(associations)d associations, %(server)s: %(objects)d "
                      "objects in %(wall_s).2f s, CPU %(cpu_ms).3f ms each" % r)
        yield rows


def lines(rows, kind):
    of_kind = results.find(rows, kind=kind)
    for r in sorted(of_kind, key=lambda r: (r["place"], r["associations"], table.rank(r))):
        orthanc, storescp = (results.beside(r, rows, s, KEY) for s in ("Orthanc", "storescp"))
        yield [r["place"], r["associations"], r["server"],
               *map(table.number, (table.rate(r), table.mb_s(r), r["cpu_ms"])),
               table.ratio(r, storescp, "cpu_ms"), table.ratio(r, orthanc, "cpu_ms"),
               table.faster(r, orthanc), *map(table.number, (r["largest_mb"], r["sum_mb"])), table.lost(r),
               *map(table.number, (r["written_ratio"], r["disk_ratio"], r.get("index_bytes")))]


def show(rows):
    return "\n\n".join("%s\n\n%s" % ("**%s**" % title, table.markdown(HEAD, list(lines(rows, kind))))
                       for kind, title in TITLES.items() if results.find(rows, kind=kind))
