"""A thousand associations at once: all are accepted and work, and a C-ECHO beside them is none the slower."""
import os
import shutil
import statistics
import time

import pytest

from conftest import BUILD, make_archive
from test_hostile import held, settled

# A process with a sanitizer costs tens of megabytes.
CROWD = 100 if "san" in os.path.basename(BUILD) else 1000
ECHO_MS_MAX = 5


@pytest.fixture(scope="module")
def server():
    a, folder = make_archive(plain=True)
    a.configure(max_connections=CROWD + 100, per_source=CROWD + 100, idle_s=120)
    a.start()
    yield a
    a.stop()
    shutil.rmtree(folder, ignore_errors=True)


def echo_ms(association):
    began = time.perf_counter()
    assert association.echo() == 0
    return (time.perf_counter() - began) * 1000


@pytest.mark.alone
def test_a_thousand_associations(server):
    before, _ = settled(server)
    with server.plain("WORKSTATION") as beside:
        crowd = [server.plain("WORKSTATION") for _ in range(CROWD)]
        assert int(server.status()["connections"]) == CROWD + 1
        # Of a busy machine's bad moments there may be some, but not five in a row.
        assert min(statistics.median(echo_ms(beside) for _ in range(40)) for _ in range(5)) < ECHO_MS_MAX
        assert [a.echo() for a in crowd] == [0] * CROWD
        for a in crowd:
            a.release()
            a.sock.close()
    after, _ = settled(server)
    assert held(server)[1] < CROWD
    for role in before:
        assert after[role][0] <= before[role][0], "descriptors of the %s" % role
