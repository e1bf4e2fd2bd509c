"""Who gets in, and what comes back to those who don't (PS3.8 9.3.4, PS3.15 B.12)."""
import os
import socket
import ssl
import subprocess

import pytest

import dul

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_echo_over_tls(archive):
    with archive.associate() as a:
        assert a.echo() == 0


def test_a_peer_with_another_ae_title_is_refused(archive):
    with pytest.raises(dul.Rejected) as why:
        archive.associate(ae="SOMEONE")
    assert why.value.triple == (1, 1, 3)
    archive.await_log("calls itself SOMEONE")


def test_another_called_ae_title_is_refused(archive):
    with pytest.raises(dul.Rejected) as why:
        archive.associate(called="ORTHANC")
    assert why.value.triple == (1, 1, 7)


def foreign_peer(tmp_path):
    for command in (["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj",
                     "/CN=FIRST", "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],):
        subprocess.run(["openssl"] + command, check=True, capture_output=True)
    return str(tmp_path)


def test_a_foreign_certificate_gets_a_tls_alert_and_nothing_else(archive, tmp_path):
    folder = foreign_peer(tmp_path)
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        s = c.wrap_socket(socket.create_connection(("127.0.0.1", archive.port), 10))
        s.sendall(dul.associate_rq("FIRST", "GALENA", [(1, dul.VERIFICATION, [dul.IMPLICIT])]))
        assert s.recv(1) == b"", "an answer to a stranger"
        raise ConnectionError


def test_no_certificate_gets_a_tls_alert_and_nothing_else(archive):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        s = c.wrap_socket(socket.create_connection(("127.0.0.1", archive.port), 10))
        s.sendall(dul.associate_rq("FIRST", "GALENA", [(1, dul.VERIFICATION, [dul.IMPLICIT])]))
        assert s.recv(1) == b"", "an answer to a stranger"
        raise ConnectionError


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions(archive, version):
    c = dul.tls_context(os.path.join(archive.dir, "peers", "first"), version)
    s = c.wrap_socket(socket.create_connection(("127.0.0.1", archive.port), 10))
    s.sendall(dul.associate_rq("FIRST", "GALENA", [(1, dul.VERIFICATION, [dul.IMPLICIT])]))
    assert s.recv(1) == b"\x02"


def test_tls_1_1_is_refused(archive):
    done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % archive.port, "-tls1_1",
                           "-cipher",
                           "ALL:@SECLEVEL=0"], input="", capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 or "Cipher is (NONE)" in done.stdout


def test_a_plain_client_on_the_tls_port_is_named(archive):
    s = socket.create_connection(("127.0.0.1", archive.port), 10)
    s.sendall(dul.associate_rq("FIRST", "GALENA", [(1, dul.VERIFICATION, [dul.IMPLICIT])]))
    try:
        assert s.recv(100)[:1] in (b"", b"\x15"), "nothing, or a TLS alert"
    except ConnectionResetError:
        pass
    archive.await_log("TLS port")


def test_a_tls_client_on_the_plain_port_is_named(archive):
    s = socket.create_connection(("127.0.0.1", archive.plain_port), 10)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        dul.tls_context(os.path.join(archive.dir, "peers", "first")).wrap_socket(s)
    archive.await_log("TLS client spoke to the plain port")


CSA_NON_IMAGE = "1.3.12.2.1107.5.9.1"  # of spec/private.tsv


def store_one(association, sop_class, study):
    ds = dul.keys(SOPClassUID=sop_class, SOPInstanceUID=study + ".2", StudyInstanceUID=study,
                  SeriesInstanceUID=study + ".1", PatientID="PRIVATE", PatientName="Own^Class", Modality="MR")
    data = dul.encode(ds, dul.EXPLICIT)
    return association.store(sop_class, study + ".2", dul.EXPLICIT, data)[0x0900]


def test_objects_of_a_manufacturers_own_class_are_taken_and_given_out(archive):
    with archive.associate(contexts=[(CSA_NON_IMAGE, [dul.EXPLICIT])]) as a:
        assert store_one(a, CSA_NON_IMAGE, "2.25.81") == 0
    get = [(dul.STUDY_GET, [dul.IMPLICIT]), (CSA_NON_IMAGE, [dul.EXPLICIT])]
    with archive.associate(contexts=get, roles=[(CSA_NON_IMAGE, 0, 1)]) as a:
        keys = dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="2.25.81")
        final, got, _, _ = a.get(dul.STUDY_GET, keys)
        assert (final[0x0900], [g[:2] for g in got]) == (0, [(CSA_NON_IMAGE, "2.25.81.2")])


def test_a_class_that_is_not_known_is_named_with_the_setting_that_takes_it(archive):
    unknown, other = "1.2.826.0.1.3680043.10.999.1", "1.2.826.0.1.3680043.10.999.2"
    ask = [(CT, [dul.EXPLICIT]), (unknown, [dul.IMPLICIT]), (unknown, [dul.EXPLICIT]),
           (other, [dul.EXPLICIT])]
    with archive.associate(contexts=ask) as a:
        assert [x[0] for x in a.accepted.values()] == [CT]
    setting = '{"%s", "%s"}' % (unknown, other)
    archive.await_log("peer first has objects of SOP classes that are not known here: if they are storage "
                      "classes, galena.conf takes them with private_sop_classes = %s\n" % setting)
    try:
        archive.configure(private_sop_classes=setting)
        archive.reload()
        with archive.associate(contexts=ask) as a:
            assert sorted({x[0] for x in a.accepted.values()}) == sorted([CT, unknown, other])
            assert store_one(a, other, "2.25.82") == 0
    finally:
        archive.configure(private_sop_classes="{}")
        archive.reload()


def test_many_classes_that_are_not_known_make_one_line(archive):
    ask = [("1.2.826.0.1.3680043.10.999.3.%d.%s" % (i, "1" * 30), [dul.EXPLICIT]) for i in range(100)]
    with archive.associate(contexts=ask + [(CT, [dul.EXPLICIT])]) as a:
        assert [x[0] for x in a.accepted.values()] == [CT]
    archive.await_log("}, and there are more\n")
    assert archive.log().count("1.2.826.0.1.3680043.10.999.3.0.") == 1


def test_the_plain_lane_is_for_its_peers_only(archive):
    with pytest.raises(dul.Rejected) as why:
        archive.plain("FIRST")
    assert why.value.triple == (1, 1, 3)


def test_a_default_peer_of_the_plain_lane_stores_and_nothing_else(archive):
    contexts = [(CT, [dul.EXPLICIT]), (dul.VERIFICATION, [dul.IMPLICIT]), (dul.STUDY_FIND, [dul.IMPLICIT]),
                (dul.STUDY_MOVE, [dul.IMPLICIT]), (dul.STUDY_GET, [dul.IMPLICIT]),
                (dul.PATIENT_FIND, [dul.IMPLICIT])]
    with archive.plain("MODALITY", contexts) as a:
        assert sorted(x[0] for x in a.accepted.values()) == sorted([CT, dul.VERIFICATION])
        a.accepted[5] = (dul.STUDY_FIND, dul.IMPLICIT)
        with pytest.raises((dul.Aborted, ConnectionError)):
            list(a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="")))
            raise AssertionError("it answered")
        a.release = lambda: None


def test_unknown_abstract_and_transfer_syntaxes_have_their_reasons(archive):
    contexts = [("1.2.3.4", [dul.IMPLICIT]), (CT, ["1.2.3.4"]), (CT, [dul.EXPLICIT])]
    with archive.associate(contexts=contexts) as a:
        assert a.results == {1: 3, 3: 4, 5: 0}


def test_every_uncompressed_and_compressed_syntax_is_accepted_first_come(archive):
    syntaxes = [dul.IMPLICIT, dul.EXPLICIT, dul.BIG_ENDIAN, dul.DEFLATED] + [
        "1.2.840.10008.1.2.4." + n for n in ("50", "51", "57", "70", "80", "81", "90", "91", "100",
                                             "201")] + [
        "1.2.840.10008.1.2.5"]
    with archive.associate(contexts=[(CT, [s]) for s in syntaxes] + [(CT, syntaxes[::-1])]) as a:
        assert [a.accepted[2 * i + 1][1] for i in range(len(syntaxes))] == syntaxes
        assert a.accepted[2 * len(syntaxes) + 1][1] == syntaxes[-1]


def test_user_identity(archive):
    archive.run("user", "add", archive.dir, "reader1", "--role", "reader", "--stdin", stdin="correct horse\n")
    contexts = [(dul.VERIFICATION, [dul.IMPLICIT]), (CT, [dul.EXPLICIT]), (dul.STUDY_FIND, [dul.IMPLICIT])]
    with archive.associate(contexts=contexts, identity=("reader1", "correct horse")) as a:
        assert a.results == {1: 0, 3: 1, 5: 0}, "a reader does not store"
        assert any(kind == 0x59 for kind, _ in a.items), "the response that was asked for"
    with pytest.raises(dul.Rejected):
        archive.associate(contexts=contexts, identity=("reader1", "wrong"))
    with pytest.raises(dul.Rejected):
        archive.associate(contexts=contexts, identity=("nobody", "correct horse"))


HOSTILE = [
    ("PDU of no known type", dul.pdu(0x42, b"x" * 10)),
    ("P-DATA before an association", dul.pdu(4, b"\0\0\0\2\1\3")),
    ("A-ASSOCIATE-RQ of length 0", dul.pdu(1, b"")),
    ("A-ASSOCIATE-RQ of 4 GB", b"\x01\0\xff\xff\xff\xff" + b"x" * 1000),
    ("release before an association", dul.pdu(5, b"\0\0\0\0")),
    ("129 contexts", dul.associate_rq("WORKSTATION", "GALENA", [(1, "1.2.3", ["1.2"])] * 129)),
    ("a context with an even number", dul.associate_rq("WORKSTATION", "GALENA", [(2, "1.2.3", ["1.2"])])),
    ("an item that overruns its parent",
     dul.pdu(1, b"\0\1\0\0" + b" " * 32 + b"\0" * 32 + b"\x10\0\xff\xff1.2")),
    ("two user identities", dul.associate_rq("WORKSTATION", "GALENA", [(1, "1.2.3", ["1.2"])],
                                            more=2 * dul.item(0x58, b"\1\0\0\1a\0\0"))),
]


@pytest.mark.parametrize("name,data", HOSTILE, ids=[h[0] for h in HOSTILE])
def test_hostile_beginnings_end_in_reject_abort_or_close(archive, name, data):
    s = socket.create_connection(("127.0.0.1", archive.plain_port), 10)
    s.settimeout(10)
    s.sendall(data)
    answer = b""
    try:
        while len(answer) < 10:
            more = s.recv(100)
            if not more:
                break
            answer += more
    except ConnectionError:
        pass
    assert answer[:1] in (b"", b"\x03", b"\x07"), answer
    with archive.plain("WORKSTATION") as a:
        assert a.echo() == 0


TITLES = [b" " * 16, b"\0" * 16, b"A\\B".ljust(16), b"%s%n".ljust(16), b"\xff" * 16, b"A\nB".ljust(16),
          b"../x".ljust(16)]


@pytest.mark.parametrize("title", TITLES, ids=[repr(t) for t in TITLES])
def test_odd_titles_are_refused_and_harm_nothing(archive, title):
    raw = bytearray(dul.associate_rq("X", "GALENA", [(1, dul.VERIFICATION, [dul.IMPLICIT])]))
    raw[26:42] = title
    s = socket.create_connection(("127.0.0.1", archive.plain_port), 10)
    s.sendall(bytes(raw))
    assert s.recv(10)[:1] in (b"\x03", b"\x07")
