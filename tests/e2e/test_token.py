"""galena token: what it prints, what it keeps, what it refuses."""
import hashlib
import os
import re
import stat

import pytest

from conftest import run_galena


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("token") / "a")
    run_galena("init", path)
    run_galena("user", "add", path, "ann")
    return path


def test_create_prints_the_token_alone(made):
    done = run_galena("token", "create", made, "nightly backup", "--user", "ann", "--can", "query,retrieve")
    assert re.fullmatch(r"gal_[A-Za-z0-9_-]{43}\n", done.stdout) and done.stderr == ""
    line = [x for x in run_galena("token", "list", made).stdout.splitlines() if "nightly backup" in x][0]
    ident = line.split()[0]
    assert "query,retrieve" in line and "ann" in line
    path = os.path.join(made, "tokens", ident + ".conf")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert hashlib.sha256(done.stdout.strip().encode()).hexdigest() in text and done.stdout[4:47] not in text
    run_galena("token", "revoke", made, ident)
    assert not os.path.exists(path)
    assert "there is no token" in run_galena("token", "revoke", made, ident, status=1).stderr


@pytest.mark.parametrize("args, says", [
    (["x"], "--user"),
    (["x", "--user", "ann"], "--can"),
    (["x", "--user", "ann", "--can", "everything"], "--can"),
    (["x", "--user", "ann", "--can", ""], "--can"),
    (["x", "--user", "../ann", "--can", "query"], "--user"),
    (["x", "--user", "ann", "--can", "query", "--days", "0"], "--days"),
    (["x", "--user", "ann", "--can", "query", "--days", "367"], "--days"),
    (["x", "--user", "ann", "--can", "query", "--days", "ten"], "--days"),
    (["x", "--user", "ann", "--can", "query", "--collections", "a/b"], "--collections"),
    (["", "--user", "ann", "--can", "query"], "name"),
    (["x" * 65, "--user", "ann", "--can", "query"], "name"),
    (["a\nb", "--user", "ann", "--can", "query"], "name"),
])
def test_create_refuses(made, args, says):
    done = run_galena("token", "create", made, *args, status=2)
    assert says in done.stderr and done.stdout == ""
    assert not os.listdir(os.path.join(made, "tokens"))


def test_create_wants_what_there_is(made):
    for args in (["--user", "nobody", "--can", "query"],
                 ["--user", "ann", "--can", "query", "--collections", "missing"]):
        assert run_galena("token", "create", made, "x", *args, status=1).stdout == ""


@pytest.mark.parametrize("ident", ["", ".", "..", "../users/ann", "0" * 300])
def test_revoke_takes_ids_only(made, ident):
    assert "there is no token" in run_galena("token", "revoke", made, ident, status=1).stderr
    assert os.path.exists(os.path.join(made, "users", "ann.conf"))


def test_a_user_takes_the_tokens_along(made):
    run_galena("user", "add", made, "bob")
    run_galena("token", "create", made, "x", "--user", "bob", "--can", "query")
    run_galena("user", "remove", made, "bob")
    assert "bob" not in run_galena("token", "list", made).stdout


def test_second_factor_is_only_turned_off(made):
    assert "--off" in run_galena("user", "second-factor", made, "ann", status=2).stderr
    assert "no such user" in run_galena("user", "second-factor", made, "nobody", "--off", status=1).stderr
    assert "password alone" in run_galena("user", "second-factor", made, "ann", "--off").stdout
