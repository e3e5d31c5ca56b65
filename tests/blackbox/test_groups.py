#!/usr/bin/env python3
"""Groups of tasks of which only so many run at once: over REST, NDJSON and by the client, in real time."""

import json
import os
import subprocess
import unittest

from daemon import HERE, LIMIT, Case, Shared, quote, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")
NDJSON = ["Content-Type: application/x-ndjson"]


class Held:
    """Tasks whose one run lasts until the test lets it end, in a group of the test's own."""

    def hold(self, d, suffix, **fields):
        if not hasattr(self, "gates"):
            self.gates = self.place()
        path = f"{self.gates}/{suffix}"
        if not os.path.exists(path):
            os.mkfifo(path)
        return d.submit(self.name + suffix, **{"taskType": "delay", "time": 0, "group": self.group,
                                               "script": f"read word < {path}", **fields})

    def let_end(self, suffix):
        with open(f"{self.gates}/{suffix}", "w") as file:
            file.write("end\n")

    def running(self, d, suffix):
        return d.watch(self.name + suffix, lambda task: task["running"] == 1)

    def waiting(self, d, suffix):
        return wait_for(f"{suffix} waits", lambda: d.get(self.name + suffix)["waitingFor"] == "group")

    def group_of(self, d):
        return d.call("GET", "/api/groups/" + quote(self.group)).json()

    def settled(self, d, running, waiting):
        wait_for(f"{running} run, {waiting} wait",
                 lambda: (self.group_of(d)["running"], self.group_of(d)["waiting"]) == (running, waiting))


class Groups(Held, Shared):
    def setUp(self):
        super().setUp()
        self.group = self.name[-60:]

    def put(self, size, group=None):
        return self.d.call("PUT", "/api/groups/" + quote(group or self.group),
                           size if isinstance(size, str) else {"size": size})

    def test_one_runs_and_the_others_wait_their_turn_in_order(self):
        self.hold(self.d, "1")
        self.running(self.d, "1")
        for suffix in "23":
            self.hold(self.d, suffix)
            task = self.waiting(self.d, suffix)
        self.assertEqual(self.group_of(self.d), {"name": self.group, "size": 1, "source": "default",
                                                 "running": 1, "waiting": 2})
        task = self.d.get(self.name + "3")
        self.assertEqual((task["version"], task["state"], task["running"]), (0, "ToBeExecuted", 0))
        self.assertEqual(task["group"], self.group)
        self.assertNotIn("groupOverflow", task)
        self.assertGreaterEqual(self.d.health()["waitingGroup"], 2)
        self.let_end("1")
        self.running(self.d, "2")
        self.assertEqual(self.d.get(self.name + "3")["waitingFor"], "group")
        self.let_end("2")
        self.running(self.d, "3")
        self.let_end("3")
        self.settled(self.d, 0, 0)
        first, second = (self.d.finished(self.name + suffix)["results"][0] for suffix in "12")
        self.assertGreaterEqual(second["startedAt"], first["timestamp"])

    def test_a_size_is_set_and_taken_back_while_tasks_wait(self):
        for suffix in "123":
            self.hold(self.d, suffix)
        self.settled(self.d, 1, 2)
        self.assertEqual(self.put(3).json(), {"name": self.group, "size": 3, "source": "request",
                                              "running": 3, "waiting": 0})
        for suffix in "123":
            self.running(self.d, suffix)
        self.assertIn(self.group_of(self.d), self.d.call("GET", "/api/groups").json())
        answer = self.d.call("DELETE", "/api/groups/" + quote(self.group))
        self.assertEqual((answer.status, answer.json()["size"], answer.json()["source"]), (200, 1, "default"))
        self.assertProblem(self.d.call("DELETE", "/api/groups/" + quote(self.group)), 404,
                           text="nobody has set a size")
        for suffix in "123":
            self.let_end(suffix)
        self.settled(self.d, 0, 0)

    def test_a_size_of_none_holds_all(self):
        self.assertEqual(self.put(0).status, 200)
        self.hold(self.d, "1")
        self.waiting(self.d, "1")
        self.assertEqual(self.d.call("PUT", f"/api/tasks/{self.name}1").json()["state"], "Stopped")
        self.settled(self.d, 0, 0)
        self.hold(self.d, "2")
        self.waiting(self.d, "2")
        self.put(1)
        self.running(self.d, "2")
        self.let_end("2")

    def test_skip_passes_and_is_counted(self):
        self.hold(self.d, "1")
        self.running(self.d, "1")
        task = self.hold(self.d, "2", groupOverflow="skip")
        self.assertEqual(task["groupOverflow"], "skip")
        task = self.d.watch(self.name + "2", lambda task: task["state"] == "Executed")
        self.assertEqual(task["skipped"]["group"], 1)
        self.assertEqual((task["runCount"], task["results"]), (0, []))
        self.assertEqual(task["endReason"], "skipped")
        self.let_end("1")

    def test_a_task_that_is_edited_into_another_group_goes_on_there(self):
        self.hold(self.d, "1")
        self.running(self.d, "1")
        self.hold(self.d, "2")
        self.waiting(self.d, "2")
        answer = self.d.call("PATCH", f"/api/tasks/{self.name}2", {"group": self.group + "2"})
        self.assertEqual((answer.status, answer.json()["group"]), (200, self.group + "2"))
        self.running(self.d, "2")
        self.settled(self.d, 1, 0)
        answer = self.d.call("PATCH", f"/api/tasks/{self.name}1", {"group": None})
        self.assertEqual(answer.status, 200, answer)
        self.assertNotIn("group", answer.json())
        self.assertEqual(self.group_of(self.d)["running"], 1)      # the place is the run's
        self.let_end("1")
        self.settled(self.d, 0, 0)
        self.let_end("2")

    def test_what_is_no_group_is_refused_by_name(self):
        for fields, field, text in (({"group": "a b"}, "group", "has a blank"),
                                    ({"group": ""}, "group", "0 bytes"),
                                    ({"group": "x" * 64}, "group", "64 bytes"),
                                    ({"group": "a\0b"}, "group", "NUL"),
                                    ({"group": ["db"]}, "group", "must be a string"),
                                    ({"groupOverflow": "skip"}, "groupOverflow", "without group"),
                                    ({"group": "x", "groupOverflow": "drop"}, "groupOverflow", "wait")):
            answer = self.d.call("POST", "/api/tasks", {"id": self.name, "taskType": "delay", "time": "1h",
                                                        "script": "true", **fields})
            self.assertProblem(answer, 400, field=field, text=text)
        task = self.d.submit(self.name, group=None, groupOverflow=None)
        self.assertNotIn("group", task)

    def test_what_is_no_size_is_refused(self):
        for body, text in ((-1, "negative"), (1000001, "0 to 1000000"), ("{}", "size is missing"),
                           ('{"size":"4"}', "whole number"), ('{"size":1.5}', "whole number"),
                           ('{"size":null}', "not null")):
            self.assertProblem(self.put(body), 400, field="size", text=text)
        for body, field, text in (('{"sise":4}', "sise", "unknown field"), ('{"size":4,"SIZE":4}', "size", "given twice")):
            self.assertProblem(self.put(body), 400, field=field, text=text)
        for body, text in (("", "empty"), ("{", "not valid JSON"), ("[4]", "not an array"),
                           ("4", "not a number"), ('{"size":99999999999999999999}', "not valid JSON")):
            self.assertProblem(self.put(body), 400, text=text)
        self.assertProblem(self.put(1, "a b"), 400, field="group", text="blank")
        self.assertProblem(self.d.call("GET", "/api/groups/a%2Cb"), 400, field="group", text="comma")
        self.assertProblem(self.d.call("POST", "/api/groups/x", {"size": 1}), 405)
        self.assertEqual(self.group_of(self.d)["source"], "default")

    def test_a_group_that_was_got_can_be_sent_back(self):
        self.put(3)
        group = self.group_of(self.d)
        self.assertEqual(self.put(json.dumps(group)).json(), group)
        self.assertEqual(self.put('{"Size":4}').json()["size"], 4)

    def test_a_stream_takes_it_and_lists_and_changes_ask_for_it(self):
        lines = "".join(json.dumps({"id": f"{self.name}{n}", "taskType": "delay", "time": "1h", "script": "true",
                                    "group": group}) + "\n"
                        for n, group in enumerate((self.group, "a b", self.group + "2", None, self.group)))
        document = self.d.call("POST", "/api/tasks", lines, NDJSON).json()
        self.assertEqual((document["accepted"], document["rejected"]), (4, 1))
        self.assertEqual(document["errors"][0]["field"], "group")
        target, seen = f"/api/tasks?group={quote(self.group)}&limit=1", []
        while target:
            answer = self.d.call("GET", target)
            seen += [task["id"][len(self.name):] for task in answer.json()]
            link = answer.headers.get("link")
            target = link and link[1:link.index(">")]
        self.assertEqual(seen, ["0", "4"])
        document = self.d.call("POST", f"/api/tasks:pause?group={quote(self.group)}").json()
        self.assertEqual((document["matched"], document["changed"]), (2, 2))
        self.assertProblem(self.d.call("GET", "/api/tasks?group=a%20b"), 400, field="group")

    def test_a_validator_changes_when_the_task_waits(self):
        self.hold(self.d, "1")
        self.running(self.d, "1")
        self.put(0)
        before = self.d.call("POST", "/api/tasks", {"id": self.name + "2", "taskType": "delay", "time": "1h",
                                                    "script": "true", "group": self.group})
        etag = self.d.call("GET", f"/api/tasks/{self.name}2").headers["etag"]
        self.assertEqual(before.status, 200)
        self.d.call("POST", f"/api/tasks/{self.name}2/run")
        self.waiting(self.d, "2")
        answer = self.d.call("GET", f"/api/tasks/{self.name}2", None, [f"If-None-Match: {etag}"])
        self.assertEqual((answer.status, answer.json()["waitingFor"]), (200, "group"))
        self.let_end("1")

    def pawl(self, status, *args):
        done = subprocess.run([PAWL, *args], env={**os.environ, "PAWL_SERVER": self.d.address},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, status, done)
        return done.stdout if status == 0 else done.stderr

    def test_the_client_has_words_for_all_of_it(self):
        self.assertIn(self.group, self.pawl(0, "group", "set", self.group, "0"))
        self.pawl(0, "submit", self.name, "-type=delay", "-time=0", "-script=true", f"-group={self.group}",
                  "-group-overflow=wait")
        self.waiting(self.d, "")
        self.assertIn("pawl group list", self.pawl(2, "group"))
        self.pawl(0, "submit", self.name + "cron", "-type=cron", "-time=1h", "-script=true", f"-group={self.group}")
        self.assertEqual(len(self.pawl(0, "forecast", f"-group={self.group}", "-until=90m", "-o=name").split()), 1)
        self.pawl(0, "delete", self.name + "cron")
        text = self.pawl(0, "get", self.name)
        self.assertIn("waits for a place in its group", text)
        self.assertIn(self.group, text)
        self.assertRegex(self.pawl(0, "group", "list"), rf"(?m)^{self.group} +0 +0 +1 +request")
        self.assertIn(self.group, self.pawl(0, "group", "list", "-o", "name").split())
        self.assertIn({"name": self.group, "size": 0, "source": "request", "running": 0, "waiting": 1},
                      json.loads(self.pawl(0, "group", "list", "-o", "json")))
        self.assertEqual(self.pawl(0, "list", f"-group={self.group}", "-o", "name"), self.name + "\n")
        self.assertEqual(json.loads(self.pawl(0, "group", "delete", self.group, "-o", "json"))["size"], 1)
        self.d.finished(self.name)
        self.assertIn("nobody has set a size", self.pawl(3, "group", "delete", self.group))
        for words in (("set", self.group, "x"), ("set", self.group), ("put", self.group), ("list", "x"),
                      ("set", self.group, "-1"), ("delete",)):
            self.pawl(2, "group", *words)
        self.assertIn("blank", self.pawl(2, "group", "set", "a b", "1"))


class Daemons(Held, Case):
    name = "t"
    group = "db"

    def test_sizes_are_configured_and_those_that_were_set_come_first_also_after_a_restart(self):
        place = self.place()
        with open(f"{place}/conf", "w") as file:
            file.write("group = db=2\ngroup = web=3\n")
        options = ["--config", f"{place}/conf", "--group-queue", "1"]
        d = self.daemon(*options, data=f"{place}/data")
        self.assertEqual([(g["name"], g["size"]) for g in d.call("GET", "/api/groups").json()],
                         [("db", 2), ("web", 3)])
        self.assertEqual(self.group_of(d)["source"], "configuration")
        d.call("PUT", "/api/groups/db", {"size": 0})
        self.hold(d, "1")
        self.waiting(d, "1")
        self.hold(d, "2")           # the queue is full
        self.assertEqual(d.watch("t2", lambda task: task["state"] == "Executed")["skipped"]["group"], 1)
        d.kill()
        d = self.daemon(*options, data=f"{place}/data")
        self.assertEqual((self.group_of(d)["size"], self.group_of(d)["source"]), (0, "request"))
        self.waiting(d, "1")
        self.assertEqual(d.call("DELETE", "/api/groups/db").json()["size"], 2)
        self.running(d, "1")
        self.let_end("1")
        self.settled(d, 0, 0)
        d.call("PUT", "/api/groups/web", {"size": 9})
        d.kill()
        d = self.daemon("--group", "db=5", data=f"{place}/data")
        self.assertEqual([(g["name"], g["size"], g["source"]) for g in d.call("GET", "/api/groups").json()],
                         [("db", 5, "configuration"), ("web", 9, "request")])

    def test_a_full_daemon_is_told_from_a_full_group(self):
        d = self.daemon("--max-running", "1")
        self.hold(d, "1")
        self.running(d, "1")
        d.submit("plain", taskType="delay", time=0, script="true")
        self.assertEqual(d.get("plain")["waitingFor"], "worker")
        self.let_end("1")
        self.assertIsNone(d.finished("plain")["waitingFor"])


if __name__ == "__main__":
    unittest.main()
