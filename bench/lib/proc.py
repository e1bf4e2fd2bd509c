"""CPU time and memory of a server: of all its processes, those that have ended included."""
import os
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process and everything below it; ended children that nobody has waited for as well."""
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        try:
            for thread in os.listdir("/proc/%d/task" % p):
                with open("/proc/%d/task/%s/children" % (p, thread), encoding="ascii") as f:
                    todo += [int(c) for c in f.read().split()]
        except OSError:
            continue
    return found


def cpu_s(pid):
    """utime, stime, and those of the children that were waited for, over the tree."""
    total = 0
    for p in tree(pid):
        try:
            with open("/proc/%d/stat" % p, encoding="latin-1") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(x) for x in fields[11:15])
    return total / TICKS


def cpu_settled_s(pid, at_most_s=4.0):
    """Once what a server does after its last answer (indexing, syncing) has come to rest."""
    end, last, quiet = time.monotonic() + at_most_s, cpu_s(pid), 0
    while time.monotonic() < end and quiet < 3:
        time.sleep(0.15)
        now = cpu_s(pid)
        quiet = quiet + 1 if now - last < 0.015 else 0
        last = now
    return last


def program(pid):
    try:
        with open("/proc/%d/comm" % pid, encoding="latin-1") as f:
            return f.read().strip()
    except OSError:
        return "?"


def fields_kb(path, names):
    found = dict.fromkeys(names, 0)
    try:
        with open(path, encoding="latin-1") as f:
            for line in f:
                name = line.partition(":")[0]
                if name in found:
                    found[name] = int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return found


def forget_high_water(pid):
    """VmHWM begins anew, for the whole tree."""
    for p in tree(pid):
        try:
            with open("/proc/%d/clear_refs" % p, "w", encoding="ascii") as f:
                f.write("5")
        except OSError:
            continue


def anonymous_kb(pid):
    return fields_kb("/proc/%d/status" % pid, ["RssAnon"])["RssAnon"]


def high_water_kb(pid):
    return fields_kb("/proc/%d/status" % pid, ["VmHWM"])["VmHWM"]


def private_kb(pid):
    return sum(fields_kb("/proc/%d/smaps_rollup" % pid, ["Private_Clean", "Private_Dirty"]).values())


def pss_kb(pid):
    return fields_kb("/proc/%d/smaps_rollup" % pid, ["Pss"])["Pss"]


class Sampler:
    """Peaks over a time: VmHWM of each program, and the sum of all (shared pages counted once: Pss)."""

    def __init__(self, pid, every_s=0.25):
        self.pid, self.every_s = pid, every_s
        self.high_kb, self.anonymous_kb, self.sum_kb = {}, {}, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def sample(self):
        pids = tree(self.pid)
        for p in pids:
            name = program(p)
            self.high_kb[name] = max(self.high_kb.get(name, 0), high_water_kb(p))
            self.anonymous_kb[name] = max(self.anonymous_kb.get(name, 0), anonymous_kb(p))
        self.sum_kb = max(self.sum_kb, sum(pss_kb(p) for p in pids))

    def run(self):
        while not self.ended.wait(self.every_s):
            self.sample()

    def __enter__(self):
        self.sample()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.sample()

    def largest(self):
        return max(self.high_kb.items(), key=lambda x: x[1])
