#!/usr/bin/python3
"""Every test that tests/hostile.tsv names exists; with what a run reported, it passed and was not skipped.

usage: check_hostile.py [ROOT] [--junit FILE... --testlog FILE]

FILE: --junit-xml of pytest, one or more, and testlog.json of meson, of the same build. Without them names
are looked up in the sources.
"""
import argparse
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree


def rows(root):
    with open(os.path.join(root, "tests", "hostile.tsv"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.startswith("#") and line.strip():
                yield [number] + line.rstrip("\n").split("\t")


def read(*path):
    try:
        with open(os.path.join(*path), encoding="utf-8") as f:
            return f.read()
    except OSError:
        return ""


def split_e2e(test):
    """(module, function, case or None) of e2e/FILE.py::TEST[CASE]"""
    file, _, name = test.partition("::")
    name, bracket, case = name.partition("[")
    return os.path.basename(file)[:-3], name, case[:-1] if bracket else None


class Sources:
    """What is written: the names can be looked up, whether they ran cannot."""

    def __init__(self, root):
        self.root = root

    def wrong_e2e(self, test):
        module, name, case = split_e2e(test)
        text = read(self.root, "tests", "e2e", module + ".py")
        if not re.search(r"^def %s\(" % re.escape(name), text, re.M):
            return "there is no such test"
        words = re.sub(r"^(PS3\.|RFC )\S+ (Table )?[\d.-]+ |^PS3\.\d+ ", "", case or "")
        return None if words.replace("\\", "\\\\") in text else "no such case in the file"

    def wrong_unit(self, suite, case):
        folder, name = suite.split("/")
        if folder == "crash":
            found = read(self.root, "tests", "crash", name.replace("-", os.sep) + ".c")
            return None if found else "there is no such test"
        text = read(self.root, "tests", "unit", folder, "test_%s.c" % name)
        if not text:
            return "there is no such file"
        named = case == "*" or re.search(r"\b(cmocka_unit_test\w*|T)\(\s*%s\b" % re.escape(case), text)
        return None if named else "no such case"

    def wrong_fuzz(self, name):
        return None if read(self.root, "fuzz", "fuzz_%s.c" % name) else "there is no such target"


class Results:
    """What a run reported."""

    def __init__(self, junit, testlog):
        self.e2e, self.unit = {}, {}
        for case in (c for file in junit for c in ElementTree.parse(file).getroot().iter("testcase")):
            module = case.get("classname").rsplit(".", 1)[-1]
            bad = [c.tag for c in case if c.tag in ("failure", "error", "skipped")]
            self.e2e[module, case.get("name")] = bad[0] if bad else None
        for line in read(testlog).split("\n"):
            if line:
                test = json.loads(line)
                name = test["name"].split(" / ")[-1]
                if "/" not in name:
                    name = name.replace("_", "/", 1)
                self.unit[name] = test["result"], test.get("stdout", "") + "\n" + test.get("stderr", "")

    def wrong_e2e(self, test):
        module, name, case = split_e2e(test)
        found = []
        for (m, full), bad in self.e2e.items():
            base, _, parameters = full.partition("[")
            if m == module and base == name and (case is None or case in either_end(parameters[:-1])):
                found.append(bad)
        if not found:
            return "did not run"
        return next((bad for bad in found if bad), None)

    def wrong_unit(self, suite, case):
        result, text = self.unit.get(suite, ("missing", ""))
        if result != "OK":
            return result
        ran = case == "*" or re.search(r"^\[       OK \] %s\s*$" % case, text, re.M)
        return None if ran else "did not run"

    def wrong_fuzz(self, name):
        result = self.unit.get("fuzz/" + name, ("missing", ""))[0]
        return None if result == "OK" else result


def either_end(parameters):
    """"a-b-c": a-b-c, a, a-b, c, b-c: what one of several parameters may be."""
    parts = parameters.split("-")
    yield parameters
    for i in range(1, len(parts)):
        yield "-".join(parts[:i])
        yield "-".join(parts[i:])


def wrong(root, where, test):
    kind = test.split(" ", 1)[0]
    if test.startswith("e2e/"):
        return where.wrong_e2e(test)
    if kind == "unit":
        return where.wrong_unit(*test.split(" ")[1:])
    if kind == "fuzz":
        return where.wrong_fuzz(test.split(" ")[1])
    if kind == "command":
        found = os.access(os.path.join(root, test.split(" ")[1]), os.X_OK)
        return None if found else "there is no such command"
    return "what kind of test is that?"


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("root", nargs="?", default=".")
    p.add_argument("--junit", nargs="+")
    p.add_argument("--testlog")
    o = p.parse_args()
    where = Results(o.junit, o.testlog) if o.junit else Sources(o.root)
    bad = count = 0
    for number, _, what, answer, tests in rows(o.root):
        named = [] if tests == "-" else tests.split(" ; ")
        problems = ["%s: %s" % (t, w) for t in named if (w := wrong(o.root, where, t))]
        if not named and not answer.startswith("not yet: "):
            problems.append("no test, and no reason for it")
        count += len(named)
        for problem in problems:
            bad += 1
            print("tests/hostile.tsv:%d: %s: %s" % (number, what[:50], problem))
    print("%d tests named, %d wrong" % (count, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
