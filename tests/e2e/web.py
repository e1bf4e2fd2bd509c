"""The web side as a program meets it: a client, answers, multipart; a Galena with users for the web's tests,
or another DICOMweb server (GALENA_DICOMWEB=http://127.0.0.1:PORT/dicom-web)."""
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import urllib.parse

import pytest

import web_data
from conftest import make_archive

PASSWORD = "a long enough pass code"
OTHER = os.environ.get("GALENA_DICOMWEB")
JSON, XML = "application/dicom+json", "application/dicom+xml"
USERS = [ # name, role, options, what its token may
    ("rita", "radiographer", [], "store,query,retrieve"),
    ("reader", "reader", [], "query,retrieve"),
    ("ward", "reader", ["--collections", "ward"], "query,retrieve"),
    ("referrer", "referrer", ["--physician", "Referrer^Rita"], "query,retrieve"),
    ("researcher", "researcher", [], "query,retrieve"),
    ("boss", "administrator", [], "delete,admin"),
    ("auditor", "auditor", [], "query"),
]


class Part:
    def __init__(self, headers, body):
        self.headers, self.body = headers, body


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        """Its value; None: there is none; an error: there are two."""
        found = [v for k, v in self.headers if k.lower() == name.lower()]
        assert len(found) < 2 or name.lower() in ("set-cookie", "warning", "vary"), (name, found)
        return ", ".join(found) if found else None

    @property
    def type(self):
        return (self.header("content-type") or "").split(";")[0].strip().lower()

    def json(self):
        body = gzip.decompress(self.body) if self.header("content-encoding") == "gzip" else self.body
        return json.loads(body)

    def parts(self):
        """Of a multipart, read strictly (RFC 2046 5.1.1)."""
        boundary = parameter(self.header("content-type"), "boundary").encode()
        pieces = (b"\r\n" + self.body).split(b"\r\n--" + boundary)
        assert len(pieces) > 1 and pieces[-1].startswith(b"--"), "no closing delimiter"
        parts = []
        for piece in pieces[1:-1]:
            assert piece.startswith(b"\r\n"), piece[:80]
            head, _, body = piece[2:].partition(b"\r\n\r\n")
            parts.append(Part({k.lower(): v.strip() for k, _, v in
                               (line.partition(":") for line in head.decode("ascii").split("\r\n"))}, body))
        return parts

    def __repr__(self):
        return "%d %s %r" % (self.status, self.headers, self.body[:300])


def parameter(value, name):
    m = re.search(r";\s*%s\s*=\s*(?:\"([^\"]*)\"|([^\s;]+))" % re.escape(name), value or "", re.I)
    return (m.group(1) if m.group(1) is not None else m.group(2)) if m else None


def multipart(parts, type="application/dicom", boundary="galena-test", extra=""):
    """(Content-Type, body); parts: bytes, or (headers, bytes)."""
    body = []
    for p in parts:
        headers, data = p if isinstance(p, tuple) else ({"Content-Type": type}, p)
        lines = "".join("%s: %s\r\n" % h for h in headers.items())
        body.append(b"--" + boundary.encode() + b"\r\n" + lines.encode() + b"\r\n" + data + b"\r\n")
    body.append(b"--" + boundary.encode() + b"--\r\n")
    return 'multipart/related; type="%s"; boundary=%s%s' % (type, boundary, extra), b"".join(body)


class Client:
    """Requests one after the other on one connection; `token` for all that name no other."""

    def __init__(self, base, cafile=None, token=None):
        url = urllib.parse.urlsplit(base)
        self.host, self.port, self.root = url.hostname, url.port, url.path.rstrip("/")
        self.tls = url.scheme == "https"
        self.cafile, self.token, self.connection = cafile, token, None
        self.base = base

    def connect(self, timeout=60):
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.cafile)
        context.set_alpn_protocols(["http/1.1"])
        return http.client.HTTPSConnection(self.host, self.port, context=context, timeout=timeout)

    def __call__(self, method, path, body=None, token=0, **headers):
        """`path` without a slash before it is DICOMweb's. Names of headers have _ for -; None: without it."""
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        headers.setdefault("Accept", JSON)
        token = self.token if token == 0 else token
        if token:
            headers.setdefault("Authorization", "Bearer " + token)
        headers = {k: v for k, v in headers.items() if v is not None}
        if not path.startswith("/"):
            path = self.root + "/" + path
        for again in (False, True):
            c = self.connection or self.connect()
            try:
                c.request(method, path, body, headers)
                r = c.getresponse()
                answer = Answer(r.status, r.getheaders(), r.read())
                self.connection = None if r.will_close else c
                return answer
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                was_kept, self.connection = self.connection is not None, None
                if again or not was_kept:
                    raise
        return None

    def get(self, path, **headers):
        return self("GET", path, **headers)

    def stow(self, *objects, study="", token=0, type="application/dicom", **headers):
        content, body = multipart(objects, type)
        return self("POST", "studies" + ("/" + study if study else ""), body, token=token,
                    **dict({"Content_Type": content}, **headers))

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Bed(Client):
    """A Galena with the users above, each with a token of the same name in `tokens`."""

    def __init__(self, archive):
        super().__init__("https://127.0.0.1:%d/dicomweb" % archive.https_port,
                         os.path.join(archive.dir, "tls", "ca.pem"))
        self.archive, self.tokens = archive, {}

    def client(self, user=None):
        return Client(self.base, self.cafile, self.tokens[user] if user else None)

    def add_user(self, name):
        """One of USERS, with a token."""
        _, role, options, can = next(u for u in USERS if u[0] == name)
        archive = self.archive
        archive.run("user", "add", archive.dir, name, "--role", role, "--stdin", *options,
                    stdin=PASSWORD + "\n")
        token = archive.run("token", "create", archive.dir, name, "--user", name, "--can", can)
        self.tokens[name] = token.strip()

    def sign_in(self, user, password=PASSWORD):
        """The Cookie header of a session."""
        answer = self("POST", "/api/sign-in", json.dumps({"user": user, "password": password}), token=None,
                      Content_Type="application/json", Origin="https://127.0.0.1:%d" % self.port)
        assert answer.status == 200, answer
        return "; ".join(v.split(";")[0] for k, v in answer.headers if k.lower() == "set-cookie")


def make_bed(**settings):
    archive, folder = make_archive(plain=True)
    archive.run("collection", "add", archive.dir, "ward", "--institution", "Ward 3*")
    bed = Bed(archive)
    for name, _, _, _ in USERS:
        bed.add_user(name)
    bed.token = bed.tokens["rita"]
    archive.configure(**settings)
    archive.start()
    bed.folder = folder
    return bed


def remove_bed(bed):
    bed.close()
    bed.archive.stop(signal.SIGKILL)
    shutil.rmtree(bed.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def bed():
    """A Galena without any object."""
    b = make_bed()
    yield b
    remove_bed(b)


@pytest.fixture(scope="module")
def web():
    """A server with the objects of web_data: ours, or the other one."""
    server = Client(OTHER) if OTHER else make_bed()
    fill(server)
    yield server
    if not OTHER:
        remove_bed(server)


def shown(answer):
    """What somebody might compare: all but the time."""
    headers = sorted((k.lower(), v) for k, v in answer.headers if k.lower() != "date")
    return answer.status, headers, answer.body


def fill(server):
    """Over DIMSE where we can: these tests do not wait for STOW-RS."""
    if OTHER:
        for o in web_data.OBJECTS:
            assert server.stow(o).status == 200
    else:
        store(server.archive, web_data.OBJECTS)


def store(archive, files):
    objects = [web_data.split(f) for f in files]
    kinds = sorted({(sop_class, syntax) for sop_class, syntax, _, _ in objects})
    with archive.associate(contexts=[(sop_class, [syntax]) for sop_class, syntax in kinds]) as a:
        for sop_class, syntax, uid, data in objects:
            assert a.store(sop_class, uid, syntax, data)[0x0900] == 0
