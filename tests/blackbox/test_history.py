#!/usr/bin/env python3
"""The history of tasks: its pages, single runs, what they wrote, how it is bounded; in memory and
in a store alike."""

import os
import re
import subprocess
import time
import unittest

from daemon import PAWLD, Case, Shared, environment, quote, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(os.path.dirname(PAWLD), "pawl")


def pawl(daemon, *args):
    """Runs the client; gives status, stdout, stderr."""
    done = subprocess.run([PAWL, *args], env=environment(PAWL_SERVER=daemon.address), text=True,
                          capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Runs(Shared):
    """In memory."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name_of_runs = "a/b %2F ä"
        cls.d.submit(cls.name_of_runs, taskType="cron", time="20ms", keepResults=25,
                     script="echo out $((++n)) $RANDOM; echo err >&2")
        cls.d.finished(cls.name_of_runs, 25)
        cls.d.call("PUT", f"/api/tasks/{quote(cls.name_of_runs)}")
        cls.task = cls.d.watch(cls.name_of_runs, lambda task: task["running"] == 0)
        cls.path = f"/api/tasks/{quote(cls.name_of_runs)}/runs"

    def test_all_runs_are_the_results_the_newest_first(self):
        answer = self.d.call("GET", self.path)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json(), self.task["results"][::-1])
        self.assertEqual(len(answer.json()), 25)
        self.assertNotIn("link", answer.headers)

    def test_pages_follow_each_other_without_repeating_or_losing_one(self):
        for limit in (1, 7, 24, 25, 1000):
            runs, target, npages = [], f"{self.path}?limit={limit}", 0
            while target:
                answer = self.d.call("GET", target)
                self.assertLessEqual(len(answer.json()), limit)
                runs += answer.json()
                link = re.fullmatch('<(.*)>; rel="next"', answer.headers.get("link", ""))
                target = link and link[1]
                npages += 1
            self.assertEqual(runs, self.task["results"][::-1])
            self.assertEqual(npages, -(-25 // limit))

    def test_before_gives_older_runs_only(self):
        newest = self.task["results"][-1]["run"]
        for before in (newest + 1, newest, newest - 23, newest - 24, 1, 2 ** 63 - 1):
            runs = self.d.call("GET", f"{self.path}?before={before}").json()
            self.assertEqual([run["run"] for run in runs],
                             [n for n in range(newest, newest - 25, -1) if n < before])

    def test_bad_parameters_are_400_by_name(self):
        for query, field in (("limit=0", "limit"), ("limit=10001", "limit"), ("limit=x", "limit"),
                             ("before=0", "before"), ("before=-1", "before")):
            self.assertProblem(self.d.call("GET", f"{self.path}?{query}"), 400, field)
        self.assertProblem(self.d.call("GET", f"{self.path}?after=1"), 400, None, "limit, before")
        number = self.task["results"][0]["run"]
        self.assertProblem(self.d.call("GET", f"{self.path}/{number}/output?stream=both"), 400,
                           "stream", "stdout or stderr")

    def test_a_single_run_is_its_result(self):
        for result in self.task["results"][::8]:
            answer = self.d.call("GET", f"{self.path}/{result['run']}")
            self.assertEqual((answer.status, answer.json()), (200, result))

    def test_the_output_of_a_run_is_plain_text(self):
        result = self.task["results"][3]
        for query, text in (("", result["result"]), ("?stream=stdout", result["result"]),
                            ("?stream=stderr", result["stderr"])):
            answer = self.d.call("GET", f"{self.path}/{result['run']}/output{query}")
            self.assertEqual((answer.status, answer.body.decode()), (200, text))
            self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
        head = self.d.call("HEAD", f"{self.path}/{result['run']}/output")
        self.assertEqual((head.status, head.headers["content-length"]), (200, str(len(result["result"]))))

    def test_what_is_not_there_is_404(self):
        for target in ("/api/tasks/none/runs", "/api/tasks/none/runs/1",
                       "/api/tasks/none/runs/1/output"):
            self.assertProblem(self.d.call("GET", target), 404, None, "no task has the id 'none'")
        for number in ("0", "99999", "-1", "x", "1x", "9" * 30, "18446744073709551617"):
            for rest in ("", "/output"):
                self.assertProblem(self.d.call("GET", f"{self.path}/{number}{rest}"), 404, None,
                                   "is kept")
        self.assertProblem(self.d.call("GET", f"{self.path}/1/input"), 404)

    def test_other_methods_are_405(self):
        for target in (self.path, f"{self.path}/1", f"{self.path}/1/output"):
            answer = self.d.call("DELETE", target)
            self.assertProblem(answer, 405)
            self.assertEqual(answer.headers["allow"], "GET, HEAD, OPTIONS")

    def test_a_task_without_runs_has_none(self):
        self.d.submit(self.name)
        answer = self.d.call("GET", f"/api/tasks/{self.name}/runs?limit=3")
        self.assertEqual((answer.status, answer.json()), (200, []))
        self.assertNotIn("link", answer.headers)

    def test_an_empty_output_is_an_empty_text(self):
        self.d.submit(self.name, time=0, script="exit 3")
        self.d.finished(self.name)
        answer = self.d.call("GET", f"/api/tasks/{self.name}/runs/1/output")
        self.assertEqual((answer.status, answer.body, answer.headers["content-type"]),
                         (200, b"", "text/plain; charset=utf-8"))

    def test_a_long_output_comes_whole(self):
        self.d.submit(self.name, time=0, keepResults=2, script="head -c 60000 /dev/zero | tr '\\0' x; "
                      "head -c 200000 /dev/zero | tr '\\0' y >&2; printf 'a\\0b\\377\\n'")
        result, = self.d.finished(self.name)["results"]
        path = f"/api/tasks/{self.name}/runs/1"
        self.assertEqual(self.d.call("GET", path + "/output").body.decode(),
                         "x" * 60000 + "a\0b\ufffd\n")
        self.assertEqual(self.d.call("GET", path + "/output?stream=stderr").body.decode(),
                         result["stderr"])
        self.assertTrue(result["truncated"])

    def test_the_client_shows_them(self):
        status, out, _ = pawl(self.d, "runs", self.name_of_runs, "-limit=12")
        lines = out.splitlines()
        self.assertEqual((status, len(lines)), (0, 13))
        self.assertEqual(lines[0].split(), ["RUN", "STARTED", "DURATION", "OUTCOME", "EXIT", "OUTPUT"])
        newest = self.task["results"][-1]
        self.assertEqual(lines[1].split()[0], str(newest["run"]))
        self.assertIn(newest["result"].strip(), lines[1])
        status, out, _ = pawl(self.d, "runs", self.name_of_runs, "-o", "json")
        self.assertEqual(status, 0)
        self.assertEqual(out.count('"run":'), 25)
        status, out, _ = pawl(self.d, "runs", self.name_of_runs, "-o", "name")
        self.assertEqual(out.split(), [str(r["run"]) for r in self.task["results"][::-1]])
        self.assertEqual(pawl(self.d, "logs", self.name_of_runs), (0, newest["result"], ""))
        oldest = self.task["results"][0]
        self.assertEqual(pawl(self.d, "logs", self.name_of_runs, str(oldest["run"]), "-stderr"),
                         (0, "err\n", ""))
        self.d.submit(self.name)
        self.assertEqual(pawl(self.d, "runs", self.name), (0, "no runs\n", ""))
        self.assertEqual(pawl(self.d, "logs", self.name)[0], 3)
        self.assertEqual(pawl(self.d, "logs", self.name, "17")[0], 3)
        self.assertEqual(pawl(self.d, "logs", self.name, "x")[0], 2)
        self.assertEqual(pawl(self.d, "runs", "none")[0], 3)


class Bounds(Case):
    def test_delay_tasks_that_are_over_are_removed_after_keep_finished(self):
        for data in (None, self.place()):
            d = self.daemon("--keep-finished", "1s", data=data)
            d.submit("ran", time=0, script="echo ran")
            d.submit("failed", time=0, script="exit 1")
            d.submit("later")
            d.submit("again", taskType="cron", time="100ms")
            d.finished("ran")
            self.assertEqual(d.call("GET", "/api/tasks/ran").status, 200)
            wait_for("the end of what is over", lambda: {task["id"] for task in d.call(
                "GET", "/api/tasks").json()} == {"later", "again"})
            d.submit("ran")                     # the id is free
            d.stop()

    def test_keep_finished_0_keeps_for_ever(self):
        d = self.daemon("--keep-finished", "0s")
        d.submit("ran", time=0)
        d.finished("ran")
        time.sleep(2)                           # the claim is about this time
        self.assertEqual(d.get("ran")["state"], "Executed")

    def test_results_older_than_history_age_are_removed(self):
        data = self.place()
        d = self.daemon("--history-age", "1s", data=data)
        d.submit("t", time=0, script="echo kept; echo e >&2")
        self.assertEqual(len(d.finished("t")["results"]), 1)
        wait_for("the result to be there", lambda: d.health()["storage"]["historyBytes"] > 0)
        wait_for("the result to go", lambda: d.health()["storage"]["historyBytes"] == 0)
        d.kill()
        d = self.daemon("--history-age", "1s", data=data)
        task = d.get("t")
        self.assertEqual((task["state"], task["runCount"], task["version"], task["results"]),
                         ("Executed", 1, 2, []))
        self.assertProblem(d.call("GET", "/api/tasks/t/runs/1"), 404)

    def test_the_oldest_results_go_when_they_fill_history_bytes(self):
        data = self.place()
        d = self.daemon(data=data)
        for n in range(40):
            d.submit(f"t{n}", time=0, script="head -c 60000 /dev/zero | tr '\\0' x")
            d.finished(f"t{n}")
        wait_for("the results to be there", lambda: d.health()["storage"]["historyBytes"] > 2 << 20)
        d.kill()
        d = self.daemon("--history-bytes", "1MiB", data=data)
        wait_for("the oldest to go", lambda: d.health()["storage"]["historyBytes"] <= 1 << 20)
        d.kill()
        d = self.daemon("--history-bytes", "1MiB", data=data)
        kept = [bool(task["results"]) for task in d.call("GET", "/api/tasks").json()]
        self.assertEqual(len(kept), 40)
        self.assertEqual(kept, sorted(kept))        # none is gone that is newer than one kept
        self.assertGreaterEqual(sum(kept), 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)
