"""Debian's Orthanc with its DICOMweb plugin, on loopback, in a folder of its own."""
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

from conftest import free_port

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def available():
    return shutil.which("Orthanc") is not None and os.path.exists(PLUGIN)


class Orthanc:
    def __init__(self, folder=None, **more):
        self.folder = folder or tempfile.mkdtemp(prefix="galena-orthanc-")
        self.port, self.dicom_port = free_port(), free_port()
        self.base = "http://127.0.0.1:%d/dicom-web" % self.port
        settings = {"Name": "peer", "StorageDirectory": os.path.join(self.folder, "db"),
                    "IndexDirectory": os.path.join(self.folder, "db"), "Plugins": [PLUGIN],
                    "HttpPort": self.port, "DicomPort": self.dicom_port, "RemoteAccessAllowed": False,
                    "AuthenticationEnabled": False, "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
        settings.update(more)
        with open(os.path.join(self.folder, "orthanc.json"), "w", encoding="utf-8") as f:
            json.dump(settings, f)
        self.process = None

    def start(self, seconds=30):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(["Orthanc", os.path.join(self.folder, "orthanc.json")],
            stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:%d/system" % self.port, timeout=5).read()
                return self
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
