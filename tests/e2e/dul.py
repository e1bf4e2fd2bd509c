"""A DICOM upper layer and DIMSE client of the tests' own, on sockets, ssl and pydicom.

It can do what no well-behaved client would: send any PDU, any context, any length. What it knows of
the standard is written down here again (PS3.8 9.3, PS3.7 Annex E) and shares nothing with Galena.
"""
import io
import socket
import ssl
import struct

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.filebase import DicomBytesIO

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
VERIFICATION = "1.2.840.10008.1.1"
PATIENT_FIND, PATIENT_MOVE, PATIENT_GET = ("1.2.840.10008.5.1.4.1.2.1." + n for n in "123")
STUDY_FIND, STUDY_MOVE, STUDY_GET = ("1.2.840.10008.5.1.4.1.2.2." + n for n in "123")

STORE_RQ, STORE_RSP, GET_RQ, GET_RSP = 0x0001, 0x8001, 0x0010, 0x8010
FIND_RQ, FIND_RSP, MOVE_RQ, MOVE_RSP = 0x0020, 0x8020, 0x0021, 0x8021
ECHO_RQ, ECHO_RSP, CANCEL_RQ = 0x0030, 0x8030, 0x0FFF


class Rejected(Exception):
    def __init__(self, result, source, reason):
        super().__init__("rejected: result %d, source %d, reason %d" % (result, source, reason))
        self.triple = (result, source, reason)


class Aborted(Exception):
    pass


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def pdu(kind, body):
    return struct.pack(">BBI", kind, 0, len(body)) + body


def associate_rq(calling, called, contexts, roles=(), extended=(), identity=None, max_pdu=131072, more=b""):
    """contexts: [(id, abstract, [transfer…])]; roles: [(uid, scu, scp)]; extended: [(uid, bytes)]."""
    body = struct.pack(">HH16s16s32x", 1, 0, called.encode().ljust(16), calling.encode().ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, abstract, transfers in contexts:
        inner = struct.pack(">BBBB", number, 0, 0, 0) + item(0x30, abstract.encode())
        body += item(0x20, inner + b"".join(item(0x40, t.encode()) for t in transfers))
    user = item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"1.2.3.4.5") + item(0x55, b"TESTS")
    for uid, scu, scp in roles:
        user += item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes([scu, scp]))
    for uid, info in extended:
        user += item(0x56, struct.pack(">H", len(uid)) + uid.encode() + info)
    if identity:
        name, passcode = identity
        user += item(0x58, bytes([2, 1]) + struct.pack(">H", len(name)) + name.encode()
                     + struct.pack(">H", len(passcode)) + passcode.encode())
    return pdu(1, body + item(0x50, user + more))


def encode(dataset, transfer):
    fp = DicomBytesIO()
    fp.is_little_endian = transfer != BIG_ENDIAN
    fp.is_implicit_VR = transfer == IMPLICIT
    write_dataset(fp, dataset)
    return fp.getvalue()


def decode(data, transfer):
    return read_dataset(io.BytesIO(data), transfer == IMPLICIT, transfer != BIG_ENDIAN)


def command(fields):
    """fields: {element number: int, str or bytes}; group 0000, implicit little endian."""
    us = {0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x1020, 0x1021, 0x1022, 0x1023, 0x1031}
    body = b""
    for element in sorted(fields):
        value = fields[element]
        if element in us:
            value = struct.pack("<H", value)
        elif isinstance(value, str):
            value = value.encode()
            value += (b"\0" if element in (0x0002, 0x1000) else b" ") * (len(value) % 2)
        body += struct.pack("<HHI", 0, element, len(value)) + value
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def uncommand(data):
    got, at = {}, 0
    while at < len(data):
        _, element, length = struct.unpack_from("<HHI", data, at)
        value = data[at + 8:at + 8 + length]
        got[element] = struct.unpack("<H", value)[0] if length == 2 else value
        at += 8 + length
    return got


class Association:
    """with Association(address, …) as a: a.echo(); a.store(…); list(a.find(…))"""

    def __init__(self, address, calling, called="GALENA", contexts=(), tls=None, timeout=30, **rq):
        tcp = isinstance(address, tuple)
        self.sock = socket.create_connection(address, timeout) if tcp else unix(address, timeout)
        if tls:
            self.sock = tls_context(tls).wrap_socket(self.sock)
        if tcp:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.message_id = 0
        numbered = [(2 * i + 1,) + tuple(c) for i, c in enumerate(contexts)]
        self.send(associate_rq(calling, called, numbered, **rq))
        kind, body = self.pdu()
        if kind == 3:
            raise Rejected(*body[1:4])
        assert kind == 2, "PDU %d instead of an answer" % kind
        self.accepted, self.results, self.max_pdu, self.items = self.parse_ac(body,
                                                                              {c[0]: c[1] for c in numbered})

    @staticmethod
    def parse_ac(body, abstract):
        accepted, results, items, at, max_pdu = {}, {}, [], 68, 0
        while at < len(body):
            kind, length = struct.unpack_from(">BxH", body, at)
            inner = body[at + 4:at + 4 + length]
            if kind == 0x21:
                number, result = inner[0], inner[2]
                results[number] = result
                if result == 0:
                    accepted[number] = (abstract[number], inner[8:].decode().rstrip("\0"))
            elif kind == 0x50:
                sub = 0
                while sub < len(inner):
                    k, n = struct.unpack_from(">BxH", inner, sub)
                    items.append((k, inner[sub + 4:sub + 4 + n]))
                    if k == 0x51:
                        max_pdu = struct.unpack_from(">I", inner, sub + 4)[0]
                    sub += 4 + n
            at += 4 + length
        return accepted, results, max_pdu, items

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.release()
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def take(self, n):
        while len(self.buffer) < n:
            more = self.sock.recv(1 << 18)
            if not more:
                raise ConnectionError("closed by the server")
            self.buffer += more
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def pdu(self):
        kind, length = struct.unpack(">BxI", self.take(6))
        return kind, self.take(length)

    def release(self):
        self.send(pdu(5, b"\0\0\0\0"))
        kind, _ = self.pdu()
        assert kind == 6, "PDU %d instead of A-RELEASE-RP" % kind

    def context(self, abstract, transfer=None):
        for number, (a, t) in self.accepted.items():
            if a == abstract and transfer in (None, t):
                return number
        raise KeyError("no context for %s with %s" % (abstract, transfer))

    def fragments(self, context, is_command, data):
        room = min(self.max_pdu or 131072, 131072) - 6
        parts = [data[i:i + room] for i in range(0, len(data), room)] or [b""]
        for i, part in enumerate(parts):
            control = (1 if is_command else 0) | (2 if i == len(parts) - 1 else 0)
            self.send(pdu(4, struct.pack(">IBB", len(part) + 2, context, control) + part))

    def message(self, context, fields, data=None):
        fields[0x0800] = 0x0101 if data is None else 1
        self.fragments(context, True, command(fields))
        if data is not None:
            self.fragments(context, False, data)

    def next_message(self):
        """(context, command, data set bytes or None)"""
        parts, which = [b"", b""], None
        while True:
            kind, body = self.pdu()
            if kind == 7:
                raise Aborted("source %d, reason %d" % (body[2], body[3]))
            assert kind == 4, "PDU %d instead of P-DATA" % kind
            at = 0
            while at < len(body):
                length, context, control = struct.unpack_from(">IBB", body, at)
                parts[0 if control & 1 else 1] += body[at + 6:at + 4 + length]
                at += 4 + length
                if control & 2:
                    which = control & 1
            if which == 1:
                got = uncommand(parts[0])
                if got.get(0x0800) == 0x0101:
                    return context, got, None
            elif which == 0:
                return context, got, parts[1]

    def next_id(self):
        self.message_id += 1
        return self.message_id

    def echo(self):
        self.message(self.context(VERIFICATION), {0x0002: VERIFICATION, 0x0100: ECHO_RQ,
                                                  0x0110: self.next_id()})
        return self.next_message()[1][0x0900]

    def store(self, sop_class, instance, transfer, data):
        """data: the encoded data set. Returns the response's command set."""
        self.message(self.context(sop_class, transfer),
                     {0x0002: sop_class, 0x0100: STORE_RQ, 0x0110: self.next_id(), 0x0700: 0,
                      0x1000: instance}, data)
        return self.next_message()[1]

    def find(self, model, identifier, cancel_after=None):
        """Yields (status, data set) of the pending answers; then (status, None)."""
        context = self.context(model)
        transfer = self.accepted[context][1]
        number, n = self.next_id(), 0
        data = identifier if isinstance(identifier, bytes) else encode(identifier, transfer)
        self.message(context, {0x0002: model, 0x0100: FIND_RQ, 0x0110: number, 0x0700: 0}, data)
        while True:
            _, got, answer = self.next_message()
            if got[0x0900] not in (0xFF00, 0xFF01):
                self.last = got
                yield got[0x0900], None
                return
            yield got[0x0900], decode(answer, transfer)
            n += 1
            if n == cancel_after:
                self.cancel(context, number)

    def cancel(self, context, number):
        self.message(context, {0x0100: CANCEL_RQ, 0x0120: number})

    def get(self, model, identifier, status=0, cancel_after=None):
        """Returns (final command set, [(class, instance, transfer, bytes)], [pending command sets],
        failed list)."""
        context = self.context(model)
        transfer = self.accepted[context][1]
        number, got, pending = self.next_id(), [], []
        self.message(context, {0x0002: model, 0x0100: GET_RQ, 0x0110: number, 0x0700: 0},
                     encode(identifier, transfer))
        while True:
            at, rsp, data = self.next_message()
            if rsp[0x0100] == STORE_RQ:
                uid = lambda e: rsp[e].decode().rstrip("\0")
                got.append((uid(0x0002), uid(0x1000), self.accepted[at][1], data))
                self.message(at, {0x0002: rsp[0x0002], 0x0100: STORE_RSP, 0x0120: rsp[0x0110], 0x0900: status,
                                  0x1000: rsp[0x1000]})
                if len(got) == cancel_after:
                    self.cancel(context, number)
            elif rsp[0x0900] == 0xFF00:
                pending.append(rsp)
            else:
                return rsp, got, pending, decode(data, transfer) if data else None

    def move(self, model, identifier, destination, cancel_after=None):
        context = self.context(model)
        transfer = self.accepted[context][1]
        number, pending = self.next_id(), []
        self.message(context, {0x0002: model, 0x0100: MOVE_RQ, 0x0110: number, 0x0600: destination,
                               0x0700: 0},
                     encode(identifier, transfer))
        while True:
            _, rsp, data = self.next_message()
            if rsp[0x0900] != 0xFF00:
                return rsp, pending, decode(data, transfer) if data else None
            pending.append(rsp)
            if len(pending) == cancel_after:
                self.cancel(context, number)


def unix(path, timeout):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(path)
    return s


def tls_context(folder, version=None):
    """folder: a peer's, with key.pem, cert.pem, ca.pem."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.load_verify_locations(folder + "/ca.pem")
    c.load_cert_chain(folder + "/cert.pem", folder + "/key.pem")
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def keys(**values):
    d = Dataset()
    for name, value in values.items():
        setattr(d, name, value)
    return d
