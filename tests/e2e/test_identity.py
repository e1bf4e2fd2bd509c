"""Who somebody is, on the channels of web workers: sessions, tokens, second factor, and who has to wait."""
import base64
import hashlib
import json
import os
import re
import socket
import statistics
import time

import pytest

import ipc
from authbed import BEARER, COOKIE, PASSWORD, AuthBed, OnlyArchive, served, settings_of, totp

STORE, QUERY, RETRIEVE, DELETE, ADMIN = 2, 4, 8, 16, 32
NO_SUCH_OBJECT = 11


@pytest.fixture(scope="module")
def bed():
    with served(AuthBed(), ann="reader", bob="radiographer", boss="administrator") as b:
        yield b


def lines(worker, name):
    kind, got = worker.call(name)
    assert (kind, got["error"], got["done"]) == ("LINES", 0, 1)
    return [line.split("\t") for line in got["text"].decode().splitlines()]


def done(worker, name, **fields):
    kind, got = worker.call(name, **fields)
    assert kind == "DONE"
    return got["error"]


def test_a_session_is_its_users(bed):
    got = bed.sign_in("ann")
    assert got["error"] == 0 and len(got["session"]) == 43 and len(got["device"]) == 64
    worker, who = bed.identify(got["session"])
    assert who["user"] == b"ann" and who["roles"] == 1 and who["rights"] & ~1 == QUERY | RETRIEVE
    assert 0 < who["expires_s"] <= 1800 and who["second_factor"] == 0
    worker.send("RELEASE")
    _, who = bed.identify(bed.sign_in("boss")["session"], worker=worker)  # the channel serves another
    assert who["user"] == b"boss" and who["rights"] & ~1 == DELETE | ADMIN
    worker.close()


@pytest.mark.parametrize("kind, credential", [
    (COOKIE, b""), (COOKIE, b"x" * 43), (BEARER, b"gal_" + b"x" * 43), (BEARER, b"x" * 8192),
    (0, b"x"), (3, b"x"), (BEARER, b"e30.e30."), (BEARER, b"...."), (COOKIE, b"\xff\x00"),
])
def test_a_wrong_credential_is_nobodys(bed, kind, credential):
    worker, who = bed.identify(credential, kind)
    assert who["error"] != 0 and who["user"] == b"" and who["rights"] == 0
    with pytest.raises(ipc.Ended):  # nobody has no tokens: the phase is wrong, and the session ends
        worker.call("TOKENS")


WEB_SAYS = sorted(name for name, row in ipc.TABLE.items() if "web>archive" in row[1].split(","))


@pytest.mark.parametrize("name", WEB_SAYS)
def test_nobody_may_say_more_than_who_it_is(bed, name):
    worker = bed.web()
    worker.send(name)
    if {"new", "any"} & set(ipc.TABLE[name][2]):
        assert worker.receive()[0] in ("IDENTITY", "SIGNED_IN", "OIDC_GO", "CHANNEL")
        worker.close()
    else:
        assert worker.ended()


@pytest.mark.parametrize("name", [n for n in WEB_SAYS if ipc.TABLE[n][2] == ["new"]])
def test_somebody_is_nobody_else_before_release(bed, name):
    worker = bed.signed_in("ann")
    worker.send(name)
    assert worker.ended()


def test_a_channel_serves_a_new_request_after_any_other(bed):
    worker = bed.signed_in("bob").get_ring()
    worker.send("STORE_BODY", study="1.2.3", length=1000)
    assert worker.receive()[1]["error"] == 0
    worker.send("RELEASE")  # in the middle of an object
    _, who = bed.identify(bed.sign_in("ann")["session"], worker=worker)
    assert who["user"] == b"ann"
    worker.send("STORE_COMMIT", sop_class="1.2", sop_instance="1.2.3.4", study="1.2.3", series="1.2.3.1",
                transfer_syntax="1.2.840.10008.1.2", length=10)
    assert worker.ended()  # ann may not store


def test_an_address_is_a_proxys_word_alone(bed):
    got = bed.sign_in("ann", source="192.0.2.99", client="203.0.113.200")
    worker, _ = bed.identify(got["session"])
    assert [r[3] for r in lines(worker, "SESSIONS") if r[4] == "1"] == ["192.0.2.99"]


def test_a_session_is_no_token_and_a_token_no_session(bed):
    assert bed.identify(bed.sign_in("ann")["session"], BEARER)[1]["error"] != 0


def test_sign_out_ends_the_session(bed):
    got = bed.sign_in("ann")
    worker, _ = bed.identify(got["session"])
    assert done(worker, "SIGN_OUT") == 0
    worker.send("RELEASE")
    assert bed.identify(got["session"], worker=worker)[1]["error"] != 0


def test_a_session_ends_with_the_one_that_replaces_it(bed):
    first = bed.sign_in("ann")
    under_way, _ = bed.identify(first["session"])
    got = bed.sign_in("bob", "wrong password", session=first["session"], source="192.0.2.31")
    assert got["error"] != 0 and bed.identify(first["session"])[1]["error"] == 0
    assert bed.sign_in("ann", session=b"x" * 43)["error"] == 0  # that is none
    second = bed.sign_in("ann", session=first["session"])
    assert second["error"] == 0 and under_way.ended()
    assert bed.identify(first["session"])[1]["error"] != 0
    assert bed.identify(second["session"])[1]["error"] == 0


def test_a_wrong_password_says_nothing_of_the_user(bed):
    answers = []
    for user in ("ann", "nobody", "../ann", "", "boss"):
        got = bed.sign_in(user, "wrong password", source="192.0.2.77")
        answers.append((got["error"], got["need_code"], got["wait_s"], got["session"], got["device"]))
    assert len(set(answers)) == 1 and answers[0][0] != 0


def test_an_unknown_user_takes_as_long(bed):
    def times(user):
        taken = []
        for i in range(8):
            begin = time.monotonic()
            bed.sign_in(user, "wrong password", source="198.51.100.%d" % (i if user == "ann" else 100 + i))
            taken.append(time.monotonic() - begin)
        return statistics.median(taken)
    known, unknown = times("ann"), times("nobody")
    assert 0.5 < known / unknown < 2, (known, unknown)


def test_guessing_waits_and_nobody_else_does(bed):
    device = bed.sign_in("bob", source="203.0.113.9")["device"]
    for _ in range(30):  # from everywhere, and from beside the rightful user
        got = bed.sign_in("bob", "wrong password", source="203.0.113.9")
        if got["wait_s"]:
            break
    assert got["wait_s"] > 0 and got["session"] == b""
    assert bed.sign_in("bob", source="203.0.113.9")["wait_s"] > 0  # without a proof: this source waits
    assert bed.sign_in("bob", source="203.0.113.9", device=device)["error"] == 0
    assert bed.sign_in("bob", source="203.0.113.10")["error"] == 0
    got = bed.sign_in("ann", source="203.0.113.9", device=device)  # a proof is for one user
    assert got["error"] == 0  # ann has not failed here; bob's device did not help or harm


def test_a_flood_is_answered_wait(bed):
    workers = [bed.web("198.51.100.200") for _ in range(40)]
    for w in workers:
        w.send("SIGN_IN", user="nobody", password="x")
    begin = time.monotonic()
    assert bed.sign_in("ann", source="198.51.100.201")["error"] == 0
    assert time.monotonic() - begin < 3
    waits = sum(w.receive()[1]["wait_s"] > 0 for w in workers)
    assert waits >= 30
    for w in workers:
        w.close()


def test_tokens(bed):
    worker = bed.signed_in("bob")
    got = bed.change(worker, "TOKEN_CREATE", name="backup", rights=QUERY | RETRIEVE, days=5)
    assert got["error"] == 0
    token, ident = got["token"], got["id"].decode()
    assert re.fullmatch(rb"gal_[A-Za-z0-9_-]{43}", token)
    kept = settings_of(os.path.join(bed.dir, "tokens", ident + ".conf"))
    assert kept["sha256"] == hashlib.sha256(token).hexdigest() and kept["user"] == "bob"
    for folder, _, names in os.walk(bed.dir):
        for n in names:
            path = os.path.join(folder, n)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    assert token[4:] not in f.read()
    program, who = bed.identify(token, BEARER)
    assert who["user"] == b"bob" and who["rights"] & ~1 == QUERY | RETRIEVE
    assert 4 * 86400 < who["expires_s"] <= 5 * 86400
    mine = [row for row in lines(worker, "TOKENS") if row[0] == ident]
    assert mine[0][1:3] == ["backup", "query,retrieve"] and mine[0][5] != ""
    # A token cannot make others, change the password, or end its user's sessions.
    assert program.call("TOKEN_CREATE", name="x", rights=QUERY, days=1)[1]["error"] != 0
    assert program.call("PROVE", password=PASSWORD)[1]["error"] != 0
    assert program.call("PASSWORD_CHANGE", fresh="another password")[1]["error"] != 0
    assert program.call("TOTP_BEGIN")[1]["error"] != 0
    assert program.call("SESSIONS")[1]["error"] != 0
    program.send("RELEASE")
    other = bed.signed_in("ann")
    assert done(other, "TOKEN_REVOKE", id=ident) == NO_SUCH_OBJECT
    assert done(worker, "TOKEN_REVOKE", id="../galena") == NO_SUCH_OBJECT
    assert done(worker, "TOKEN_REVOKE", id=ident) == 0
    assert bed.identify(token, BEARER, worker=program)[1]["error"] != 0
    assert not os.path.exists(os.path.join(bed.dir, "tokens", ident + ".conf"))


@pytest.mark.parametrize("fields", [
    dict(rights=STORE), dict(rights=ADMIN), dict(rights=0), dict(rights=1 << 31 | QUERY),
    dict(days=0), dict(days=367), dict(name=""), dict(name="a\tb"),
])
def test_tokens_that_cannot_be(bed, fields):
    worker = bed.signed_in("ann")
    got = bed.change(worker, "TOKEN_CREATE", **dict(dict(name="x", rights=QUERY, days=1), **fields))
    assert got["error"] != 0 and got["token"] == b"" and got["detail"]
    worker.close()


def test_a_token_of_the_command_line(bed):
    token = bed.galena("token", "create", bed.dir, "script", "--user", "ann", "--can", "query,store").strip()
    assert bed.identify(token, BEARER)[1]["error"] != 0
    bed.reload()
    who = bed.identify(token, BEARER)[1]
    assert who["rights"] & ~1 == QUERY  # ann may not store
    ident = bed.galena("token", "list", bed.dir).split("script")[0].split()[-1]
    bed.galena("token", "revoke", bed.dir, ident)
    bed.reload()
    assert bed.identify(token, BEARER)[1]["error"] != 0


def test_a_changed_password_ends_all_other_sessions(bed):
    bed.user("carol")
    bed.reload()
    first, second = bed.sign_in("carol"), bed.sign_in("carol")
    worker, _ = bed.identify(first["session"])
    bed.identify(second["session"])
    assert len(lines(worker, "SESSIONS")) == 2
    assert bed.change(worker, "PASSWORD_CHANGE", "wrong password", fresh="another password")["error"] != 0
    time.sleep(0.6)
    for bad in ("short", "x" * 257, PASSWORD, b"\xff" * 20):
        got = bed.change(worker, "PASSWORD_CHANGE", fresh=bad)
        assert got["error"] != 0 and b"12 to 256 bytes" in got["detail"]
    fresh = bed.change(worker, "PASSWORD_CHANGE", fresh="another password")
    assert fresh["error"] == 0 and len(fresh["session"]) == 43 and fresh["session"] != first["session"]
    worker.send("RELEASE")
    for old in (first, second):  # the one that asked has another secret
        assert bed.identify(old["session"])[1]["error"] != 0
    bed.identify(fresh["session"], worker=worker)
    rows = lines(worker, "SESSIONS")
    assert len(rows) == 1 and rows[0][4] == "1" and rows[0][3] == "192.0.2.1"
    assert bed.sign_in("carol", source="192.0.2.50")["error"] != 0
    assert bed.sign_in("carol", "another password", device=fresh["device"])["error"] == 0
    # And from outside: the command line ends them all.
    bed.galena("user", "password", bed.dir, "carol")
    bed.reload()
    assert worker.ended()
    assert bed.identify(fresh["session"])[1]["error"] != 0


CHANGES = [("TOKEN_CREATE", dict(name="x", rights=QUERY, days=1)), ("TOTP_OFF", {}),
           ("PASSWORD_CHANGE", dict(fresh="another password")), ("TOTP_CONFIRM", dict(code="000000"))]


@pytest.mark.parametrize("name, fields", CHANGES)
def test_a_session_alone_changes_nothing(bed, name, fields):
    """Whoever found a browser open shall not keep what is found there."""
    worker = bed.signed_in("ann")
    secret = worker.call("TOTP_BEGIN")[1]["secret"].decode()
    if name == "TOTP_CONFIRM":
        fields = dict(code=totp(secret))

    def refused():
        got = worker.call(name, **fields)[1]
        return got["error"] != 0 and got["detail"] == b"This takes the password."

    assert refused()
    assert bed.prove(worker, "wrong password")["error"] != 0 and refused()
    time.sleep(0.6)
    assert bed.prove(worker)["error"] == 0 and lines(worker, "SESSIONS")
    worker.send("RELEASE")
    bed.identify(bed.sign_in("ann")["session"], worker=worker)
    assert refused()  # the proof was for another request
    assert bed.prove(worker)["error"] == 0
    assert bed.change(worker, "TOKEN_CREATE", name="once", rights=QUERY, days=1)["error"] == 0
    assert refused()  # and for one change
    assert settings_of(os.path.join(bed.dir, "users", "ann.conf")).get("totp", "") == ""
    assert bed.sign_in("ann")["error"] == 0


def test_a_session_guesses_no_password(bed):
    """Each wrong one makes the next come later, of that session; its bearer signs in all the same."""
    worker, waits = bed.signed_in("bob"), []
    for _ in range(5):
        got = bed.prove(worker, "wrong password")
        waits.append(got["wait_s"])
        if got["wait_s"]:
            time.sleep(got["wait_s"])
    assert waits[0] == 0 and max(waits) >= 1, waits
    assert bed.sign_in("bob", source="192.0.2.77")["error"] == 0
    assert bed.prove(bed.signed_in("bob"))["error"] == 0


@pytest.mark.parametrize("how", ["password", "second-factor", "remove", "collections", "role"])
def test_what_the_command_line_does_to_sessions(bed, how):
    """Other credentials end them, other rights leave them and count at once."""
    name = "s" + how.replace("-", "")
    bed.user(name)
    path = os.path.join(bed.dir, "users", name + ".conf")
    if how == "second-factor":
        secret = base64.b32encode(b"y" * 20).decode()
        with open(path, "a", encoding="utf-8") as f:
            f.write('totp = "%s"\n' % secret)
    bed.reload()
    got = bed.sign_in(name, code=totp(secret) if how == "second-factor" else "")
    assert bed.identify(got["session"])[1]["error"] == 0
    bed.galena("user", *{"password": ["password", bed.dir, name], "remove": ["remove", bed.dir, name],
                         "second-factor": ["second-factor", bed.dir, name, "--off"],
                         "collections": ["set", bed.dir, name, "--physician", "Smith"],
                         "role": ["set", bed.dir, name, "--role", "administrator"]}[how])
    bed.reload()
    stays = how in ("collections", "role")
    who = bed.identify(got["session"])[1]
    assert (who["error"] == 0) == stays
    if how == "role":
        assert who["rights"] & ADMIN and not who["rights"] & RETRIEVE


def test_one_ends_ones_other_sessions(bed):
    first, second = bed.sign_in("ann"), bed.sign_in("ann", source="2001:db8::7")
    worker, _ = bed.identify(first["session"])
    rows = [r for r in lines(worker, "SESSIONS") if r[3] == "2001:db8::7"]
    bobs = bed.signed_in("bob")
    assert done(bobs, "SESSION_REVOKE", id=rows[0][0]) == NO_SUCH_OBJECT
    assert bed.identify(second["session"])[1]["error"] == 0
    assert done(worker, "SESSION_REVOKE", id=rows[0][0]) == 0
    assert bed.identify(second["session"])[1]["error"] != 0


def test_a_request_under_way_loses_what_its_user_loses(bed):
    bed.user("hal", "reader,administrator")
    bed.reload()
    got = bed.sign_in("hal")
    under_way, _ = bed.identify(got["session"])
    other = bed.signed_in("hal")
    token = bed.change(other, "TOKEN_CREATE", name="t", rights=QUERY, days=1)["token"]
    program, _ = bed.identify(token, BEARER)
    other.send("RELEASE")
    bed.identify(got["session"], worker=other)
    mine = [r for r in lines(other, "SESSIONS") if r[4] == ""]
    assert done(other, "SESSION_REVOKE", id=mine[0][0]) == 0  # another: this one goes on
    assert lines(under_way, "TOKENS")
    assert done(other, "SIGN_OUT") == 0
    assert under_way.ended()
    assert program.call("TOKENS")[1]["error"] != 0  # it may not, but it is there
    bed.galena("user", "remove", bed.dir, "hal")
    bed.reload()
    assert program.ended()


def test_a_removed_user_is_nobody(bed):
    bed.user("dave")
    token = bed.galena("token", "create", bed.dir, "t", "--user", "dave", "--can", "query").strip()
    bed.reload()
    got = bed.sign_in("dave")
    assert bed.identify(got["session"])[1]["error"] == 0
    bed.galena("user", "remove", bed.dir, "dave")
    bed.reload()
    assert bed.identify(got["session"])[1]["error"] != 0
    bed.user("dave")  # somebody else of this name has neither session nor token
    bed.reload()
    assert bed.identify(got["session"])[1]["error"] != 0
    assert bed.identify(token, BEARER)[1]["error"] != 0


def test_roles_are_those_of_now(bed):
    bed.user("erin", "reader,administrator")
    bed.reload()
    got = bed.sign_in("erin")
    assert bed.identify(got["session"])[1]["rights"] & ADMIN
    path = os.path.join(bed.dir, "users", "erin.conf")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("reader,administrator", "reader"))
    bed.reload()
    assert bed.identify(got["session"])[1]["rights"] & ~1 == QUERY | RETRIEVE


def confirm(bed, worker, code):
    assert bed.prove(worker)["error"] == 0
    return worker.call("TOTP_CONFIRM", code=code)[1]


def test_second_factor(bed):
    bed.user("fay")
    bed.reload()
    first, second = bed.sign_in("fay"), bed.sign_in("fay")
    worker, _ = bed.identify(first["session"])
    assert confirm(bed, worker, "123456")["error"] != 0  # not begun
    name, got = worker.call("TOTP_BEGIN")
    assert (name, got["error"]) == ("TOTP_SECRET", 0)
    secret = got["secret"].decode()
    assert len(base64.b32decode(secret)) == 20
    assert got["uri"].decode() == "otpauth://totp/Test:fay?secret=%s&issuer=Test" % secret
    assert bed.sign_in("fay")["error"] == 0  # not confirmed yet
    assert confirm(bed, worker, "000000")["error"] != 0
    code = totp(secret)
    fresh = confirm(bed, worker, code)
    assert fresh["error"] == 0 and fresh["session"]
    assert settings_of(os.path.join(bed.dir, "users", "fay.conf"))["totp"] == secret
    for old in (first, second):
        assert bed.identify(old["session"])[1]["error"] != 0
    assert bed.identify(fresh["session"])[1]["second_factor"] == 1
    got = bed.sign_in("fay")
    assert got["error"] != 0 and got["need_code"] == 1 and got["session"] == b""
    got = bed.sign_in("fay", "wrong password", code=totp(secret), source="192.0.2.60")
    assert got["error"] != 0 and got["need_code"] == 0
    assert bed.sign_in("fay", code=code)["error"] != 0  # each code once, the one it was set up with too
    time.sleep(0.6)
    later = totp(secret, time.time() + 30)
    got = bed.sign_in("fay", code=later, source="192.0.2.61")
    assert got["error"] == 0
    assert bed.sign_in("fay", code=later, source="192.0.2.62")["error"] != 0


def test_a_second_factor_is_part_of_every_proof(bed):
    secret = base64.b32encode(b"z" * 20).decode()
    bed.user("gus")
    with open(os.path.join(bed.dir, "users", "gus.conf"), "a", encoding="utf-8") as f:
        f.write('totp = "%s"\n' % secret)
    bed.reload()
    past, present, later = [totp(secret, time.time() + s) for s in (-30, 0, 30)]
    first = bed.sign_in("gus", code=past)
    assert first["error"] == 0
    worker, who = bed.identify(first["session"])
    assert who["second_factor"] == 1
    assert worker.call("TOTP_BEGIN")[1]["error"] != 0
    got = bed.prove(worker)
    assert got["error"] != 0 and got["need_code"] == 1
    for password, code in (("wrong password", present), (PASSWORD, "000000"), (PASSWORD, past)):
        got = bed.prove(worker, password, code)
        assert got["error"] != 0 and not got["need_code"]
        assert worker.call("TOTP_OFF")[1]["error"] != 0
        time.sleep(max(1, got["wait_s"]) + 2)
    assert bed.prove(worker, code=present)["error"] == 0
    assert worker.call("TOKEN_CREATE", name="t", rights=QUERY, days=1)[1]["error"] == 0
    assert bed.change(worker, "TOTP_OFF", code=present)["error"] != 0  # once, here too
    time.sleep(0.6)
    fresh = bed.change(worker, "TOTP_OFF", code=later)
    assert fresh["error"] == 0 and fresh["session"]
    assert bed.identify(first["session"])[1]["error"] != 0
    assert bed.sign_in("gus", source="192.0.2.63")["error"] == 0
    worker, _ = bed.identify(fresh["session"])
    assert b"no second factor" in bed.change(worker, "TOTP_OFF")["detail"]


def test_the_command_line_turns_a_second_factor_off(bed):
    path = os.path.join(bed.dir, "users", "gina.conf")
    bed.user("gina")
    with open(path, "a", encoding="utf-8") as f:
        f.write('totp = "%s"\n' % base64.b32encode(b"x" * 20).decode())
    bed.reload()
    assert bed.sign_in("gina")["need_code"] == 1
    assert "yes" in [x for x in bed.galena("user", "list", bed.dir).splitlines() if x.startswith("gina")][0]
    bed.galena("user", "second-factor", bed.dir, "gina", "--off")
    bed.reload()
    assert bed.sign_in("gina")["error"] == 0


def test_names_of_nobody_are_not_logged(bed):
    """People type passwords into the field for the name."""
    bed.auth_log()
    for name in (PASSWORD, "ann\tX", "Ann", "ann "):
        assert bed.sign_in(name, "wrong password", source="192.0.2.81")["error"] != 0
    assert bed.sign_in("ann", "wrong password", source="192.0.2.82")["error"] != 0
    lines = [x for x in bed.auth_log() if "192.0.2.8" in x]  # what was said before may come late
    assert lines == ["unknown user from=192.0.2.81"] * 4 + ["wrong password user=ann from=192.0.2.82"]


def test_nothing_of_it_is_logged(bed):
    bed.auth_log()
    text = bed.errors() + "\n".join(bed.all_auth_log)
    assert "signed in" in text and "second factor" in text
    for secret in (PASSWORD, "another password", "gal_", "$argon2id$"):
        assert secret not in text


def test_without_a_provider_there_is_no_oidc(bed):
    assert bed.web().call("OIDC_START", return_to="/")[1]["error"] != 0
    name, got = bed.web().call("OIDC_FINISH", cookie=b"x" * 64, state=b"x" * 64, code="x")
    assert name == "SIGNED_IN" and got["error"] != 0


def test_auth_ends_and_another_comes():
    with served(AuthBed(), ann="reader") as b:
        got = b.sign_in("ann")
        worker, _ = b.identify(got["session"])
        worker.send("RELEASE")
        b.auth.kill()
        b.auth.wait()
        time.sleep(0.2)
        assert b.identify(got["session"], worker=worker)[1]["error"] != 0  # not remembered either
        assert b.sign_in("ann")["error"] != 0
        b.start_auth()
        assert b.identify(got["session"], worker=worker)[1]["error"] != 0
        assert b.sign_in("ann")["error"] == 0


def test_another_auth_before_the_end_of_the_last_was_heard():
    """What that one was asked is answered all the same."""
    with served(OnlyArchive()) as b:
        first = b.auth_channel()
        worker = b.web()
        worker.send("IDENTIFY", kind=BEARER, credential="x")
        assert first.receive()[0] == "AUTH_IDENTIFY"
        second = b.auth_channel()
        assert worker.receive()[1]["error"] != 0
        worker.send("IDENTIFY", kind=BEARER, credential="x")
        assert second.receive()[0] == "AUTH_IDENTIFY"


def text64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_tokens_with_made_up_keys_keep_no_others_out():
    """They wait until the provider was asked for its keys again; those with known keys do not."""
    issuer = "https://provider.example"
    with served(AuthBed(issuer=issuer, client_id="galena", audience="galena", algorithm="RS256",
                        url="https://here.example", scopes="openid", user_claim="sub", roles_claim="roles",
                        role="1\treaders")) as b:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(b.auth_control, [ipc.encode("FETCH_CHANNEL")], [theirs.fileno()])
        theirs.close()
        fetch = ipc.Channel(mine)
        def fetched(said=None):
            name, asked = fetch.receive()[:2]
            if said is not None:
                fetch.send("FETCHED", request=asked["request"], status=200, last=1,
                           body=json.dumps(said).encode())
            return asked["url"].decode()

        def ask(header, worker=None):
            worker = worker or b.web()
            worker.send("IDENTIFY", kind=BEARER, credential=".".join(
                [text64(header), text64({"n": os.urandom(8).hex()}), text64(b"s" * 256)]))
            return worker

        unknown, refused = {"alg": "RS256", "kid": "made up"}, {"alg": "HS256", "kid": "one"}
        first = ask(refused)
        places = {x: issuer + "/" + x for x in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        assert fetched(dict(places, issuer=issuer)).endswith("configuration")
        fetched({"keys": [{"kty": "RSA", "kid": "one", "n": text64(b"\xc1" * 256), "e": "AQAB"}]})
        denied = first.receive()[1]["error"]
        time.sleep(30.2)  # keys are asked for again every 30 s at most
        crowd = [ask(unknown) for _ in range(240)]
        fetched()  # slow to answer
        assert ask(refused).receive()[1]["error"] == denied
        assert sum(w.quiet(0) for w in crowd) <= 64


def test_auth_hears_what_is_on_disk_however_much_it_is_asked():
    """Else a token that was revoked would be good for it still, and its bearer would wait for ever."""
    with served(OnlyArchive(), ann="reader") as b:
        auth = b.auth_channel()
        crowd = [b.web() for _ in range(400)]
        for w in crowd:
            w.send("IDENTIFY", kind=BEARER, credential="x")
        refused = sum(not w.quiet(1) for w in crowd[-40:])
        assert refused == 40  # auth's channel is full
        auth.send("AUTH_STORE", request=77, what=1, name="ann", text="")
        b.stats()
        heard = []
        while ("AUTH_STORED", 77) not in heard:
            name, got = auth.receive()[:2]
            heard.append((name, got["request"]))
            if name == "AUTH_IDENTIFY":
                auth.send("AUTH_IDENTITY", request=got["request"], error=1)


def test_a_reload_ends_none_of_many_requests(bed):
    """All of them are asked about, more than auth's channel holds."""
    got = bed.sign_in("ann")
    crowd = [bed.identify(got["session"])[0] for _ in range(400)]
    bed.reload()
    for w in crowd:
        assert w.call("SESSIONS")[1]["error"] == 0
        w.send("RELEASE")
    other = bed.identify(got["session"], worker=crowd[0])[0]
    crowd[1:] = [bed.identify(got["session"], worker=w)[0] for w in crowd[1:]]
    assert done(other, "SIGN_OUT") == 0
    assert all(w.ended() for w in crowd[1:])


def test_a_request_that_asks_something_loses_it_too(bed):
    bed.user("ira", "reader")
    bed.reload()
    got = bed.sign_in("ira")
    asking = [bed.identify(got["session"])[0] for _ in range(4)]
    other = bed.identify(got["session"])[0]
    for w in asking:
        w.send("PROVE", password="a wrong pass code")
    assert done(other, "SIGN_OUT") == 0
    for w in asking:
        try:
            assert w.receive()[1]["error"] != 0
            w.send("SESSIONS")
        except ipc.Ended:
            continue
        assert w.ended()
