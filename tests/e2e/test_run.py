"""./run as a newcomer meets it: it says when it is ready, and every line it prints can be pasted."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import BUILD, GALENA, ROOT, free_port


class Run:
    """./run in a folder with a blank in its name, on the build that is there, at a free port."""

    def __init__(self, folder):
        self.folder = folder
        self.log = os.path.join(folder, "log")
        for name in ("run", "tools", "tests"):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        os.symlink(BUILD, os.path.join(folder, "build"))
        self.archive = os.path.join(folder, "archive")
        self.dicom = "127.0.0.1:%d" % free_port()
        subprocess.run([GALENA, "init", self.archive, "--dicom", self.dicom], check=True, capture_output=True)

    def start(self):
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([os.path.join(self.folder, "run")], cwd="/", stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 90
        while "Ctrl-C stops" not in self.text():
            assert self.process.poll() is None and time.monotonic() < end, self.text()
            time.sleep(0.1)

    def text(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def running(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    r = Run(str(folder))
    r.start()
    yield r
    if r.process.poll() is None:
        r.stop()


def paste(line):
    done = subprocess.run(["bash", "-c", line], cwd="/", capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_every_printed_line_works(running):
    lines = re.findall(r"^(?:storescu|findscu|\(socat) .*$", running.text(), re.M)
    assert len(lines) == 4
    assert "Received Store Response (Success)" in paste(lines[0])
    assert "First^Image" in paste(lines[1])
    got = paste(lines[2])
    assert re.search(r"Completed Suboperations : 1", got) and "CT.2.25.30245869" in got, got
    moved = paste(lines[3])
    assert "Received Final Move Response (Success)" in moved and "CT.2.25.30245869" in moved, moved
    assert running.stop() == 0


def test_again_and_twice_at_once(running):
    second = subprocess.run([os.path.join(running.folder, "run")], capture_output=True, text=True, timeout=90)
    assert second.returncode == 1 and "is being served already" in second.stderr
    before = os.listdir(os.path.join(running.archive, "peers"))
    assert running.stop() == 0
    running.start()  # the same archive
    assert os.listdir(os.path.join(running.archive, "peers")) == before
    assert "is being served" not in running.text()


def test_a_busy_port_is_named(tmp_path):
    folder = tmp_path / "b"
    folder.mkdir()
    r = Run(str(folder))
    with socket.socket() as s:
        s.bind(("127.0.0.1", int(r.dicom.split(":")[1])))
        s.listen()
        done = subprocess.run([os.path.join(r.folder, "run")], capture_output=True, text=True, timeout=90)
    assert done.returncode == 1 and r.dicom + " is in use by another program" in done.stderr
