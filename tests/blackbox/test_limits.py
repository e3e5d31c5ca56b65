#!/usr/bin/env python3
"""Limits and what happens at them: memory, pending tasks, bodies."""

import unittest

from daemon import DELAY, Case, wait_for

NDJSON = ["Content-Type: application/x-ndjson"]


class Limits(Case):
    def refused(self, answer, status):
        self.assertProblem(answer, status)
        self.assertGreater(int(answer.headers["retry-after"]), 0)

    def test_scripts_past_max_memory_are_503_until_there_is_room(self):
        d = self.daemon("--max-memory", "1MiB")
        accepted = []
        for n in range(30):
            answer = d.call("POST", "/api/tasks", {**DELAY, "id": f"t{n}", "script": "#" * 100_000})
            if answer.status != 200:
                break
            accepted.append(f"t{n}")
        self.assertEqual(len(accepted), 10)
        self.refused(answer, 503)
        self.assertIn("max-memory", answer.json()["detail"])
        self.assertLessEqual(d.health()["memoryBytes"], 1 << 20)
        # Everything else goes on, and what was accepted is there.
        self.assertEqual(len(d.call("GET", "/api/tasks").json()), 10)
        self.assertEqual(d.call("PUT", "/api/tasks/t0").status, 200)
        self.assertEqual(d.call("DELETE", "/api/tasks/t1").status, 200)
        wait_for("room", lambda: d.call("POST", "/api/tasks", {
            **DELAY, "id": "new", "script": "#" * 100_000}).status == 200)

    def test_the_oldest_kept_output_goes_first_and_submits_are_accepted_again(self):
        d = self.daemon("--max-memory", "1MiB")
        d.submit("script", script="#" * 300_000)
        for n in range(20):             # 1.2 MB of output, one after the other
            # Output can pass the bound before the keeper has its turn: 503, and soon again 200.
            wait_for("room", lambda: d.call("POST", "/api/tasks", {
                **DELAY, "id": f"t{n}", "time": 0,
                "script": f"echo {n}; head -c 60000 /dev/zero | tr '\\0' x"}).status == 200)
            d.finished(f"t{n}")

        def kept():
            tasks = d.call("GET", "/api/tasks?prefix=t").json()
            self.assertTrue(all(task["state"] == "Executed" for task in tasks))
            return [bool(task["results"] and task["results"][0]["result"]) for task in tasks]

        wait_for("output to go", lambda: d.health()["memoryBytes"] <= 1 << 20)
        flags = kept()
        self.assertIn(False, flags)
        self.assertTrue(flags[-1])                  # the newest is there,
        self.assertEqual(flags, sorted(flags))      # and none is gone that is newer than one kept
        self.assertEqual(len(d.get("script")["script"]), 300_000)
        # A submit that needs room makes output go, too.
        for n in range(5):
            wait_for("room", lambda: d.call("POST", "/api/tasks", {
                **DELAY, "id": f"new{n}", "script": "#" * 100_000}).status == 200)
        flags = kept()
        self.assertEqual(flags, sorted(flags))

    def test_tasks_past_max_pending_are_429_until_there_is_room(self):
        d = self.daemon("--max-pending", "5")
        for n in range(5):
            d.submit(f"t{n}")
        for _ in range(3):
            self.refused(d.call("POST", "/api/tasks", {**DELAY, "id": "more"}), 429)
        self.assertEqual(d.health()["pending"], 5)
        # Stopped, deleted and finished tasks are not pending.
        d.call("PUT", "/api/tasks/t0")
        d.submit("a", time=0)
        d.finished("a")
        d.call("DELETE", "/api/tasks/t1")
        d.submit("b")
        d.submit("c", taskType="cron", time="1ms")
        self.refused(d.call("POST", "/api/tasks", {**DELAY, "id": "more"}), 429)
        d.finished("c", 3)
        self.refused(d.call("POST", "/api/tasks", {**DELAY, "id": "more"}), 429)

    def test_a_refused_id_costs_no_place(self):
        d = self.daemon("--max-pending", "2")
        d.submit("t")
        for _ in range(10):
            self.assertProblem(d.call("POST", "/api/tasks", {**DELAY, "id": "t"}), 409, "id")
        d.submit("u")

    def test_bodies_past_max_body_are_413(self):
        d = self.daemon("--max-body", "1024")
        for length, status in ((1024, 200), (1025, 413), (2_000_000, 413)):
            body = '{"id":"%d","taskType":"delay","time":"1h","script":"true"}' % length
            answer = d.call("POST", "/api/tasks", body.ljust(length))
            self.assertEqual(answer.status, status)
            if status != 200:
                self.assertProblem(answer, 413, text="--max-body")
        with d.connect() as client:
            client.send(b"POST /api/tasks HTTP/1.1\r\nExpect: 100-continue\r\n"
                        b"Content-Length: 1025\r\n\r\n")
            self.assertProblem(client.read(), 413)          # before the body is sent
        answer = d.call("POST", "/api/tasks", "x" * 1025 + "\n" + "x" * 1024, NDJSON)
        self.assertEqual([(error["line"], error["status"]) for error in answer.json()["errors"]],
                         [(1, 413), (2, 400)])

    def test_runs_past_max_running_wait_until_others_have_ended(self):
        d = self.daemon("--max-running", "2")
        for n in range(10):
            d.submit(f"t{n}", time=0, script="sleep 0.03")
        events = []
        for n in range(10):
            result = d.finished(f"t{n}")["results"][0]
            self.assertEqual(result["outcome"], "success")
            events += [(result["startedAt"], 1), (result["timestamp"], -1)]
        running = most = 0
        for _, change in sorted(events):
            running += change
            most = max(most, running)
        self.assertEqual(most, 2)

    def test_many_half_bodies_are_bounded_together(self):
        d = self.daemon("--max-memory", "64MiB", "--max-body", "1MiB", "--http-threads", "1")
        clients, refused, before = [], 0, d.status("VmRSS")
        for _ in range(40):
            client = d.connect()
            clients.append(client)
            client.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
                        b"\r\n")
            try:
                client.send(b" " * 900_000)
            except OSError:
                pass
        for client in clients:
            client.socket.settimeout(0.05)
            try:
                answer = client.read()
                self.refused(answer, 503)
                refused += 1
            except (TimeoutError, ConnectionError):
                pass
        self.assertGreater(refused, 10)
        self.assertLess(d.status("VmRSS") - before, 64 << 10)
        self.assertEqual(d.call("POST", "/api/tasks", {**DELAY, "id": "small"}).status, 200)
        for client in clients:
            client.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
