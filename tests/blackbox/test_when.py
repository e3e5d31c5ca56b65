#!/usr/bin/env python3
"""Schedules through the daemon: what says when is taken, shown, taken again, and followed. When
expressions fire is tested in tests/test_cron*.c, by real time here only that they do."""

import json
import os
import subprocess
import unittest
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from daemon import HERE, LIMIT, Shared, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")
OUT = ("paused", "results", "status", "state", "lastStatusUpdated", "version", "createdAt", "nextRun",
       "previousRun", "runCount", "failureCount", "running", "skipped", "missed", "missedPaused", "waitingFor", "attempt",
       "endReason")
PLAIN = ("id", "taskType", "script", "keepResults", "time", "timezone")
S = 1_000_000_000
POLICIES = {"dst": "run-after", "dayMatch": "or"}


def moment(text):
    """A time of an answer, to the microsecond."""
    return datetime.fromisoformat(text[:26] + text[29:].replace("Z", "+00:00"))


def ahead(**span):
    return (datetime.now(timezone.utc) + timedelta(**span)).isoformat()


class When(Shared):
    def submit(self, id, **fields):
        fields = {"taskType": "cron", "script": "true", **fields}
        answer = self.d.call("POST", "/api/tasks", json.dumps({"id": id, **fields}))
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def refused(self, field, text="", position=None, **fields):
        fields = {"id": "refused", "taskType": "cron", "script": "true", **fields}
        answer = self.d.call("POST", "/api/tasks", json.dumps(fields))
        document = self.assertProblem(answer, 400, field, text)
        self.assertEqual(document.get("position"), position, document)
        line = json.dumps(fields) + "\n"
        answer = self.d.call("POST", "/api/tasks", line, ["Content-Type: application/x-ndjson"])
        error, = answer.json()["errors"]
        self.assertEqual(error.pop("line"), 1)
        self.assertEqual(error.pop("id"), "refused")
        self.assertEqual(error, {key: document[key] for key in error})
        self.assertEqual("position" in error, position is not None)

    def shown(self, task):
        """What a task says of when, less what every task has."""
        return {key: value for key, value in task.items() if key not in OUT + PLAIN}

    # The daemon's zone is Berlin's: times are shown by it.
    FORMS = (
        ({"cron": "30 2 * * mon-fri"}, {**POLICIES}),
        ({"cron": "*/5 * * * * *", "timezone": "Europe/Berlin", "dst": "twice",
          "dayMatch": "vixie"}, {}),
        ({"cron": "H H * * *", "maxRuns": 7, "jitterMode": "random", "jitter": 30 * S},
         {**POLICIES}),
        ({"cron": "@every 90s"}, {**POLICIES}),
        ({"cron": "@reboot"}, {**POLICIES}),
        ({"calendar": "daily 2 at 09:00,17:30", "timezone": "America/New_York",
          "startAt": "2096-01-01T00:00:00.000000001+01:00"}, {**POLICIES}),
        ({"time": 3600 * S, "timeMax": 7200 * S, "intervalFrom": "completion"}, {}),
        ({"time": 3600 * S, "runOnStart": True, "endAt": "2097-01-01T00:00:00.000000000+01:00"},
         {}),
        ({"taskType": "delay", "time": 3600 * S, "timeMax": 7200 * S, "jitter": S}, {}),
        ({"taskType": "delay", "at": "2096-12-24T18:00:00.000000000+01:00"}, {}),
        ({"triggers": [{"time": 3600 * S}, {"at": "2096-01-01T00:00:00.000000000+01:00"},
                       {"cron": "@daily", "timezone": "Asia/Tokyo", **POLICIES},
                       {"calendar": "monthly 1 on -1 at 00:00", "timezone": "UTC",
                        "dst": "once", "dayMatch": "or"}]}, {}),
    )

    def test_each_form_is_shown_as_it_was_given_and_taken_again(self):
        for number, (fields, defaults) in enumerate(self.FORMS):
            with self.subTest(fields):
                first = self.submit(f"form-{number}", **fields)
                wanted = {**fields, **defaults}
                zone = wanted.pop("timezone", None)
                wanted.pop("taskType", None)
                self.assertEqual(first["time"], wanted.pop("time", 3600 * S if "triggers" in wanted
                                                           else 0))
                self.assertEqual(self.shown(first), wanted)
                if zone:
                    self.assertEqual(first["timezone"], zone)
                again = self.submit(f"again-{number}", **{key: first[key] for key in first if key != "id"})
                self.assertEqual(self.shown(again), self.shown(first))
                for key in ("taskType", "time", "timezone"):
                    self.assertEqual(again[key], first[key])
                self.assertEqual(self.shown(self.d.get(f"form-{number}")), wanted)

    def test_a_stream_takes_them_too(self):
        lines = "".join(json.dumps({"id": f"line-{n}", "taskType": "cron", "script": "true",
                                    **fields}) + "\n" for n, (fields, _) in enumerate(self.FORMS))
        answer = self.d.call("POST", "/api/tasks", lines, ["Content-Type: application/x-ndjson"])
        self.assertEqual((answer.status, answer.json()["accepted"]), (200, len(self.FORMS)), answer)
        for number, (fields, _) in enumerate(self.FORMS):
            shown = self.shown(self.d.get(f"line-{number}"))
            self.assertEqual([key for key in fields if key not in PLAIN and key not in shown], [])

    def test_every_task_shows_a_zone(self):
        plain = self.submit("plain", time="1h")
        self.assertEqual(self.shown(plain), {})
        self.assertEqual(self.submit("zoned", time="1h", timezone="Asia/Tokyo")["timezone"],
                         plain["timezone"])
        named = self.submit("named", cron="CRON_TZ=Asia/Tokyo @daily", timezone="UTC")
        self.assertEqual(named["timezone"], "Asia/Tokyo")

    def test_nextRun_is_what_a_preview_says(self):
        for number, fields in enumerate((
                {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
                {"cron": "0 0 0 29 2 *", "timezone": "Pacific/Apia", "dst": "once"},
                {"calendar": "weekly 1 on mon,thu at 8:00", "timezone": "America/Havana"})):
            task = self.submit(f"preview-{number}", **fields)
            asked = {key: value for key, value in fields.items() if key in ("timezone", "dst")}
            answer = self.d.call("GET", "/api/next?" + urlencode({
                "expr": fields.get("cron") or fields["calendar"], "from": task["createdAt"],
                "n": 1, **asked}))
            time, = answer.json()["times"]
            self.assertEqual(moment(task["nextRun"]),
                             datetime.fromisoformat(time.replace("Z", "+00:00")))

    def test_nextRun_keeps_to_start_end_and_span(self):
        start = ahead(days=3)
        self.assertGreaterEqual(moment(self.submit("start", cron="* * * * *", startAt=start)
                                       ["nextRun"]), datetime.fromisoformat(start))
        drawn = self.submit("drawn", time="1h", timeMax="2h")
        away = moment(drawn["nextRun"]) - moment(drawn["createdAt"])
        self.assertTrue(timedelta(hours=1) <= away <= timedelta(hours=2), drawn)
        spread = self.submit("spread", time="1h", jitter="30m")
        away = moment(spread["nextRun"]) - moment(spread["createdAt"])
        self.assertTrue(timedelta(hours=1) <= away <= timedelta(hours=1, minutes=30), spread)
        at = ahead(days=1)
        several = self.submit("several", triggers=[{"cron": "0 0 0 1 1 * 2199"}, {"at": at},
                                                   {"time": "72h"}])
        self.assertEqual(moment(several["nextRun"]), datetime.fromisoformat(at))

    def test_a_time_comes_once(self):
        at = ahead(seconds=0.4)
        self.submit("at", taskType="delay", at=at)
        task = self.d.finished("at")
        self.assertEqual((task["state"], task["runCount"]), ("Executed", 1))
        self.assertEqual(moment(task["results"][0]["scheduledFor"]), datetime.fromisoformat(at))
        self.assertGreaterEqual(moment(task["results"][0]["startedAt"]), datetime.fromisoformat(at))

    def test_an_expression_fires_on_the_second(self):
        self.submit("seconds", cron="* * * * * *")
        for result in self.d.finished("seconds", 2)["results"]:
            self.assertEqual(moment(result["scheduledFor"]).microsecond, 0, result)
        self.d.call("DELETE", "/api/tasks/seconds")

    def test_maxRuns_ends_it_and_runOnStart_begins_it(self):
        self.submit("few", time="10ms", maxRuns=3)
        task = wait_for("the third run", lambda: (
            lambda t: t if t["runCount"] == 3 and t["running"] == 0 else None)(self.d.get("few")))
        self.assertIsNone(task["nextRun"])
        self.submit("start-now", time="1h", runOnStart=True)
        task = self.d.finished("start-now")
        self.assertEqual(task["runCount"], 1)
        self.assertIsNotNone(task["nextRun"])

    def test_spans_from_completion_leave_out_the_run(self):
        self.submit("slow", time="50ms", intervalFrom="completion", script="sleep 0.2")
        first, second = self.d.finished("slow", 2)["results"][:2]
        self.d.call("DELETE", "/api/tasks/slow")
        self.assertGreaterEqual(moment(second["scheduledFor"]) - moment(first["timestamp"]),
                                timedelta(milliseconds=45))

    def test_refusals_name_the_field_and_the_position(self):
        self.refused("cron", position=7, cron="* * * foo *")
        self.refused("calendar", position=12, calendar="daily 2 at 25:00")
        for stranger, position in (("", 1), ("DAILY 2 at 9:00", 1), ("Mon *-*-* 09:00", 1),
                                   ("0 9 * * *", None), ("@daily", None)):
            self.refused("calendar", "calendar must be such as", position, calendar=stranger)
        self.refused("triggers[1].cron", "triggers[1].cron: ", position=1,
                     triggers=[{"cron": "@daily"}, {"cron": "60 * * * *"}])
        self.refused("triggers[1].calendar", triggers=[{"time": "1s"}, {"calendar": "@daily"}],
                     position=None)
        self.refused("timezone", "Europe/Nowhere", cron="@daily", timezone="Europe/Nowhere")
        self.refused("timezone", "Europe/Nowhere", time="1h", timezone="Europe/Nowhere")
        self.refused("cron", cron="0 0 30 2 *")
        self.refused("cron", cron="daily 2 at 09:00")
        self.refused("timeMax", time="2s", timeMax="1s")
        self.refused("endAt", time="2s", startAt="2096-01-02T00:00:00Z",
                     endAt="2096-01-01T00:00:00Z")
        self.refused("jitter", time="2s", jitter="25h")
        self.refused("maxRuns", taskType="delay", time="2s", maxRuns=2)
        for too_many in 2**63, 2**64 - 1:
            self.refused("maxRuns", time="2s", maxRuns=too_many)
        self.refused("triggers[0].cron", "never fires", triggers=[{"cron": "0 0 30 2 *"}])
        self.refused("triggers", "never fires", triggers=[{"cron": "0 0 30 2 *"}] * 2)
        self.refused("triggers[1].foo", 'unknown field "foo"',
                     triggers=[{"time": "1s"}, {"foo": 1}])
        self.refused("triggers[0].crom", 'did you mean "cron"', triggers=[{"crom": "@daily"}])
        self.refused("foo", 'unknown field "foo"', foo=1, time="1s")
        for where in {"cron": "@daily"}, {"time": "1s"}, {"at": "2096-01-01T00:00:00Z"}:
            self.refused("timezone", "timezone is empty", timezone="", **where)
        self.refused("triggers[0].timezone", "empty", triggers=[{"cron": "@daily", "timezone": ""}])
        self.assertEqual(self.d.call("GET", "/api/next?expr=@daily&timezone=").status, 400)
        self.refused("keepResults", "keepResults must be 0 to 10000", time="1s", keepResults=2**63)
        for umask in 2**64 - 1, 2**63, 512:
            self.refused("umask", '"000" to "777"', time="1s", umask=umask)
        self.refused("taskType", "use taskType cron", taskType="delay", cron="@daily")
        self.refused("cron", "use triggers", cron="@daily", time="1s")
        self.assertEqual(self.d.call("GET", "/api/tasks/refused").status, 404)

    def pawl(self, *arguments):
        return subprocess.run([PAWL, *arguments], capture_output=True, text=True, timeout=LIMIT,
                              check=False, env={"PATH": os.environ["PATH"], "TZ": "Asia/Tokyo",
                                                "PAWL_SERVER": self.d.address})

    def test_a_first_time_that_never_comes_is_refused_or_shown_alike(self):
        self.refused("cron", "never fires", cron="@every 9223372036s")
        self.refused("time", "never fires", time=2**63 - 1, jitter="1s")
        self.refused("time", "never fires", taskType="delay", time=2**63 - 1, jitter="1s")
        self.refused("triggers[0].time", "never fires", triggers=[{"time": 2**63 - 1}], jitter=1)
        self.submit("far-with-reboot", triggers=[{"cron": "@every 9223372036s"}, {"cron": "@reboot"}])
        self.submit("far-and-near", triggers=[{"cron": "@every 9223372036s"}, {"time": "1h"}])
        for type in "delay", "cron":
            id = f"far-{type}"
            task = self.submit(id, taskType=type, time="9223372036s")
            self.assertRegex(task["nextRun"], "^2262-04-1[12]T")
            why = self.d.call("GET", f"/api/tasks/{id}/explain").json()
            self.assertEqual(moment(why["nextRun"]), moment(task["nextRun"]))
            self.assertEqual(why["next"], [why["nextRun"]])
            self.assertIn("the next run is at ", why["why"][0])
            self.assertIn(" 2262-04-1", why["why"][0])

    def test_the_client_submits_and_shows_them(self):
        done = self.pawl("submit", "by-client", "-cron=30 2 * * *", "-tz=Europe/Berlin",
                         "-script=true", "-dst=once")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("  30 2 * * *  ", done.stdout)
        self.assertIn("TIME      30 2 * * * (Europe/Berlin, dst once)\n",
                      self.pawl("get", "by-client").stdout)
        done = self.pawl("submit", "at-client", "-at=2096-12-24 18:00", "-script=true", "-o=json")
        self.assertIn("is 2096-12-24T18:00:00+09:00 (in ", done.stderr)
        self.assertEqual(moment(json.loads(done.stdout)["at"]),
                         datetime(2096, 12, 24, 9, tzinfo=timezone.utc))
        done = self.pawl("submit", "two", "-cron=@daily", "-time=1h", "-script=true", "-o=name")
        self.assertEqual((done.returncode, done.stdout), (0, "two\n"), done.stderr)
        done = self.pawl("submit", "bad", "-cron=* * * foo *", "-script=true")
        self.assertEqual(done.returncode, 2)
        self.assertIn("position 7", done.stderr)

    def test_what_is_surely_not_meant_is_said_at_submission(self):
        for number, (expr, nwarnings) in enumerate((("5 * * * * *", 1), ("* 9 * * *", 1),
                                                    ("0 9 13 * fri", 1), ("*/90 * * * *", 1),
                                                    ("0 9 * * *", 0))):
            with self.subTest(expr):
                id = f"odd-{number}"
                task = self.submit(id, cron=expr)
                preview = self.d.call("GET", "/api/next?" + urlencode({"expr": expr})).json()
                self.assertEqual(len(preview["warnings"]), nwarnings)
                self.assertEqual(task.get("warnings", []), preview["warnings"])
                self.assertEqual("warnings" in task, nwarnings > 0)
                self.assertNotIn("warnings", self.d.get(id))
                again = self.submit(f"{id}-again", **{k: task[k] for k in task if k != "id"})
                self.assertEqual(again.get("warnings"), task.get("warnings"))
        long = self.submit("odd-long", cron="* 9 * * *", script=":" + "#" * 100000)
        self.assertEqual(len(long["warnings"]), 1)
        self.assertEqual(len(self.d.get("odd-long")["script"]), 100001)
        both = self.submit("odd-both", triggers=[{"cron": "* 9 * * *"}, {"time": "1h"},
                                                 {"cron": "5 * * * * *"}])
        self.assertEqual(len(both["warnings"]), 2)
        self.assertNotIn("warnings", self.submit("odd-none", time="1h"))
        stopped = self.d.call("PUT", "/api/tasks/odd-0")
        self.assertEqual(stopped.status, 200)
        self.assertNotIn("warnings", stopped.json())
        done = self.pawl("submit", "odd-client", "-cron=* 9 * * *", "-script=true", "-o=name")
        self.assertEqual((done.returncode, done.stdout), (0, "odd-client\n"))
        self.assertRegex(done.stderr, r"^pawl: warning: [^\n]+\n$")


if __name__ == "__main__":
    unittest.main()
