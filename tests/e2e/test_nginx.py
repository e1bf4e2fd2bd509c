"""nginx before Galena, with the configuration that the administration manual gives: to the letter, but for
addresses, names of files and of the host."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

import web_data
from conftest import ROOT, free_port, wait_until
from web import PASSWORD, make_bed, multipart, remove_bed

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")

ORIGIN = "https://localhost:%d"
MAIN = """daemon off;
master_process off;
pid %(dir)s/pid;
error_log %(dir)s/main.error.log;
events {}
http {
    client_body_temp_path %(dir)s/bodies;
    proxy_temp_path %(dir)s/answers;
    fastcgi_temp_path %(dir)s/unused;
    uwsgi_temp_path %(dir)s/unused;
    scgi_temp_path %(dir)s/unused;
%(site)s
}
"""


def of_the_manual():
    with open(os.path.join(ROOT, "docs", "administration.in.md"), encoding="utf-8") as f:
        return re.search(r"^<!-- nginx -->\n```nginx\n(.*?)^```$", f.read(), re.M | re.S).group(1)


def replaced(text, *pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


class Proxy:
    def __init__(self, archive, port):
        self.dir, self.port = tempfile.mkdtemp(prefix="galena-nginx-"), port
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        subprocess.run(["openssl", "req", "-x509", *curve, "-nodes", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-keyout", self.file("key.pem"), "-out",
                        self.file("cert.pem")], check=True, capture_output=True)
        site = replaced(of_the_manual(), ("listen 443 ", "listen 127.0.0.1:%d " % port),
                        ("server_name pacs.example.org", "server_name localhost"),
                        ("/etc/nginx/pacs.cert.pem", self.file("cert.pem")),
                        ("/etc/nginx/pacs.key.pem", self.file("key.pem")),
                        ("/var/log/nginx", self.dir), ("127.0.0.1:8443", "127.0.0.1:%d" % archive.https_port),
                        ("/etc/nginx/galena-ca.pem", os.path.join(archive.dir, "tls", "ca.pem")))
        with open(self.file("nginx.conf"), "w", encoding="utf-8") as f:
            f.write(MAIN % {"dir": self.dir, "site": site})
        self.process = subprocess.Popen([NGINX, "-p", self.dir, "-c", self.file("nginx.conf"), "-e",
                                         self.file("early.log")])
        self.await_port()

    def file(self, name):
        return os.path.join(self.dir, name)

    def text(self, name):
        with open(self.file(name), encoding="utf-8") as f:
            return f.read()

    def await_port(self):
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.text("early.log")
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def site():
    port = free_port()
    bed = make_bed(https_url='"%s"' % (ORIGIN % port), https_proxies='{"127.0.0.1"}')
    bed.proxy = Proxy(bed.archive, port)
    yield bed
    bed.proxy.stop()
    remove_bed(bed)


def connect(site, source=None):
    """To the proxy; a client's address is any of loopback's."""
    c = ssl.create_default_context(cafile=site.proxy.file("cert.pem"))
    c.set_alpn_protocols(["http/1.1"])
    return http.client.HTTPSConnection("localhost", site.proxy.port, context=c, timeout=30,
                                       source_address=source and (source, 0))


def ask(site, method, path, body=None, connection=None, source=None, **headers):
    c = connection or connect(site, source)
    c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = c.getresponse()
    answer.text = answer.read()
    if not connection:
        c.close()
    return answer


def bearer(site, user="rita"):
    return {"Authorization": "Bearer " + site.tokens[user], "Accept": "application/dicom+json"}


def sign_in(site, password=PASSWORD, source=None, **headers):
    fields = dict({"Origin": ORIGIN % site.proxy.port, "Content_Type": "application/json"}, **headers)
    body = json.dumps({"user": "reader", "password": password})
    return ask(site, "POST", "/api/sign-in", body, source=source, **fields)


def idle(site):
    site.archive.await_web_connections(0)


def test_one_signs_in_and_out(site):
    answer = sign_in(site)
    assert answer.status == 200, answer.text
    cookie = "; ".join(v.split(";")[0] for v in answer.headers.get_all("set-cookie"))
    me = ask(site, "GET", "/api/me", Cookie=cookie)
    assert json.loads(me.text)["user"] == "reader"
    assert me.headers["content-security-policy"] and me.headers["strict-transport-security"]
    assert ask(site, "POST", "/api/sign-out", Cookie=cookie, Origin="https://localhost").status == 403
    assert ask(site, "POST", "/api/sign-out", Cookie=cookie, Origin=ORIGIN % site.proxy.port).status == 204
    assert ask(site, "GET", "/api/me", Cookie=cookie).status == 401


def test_what_is_stored_comes_back(site):
    image = web_data.OBJECTS[0]
    content, body = multipart([image] * (4_000_000 // len(image)))
    idle(site)

    def pieces():
        for at in range(0, len(body), 100_000):
            yield body[at:at + 100_000]
            site.archive.await_web_connections(1)  # nothing is kept back until all is there

    c = connect(site)
    c.request("POST", "/dicomweb/studies", pieces(), dict(bearer(site), **{"Content-Type": content}),
              encode_chunked=True)
    answer = c.getresponse()
    report = json.loads(answer.read())
    assert answer.status == 200, report
    url = report["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert url.startswith(ORIGIN % site.proxy.port)
    path, wanted = url[len(ORIGIN % site.proxy.port):], "application/dicom; transfer-syntax=*"
    fields = dict(bearer(site), Accept=wanted)
    got = ask(site, "GET", path, connection=c, **fields)
    assert got.status == 200 and web_data.split(got.text)[3] == web_data.split(image)[3]
    again = ask(site, "GET", path, connection=c, If_None_Match=got.headers["etag"], **fields)
    assert again.status == 304
    c.close()


def test_each_request_has_a_process_of_its_own(site):
    idle(site)
    before = int(site.archive.status()["connections_total"])
    c = connect(site)
    for user in ("reader", "ward", "reader"):
        answer = ask(site, "GET", "/api/me", connection=c, **bearer(site, user))
        assert json.loads(answer.text)["user"] == user
        idle(site)  # although the browser's connection is open
    c.close()
    assert int(site.archive.status()["connections_total"]) >= before + 3


@pytest.mark.parametrize("lie", [{}, {"X_Forwarded_For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"},
                                 {"X_Forwarded_Proto": "nonsense"}, {"X_Forwarded_Host": "no host"}])
def test_the_client_is_known_and_cannot_say_who_it_is(site, lie):
    seen = len(site.archive.log())
    answer = sign_in(site, "a wrong one, of course", source="127.0.0.%d" % (20 + len(str(lie))), **lie)
    assert answer.status in (401, 429), answer.text
    site.archive.await_log("wrong password", seen)
    log = site.archive.log(seen)
    assert "from=127.0.0.%d" % (20 + len(str(lie))) in log and "203.0.113.9" not in log


def test_names_are_not_in_its_logs(site):
    found = ask(site, "GET", "/dicomweb/studies?PatientName=Sekret*", **bearer(site))
    assert found.status == 204
    wrong = ask(site, "GET", "/dicomweb/studies?PatientName=Sekret*&nonsense=1", **bearer(site))
    assert wrong.status == 400
    wait_until(lambda: '"GET /dicomweb/studies" 400' in site.proxy.text("galena.access.log"))
    assert "Sekret" not in site.proxy.text("galena.access.log") + site.proxy.text("galena.error.log")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_http2_reaches_it(site):
    done = subprocess.run(["curl", "--silent", "--http2", "--cacert", site.proxy.file("cert.pem"),
                           "--write-out", "%{http_version} %{http_code}",
                           "-H", "Authorization: Bearer " + site.tokens["reader"],
                           ORIGIN % site.proxy.port + "/api/me"], capture_output=True, text=True, timeout=30)
    assert done.stdout.endswith("2 200"), done
