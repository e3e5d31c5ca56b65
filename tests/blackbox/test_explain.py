#!/usr/bin/env python3
"""Why the next run of a task is when it is: GET /api/tasks/{id}/explain and pawl explain."""

import datetime
import json
import os
import subprocess
import unittest

from daemon import HERE, LIMIT, Case, Shared, quote

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


def next_change(month):
    """The last Sunday of a month that is still to come, with a week to spare: Europe's change."""
    soon = datetime.date.today() + datetime.timedelta(days=7)
    for year in (soon.year, soon.year + 1):
        date = datetime.date(year, month, 31)
        date -= datetime.timedelta(days=(date.weekday() + 1) % 7)
        if date >= soon:
            return date
    raise AssertionError(month)


class Explanations(Shared):
    def cron(self, **fields):
        return self.d.submit(self.name, **{"taskType": "cron", "time": 0, **fields})

    def explain(self, id=None):
        answer = self.d.call("GET", f"/api/tasks/{quote(id or self.name)}/explain")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def assertSays(self, document, *parts):
        """A sentence for each part."""
        for part in parts:
            self.assertTrue(any(part in line for line in document["why"]), (part, document["why"]))

    def test_the_whole_document_of_an_expression(self):
        task = self.cron(cron="30 9 * * mon-fri", timezone="Asia/Tokyo")
        document = self.explain()
        times = self.d.call("GET", "/api/next?expr=30+9+*+*+mon-fri&timezone=Asia/Tokyo").json()
        lines = document.pop("why")
        self.assertEqual(document, {
            "id": self.name, "taskType": "cron", "state": "ToBeExecuted",
            "nextRun": times["times"][0], "timezone": "Asia/Tokyo",
            "triggers": [{"cron": "30 9 * * mon-fri", "timezone": "Asia/Tokyo",
                          "description": times["description"]}],
            "warnings": [], "startAt": None, "endAt": None, "runsLeft": None, "jitter": 0,
            "jitterApplied": 0, "runCount": 0, "missed": 0, "missedPaused": 0,
            "skipped": {"overlap": 0, "condition": 0, "group": 0},
            "next": times["times"]})
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^the next run is at (Mon|Tue|Wed|Thu|Fri) "
                                   r"\d{4}-\d\d-\d\d 09:30:00 \+09:00, in ")
        self.assertEqual(lines[1], "it fires " + times["description"])
        self.assertEqual(document["nextRun"][:10], datetime.datetime.fromisoformat(
            task["nextRun"][:19] + task["nextRun"][29:]).astimezone(
                datetime.timezone(datetime.timedelta(hours=9))).date().isoformat())

    def test_a_time_in_a_gap_is_told_with_what_becomes_of_it(self):
        date = next_change(3)
        expr = f"30 2 {date.day} 3 *"
        for dst, fate in (("run-after", "it runs at 03:00 (dst run-after)"),
                          ("shift", "it runs at 03:30 (dst shift)"),
                          ("once", "it does not run then (dst once)"),
                          ("twice", "it does not run then (dst twice)")):
            id = f"{self.name}/{dst}"
            self.d.submit(id, taskType="cron", time=0, cron=expr, timezone="Europe/Berlin", dst=dst)
            document = self.explain(id)
            self.assertSays(document, f"02:30 does not exist on {date} in Europe/Berlin: {fate}",
                            "clocks in Europe/Berlin are set forward by 60 min, to Sun "
                            f"{date} 03:00:00 +02:00" if date < next_change(10)
                            else "clocks in Europe/Berlin are set back by 60 min")
            self.assertEqual(document["nextRun"].startswith(str(date)), "runs" in fate)

    def test_a_time_that_comes_twice_is_told(self):
        date = next_change(10)
        for dst, fate in (("run-after", "the first time"), ("twice", "both times")):
            id = f"{self.name}/{dst}"
            self.d.submit(id, taskType="cron", time=0, cron=f"30 2 {date.day} 10 *",
                          timezone="Europe/Berlin", dst=dst)
            document = self.explain(id)
            self.assertEqual(document["nextRun"], f"{date}T02:30:00+02:00")
            self.assertSays(document, f"02:30 comes twice on {date} in Europe/Berlin: it runs {fate}"
                                      f" (dst {dst})")

    def test_what_bounds_and_moves_it(self):
        self.cron(cron="0 12 * * *", timezone="UTC", startAt="2100-05-01T00:00:00Z",
                  endAt="2100-06-01T00:00:00Z", maxRuns=3, jitter="10m")
        document = self.explain()
        late = document["jitterApplied"]
        self.assertTrue(0 < late <= 600 * 10**9)
        self.assertEqual(document["nextRun"][:14], "2100-05-01T12:")
        self.assertEqual((document["jitter"], document["runsLeft"], len(document["next"])),
                         (600 * 10**9, 3, 3))
        self.assertEqual(document["startAt"], "2100-05-01T00:00:00Z")
        self.assertSays(document, "nothing before Sat 2100-05-01 00:00:00 +00:00 (startAt)",
                        "nothing after Tue 2100-06-01 00:00:00 +00:00 (endAt)",
                        "3 of 3 runs are left (maxRuns)",
                        "its time is Sat 2100-05-01 12:00:00 +00:00; it is put off by")

    def test_spans_and_delays(self):
        self.cron(time="90s", timeMax="2m", intervalFrom="completion")
        document = self.explain()
        self.assertSays(document, "it fires every 1m30s to 2m0s, drawn anew each time, from the end")
        self.assertEqual(len(document["next"]), 1)
        self.d.submit(self.name + "/plain", taskType="cron", time="5m")
        document = self.explain(self.name + "/plain")
        self.assertSays(document, "it fires every 5m0s, counted from its submission")
        self.assertEqual(len(document["next"]), 5)
        self.d.submit(self.name + "/delay", time="2h")
        document = self.explain(self.name + "/delay")
        self.assertSays(document, "it fires once, 2h0m0s after it was submitted", "in 1h59m")
        self.assertEqual(document["triggers"], [
            {"time": 7200 * 10**9, "description": "once, 2h0m0s after it was submitted"}])
        self.d.submit(self.name + "/at", time=0, at="2100-01-01T00:00:00Z")
        self.assertSays(self.explain(self.name + "/at"), "it fires once, at Fri 2100-01-01 01:00:00")

    def test_of_several_triggers_it_says_which_is_next(self):
        self.cron(triggers=[{"cron": "0 9 1 1 *", "timezone": "UTC"}, {"time": "1h"}])
        self.assertSays(self.explain(), "it fires at 09:00", "and every 1h0m0s",
                        "the next run is of: every 1h0m0s, counted from its submission")
        self.d.submit(self.name + "/at", taskType="cron", time=0, triggers=[
            {"cron": "0 0 1 1 *", "timezone": "UTC"}, {"time": "1000000h"}])
        self.assertSays(self.explain(self.name + "/at"), "the next run is of: at 00:00")

    def test_why_there_is_none(self):
        self.cron(cron="@reboot")
        document = self.explain()
        self.assertEqual((document["nextRun"], document["next"]), (None, []))
        self.assertSays(document, "cannot be told: it fires at each start of the daemon")
        self.d.submit(self.name + "/stopped", taskType="cron", time="1h")
        self.d.call("PUT", f"/api/tasks/{self.name}%2Fstopped")
        self.assertSays(self.explain(self.name + "/stopped"), "no next run: the task was stopped")
        self.d.submit(self.name + "/over", time="0s")
        self.d.finished(self.name + "/over")
        self.assertSays(self.explain(self.name + "/over"), "a delay task runs once, and it has")
        self.d.submit(self.name + "/runs", taskType="cron", time="1ms", maxRuns=2)
        self.d.watch(self.name + "/runs", lambda task: task["state"] == "Executed")
        document = self.explain(self.name + "/runs")
        self.assertSays(document, "the task has had all of its 2 (maxRuns)")
        self.assertEqual((document["runsLeft"], document["runCount"]), (0, 2))

    def test_a_run_in_progress_and_what_it_skipped(self):
        self.cron(time="10ms", script="read line < go; true")
        os.mkfifo(os.path.join(self.d.folder.name, "go"))
        self.addCleanup(self.d.call, "DELETE", f"/api/tasks/{quote(self.name)}?kill=true")
        self.d.watch(self.name, lambda task: task["running"] == 1)
        self.d.submit(self.name + "/after", taskType="cron", time="10ms", script="read line < go; true",
                      intervalFrom="completion")
        self.addCleanup(self.d.call, "DELETE", f"/api/tasks/{quote(self.name + '/after')}?kill=true")
        self.d.watch(self.name + "/after", lambda task: task["running"] == 1)
        document = self.explain()
        self.assertSays(document, "run 1 is in progress: what falls due before its end is skipped")
        self.assertIsNotNone(document["nextRun"])
        document = self.explain(self.name + "/after")
        self.assertIsNone(document["nextRun"])
        self.assertSays(document, "cannot be told: it is counted from the end of the one in progress")

    def test_warnings_of_the_expression_are_there(self):
        self.cron(cron="*/100 * * * *")
        self.assertEqual(len(self.explain()["warnings"]), 1)

    def test_no_such_task(self):
        self.assertProblem(self.d.call("GET", "/api/tasks/none/explain"), 404, text="'none'")
        self.assertProblem(self.d.call("GET", "/api/tasks/none/explain?x=1"), 400)
        self.d.submit("explain")
        self.assertEqual(self.d.get("explain")["id"], "explain")

    def pawl(self, *arguments):
        return subprocess.run([PAWL, "explain", *arguments], text=True, capture_output=True,
                              timeout=LIMIT, check=False, env={
                                  "PATH": os.environ["PATH"], "TZ": "Asia/Tokyo",
                                  "PAWL_SERVER": self.d.address})

    def test_a_long_wait_is_told_in_days(self):
        for time, wait in (("215h42m59s", "in 8d 23h 42m"), ("24h1m", "in 1d 0h "),
                           ("23h59m", "in 23h58m")):
            id = f"{self.name}/{time}"
            self.d.submit(id, time=time)
            self.assertIn(wait, self.explain(id)["why"][0])

    def test_pawl_explain_prints_the_sentences(self):
        self.cron(cron="0 12 1 */100 *", timezone="UTC")
        document = self.explain()
        done = self.pawl(self.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^the next run is at \w{3} [-0-9]{10} 12:00:00 \+00:00, in "
                                   r"(\d+d \d+h \d+m|\d+h\d+m\d+s)$")
        self.assertEqual(lines[1], "  " + document["why"][1])
        self.assertEqual([line[:8] for line in lines[2:]], ["then at "] + ["        "] * 3)
        self.assertIn("warning: ", done.stderr)
        self.assertEqual(json.loads(self.pawl(self.name, "-o", "json").stdout)["next"],
                         document["next"])
        self.assertEqual(self.pawl("none").returncode, 3)
        self.assertEqual(self.pawl().returncode, 2)


class Restarts(Case):
    def test_what_was_missed_is_told(self):
        place = self.place()
        d = self.daemon(data=place)
        d.submit("beat", taskType="cron", time="1ms", endAt="2100-01-01T00:00:00Z")
        d.finished("beat", 1)
        d.kill()
        d = self.daemon(data=place)
        d.watch("beat", lambda task: task["missed"] > 0)
        document = d.call("GET", "/api/tasks/beat/explain").json()
        self.assertGreater(document["missed"], 0)
        self.assertTrue(any("due times passed while no daemon ran" in line
                            for line in document["why"]), document)


if __name__ == "__main__":
    unittest.main()
