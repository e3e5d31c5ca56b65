#!/usr/bin/env python3
"""A condition, the script that each run begins with: over REST and by the client, with real time."""

import os
import subprocess
import unittest

from daemon import HERE, LIMIT, Case, Shared, processes, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


class Condition(Shared):
    def test_a_failure_skips_the_run_and_is_counted(self):
        self.d.submit(self.name, time=0, condition="echo dropped; exit 1", script="echo ran")
        task = self.d.finished(self.name)
        self.assertEqual((task["state"], task["endReason"], task["results"], task["version"], task["runCount"]),
                         ("Executed", "skipped", [], 2, 1))
        self.assertEqual(task["skipped"], {"overlap": 0, "condition": 1, "group": 0})
        self.assertEqual((task["condition"], task["failureCount"]), ("echo dropped; exit 1", 0))

    def test_an_interval_runs_when_its_condition_says_so(self):
        path = f"{self.d.folder.name}/{self.name}"
        self.d.submit(self.name, taskType="cron", time="20ms", condition=f"test -e {path}", script="echo ran")
        self.d.watch(self.name, lambda task: task["skipped"]["condition"] >= 3)
        self.assertEqual(self.d.get(self.name)["results"], [])
        open(path, "w").close()
        task = self.d.watch(self.name, lambda task: len(task["results"]) >= 2)
        self.assertEqual(task["results"][0]["result"], "ran\n")

    def test_maxRuns_counts_what_ran(self):
        path = f"{self.d.folder.name}/{self.name}"
        self.d.submit(self.name, taskType="cron", time="20ms", maxRuns=2, script="echo ran",
                      condition=f"echo >> {path}; test $(wc -l < {path}) -gt 2")
        task = self.d.watch(self.name, lambda task: task["state"] == "Executed")
        self.assertEqual((task["runCount"], task["skipped"]["condition"], len(task["results"]), task["endReason"]),
                         (4, 2, 2, "maxRuns"))

    def test_a_time_limit_and_a_stop_with_kill_have_results(self):
        self.d.submit(self.name, time=0, condition="exec sleep 100", timeout="100ms", script="true")
        self.assertEqual(self.d.finished(self.name)["results"][0]["outcome"], "timeout")
        again = self.name + "-again"
        self.d.submit(again, time=0, condition="exec sleep 100", script="true")
        self.d.watch(again, lambda task: task["running"] == 1)
        self.assertEqual(self.d.call("PUT", f"/api/tasks/{again}?kill=true").status, 200)
        self.assertEqual(self.d.finished(again)["results"][0]["outcome"], "killed")

    def test_it_is_explained(self):
        self.d.submit(self.name, time="1h", condition="false")
        why = self.d.call("GET", f"/api/tasks/{self.name}/explain").body.decode()
        self.assertIn("skipped if that fails (condition)", why)

    def test_what_cannot_be_one_is_refused(self):
        for condition, text in (("", "empty"), (5, "must be a string"), ("a\0", "NUL"), ("x" * (1 << 20) + "x", "1 MiB")):
            answer = self.d.call("POST", "/api/tasks", {"id": self.name, "taskType": "delay", "time": 0,
                                                        "script": "true", "condition": condition})
            self.assertProblem(answer, 400, "condition", text)

    def test_client_has_a_flag_and_shows_it(self):
        run = lambda *args: subprocess.run([PAWL, "--server", self.d.addresses[0], *args], capture_output=True,
                                           text=True, timeout=LIMIT)
        done = run("submit", self.name, "-type=delay", "-time=1h", "-script=true", "-condition=test -e /ready")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.d.get(self.name)["condition"], "test -e /ready")
        self.assertIn("CONDITION test -e /ready\n", run("get", self.name).stdout)


class Stored(Case):
    def test_a_run_that_was_cut_off_in_its_condition_is_lost_and_ended(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("t", time=0, condition="exec sleep 1000", script="true")
        d.submit("u", time=0, condition="true", script="exec sleep 1001")
        wait_for("both", lambda: len(processes(d.mark)) == 3)
        d.watch("u", lambda task: task["running"] == 1)
        d.kill()
        d2 = self.daemon(data=data)
        for id in ("t", "u"):
            task = d2.get(id)
            self.assertEqual((task["results"][0]["outcome"], task["skipped"]["condition"]), ("lost", 0))
        wait_for("their end", lambda: processes(d.mark) == [])
        d2.submit("v", time="1h", condition="true")
        kept = d2.get("v")
        d2.stop()
        self.assertEqual(self.daemon(data=data).get("v"), kept)


if __name__ == "__main__":
    unittest.main()
