"""The servers with their web sides, and the clients that are let loose on them."""
import glob
import http.client
import json
import os
import re
import ssl
import subprocess
import time

import data
import servers

SERIES_OBJECTS = 300
TYPE = 'multipart/related; type="application/dicom"; boundary=bench-part'


class Series:
    """One study with one series of CT, as DICOM files in memory."""

    def __init__(self, number, objects=SERIES_OBJECTS):
        kind = data.kinds()["ct"]._replace(objects=objects, per_study=objects, per_series=objects)
        self.study = "%s.9%d" % (data.ROOT, number)
        self.series = self.study + ".1"
        self.patient = "BENCH%06d" % number
        self.uids = ["%s.%d" % (self.series, i + 1) for i in range(objects)]
        self.files = [self.make(kind, number, i) for i in range(objects)]
        self.bytes = sum(map(len, self.files))

    def make(self, kind, number, i):
        body = data.attributes(kind, i, self.uids[i], self.study, self.series)
        body = body.replace(data.element(0x00100020, "LO", "BENCH%06d" % 0),
                            data.element(0x00100020, "LO", "BENCH%06d" % number))
        body += data.element(0x7FE00010, "OW", os.urandom(kind.rows * kind.columns * 2))
        return data.part10(body, kind.sop_class, self.uids[i])

    @staticmethod
    def multipart(files):
        part = b"--bench-part\r\nContent-Type: application/dicom\r\n\r\n"
        return b"".join(part + f + b"\r\n" for f in files) + b"--bench-part--\r\n"

    def path(self):
        return "/studies/%s/series/%s" % (self.study, self.series)


class GalenaWeb(servers.Galena):
    """HTTPS, a bearer token, everything sealed: there is no other way."""
    name, lane = "galena", "TLS"
    web_root = "/dicomweb"

    def add_peer(self):
        self.run("user", "add", self.dir, "bench", "--role", "radiographer")
        self.token = self.run("token", "create", self.dir, "bench", "--user", "bench", "--can",
                              "store,query,retrieve").strip()
        self.headers = {"Authorization": "Bearer " + self.token}
        self.web_port, self.scheme, self.dicom_port = self.https_port, "https", self.port


class OrthancWeb(servers.Orthanc):
    """Debian's configuration with its DICOMweb plugin, without authentication and without TLS."""
    lane = "plain"
    web_root = "/dicom-web"
    plugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

    def launch(self):
        settings = {}
        for path in sorted(glob.glob("/etc/orthanc/*.json")):
            with open(path, encoding="utf-8") as f:
                text = re.sub(r'("(?:\\.|[^"\\])*")|/\*.*?\*/|//[^\n]*', lambda m: m.group(1) or "", f.read(),
                              flags=re.S)
            settings.update(json.loads(text))
        db = os.path.join(self.folder, "db")
        self.web_port, self.scheme, self.headers = self.port, "http", {}
        self.dicom_port = servers.free_port()
        settings.update(StorageDirectory=db, IndexDirectory=db, Plugins=[self.plugin], HttpPort=self.port,
                        DicomPort=self.dicom_port, AuthenticationEnabled=False)
        with open(os.path.join(self.folder, "orthanc.json"), "w", encoding="utf-8") as f:
            json.dump(settings, f)
        self.spawn(self.program, "--logdir=" + self.folder, "orthanc.json")


def available(server):
    return servers.available(server) and os.path.exists(getattr(server, "plugin", "/"))


def url(server, path):
    return "%s://127.0.0.1:%d%s%s" % (server.scheme, server.web_port, server.web_root, path)


def connect(server):
    if server.scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", server.web_port, timeout=120)
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", server.web_port, timeout=120, context=context)


def stow(server, bodies):
    """Seconds for these requests, one after the other on one connection."""
    c = connect(server)
    c.connect()
    headers = dict(server.headers, Accept="application/dicom+json", **{"Content-Type": TYPE})
    began = time.monotonic()
    for body in bodies:
        c.request("POST", server.web_root + "/studies", body, headers)
        r = c.getresponse()
        said = r.read()
        if r.status != 200:
            raise RuntimeError("%s: STOW: %d %s" % (server.name, r.status, said[:200]))
    took = time.monotonic() - began
    c.close()
    return took


def get(server, path, accept):
    """curl, so that the client costs little: seconds without the connection's set-up, and bytes."""
    head = [x for k, v in dict(server.headers, Accept=accept).items() for x in ("-H", "%s: %s" % (k, v))]
    said = subprocess.run(["curl", "-sk", "--http1.1", "-o", "/dev/null", "-w",
                           "%{http_code} %{time_total} %{time_pretransfer} %{size_download}",
                           *head, url(server, path)], check=True, stdout=subprocess.PIPE, text=True).stdout
    code, total, before, size = said.split()
    if code != "200":
        raise RuntimeError("%s: GET %s: %s" % (server.name, path, code))
    return float(total) - float(before), int(size)


def rate(server, path, accept, seconds, connections=4):
    """wrk with one thread: requests, and the time they took."""
    head = [x for k, v in dict(server.headers, Accept=accept).items() for x in ("-H", "%s: %s" % (k, v))]
    said = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, *head, url(server, path)],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError("%s: GET %s: %s" % (server.name, path, said))
    done = int(re.search(r"(\d+) requests in", said).group(1))
    return done, done / float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))
