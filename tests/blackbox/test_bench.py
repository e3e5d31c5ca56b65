#!/usr/bin/env python3
"""pawl bench: against a real daemon, and against servers that stall, refuse and hang up."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
import unittest

from daemon import HERE, Shared

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def bench(server, *words, pid=True):
    """Runs it for a moment; gives the exit status, the figures and what it said."""
    words = ["-duration=300ms", *words] + ([] if pid else ["-pid=0", "-keep"])
    done = subprocess.run([PAWL, "bench", "--server", server, "-o", "json", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


@contextlib.contextmanager
def fake(serve):
    """A server of one connection after the other; serve(connection, request number)."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(30)
    ends = threading.Event()

    def one(connection):
        number, gathered = 0, b""
        with connection, contextlib.suppress(OSError):
            while not ends.is_set():
                data = connection.recv(65536)
                if not data:
                    return
                gathered += data
                while b"\r\n\r\n" in gathered:
                    gathered = gathered.partition(b"\r\n\r\n")[2]
                    if serve(connection, number) is False:
                        return
                    number += 1

    def accept():
        with contextlib.suppress(OSError):
            while not ends.is_set():
                threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield "http://127.0.0.1:%d" % listening.getsockname()[1]
    finally:
        ends.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)


class Bench(Shared):
    OPTIONS = ("--ephemeral",)

    def server(self):
        return self.d.address

    def test_each_work_is_answered_and_leaves_nothing_behind(self):
        before = len(self.d.call("GET", "/api/tasks").json())
        for work in ("submit", "ndjson", "get", "list"):
            with self.subTest(work):
                status, figures, said = bench(self.server(), "-work=" + work, "-tasks=50",
                                              "-connections=3", "-batch=20", "-threads=2")
                self.assertEqual((status, said), (0, ""))
                self.assertGreater(figures["requests"], 0)
                self.assertEqual(figures["statuses"], {"200": figures["requests"]})
                self.assertGreaterEqual(figures["serverCpuNs"], 0)
                if work == "submit":
                    self.assertEqual(figures["tasks"], figures["requests"])
                if work == "ndjson":
                    self.assertEqual(figures["tasks"], figures["requests"] * 20)
        self.assertEqual(len(self.d.call("GET", "/api/tasks").json()), before)

    def test_tasks_are_left_when_that_is_wanted(self):
        _, figures, _ = bench(self.server(), "-prefix=kept-", "-keep")
        kept = self.d.call("GET", "/api/tasks?prefix=kept-").json()
        self.assertEqual(len(kept), figures["tasks"])
        self.d.call("DELETE", "/api/tasks?prefix=kept-")

    def test_tasks_that_were_there_are_not_deleted(self):
        """A prefix that the tasks of others have once deleted those at the end."""
        self.d.submit("mine-1", taskType="cron", time="1h")
        status, figures, said = bench(self.server(), "-prefix=mine")
        self.assertEqual((status, figures), (4, None))
        self.assertIn("give another -prefix", said)
        self.assertEqual(self.d.get("mine-1")["version"], 0)
        self.assertEqual(bench(self.server(), "-prefix=mine-2")[0], 0)
        self.assertEqual([task["id"] for task in self.d.call("GET", "/api/tasks?prefix=mine").json()], ["mine-1"])
        self.d.call("DELETE", "/api/tasks/mine-1")

    def test_pipelined_requests_are_all_answered(self):
        status, figures, said = bench(self.server(), "-work=get", "-tasks=10", "-pipeline=16",
                                      "-connections=2")
        self.assertEqual((status, said), (0, ""))
        self.assertEqual(figures["unanswered"] + figures["broken"], 0)

    def test_rate_is_kept(self):
        status, figures, _ = bench(self.server(), "-rate=100", "-duration=500ms")
        self.assertEqual((status, figures["requests"]), (0, 50))

    def test_refusals_are_counted_and_the_first_is_shown(self):
        status, figures, said = bench(self.server(), "-prefix=x-", "-script=", "-keep")
        self.assertEqual(status, 1)
        self.assertEqual(list(figures["statuses"]), ["400"])
        self.assertIn("requests were refused; the first: 400", said)

    def test_words_that_are_wrong_are_said(self):
        for word, text in (("-connections=0", "-connections must be 1 to"),
                           ("-pipeline=65", "-pipeline must be 1 to 64"),
                           ("-threads=65", "-threads must be 1 to 64"),
                           ("-prefix=a/b", "-prefix has 1 to 200"), ("-prefix=", "-prefix has 1 to 200"),
                           ("-duration=0s", "more than 0"),
                           ("-work=nonsense", "submit|ndjson|get|list")):
            with self.subTest(word):
                status, _, said = bench(self.server(), word)
                self.assertEqual(status, 2)
                self.assertIn(text, said)


class Stalls(unittest.TestCase):
    def test_a_stall_counts_for_all_requests_that_were_due_meanwhile(self):
        """With a rate: a server that stands still for 300 ms delays some 30 of 50 requests."""
        def serve(connection, number):
            if number == 5:
                time.sleep(0.3)         # the stall is what is measured
            connection.sendall(ANSWER)

        with fake(serve) as server:
            status, figures, _ = bench(server, "-rate=100", "-duration=500ms", "-connections=1",
                                       pid=False)
        self.assertEqual(status, 0)
        self.assertEqual(figures["requests"], 50)
        self.assertGreater(figures["latency"]["p50Ns"], 20_000_000)
        self.assertGreater(figures["longestNs"], 290_000_000)
        self.assertLess(figures["service"]["p50Ns"], figures["latency"]["p50Ns"])

    def test_connections_that_end_are_replaced_and_counted(self):
        def serve(connection, number):
            if number == 3:
                return False
            connection.sendall(ANSWER)
            return True

        with fake(serve) as server:
            status, figures, said = bench(server, "-connections=2", pid=False)
        self.assertEqual(status, 8)
        self.assertGreater(figures["broken"], 0)
        self.assertGreater(figures["requests"], figures["broken"])
        self.assertIn("their connection ended", said)

    def test_what_is_no_answer_ends_the_connection(self):
        with fake(lambda connection, number: connection.sendall(b"hello\r\n")) as server:
            status, figures, _ = bench(server, "-connections=1", pid=False)
        self.assertEqual((status, figures["requests"]), (1, 0))

    def test_nobody_there_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        status, _, said = bench("http://127.0.0.1:%d" % port)
        self.assertEqual(status, 6)
        self.assertIn("Connection refused", said)


if __name__ == "__main__":
    unittest.main()
