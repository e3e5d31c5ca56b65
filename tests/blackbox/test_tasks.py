#!/usr/bin/env python3
"""The life of tasks by raw HTTP: submit, run, get, stop, delete, watch, as the contract says."""

import time
import unittest

from daemon import DELAY, Shared, quote, request, wait_for

FIELDS = {"id", "taskType", "time", "script", "keepResults", "results", "status", "state",
          "lastStatusUpdated", "version", "createdAt", "nextRun", "previousRun", "runCount",
          "failureCount", "skipped", "missed", "missedPaused", "endReason", "waitingFor", "attempt", "running", "timezone",
          "paused"}
RESULT_FIELDS = {"timestamp", "result", "stderr", "exitCode", "signal", "outcome", "scheduledFor",
                 "startedAt", "durationNs", "run", "attempt", "truncated"}


class Delay(Shared):
    def test_a_submitted_task_is_answered_whole(self):
        task = self.d.submit(self.name, time="1h30m", script="echo hi", keepResults=3)
        self.assertEqual(set(task), FIELDS)
        self.assertTimes(task, "lastStatusUpdated", "createdAt", "nextRun")
        for field, value in {"id": self.name, "taskType": "delay", "time": 5_400_000_000_000,
                             "script": "echo hi", "keepResults": 3, "results": [], "status": 0,
                             "state": "ToBeExecuted", "version": 0, "previousRun": None,
                             "runCount": 0, "failureCount": 0, "running": 0,
                             "skipped": {"overlap": 0, "condition": 0, "group": 0}, "missed": 0,
                             "missedPaused": 0, "endReason": None, "waitingFor": None, "attempt": None}.items():
            self.assertEqual(task[field], value, field)
        self.assertEqual(self.d.get(self.name), task)

    def test_times_carry_the_offset_of_the_daemons_zone(self):
        task = self.d.submit(self.name)
        self.assertRegex(task["createdAt"], r"\+0[12]:00$")     # daemon.py: Europe/Berlin

    def test_goes_from_0_to_2_to_1_with_versions_0_1_2(self):
        path = self.d.folder.name + "/go"
        self.assertEqual(self.d.submit(self.name, time="50ms", script=f"until test -e {path}; do "
                                       "sleep 0.01; done; echo out; echo err >&2")["version"], 0)
        running = self.d.watch(self.name, lambda task: task["version"] == 1)
        self.assertEqual((running["status"], running["state"], running["running"],
                          running["nextRun"], running["runCount"], running["results"]),
                         (2, "Executing", 1, None, 1, []))
        self.assertTimes(running, "previousRun", "lastStatusUpdated")
        open(path, "w").close()
        task = self.d.watch(self.name, lambda task: task["version"] == 2)
        self.assertEqual((task["status"], task["state"], task["running"], task["nextRun"],
                          task["runCount"], task["failureCount"]), (1, "Executed", 0, None, 1, 0))
        self.assertEqual(task["previousRun"], running["previousRun"])
        result, = task["results"]
        self.assertEqual(set(result), RESULT_FIELDS)
        self.assertTimes(result, "timestamp", "scheduledFor", "startedAt")
        self.assertLessEqual(result["scheduledFor"], result["startedAt"])
        self.assertLess(result["startedAt"], result["timestamp"])
        self.assertGreater(result["durationNs"], 0)
        for field, value in {"result": "out\n", "stderr": "err\n", "exitCode": 0, "signal": None,
                             "outcome": "success", "run": 1, "attempt": 1,
                             "truncated": False}.items():
            self.assertEqual(result[field], value, field)

    def test_a_failing_script_is_a_failure_with_its_exit_code(self):
        self.d.submit(self.name, time=0, script="exit 3")
        task = self.d.finished(self.name)
        self.assertEqual((task["state"], task["failureCount"]), ("Executed", 1))
        self.assertEqual((task["results"][0]["outcome"], task["results"][0]["exitCode"]),
                         ("failure", 3))

    def test_stop_before_the_run_means_it_never_runs(self):
        self.d.submit(self.name)
        answer = self.d.call("PUT", f"/api/tasks/{self.name}")
        task = answer.json()
        self.assertEqual((answer.status, task["status"], task["state"], task["version"],
                          task["nextRun"], task["runCount"]), (200, 4, "Stopped", 1, None, 0))
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409)
        self.assertEqual(self.d.get(self.name), task)

    def test_stop_during_and_after_the_run_is_refused_and_changes_nothing(self):
        path = self.d.folder.name + "/end"
        self.d.submit(self.name, time=0, script=f"until test -e {path}; do sleep 0.01; done")
        running = self.d.watch(self.name, lambda task: task["status"] == 2)
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409)
        self.assertEqual(self.d.get(self.name), running)
        open(path, "w").close()
        task = self.d.finished(self.name)
        self.assertEqual((task["state"], task["version"]), ("Executed", 2))
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409)
        self.assertEqual(self.d.get(self.name), task)

    def test_times_may_be_nanoseconds_or_durations(self):
        for n, (given, ns) in enumerate(((0, 0), (1, 1), ("300ms", 300_000_000), ("0", 0),
                                         ("1.5h", 5_400_000_000_000), ("1m30s", 90_000_000_000),
                                         (2**63 - 1, 2**63 - 1))):
            self.assertEqual(self.d.submit(f"{self.name}{n}", time=given)["time"], ns)

    def test_long_scripts_run_like_short_ones(self):
        for size in (100, 128 << 10, 1 << 20):
            script = "echo $0 ok".ljust(size, "\n")
            id = f"{self.name}{size}"
            self.assertEqual(self.d.submit(id, time=0, script=script)["script"], script)
            self.assertEqual(self.d.finished(id)["results"][0]["result"], "pawl ok\n")

    def test_output_past_64_KiB_is_cut_in_the_middle_and_is_valid_UTF_8(self):
        self.d.submit(self.name, time=0, script="printf 'head\\377'; yes | head -c 300000; echo tail")
        result, = self.d.finished(self.name)["results"]
        self.assertTrue(result["truncated"])
        self.assertTrue(result["result"].startswith("head\ufffd"))
        self.assertTrue(result["result"].endswith("tail\n"))
        self.assertLess(len(result["result"]), 66_000)

    def test_runs_see_a_clean_environment(self):
        self.d.submit(self.name, time=0, script="env | grep ^PAWL_ | grep -vcE "
                      "'^PAWL_(TASK_ID|RUN|ATTEMPT|SCHEDULED_AT)='; ls -l /proc/self/fd/ | "
                      "grep -c '[3-9] ->'; cat; grep SigBlk /proc/self/status; ps -o pgid= $$ | "
                      "grep -cw $$")
        out = self.d.finished(self.name)["results"][0]["result"].split("\n")
        # ls itself has the folder open as 3, and nothing else.
        self.assertEqual(out[:1] + out[2:4], ["0", "SigBlk:\t0000000000000000", "1"], out)
        self.assertEqual(out[1], "1")

    def test_runs_know_which_one_they_are(self):
        self.d.submit(self.name, time=0, script="echo $PAWL_TASK_ID $PAWL_RUN $PAWL_ATTEMPT; "
                      "echo $PAWL_SCHEDULED_AT")
        result, = self.d.finished(self.name)["results"]
        which, due = result["result"].splitlines()
        self.assertEqual(which, f"{self.name} 1 1")
        self.assertRegex(due, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
        self.assertEqual(due[17:29], result["scheduledFor"][17:29])


class Cron(Shared):
    def test_first_run_is_one_interval_after_submission_and_due_times_do_not_drift(self):
        # A script longer than the interval: due times pass during runs and are counted.
        task = self.d.submit(self.name, taskType="cron", time="40ms", script="sleep 0.05")
        self.assertEqual((task["status"], task["runCount"]), (0, 0))
        first = nanoseconds(task["createdAt"])
        task = self.d.finished(self.name, 4)
        due = [nanoseconds(result["scheduledFor"]) for result in task["results"]]
        self.assertLess(abs(due[0] - first - 40_000_000), 15_000_000)
        # In terms of the wall clock, which is read a little later, or much under load.
        away = sorted(min((at - first) % 40_000_000, (first - at) % 40_000_000) for at in due)
        self.assertLess(away[len(away) // 2], 2_000_000, due)
        self.assertGreaterEqual(task["skipped"]["overlap"], 3)
        self.assertEqual([result["run"] for result in task["results"]],
                         list(range(1, len(due) + 1)))
        for before, after in zip(task["results"], task["results"][1:]):
            self.assertLessEqual(before["timestamp"], after["startedAt"])

    def test_waits_in_state_3_with_nextRun_between_runs(self):
        self.d.submit(self.name, taskType="cron", time="500ms")
        task = self.d.watch(self.name, lambda task: task["version"] == 2)
        self.assertEqual((task["status"], task["state"], task["running"]),
                         (3, "WaitForNextExecution", 0))
        self.assertTimes(task, "nextRun", "previousRun")
        self.assertGreater(task["nextRun"], task["previousRun"])

    def test_stop_between_runs_skips_the_next(self):
        self.d.submit(self.name, taskType="cron", time="800ms")
        task = self.d.watch(self.name, lambda task: task["status"] == 3)
        stopped = self.d.call("PUT", f"/api/tasks/{self.name}").json()
        self.assertEqual((stopped["status"], stopped["nextRun"]), (4, None))
        self.assertEqual(stopped["version"], task["version"] + 1)
        answer = self.d.call("GET", f"/api/tasks/{self.name}?watch=1&wait=1s"
                                    f"&version={stopped['version']}")
        self.assertEqual(answer.json(), stopped)
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409)

    def test_stop_during_a_run_is_accepted_and_its_result_is_kept(self):
        path = self.d.folder.name + "/cron"
        self.d.submit(self.name, taskType="cron", time="50ms",
                      script=f"until test -e {path}; do sleep 0.01; done; echo whole")
        self.d.watch(self.name, lambda task: task["status"] == 2)
        answer = self.d.call("PUT", f"/api/tasks/{self.name}")
        task = answer.json()
        self.assertEqual((answer.status, task["status"], task["running"], task["nextRun"],
                          task["version"]), (200, 4, 1, None, 2))
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409)
        open(path, "w").close()
        task = self.d.watch(self.name, lambda task: task["running"] == 0)
        self.assertEqual((task["status"], task["version"], task["runCount"]), (4, 3, 1))
        self.assertEqual(task["results"][0]["result"], "whole\n")

    def test_keepResults_keeps_the_newest(self):
        self.d.submit(self.name, taskType="cron", time="5ms", keepResults=2, script="echo $RANDOM")
        self.d.submit(self.name + "0", taskType="cron", time="5ms", keepResults=0)
        task = self.d.finished(self.name, 5)
        self.assertEqual([result["run"] for result in task["results"]],
                         [task["runCount"] - 1, task["runCount"]])
        self.assertEqual(self.d.finished(self.name + "0", 3)["results"], [])
        for id in (self.name, self.name + "0"):
            self.d.call("DELETE", f"/api/tasks/{id}")


class Ids(Shared):
    def test_any_id_that_is_accepted_can_be_addressed(self):
        for id in ("a/run", "/", "//", "%", "%2F", "a b", " ", "🦀 κόσμε", "..", ".", "a?b#c&d=e+f",
                   "x" * 255, "é" * 127, "\"\\", "@1", "watch", "\u2028", "~"):
            self.d.submit(id)
            path = f"/api/tasks/{quote(id)}"
            self.assertEqual(self.d.call("GET", path).json()["id"], id)
            self.assertEqual(self.d.call("GET", path + "/").json()["id"], id)
            self.assertEqual(self.d.call("PUT", path).json()["state"], "Stopped")
            self.assertEqual(self.d.call("DELETE", path).json(), {"id": id, "deleted": True})
            self.assertProblem(self.d.call("GET", path), 404)

    def test_a_used_id_is_refused_and_the_task_unharmed(self):
        task = self.d.submit(self.name)
        answer = self.d.call("POST", "/api/tasks", {**DELAY, "id": self.name, "script": "other"})
        self.assertProblem(answer, 409, "id")
        self.assertEqual(self.d.get(self.name), task)

    def test_an_id_is_free_at_once_and_the_new_task_has_nothing_of_the_old(self):
        with self.d.connect() as client:
            for n in range(50):
                # The old one's run is under way when the new one comes.
                client.call("POST", "/api/tasks", {"id": self.name, "taskType": "delay", "time": 0,
                                                   "script": f"sleep 0.05; echo old{n}"})
                self.assertEqual(client.call("DELETE", f"/api/tasks/{self.name}").status, 200)
            new = client.call("POST", "/api/tasks", {**DELAY, "id": self.name}).json()
            self.assertEqual((new["version"], new["runCount"], new["results"], new["status"]),
                             (0, 0, [], 0))
            wait_for("the old runs to end", lambda: self.d.health()["running"] == 0)
            self.assertEqual(self.d.get(self.name), new)

    def test_delete_lets_the_running_script_end(self):
        path = self.d.folder.name + "/deleted"
        self.d.submit(self.name, time=0, script=f"sleep 0.2; echo done > {path}")
        self.d.watch(self.name, lambda task: task["status"] == 2)
        self.assertEqual(self.d.call("DELETE", f"/api/tasks/{self.name}").status, 200)
        self.assertProblem(self.d.call("DELETE", f"/api/tasks/{self.name}"), 404)
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 404)
        wait_for("the script to end", lambda: read(path) == "done\n")

    def test_nothing_of_a_deleted_task_runs(self):
        path = self.d.folder.name + "/never"
        for _ in range(3):
            self.d.submit(self.name, time="200ms", script=f"echo run >> {path}")
            self.d.call("DELETE", f"/api/tasks/{self.name}")
        self.d.submit(self.name, time="300ms")
        self.d.finished(self.name)
        self.assertEqual(read(path), "")


class Documents(Shared):
    def test_names_are_matched_without_case_and_out_fields_ignored(self):
        answer = self.d.call("POST", "/api/tasks", {
            "ID": self.name, "TASKTYPE": "delay", "Time": "1h", "sCrIpT": "true", "KeepResults": 1,
            "Status": 4, "state": "Stopped", "version": 7, "results": [{"result": "forged"}],
            "createdAt": "x", "nextRun": 1, "PREVIOUSRUN": {}, "runCount": 9, "failureCount": 9,
            "running": 1, "lastStatusUpdated": None})
        task = answer.json()
        self.assertEqual((answer.status, task["id"], task["status"], task["version"],
                          task["results"], task["runCount"]), (200, self.name, 0, 0, [], 0))

    def test_an_answer_can_be_submitted_again(self):
        task = self.d.submit(self.name)
        self.d.call("DELETE", f"/api/tasks/{self.name}")
        self.assertEqual(self.d.call("POST", "/api/tasks", task).status, 200)

    def test_the_content_type_does_not_matter(self):
        for n, header in enumerate(([], ["Content-Type: text/plain"], ["Content-Type: nonsense"],
                                    ["Content-Type: application/x-www-form-urlencoded"])):
            answer = self.d.call("POST", "/api/tasks", {**DELAY, "id": f"{self.name}{n}"}, header)
            self.assertEqual(answer.status, 200, header)

    def test_expect_continue_and_chunks_are_understood(self):
        with self.d.connect() as client:
            body = request("", "", {**DELAY, "id": self.name}).split(b"\r\n\r\n", 1)[1]
            client.send(b"POST /api/tasks/ HTTP/1.1\r\nHost: localhost\r\n"
                        b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
            self.assertTrue(client.socket.recv(100).startswith(b"HTTP/1.1 100 "))
            for byte in body:
                client.send(b"1\r\n%c\r\n" % byte)
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.read().json()["id"], self.name)


def nanoseconds(text):
    """Of a time of one day in one zone; only differences mean something."""
    hour, minute, rest = text.split("T")[1].split(":")[:3]
    second, fraction = rest[:12].split(".")
    day = time.mktime(time.strptime(text[:10], "%Y-%m-%d"))
    return (int(day) + int(hour) * 3600 + int(minute) * 60 + int(second)) * 10**9 + int(fraction)


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    unittest.main(verbosity=2)
