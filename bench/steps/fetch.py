"""Fetching over DIMSE: C-GET and C-MOVE of whole studies, C-FIND of the instances of each series."""
import results
import servers
import table

NAME = "fetch"
KEY = ("place", "kind", "service", "associations", "server")
WORDS = {"place": ["disk", "tmpfs"], "kind": ["ct", "small", "big"], "service": ["get", "move", "find"],
         "server": ["galena", "Orthanc", "dcmqrscp"], "lane": ["plain", "TLS"]}
SERVICES = {"get": "C-GET", "move": "C-MOVE", "find": "C-FIND"}
HEAD = ["place", "kind", "service", "assoc.", "server", "obj/s", "MB/s", "CPU ms/obj", "CPU / Orthanc",
        "rate / Orthanc", "largest MB", "sum MB"]


def steps(bench, kind):
    for service in SERVICES:
        for associations in (1, 4) if kind != "big" and service == "get" and not bench.quick else (1,):
            if bench.wants(service=service) and (kind, service) != ("big", "find"):
                yield service, associations


def measure_one(bench, cls, place, kind):
    pack = bench.pack(kind)
    with bench.running(cls, place, 2 * pack.bytes) as server:
        server.load("store", pack=pack.path, limit=bench.limit_s)
        for service, associations in steps(bench, kind):
            row = bench.load(server, service, pack=pack.path, associations=associations, limit=bench.limit_s)
            yield dict(row, place=place, kind=kind, service=service, associations=associations)


def measure(bench):
    for place in bench.places():
        for kind in ["small"] if bench.quick else WORDS["kind"]:
            for cls in bench.servers(servers.Galena, servers.GalenaTls, servers.Orthanc, servers.Dcmqrscp):
                if not bench.wants(kind=kind):
                    continue
                rows = bench.undisturbed(lambda: measure_one(bench, cls, place, kind))
                for r in rows:
                    bench.say("fetch: %(place)s, %(kind)s, %(service)s, %(associations)d associations, "
                              "%(server)s: %(objects)d in %(wall_s).2f s, CPU %(cpu_ms).3f ms each" % r)
                yield rows


def order(r):
    kind, service = WORDS["kind"].index(r["kind"]), WORDS["service"].index(r["service"])
    return r["place"], kind, service, r["associations"], table.rank(r)


def lines(rows):
    for r in sorted(rows, key=order):
        orthanc = results.beside(r, rows, "Orthanc", KEY)
        yield [r["place"], r["kind"], SERVICES[r["service"]], r["associations"], r["server"],
               *map(table.number, (table.rate(r), table.mb_s(r), r["cpu_ms"])),
               table.ratio(r, orthanc, "cpu_ms"), table.faster(r, orthanc),
               table.number(r["largest_mb"]), table.number(r["sum_mb"])]


def show(rows):
    return table.markdown(HEAD, list(lines(rows)))
