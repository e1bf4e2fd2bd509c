"""Signing in with a real OpenID Connect provider (npm oidc-provider, here), through the web side."""
import base64
import fcntl
import html
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest

from conftest import Archive, free_port

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oidc")
AUDIENCE = "https://galena.example"
SECRET = "a secret of the client, for tests"
KEY = """const c = require("crypto");
const pair = () => c.generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = kid => ({ ...pair().privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" });
console.log(JSON.stringify(process.argv.slice(1).map(jwk)));"""


def installed():
    """The provider's packages, installed into an ignored folder once; False: no npm here, or no network."""
    with open(os.path.join(HERE, "package.json"), encoding="utf-8") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if os.path.isdir(os.path.join(HERE, "node_modules", "oidc-provider")):
            return True
        if not shutil.which("npm"):
            return False
        return subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
                               "--no-package-lock"], cwd=HERE, capture_output=True,
                              timeout=300).returncode == 0


pytestmark = pytest.mark.skipif(not installed(), reason="npm's oidc-provider cannot be installed")


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()
        self.json = json.loads(self.body) if "json" in response.headers.get("content-type", "") else None


class Browser:
    """Cookies for each origin, and no redirect is followed by itself."""

    def __init__(self):
        self.cookies = {}
        self.tls = ssl._create_unverified_context()  # the test's own server, by its address

    def ask(self, url, method="GET", body=None, headers=None):
        at = urlsplit(url)
        if at.scheme == "https":
            connection = http.client.HTTPSConnection(at.hostname, at.port, timeout=30, context=self.tls)
        else:
            connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
        jar = self.cookies.setdefault(at.netloc, {})
        fields = dict(headers or {})
        if jar:
            fields["Cookie"] = "; ".join("%s=%s" % pair for pair in jar.items())
        connection.request(method, at.path + ("?" + at.query if at.query else ""), body, fields)
        answer = Answer(connection.getresponse())
        connection.close()
        for line in answer.headers.get_all("set-cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            gone = re.search(r"(?i)max-age=0\b|expires=thu, 01.jan.1970", line)
            jar.pop(name, None) if gone or not value else jar.update({name: value})
        return answer

    def post(self, url, **form):
        return self.ask(url, "POST", urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})


class Provider:
    def __init__(self, redirect, tls=()):
        self.port, self.tls = free_port(), tls
        self.issuer = ("https://localhost:%d" if tls else "http://127.0.0.1:%d") % self.port
        self.redirect = redirect
        self.process = None

    def start(self, *kids):
        keys = subprocess.run(["node", "-e", KEY, *kids], check=True, capture_output=True).stdout
        self.process = subprocess.Popen(["node", "provider.mjs", str(self.port), self.redirect, AUDIENCE,
                                         *self.tls], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.process.stdin.write(keys)
        self.process.stdin.close()
        assert self.process.stdout.readline() == b"ready\n"
        return self

    def stop(self):
        self.process.kill()
        self.process.wait()

    def robot(self, secret="robot secret"):
        """A program's token: client credentials."""
        basic = base64.b64encode(("robot:" + secret.replace(" ", "%20")).encode()).decode()
        got = Browser().ask(self.issuer + "/token", "POST", "grant_type=client_credentials",
                            {"Authorization": "Basic " + basic,
                             "Content-Type": "application/x-www-form-urlencoded"})
        return got.json["access_token"]


class Site:
    def __init__(self, folder):
        self.archive = Archive(folder)
        self.url = "https://127.0.0.1:%d" % self.archive.https_port
        self.provider = Provider(self.url + "/api/oidc/callback").start("one")
        self.archive.configure(https_url='"%s"' % self.url)
        self.configure()
        with open(os.path.join(self.archive.dir, "client.secret"), "w", encoding="utf-8") as f:
            f.write(SECRET + "\n")
        self.archive.start()

    def configure(self, **more):
        values = dict(dict(name="the test's provider", issuer=self.provider.issuer, client_id="galena",
                           client_secret_file="client.secret", audience=AUDIENCE), **more)
        path = os.path.join(self.archive.dir, "oidc.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines('%s = "%s"\n' % pair for pair in values.items())
            f.write('role_reader = {"pacs-readers"}\nrole_administrator = {"pacs-admins"}\n')
        os.chown(path, os.stat(self.archive.dir).st_uid, -1)

    def go(self, browser, back="/"):
        answer = browser.ask(self.url + "/api/oidc/start?" + urlencode({"return": back}))
        assert answer.status == 303, answer.body
        return answer.headers["location"]

    def at_provider(self, browser, url, user):
        """Through the provider's own pages, until it sends the browser back: that address."""
        for _ in range(12):
            answer = browser.ask(url)
            if answer.status in (302, 303):
                url = urljoin(url, answer.headers["location"])
                if url.startswith(self.provider.redirect):
                    return url
                continue
            form = re.search(r'<form[^>]*action="([^"]+)"', answer.body.decode())
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.body.decode()).group(1)
            fields = dict(prompt=prompt, **(dict(login=user, password="any") if prompt == "login" else {}))
            answer = browser.post(urljoin(url, html.unescape(form.group(1))), **fields)
            url = urljoin(url, answer.headers["location"])
        raise AssertionError("the provider does not come to an end")

    def sign_in(self, browser, user, back="/"):
        return browser.ask(self.at_provider(browser, self.go(browser, back), user))

    def me(self, browser, **headers):
        return browser.ask(self.url + "/api/me", headers=headers)


@pytest.fixture(scope="module")
def site():
    folder = tempfile.mkdtemp(prefix="galena-oidc-")
    s = Site(folder)
    yield s
    s.archive.stop()
    s.provider.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_button_is_there(site):
    info = Browser().ask(site.url + "/api/info").json
    assert info["oidc"] is True and info["oidc_name"] == "the test's provider"


def test_what_the_browser_is_sent_with(site):
    b = Browser()
    at = urlsplit(site.go(b))
    asked = {k: v[0] for k, v in parse_qs(at.query).items()}
    assert "%s://%s" % (at.scheme, at.netloc) == site.provider.issuer
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 64 and len(asked["nonce"]) == 43 and len(asked["code_challenge"]) == 43
    assert "openid" in asked["scope"].split() and "client_secret" not in asked
    other = {k: v[0] for k, v in parse_qs(urlsplit(site.go(Browser())).query).items()}
    assert not {asked[k] for k in ("state", "nonce", "code_challenge")} & set(other.values())


def test_sign_in(site):
    b = Browser()
    answer = site.sign_in(b, "ann", "/?page=tokens")
    assert answer.status == 303 and answer.headers["location"] == "/?page=tokens"
    cookie = [x for x in answer.headers.get_all("set-cookie") if x.startswith("__Host-galena=")][0]
    assert all(x in cookie for x in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"))
    me = site.me(b)
    assert me.status == 200 and me.json["user"] == "oidc:ann" and me.json["roles"] == ["reader"]
    assert set(me.json["rights"]) == {"query", "retrieve"}
    boss = Browser()
    site.sign_in(boss, "boss")
    assert set(site.me(boss).json["roles"]) == {"reader", "administrator"}


def test_signing_in_again_leaves_no_session_behind(site):
    b, thief = Browser(), Browser()
    site.sign_in(b, "ann")
    thief.cookies = {host: dict(jar) for host, jar in b.cookies.items()}
    assert site.me(thief).status == 200
    site.sign_in(b, "ann")
    assert site.me(b).status == 200 and site.me(thief).status == 401


def test_nobody_is_sent_elsewhere(site):
    for back in ("//evil.example/", "https://evil.example/", "/\\evil.example", "evil",
                 "/a\r\nSet-Cookie: x=y"):
        assert site.sign_in(Browser(), "ann", back).headers["location"] == "/"


def test_a_user_without_a_role_stays_out(site):
    b = Browser()
    assert "error" in site.sign_in(b, "nobody").headers["location"]
    assert site.me(b).status == 401
    assert "no role" in site.archive.log()


def test_a_local_user_of_this_name_is_another(site):
    site.archive.run("user", "add", site.archive.dir, "ann", "--role", "administrator")
    b = Browser()
    site.sign_in(b, "ann")
    assert site.me(b).json["user"] == "oidc:ann" and site.me(b).json["roles"] == ["reader"]


def test_a_code_is_good_once_in_its_own_browser(site):
    mine, stranger = Browser(), Browser()
    back = site.at_provider(mine, site.go(mine), "ann")
    assert "error" in stranger.ask(back).headers["location"]  # no cookie
    site.go(stranger)
    assert "error" in stranger.ask(back).headers["location"]  # another cookie
    assert site.me(stranger).status == 401
    cookies = dict(mine.cookies)
    assert mine.ask(back).headers["location"] == "/"
    assert site.me(mine).status == 200
    again = Browser()
    again.cookies = {k: dict(v) for k, v in cookies.items()}
    again.cookies[urlsplit(site.url).netloc].pop("__Host-galena", None)
    assert "error" in again.ask(back).headers["location"]


@pytest.mark.parametrize("change", [
    lambda q: dict(q, state="A" * 64), lambda q: dict(q, code="made up"), lambda q: {"state": q["state"]},
    lambda q: {"code": q["code"]}, lambda q: dict(q, state=q["state"][:-1]),
    lambda q: {"error": "access_denied", "state": q["state"]},
])
def test_a_wrong_answer_leads_nowhere(site, change):
    b = Browser()
    back = urlsplit(site.at_provider(b, site.go(b), "ann"))
    query = {k: v[0] for k, v in parse_qs(back.query).items()}
    answer = b.ask("%s%s?%s" % (site.url, back.path, urlencode(change(query))))
    assert answer.status == 303 and "error" in answer.headers["location"]
    assert site.me(b).status == 401


def test_a_programs_token(site):
    token = site.provider.robot()
    me = site.me(Browser(), Authorization="Bearer " + token)
    assert me.status == 200 and me.json["user"] == "oidc:robot"
    assert set(me.json["rights"]) == {"query", "retrieve"}
    head, claims, signature = token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    more = json.loads(base64.urlsafe_b64decode(claims + "=="))
    more["roles"] = ["pacs-admins"]
    forged = base64.urlsafe_b64encode(json.dumps(more).encode()).decode().rstrip("=")
    for wrong in (".".join([head, forged, signature]), ".".join([none, claims, ""]),
                  ".".join([none, forged, signature]), token[:-4] + "AAAA", head + "." + claims, "x" * 9000):
        assert site.me(Browser(), Authorization="Bearer " + wrong).status in (400, 401, 431)
    account = site.url + "/api/tokens"
    answer = Browser().ask(account, "POST", json.dumps({"name": "x", "rights": ["query"], "password": "x"}),
                           {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
    assert answer.status == 403


def test_new_keys(site):
    assert site.me(Browser(), Authorization="Bearer " + site.provider.robot()).status == 200
    site.provider.stop()
    site.provider.start("two")
    token = site.provider.robot()
    end = time.monotonic() + 40  # an unknown key is asked for every 30 s at most
    while site.me(Browser(), Authorization="Bearer " + token).status != 200:
        assert time.monotonic() < end
        time.sleep(1)


def test_sign_out(site):
    b = Browser()
    site.sign_in(b, "ann")
    copy = Browser()
    copy.cookies = {k: dict(v) for k, v in b.cookies.items()}
    assert b.ask(site.url + "/api/sign-out", "POST", "", {"Origin": site.url}).status == 204
    assert site.me(b).status == 401 and site.me(copy).status == 401


def test_the_process_that_fetches_is_confined(site):
    pids = site.archive.processes()["fetch"]
    assert len(pids) == 1
    with open("/proc/%d/status" % pids[0], encoding="utf-8") as f:
        status = dict(line.split(":", 1) for line in f)
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    if os.geteuid() == 0:
        assert status["Uid"].split() == ["61106"] * 4
    os.kill(pids[0], signal.SIGKILL)  # another comes
    end = time.monotonic() + 20
    while site.archive.processes().get("fetch", pids) == pids:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert site.sign_in(Browser(), "ann").headers["location"] == "/"


def test_nothing_of_it_is_logged(site):
    log = site.archive.log()
    assert "signed in" in log and "oidc:ann" in log
    for secret in (SECRET, "code=", "eyJ", "code_verifier"):
        assert secret not in log
    for pid in sum(site.archive.processes().values(), []):
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            assert SECRET.encode() not in f.read()


def test_a_provider_that_is_another(site):
    site.configure(issuer=site.provider.issuer + "/")
    site.archive.reload()
    b = Browser()
    assert b.ask(site.url + "/api/oidc/start").status == 503
    site.archive.await_log("calls itself otherwise")
    site.configure()
    site.archive.reload()
    assert site.sign_in(b, "ann").headers["location"] == "/"


def test_a_provider_over_tls(site, tmp_path):
    """Its certificate is checked, by ca_file or the system's: here only the first knows it."""
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    shutil.copy(cert, os.path.join(site.archive.dir, "provider.ca.pem"))
    os.chown(os.path.join(site.archive.dir, "provider.ca.pem"), os.stat(site.archive.dir).st_uid, -1)
    former, site.provider = site.provider, Provider(site.provider.redirect, (key, cert)).start("one")
    try:
        since = len(site.archive.log())
        site.configure()
        site.archive.reload()
        assert Browser().ask(site.url + "/api/oidc/start").status == 503
        site.archive.await_log("the sign-in provider does not answer", since)
        site.configure(ca_file="provider.ca.pem")
        site.archive.reload()
        b = Browser()
        assert site.sign_in(b, "ann").headers["location"] == "/"
        assert site.me(b).json["user"] == "oidc:ann"
        site.configure(ca_file="provider.ca.pem", audience="https://other.example")
        site.archive.reload()
        assert site.me(b).status == 401  # other settings, and what the provider vouched for is over
    finally:
        site.provider.stop()
        site.provider = former
        site.configure()
        site.archive.reload()


def test_a_broken_file_is_said(site):
    path = os.path.join(site.archive.dir, "oidc.conf")
    with open(path, "a", encoding="utf-8") as f:
        f.write("nonsense = 1\n")
    assert "oidc.conf:" in site.archive.run("reload", site.archive.dir, status=1)
    assert site.sign_in(Browser(), "ann").headers["location"] == "/"  # as before
    site.archive.stop()
    site.archive.start()  # it is no reason not to serve images
    assert "nobody can sign in with the provider" in site.archive.log()
    assert Browser().ask(site.url + "/api/info").json["oidc"] is False
    site.configure()
    site.archive.reload()
    assert site.sign_in(Browser(), "ann").headers["location"] == "/"


def test_without_a_provider(site):
    os.unlink(os.path.join(site.archive.dir, "oidc.conf"))
    b = Browser()
    site.archive.reload()
    assert b.ask(site.url + "/api/oidc/start").status in (404, 503)
    end = time.monotonic() + 10
    while "fetch" in site.archive.processes():
        assert time.monotonic() < end
        time.sleep(0.1)
