#!/usr/bin/env python3
"""What a task does to itself from inside its own run: all of it works, is told to the script, and leaves a sane state."""

import json
import os
import unittest

from daemon import SANITIZED, Shared, quote, wait_for

ROUNDS = 5 if SANITIZED else 50


class Self(Shared):
    OPTIONS = ("--max-running", "8")

    def setUp(self):
        super().setUp()
        self.address = f"{self.d.address}/api/tasks"

    def curl(self, method, what="", query="", more=""):
        """A line of a script that asks this of its own task, and notes the status of the answer."""
        return (f"curl -s -o /dev/null -w '%{{http_code}} ' -X {method} {more} "
                f"'{self.address}/'$PAWL_TASK_ID'{what}{query}' >> $PAWL_TASK_ID.told\n")

    def told(self, id):
        try:
            with open(os.path.join(self.d.folder.name, f"{id}.told")) as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def each(self, script, **fields):
        """Submits a task for each round, and gives their ids."""
        ids = [f"{self.name}-{i}" for i in range(ROUNDS)]
        for id in ids:
            self.d.submit(id, **{"time": 0, "script": script, **fields})
        return ids

    def settled(self, id, until):
        task = self.d.watch(id, lambda task: task["running"] == 0 and until(task))
        self.assertEqual(task["failureCount"], 0, task)
        return task

    def runs(self, id, n):
        return self.settled(id, lambda task: task["runCount"] == n)

    def gone(self, ids):
        for id in ids:
            wait_for(f"{id} to be gone", lambda: self.d.call("GET", f"/api/tasks/{id}").status == 404)

    def check_rest(self):
        """Nothing is left behind."""
        wait_for("runs to end", lambda: self.d.health()["running"] == 0)

    CRON = {"taskType": "cron", "time": "1h", "runOnStart": True}

    def test_stops_itself(self):
        for id in self.each(self.curl("PUT"), **self.CRON):
            task = self.runs(id, 1)
            self.assertEqual((task["status"], task["version"], task["nextRun"]), (4, 3, None))
            self.assertEqual(self.told(id), ["200"])
        self.check_rest()

    def test_delay_that_stops_itself_is_refused_and_ends(self):
        for id in self.each(self.curl("PUT")):
            task = self.runs(id, 1)
            self.assertEqual((task["status"], task["version"]), (1, 2))
            self.assertEqual(self.told(id), ["409"])

    def test_deletes_itself(self):
        ids = self.each(self.curl("DELETE"))
        self.gone(ids)
        for id in ids:
            wait_for("the answer", lambda: self.told(id) == ["200"])
        self.check_rest()

    def test_deletes_itself_with_its_run(self):
        self.gone(self.each(self.curl("DELETE", query="?kill=true") + "sleep 1000\n"))
        self.check_rest()

    def test_deletes_all_of_its_tag(self):
        ids = self.each("curl -s -X DELETE -o /dev/null "
                        f"'{self.address}?tag={self.name}'", tags=[self.name])
        self.gone(ids)
        self.check_rest()

    def test_replaces_itself(self):
        again = json.dumps({"taskType": "delay", "time": "1h", "script": "true"})[1:]
        script = self.curl("DELETE") + (
            "curl -s -o /dev/null -w '%{http_code} ' "
            "-d '{\"id\":\"'$PAWL_TASK_ID'\"," + again + f"' '{self.address}' >> $PAWL_TASK_ID.told\n")
        for id in self.each(script):
            wait_for("both answers", lambda: self.told(id) == ["200", "200"])
            task = self.d.get(id)
            self.assertEqual((task["status"], task["version"], task["runCount"]), (0, 0, 0))
        self.check_rest()
        for id in [f"{self.name}-{i}" for i in range(ROUNDS)]:
            task = self.d.get(id)               # nothing of the old run shows up in the new task
            self.assertEqual((task["version"], task["runCount"], task["results"]), (0, 0, []))

    def test_pauses_and_resumes_itself(self):
        for id in self.each(self.curl("POST", "/pause") + self.curl("POST", "/resume"), **self.CRON):
            task = self.runs(id, 1)
            self.assertEqual((task["paused"], task["status"], task["version"]), (False, 3, 4))
            self.assertEqual(self.told(id), ["200", "200"])
            self.assertIsNotNone(task["nextRun"])

    def test_pauses_itself_before_it_is_tried_again(self):
        script = "if test $PAWL_ATTEMPT = 1; then " + self.curl("POST", "/pause") + "exit 1; fi"
        for more in ({}, self.CRON):
            ids = self.each(script, retries=1, retryDelay=0, **more)
            for id in ids:
                task = self.settled(id, lambda task: task["version"] == 3)
                self.assertEqual((task["paused"], task["waitingFor"]), (True, "retry"))
                self.assertEqual(self.d.call("POST", f"/api/tasks/{id}/resume").status, 200)
                task = self.settled(id, lambda task: task["version"] == 6)
                self.assertEqual((task["runCount"], task["results"][-1]["attempt"]), (1, 2))
                self.assertEqual(self.d.call("DELETE", f"/api/tasks/{id}").status, 200)
                os.unlink(os.path.join(self.d.folder.name, f"{id}.told"))

    def test_runs_itself_as_overlap_says(self):
        once = "if test $PAWL_RUN = 1; then " + self.curl("POST", "/run") + "fi"
        for id in self.each(once):
            self.runs(id, 1)
            self.assertEqual(self.told(id), ["409"])
            os.unlink(os.path.join(self.d.folder.name, f"{id}.told"))
            self.assertEqual(self.d.call("DELETE", f"/api/tasks/{id}").status, 200)
        for id in self.each(once, overlap="queue"):
            task = self.runs(id, 2)
            self.assertEqual((task["status"], task["version"]), (1, 4))
            self.assertEqual(self.told(id), ["200"])

    def test_replaces_its_run_by_another(self):
        script = "if test $PAWL_RUN = 1; then " + self.curl("POST", "/run") + "sleep 1000; fi"
        for id in self.each(script, overlap="replace"):
            task = self.d.watch(id, lambda task: task["runCount"] == 2 and task["running"] == 0)
            self.assertEqual([result["outcome"] for result in task["results"]], ["killed", "success"])
            self.assertEqual((task["failureCount"], task["version"]), (1, 4))

    def test_edits_itself(self):
        patch = json.dumps({"script": "echo other"})
        script = self.curl("PATCH", more=f"-d '{patch}'")
        for id in self.each(script, **self.CRON):
            task = self.runs(id, 1)
            self.assertEqual((task["script"], task["version"], task["status"]), ("echo other", 3, 3))
            self.assertEqual(self.told(id), ["200"])
            self.assertEqual(self.d.call("POST", f"/api/tasks/{id}/run").status, 200)
            self.assertEqual(self.runs(id, 2)["results"][-1]["result"], "other\n")


class Durable(Self):
    """The same with a store: each answer comes when the change is durable, while the script waits for it."""

    DATA = "FOLDER/data"


if __name__ == "__main__":
    unittest.main()
