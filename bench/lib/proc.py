"""CPU time and memory of a server: of all its processes, those that have ended included;
and what others did meanwhile."""
import os
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
quiet_looks = 3  # so often in a row nothing must have happened


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
    while time.monotonic() < end and quiet < quiet_looks:
        time.sleep(0.15)
        now = cpu_s(pid)
        quiet = quiet + 1 if now - last < 0.015 else 0
        last = now
    return last


def machine_busy_s():
    """CPU seconds of everybody on this machine, and those its host took away (steal)."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq, steal = (int(x) for x in f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def own_s():
    """Of this process and of the clients it has waited for."""
    return sum(os.times()[:4])


def written_bytes(folder):
    """What has reached the disk that the folder is on, everybody's, the file system's notes included; 0 if
    it is on none. (Not write_bytes of /proc/PID/io: with large folios they count what was not written.)"""
    os.sync()
    device = os.stat(folder).st_dev
    try:
        with open("/sys/dev/block/%d:%d/stat" % (os.major(device), os.minor(device)), encoding="ascii") as f:
            return int(f.read().split()[6]) * 512
    except FileNotFoundError:
        return 0


def prefer(pids, nice=-10):
    """Gives them precedence over everybody else's programs, whatever sessions (autogroups) they are in."""
    for p in pids:
        try:
            os.setpriority(os.PRIO_PROCESS, p, nice)
            with open("/proc/%d/autogroup" % p, "w", encoding="ascii") as f:
                f.write(str(nice))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended, or there are no autogroups here


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


class Measured:
    """What a server needs for what is done within: CPU until it has come to rest again, memory; and how much
    of the machine others took at the same time, in percent (None: too short to say)."""

    def __init__(self, pid, every_s=0.25):
        self.pid, self.peak = pid, Sampler(pid, every_s)
        self.cpu_s, self.others_pct = 0.0, None

    def figures(self):
        return time.monotonic(), machine_busy_s(), own_s() + cpu_s(self.pid)

    def __enter__(self):
        self.before_s = cpu_settled_s(self.pid)
        self.peak.__enter__()
        self.began = self.figures()
        return self

    def __exit__(self, *failed):
        wall, busy, ours = (now - then for now, then in zip(self.figures(), self.began))
        if wall > 0.5:
            self.others_pct = round(max(0, 100 * (busy - ours) / (wall * os.cpu_count())), 1)
        self.peak.__exit__()
        if failed[0] is None:
            self.cpu_s = cpu_settled_s(self.pid) - self.before_s

    def row(self):
        name, kb = self.peak.largest()
        return {"largest_mb": round(kb / 1024, 1), "largest": name,
                "sum_mb": round(self.peak.sum_kb / 1024, 1), "others_pct": self.others_pct}
