"""Results: a file a step, a row a line. A row that is measured again takes the place of the old one, so that
the steps, and parts of them, can be run one by one. Rows of two machines are never mixed."""
import json
import os
import subprocess
import time

import place
import servers

KEPT = os.path.join(servers.ROOT, "bench", "results")


def commit():
    """The last one that changed the server; with a + if there are changes since."""
    def git(*args):
        command = ["git", "-C", servers.ROOT, *args, "--", "src", "prog", "spec", "meson.build"]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False).stdout.strip()
    return (git("log", "-1", "--format=%h") or "?") + ("+" if git("status", "--porcelain") else "")


class Results:
    def __init__(self, folder):
        self.folder, self.commit = folder, commit()

    def path(self, step):
        return os.path.join(self.folder, step + ".json")

    def read(self, step):
        """{"machine": …, "rows": […]}; no rows if it was never measured."""
        try:
            with open(self.path(step), encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {"machine": place.machine(), "rows": []}

    def rows(self, step):
        return self.read(step)["rows"]

    def merge(self, step, key, rows):
        """Rows are the same that agree in all members of key."""
        def key_of(row):
            return tuple(row.get(k) for k in key)
        kept = self.read(step)
        old = kept["rows"] if kept["machine"] == place.machine() else []
        when = time.strftime("%Y-%m-%d %H:%M")
        new = {key_of(r): dict(r, when=when, commit=self.commit) for r in rows}
        merged = [new.pop(key_of(r), r) for r in old] + list(new.values())
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path(step) + ".new", "w", encoding="utf-8") as f:
            f.write('{"machine": %s,\n "rows": [\n' % json.dumps(place.machine(), ensure_ascii=False))
            f.write(",\n".join("  " + json.dumps(r, ensure_ascii=False) for r in merged) + "\n]}\n")
        os.replace(self.path(step) + ".new", self.path(step))


def find(rows, **what):
    return [r for r in rows if all(r.get(k) == v for k, v in what.items())]


def beside(row, rows, server, key):
    """The other server's row that agrees in all of key but the server."""
    same = {k: row.get(k) for k in key if k != "server"}
    return next(iter(find(rows, server=server, **same)), None)
