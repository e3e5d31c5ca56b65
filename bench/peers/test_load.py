#!/usr/bin/env python3
"""test_load.py: peer_load against a server of our own that speaks just enough of each protocol, and
answers in pieces: what it says that it did is what the server saw. PEER_LOAD is the program."""

import os
import socket
import struct
import subprocess
import threading
import time
import unittest

SCRIPT = "s" * 40


class Protocol:
    """A queue without due times; feed() takes what came and gives what is answered."""

    def __init__(self):
        self.jobs, self.ids, self.handed, self.finished = [], [], 0, 0
        self.lock = threading.Lock()


class Beanstalkd(Protocol):
    name = "beanstalkd"

    def feed(self, buffer):
        line, found, rest = buffer.partition(b"\r\n")
        words = line.split()
        if not found:
            return None, buffer
        if words[0] == b"put":
            size = int(words[4])
            if len(rest) < size + 2:
                return None, buffer
            self.ids.append(rest[:20].decode())
            self.jobs.append(rest[:size])
            return b"INSERTED %d\r\n" % len(self.ids), rest[size + 2:]
        if words[0] == b"reserve" and self.jobs:
            job = self.jobs.pop(0)
            self.handed += 1
            return b"RESERVED %d %d\r\n%s\r\n" % (self.handed, len(job), job), rest
        if words[0] == b"delete":
            self.finished += 1
            return b"DELETED\r\n", rest
        return b"", rest            # a reserve waits; none comes in these tests


class Gearman(Protocol):
    name = "gearman"

    def feed(self, buffer):
        if len(buffer) < 12:
            return None, buffer
        _, kind, size = struct.unpack(">4sII", buffer[:12])
        if len(buffer) < 12 + size:
            return None, buffer
        body, rest = buffer[12:12 + size], buffer[12 + size:]
        if kind in (18, 36):
            words = body.split(b"\0", 3 if kind == 36 else 2)
            self.ids.append(words[1].decode())
            self.jobs.append(words[-1])
            return self.packet(8, b"H:%d" % len(self.ids)), rest
        if kind == 9 and self.jobs:
            self.handed += 1
            return self.packet(11, b"H:%d\0run\0%s" % (self.handed, self.jobs.pop(0))), rest
        if kind == 13:
            self.finished += 1
        return self.packet(10) if kind == 9 else b"", rest

    @staticmethod
    def packet(kind, body=b""):
        return struct.pack(">4sII", b"\0RES", kind, len(body)) + body


class Refuser(Beanstalkd):
    def feed(self, buffer):
        return b"OUT_OF_MEMORY\r\n", b""


def serve(protocol, sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    left = b""
    with sock:
        try:
            while data := sock.recv(65536):
                left += data
                answers = b""
                with protocol.lock:
                    while True:
                        answer, left = protocol.feed(left)
                        if answer is None or not left:
                            answers += answer or b""
                            break
                        answers += answer
                for at in range(0, len(answers), 7):        # frames come in pieces
                    sock.sendall(answers[at:at + 7])
        except OSError:
            pass                    # the client has what it wanted


class LoadTest(unittest.TestCase):
    def start(self, kind):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.protocol = kind()
        self.port = listener.getsockname()[1]

        def accept():
            try:
                while True:
                    sock = listener.accept()[0]
                    threading.Thread(target=serve, args=(self.protocol, sock), daemon=True).start()
            except OSError:
                pass                # closed
        threading.Thread(target=accept, daemon=True).start()

    def load(self, work, *args):
        return subprocess.run([os.environ["PEER_LOAD"], self.protocol.name, work, str(self.port), *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=False)

    def lines(self, work, *args):
        done = self.load(work, *args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        first, *rest = done.stdout.splitlines()
        n, seconds = first.split()
        self.assertGreater(float(seconds), 0)
        return int(n), rest

    def each(self):
        for kind in (Beanstalkd, Gearman):
            with self.subTest(kind.name):
                self.start(kind)
                yield

    def test_every_submit_that_is_counted_was_answered_and_ids_differ(self):
        for _ in self.each():
            for work in ("one", "many"):
                self.protocol.ids.clear()
                n, _ = self.lines(work, "0.1", "load", SCRIPT)
                self.assertEqual(n, len(self.protocol.ids))
                self.assertEqual(n, len(set(self.protocol.ids)))
                self.assertEqual({len(id_) for id_ in self.protocol.ids}, {20})

    def test_a_worker_finishes_as_many_as_it_was_told(self):
        for _ in self.each():
            self.assertEqual(self.lines("fill", "1500")[0], 1500)
            self.assertEqual(self.lines("work", "1500")[0], 1500)
            deadline = time.monotonic() + 10        # the last may be under way
            while self.protocol.finished < 1500 and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(self.protocol.finished, 1500)

    def test_lateness_counts_from_the_due_time_that_was_submitted(self):
        for _ in self.each():
            self.assertEqual(self.lines("pace", "200", "0.1")[0], 20)
            n, late = self.lines("late", "20")      # this server hands out before it is time
            self.assertEqual((n, len(late)), (20, 20))
            for value in late:
                self.assertTrue(-2 < float(value) < 10, value)

    def test_a_refusal_ends_it_with_its_words(self):
        self.start(Refuser)
        done = self.load("one", "1", "load", SCRIPT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("OUT_OF_MEMORY", done.stderr)

    def test_a_server_that_closes_ends_it(self):
        self.start(Beanstalkd)
        self.protocol.feed = lambda buffer: (_ for _ in ()).throw(OSError())
        done = self.load("many", "1", "load", SCRIPT)
        self.assertEqual((done.returncode, done.stderr), (1, "the server closed a connection\n"))


if __name__ == "__main__":
    unittest.main()
