"""The web side against an outsider, and against users who want more than is theirs: signing in, sessions,
what is said of others' studies, what comes back of hostile text, and what a request can put into an answer.

Elsewhere: who gets which route (test_access), hostile bytes (test_hostile_http), hostile data
(test_dicomweb_stow), a provider's tokens (test_oidc).
"""
import base64
import concurrent.futures
import io
import json
import re
import socket
import ssl
import time
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest

from web import JSON, PASSWORD, XML, Answer, fill, make_bed, remove_bed, shown
from web_data import BRAIN, CHEST, CHEST_1, CT, NOWHERE, base, file_of, image

COOKIE = "__Host-galena"
WRONG = "wrong wrong wrong"
OWN = "2.25.4711.98" # a study of wstore's


@pytest.fixture(scope="module")
def bed():
    b = make_bed()
    fill(b)
    b.archive.run("user", "add", b.archive.dir, "wstore", "--role", "radiographer", "--collections", "ward",
                  "--stdin", stdin=PASSWORD + "\n")
    token = b.archive.run("token", "create", b.archive.dir, "wstore", "--user", "wstore", "--can",
                          "store,query,retrieve")
    b.tokens["wstore"] = token.strip()
    for name in ("temp", "victim", "patient"):
        b.archive.run("user", "add", b.archive.dir, name, "--role", "reader", "--stdin",
                      stdin=PASSWORD + "\n")
    b.archive.reload()
    b.origin = "https://127.0.0.1:%d" % b.port
    yield b
    status, log = b.archive.status(), b.archive.log()
    remove_bed(b)
    assert status["crashes"] == "0", log[-3000:]
    assert not [w for w in ("Sanitizer", "runtime error", PASSWORD, "<script", "evil")
                if w in log], log[-3000:]


def raw(bed, head, body=b"", source=None):
    """One request of these very bytes on a connection of its own: an Answer."""
    context = ssl.create_default_context(cafile=bed.cafile)
    with socket.create_connection(("127.0.0.1", bed.port), 20, (source, 0) if source else None) as s:
        with context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
            tls.sendall(head.encode("latin-1") + b"Connection: close\r\n\r\n" + body)
            got = b""
            while more := tls.recv(65536):
                got += more
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert "\n" not in "".join(lines) and "\r" not in "".join(lines), head
    headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
    return Answer(int(lines[0].split()[1]), headers, body)


def sign_in(bed, user, password=PASSWORD, source=None, cookie="", more=""):
    body = json.dumps({"user": user, "password": password}).encode()
    head = "POST /api/sign-in HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: %s\r\nContent-Length: %d\r\n" % (
        bed.port, bed.origin, len(body))
    return raw(bed, head + ("Cookie: %s\r\n" % cookie if cookie else "") + more, body, source)


def cookies(answer):
    """{name: (value, [attribute…])}"""
    found = [v.split("; ") for k, v in answer.headers if k.lower() == "set-cookie"]
    return {v[0].partition("=")[0]: (v[0].partition("=")[2], v[1:]) for v in found}


def as_user(bed, cookie, method, path, body=None, **headers):
    own = {"Origin": bed.origin, "Content_Type": "application/json"} if method != "GET" else {}
    return bed(method, path, body, token=None, Cookie=cookie, **dict(own, **headers))


def new_token(bed, cookie, name="x", rights=("query",), **more):
    body = json.dumps(dict(dict(password=PASSWORD), **more, name=name, rights=rights))
    return as_user(bed, cookie, "POST", "/api/tokens", body)


def device_of(answer):
    return "%s-device=%s" % (COOKIE, cookies(answer)[COOKIE + "-device"][0])


# --- signing in

FORMS = [ # of a sign-in, none of which is one; what is said of them
    ("nothing", b"", {400}), ("no JSON", b"user=rita&password=" + PASSWORD.encode(), {400}),
    ("a list", b"[]", {400}), ("no members", b"{}", {400}), ("no password", b'{"user":"rita"}', {401, 429}),
    ("null", b'{"user":null,"password":null}', {400}), ("a number", b'{"user":1,"password":"x"}', {400}),
    ("a list for a name", b'{"user":["rita"],"password":"x"}', {400}),
    ("an object for a name", b'{"user":{"$ne":""},"password":{"$ne":""}}', {400}),
    ("two names", b'{"user":"reader","user":"rita","password":"x"}', {400}),
    ("two passwords", b'{"user":"rita","password":"x","password":"%s"}' % PASSWORD.encode(), {401, 429}),
    ("a NUL in the name", b'{"user":"rita\\u0000","password":"%s"}' % PASSWORD.encode(), {400}),
    ("a NUL in the password", b'{"user":"rita","password":"%s\\u0000x"}' % PASSWORD.encode(), {400}),
    ("a NUL byte", b'{"user":"rita\0","password":"x"}', {400}),
    ("half a surrogate", b'{"user":"\\ud800","password":"x"}', {400}),
    ("no UTF-8", b'{"user":"\xff","password":"x"}', {400}),
    ("a byte order mark", b'\xef\xbb\xbf{"user":"rita","password":"%s"}' % PASSWORD.encode(), {400}),
    ("UTF-16", '{"user":"rita","password":"x"}'.encode("utf-16"), {400}),
    ("a name of 65", b'{"user":"%s","password":"x"}' % (b"r" * 65), {400}),
    ("a password of 1025", b'{"user":"rita","password":"%s"}' % (b"x" * 1025), {400}),
    ("a code of 17", b'{"user":"rita","password":"x","code":"%s"}' % (b"1" * 17), {400}),
    ("15,000 levels", b'{"user":' + b"[" * 15000 + b"]" * 1000, {400, 413}),
    ("300 values", b"[" + b"1," * 300 + b"1]", {400, 413}),
    ("16 KB and one byte", b'{"user":"rita"}'.ljust(16 * 1024 + 1), {413}), ("1 MB", b"x" * 1000000, {413}),
    ("more behind it", b'{"user":"rita","password":"%s"}{}' % PASSWORD.encode(), {400}),
    ("SQL", b'{"user":"rita\' --","password":"x"}', {401, 429}),
    ("a path", b'{"user":"../users/rita","password":"x"}', {401, 429}),
    ("another case", b'{"user":"RITA","password":"%s"}' % PASSWORD.encode(), {401, 429}),
    ("blanks around", b'{"user":" rita ","password":"%s"}' % PASSWORD.encode(), {401, 429}),
    ("line ends", b'{"user":"rita\\r\\nSet-Cookie: evil=1","password":"x"}', {401, 429}),
]


@pytest.mark.parametrize("name,body,allowed", FORMS, ids=[f[0] for f in FORMS])
def test_forms_that_sign_nobody_in(bed, name, body, allowed):
    answer = bed("POST", "/api/sign-in", body, token=None, Content_Type="application/json", Origin=bed.origin)
    assert answer.status in allowed, answer
    assert answer.type == "application/json" and set(answer.json()) <= {"error", "message", "wait_s"}
    assert not cookies(answer) and "evil" not in repr(answer.headers)
    assert not [w for w in (b"rita", PASSWORD.encode()) if w in answer.body], "nothing of it comes back"


def test_a_body_without_end_is_refused_at_its_limit(bed):
    """16 KB are enough to sign in: nobody reads the rest of 4 GB from a stranger."""
    context = ssl.create_default_context(cafile=bed.cafile)
    with socket.create_connection(("127.0.0.1", bed.port), 20) as s:
        with context.wrap_socket(s, server_hostname="127.0.0.1") as tls:
            tls.sendall(("POST /api/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://127.0.0.1\r\n"
                         "Content-Length: 4000000000\r\n\r\n").encode() + b" " * 20000)
            tls.settimeout(5)
            assert tls.recv(4096).startswith(b"HTTP/1.1 413 ")


NOBODIES = ["nobody", "reader ", "Reader", "../reader", "reader\u202e", "'; --", "r" * 64, "oidc:reader",
            "\u00e9"]


def test_users_cannot_be_told_from_nobody(bed):
    """Not by status, body or headers, nor by who has a second factor."""
    answers = [sign_in(bed, name, WRONG, source="127.0.3.%d" % (i + 1))
               for i, name in enumerate(["reader"] + NOBODIES)]
    assert len({repr(shown(a)) for a in answers}) == 1 and answers[0].status == 401, answers
    device = device_of(sign_in(bed, "reader", source="127.0.3.99"))
    with_device = [sign_in(bed, name, WRONG, source="127.0.3.1%02d" % i, cookie=device)
                   for i, name in enumerate(["auditor", "nobody", "reader"])]
    assert len({repr(shown(a)) for a in with_device}) == 1, with_device


def test_a_second_factor_is_asked_for_without_an_error(bed):
    """Browsers write each 4xx into their console. What comes is no session, and nothing more than that."""
    bed.archive.run("user", "add", bed.archive.dir, "twofold", "--role", "reader", "--stdin",
                    stdin=PASSWORD + "\n")
    with open(bed.archive.dir + "/users/twofold.conf", "a", encoding="utf-8") as f:
        f.write('totp = "%s"\n' % base64.b32encode(b"x" * 20).decode())
    bed.archive.reload()
    asked = sign_in(bed, "twofold", source="127.0.3.140")
    assert (asked.status, asked.json().get("need_code"), cookies(asked)) == (202, True, {})
    assert sign_in(bed, "twofold", WRONG, source="127.0.3.141").status == 401


def test_cookies_are_for_us_alone(bed):
    set_now = cookies(sign_in(bed, "reader", source="127.0.3.120"))
    assert set(set_now) == {COOKIE, COOKIE + "-device"}
    for value, attributes in set_now.values():
        assert re.fullmatch(r"[A-Za-z0-9_-]{43,64}", value)
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} < set(attributes)
        assert not [a for a in attributes if "domain" in a.lower()]  # else browsers refuse __Host-


@pytest.mark.parametrize("value", ["A" * 43, "", "a=b", "x" * 5000])
def test_a_session_cannot_be_brought_along(bed, value):
    """Fixation: who signs in gets a session that nobody knew before."""
    answer = sign_in(bed, "reader", source="127.0.3.121", cookie="%s=%s" % (COOKIE, value))
    session = cookies(answer)[COOKIE][0]
    assert answer.status == 200 and session != value
    assert as_user(bed, "%s=%s" % (COOKIE, value), "GET", "/api/me").status == 401
    again = sign_in(bed, "reader", source="127.0.3.121", cookie="%s=%s" % (COOKIE, session))
    assert cookies(again)[COOKIE][0] != session


def guess(bed, user, source, times, **options):
    return [sign_in(bed, user, WRONG, source=source, **options).status for _ in range(times)]


def test_who_guesses_waits_and_nobody_else(bed):
    device = device_of(sign_in(bed, "victim", source="127.0.4.1"))
    assert 429 in guess(bed, "victim", "127.0.4.2", 6)
    answer = sign_in(bed, "victim", source="127.0.4.2")  # the right one, too: it might have been guessed
    assert answer.status == 429 and int(answer.header("retry-after")) == answer.json()["wait_s"] > 0
    assert not cookies(answer)
    assert sign_in(bed, "victim", source="127.0.4.3").status == 200
    assert sign_in(bed, "patient", source="127.0.4.2").status == 200
    assert sign_in(bed, "victim", source="127.0.4.2", cookie=device).status == 200


@pytest.mark.parametrize("more", ["X-Forwarded-For: 10.0.0.%d\r\n", "Forwarded: for=10.0.0.%d\r\n",
                                  "X-Real-IP: 10.0.0.%d\r\n", "Cookie: " + COOKIE + "-device=%d\r\n"])
def test_who_guesses_cannot_be_somebody_else(bed, more):
    source = "127.0.4.%d" % (10 + len(more))
    statuses = [sign_in(bed, "victim", WRONG, source=source, more=more % i).status for i in range(6)]
    assert 429 in statuses, statuses


def test_one_password_for_many_names(bed):
    statuses = [sign_in(bed, "user%d" % i, WRONG, source="127.0.4.50").status for i in range(40)]
    assert statuses[:10] == [401] * 10 and 429 in statuses[20:], statuses
    assert sign_in(bed, "patient", source="127.0.4.51").status == 200


# --- sessions and tokens

def session_of(bed, user, source="127.0.5.1"):
    answer = sign_in(bed, user, source=source)
    assert answer.status == 200, answer
    return "%s=%s" % (COOKIE, cookies(answer)[COOKIE][0])


def listed(bed, cookie, what):
    return as_user(bed, cookie, "GET", "/api/" + what).json()


def test_who_signs_out_is_out_at_once(bed):
    cookie, other = session_of(bed, "temp"), session_of(bed, "temp")
    assert as_user(bed, cookie, "GET", "/dicomweb/studies").status == 200
    answer = as_user(bed, cookie, "POST", "/api/sign-out", b"")
    value, attributes = cookies(answer)[COOKIE]
    assert (answer.status, value) == (204, "") and "Max-Age=0" in attributes
    assert as_user(bed, cookie, "GET", "/dicomweb/studies").status == 401
    assert as_user(bed, other, "GET", "/dicomweb/studies").status == 200


def test_who_signs_in_again_leaves_no_session_behind(bed):
    """Whoever has its cookie does not stay in. A wrong password ends nothing."""
    cookie, other = session_of(bed, "temp"), session_of(bed, "victim")
    assert sign_in(bed, "temp", WRONG, "127.0.5.3", cookie=cookie).status == 401
    assert as_user(bed, cookie, "GET", "/api/me").status == 200
    for user, old in (("temp", cookie), ("temp", other)): # nor if somebody else had this browser
        answer = sign_in(bed, user, source="127.0.5.4", cookie=old)
        assert answer.status == 200 and COOKIE in cookies(answer)
        assert as_user(bed, old, "GET", "/api/me").status == 401


def test_what_a_page_asks_by_itself_is_no_use(bed):
    cookie = session_of(bed, "temp", "127.0.5.77")

    def last_seen(**headers):
        mine = [s for s in as_user(bed, cookie, "GET", "/api/sessions", **headers).json() if s["current"]]
        return mine[0]["last_seen"]

    began = last_seen()
    time.sleep(11)  # what auth said is remembered for ten seconds
    assert last_seen(Galena_Passive="1") == began
    assert last_seen() > began


def test_a_session_that_is_revoked_is_over_at_once(bed):
    thief, owner = session_of(bed, "temp", "127.0.5.66"), session_of(bed, "temp")
    assert as_user(bed, thief, "GET", "/dicomweb/studies").status == 200  # and is remembered now
    ident = [s["id"] for s in listed(bed, owner, "sessions") if s["client"] == "127.0.5.66"][0]
    assert as_user(bed, owner, "DELETE", "/api/sessions/" + ident).status == 204
    assert as_user(bed, thief, "GET", "/dicomweb/studies").status == 401


def test_sessions_and_tokens_of_others_are_as_none(bed):
    mine, theirs = session_of(bed, "temp"), session_of(bed, "patient")
    made = new_token(bed, theirs).json()
    ids = {"tokens": made["id"], "sessions": listed(bed, theirs, "sessions")[0]["id"]}
    for kind, ident in ids.items():
        assert ident not in json.dumps(listed(bed, mine, kind))
        answers = [as_user(bed, mine, "DELETE", "/api/%s/%s" % (kind, i))
                   for i in (ident, ident[::-1], "x", "..%2f" + ident, "%00", "A" * 64, "A" * 65)]
        assert {a.status for a in answers} <= {400, 404} and shown(answers[0]) == shown(answers[1])
        assert ident in json.dumps(listed(bed, theirs, kind))


TOKENS_DO_NOT = [("GET", "/api/sessions"), ("POST", "/api/tokens"), ("POST", "/api/sign-out"),
                 ("POST", "/api/password"), ("POST", "/api/second-factor"),
                 ("POST", "/api/second-factor/confirm"),
                 ("POST", "/api/second-factor/off"), ("DELETE", "/api/sessions/x")]


@pytest.mark.parametrize("method,path", TOKENS_DO_NOT)
def test_a_stolen_token_does_not_become_an_account(bed, method, path):
    body = json.dumps({"name": "more", "rights": ["query"], "old": PASSWORD, "new": "another pass code",
                       "code": "000000", "password": PASSWORD}) if method == "POST" else None
    answer = bed(method, path, body, token=bed.tokens["rita"], Content_Type="application/json")
    assert answer.status in (403, 404), answer
    assert "token" not in answer.json() and "secret" not in answer.json()


ALONE = [("/api/tokens", dict(name="mine", rights=["query"])), ("/api/second-factor/off", {}),
         ("/api/password", dict(new="another pass code")),
         ("/api/second-factor/confirm", dict(code="000000"))]


@pytest.mark.parametrize("path,body", ALONE)
def test_a_stolen_session_does_not_become_an_account(bed, path, body):
    cookie = session_of(bed, "temp")
    word = "old" if path == "/api/password" else "password"
    for proof, status, error in (({}, 400, "form"), ({word: ""}, 400, "form"), ({word: None}, 400, "form"),
                                 ({word: "x" * 1025}, 400, "form"), ({word: WRONG}, 403, "proof")):
        answer = as_user(bed, cookie, "POST", path, json.dumps(dict(body, **proof)))
        assert (answer.status, answer.json()["error"]) == (status, error), answer
    answer = as_user(bed, cookie, "POST", path, json.dumps(dict(body, **{word: PASSWORD})))
    assert answer.status == 429 and int(answer.header("retry-after")) >= 1
    assert as_user(bed, cookie, "GET", "/api/me").status == 200 and listed(bed, cookie, "tokens") == []


def test_a_new_password_is_a_new_session(bed):
    bed.archive.run("user", "add", bed.archive.dir, "mover", "--role", "reader", "--stdin",
                    stdin=PASSWORD + "\n")
    bed.archive.reload()
    thief, owner = session_of(bed, "mover", "127.0.5.66"), session_of(bed, "mover")
    token = new_token(bed, owner).json()["token"]
    body = json.dumps({"old": PASSWORD, "new": "another pass code"})
    answer = as_user(bed, owner, "POST", "/api/password", body)
    made = cookies(answer)
    assert answer.status == 204 and {COOKIE, COOKIE + "-device"} == set(made)
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(made[COOKIE][1])
    for old in (thief, owner):
        assert as_user(bed, old, "GET", "/api/me").status == 401
    assert as_user(bed, "%s=%s" % (COOKIE, made[COOKIE][0]), "GET", "/api/me").status == 200
    assert bed.get("studies", token=token).status in (200, 204)  # programs go on, until it is revoked


def test_one_kind_of_credential_is_not_the_other(bed):
    cookie, token = session_of(bed, "temp"), bed.tokens["rita"]
    session = cookie.split("=", 1)[1]
    for headers in (dict(Cookie="%s=%s" % (COOKIE, token)), dict(Authorization="Bearer " + session),
                    dict(Authorization="Bearer x", Cookie=cookie), dict(Authorization="", Cookie=cookie),
                    dict(Cookie="galena=" + session), dict(X_Authorization="Bearer " + token),
                    dict(Proxy_Authorization="Bearer " + token), dict(Authorization="Basic " + token)):
        assert bed.get("studies", token=None, **headers).status == 401, headers
    for path in ("studies?access_token=" + token, "studies?token=" + token, "studies?" + cookie):
        assert bed.get(path, token=None).status == 401, path


def test_a_token_has_no_more_than_its_user(bed):
    cookie = session_of(bed, "temp")
    for rights in (["admin"], ["delete"], ["store"], ["query", "store"], ["all"], [], "query", [1], {}):
        answer = new_token(bed, cookie, "more", rights)
        if answer.status != 201:
            continue
        may = bed.get("/api/me", token=answer.json()["token"]).json()["rights"]
        assert set(may) <= {"query"}, (rights, may)
    for days in (0, -1, 367, 1e99, "1", 10 ** 30, None):
        answer = new_token(bed, cookie, "long", days=days)
        assert answer.status == 400, (days, answer)


# --- cross-site, in spellings that look like ours

def alike(bed):
    ours = bed.origin
    return [ours + ".evil.example", ours + "/", ours + "@evil.example", ours.upper(), ours[:-1], ours + "0",
            ours.replace("https", "http"), "https://127.0.0.1", ours[8:], ours + ", https://evil.example",
            "https://evil.example, " + ours, "null, " + ours, ""]


def test_origins_that_look_like_ours(bed):
    cookie = session_of(bed, "temp")
    for origin in alike(bed):
        for more in ({}, {"Sec_Fetch_Site": "same-origin"}):
            answer = as_user(bed, cookie, "POST", "/api/tokens", "{}", **dict(more, Origin=origin))
            assert answer.status == 403 and answer.json()["error"] == "cross_site", (origin, answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "PROPFIND", "get", "X"])
def test_methods_that_are_none(bed, method):
    cookie = session_of(bed, "temp")
    for path in ("/api/tokens", "/api/me", "/dicomweb/studies/" + BRAIN, "/"):
        answer = as_user(bed, cookie, method, path)
        assert answer.status in (400, 405, 501), (path, answer)
        assert cookie.split("=")[1].encode() not in answer.body, "TRACE echoes nothing"


MEANINGLESS = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL",
               "X-Rewrite-URL", "X-Forwarded-Prefix"]


@pytest.mark.parametrize("header", [m.replace("-", "_") for m in MEANINGLESS])
def test_headers_that_mean_nothing(bed, header):
    value = "DELETE" if "Method" in header else "/api/info"
    answer = bed.get("studies/%s/metadata" % BRAIN, token=bed.tokens["reader"], **{header: value})
    assert answer.status == 200 and answer.type == JSON
    assert bed.get("/api/me", token=None, **{header: value}).status == 401


# --- what is not one's own

OCTETS, PART10 = {"Accept": "application/octet-stream"}, {"Accept": "application/dicom"}
ANYTHING, XML_TOO = {"Accept": "*/*"}, {"Accept": XML}
INSTANCE = "studies/{0}/series/{1}/instances/{2}"
WADO_URI = "/wado?requestType=WADO&studyUID={0}&seriesUID={1}&objectUID={2}"
ASKED = [ # path with the UIDs of a study, a series, an instance; headers
    ("studies/{0}", {}), ("studies/{0}", {"Accept": "application/zip"}),
    ("studies/{0}", {"Accept": "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1"}),
    ("studies/{0}", {"Accept": "image/jpeg"}), ("studies/{0}", {"Accept": None}),
    ("studies/{0}?accept=application/zip", {"Accept": None}),
    ("studies/{0}/metadata", XML_TOO), ("studies/{0}/metadata", {"If_None_Match": "*"}),
    ("studies/{0}/metadata", {"If_Match": "*"}),
    ("studies/{0}/metadata", {"If_Modified_Since": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    ("studies/{0}/series/{1}/metadata", {}), (INSTANCE + "/metadata", {}), (INSTANCE, PART10),
    (INSTANCE, dict(PART10, Range="bytes=0-0")), (INSTANCE, dict(PART10, Range="bytes=999999999-")),
    (INSTANCE, dict(PART10, Range="bytes=0-0", If_Range='"x"')),
    (INSTANCE + "/frames/1", OCTETS), (INSTANCE + "/frames/99999", OCTETS), (INSTANCE + "/frames/x", OCTETS),
    (INSTANCE + "/bulkdata", OCTETS), (INSTANCE + "/bulkdata/7FE00010", dict(OCTETS, Range="bytes=0-9")),
    (INSTANCE + "/bulkdata/00100010", ANYTHING), (INSTANCE + "/pixeldata", OCTETS),
    ("studies/{0}/rendered", {"Accept": "image/png"}), (INSTANCE + "/thumbnail", ANYTHING),
    ("studies/{0}/series", {}), ("studies/{0}/series/{1}/instances", {}),
    ("studies/{0}/instances?count=true", {}),
    ("studies?StudyInstanceUID={0}", {}), ("studies?StudyInstanceUID={0},1.2.3", {}),
    ("series?SeriesInstanceUID={1}", {}), ("instances?SOPInstanceUID={2}&includefield=all", {}),
    ("studies?0020000D={0}&limit=0&count=true", {}),
    ("studies?StudyInstanceUID={0}&includefield=NumberOfStudyRelatedInstances", XML_TOO),
    (WADO_URI + "&contentType=application/dicom", ANYTHING), (WADO_URI, ANYTHING),
    # others' objects by way of a study that one may see
    ("studies/%s/series/{1}/instances/{2}" % BRAIN, PART10), ("studies/%s/series/{1}/metadata" % BRAIN, {}),
    ("studies/%s/series/%s.1/instances/{2}/metadata" % (BRAIN, BRAIN), {}),
    ("studies/%s/instances?SeriesInstanceUID={1}" % BRAIN, {}),
    # other spellings
    ("studies/{0}/", {}), ("studies//{0}/metadata", {}), ("studies/%s/../{0}/metadata" % BRAIN, {}),
    ("studies/%s/%%2e%%2e/{0}/metadata" % BRAIN, {}), ("studies/%s%%2f..%%2f{0}/metadata" % BRAIN, {}),
    ("studies/{0}%20/metadata", {}), ("studies/{0};x/metadata", {}), ("studies/{0}%00/metadata", {}),
    ("studies/{0},%s/metadata" % BRAIN, {}), ("studies/{0}%5c%5c{0}/metadata", {}),
    ("studies/*/metadata", {}),
    ("studies/0{0}/metadata", {}), ("studies/{0}./metadata", {}),
    ("studies/{0}/metadata?StudyInstanceUID=" + BRAIN, {}),
    ("studies/%s/metadata?StudyInstanceUID={0}" % NOWHERE, {}),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("user", ["ward", "wstore"])
def test_others_studies_are_as_none(bed, user, method):
    """The same answer to the last byte as for what does not exist, however it is asked."""
    for path, headers in ASKED:
        theirs, none = [bed(method, path.format(study, study + ".1", study + ".1.1"), token=bed.tokens[user],
                            **headers) for study in (CHEST, NOWHERE)]
        assert theirs.status < 500 or theirs.status == 501, (path, theirs)
        assert repr(shown(theirs)).replace(CHEST, NOWHERE) == repr(shown(none)), (path, headers, theirs, none)
        assert b"Chest" not in theirs.body, (path, theirs)


FIRST_OF_BRAIN = "studies/%s/series/%s.1/instances/%s.1.1" % (BRAIN, BRAIN, BRAIN)
FIRST_OF_CHEST = "studies/%s/series/%s/instances/%s.1" % (CHEST, CHEST_1, CHEST_1)


def test_a_strong_etag_is_of_one_content_coding(bed):
    """RFC 9110 8.8.3.3."""
    for path in ("/", "/js/main.js", "/openapi.json"):
        plain, packed = [bed.get(path, Accept_Encoding=how) for how in ("identity", "gzip")]
        assert packed.header("content-encoding") == "gzip" and not plain.header("content-encoding")
        tags = {a.header("etag") for a in (plain, packed)}
        assert len(tags) == 2 or tags.pop().startswith("W/"), path
        assert bed.get(path, If_None_Match=plain.header("etag"), Accept_Encoding="gzip").status in (200, 304)


@pytest.mark.parametrize("path,accept", [("studies/%s/metadata" % CHEST, JSON),
                                         (FIRST_OF_CHEST, "application/dicom")])
def test_a_known_etag_says_nothing(bed, path, accept):
    """Who could see it once, or was told, learns nothing from it."""
    etag = bed.get(path, token=bed.tokens["reader"], Accept=accept).header("etag")
    assert bed.get(path, token=bed.tokens["reader"], Accept=accept, If_None_Match=etag).status == 304
    for name in ("If_None_Match", "If_Match", "If_Range"):
        answer = bed.get(path, token=bed.tokens["ward"], Accept=accept, Range="bytes=0-9", **{name: etag})
        assert answer.status == 404 and answer.header("etag") is None, answer


def places_of(tag):
    """(segment, offset, length) that the tag may say, were it a product of them that can be divided again."""
    inverse = [pow(m, -1, 1 << 64) for m in (0xBF58476D1CE4E5B9, 0x9E3779B97F4A7C15)]
    mixed = tag * inverse[0] % (1 << 64)
    for offset in range(1 << 20):
        said = (mixed ^ offset) * inverse[1] % (1 << 64)
        if said >> 32 < 16 and said % (1 << 32) < 1 << 26:
            yield said >> 32, offset, said % (1 << 32)


def test_an_etag_does_not_say_where_the_object_lies(bed):
    """Nor so how much there is, and in which order it came. It is the same after a restart."""
    def tag():
        return bed.get(FIRST_OF_CHEST, token=bed.tokens["reader"],
                       Accept="application/dicom; transfer-syntax=*").header("etag")

    before = tag()
    assert re.fullmatch('"[0-9a-f]{16}"', before)
    assert not list(places_of(int(before[1:-1], 16)))
    bed.archive.stop()
    bed.archive.start()
    assert tag() == before


def test_sums_of_a_shared_patient(bed):
    """BRAIN and CHEST are of one patient ID; who sees one of them counts one."""
    for level in ("studies", "series", "instances"):
        found = bed.get(level + "?PatientID=WEB1&includefield=all&limit=100", token=bed.tokens["ward"])
        assert b"Chest" not in found.body and CHEST.encode() + b"." not in found.body
        for item in found.json():
            assert item["0020000D"]["Value"] == [BRAIN]
            if "00201200" in item:
                assert item["00201200"]["Value"] == [1]


def seen(bed, user="reader"):
    """Of CHEST: metadata by instance, and one instance as a file."""
    token = bed.tokens[user]
    metadata = bed.get("studies/%s/metadata" % CHEST, token=token).json()
    return ({i["00080018"]["Value"][0]: i for i in metadata},
            bed.get(FIRST_OF_CHEST, token=token, Accept="application/dicom").body)


def test_what_is_uploaded_opens_nothing(bed):
    """Into others' study, under others' UIDs, with the right ward's name: nothing of it comes nearer."""
    def upload(series, number, uid=None, **more):
        d = image(base(CT, series, number, "CT", InstitutionName="Ward 3", PatientID="WEB1", **more))
        d.SOPInstanceUID = uid or d.SOPInstanceUID
        return bed.stow(file_of(d), token=bed.tokens["wstore"])

    before, file = seen(bed)
    plain = upload(OWN + ".1", 1)
    for answer in (upload(CHEST + ".77", 1), upload(CHEST_1, 77), upload(OWN + ".2", 1, CHEST_1 + ".2"),
                   upload(CHEST_1, 1, PatientComments="another")):
        assert answer.status == plain.status == 200 and set(answer.json()) == set(plain.json()), answer
        assert bed.get("studies/%s/metadata" % CHEST, token=bed.tokens["wstore"]).status == 404
        assert bed.get("studies?StudyInstanceUID=" + CHEST, token=bed.tokens["wstore"]).status == 204
    after, file_after = seen(bed)
    assert {uid: after[uid] for uid in before} == before and file_after == file, "what was there is as it was"
    for path in ("studies/" + CHEST, "studies/%s/series/%s" % (CHEST, CHEST_1), FIRST_OF_CHEST):
        theirs, none = [bed("DELETE", p, token=bed.tokens["wstore"])
                        for p in (path, path.replace(CHEST, NOWHERE))]
        assert theirs.status in (403, 404) and shown(theirs) == shown(none), (theirs, none)


RANGES = ["bytes=0-" + ",0-" * 2000, "bytes=" + ",".join("%d-%d" % (i, i + 1) for i in range(1000)),
          "bytes=-0", "bytes=5-2", "bytes=0-18446744073709551615", "bytes=18446744073709551615-",
          "bytes=0-18446744073709551616", "bytes=-99999999999", "bytes=-18446744073709551615", "bytes=0-0x10",
          "bytes=--1", "bytes=1e3-", "bytes=", "bytes", "lines=0-1", "bytes=0-0\t,1-1", "bytes=" + "9" * 5000]


@pytest.mark.parametrize("value", RANGES, ids=lambda r: r[:30])
def test_ranges(bed, value):
    """At most what there is, once."""
    path = FIRST_OF_BRAIN + "/bulkdata/7FE00010"
    whole = bed.get(path, token=bed.tokens["reader"], **OCTETS).body
    answer = bed.get(path, token=bed.tokens["reader"], Range=value, **OCTETS)
    assert answer.status in (200, 206, 416), answer
    assert answer.status == 416 or (answer.body in whole and answer.body), answer


# --- what comes back

KEPT = {"studies": JSON, "studies/%s/metadata" % BRAIN: JSON, FIRST_OF_BRAIN: "application/dicom",
        "studies/" + BRAIN: "application/zip", "instances": XML, "/api/me": "*/*", "/api/info": "*/*",
        "studies/%s/metadata" % NOWHERE: JSON, "/api/tokens": "*/*", "studies?nonsense=1": JSON,
        FIRST_OF_BRAIN + "/frames/1": "application/octet-stream"}


@pytest.mark.parametrize("path,accept", KEPT.items(), ids=list(KEPT))
def test_what_is_a_patients_is_in_no_shared_cache(bed, path, accept):
    for method in ("GET", "HEAD"):
        answer = bed(method, path, token=bed.tokens["rita"], Accept=accept)
        assert answer.header("cache-control") in ("no-store", "private, no-cache"), answer
        assert answer.header("cache-control") == "no-store" or answer.status == 200
        assert answer.header("x-content-type-options") == "nosniff" and answer.header("last-modified") is None
        assert "default-src 'none'" in answer.header("content-security-policy")
        assert answer.header("referrer-policy") == "no-referrer"


EVIL = {"PatientName": "<script>alert(1)</script>^\"'&amp;", "PatientID": "]]><!--{{7*7}}${7*7}",
        "StudyDescription": "\u202egpj.exe\u2028\u2029<img src=x onerror=alert(1)>",
        "SeriesDescription": "=cmd|' /C calc'!A0",
        "PatientComments": "a\r\nSet-Cookie: evil=1\r\n\r\n<svg onload=alert(1)>",
        "InstitutionName": "</NativeDicomModel>",
        "AccessionNumber": "../../etc/passwd"}
EVIL_STUDY = "2.25.4711.66"


@pytest.fixture(scope="module")
def evil(bed):
    d = image(base(CT, EVIL_STUDY + ".1", 1, "CT", **EVIL))
    answer = bed.stow(file_of(d, preamble=b"<html><script>alert(1)</script>".ljust(128, b"\0")))
    assert answer.status == 200, answer
    return EVIL_STUDY


def texts_of(item):
    return {v["Alphabetic"] if isinstance(v, dict) else v for a in item.values() for v in a.get("Value", [])}


@pytest.mark.parametrize("path", ["studies?StudyInstanceUID={}&includefield=all",
                                  "studies/{}/series?includefield=all",
                                  "studies/{}/instances?includefield=all", "studies/{}/metadata"])
def test_hostile_text_comes_back_as_text(bed, evil, path):
    answer = bed.get(path.format(evil))
    assert (answer.status, answer.type, answer.header("x-content-type-options")) == (200, JSON, "nosniff")
    assert "metadata" not in path or set(EVIL.values()) <= texts_of(answer.json()[0])
    as_xml = bed.get(path.format(evil), Accept='multipart/related; type="%s"' % XML)
    assert as_xml.status == 200 and as_xml.header("x-content-type-options") == "nosniff"
    for part in as_xml.parts():
        assert part.headers["content-type"].startswith(XML)
        assert b"<script" not in part.body and b"<img" not in part.body
        ElementTree.fromstring(part.body)


def test_hostile_text_gets_into_no_header_or_file_name(bed, evil):
    for accept in ("application/zip", 'multipart/related; type="application/dicom"'):
        answer = bed.get("studies/" + evil, Accept=accept)
        assert answer.status == 200 and answer.type in ("application/zip", "multipart/related")
        heads = repr(answer.headers) + (repr([p.headers for p in answer.parts()]) if "related" in accept
                                        else "")
        assert not [w for w in ("evil", "<script", "gpj", "passwd") if w in heads], heads
    names = zipfile.ZipFile(io.BytesIO(bed.get("studies/" + evil, Accept="application/zip").body)).namelist()
    assert all(re.fullmatch(r"[A-Z0-9_]+(/[A-Z0-9_]+)*", n) for n in names), names  # PS3.10 8.5


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\u202egnp.exe", "=1+1",
                                  "'; DROP TABLE x; --", "\u00fc" * 32])
def test_hostile_names_of_tokens_come_back_as_text(bed, name):
    cookie = session_of(bed, "temp")
    made, answer = new_token(bed, cookie, name), as_user(bed, cookie, "GET", "/api/tokens")
    assert (made.status, answer.type) == (201, "application/json")
    assert answer.header("x-content-type-options") == "nosniff"
    assert name in [t["name"] for t in answer.json()]
    assert as_user(bed, cookie, "DELETE", "/api/tokens/" + made.json()["id"]).status == 204


@pytest.mark.parametrize("name", ["a\r\nb", "a\nb", "a\tb", "a\0b", "\x1b[2J", "\x7f", "", "x" * 65,
                                  "\u00fc" * 33, None, 7,
                                  ["a"]])
def test_names_of_tokens_that_are_none(bed, name):
    """A line of a list is one token's; a terminal shows what it is."""
    cookie = session_of(bed, "temp")
    answer = new_token(bed, cookie, name)
    assert answer.status == 400, answer
    assert listed(bed, cookie, "tokens") == []


INJECTED = ["%0d%0aSet-Cookie:%20evil=1", "%0aX-Evil:1", "%0d%0a%0d%0a<script>alert(1)</script>",
            "%E5%98%8A%E5%98%8DX-Evil:1", "%00%0d%0aX-Evil:1", "\\r\\nX-Evil:1", "//evil.example",
            "%2f%2fevil.example", "/%5cevil.example", "javascript:alert(1)"]
INTO = ["/viewer/viewer?StudyInstanceUIDs={}", "/viewer/{}", "/?return={}", "/api/oidc/start?return={}",
        "/api/oidc/callback?state={}&code={}", "/dicomweb/studies?PatientName={}", "/dicomweb/studies?{}=1",
        "/dicomweb/studies/{}", "/{}", "/dicomweb/studies/%s?accept={}" % BRAIN,
        "/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}&contentType={}&transferSyntax={}",
        "/dicomweb/" + FIRST_OF_BRAIN + "/bulkdata/{}"]


def test_nothing_of_a_request_is_in_an_answers_header(bed):
    cookie = session_of(bed, "temp")

    def ask(case):
        head = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n" % case[0].replace("{}", case[1])
        return case, raw(bed, head + ("" if case[0].startswith("/viewer") else "Cookie: %s\r\n" % cookie))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for case, answer in pool.map(ask, [(p, t) for p in INTO for t in INJECTED]):
            names = {k.lower() for k, _ in answer.headers}
            assert "x-evil" not in names and "evil" not in repr(cookies(answer)), (case, answer)
            assert re.match(r"/(\?|$)", answer.header("location") or "/"), (case, answer)
            assert answer.type != "text/html" or case[0] == "/?return={}", (case, answer)
            assert b"<script>alert" not in answer.body or answer.type == "application/json", (case, answer)


@pytest.mark.parametrize("host", ["a&b", "a'b", "evil.example", "(x)", "a$b"])
def test_a_host_is_no_markup(bed, host):
    head = "OPTIONS /dicomweb HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: */*\r\n"
    answer = raw(bed, head % (host, bed.tokens["reader"]))
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert ElementTree.fromstring(answer.body)[0].get("base") == "https://%s/dicomweb" % host


def test_a_user_who_is_removed_is_out_at_once(bed):
    cookie = session_of(bed, "patient", "127.0.5.9")
    token = new_token(bed, cookie).json()["token"]
    assert bed.get("studies", token=token).status == 200
    bed.archive.run("user", "remove", bed.archive.dir, "patient")
    bed.archive.reload()
    assert bed.get("studies", token=token).status == 401
    assert as_user(bed, cookie, "GET", "/dicomweb/studies").status == 401
    assert sign_in(bed, "patient", source="127.0.5.9").status == 401


def test_a_flood_of_guesses_keeps_nobody_out(bed):
    """Argon2 takes its time; who is known here gets in beside it."""
    device = device_of(sign_in(bed, "victim", source="127.0.6.1"))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        flood = [pool.submit(sign_in, bed, "victim", WRONG, "127.0.6.%d" % (10 + i % 8)) for i in range(48)]
        time.sleep(0.2)
        begin = time.monotonic()
        assert sign_in(bed, "victim", source="127.0.6.10", cookie=device).status == 200
        assert time.monotonic() - begin < 10
        assert {f.result().status for f in flood} <= {401, 429}


@pytest.mark.parametrize("fresh", ["short", PASSWORD, "x" * 257, "a\0" + PASSWORD, "", None, 7])
def test_what_is_wrong_with_a_form_is_said_in_words(bed, fresh):
    """And not in those of a data set."""
    body = json.dumps({"old": PASSWORD, "new": fresh})
    answer = as_user(bed, session_of(bed, "temp"), "POST", "/api/password", body)
    assert answer.status == 400 and "data set" not in answer.json()["message"], answer
