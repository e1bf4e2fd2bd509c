"""A thousand open associations: what each costs, and what an echo beside them takes."""
import json
import subprocess

import proc
import servers
import table

NAME = "associations"
KEY = ("server",)
WORDS = {"server": ["galena", "Orthanc", "dcmqrscp"], "lane": ["plain", "TLS"]}
HEAD = ["server", "opened", "still alive", "open/s", "CPU ms each", "KB each", "connect ms", "echo ms",
        "echo max ms", "private memory by program: processes × mean KB (largest)", "ended after s"]


class Dcmqrscp(servers.Dcmqrscp):
    max_associations = 2000


def memory(pid):
    """Program -> private memory of each of its processes, KB."""
    found = {}
    for p in proc.tree(pid):
        kb = proc.private_kb(p)
        if kb:
            found.setdefault(proc.program(p), []).append(kb)
    return found


def total_kb(by_program):
    return sum(map(sum, by_program.values()))


def measure_one(server, count):
    pid = server.process.pid
    before_s, before = proc.cpu_settled_s(pid), memory(pid)
    command = server.load_command("hold", count=count, timeout=4)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        said = json.loads(holder.stdout.readline())
        after_s, after = proc.cpu_settled_s(pid), memory(pid)
        echo, _ = server.load("echo", count=20 if server.name == "galena" else 5, timeout=10)
        said["alive"] = json.loads(holder.communicate("")[0])["alive"]
    n = max(1, said["accepted"])
    return dict(said, echo=echo, server=server.label(), cpu_ms=(after_s - before_s) * 1000 / n,
                each_kb=(total_kb(after) - total_kb(before)) / n,
                programs={p: [len(v), round(sum(v) / len(v)), max(v)] for p, v in after.items()})


def measure(bench):
    for cls in bench.servers(servers.Galena, servers.GalenaTls, servers.Orthanc, Dcmqrscp):
        with bench.running(cls, "tmpfs") as server:
            row = measure_one(server, 4 if bench.quick else 1000)
            row["ended_s"] = round(server.stop(), 1)
        bench.say("associations: %s: %d opened, %.0f KB each" %
                  (row["server"], row["accepted"], row["each_kb"]))
        yield [row]


def lines(rows):
    for r in sorted(rows, key=table.rank):
        programs = sorted(r["programs"].items(), key=lambda x: -x[1][0])
        figures = [r["accepted"] / r["seconds"], r["cpu_ms"], r["each_kb"]]
        figures += [r["echo"].get(k) for k in ("open_ms", "echo_ms", "echo_max_ms")]
        yield [r["server"], r["accepted"], r["alive"], *map(table.number, figures),
               ", ".join("%s %d × %d (%d)" % (p, *v) for p, v in programs), table.number(r["ended_s"])]


def show(rows):
    return table.markdown(HEAD, list(lines(rows)), left=1)
