"""The shell blocks of README.md that are marked as tested do what the text says."""
import os
import re
import shutil
import subprocess

from conftest import BUILD, ROOT, free_port


def blocks():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        return re.findall(r"^<!-- tested -->\n```sh\n(.*?)^```$", f.read(), re.M | re.S)


def test_readme_blocks_run(tmp_path):
    found = blocks()
    assert len(found) >= 6
    shutil.copytree(os.path.join(ROOT, "tests", "data"), tmp_path / "tests" / "data")
    script = "set -eux\ntrap 'galena stop pacs || true; wait' EXIT\n" + "".join(found)
    env = dict(os.environ, PATH=os.path.join(BUILD, "prog") + ":" + os.environ["PATH"])
    done = subprocess.run(["bash", "-c", script.replace("2762", str(free_port()))], cwd=tmp_path, env=env,
                          capture_output=True, text=True, timeout=120)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert "password" in done.stdout
    assert "Stored 1" in done.stdout, shown
    assert "First^Image" in shown or "2.25.302458690217309471829384755610293847.1" in shown
    assert (tmp_path / "disc" / "DICOMDIR").exists()
