"""Who gets what: every row of the route table by everybody, for studies that are theirs, others', nobody's;
and the same user over DIMSE sees the same. What is asked for without a right to it must look like what is not
there."""
import base64
import glob
import hashlib
import hmac
import json
import os
import re
import time

import pytest

import dul
from conftest import ROOT
from web import JSON, PASSWORD, fill, make_bed, remove_bed, shown
from web_data import BRAIN, BULK, CHEST, FRAMES, NOWHERE

EVERYTHING = [BRAIN, CHEST, FRAMES, BULK]
SEEN = {"rita": EVERYTHING, "reader": EVERYTHING, "ward": [BRAIN, BULK], "referrer": [BRAIN],
    "researcher": [CHEST]}
ROUTE = re.compile(r'\{"(\w+)", ((?:[A-Z]+ ?)?(?:"[^"]*")?), (\w+), (ANYBODY|SIGNED_IN|WHO_MAY\(\w+\)),')
ACCEPT = {"metadata": JSON, "frames": 'multipart/related; type="application/octet-stream"'}


def routes():
    """(method, path with {} and *, access) as route.c has them."""
    with open(os.path.join(ROOT, "prog", "web", "route.c"), encoding="utf-8") as f:
        text = f.read()
    names = dict(re.findall(r"#define (STUDIES|STUDY|SERIES|INSTANCE) (.*)", text))

    def whole(path):
        while re.search(r"\b[A-Z]{5,}\b", path):
            path = re.sub(r"\b(STUDIES|STUDY|SERIES|INSTANCE)\b", lambda m: names[m.group(1)], path)
        return "".join(re.findall(r'"([^"]*)"', path))

    table = text[text.index("route_table[] = {"):text.index("route_count =")]
    return [(m, whole(p), access) for m, p, _, access in ROUTE.findall(table)]


ROUTES = routes()


def test_the_table_was_read():
    assert len(ROUTES) > 35 and ("GET", "/dicomweb/studies/{}/series/{}/instances/{}",
        "WHO_MAY(RETRIEVE)") in ROUTES
    with open(os.path.join(ROOT, "prog", "web", "route.c"), encoding="utf-8") as f:
        text = f.read()
    table = text[text.index("route_table[] = {"):text.index("route_count =")]
    assert len(ROUTES) == len(re.findall(r'^    \{"', table, re.M))


def place(path, study):
    uids = iter([study, study + ".1", study + ".1.1", "1"])
    if "wado" in path and "dicomweb" not in path:
        return path + ("?requestType=WADO&contentType=application/dicom&studyUID=%s&seriesUID=%s.1&objectUID="
                       "%s.1.1" % (study, study, study))
    return re.sub(r"\{\}", lambda m: next(uids, "x"), path).replace("*", "x")


def ask(client, method, path, study=NOWHERE, **options):
    accept = next((a for word, a in ACCEPT.items() if word in path), "*/*")
    body = b"" if method == "POST" else None
    headers = {"Content_Type": "application/json"} if body is not None else {}
    return client(method, place(path, study), body, Accept=accept, **dict(headers, **options))


def jwt(head, claims, key=b""):
    def part(x):
        return base64.urlsafe_b64encode(x).rstrip(b"=").decode()
    text = part(json.dumps(head).encode()) + "." + part(json.dumps(claims).encode())
    return text + "." + (part(hmac.new(key, text.encode(), hashlib.sha256).digest()) if key else "")


CLAIMS = {"iss": "https://127.0.0.1/", "aud": "galena", "sub": "rita", "exp": int(time.time()) + 3600,
          "preferred_username": "rita"}


@pytest.fixture(scope="module")
def bed():
    b = make_bed()
    fill(b)
    b.nobodys = dict(strangers(b))
    yield b
    remove_bed(b)


def strangers(b):
    """(who, Authorization) of those that are nobody."""
    yield "no identity", None
    yield "a token that never was", "Bearer gal_" + "A" * 43
    yield "a token cut short", "Bearer " + b.tokens["rita"][:-1]
    yield "a token with more", "Bearer " + b.tokens["rita"] + "A"
    yield "a token in another case", "Bearer " + b.tokens["rita"].swapcase()
    yield "Basic", "Basic " + base64.b64encode(("rita:" + PASSWORD).encode()).decode()
    yield "an empty bearer", "Bearer "
    yield "alg none", "Bearer " + jwt({"alg": "none"}, CLAIMS)
    yield "HS256 by a guess", "Bearer " + jwt({"alg": "HS256"}, CLAIMS, b"secret")
    yield "a kid that is a path", "Bearer " + jwt({"alg": "HS256", "kid": "../../../dev/null"}, CLAIMS, b"\0")
    yield "of another audience", "Bearer " + jwt({"alg": "RS256"}, dict(CLAIMS, aud="other"), b"x")
    yield "8 KB of it", "Bearer " + "A" * 8000
    yield "expired", "Bearer " + expired(b)
    yield "revoked", "Bearer " + revoked(b)


def expired(b):
    token = b.archive.run("token", "create", b.archive.dir, "old", "--user", "rita", "--can", "query").strip()
    digest = hashlib.sha256(token.encode()).hexdigest()
    for path in glob.glob(os.path.join(b.archive.dir, "tokens", "*.conf")):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if digest in text.lower() or '"old"' in text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(re.sub(r'(?m)^(created|expires) = "?\d{4}-', r'\1 = "2020-', text))
    return token


def revoked(b):
    token = b.archive.run("token", "create", b.archive.dir, "gone", "--user", "rita", "--can",
        "query").strip()
    listed = b.archive.run("token", "list", b.archive.dir)
    b.archive.run("token", "revoke", b.archive.dir, re.search(r"(?m)^(\S+)\s+gone\b", listed).group(1))
    b.archive.reload()
    return token


WHO = ["no identity", "a token that never was", "a token cut short", "a token with more",
    "a token in another case",
       "Basic", "an empty bearer", "alg none", "HS256 by a guess", "a kid that is a path",
       "of another audience",
       "8 KB of it", "expired", "revoked"]
CLOSED = [r for r in ROUTES if r[2] != "ANYBODY"]
OF_A_STUDY = [r for r in ROUTES if "/studies/{}" in r[1] or r[1] == "/wado"]


@pytest.mark.parametrize("who", WHO)
def test_nobody_gets_anything(bed, who):
    """401, the same for each study, and not a word of it."""
    assert set(WHO) == set(bed.nobodys)
    for method, path, _ in CLOSED:
        answers = [ask(bed, method, path, study, token=None, Authorization=bed.nobodys[who])
                   for study in (BRAIN, NOWHERE)]
        for a in answers:
            assert a.status == 401, (method, path, a)
            assert a.header("www-authenticate").startswith("Bearer"), (method, path)
            assert b"WEB" not in a.body and b"2.25" not in a.body
        assert answers[0].body == answers[1].body


def may_not():
    """(user, right it lacks)"""
    return [("auditor", "RETRIEVE"), ("auditor", "STORE"), ("boss", "QUERY"), ("boss", "RETRIEVE"),
        ("boss", "STORE"),
            ("reader", "STORE"), ("reader", "ADMIN"), ("ward", "STORE"), ("ward", "ADMIN"),
            ("referrer", "STORE"),
            ("researcher", "STORE"), ("researcher", "ADMIN"), ("rita", "ADMIN"), ("auditor", "QUERY")]


@pytest.mark.parametrize("user,right", may_not())
def test_who_lacks_the_right(bed, user, right):
    """403, whether it is there or not."""
    rows = [r for r in ROUTES if r[2] == "WHO_MAY(%s)" % right]
    assert rows
    for method, path, _ in rows:
        answers = [ask(bed, method, path, study, token=bed.tokens[user]) for study in (BRAIN, NOWHERE)]
        assert [a.status for a in answers] == [403, 403], (method, path, answers)
        assert answers[0].body == answers[1].body


@pytest.mark.parametrize("user", ["ward", "referrer", "researcher"])
@pytest.mark.parametrize("method,path", [r[:2] for r in OF_A_STUDY if r[0] != "POST"])
def test_somebody_elses_study_is_as_none(bed, user, method, path):
    nowhere = ask(bed, method, path, NOWHERE, token=bed.tokens[user])
    for study in set(EVERYTHING) - set(SEEN[user]):
        other = ask(bed, method, path, study, token=bed.tokens[user])
        assert other.status in (204, 403, 404, 501) and shown(other) == shown(nowhere), (other, nowhere)


@pytest.mark.parametrize("user", sorted(SEEN))
def test_everybody_sees_their_own(bed, user):
    answer = bed.get("studies", token=bed.tokens[user])
    found = [i["0020000D"]["Value"][0] for i in answer.json()]
    assert sorted(found) == sorted(SEEN[user])
    for level, key in (("series", "0020000D"), ("instances", "0020000D")):
        got = {i[key]["Value"][0] for i in bed.get(level + "?limit=1000", token=bed.tokens[user]).json()}
        assert got == set(SEEN[user])
    for study in EVERYTHING:
        status = bed.get("studies/%s/metadata" % study, token=bed.tokens[user]).status
        assert status == (200 if study in SEEN[user] else 404)


@pytest.mark.parametrize("user", sorted(SEEN))
def test_dimse_gives_the_same_user_the_same(bed, user):
    with bed.archive.associate(identity=(user, PASSWORD), contexts=[(dul.STUDY_FIND, [dul.EXPLICIT])]) as a:
        answers = list(a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="")))
    assert answers[-1][0] == 0
    over_dimse = sorted(d.StudyInstanceUID for _, d in answers[:-1])
    over_web = sorted(i["0020000D"]["Value"][0] for i in bed.get("studies", token=bed.tokens[user]).json())
    assert over_dimse == over_web == sorted(SEEN[user])


def test_counts_and_warnings_tell_nothing_of_others(bed):
    """Neither "additional results" nor totals count what one may not see."""
    for path in ("studies?limit=1", "instances?limit=1&count=true", "studies?limit=1&offset=1"):
        answer = bed.get(path, token=bed.tokens["referrer"])
        everything = bed.get("instances?limit=1000", token=bed.tokens["referrer"]).json()
        assert len(everything) == 3
        said = [int(n) for n in re.findall(r"\d+", (answer.header("warning") or "")[3:])]
        said += [int(answer.header("x-total-count") or 0)]
        assert all(n <= 3 for n in said), said


def test_a_token_may_less_than_its_user(bed):
    token = bed.archive.run("token", "create", bed.archive.dir, "only", "--user", "rita", "--can",
        "query").strip()
    bed.archive.reload()
    assert bed.get("studies", token=token).status == 200
    assert bed.get("studies/%s/metadata" % BRAIN, token=token).status == 403
    assert bed.stow(b"", token=token).status == 403


# --- browsers: cookies, and other sites' pages

@pytest.fixture(scope="module")
def cookie(bed):
    return bed.sign_in("rita")


CROSS = [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": "http://127.0.0.1"},
         {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
         {"Origin": "https://127.0.0.1:1"}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}]


@pytest.mark.parametrize("headers", CROSS, ids=str)
def test_other_sites_pages_change_nothing(bed, cookie, headers):
    for method, path, access in ROUTES:
        if method in ("POST", "DELETE") and access != "ANYBODY":
            answer = ask(bed, method, path, BRAIN, token=None, Cookie=cookie,
                         **{k.replace("-", "_"): v for k, v in headers.items()})
            assert answer.status == 403, (method, path, answer)
    assert bed.get("studies/%s/metadata" % BRAIN).status == 200


def test_signing_in_is_for_our_own_page(bed):
    """Nobody is signed in as somebody else by another site's form."""
    body = json.dumps({"user": "rita", "password": PASSWORD})
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = bed("POST", "/api/sign-in", body, token=None, Content_Type="application/json", **headers)
        assert answer.status == 403 and not answer.header("set-cookie"), answer
    for content in ("text/plain", "application/x-www-form-urlencoded"):
        answer = bed("POST", "/api/sign-in", body, token=None, Content_Type=content, Origin=None)
        assert answer.status in (400, 403, 415) and not answer.header("set-cookie"), answer


def test_no_origin_is_let_in(bed):
    for origin in ("https://evil.example", "null", "https://127.0.0.1:%d" % bed.port):
        answer = bed.get("studies", Origin=origin)
        assert not [k for k, _ in answer.headers if k.lower().startswith("access-control")]
        answer = bed("OPTIONS", "studies", Origin=origin, Access_Control_Request_Method="POST")
        assert not [k for k, _ in answer.headers if k.lower().startswith("access-control")]


# --- other ways to write a path

PATHS = ["/dicomweb//studies", "/dicomweb/studies/", "/dicomweb/%73tudies", "/DICOMweb/studies",
    "/dicomweb/./studies",
         "/dicomweb/x/../studies", "/x/../dicomweb/studies", "/dicomweb/studies;x=1", "/dicomweb/studies%2f",
         "/dicomweb%2fstudies", "/dicomweb/studies%00", "/dicomweb/studies?", "//dicomweb/studies",
             "/viewer/../dicomweb/studies",
         "/viewer/..%2fdicomweb/studies", "/dicomweb/studies/%s/" % BRAIN,
             "/dicomweb/studies/%s%%2fmetadata" % BRAIN,
         "/dicomweb/studies/%s/metadata/" % BRAIN, "/dicomweb/studies/%s%%00/metadata" % BRAIN,
         "/dicomweb\\studies", "/api/../dicomweb/studies", "/api//me", "/api/me/", "/api/admin/status/",
             "/%2e%2e/etc/passwd",
         "/../../etc/passwd", "/viewer/../../../etc/passwd", "/viewer/%2e%2e/%2e%2e/galena.conf",
             "/tls/ca.pem"]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_around(bed, path):
    answer = bed.get(path, token=None)
    assert answer.status != 200 or b"WEB" not in answer.body, answer
    assert answer.status in (400, 401, 404), answer
    for word in (b"root:", b"BEGIN", b"password"):
        assert word not in answer.body


def test_the_limits_of_a_name(bed):
    """Wrong passwords: one waits, and other users do not."""
    statuses = []
    for _ in range(12):
        answer = bed("POST", "/api/sign-in", json.dumps({"user": "auditor",
            "password": "wrong wrong wrong"}), token=None,
                     Content_Type="application/json", Origin="https://127.0.0.1:%d" % bed.port)
        statuses.append(answer.status)
        if answer.status == 429:
            assert int(answer.header("retry-after")) > 0
    assert set(statuses) <= {401, 429}
    assert bed.get("studies").status == 200


def test_what_administrators_are_told(bed):
    """How the archive is, its peers, its users: names and numbers, no patient, no secret."""
    told = {what: bed("GET", "/api/admin/" + what, token=bed.tokens["boss"], Accept="application/json")
            for what in ("status", "peers", "users", "today")}
    assert {a.status for a in told.values()} == {200}
    assert told["status"].json()["instances"] > 0
    peers = {p["name"]: p for p in told["peers"].json()}
    assert peers["first"]["can"] == ["store", "query", "retrieve"] and peers["first"]["lane"] == "tls"
    users = {u["name"]: u for u in told["users"].json()}
    assert users["ward"]["collections"] == ["ward"] and users["boss"]["roles"] == ["administrator"]
    assert sum(row["instances"] for row in told["today"].json()) > 0
    for answer in told.values():
        assert not [word for word in (b"argon2", b"gal_", b"WEB1", b"M\xc3\xbcller") if word in answer.body]
