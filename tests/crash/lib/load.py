"""Clients of every kind, each with studies of its own, that know what the answers must be."""
import contextlib
import http.client
import io
import json
import random
import ssl
import struct
import threading
import time
import zipfile

import place  # noqa: F401
import dul
import objects
import web
from ledger import GONE, STORED, Broken
from objects import CT, EXPLICIT
from scp import Receiver

# What a client meets when the server goes away, or does not want it.
CLOSED = (OSError, ConnectionError, http.client.HTTPException, ssl.SSLError, dul.Aborted, dul.Rejected)
CONTEXTS = [(dul.VERIFICATION, [dul.IMPLICIT]), (CT, [EXPLICIT]), (dul.STUDY_FIND, [EXPLICIT]),
            (dul.STUDY_GET, [EXPLICIT]), (dul.STUDY_MOVE, [EXPLICIT])]
WANT_ALL = 'multipart/related; type="application/dicom"; transfer-syntax=*'
WANT_PIXELS = 'multipart/related; type="application/octet-stream"'
OUT_OF_RESOURCES = (0xA700, 0x0122, 0x0110)


class Refused(Exception):
    """A proper answer that says no: status of DIMSE or of HTTP."""

    def __init__(self, what, status):
        super().__init__("%s: %s" % (what, hex(status) if status > 999 else status))
        self.status = status


def not_wrong(what, status, *wrong):
    """What fails is no mistake of the user's."""
    if status in wrong:
        raise Broken("%s: %d to who did nothing wrong" % (what, status))
    raise Refused(what, status)


@contextlib.contextmanager
def abortable():
    """The tests' client takes an A-ABORT where an answer belongs for a mistake."""
    try:
        yield
    except AssertionError as e:
        if not str(e).startswith("PDU 7 "):
            raise
        raise dul.Aborted(str(e)) from e


@contextlib.contextmanager
def understood(what):
    """What cannot be read is no answer, whatever its status says."""
    try:
        yield
    except (AssertionError, KeyError, IndexError, ValueError, struct.error, zipfile.BadZipFile) as e:
        raise Broken("%s cannot be read: %r" % (what, e)) from e


class Sink(Receiver):
    """To where C-MOVE sends."""

    def __init__(self, archive):
        super().__init__(accepts=lambda _, proposed: EXPLICIT if EXPLICIT in proposed else None)
        archive.peer("sink", can="store", plain="127.0.0.1/32", address="127.0.0.1:%d" % self.port)


class Timed:
    """How long each kind of request took: {kind: [ms…]}; taken away by who looks."""

    def __init__(self):
        self.lock, self.took, self.failed = threading.Lock(), {}, {}

    @contextlib.contextmanager
    def __call__(self, kind):
        began = time.monotonic()
        try:
            yield
        except (Refused, *CLOSED) as e:
            with self.lock:
                self.failed.setdefault((kind, type(e).__name__, str(e)[:60]), []).append(time.time())
            raise
        with self.lock:
            self.took.setdefault(kind, []).append((time.monotonic() - began) * 1000)

    def take(self):
        with self.lock:
            took, self.took = self.took, {}
            return took


class User:
    """One client: an association and a web connection, opened when they are wanted."""

    def __init__(self, bed, ledger, first_study, timed=None, timeout=20):
        self.bed, self.ledger, self.timed, self.timeout = bed, ledger, timed or Timed(), timeout
        self.next_study, self.studies = first_study, []
        self.rng = random.Random(first_study)
        self.assoc, self.web = None, bed.client("rita")
        self.web.connect = lambda connect=self.web.connect: connect(timeout)
        self.boss = bed.client("boss")
        self.boss.connect = lambda connect=self.boss.connect: connect(timeout)

    def close(self):
        if self.assoc:
            self.assoc.sock.close()
        self.assoc = None
        self.web.close()
        self.boss.close()

    def dimse(self):
        if not self.assoc:
            with self.timed("associate"), abortable():
                self.assoc = self.bed.archive.associate(contexts=CONTEXTS, roles=[(CT, 1, 1)],
                                                        timeout=self.timeout)
        return self.assoc

    def release(self):
        if self.assoc:
            with self.timed("release"), abortable():
                self.assoc.release()
            self.assoc.sock.close()
            self.assoc = None

    def new_study(self):
        self.next_study += 1
        self.studies.append(self.next_study)
        return self.next_study

    def any_study(self):
        """One of which all is acknowledged, or None."""
        for study in self.rng.sample(self.studies, min(5, len(self.studies))):
            states = self.ledger.states(study)
            if states and set(states.values()) == {STORED}:
                return study
        return None

    # --- storing

    def store(self, number):
        self.ledger.sending(number)
        a = self.dimse()
        data = objects.dataset(number)
        with self.timed("C-STORE"):
            status = a.store(CT, objects.uid(number), EXPLICIT, data)[0x0900]
            if status != 0:
                raise Refused("C-STORE", status)
        self.ledger.stored(number)

    def store_study(self):
        for n in objects.numbers(self.new_study()):
            self.store(n)

    def stow_study(self):
        study = self.new_study()
        numbers = objects.numbers(study)
        self.stow(numbers)

    def stow(self, numbers):
        files = [objects.file(n) for n in numbers]
        self.ledger.sending(*numbers)
        with self.timed("STOW-RS"):
            answer = self.web.stow(*files)
            if answer.status not in (200, 202, 409):
                raise Refused("STOW-RS", answer.status)
        report = answer.json()
        self.ledger.stored(*(objects.number_of(item["00081155"]["Value"][0])
                             for item in report.get("00081199", {}).get("Value", [])))
        failed = [item for tag in ("00081198", "0008119A") for item in report.get(tag, {}).get("Value", [])]
        if (answer.status == 200) != (not failed):
            raise Broken("STOW-RS answers %d with %d failed" % (answer.status, len(failed)))
        if failed:
            raise Refused("STOW-RS", failed[0]["00081197"]["Value"][0])

    # --- deleting

    def delete(self, study):
        self.ledger.ending(study)
        with self.timed("DELETE"):
            answer = self.boss("DELETE", "studies/" + objects.study_uid(study))
            if answer.status not in (204, 404):
                if answer.status in (401, 403, 409):
                    self.ledger.kept(study)
                raise Refused("DELETE", answer.status)
        if answer.status == 404 and STORED in self.ledger.states(study).values():
            raise Broken("study %d is not found when it is to be deleted" % study)
        self.ledger.gone(study)

    def delete_one(self):
        study = self.any_study()
        if study:
            self.studies.remove(study)
            self.delete(study)

    # --- finding and fetching

    def expect(self, study, found, what):
        """All of a study that is acknowledged, and no other."""
        want = {n for n, state in self.ledger.states(study).items() if state == STORED}
        if set(found) != want:
            raise Broken("%s of study %d: %s, not %s" % (what, study, sorted(found), sorted(want)))

    def find(self, study):
        a = self.dimse()
        keys = dul.keys(QueryRetrieveLevel="IMAGE", StudyInstanceUID=objects.study_uid(study),
                        SeriesInstanceUID=objects.series_uid(study), SOPInstanceUID="")
        with self.timed("C-FIND"):
            answers = list(a.find(dul.STUDY_FIND, keys))
            if answers[-1][0] != 0:
                raise Refused("C-FIND", answers[-1][0])
        return [objects.number_of(d.SOPInstanceUID) for _, d in answers if d]

    def get(self, study):
        a = self.dimse()
        keys = dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=objects.study_uid(study))
        with self.timed("C-GET"):
            last, got, _, _ = a.get(dul.STUDY_GET, keys)
            if last[0x0900] != 0:
                raise Refused("C-GET", last[0x0900])
        return {objects.number_of(uid): data for _, uid, _, data in got}

    def move(self, study):
        """To the bed's sink."""
        a = self.dimse()
        self.bed.sink.got.clear()
        keys = dul.keys(QueryRetrieveLevel="STUDY", StudyInstanceUID=objects.study_uid(study))
        with self.timed("C-MOVE"):
            last, _, _ = a.move(dul.STUDY_MOVE, keys, "SINK")
            if last[0x0900] != 0:
                raise Refused("C-MOVE", last[0x0900])
        return {objects.number_of(uid): data for uid, (_, data) in self.bed.sink.objects().items()}

    def qido(self, study):
        with self.timed("QIDO-RS"):
            answer = self.web.get("studies/%s/instances" % objects.study_uid(study))
            if answer.status not in (200, 204, 404):
                raise Refused("QIDO-RS", answer.status)
        rows = answer.json() if answer.status == 200 else []
        return [objects.number_of(row["00080018"]["Value"][0]) for row in rows]

    def metadata(self, study):
        with self.timed("metadata"):
            answer = self.web.get("studies/%s/metadata" % objects.study_uid(study))
            if answer.status not in (200, 404):
                raise Refused("metadata", answer.status)
        rows = answer.json() if answer.status == 200 else []
        return [objects.number_of(row["00080018"]["Value"][0]) for row in rows]

    def fetch(self, what, accept, path):
        """The answer to a GET; None: there is no such thing."""
        with self.timed(what):
            answer = self.web.get(path, Accept=accept)
            if answer.status not in (200, 404):
                raise Refused(what, answer.status)
        if answer.status == 200 and answer.type != accept.partition(";")[0]:
            raise Broken("%s is of the type %r" % (what, answer.type))
        return answer if answer.status == 200 else None

    def wado(self, study):
        """{number: data set}"""
        answer = self.fetch("WADO-RS", WANT_ALL, "studies/" + objects.study_uid(study))
        with understood("WADO-RS"):
            return objects.data_sets(p.body for p in answer.parts()) if answer else {}

    def zip(self, study):
        """{number: data set}"""
        answer = self.fetch("ZIP", "application/zip", "studies/" + objects.study_uid(study))
        if not answer:
            return {}
        with understood("ZIP"), zipfile.ZipFile(io.BytesIO(answer.body)) as z:
            return objects.data_sets(z.read(name) for name in z.namelist() if name != "DICOMDIR")

    def bulk(self, study):
        """Those whose pixels come."""
        answer = self.fetch("bulk data", WANT_PIXELS, "studies/%s/bulkdata" % objects.study_uid(study))
        return self.whose(answer, objects.numbers(study))

    def frame(self, study):
        """Of each object."""
        found = []
        for n in objects.numbers(study):
            path = "studies/%s/series/%s/instances/%s/frames/1" % (
                objects.study_uid(study), objects.series_uid(study), objects.uid(n))
            found += self.whose(self.fetch("frame", WANT_PIXELS, path), [n])
        return found

    def whose(self, answer, numbers):
        """The numbers of objects whose pixels are the parts of the answer."""
        whose = {objects.pixels(n): n for n in numbers}
        with understood("pixels"):
            parts = answer.parts() if answer else []
        if any(p.body not in whose for p in parts):
            raise Broken("pixels that are nobody's")
        return [whose[p.body] for p in parts]

    def look(self, how, study=None):
        study = study or self.any_study()
        if study:
            found = getattr(self, how)(study)
            self.expect(study, found, how)
            if isinstance(found, dict):
                self.ledger.check(study, found)

    # --- and the rest

    def echo(self):
        a = self.dimse()
        with self.timed("C-ECHO"):
            if a.echo() != 0:
                raise Refused("C-ECHO", 1)

    def sign_in(self):
        body = json.dumps({"user": "reader", "password": web.PASSWORD})
        with self.timed("sign-in"):
            answer = self.web("POST", "/api/sign-in", body, token=None, Content_Type="application/json",
                              Origin="https://127.0.0.1:%d" % self.web.port)
            if answer.status != 200:
                not_wrong("sign-in", answer.status, 401, 403)
        return "; ".join(v.split(";")[0] for k, v in answer.headers if k.lower() == "set-cookie")

    def sign_out(self, cookie):
        self.web.close() # on a connection of its own: a second try would find the session gone
        with self.timed("sign-out"):
            answer = self.web("POST", "/api/sign-out", b"", token=None, Cookie=cookie,
                              Origin="https://127.0.0.1:%d" % self.web.port)
            if answer.status not in (200, 204):
                not_wrong("sign-out", answer.status, 403)

    def break_off(self):
        """A client that goes away in the middle of an object, on a connection of its own."""
        number = objects.numbers(self.new_study())[0]
        self.ledger.sending(number)
        self.studies.pop()
        data = objects.dataset(number)
        if self.rng.random() < 0.5:
            a = self.bed.archive.associate(contexts=CONTEXTS, timeout=self.timeout)
            with contextlib.closing(a.sock):
                context = a.context(CT, EXPLICIT)
                a.fragments(context, True, dul.command({
                    0x0002: CT, 0x0100: 1, 0x0110: 1, 0x0700: 0, 0x0800: 1, 0x1000: objects.uid(number)}))
                part = data[:self.rng.randrange(len(data))]
                a.send(dul.pdu(4, len(part[:8000] + b"12").to_bytes(4, "big") + bytes([context, 0])
                               + part[:8000]))
        else:
            content, body = web.multipart([objects.file(number, data)])
            c = self.bed.connect(self.timeout)
            with contextlib.closing(c):
                c.putrequest("POST", self.bed.root + "/studies")
                for name, value in (("Content-Type", content), ("Content-Length", str(len(body))),
                                    ("Accept", web.JSON),
                                    ("Authorization", "Bearer " + self.bed.tokens["rita"])):
                    c.putheader(name, value)
                c.endheaders()
                c.send(body[:self.rng.randrange(len(body))])
