"""What each role of a running server holds: processes, memory, descriptors; from /proc."""
import os

import place

import sys
sys.path.insert(0, os.path.join(place.ROOT, "bench", "lib"))
import proc  # noqa: E402

ROLES = ("supervisor", "archive", "auth", "gate", "dimse", "web")


def tree(pid):
    """{role: [pid…]}"""
    found = {}
    for p in proc.tree(pid):
        try:
            name = os.path.basename(os.readlink("/proc/%d/exe" % p)).replace("galena-", "")
        except OSError:
            continue
        found.setdefault(name, []).append(p)
    return found


def descriptors(pid):
    """But for those of segments: each that is read keeps one, up to 256; an archive that grows has more."""
    n = 0
    try:
        for fd in os.listdir("/proc/%d/fd" % pid):
            n += "/store/seg-" not in os.readlink("/proc/%d/fd/%s" % (pid, fd))
    except OSError:
        pass
    return n


def sample(pid):
    """{role: (processes, private KiB of all, of the largest, descriptors of all)}"""
    found = {}
    for role, pids in tree(pid).items():
        private = [proc.private_kb(p) for p in pids]
        found[role] = (len(pids), sum(private), max(private), sum(descriptors(p) for p in pids))
    return found
