"""The command line: what it makes, what it refuses, and how it says so."""
import datetime
import os
import re
import shutil
import stat
import subprocess

import dul
import pytest

from conftest import ROOT, galena


@pytest.fixture
def made(tmp_path):
    path = str(tmp_path / "a")
    return path, galena("init", path)


def test_init_makes_a_closed_archive(made):
    path, text = made
    assert re.search(r"password +([a-z2-9]{5}-){4}[a-z2-9]{5}\n", text)
    password = re.search(r"password +(\S+)", text).group(1)
    owner = 61100 if os.geteuid() == 0 else os.geteuid()
    for folder, _, files in os.walk(path):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in files:
            st = os.stat(os.path.join(folder, name))
            assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == owner, name
            with open(os.path.join(folder, name), "rb") as f:
                assert password.encode() not in f.read(), name
    assert os.path.getsize(os.path.join(path, "keys", "root.key")) == 32
    with open(os.path.join(path, "galena.conf"), encoding="utf-8") as f:
        conf = f.read()
    assert 'dicom = "127.0.0.1:2762"' in conf and 'plain = ""' in conf


def test_init_refuses_what_is_there(made, tmp_path):
    assert "is an archive already" in galena("init", made[0], status=1)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_text("x")
    assert "is not empty" in galena("init", str(tmp_path / "b"), status=1)
    assert "No such file" in galena("init", str(tmp_path / "no" / "such"), status=1)


@pytest.mark.parametrize("args, says", [
    (["--plain", "0.0.0.0:11112"], "loopback or a private address only"),
    (["--plain", "8.8.8.8:11112"], "loopback or a private address only"),
    (["--dicom", "2762"], "write HOST:PORT"),
    (["--dicom", "127.0.0.1:99999"], "the port must be"),
    (["--dicom", "pacs.example:2762"], "literal address"),
    (["--ae", "A\\B"], "no backslash"),
    (["--ae", "12345678901234567"], "1 to 16"),
    (["--name", "x" * 65], "1 to 64 bytes"),
    (["--name", ""], "1 to 64 bytes"),
    (["--name", "two\nlines"], "1 to 64 bytes"),
    (["--bogus", "x"], "there is no option"),
    (["--ae"], "needs a value"),
    (["--ae", "A", "--ae", "B"], "given twice"),
    (["more"], "too much"),
])
def test_init_refuses_options(tmp_path, args, says):
    assert says in galena("init", str(tmp_path / "a"), *args, status=2)
    assert not (tmp_path / "a").exists()


def openssl(*args):
    return subprocess.run(["openssl", *args], capture_output=True, text=True, check=True).stdout


def certificate_days(path):
    ends = openssl("x509", "-in", path, "-noout", "-enddate").split("=")[1].strip()
    return (datetime.datetime.strptime(ends, "%b %d %H:%M:%S %Y %Z") - datetime.datetime.utcnow()).days


def certificate_names(path):
    return openssl("x509", "-in", path, "-noout", "-ext", "subjectAltName")


@pytest.fixture
def tls(tmp_path):
    folder = str(tmp_path / "own")
    galena("init", folder)
    return folder, os.path.join(folder, "tls")


def key_of(certificate):
    return openssl("x509", "-in", certificate, "-noout", "-pubkey")


def test_browsers_take_their_certificate(tls):
    """Apple's: no longer than 825 days, for servers alone (support.apple.com/HT210176)."""
    folder, t = tls
    https, ca = os.path.join(t, "https.cert.pem"), os.path.join(t, "ca.pem")
    assert 800 < certificate_days(https) < 825
    assert "OK" in openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, https)
    assert "TLS Web Client" not in openssl("x509", "-in", https, "-noout", "-ext", "extendedKeyUsage")
    assert "DNS:localhost" in certificate_names(https)
    shown = galena("certificate", "show", folder)
    assert openssl("x509", "-in", https, "-noout", "-fingerprint", "-sha256").split("=")[1].strip() in shown
    assert "this archive's authority" in shown


def sign_for(t, days, ca="ca", names="DNS:old.example"):
    """Another certificate for the key of https, by an authority in tls."""
    request = os.path.join(t, "request.pem")
    openssl("req", "-new", "-key", os.path.join(t, "https.key.pem"), "-subj", "/CN=x", "-addext",
            "subjectAltName=" + names, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", os.path.join(t, ca + ".pem"), "-CAkey",
            os.path.join(t, ca + ".key.pem"), "-days", str(days), "-copy_extensions", "copy", "-out",
            os.path.join(t, "https.cert.pem"))
    os.chmod(os.path.join(t, "https.cert.pem"), 0o644)


@pytest.mark.parametrize("days, renewed", [(300, False), (275, False), (272, True), (1, True)])
def test_a_certificate_that_ends_is_renewed(tls, days, renewed):
    folder, t = tls
    https = os.path.join(t, "https.cert.pem")
    sign_for(t, days, names="DNS:old.example,IP:127.0.0.1")
    before = key_of(https)
    galena("reload", folder, status=3)  # not being served: the next start finds it fresh
    assert (certificate_days(https) > 800) == renewed
    assert "DNS:old.example" in certificate_names(https) and key_of(https) == before


def test_names_in_the_settings_come_into_the_certificate(tls):
    folder, t = tls
    https = os.path.join(t, "https.cert.pem")
    with open(os.path.join(folder, "galena.conf"), "r+", encoding="utf-8") as f:
        text = f.read()
        f.seek(0)
        assert 'https_url = ""' in text
        f.write(text.replace('https_url = ""', 'https_url = "https://pacs.example.org:8443"'))
    galena("reload", folder, status=3)
    assert "DNS:pacs.example.org" in certificate_names(https)
    with open(https, encoding="ascii") as f:
        once = f.read()
    galena("reload", folder, status=3)
    with open(https, encoding="ascii") as f:
        assert f.read() == once
    assert "DNS:pacs" not in certificate_names(os.path.join(t, "server.cert.pem"))


def test_certificates_of_another_authority_are_left_alone(tls):
    folder, t = tls
    https = os.path.join(t, "https.cert.pem")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/O=Galena/CN=Galena certification authority", "-keyout", os.path.join(t, "site.key.pem"), "-out",
            os.path.join(t, "site.pem"))  # of the same name, too
    sign_for(t, 3, ca="site")
    with open(https, encoding="ascii") as f:
        theirs = f.read()
    galena("reload", folder, status=3)
    assert "another authority" in galena("certificate", "renew", folder, status=1)
    assert "another authority" in galena("certificate", "show", folder)
    with open(https, encoding="ascii") as f:
        assert f.read() == theirs


def test_more_names_for_a_certificate(tls):
    folder, t = tls
    server, https = os.path.join(t, "server.cert.pem"), os.path.join(t, "https.cert.pem")
    with open(server, encoding="ascii") as f:
        devices = f.read()
    galena("certificate", "renew", folder, "--names", "pacs.example.org,192.0.2.7,2001:db8::1")
    names = certificate_names(https)
    assert "DNS:pacs.example.org" in names and "IP Address:192.0.2.7" in names
    assert "IP Address:2001:DB8:0:0:0:0:0:1" in names
    with open(server, encoding="ascii") as f:
        assert f.read() == devices
    key = key_of(server)
    galena("certificate", "renew", folder, "--devices")
    assert "DNS:pacs.example.org" in certificate_names(https)  # they stay
    with open(server, encoding="ascii") as f:
        assert f.read() != devices
    assert key_of(server) == key and certificate_days(server) > 3600
    for bad in ("a b", "", "x,,y", "-", "a\nb", "x" * 300):
        assert "--names" in galena("certificate", "renew", folder, "--names", bad, status=2)


def test_certificates_hold(made):
    path = made[0]
    galena("peer", "add", path, "ct1", "--ae", "CT1", "--address", "192.0.2.7:104")
    ca = os.path.join(path, "tls", "ca.pem")
    server = os.path.join(path, "tls", "server.cert.pem")
    peer = os.path.join(path, "peers", "ct1", "cert.pem")
    assert "OK" in openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, server)
    assert "OK" in openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca, peer)
    names = openssl("x509", "-in", server, "-noout", "-ext", "subjectAltName")
    assert "DNS:localhost" in names and "IP Address:127.0.0.1" in names
    assert "IP Address:192.0.2.7" in openssl("x509", "-in", peer, "-noout", "-ext", "subjectAltName")
    digest = openssl("x509", "-in", peer, "-noout", "-fingerprint", "-sha256").split("=")[1].strip()
    with open(os.path.join(path, "peers", "ct1", "peer.conf"), encoding="utf-8") as f:
        assert digest.replace(":", "").lower() in f.read()
    with open(os.path.join(path, "peers", "ct1", "ca.pem")) as mine, open(ca) as theirs:
        assert mine.read() == theirs.read()


@pytest.mark.parametrize("args, status, says", [
    (["ct1", "--ae", "OTHER"], 1, "there is a peer ct1 already"),
    (["ct2", "--ae", "CT1"], 1, "belongs to peer ct1"),
    (["ct2", "--ae", " CT1 "], 1, "belongs to peer ct1"),
    (["old2", "--ae", "OLD", "--plain", "10.9.0.0/16"], 1, "belongs to peer old"),
    (["ct2"], 2, "--ae is missing"),
    (["ct2", "--ae", ""], 2, "1 to 16"),
    (["ct2", "--ae", "A\nB"], 2, "no control characters"),
    (["../ct2", "--ae", "CT2"], 2, "a peer's name has"),
    ([".ct2", "--ae", "CT2"], 2, "a peer's name has"),
    (["ct2", "--ae", "CT2", "--can", "everything"], 2, "store, query and retrieve"),
    (["ct2", "--ae", "CT2", "--address", "ct2"], 2, "write HOST:PORT"),
    (["ct2", "--ae", "CT2", "--plain", "0.0.0.0/0"], 2, "named addresses"),
    (["ct2", "--ae", "CT2", "--plain", "10.0.0.1/8"], 2, "bits set behind"),
    (["ct2", "--ae", "CT2", "--cert", "/nonexistent"], 2, "No such file"),
    (["ct2", "--ae", "CT2", "--cert", "/etc/hostname"], 2, "no certificate"),
])
def test_peer_add_refuses(made, args, status, says):
    galena("peer", "add", made[0], "ct1", "--ae", "CT1")
    galena("peer", "add", made[0], "old", "--ae", "OLD", "--plain", "10.1.0.0/16")
    assert says in galena("peer", "add", made[0], *args, status=status)
    assert sorted(os.listdir(os.path.join(made[0], "peers"))) == ["ct1", "old"]


def test_peer_life(made):
    path = made[0]
    assert "nobody can connect" in galena("peer", "list", path)
    text = galena("peer", "add", path, "ct1", "--ae", "CT1")
    tls = r"\+tls \S+/key.pem \S+/cert.pem \+cf \S+/ca.pem"
    assert re.search("storescu -v " + tls + " -aet CT1 -aec GALENA", text)
    assert "findscu" not in text  # it may not ask
    assert re.search(r"^ct1 +CT1 +store +TLS", galena("peer", "list", path), re.M)
    wide = galena("peer", "add", path, "ws", "--ae", "WS", "--plain", "127.0.0.1", "--can", "query")
    assert "WARNING" in wide
    assert "may          query (plain)" in galena("peer", "show", path, "ws")
    other = os.path.join(path, "peers", "ct1", "cert.pem")
    assert "key.pem" not in galena("peer", "add", path, "own", "--ae", "OWN", "--cert", other)
    assert not os.path.exists(os.path.join(path, "peers", "own", "key.pem"))
    galena("peer", "remove", path, "ct1")
    assert not os.path.exists(os.path.join(path, "peers", "ct1"))
    galena("peer", "remove", path, "ct1", status=1)
    galena("peer", "remove", path, "..", status=1)
    galena("peer", "show", path, "ct1", status=1)


def own_certificate(folder, name):
    path = str(folder / (name + ".pem"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
            "-subj", "/CN=" + name, "-keyout", str(folder / (name + ".key")), "-out", path)
    return path, openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256").split("=")[1].strip()


def test_peer_set(made, tmp_path):
    path = made[0]

    def shown():
        return galena("peer", "show", path, "ws")

    first, second = own_certificate(tmp_path, "first"), own_certificate(tmp_path, "second")
    galena("collection", "add", path, "ward", "--modality", "CT")
    galena("peer", "add", path, "ws", "--ae", "WS", "--can", "query", "--cert", first[0])
    before = shown()
    galena("peer", "set", path, "ws", "--ae", "WS2", "--can", "query,retrieve", "--address", "10.0.0.7:104",
           "--collections", "ward", "--plain", "10.0.0.7", "--cert", second[0])
    after = shown()
    for line in ("AE title     WS2", "may          query,retrieve (TLS)", "C-MOVE to    10.0.0.7:104\n",
                 "plain from   10.0.0.7/32", "may          store (plain)", "sees only    ward"):
        assert line in after
    assert after.count("certificate ") == 2
    with open(os.path.join(path, "peers", "ws", "cert.pem")) as f, open(first[0]) as a, open(second[0]) as b:
        assert f.read() == a.read() + b.read()
    galena("peer", "set", path, "ws", "--ae", "WS", "--can", "query", "--address", "", "--collections", "",
           "--plain", "", "--forget", second[1])
    assert shown() == before
    galena("peer", "set", path, "ws", "--cert", first[0])  # it has it
    assert shown() == before


@pytest.mark.parametrize("args, status, says", [
    ([], 2, "say what changes"),
    (["--ae", "CT1"], 1, "belongs to peer ct1"),
    (["--ae", ""], 2, "1 to 16"),
    (["--can", ""], 2, "store, query and retrieve"),
    (["--address", "here"], 2, "write HOST:PORT"),
    (["--collections", "nowhere"], 1, "no collection nowhere"),
    (["--plain", "0.0.0.0/0"], 2, "named addresses"),
    (["--plain", ""], 2, "could never connect"),
    (["--cert", "/nonexistent"], 2, "No such file"),
    (["--forget", "12:34"], 2, "SHA-256"),
    (["--forget", "ab" * 32], 2, "no such certificate"),
])
def test_peer_set_refuses(made, args, status, says):
    galena("peer", "add", made[0], "ct1", "--ae", "CT1", "--plain", "10.0.0.1")
    galena("peer", "add", made[0], "ws", "--ae", "WS", "--plain", "10.0.0.2")
    before = galena("peer", "show", made[0], "ws")
    assert says in galena("peer", "set", made[0], "ws", *args, status=status)
    assert galena("peer", "show", made[0], "ws") == before
    assert "no such peer" in galena("peer", "set", made[0], "nobody", "--can", "store", status=1)


def test_broken_peer_is_named(made):
    path = made[0]
    galena("peer", "add", path, "ct1", "--ae", "CT1")
    conf = os.path.join(path, "peers", "ct1", "peer.conf")
    with open(conf, encoding="utf-8") as f:
        text = f.read()
    with open(conf, "w", encoding="utf-8") as f:
        f.write(text.replace('can = "store"', 'can = "steal"'))
    assert "peers/ct1/peer.conf:4: can: must be a list of store" in galena("peer", "list", path, status=1)


def test_user_life(made):
    path = made[0]
    assert "administrator" in galena("user", "list", path)
    text = galena("user", "add", path, "anna", "--role", "reader,auditor")
    first = re.search(r"password +(\S+)", text).group(1)
    assert "there is a user anna already" in galena("user", "add", path, "anna", status=1)
    assert re.search(r"^anna +reader,auditor", galena("user", "list", path), re.M)
    conf = os.path.join(path, "users", "anna.conf")
    with open(conf, encoding="utf-8") as f:
        before = f.read()
    # libconfuse would take a bare $ for a variable
    assert re.search(r'password = "\\\$argon2id\\\$v=19\\\$m=19456,t=2,p=1\\\$', before)
    assert first not in before
    galena("user", "password", path, "anna", "--stdin", stdin="a password of my own\n")
    with open(conf, encoding="utf-8") as f:
        assert f.read() != before
    assert "12 to 256" in galena("user", "password", path, "anna", "--stdin", stdin="short\n", status=1)
    assert "a user's name has" in galena("user", "add", path, "../x", status=1)
    assert "--role" in galena("user", "add", path, "bob", "--role", "king", status=2)
    galena("user", "remove", path, "anna")
    galena("user", "remove", path, "anna", status=1)


def test_user_set(made):
    path = made[0]
    conf = os.path.join(path, "users", "anna.conf")

    def written():
        with open(conf, encoding="utf-8") as f:
            return f.read()

    galena("collection", "add", path, "ward", "--modality", "CT")
    galena("user", "add", path, "anna", "--role", "reader")
    before = written()
    galena("user", "set", path, "anna", "--role", "referrer,reader", "--collections", "ward",
           "--physician", "A^B")
    after = written()
    assert 'roles = "reader,referrer"' in after and 'collections = "ward"' in after and '"A^B"' in after
    galena("user", "set", path, "anna", "--role", "reader", "--collections", "", "--physician", "")
    assert written() == before  # the password's hash too
    assert "say what changes" in galena("user", "set", path, "anna", status=2)
    assert "--role" in galena("user", "set", path, "anna", "--role", "king", status=2)
    assert "no collection x" in galena("user", "set", path, "anna", "--collections", "x", status=1)
    assert "no such user" in galena("user", "set", path, "bob", "--role", "reader", status=1)
    assert written() == before


def test_not_served(made, tmp_path):
    path = made[0]
    assert "is not being served" in galena("status", path, status=3)
    assert "is not being served" in galena("stop", path, status=3)
    assert "start it" in galena("import", path, os.path.join(ROOT, "tests", "data"), status=1)
    assert "start it" in galena("export", path, str(tmp_path / "out"), "--study", "1.2.3", status=1)
    assert not (tmp_path / "out").exists()
    assert "is not an archive" in galena("status", str(tmp_path), status=1)
    assert "No such file" in galena("status", str(tmp_path / "nothing"), status=1)


def test_broken_settings_are_named(made):
    path = made[0]
    with open(os.path.join(path, "galena.conf"), "a", encoding="utf-8") as f:
        f.write("artim_s = 0\n")
    assert re.search(r"galena.conf:\d+: artim_s is given twice", galena("serve", path, status=1))


def verbs():
    text = galena("--help")
    return [v.split() for v in
            re.findall(r"^  galena ((?:peer |user |token |collection |certificate )?[a-z-]+)", text, re.M)]


def test_each_verb_has_help_and_a_page():
    found = verbs()
    assert ["peer", "add"] in found and ["export"] in found
    for verb in found:
        help_text = galena(*verb, "--help")
        assert help_text.startswith("galena " + " ".join(verb))
        page = galena("roff", *verb)
        assert page.startswith('.TH "galena-' + "-".join(verb))
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-"], input=page,
                              capture_output=True, text=True) if shutil.which("man") else None
        assert not done or (done.returncode == 0 and done.stderr == ""), done.stderr


@pytest.mark.parametrize("args, status, says", [
    ([], 2, "galena init DIR"),
    (["frob"], 2, "there is no verb frob"),
    (["peer"], 2, "peer add"),
    (["peer", "frob"], 2, "peer remove"),
    (["init"], 2, "missing, expected DIR"),
    (["version", "x"], 2, "too much"),
    (["status", "-x"], 2, "there is no option"),
    (["--version"], 0, "galena 0"),
])
def test_usage(args, status, says):
    assert says in galena(*args, status=status)


def test_a_running_server_learns_of_peers_at_once(fresh, tmp_path):
    text = galena("peer", "add", fresh.dir, "late", "--ae", "LATE")
    assert "The running server knows this peer now." in text
    fresh.associate("late").release()
    kept = str(tmp_path / "kept")
    shutil.copytree(os.path.join(fresh.dir, "peers", "late"), kept)
    assert "The running server knows that now." in galena("peer", "remove", fresh.dir, "late")
    with pytest.raises((dul.Rejected, OSError)):
        dul.Association(("127.0.0.1", fresh.port), "LATE", contexts=[(dul.VERIFICATION, [dul.IMPLICIT])],
                        tls=kept)


def test_what_the_server_does_not_take_is_not_said_to_be_known(fresh):
    keep = fresh.dir + ".first"
    shutil.copytree(os.path.join(fresh.dir, "peers", "first"), keep)
    conf = os.path.join(fresh.dir, "galena.conf")
    right = open(conf, encoding="utf-8").read()
    galena("user", "add", fresh.dir, "bob")
    with open(conf, "a", encoding="utf-8") as f:
        f.write("nonsense = 7\n")
    assert "the old settings stay: galena.conf:" in galena("reload", fresh.dir, status=1)
    for verb in (("peer", "remove", fresh.dir, "first"),
                 ("user", "set", fresh.dir, "bob", "--role", "auditor"),
                 ("token", "create", fresh.dir, "t", "--user", "bob", "--can", "query"),
                 ("user", "remove", fresh.dir, "bob")):
        assert "does not know" in galena(*verb, status=1)
    connect = lambda: dul.Association(("127.0.0.1", fresh.port), "FIRST", tls=keep,
                                      contexts=[(dul.VERIFICATION, [dul.IMPLICIT])])
    with connect() as a:  # true: it does not
        assert a.echo() == 0
    with open(conf, "w", encoding="utf-8") as f:
        f.write(right)
    assert "reloaded" in galena("reload", fresh.dir)
    with pytest.raises((dul.Rejected, OSError)):
        connect()


def test_status_reload_stop(fresh):
    text = galena("status", fresh.dir)
    assert text.startswith("state serving\n") and "dicom 127.0.0.1:%d" % fresh.port in text
    galena("reload", fresh.dir)
    assert "is being served already" in galena("serve", fresh.dir, status=1)
    assert "stopping" in galena("stop", fresh.dir)
    fresh.process.wait(30)
    galena("status", fresh.dir, status=3)
