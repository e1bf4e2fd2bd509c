"""A Storage SCP of the tests' own: it accepts, refuses, closes or falls silent as it is told."""
import socket
import ssl
import threading
import time

import dul


class Receiver:
    """accepts: which transfer syntax it takes of a context (class, [proposed…]) → one of them, or None.

    status: a number, or what gives one for each instance UID; "close", "abort", "silent" for what is worse.
    tls: a peer's folder, whose certificate it shows; silent: it does not even answer the association.
    """

    def __init__(self, accepts=None, status=0, tls=None, reject=None, silent=False, max_pdu=16384, slow=0):
        self.accepts = accepts or (lambda sop_class, proposed: proposed[0])
        self.status = status if callable(status) else lambda uid: status
        self.tls, self.reject, self.silent, self.max_pdu, self.slow = tls, reject, silent, max_pdu, slow
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got, self.requests, self.ends, self.open = [], [], [], []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def close(self):
        for sock in [self.listener] + self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR) # wakes the thread that waits in it
            except OSError:
                pass
            sock.close()

    def serve(self, sock):
        self.open.append(sock)
        try:
            if self.tls:
                c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                c.load_cert_chain(self.tls + "/cert.pem", self.tls + "/key.pem")
                c.load_verify_locations(self.tls + "/ca.pem")
                c.verify_mode = ssl.CERT_REQUIRED
                sock = c.wrap_socket(sock, server_side=True)
            self.talk(sock)
        except AssertionError as e: # a PDU that is no P-DATA
            self.ends.append("release" if "PDU 5" in str(e) else str(e))
            if "PDU 5" in str(e):
                sock.sendall(dul.pdu(6, b"\0\0\0\0"))
        except dul.Aborted as e:
            self.ends.append("abort: %s" % e)
        except OSError as e:
            self.ends.append("lost: %s" % e)
        finally:
            if self.ends or not self.silent:
                sock.close()

    def talk(self, sock):
        a = dul.Association.__new__(dul.Association)
        a.sock, a.buffer, a.max_pdu = sock, b"", 16384
        kind, body = a.pdu()
        assert kind == 1, "PDU %d first" % kind
        self.requests.append(body)
        if self.silent:
            sock.recv(1)
            raise OSError("closed")
        if self.reject:
            a.send(dul.pdu(3, bytes((0,) + self.reject)))
            return
        answer, contexts = self.answer(body)
        a.send(dul.pdu(2, answer + dul.item(0x50, dul.item(0x51, self.max_pdu.to_bytes(4, "big")))))
        self.store(a, contexts)

    def answer(self, body):
        answer, at, contexts, self.proposed = body[:68], 68, {}, []
        while at < len(body):
            kind, n = body[at], int.from_bytes(body[at + 2:at + 4], "big")
            inner = body[at + 4:at + 4 + n]
            if kind == 0x10:
                answer += body[at:at + 4 + n]
            elif kind == 0x20:
                uids, sub = [], 4
                while sub < n:
                    m = int.from_bytes(inner[sub + 2:sub + 4], "big")
                    uids.append(inner[sub + 4:sub + 4 + m].decode())
                    sub += 4 + m
                self.proposed.append((uids[0], uids[1:]))
                contexts[inner[0]] = self.accepts(uids[0], uids[1:])
                result = 0 if contexts[inner[0]] else 4
                transfer = contexts[inner[0]] or dul.IMPLICIT
                answer += dul.item(0x21, bytes([inner[0], 0, result, 0]) + dul.item(0x40, transfer.encode()))
            at += 4 + n
        return answer, contexts

    def store(self, a, contexts):
        while True:
            number, rq, data = a.next_message()
            uid = rq[0x1000].decode().rstrip("\0")
            time.sleep(self.slow)
            status = self.status(uid)
            if status == "close":
                raise OSError("as told")
            if status == "abort":
                a.send(dul.pdu(7, b"\0\0\0\0"))
                raise OSError("as told")
            if status == "silent":
                a.sock.recv(1)
                raise OSError("closed")
            self.got.append((uid, contexts[number], data, rq))
            a.message(number, {0x0002: rq[0x0002], 0x0100: dul.STORE_RSP, 0x0120: rq[0x0110], 0x0900: status,
                               0x1000: rq[0x1000]})

    def objects(self):
        """{instance UID: (transfer syntax, data set)}"""
        return {uid: (transfer, data) for uid, transfer, data, _ in self.got}
