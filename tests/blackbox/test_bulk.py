#!/usr/bin/env python3
"""Changes of all tasks that match: stop, delete, pause, resume, run."""

import json
import threading
import time
import unittest

from daemon import LIMIT, SANITIZED, Case, Shared, quote, wait_for

NDJSON = ["Content-Type: application/x-ndjson"]
MANY = 20000 if SANITIZED else 100000
FIELDS = {"matched", "changed", "refused", "errors", "errorsTruncated", "dryRun"}


def fill(d, n, prefix="", **fields):
    """Submits n tasks PREFIX0, PREFIX1, ..."""
    lines = "".join(json.dumps({"id": f"{prefix}{i}", "taskType": "cron", "time": "1h",
                                "script": "true", **fields}) + "\n" for i in range(n))
    document = d.call("POST", "/api/tasks", lines, NDJSON).json()
    if document["accepted"] != n:
        raise AssertionError(document)


class Bulk(Shared):
    """Each test has a tag of its own."""

    def setUp(self):
        super().setUp()
        self.tag = self.name[-63:]

    def submit(self, suffix, *tags, **fields):
        return self.d.submit(self.name + suffix, taskType="cron", tags=[self.tag, *tags], **fields)

    def bulk(self, method, path, query=""):
        answer = self.d.call(method, f"/api/{path}?tag={self.tag}{query}")
        self.assertEqual(answer.status, 200, answer)
        document = answer.json()
        self.assertEqual(set(document), FIELDS)
        return document

    def counts(self, *args):
        document = self.bulk(*args)
        return document["matched"], document["changed"], document["refused"]

    def tasks(self):
        return self.d.call("GET", f"/api/tasks?tag={self.tag}").json()

    def test_stop_stops_those_that_match_and_no_others(self):
        for n in "123":
            self.submit(n)
        other = self.d.submit(self.name)
        self.assertEqual(self.bulk("PUT", "tasks"), {
            "matched": 3, "changed": 3, "refused": 0, "errors": [], "errorsTruncated": False,
            "dryRun": False})
        self.assertEqual([task["status"] for task in self.tasks()], [4, 4, 4])
        self.assertEqual(self.d.get(self.name), other)

    def test_refusals_are_told(self):
        self.submit("1")
        self.submit("2")
        self.d.call("PUT", f"/api/tasks/{self.name}2")
        document = self.bulk("PUT", "tasks")
        self.assertEqual((document["matched"], document["changed"], document["refused"]), (2, 1, 1))
        error, = document["errors"]
        self.assertEqual((error["id"], error["status"]), (self.name + "2", 409))
        self.assertIn("stopped", error["detail"])

    def test_pause_and_resume(self):
        self.submit("1")
        self.submit("2")
        self.assertEqual(self.counts("POST", "tasks:pause"), (2, 2, 0))
        self.assertEqual([task["paused"] for task in self.tasks()], [True, True])
        self.assertEqual(self.counts("POST", "tasks:pause"), (2, 0, 2))
        self.assertEqual(self.counts("POST", "tasks:resume"), (2, 2, 0))
        self.assertEqual([task["paused"] for task in self.tasks()], [False, False])

    def test_run_now(self):
        for n in "12":
            self.submit(n)
        self.assertEqual(self.counts("POST", "tasks:run"), (2, 2, 0))
        for n in "12":
            self.assertEqual(self.d.finished(self.name + n)["runCount"], 1)

    def test_delete_with_kill_ends_what_runs(self):
        self.submit("1", script="sleep 100")
        self.submit("2")
        self.d.call("POST", f"/api/tasks/{self.name}1/run")
        self.d.watch(self.name + "1", lambda task: task["running"] == 1)
        self.assertEqual(self.counts("DELETE", "tasks", "&kill=true"), (2, 2, 0))
        self.assertEqual(self.tasks(), [])
        wait_for("the run to end", lambda: self.d.health()["running"] == 0)

    def test_stop_with_kill_ends_what_runs(self):
        self.submit("1", script="sleep 100")
        self.d.call("POST", f"/api/tasks/{self.name}1/run")
        self.d.watch(self.name + "1", lambda task: task["running"] == 1)
        self.assertEqual(self.counts("PUT", "tasks", "&kill=true"), (1, 1, 0))
        self.assertEqual(self.d.finished(self.name + "1")["results"][0]["outcome"], "killed")

    def test_filters_are_those_of_a_list(self):
        self.submit("a1", "x")
        self.submit("a2", "y")
        self.submit("b1", "x")
        self.d.submit(self.name + "b2", tags=[self.tag])
        self.d.call("PUT", f"/api/tasks/{self.name}a1")
        for query, n in (("&tag=x", 2), (f"&prefix={self.name}a", 2), ("&type=delay", 1),
                         ("&status=4", 1), ("&status=Stopped,0", 4), ("&prefix=" + "x" * 300, 0),
                         (f"&tag=x&prefix={self.name}a&status=0", 0), ("&all=true", 4)):
            self.assertEqual(self.counts("DELETE", "tasks", query + "&dryRun=true"), (n, 0, 0), query)
        self.assertEqual(len(self.tasks()), 4)

    def test_a_dry_run_changes_nothing(self):
        task = self.submit("1")
        for method, path in (("PUT", "tasks"), ("DELETE", "tasks"), ("POST", "tasks:run"),
                             ("POST", "tasks:pause"), ("POST", "tasks:resume")):
            document = self.bulk(method, path, "&dryRun=1")
            self.assertEqual(document, {"matched": 1, "changed": 0, "refused": 0, "errors": [],
                                        "errorsTruncated": False, "dryRun": True})
        self.assertEqual(self.tasks(), [task])

    def test_without_a_filter_all_must_be_said(self):
        self.submit("1")
        for method, path in (("PUT", "tasks"), ("DELETE", "tasks"), ("POST", "tasks:run"),
                             ("POST", "tasks:pause"), ("POST", "tasks:resume")):
            for query in ("", "?dryRun=true", "?all=false", "?prefix="):
                self.assertProblem(self.d.call(method, f"/api/{path}{query}"), 400, field="all",
                                   text="all=true")
        self.assertEqual(self.tasks()[0]["version"], 0)

    def test_bad_parameters_are_refused(self):
        for query, field in (("tag=", "tag"), ("status=9", "status"), ("type=x", "type"),
                             ("tag=a&dryRun=maybe", "dryRun"), ("all=x", "all")):
            self.assertProblem(self.d.call("PUT", f"/api/tasks?{query}"), 400, field=field)
        self.assertProblem(self.d.call("DELETE", "/api/tasks?tag=a&kill=x"), 400, field="kill")
        self.assertProblem(self.d.call("PUT", "/api/tasks?tag=a&limit=3"), 400, text="known here: tag")
        self.assertProblem(self.d.call("PUT", "/api/tasks?tag=a&kill=true&kill=true"), 400)
        self.assertProblem(self.d.call("GET", "/api/tasks:pause"), 405)
        self.assertProblem(self.d.call("POST", "/api/tasks:stop?all=true"), 404)

    def test_a_task_whose_id_looks_like_it_is_a_task(self):
        self.d.submit(":pause", tags=[self.tag])
        self.assertEqual(self.d.call("POST", "/api/tasks/:pause/pause").status, 200)
        self.assertEqual(self.counts("POST", "tasks%3Aresume"), (1, 1, 0))

    def test_no_more_than_a_thousand_errors_are_told(self):
        fill(self.d, 1500, self.name, tags=[self.tag])
        self.assertEqual(self.counts("PUT", "tasks"), (1500, 1500, 0))
        document = self.bulk("PUT", "tasks")
        self.assertEqual((document["refused"], len(document["errors"])), (1500, 1000))
        self.assertTrue(document["errorsTruncated"])

    def test_a_task_deletes_all_of_its_own_tag(self):
        url = f"{self.d.address}/api/tasks?tag={quote(self.tag)}"
        for n in "123":
            self.submit(n)
        self.submit("self", script=f"curl -s -X DELETE '{url}' > answer.new; mv answer.new answer")
        self.d.call("POST", f"/api/tasks/{self.name}self/run")
        folder = self.d.folder.name
        wait_for("all to be deleted", lambda: self.tasks() == [])

        def answer():
            try:
                with open(f"{folder}/answer") as file:
                    return json.load(file)
            except FileNotFoundError:
                return None
        self.assertEqual(wait_for("the script's answer", answer)["changed"], 4)
        wait_for("the run to end", lambda: self.d.health()["running"] == 0)
        self.submit("self")                     # the id is free


class Durable(Bulk):
    """The same with a store."""

    @classmethod
    def setUpClass(cls):
        cls.OPTIONS, cls.DATA = (), "FOLDER/data"
        super().setUpClass()


class Large(Case):
    def check(self, d, n):
        """Others are served while all are stopped, then deleted."""
        fill(d, n, "a", tags=["many"])
        fill(d, 100, "b")
        over, slowest = threading.Event(), [0.0]

        def ask():
            with d.connect() as client:
                while not over.is_set():
                    begin = time.monotonic()
                    if client.call("GET", "/api/tasks/b7").status != 200:
                        return
                    slowest[0] = max(slowest[0], time.monotonic() - begin)
        asker = threading.Thread(target=ask)
        asker.start()
        try:
            for method, path in (("POST", "tasks:pause"), ("PUT", "tasks"), ("DELETE", "tasks")):
                document = d.call(method, f"/api/{path}?tag=many").json()
                self.assertEqual((document["matched"], document["changed"]), (n, n), method)
        finally:
            over.set()
            asker.join()
        self.assertLess(slowest[0], 10 if SANITIZED else 1)
        self.assertEqual(d.health()["tasks"], 100)

    def test_many_in_memory(self):
        self.check(self.daemon("--http-threads", "1"), MANY)

    def test_many_in_a_store_are_durable_when_answered(self):
        data = self.place()
        d = self.daemon("--http-threads", "1", "--durability", "process", data=data)
        self.check(d, MANY)
        d.kill()
        d = self.daemon(data=data)
        self.assertEqual(d.health()["tasks"], 100)

    @unittest.skipIf(SANITIZED, "a sanitizer's memory grows by itself")
    def test_memory_does_not_grow_with_the_tasks(self):
        d = self.daemon("--http-threads", "1")
        fill(d, MANY, "a", tags=["many"])
        before = d.status("VmRSS")
        d.call("DELETE", "/api/tasks?tag=many&dryRun=true")
        self.assertLess(d.status("VmRSS"), before + 4096)

    def test_tasks_submitted_after_it_began_are_not_touched(self):
        d = self.daemon("--durability", "process", data=self.place())
        fill(d, MANY, "a", tags=["many"])
        answers = []
        stopper = threading.Thread(
            target=lambda: answers.append(d.call("PUT", "/api/tasks?tag=many").json()))
        stopper.start()
        wait_for("it to begin", lambda: d.get("a0")["status"] == 4)
        late = [d.submit(f"late{n}", tags=["many"])["id"] for n in range(20)]
        stopper.join(LIMIT)
        done = answers[0]["matched"]
        touched = sum(d.get(id)["status"] == 4 for id in late)
        self.assertEqual((done, touched), (MANY, 0))

    def test_a_client_that_goes_away_ends_it(self):
        d = self.daemon("--http-threads", "1", data=self.place())
        fill(d, MANY, "a", tags=["many"])
        with d.connect() as client:
            client.ask("PUT", "/api/tasks?tag=many")
            wait_for("it to begin", lambda: d.get("a0")["status"] == 4)
        document = d.call("PUT", "/api/tasks?tag=many&status=0").json()
        self.assertLessEqual(document["refused"], 1024)     # they were under way, and not shown yet
        self.assertGreater(document["changed"], MANY // 2)
        self.assertEqual(d.call("PUT", "/api/tasks?tag=many&status=0&dryRun=true").json()["matched"], 0)

    def test_a_daemon_that_is_told_to_stop_does(self):
        d = self.daemon("--http-threads", "1", data=self.place())
        fill(d, MANY, "a", tags=["many"])
        with d.connect() as client:
            client.ask("DELETE", "/api/tasks?tag=many")
            wait_for("it to begin", lambda: d.health()["tasks"] < MANY)
            d.signal()
            answer = client.read()
        self.assertEqual(d.end(), 0, d.log())
        if answer.status == 200:                # it was quick
            self.assertEqual(answer.json()["changed"], MANY)
        else:
            self.assertProblem(answer, 503, text="the daemon is stopping")

    def test_two_at_once_change_each_task_once(self):
        d = self.daemon("--http-threads", "2", data=self.place())
        fill(d, MANY // 10, "a", tags=["many"])
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            d.call("DELETE", "/api/tasks?tag=many").json())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual(sum(answer["changed"] for answer in answers), MANY // 10)
        for answer in answers:
            self.assertEqual(answer["matched"], answer["changed"] + answer["refused"])
            self.assertLessEqual({error["status"] for error in answer["errors"]}, {404})
        self.assertEqual(d.health()["tasks"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
