"""The shell blocks of README.md and docs/*.md that are marked as tested do what the text says. Those of one
page run one after the other, in one folder and one shell."""
import glob
import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT, free_port

PORTS = ("2762", "11112", "11113", "8443")


def blocks(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as f:
        return re.findall(r"^<!-- tested -->\n```sh\n(.*?)^```$", f.read(), re.M | re.S)


def pages():
    found = glob.glob(os.path.join(ROOT, "docs", "*.md"))
    names = [os.path.relpath(p, ROOT) for p in sorted(found) if not p.endswith(".in.md")]
    return [p for p in names if blocks(p)]


def run(page, folder):
    shutil.copytree(os.path.join(ROOT, "tests", "data"), folder / "tests" / "data")
    text = "".join(blocks(page)).replace("/srv/pacs", "pacs")
    for port in PORTS:
        text = re.sub(r"\b%s\b" % port, str(free_port()), text)
    script = "set -eux\ntrap 'galena stop pacs || true; wait' EXIT\n" + text
    env = dict(os.environ, PATH=os.path.join(BUILD, "prog") + ":" + os.environ["PATH"])
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_readme_blocks_run(tmp_path):
    assert len(blocks("README.md")) >= 6
    done = run("README.md", tmp_path)
    shown = done.stdout + done.stderr
    assert "password" in done.stdout
    assert "Stored 1" in done.stdout, shown
    assert "First^Image" in shown or "2.25.302458690217309471829384755610293847.1" in shown
    assert (tmp_path / "disc" / "DICOMDIR").exists()


@pytest.mark.parametrize("page", pages())
def test_page_blocks_run(page, tmp_path):
    done = run(page, tmp_path)
    if page.endswith("administration.md"):
        shown = done.stdout + done.stderr
        assert shown.count("1 objects, ") == 2, shown  # verify, of the restored copy and of the archive
        assert '"oidc":true' in done.stdout, shown
        assert not (tmp_path / "backup" / "keys" / "root.key").exists()


def test_pages_are_found():
    assert "docs/administration.md" in pages()
    assert len(blocks("docs/administration.md")) >= 12
