"""The bench: a small variant of every step runs to its end, and the page says what the kept results say."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT

NEEDED = ("curl", "wrk", "openssl")


def bench(*args, build=BUILD):
    return subprocess.run([os.path.join(ROOT, "bench", "run"), *args], capture_output=True, text=True,
                          timeout=240, check=False, env=dict(os.environ, GALENA_BUILD=build))


def quick(*only):
    if "sanitized" in BUILD or "asan" in BUILD:
        pytest.skip("the sanitizers are not what is measured")
    if not all(map(shutil.which, NEEDED)):
        pytest.skip("not installed: " + ", ".join(n for n in NEEDED if not shutil.which(n)))
    done = bench("--quick", "--no-install", "--only", ",".join(only))
    assert done.returncode == 0, done.stderr
    return done


def test_every_step_runs():
    """Without the others, which take most of the time: a list of all steps, each said to be measured."""
    steps = re.findall(r"^(\w+)", bench("--list").stdout.split("\n\n")[0], re.M)
    assert len(steps) >= 7
    done = quick("galena")
    for step in steps:
        assert len(re.findall(r"\] %s: " % step, done.stderr)) >= 2, done.stderr
    assert re.match(r"bench: %d steps measured in \d+ s; targets: " % len(steps), done.stdout)


@pytest.mark.parametrize("server, program", [("Orthanc", "/usr/sbin/Orthanc"),
                                             ("storescp", "/usr/bin/storescp"),
                                             ("dcmqrscp", "/usr/bin/dcmqrscp")])
def test_the_others_are_measured_where_they_are_installed(server, program):
    if not os.access(program, os.X_OK):
        pytest.skip(program + " is not installed")
    done = quick("store", server)
    assert re.search(r"store: .* 4 associations, %s: \d+ objects in " % server, done.stderr), done.stderr
    assert "galena: " not in done.stderr


@pytest.mark.parametrize("args, said", [
    (["--only", "store,ct,nobody"], "nothing is called 'nobody'"),
    (["--quick", "--write"], "--quick is no measurement"),
])
def test_what_makes_no_sense_is_refused(args, said):
    done = bench(*args)
    assert done.returncode != 0 and said in done.stderr


def test_a_step_that_fails_is_said(tmp_path):
    done = bench("--quick", "--only", "fetch,galena", "--no-install", "--no-build", build=str(tmp_path))
    assert done.returncode == 1
    assert "FAILED: fetch" in done.stdout


def test_the_page_is_up_to_date():
    done = bench("--check")
    assert done.returncode == 0, done.stdout + done.stderr
