"""The processes of the design, their confinement, and what a dying one takes along."""
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import dul
from conftest import BUILD
from test_find import CT, ct

SANDBOXED = ("gate", "dimse", "web", "auth", "archive")


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_every_role_runs_confined(archive):
    with archive.associate() as a:
        found = archive.processes()
        assert a.echo() == 0
        for role in SANDBOXED:
            assert found.get(role), "no %s process" % role
            for pid in found[role]:
                s = status(pid)
                assert (s["Seccomp"], s["NoNewPrivs"]) == ("2", "1"), role
                if os.getuid() == 0:
                    assert "0" not in s["Uid"].split(), role
        if os.getuid() == 0:
            uids = {role: status(found[role][0])["Uid"].split()[0] for role in SANDBOXED}
            assert len(set(uids.values())) == len(SANDBOXED), "a user a role: %s" % uids
            assert str(os.stat(archive.dir).st_uid) == uids["archive"]


def test_workers_hold_no_files(archive):
    """Sockets, pipes, shared memory: nothing a worker has open is a file of the archive's."""
    with archive.associate() as a:
        found = archive.processes()
        for role in ("gate", "dimse"):
            for pid in found[role]:
                for fd in os.listdir("/proc/%d/fd" % pid):
                    target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
                    assert archive.dir not in target, (role, target)
        assert a.echo() == 0


def test_a_gate_and_a_worker_for_each_connection(archive):
    before = archive.processes()
    with archive.associate() as a, archive.associate() as b:
        assert a.echo() == b.echo() == 0
        during = archive.processes()
    for role in ("gate", "dimse"):
        assert len(set(during[role]) - set(before[role])) >= 1, role


def symbols(program):
    out = subprocess.run(["nm", os.path.join(BUILD, "prog", program)], capture_output=True, text=True,
                         check=True).stdout
    return [line.split()[-1] for line in out.split("\n") if line]


def test_the_archive_links_no_parser():
    assert not [s for s in symbols("galena-archive") if s.startswith(("dicom_", "ul_", "dimse_", "codec_",
                                                                      "http_"))]


@pytest.mark.parametrize("program,more", [("galena-dimse", ("EVP_",)),
                                          ("galena-web", ("EVP_PKEY", "EVP_CIPHER"))])
def test_the_workers_link_no_keys_index_or_store(program, more):
    theirs = ("keyring_", "store_open", "index_open", "sqlite3_", "SSL_", "seal_") + more
    assert not [s for s in symbols(program) if s.startswith(theirs)]


def libraries(program):
    """What it loads, by ldd: {"libz", ...}."""
    out = subprocess.run(["ldd", os.path.join(BUILD, "prog", program)], capture_output=True, text=True,
                         check=True).stdout
    return {line.split()[0].split(".so")[0] for line in out.split("\n") if line.strip()}


@pytest.mark.parametrize("program", ["galena-supervisor", "galena-gate", "galena-archive", "galena-auth",
                                     "galena-dimse"])
def test_what_parses_the_web_is_elsewhere(program):
    parsers = {"libnghttp2", "libhttp_parser", "libexpat", "libcurl", "libxml2"}
    assert not libraries(program) & parsers
    assert program == "galena-auth" or "libjansson" not in libraries(program)


def test_the_programs_load_what_is_theirs():
    assert "libssl" in libraries("galena-gate")
    for program in ("galena-supervisor", "galena-dimse", "galena-web", "galena-auth", "galena-archive"):
        assert "libssl" not in libraries(program), program


def store(a, number):
    d = ct(number)
    return a.store(CT, d.SOPInstanceUID, dul.EXPLICIT, dul.encode(d, dul.EXPLICIT))[0x0900]


def begin_store(a, number):
    """A C-STORE whose data set stops in the middle."""
    d = ct(number)
    data = dul.encode(d, dul.EXPLICIT)
    context = a.context(CT)
    a.fragments(context, True, dul.command({0x0002: CT, 0x0100: dul.STORE_RQ, 0x0110: 9, 0x0700: 0, 0x0800: 1,
                                            0x1000: d.SOPInstanceUID}))
    part = data[:len(data) // 2]
    a.send(dul.pdu(4, (len(part) + 2).to_bytes(4, "big") + bytes([context, 0]) + part))
    return data[len(part):]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSYS])
@pytest.mark.parametrize("role", ["dimse", "gate"])
def test_a_worker_dying_mid_transfer_harms_no_other_connection(fresh, role, how):
    contexts = [(CT, [dul.EXPLICIT])]
    with fresh.associate(contexts=contexts) as good:
        rest = begin_store(good, 1)
        victim = fresh.associate(contexts=contexts)
        begin_store(victim, 2)
        time.sleep(0.2)
        connected = [p for p in fresh.processes()[role] if is_connected(p)]
        # of the two connected ones kill the victim's: the one that is not good's
        os.kill(worker_of(fresh, victim, role, connected), how)
        with pytest.raises((ConnectionError, OSError, dul.Aborted, AssertionError)):
            victim.next_message()
            raise AssertionError("it lives")
        good.fragments(good.context(CT), False, rest)
        assert good.next_message()[1][0x0900] == 0
    time.sleep(2.5)  # a crash makes its source wait a moment
    with fresh.associate(contexts=contexts + [(dul.STUDY_FIND, [dul.IMPLICIT])]) as a:
        assert store(a, 3) == 0
        found = [d.StudyInstanceUID for _, d in a.find(dul.STUDY_FIND, dul.keys(QueryRetrieveLevel="STUDY",
                                                                               StudyInstanceUID="")) if d]
    assert sorted(found) == ["1.2.826.1", "1.2.826.3"], "of the broken transfer nothing is left"


def start_time(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[19])


def is_connected(pid):
    """Has it been given a connection: more descriptors than a spare?"""
    return len(os.listdir("/proc/%d/fd" % pid)) >= 5


def worker_of(archive, association, role, candidates):
    """The process whose memory of system calls moved: found by stopping each in turn."""
    for pid in candidates:
        os.kill(pid, signal.SIGSTOP)
        try:
            association.sock.settimeout(0.3)
            association.send(dul.pdu(4, (3).to_bytes(4, "big") + bytes([association.context(CT), 0]) + b""))
        except OSError:
            pass
        os.kill(pid, signal.SIGCONT)
    association.sock.settimeout(30)
    return max(candidates, key=start_time)


def test_a_dead_archive_process_comes_back_with_all_it_acknowledged(fresh):
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        assert [store(a, n) for n in range(20)] == [0] * 20
        seen = len(fresh.log())
        os.kill(fresh.processes()["archive"][0], signal.SIGKILL)
        with pytest.raises((ConnectionError, OSError, dul.Aborted, AssertionError)):
            store(a, 99)
            raise ConnectionError("answered")
        a.release = lambda: None
    deadline = time.monotonic() + 20
    while True:
        try:
            with fresh.associate(contexts=[(dul.STUDY_FIND, [dul.IMPLICIT])]) as a:
                found = [d for _, d in a.find(dul.STUDY_FIND,
                                              dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="")) if d]
            break
        except (OSError, ConnectionError, dul.Rejected, AssertionError):
            assert time.monotonic() < deadline, fresh.log(seen)
            time.sleep(0.1)
    assert {"1.2.826.%d" % n for n in range(20)} <= {d.StudyInstanceUID for d in found}


def test_sigterm_drains(fresh):
    """An association under way may finish; new ones are not taken."""
    with fresh.associate(contexts=[(CT, [dul.EXPLICIT])]) as a:
        rest = begin_store(a, 1)
        fresh.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises((OSError, dul.Rejected)):
            fresh.associate()
        a.fragments(a.context(CT), False, rest)
        assert a.next_message()[1][0x0900] == 0
    assert fresh.process.wait(20) == 0


def test_sighup_reloads_peers_and_keeps_connections(fresh):
    with fresh.associate() as a:
        seen = len(fresh.log())
        folder = fresh.peer("second", can="store")
        fresh.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while True:
            try:
                with fresh.associate("second") as b:
                    assert b.echo() == 0
                break
            except (dul.Rejected, OSError):
                assert time.monotonic() < deadline, fresh.log(seen)
                time.sleep(0.1)
        assert a.echo() == 0


def test_a_removed_peer_is_out_at_once(fresh):
    fresh.peer("second", can="store,query")
    with fresh.associate(contexts=[(dul.STUDY_FIND, [dul.IMPLICIT])]) as stays:
        goes = fresh.associate("second", contexts=[(dul.STUDY_FIND, [dul.IMPLICIT])])
        asked = dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID="")
        assert [s for s, _ in goes.find(dul.STUDY_FIND, asked)] == [0]
        fresh.run("peer", "remove", fresh.dir, "second")
        fresh.await_log("may not associate any more")
        with pytest.raises((ConnectionError, OSError, dul.Aborted)):
            list(goes.find(dul.STUDY_FIND, asked))
        assert [s for s, _ in stays.find(dul.STUDY_FIND, asked)] == [0]


def test_idle_connections_cost_little(fresh):
    """Gate and worker together: under 1 MB of private memory (sanitizers aside)."""
    many = [fresh.associate() for _ in range(20)]
    assert all(a.echo() == 0 for a in many)
    total, n = 0, 0
    for role in ("gate", "dimse"):
        for pid in fresh.processes()[role]:
            if is_connected(pid):
                with open("/proc/%d/smaps_rollup" % pid) as f:
                    total += sum(int(l.split()[1]) for l in f if l.startswith(("Private_Clean",
                                                                               "Private_Dirty")))
                n += role == "gate"
    for a in many:
        a.sock.close()
    if "sanitized" in BUILD:
        pytest.skip("the sanitizer's shadow memory counts too")
    assert n >= 20 and total / n < 1024, "%d KB a connection" % (total / n)
