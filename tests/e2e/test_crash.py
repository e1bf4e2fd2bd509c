"""What tests/crash does at length, for some seconds: kills, failing calls, power losses, a soak."""
import os
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

CRASH = os.path.join(ROOT, "tests", "crash")
SANITIZED = b"__asan_init" in open(os.path.join(BUILD, "prog", "galena-archive"), "rb").read()


def run(name, *args, seconds=300):
    done = subprocess.run([sys.executable, os.path.join(CRASH, name), *args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False,
                          env=dict(os.environ, GALENA_BUILD=BUILD))
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_processes_killed_under_load_lose_nothing():
    assert "none lost" in run("kill", "--rounds", "6")


FAULTS = {
    "calls that fail are told and lose nothing":
        ("--short", "--only", "C-STORE,WADO-RS", "--role", "archive,dimse,web"),
    "an answer that has no memory is not waited for":
        ("--spread", "0", "--only", "C-STORE", "--role", "dimse", "--kind", "alloc"),
    "an archive that has no memory ends without breaking":
        ("--spread", "24", "--only", "STOW-RS", "--role", "archive", "--kind", "alloc"),
    "a deletion that the disk refuses takes nothing with it that is stored later":
        ("--spread", "0", "--only", "DELETE-store", "--role", "archive", "--kind", "sync"),
}


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has its own allocator, and its time")
@pytest.mark.parametrize("args", FAULTS.values(), ids=FAULTS)
def test_faults(args):
    assert " 0 findings" in run("faults", "--seed", "1", *args)


@pytest.mark.skipif(SANITIZED, reason="the record is of the release build's calls")
def test_power_losses_lose_nothing():
    assert " 0 findings" in run("power", "--images", "16", "--per-history", "16")


def test_a_slow_disk_starves_nobody():
    assert "0 findings" in run("slow", "--seconds", "6")


@pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps what is freed")
def test_a_short_soak_has_only_right_answers():
    assert " 0 wrong answers" in run("soak", "--minutes", "2", "--seconds", "4", "--csv", os.devnull)
