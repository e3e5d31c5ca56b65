#!/usr/bin/env python3
"""A task is run now, paused and resumed, over REST and by the client."""

import json
import os
import subprocess
import unittest

from daemon import HERE, Shared

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


class Pause(Shared):
    OPTIONS = ("--ephemeral",)

    def submit(self, **fields):
        return self.d.submit(self.name, **{"taskType": "cron", "script": "echo $PAWL_RUN", **fields})

    def ask(self, what):
        return self.d.call("POST", f"/api/tasks/{self.name}/{what}")

    def until(self, version):
        return self.d.watch(self.name, lambda task: task["version"] >= version)

    def test_run_now_leaves_the_schedule_as_it_is(self):
        before = self.submit()
        asked = self.ask("run")
        self.assertEqual((asked.status, asked.json()["version"]), (200, 0))
        task = self.until(2)
        self.assertEqual(task["results"][0]["result"], "1\n")
        self.assertEqual(task["nextRun"], before["nextRun"])
        self.assertEqual((task["status"], task["runCount"]), (3, 1))

    def test_paused_task_has_no_next_run_and_keeps_its_status(self):
        self.submit()
        paused = self.ask("pause").json()
        self.assertEqual((paused["paused"], paused["status"], paused["nextRun"]), (True, 0, None))
        self.assertEqual(paused["version"], 1)
        self.assertProblem(self.ask("pause"), 409, text="paused already")
        self.ask("run")
        task = self.until(3)
        self.assertEqual((task["paused"], task["runCount"]), (True, 1))
        resumed = self.ask("resume").json()
        self.assertEqual((resumed["paused"], resumed["version"]), (False, 4))
        self.assertTimes(resumed, "nextRun")
        self.assertProblem(self.ask("resume"), 409, text="not paused")

    def test_delay_that_came_due_while_paused_runs_when_it_is_resumed(self):
        self.submit(taskType="delay", time="200ms")
        self.ask("pause")
        other = self.name + "-other"
        self.d.submit(other, time="300ms")
        self.d.finished(other)
        self.assertEqual(self.d.get(self.name)["runCount"], 0)
        self.ask("resume")
        self.assertEqual(self.until(4)["status"], 1)

    def test_what_is_running_or_stopped_or_gone_is_refused(self):
        self.submit(script="sleep 30")
        self.ask("run")
        self.until(1)
        self.assertProblem(self.ask("run"), 409, text="running already")
        self.d.call("DELETE", f"/api/tasks/{self.name}?kill=true")
        for what in ("run", "pause", "resume"):
            self.assertEqual(self.ask(what).status, 404)
        self.submit()
        self.d.call("PUT", f"/api/tasks/{self.name}")
        for what in ("run", "pause", "resume"):
            self.assertProblem(self.ask(what), 409)
        self.assertEqual(self.d.call("GET", f"/api/tasks/{self.name}/run").status, 405)

    def test_a_task_pauses_itself(self):
        self.submit(time="1s", script="curl -s -X POST -o /dev/null "
                    f"{self.d.address}/api/tasks/{self.name}/pause")
        self.ask("run")
        task = self.until(3)
        self.assertEqual((task["paused"], task["runCount"], task["running"]), (True, 1, 0))

    def test_explanation_says_that_it_is_paused(self):
        self.submit()
        self.ask("pause")
        explained = self.d.call("GET", f"/api/tasks/{self.name}/explain").json()
        self.assertTrue(any("paused" in line for line in explained["why"]), explained)

    def client(self, *args):
        env = {**os.environ, "PAWL_SERVER": f"{self.d.address}"}
        return subprocess.run([PAWL, *args], capture_output=True, text=True, env=env)

    def test_client_runs_pauses_and_resumes(self):
        self.submit()
        for command in ("run", "pause", "resume"):
            done = self.client(command, self.name, "-o", "json")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout)["paused"], command == "pause")
            if command == "pause":
                self.assertIn("(paused)", self.client("get", self.name).stdout)
                listed = self.client("list", "-prefix", self.name).stdout
                self.assertRegex(listed, rf"(?m)^{self.name} .* paused$")
            self.until(2)
        done = self.client("resume", self.name)
        self.assertEqual(done.returncode, 4)
        self.assertIn("not paused", done.stderr)


if __name__ == "__main__":
    unittest.main()
