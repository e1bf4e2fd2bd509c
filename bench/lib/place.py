"""What a bench runs on: the machine, the folders."""
import os
import platform

import servers


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((line.partition(":")[2].strip() for line in f if line.startswith("model name")), "?")
    return "%d × %s, Linux %s" % (os.cpu_count(), cpu, platform.release())


def warm(folder, n):
    """Writes and deletes so many bytes there. On a virtual machine the host gives memory at its first use,
    which costs the guest more than writing does: whoever comes first would pay for all."""
    path = os.path.join(folder, "warm")
    os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as f:
        for _ in range(n >> 20):
            f.write(bytes(1 << 20))
        f.flush()
        os.fdatasync(f.fileno())
    os.remove(path)


def folders():
    return {"disk": os.path.join(servers.BUILD, "bench-work-%d" % os.getpid()),
            "tmpfs": "/dev/shm/galena-bench-%d" % os.getpid()}
