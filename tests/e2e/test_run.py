"""./run as a newcomer meets it: it says when it is ready, and every line it prints can be pasted."""
import hashlib
import os
import re
import signal
import socket
import ssl
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
        self.https = "127.0.0.1:%d" % free_port()
        subprocess.run([GALENA, "init", self.archive, "--dicom", self.dicom, "--https", self.https],
                       check=True, capture_output=True)

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


def served_fingerprint(address):
    host, port = address.rsplit(":", 1)
    pem = ssl.get_server_certificate((host, int(port)))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    return ":".join(digest[i:i + 2] for i in range(0, 64, 2)).upper()


def test_the_web_address_and_what_one_needs_there(running):
    text = running.text()
    assert "https://%s/" % running.https in text
    assert served_fingerprint(running.https) in text
    assert re.search(r"user doctor +password (\w{5}-?)+", text)
    again = re.search(r"user administrator +a new password: (.*)   \(", text)[1]
    assert "password" in paste(again)
    doctor = subprocess.run([GALENA, "user", "list", running.archive], capture_output=True, text=True).stdout
    assert re.search(r"doctor +radiographer", doctor)
    context = ssl.create_default_context(cafile=os.path.join(running.archive, "tls", "ca.pem"))
    with socket.create_connection(("127.0.0.1", int(running.https.rsplit(":", 1)[1])), 10) as raw:
        context.wrap_socket(raw, server_hostname="127.0.0.1").close()


def test_a_web_port_that_is_taken(tmp_path):
    folder = tmp_path / "taken"
    folder.mkdir()
    r = Run(str(folder))
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(r.https.rsplit(":", 1)[1])))
        other.listen()
        r.start()
        moved = re.search(r"the web side moves to (\S+)\.\n", r.text())[1]
        assert moved != r.https and "https://%s/" % moved in r.text()
        assert served_fingerprint(moved) in r.text()
        assert r.stop() == 0
