#!/usr/bin/env python3
"""What happens when something is in the way: another run, a pause, downtime, a failure. Over REST, NDJSON and by
the client, in real time."""

import json
import os
import subprocess
import time
import unittest

from daemon import HERE, Case, Shared, quote, wait_for
from times import MS, S, accounted, due_of, ns_of

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")

EVERYTHING = {"overlap": "queue", "queueLimit": 3, "misfire": "all", "misfireGrace": 3600 * S, "misfireLimit": 7,
              "retries": 5, "retryDelay": 200 * MS, "retryBackoff": 1.5, "retryMaxDelay": 60 * S, "retryJitter": 1,
              "retryOn": [3, 75]}


class Gates:
    """Runs that last until the test lets them end."""

    def gate(self):
        """A script each run of which waits at a gate of its own."""
        self.gates = self.place()
        for run in range(1, 10):
            os.mkfifo(f"{self.gates}/{run}")
        return f"read word < {self.gates}/$PAWL_RUN"

    def let_end(self, run):
        with open(f"{self.gates}/{run}", "w") as file:
            file.write("end\n")


class Overlap(Gates, Shared):
    def cron(self, **fields):
        return self.d.submit(self.name, **{"taskType": "cron", "time": "100ms", **fields})

    def running(self, run):
        return self.d.watch(self.name, lambda task: task["runCount"] == run and task["running"] == 1)

    def skipped(self, n):
        """The task when so many due times have passed during a run; they are no change of version."""
        return wait_for(f"{n} skipped", lambda: self.d.get(self.name)["skipped"]["overlap"] >= n)

    def test_queue_runs_the_newest_afterwards_and_accounts_for_the_others(self):
        self.cron(overlap="queue", queueLimit=2, maxRuns=3, script=self.gate())
        self.running(1)
        self.skipped(2)
        for run in (1, 2, 3):
            self.let_end(run)
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        due = due_of(task)
        self.assertEqual(due[2] - due[1], 100 * MS)
        self.assertGreaterEqual(due[1] - due[0], 300 * MS)
        self.assertEqual((due[1] - due[0]) // (100 * MS) - 1, task["skipped"]["overlap"])
        self.assertEqual((task["missed"], task["failureCount"]), (0, 0))

    def test_queue_of_one_is_the_default_limit(self):
        self.cron(overlap="queue", maxRuns=2, script=self.gate())
        self.running(1)
        self.skipped(3)
        self.let_end(1)
        self.let_end(2)
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual(task["runCount"], 2)
        due = due_of(task)
        self.assertEqual((due[1] - due[0]) // (100 * MS) - 1, task["skipped"]["overlap"])
        self.assertLess(due[1], ns_of(task["results"][0]["timestamp"]))
        self.assertNotIn("queueLimit", task)

    def test_allow_runs_beside_itself_and_its_pages_are_whole(self):
        self.cron(time="50ms", overlap="allow", maxRunning=4, maxRuns=5, script=self.gate())
        self.d.watch(self.name, lambda task: task["running"] == 4)
        self.skipped(1)
        for run in (3, 1, 4, 2):
            self.let_end(run)
            self.d.watch(self.name, lambda task: [result["run"] for result in task["results"]][-1:] == [run])
        self.let_end(5)
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual([result["run"] for result in task["results"]], [3, 1, 4, 2, 5])
        for limit in (1, 2, 3, 5):
            seen, page = [], f"/api/tasks/{self.name}/runs?limit={limit}"
            while page:
                answer = self.d.call("GET", page)
                seen += [result["run"] for result in answer.json()]
                page = answer.headers["link"].split(">")[0][1:] if "link" in answer.headers else None
            self.assertEqual(seen, [5, 2, 4, 1, 3])

    def test_replace_ends_the_run(self):
        self.cron(overlap="replace", time="300ms", maxRuns=3, script="echo $PAWL_RUN; exec sleep 100")
        task = self.running(3)
        self.assertEqual([result["outcome"] for result in task["results"]], ["killed", "killed"])
        self.assertEqual([result["result"] for result in task["results"]], ["1\n", "2\n"])
        self.assertEqual((task["failureCount"], task["skipped"]["overlap"]), (2, 0))
        self.d.call("DELETE", f"/api/tasks/{self.name}?kill=true")

    def test_replace_kills_what_does_not_heed_it(self):
        self.cron(overlap="replace", time="200ms", maxRuns=2, killGrace="50ms",
                  script="trap '' TERM; while :; do sleep 0.02; done")
        task = self.running(2)
        self.assertEqual(task["results"][0]["signal"], "SIGKILL")
        self.d.call("DELETE", f"/api/tasks/{self.name}?kill=true")

    def test_run_asked_for_during_a_run_follows_the_policy(self):
        ask = lambda: self.d.call("POST", f"/api/tasks/{quote(self.name)}/run")
        for overlap in ("skip", "queue", "replace", "allow"):
            with self.subTest(overlap):
                self.name = f"asked/{overlap}"
                self.cron(time="1h", overlap=overlap, script=self.gate())
                self.assertEqual(ask().status, 200)
                self.running(1)
                if overlap == "skip":
                    self.assertProblem(ask(), 409, text="does not overlap itself")
                    self.let_end(1)
                    continue
                self.assertEqual(ask().status, 200)
                if overlap == "queue":
                    self.assertProblem(ask(), 409, text="asked for already")
                    self.let_end(1)
                elif overlap == "allow":
                    self.d.watch(self.name, lambda task: task["running"] == 2)
                    self.let_end(1)
                self.let_end(2)
                task = self.d.finished(self.name, 2)
                self.assertEqual([result["outcome"] for result in task["results"]],
                                 ["killed" if overlap == "replace" else "success", "success"])


class Retries(Gates, Shared):
    def waiting(self):
        return self.d.watch(self.name, lambda task: task["waitingFor"] == "retry")

    def test_failed_run_is_tried_again_with_longer_delays(self):
        self.d.submit(self.name, time=0, retries=2, retryDelay="100ms", retryBackoff=2,
                      script="echo $PAWL_RUN.$PAWL_ATTEMPT; exit 3")
        task = self.waiting()
        self.assertEqual((task["status"], task["version"], task["attempt"]), (0, 2, 2))
        self.assertEqual((task["runCount"], task["failureCount"], task["running"]), (1, 0, 0))
        self.assertGreaterEqual(ns_of(task["nextRun"]) - ns_of(task["results"][0]["timestamp"]), 100 * MS)
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual((task["version"], task["runCount"], task["failureCount"]), (6, 1, 1))
        self.assertEqual((task["waitingFor"], task["attempt"]), (None, None))
        self.assertEqual([result["result"] for result in task["results"]], ["1.1\n", "1.2\n", "1.3\n"])
        self.assertEqual([(result["run"], result["attempt"]) for result in task["results"]], [(1, 1), (1, 2), (1, 3)])
        self.assertEqual(len({result["scheduledFor"] for result in task["results"]}), 1)
        first, second, third = task["results"]
        self.assertGreaterEqual(ns_of(second["startedAt"]) - ns_of(first["timestamp"]), 100 * MS)
        self.assertGreaterEqual(ns_of(third["startedAt"]) - ns_of(second["timestamp"]), 200 * MS)

    def test_retry_that_succeeds_is_no_failure_and_the_cron_goes_on(self):
        self.d.submit(self.name, taskType="cron", time="200ms", retries=3, retryDelay=0, script="test $PAWL_ATTEMPT = 2")
        task = self.d.watch(self.name, lambda task: task["runCount"] == 2 and task["status"] == 3 and
                            task["waitingFor"] is None)
        self.assertEqual([(result["run"], result["attempt"]) for result in task["results"]],
                         [(1, 1), (1, 2), (2, 1), (2, 2)])
        self.assertEqual(task["failureCount"], 0)

    def test_cron_that_waits_is_3_and_counts_what_passes(self):
        self.d.submit(self.name, taskType="cron", time="100ms", retries=1, retryDelay="350ms",
                      script="test $PAWL_ATTEMPT = 2")
        task = self.waiting()
        self.assertEqual((task["status"], task["state"], task["attempt"]), (3, "WaitForNextExecution", 2))
        task = self.d.watch(self.name, lambda task: task["runCount"] == 1 and task["version"] >= 4)
        self.assertGreaterEqual(task["skipped"]["overlap"], 3)
        task = self.d.watch(self.name, lambda task: task["runCount"] == 2)
        due = due_of(self.waiting())
        self.assertEqual((due[-1] - due[0]) // (100 * MS) - 1, task["skipped"]["overlap"])

    def test_only_the_exit_codes_named_are_tried_again(self):
        policy = {"time": 0, "retries": 1, "retryDelay": 0, "retryOn": [75]}
        for script, attempts in (("exit 75", 2), ("exit 1", 1), ("kill -9 $$", 1), ("exit 0", 1)):
            with self.subTest(script):
                self.name = f"on/{script}"
                self.d.submit(self.name, script=script, **policy)
                task = self.d.watch(self.name, lambda task: task["status"] == 1)
                self.assertEqual(len(task["results"]), attempts)

    def test_time_limit_and_error_are_failures_too(self):
        self.d.submit(self.name, time=0, retries=1, retryDelay=0, timeout="50ms", script="exec sleep 100")
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual([result["outcome"] for result in task["results"]], ["timeout", "timeout"])
        self.name += "-error"
        self.d.submit(self.name, time=0, retries=1, retryDelay=0, cwd="/nowhere")
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual([result["outcome"] for result in task["results"]], ["error", "error"])

    def test_run_now_tries_at_once_a_pause_holds_and_a_stop_ends_the_wait(self):
        post = lambda what: self.d.call("POST", f"/api/tasks/{self.name}/{what}")
        self.d.submit(self.name, time=0, retries=9, retryDelay="1h", script="exit 9")
        self.waiting()
        self.assertEqual(post("run").status, 200)
        task = self.d.watch(self.name, lambda task: task["version"] == 4)
        self.assertEqual((task["attempt"], task["runCount"]), (3, 1))
        paused = post("pause").json()
        self.assertEqual((paused["paused"], paused["nextRun"], paused["waitingFor"]), (True, None, "retry"))
        resumed = post("resume").json()
        self.assertEqual((resumed["paused"], resumed["nextRun"], resumed["attempt"]), (False, task["nextRun"], 3))
        stopped = self.d.call("PUT", f"/api/tasks/{self.name}").json()
        self.assertEqual((stopped["status"], stopped["waitingFor"], stopped["attempt"], stopped["nextRun"]),
                         (4, None, None, None))

    def test_delay_that_is_killed_is_not_tried_again(self):
        self.d.submit(self.name, time=0, retries=9, retryDelay=0, script="exec sleep 100")
        self.d.watch(self.name, lambda task: task["running"] == 1)
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409, text="running")
        self.assertEqual(self.d.call("PUT", f"/api/tasks/{self.name}?kill=true").status, 200)
        task = self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual((task["version"], task["failureCount"], task["results"][0]["outcome"]), (2, 1, "killed"))

    def test_jitter_spreads_tasks_that_fail_together(self):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        names = [f"{self.name}/{i}" for i in range(5)]
        for self.name in names:
            self.d.submit(self.name, time=0, at=at, retries=1, retryJitter="1h", script="false")
        waits = set()
        for self.name in names:
            task = self.waiting()
            waits.add((ns_of(task["nextRun"]) - ns_of(task["results"][0]["timestamp"])) // S)
        self.assertGreater(len(waits), 2, waits)

    def test_attempts_are_listed_page_by_page_and_each_has_its_output(self):
        self.d.submit(self.name, taskType="cron", time="1h", runOnStart=True, retries=6, retryDelay=0,
                      script="echo $PAWL_RUN.$PAWL_ATTEMPT; false")
        self.d.watch(self.name, lambda task: task["failureCount"] == 1)
        self.d.call("POST", f"/api/tasks/{self.name}/run")
        self.d.watch(self.name, lambda task: task["failureCount"] == 2)
        base = f"/api/tasks/{self.name}/runs"
        for limit in (1, 2, 3, 4, 7, 9, 10):
            seen, page = [], f"{base}?limit={limit}"
            while page:
                answer = self.d.call("GET", page)
                seen += [(result["run"], result["attempt"]) for result in answer.json()]
                page = answer.headers["link"].split(">")[0][1:] if "link" in answer.headers else None
            self.assertEqual(seen, [(2, n) for n in range(7, 0, -1)] + [(1, n) for n in range(7, 4, -1)])
        self.assertEqual([result["attempt"] for result in self.d.call("GET", f"{base}?before=2").json()], [7, 6, 5])
        for attempt in (1, 3, 7):
            self.assertEqual(self.d.call("GET", f"{base}/2?attempt={attempt}").json()["attempt"], attempt)
            self.assertEqual(self.d.call("GET", f"{base}/2/output?attempt={attempt}").body, f"2.{attempt}\n".encode())
        self.assertEqual(self.d.call("GET", f"{base}/2").json()["attempt"], 7)
        self.assertProblem(self.d.call("GET", f"{base}/2?attempt=8"), 404, text="no such attempt")
        self.assertProblem(self.d.call("GET", f"{base}?attempt=2"), 400, "attempt", "before")
        for wrong in ("0", "-1", "x", "2147483648"):
            self.assertProblem(self.d.call("GET", f"{base}/2?attempt={wrong}"), 400, "attempt")

    def test_plain_run_is_its_first_attempt(self):
        self.d.submit(self.name, time=0, script=self.gate())
        task = self.d.watch(self.name, lambda task: task["running"] == 1)
        self.assertEqual((task["attempt"], task["waitingFor"]), (1, None))
        self.let_end(1)
        task = self.d.finished(self.name)
        self.assertEqual((task["attempt"], task["waitingFor"]), (None, None))

    def test_forecast_has_the_retry_that_waits(self):
        self.d.submit(self.name, taskType="cron", time="1h", runOnStart=True, maxRuns=1, retries=1, retryDelay="30m",
                      script="false")
        task = self.waiting()
        fires = self.d.call("GET", f"/api/forecast?prefix={self.name}&timezone=Europe/Berlin").json()["fires"]
        self.assertEqual([ns_of(fire["at"]) if "." in fire["at"] else fire["at"] for fire in fires],
                         [ns_of(task["nextRun"])])


class Missed(Shared):
    """Of a task that is paused: the same code as after downtime, which costs a restart."""

    def resumed(self, **fields):
        """The task that was paused for ten due times, when it runs again, and when it was resumed."""
        post = lambda what: self.d.call("POST", f"/api/tasks/{quote(self.name)}/{what}").json()
        self.d.submit(self.name, taskType="cron", time="100ms", keepResults=100, **fields)
        post("pause")
        passed = ns_of(self.d.get(self.name)["createdAt"]) + S
        wait_for("ten due times to pass", lambda: time.time_ns() > passed)
        at = ns_of(post("resume")["lastStatusUpdated"])
        task = self.d.watch(self.name, lambda task: task["results"] and due_of(task)[-1] > at and task["running"] == 0)
        due = due_of(task)
        self.assertEqual((due[-1] - ns_of(task["createdAt"])) // (100 * MS), accounted(task))
        return [ns for ns in due if ns > at - S], at, task

    def test_once_runs_the_newest(self):
        due, at, task = self.resumed()
        self.assertTrue(at - 100 * MS <= due[0] <= at, (due, at))
        self.assertGreaterEqual(task["missed"], 8)

    def test_skip_runs_none(self):
        due, at, task = self.resumed(misfire="skip")
        self.assertGreater(due[0], at)
        self.assertGreaterEqual(task["missed"], 9)

    def test_all_runs_the_newest_in_order(self):
        due, at, task = self.resumed(misfire="all", misfireLimit=4)
        self.assertEqual(len([ns for ns in due if ns <= at]), 4)
        self.assertEqual([b - a for a, b in zip(due[:3], due[1:])], [100 * MS] * 3)

    def test_grace_leaves_what_is_not_too_late(self):
        due, at, task = self.resumed(misfire="all", misfireGrace="450ms")
        self.assertGreaterEqual(due[0], at - 450 * MS)
        self.assertGreaterEqual(len([ns for ns in due if ns <= at]), 4)


class Documents(Shared):
    def test_all_of_it_is_echoed_and_an_answer_can_be_submitted_again(self):
        task = self.d.submit(self.name, **EVERYTHING)
        self.assertEqual({name: task[name] for name in EVERYTHING}, EVERYTHING)
        again = self.d.call("POST", "/api/tasks", {**task, "id": self.name + "-again"}).json()
        self.assertEqual({name: again[name] for name in EVERYTHING}, EVERYTHING)

    def test_what_is_as_by_default_is_left_out(self):
        task = self.d.submit(self.name, overlap="skip", queueLimit=1, misfire="once", misfireGrace=0, misfireLimit=100,
                             retries=0, retryDelay="1s", retryBackoff=1, retryMaxDelay=0, retryJitter=0, retryOn=None)
        self.assertFalse(set(EVERYTHING) & set(task))

    REFUSED = [
        ("overlap", "\"skip\", \"queue\"", {"overlap": "sometimes"}),
        ("overlap", "not a number", {"overlap": 1}),
        ("queueLimit", "1 to 10000", {"overlap": "queue", "queueLimit": 0}),
        ("queueLimit", "1 to 10000", {"overlap": "queue", "queueLimit": -1}),
        ("queueLimit", "1 to 10000", {"overlap": "queue", "queueLimit": 2**64 - 1}),
        ("queueLimit", "overlap queue", {"queueLimit": 2}),
        ("queueLimit", "overlap queue", {"overlap": "replace", "queueLimit": 2}),
        ("maxRunning", "1 to 10000", {"overlap": "allow", "maxRunning": 0}),
        ("maxRunning", "1 to 10000", {"overlap": "allow", "maxRunning": 10001}),
        ("maxRunning", "overlap allow", {"maxRunning": 2}),
        ("retries", "overlap", {"overlap": "allow", "retries": 1}),
        ("maxRunning", "overlap allow", {"maxRunning": 5}),
        ("maxRunning", "1 to 10000", {"overlap": "allow", "maxRunning": 0}),
        ("retries", "allow", {"overlap": "allow", "retries": 1}),
        ("misfire", "\"once\", \"skip\" or \"all\"", {"misfire": "none"}),
        ("misfireGrace", "8784h", {"misfireGrace": "-1s"}),
        ("misfireGrace", "8784h", {"misfireGrace": "8785h"}),
        ("misfireLimit", "1 to 10000", {"misfire": "all", "misfireLimit": 10001}),
        ("misfireLimit", "misfire all", {"misfire": "skip", "misfireLimit": 5}),
        ("retries", "0 to 1000", {"retries": 1001}),
        ("retries", "0 to 1000", {"retries": -1}),
        ("retries", "whole number", {"retries": 1.5}),
        ("retryDelay", "without retries", {"retryDelay": "5s"}),
        ("retryDelay", "8784h", {"retries": 1, "retryDelay": "9000h"}),
        ("retryBackoff", "1 to 100", {"retries": 1, "retryBackoff": 0.5}),
        ("retryBackoff", "1 to 100", {"retries": 1, "retryBackoff": 101}),
        ("retryBackoff", "a number", {"retries": 1, "retryBackoff": "2"}),
        ("retryBackoff", "without retries", {"retryBackoff": 2}),
        ("retryMaxDelay", "below retryDelay", {"retries": 1, "retryMaxDelay": "999ms"}),
        ("retryMaxDelay", "without retries", {"retryMaxDelay": "1m"}),
        ("retryJitter", "8784h", {"retries": 1, "retryJitter": -1}),
        ("retryJitter", "without retries", {"retryJitter": 1}),
        ("retryOn", "is empty", {"retries": 1, "retryOn": []}),
        ("retryOn", "1 to 255", {"retries": 1, "retryOn": [0]}),
        ("retryOn", "1 to 255", {"retries": 1, "retryOn": [256]}),
        ("retryOn", "not a string", {"retries": 1, "retryOn": ["75"]}),
        ("retryOn", "array", {"retries": 1, "retryOn": 75}),
        ("retryOn", "without retries", {"retryOn": [75]}),
    ]

    def test_what_is_wrong_or_would_come_to_nothing_is_told_by_field(self):
        for field, text, fields in self.REFUSED:
            with self.subTest(fields):
                document = {"id": self.name, "taskType": "cron", "time": "1h", "script": "true", **fields}
                self.assertProblem(self.d.call("POST", "/api/tasks", document), 400, field, text)

    def test_stream_takes_and_refuses_the_same(self):
        lines = [{"id": f"{self.name}/{i}", "taskType": "cron", "time": "1h", "script": "true", **fields}
                 for i, (_, _, fields) in enumerate(self.REFUSED)]
        lines.append({"id": self.name, "taskType": "delay", "time": "1h", "script": "true", **EVERYTHING})
        answer = self.d.call("POST", "/api/tasks", "\n".join(map(json.dumps, lines)),
                             ["Content-Type: application/x-ndjson"]).json()
        self.assertEqual((answer["accepted"], answer["rejected"]), (1, len(self.REFUSED)))
        for error, (field, text, _) in zip(answer["errors"], self.REFUSED):
            self.assertEqual(error["field"], field)
            self.assertIn(text, error["detail"])
        task = self.d.get(self.name)
        self.assertEqual({name: task[name] for name in EVERYTHING}, EVERYTHING)


class Explanations(Gates, Shared):
    def assertSays(self, *parts):
        document = self.d.call("GET", f"/api/tasks/{self.name}/explain").json()
        for part in parts:
            self.assertTrue(any(part in line for line in document["why"]), (part, document["why"]))
        return document

    def cron(self, **fields):
        self.d.submit(self.name, **{"taskType": "cron", "time": "100ms", **fields})

    def test_retry_that_waits(self):
        self.cron(retries=5, retryDelay="1h", script="exit 3")
        task = self.d.watch(self.name, lambda task: task["waitingFor"] == "retry")
        document = self.assertSays("in 59m", "it is attempt 2 of 6 of run 1, which failed", "attempt 1 ended in failure, exit 3",
                                   "run 1 is tried again: what falls due before its end is skipped")
        self.assertEqual(ns_of(document["nextRun"].replace("Z", "+00:00")[:29] + document["nextRun"][29:]),
                         ns_of(task["nextRun"]))
        self.d.call("POST", f"/api/tasks/{self.name}/pause")
        self.assertSays("resumed, it makes attempt 2 of run 1")

    def test_due_times_that_wait(self):
        self.cron(overlap="queue", queueLimit=5, script=self.gate())
        wait_for("two to wait", lambda: "2 due times have come" in str(
            self.d.call("GET", f"/api/tasks/{self.name}/explain").json()["why"]))
        self.assertSays("the newest 5 run after it (overlap queue)", "due times have come and run one after the other "
                        "(overlap queue)", "is due since")
        self.d.call("DELETE", f"/api/tasks/{self.name}?kill=true")

    def test_run_that_makes_room(self):
        self.cron(time="1h", overlap="replace", script=self.gate())
        self.d.call("POST", f"/api/tasks/{self.name}/run")
        self.d.watch(self.name, lambda task: task["running"] == 1)
        self.assertSays("run 1 is in progress: what falls due before its end ends it (overlap replace)")
        self.let_end(1)

    def test_pause(self):
        for misfire, text in (("once", "once for all"), ("skip", "nothing of what it missed (misfire skip)"),
                              ("all", "at most the newest 100 (misfire all)")):
            self.name = f"pause-{misfire}"
            self.cron(misfire=misfire)
            self.d.call("POST", f"/api/tasks/{self.name}/pause")
            self.assertSays(text)

    def test_runs_left_do_not_count_those_that_were_asked_for(self):
        self.cron(time="1h", maxRuns=2)
        self.d.call("POST", f"/api/tasks/{self.name}/run")
        self.d.finished(self.name)
        self.assertEqual(self.assertSays("2 of 2 runs are left")["runsLeft"], 2)


class Full(Gates, Case):
    def test_explanation_says_that_others_must_end_first(self):
        d = self.daemon("--max-running", "1")
        d.submit("first", time=0, script=self.gate())
        d.watch("first", lambda task: task["running"] == 1)
        d.submit("second", time=0)
        wait_for("it to wait for a worker", lambda: d.get("second")["waitingFor"] == "worker")
        self.assertIn("it waits for other runs to end", d.call("GET", "/api/tasks/second/explain").json()["why"][0])
        self.let_end(1)
        self.assertEqual(d.finished("second")["waitingFor"], None)


class Restarts(Case):
    def waiting(self, d):
        return d.watch("r", lambda task: task["waitingFor"] == "retry")

    def test_retry_waits_on_over_an_end_and_a_death(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("r", time=0, retries=3, retryDelay="1h", script="echo $PAWL_ATTEMPT; false")
        before = self.waiting(d)
        for end in (d.stop, None):
            if end:
                end()
            else:
                d.kill()
            d = self.daemon(data=data)
            after = d.get("r")
            due, was = ns_of(after.pop("nextRun")), ns_of(before["nextRun"])
            self.assertLess(abs(due - was), S)
            self.assertEqual(after, {name: value for name, value in before.items() if name != "nextRun"})
        d.call("POST", "/api/tasks/r/run")
        task = d.watch("r", lambda task: task["version"] == 4)
        self.assertEqual([result["result"] for result in task["results"]], ["1\n", "2\n"])
        self.assertEqual(task["attempt"], 3)

    def test_retry_whose_time_came_in_between_is_tried_at_the_start(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("r", time=0, retries=1, retryDelay="300ms", script="test $PAWL_ATTEMPT = 2")
        due = ns_of(self.waiting(d)["nextRun"])
        d.kill()
        wait_for("its time to pass", lambda: time.time_ns() > due)
        task = self.daemon(data=data).watch("r", lambda task: task["status"] == 1)
        self.assertEqual([result["outcome"] for result in task["results"]], ["failure", "success"])
        self.assertEqual(task["failureCount"], 0)

    def test_attempt_under_which_the_daemon_died_is_lost_and_tried_again(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("r", time=0, retries=1, retryDelay=0, script="test $PAWL_ATTEMPT = 2 || exec sleep 100")
        d.watch("r", lambda task: task["running"] == 1)
        d.kill()
        task = self.daemon(data=data).watch("r", lambda task: task["status"] == 1)
        self.assertEqual([(result["outcome"], result["attempt"]) for result in task["results"]],
                         [("lost", 1), ("success", 2)])
        self.assertEqual((task["runCount"], task["failureCount"]), (1, 0))

    def test_downtime_follows_the_policy(self):
        data = self.place()
        d = self.daemon(data=data)
        for misfire in ("once", "skip", "all"):
            d.submit(misfire, taskType="cron", time="100ms", keepResults=1000, misfire=misfire,
                     **({"misfireLimit": 5} if misfire == "all" else {}))
            d.finished(misfire)
        d.kill()
        down = time.time_ns()
        wait_for("a second to pass", lambda: time.time_ns() > down + S)
        up = time.time_ns()
        d = self.daemon(data=data)
        for misfire, least, most in (("once", 1, 1), ("skip", 0, 0), ("all", 5, 5)):
            with self.subTest(misfire):
                task = d.watch(misfire, lambda task: task["results"] and task["running"] == 0 and
                               due_of(task)[-1] > ns_of(task["lastStatusUpdated"]) - 100 * MS > up)
                due = due_of(task)
                self.assertEqual((due[-1] - ns_of(task["createdAt"])) // (100 * MS), accounted(task), task)
                made_up = [ns for ns, result in zip(due, task["results"])
                           if ns > down and ns_of(result["startedAt"]) - ns > 100 * MS]
                gap = max(b - a for a, b in zip(due, due[1:]))
                self.assertGreaterEqual(gap, 400 * MS)
                self.assertLessEqual(len(made_up), most + 5 if misfire == "all" else most + 1, task)


class Client(Shared):
    def pawl(self, *args):
        return subprocess.run([PAWL, "-server", self.d.address, *args], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})

    def submit(self, *args):
        return self.pawl("submit", self.name, "-type=delay", "-time=1h", "-script=exit 3", *args)

    def test_submit_has_a_flag_for_each_and_get_shows_them(self):
        done = self.submit("-overlap=queue", "-queue-limit=3", "-misfire=all", "-misfire-grace=1h", "-misfire-limit=7",
                           "-retries=5", "-retry-delay=200ms", "-retry-backoff=1.5", "-retry-max-delay=1m",
                           "-retry-jitter=1ns", "-retry-on=75,3", "-retry-on", "3", "-o=json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        task = json.loads(done.stdout)
        self.assertEqual({name: task[name] for name in EVERYTHING}, EVERYTHING)
        shown = self.pawl("get", self.name).stdout
        for line in ("OVERLAP   queue, at most 3 wait", "MISFIRE   all, the newest 7, none later than 1h",
                     "RETRIES   5, after 200ms, each 1.5 times the one before, at most 1m, and up to 1ns more, "
                     "on exit 3, 75"):
            self.assertIn(line + "\n", shown)

    def test_plain_task_shows_no_policy(self):
        self.submit()
        shown = self.pawl("get", self.name).stdout
        for word in ("OVERLAP", "MISFIRE", "RETRIES"):
            self.assertNotIn(word, shown)

    def test_get_and_list_say_which_retry_waits(self):
        self.d.submit(self.name, time=0, retries=5, retryDelay="1h", script="exit 3")
        self.d.watch(self.name, lambda task: task["waitingFor"] == "retry")
        shown = self.pawl("get", self.name).stdout
        self.assertRegex(shown, r"(?m)^STATUS    ToBeExecuted \(retry 1 of 5 at [-0-9: ]+\)$")
        self.assertRegex(shown, r"(?m)^RETRIES   5, after 1h$")
        self.assertRegex(self.pawl("list", "-prefix", self.name).stdout, rf"(?m)^{self.name} .* [-0-9:]+ retry$")
        self.assertRegex(self.pawl("list", "-prefix", self.name, "-o=wide").stdout, r"SKIPPED")
        self.d.call("POST", f"/api/tasks/{self.name}/run")
        self.d.watch(self.name, lambda task: task["version"] == 4)
        self.assertIn("exit 3, took", shown)
        self.assertIn(", attempt 2\n", self.pawl("get", self.name).stdout)

    def test_runs_and_logs_tell_attempts_apart(self):
        self.d.submit(self.name, time=0, retries=1, retryDelay=0, script="echo out $PAWL_ATTEMPT; false")
        self.d.watch(self.name, lambda task: task["status"] == 1)
        self.assertEqual(self.pawl("runs", self.name, "-o=name").stdout, "1.2\n1.1\n")
        self.assertRegex(self.pawl("runs", self.name).stdout, r"(?m)^1\.2 .* out 2")
        for run, out in (("1.1", "out 1\n"), ("1.2", "out 2\n"), ("1", "out 2\n")):
            self.assertEqual(self.pawl("logs", self.name, run).stdout, out)
        self.assertEqual(self.pawl("logs", self.name, "1.3").returncode, 3)
        for wrong in ("1.", ".1", "1.2.3", "1.x", "."):
            self.assertEqual(self.pawl("logs", self.name, wrong).returncode, 2)

    def test_what_could_not_be_told_is_refused(self):
        for flag, text in (("-overlap=que", "did you mean queue?"), ("-retries=-1", "whole number"), ("-retry-delay=5", "unit"),
                           ("-retry-backoff=twice", "not a number"), ("-retry-backoff=", "not a number"),
                           ("-retry-backoff=nan", "not a number"), ("-retry-on=", "not exit codes"),
                           ("-retry-on=1,", "not exit codes"), ("-retry-on=1;2", "not exit codes"),
                           ("-retry-on=-1", "not exit codes")):
            with self.subTest(flag):
                done = self.submit(flag)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(text, done.stderr)
        for flags, text in ((["-retry-delay=5s"], "retryDelay is given without retries"),
                            (["-retries=1", "-retry-on=256"], "1 to 255"), (["-queue-limit=5"], "overlap queue")):
            with self.subTest(flags):
                done = self.submit(*flags)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
