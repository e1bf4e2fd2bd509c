#!/usr/bin/python3
"""Everything that must hold, one step after the other; called by ./check.

    check.py [--only STEP[,STEP…]]      steps: style gcc clang sanitized

The last line says how many tests passed, failed and were skipped. A build that fails counts as one
failure. Logs are kept in build-check/.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "build-check")
STEPS = ("style", "gcc", "clang", "sanitized")
UNIT_TIMEOUT_S = 1200
E2E_TIMEOUT_S = 2400
# Most tests wait more than they compute: several files at once. What measures or keeps to times runs alone.
E2E_GROUPS = {
    "together": ["-m", "not alone", "-n", "3", "--dist", "loadfile"],
    "alone": ["-m", "alone"],
}

BUILDS = {
    "gcc": {"CC": "gcc", "args": ["--buildtype=release"]},
    "clang": {"CC": "clang", "args": ["--buildtype=debugoptimized"]},
    "sanitized": {"CC": "gcc", "args": ["--buildtype=debugoptimized", "-Db_sanitize=address,undefined"]},
}


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def line(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        return text + (", %d skipped" % self.skipped if self.skipped else "")


TOTAL = Counts()
STARTED = time.monotonic()


def say(text):
    print("[%3d s] %s" % (time.monotonic() - STARTED, text), flush=True)


def run(name, command, timeout, env=None):
    """Runs with output into build-check/NAME.log; returns (exit status or None at the time limit, output)."""
    log = os.path.join(OUT, name + ".log")
    with open(log, "w", encoding="utf-8") as f:
        process = subprocess.Popen(command, cwd=ROOT, stdout=f, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})),
                                   start_new_session=True)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        if status is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    with open(log, encoding="utf-8", errors="replace") as f:
        return status, f.read()


def show_tail(text, lines=30):
    for line in text.strip().split("\n")[-lines:]:
        print("    " + line, flush=True)


def step_style():
    for tool in ("check_layers.py", "check_style.py", "check_hostile.py"):
        path = os.path.join("tools", tool)
        if not os.path.exists(os.path.join(ROOT, path)):
            continue
        status, text = run(tool, ["/usr/bin/python3", path, "."], 60)
        TOTAL.add(passed=status == 0, failed=status != 0)
        say("%s: %s" % (tool, "good" if status == 0 else "FAILED"))
        if status != 0:
            show_tail(text)


def build(name):
    folder = os.path.join(OUT, name)
    env = {"CC": BUILDS[name]["CC"]}
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        say("%s: configuring" % name)
        setup = ["meson", "setup", folder, "-Dwerror=true"] + BUILDS[name]["args"]
        status, text = run(name + "-setup", setup, 300, env)
        if status != 0:
            TOTAL.add(failed=1)
            say("%s: FAILED to configure" % name)
            show_tail(text)
            return None
    say("%s: building" % name)
    status, text = run(name + "-build", ["ninja", "-C", folder], 900, env)
    if status != 0:
        TOTAL.add(failed=1)
        say("%s: FAILED to build" % name)
        show_tail("\n".join(l for l in text.split("\n") if re.search(r"error|FAILED|undefined", l)) or text)
        return None
    TOTAL.add(passed=1)
    return folder


def cases(test):
    """(passed, failed, skipped) of one meson test: the cases it says it has, else itself."""
    text = test.get("stdout", "") + "\n" + test.get("stderr", "")
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        return 0, 0, 1
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M))
    failed = sum(int(n) for n in re.findall(r"^ *(\d+) FAILED TEST", text, re.M))
    skipped = sum(int(n) for n in re.findall(r"^\[  SKIPPED \] (\d+) test", text, re.M))
    ran = re.search(r"^Ran (\d+) tests? in", text, re.M)
    if ran and good:
        passed = int(ran.group(1))
    if good:
        return max(passed, 1), 0, skipped
    return passed, max(failed, 1), skipped


def unit_tests(name, folder):
    say("%s: unit tests, fuzz corpora" % name)
    log = os.path.join(folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
           "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    status, text = run(name + "-unit", ["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", "4",
                                        "--timeout-multiplier", "4"], UNIT_TIMEOUT_S, env)
    mine = Counts()
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            for line in f:
                test = json.loads(line)
                counted = cases(test)
                mine.add(*counted)
                if counted[1]:
                    say("%s: FAILED %s (%s)" % (name, test["name"], test["result"]))
                    show_tail(test.get("stdout", "") + "\n" + test.get("stderr", ""))
    if status != 0 and mine.failed == 0:
        mine.add(failed=1)
        say("%s: FAILED, the tests did not run to their end" % name)
        show_tail(text)
    TOTAL.add(mine.passed, mine.failed, mine.skipped)
    say("%s: unit tests: %s" % (name, mine.line()))


def show_failures(name, suite):
    """The end of what each failed test had to say, and of what was printed while it ran."""
    for case in suite.iter("testcase"):
        said = case.findall("failure") + case.findall("error")
        if not said:
            continue
        say("%s: FAILED %s::%s" % (name, case.get("classname"), case.get("name")))
        for element in said + case.findall("system-out") + case.findall("system-err"):
            show_tail(element.text or element.get("message", ""))


def junit_files(name):
    return [os.path.join(OUT, "%s-e2e-%s.xml" % (name, group)) for group in E2E_GROUPS]


def e2e_group(name, folder, group, junit):
    """One run of pytest; its counts. What it says of tests that were skipped is said again."""
    if os.path.exists(junit):
        os.remove(junit)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "--disable-warnings",
               "-p", "no:cacheprovider", "-o", "junit_logging=all", "-o", "junit_log_passing_tests=false",
               "--junit-xml", junit] + E2E_GROUPS[group] + ["tests/e2e"]
    status, text = run("%s-e2e-%s" % (name, group), command, E2E_TIMEOUT_S,
                       {"GALENA_BUILD": folder, "PYTHONDONTWRITEBYTECODE": "1"})
    mine = Counts()
    if os.path.exists(junit):
        for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
            failed = int(suite.get("failures")) + int(suite.get("errors"))
            skipped = int(suite.get("skipped"))
            mine.add(int(suite.get("tests")) - failed - skipped, failed, skipped)
            show_failures(name, suite)
    if status not in (0, 5) and mine.failed == 0:
        mine.add(failed=1)
        say("%s: FAILED, the end-to-end tests did not run to their end" % name)
        show_tail(text, 60)
    for line in sorted(set(re.findall(r"^SKIPPED .*", text, re.M))):
        say("%s: %s" % (name, line))
    return mine


def e2e_tests(name, folder):
    say("%s: end-to-end tests" % name)
    all_of_them = Counts()
    for group, junit in zip(E2E_GROUPS, junit_files(name)):
        mine = e2e_group(name, folder, group, junit)
        all_of_them.add(mine.passed, mine.failed, mine.skipped)
    TOTAL.add(all_of_them.passed, all_of_them.failed, all_of_them.skipped)
    say("%s: end-to-end tests: %s" % (name, all_of_them.line()))


def hostile_inputs(name, folder):
    """Each test that tests/hostile.tsv names has run and passed."""
    status, text = run(name + "-hostile", ["/usr/bin/python3", "tools/check_hostile.py", ".", "--testlog",
                                           os.path.join(folder, "meson-logs", "testlog.json"), "--junit"]
                       + junit_files(name), 60)
    TOTAL.add(passed=status == 0, failed=status != 0)
    say("%s: hostile inputs: %s" % (name, text.strip().split("\n")[-1]))
    if status != 0:
        show_tail(text)


def step_build(name):
    folder = build(name)
    if not folder:
        return
    unit_tests(name, folder)
    if name != "clang": # the same programs as gcc's: its warnings and unit tests are what it adds
        e2e_tests(name, folder)
        hostile_inputs(name, folder)


def main():
    wanted = STEPS
    if len(sys.argv) == 3 and sys.argv[1] == "--only":
        wanted = sys.argv[2].split(",")
    elif len(sys.argv) != 1:
        sys.exit(__doc__)
    os.makedirs(OUT, exist_ok=True)
    for step in wanted:
        if step == "style":
            step_style()
        else:
            step_build(step)
    print(TOTAL.line(), flush=True)
    sys.exit(1 if TOTAL.failed or not TOTAL.passed else 0)


if __name__ == "__main__":
    main()
