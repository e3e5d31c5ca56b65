#!/usr/bin/env python3
"""The command-line client and schedules: flags in, documents out, and how schedules are shown.
As in test_cli.py the daemon is a fake one."""

import json
import re
import unittest

from test_cli import Terminal, WithFake, document


class Submit(WithFake):
    def sent(self):
        return json.loads(self.daemon.requests[-1][2])

    def submit(self, *args, status=0, **options):
        """Submits; gives what was sent less what is always the same, and stderr."""
        self.daemon.tasks.clear()
        _, err = self.check(status, "submit", "a", "-script=x", *args, **options)
        if status:
            return None, err
        sent = self.sent()
        self.assertEqual((sent.pop("id"), sent.pop("script")), ("a", "x"))
        return sent, err

    def test_the_type_follows_from_what_says_when(self):
        expression = {"taskType": "cron", "cron": "30 2 * * *"}
        for args, sent in ((["-cron=30 2 * * *"], expression),
                           (["-type=cron", "--cron", "30 2 * * *"], expression),
                           (["-calendar=daily 2 at 9:00"],
                            {"taskType": "cron", "calendar": "daily 2 at 9:00"}),
                           (["-at=2026-12-24T18:00:00Z"],
                            {"taskType": "delay", "at": "2026-12-24T18:00:00Z"}),
                           (["-type=delay", "-cron=x"], {"taskType": "delay", "cron": "x"})):
            self.assertEqual(self.submit(*args), (sent, ""))
        for args in (["-time=1s"], ["-time=1s", "-at=18:00"]):
            self.assertIn("-type=cron is missing", self.submit(*args, status=2)[1])

    def test_flags_become_the_fields_of_a_schedule(self):
        sent, _ = self.submit(
            "-type=cron", "-time=1m", "-time-max=2m", "-tz=Europe/Berlin", "-dst=once",
            "-day-match=vixie", "-start=2026-01-01T00:00:00Z", "-end=2027-01-01T00:00:00+01:00",
            "-max-runs=5", "-run-on-start", "-jitter=1s", "-jitter-mode=random",
            "-interval-from=completion")
        self.assertEqual(sent, {
            "taskType": "cron", "time": 60_000_000_000, "timeMax": 120_000_000_000,
            "timezone": "Europe/Berlin", "dst": "once", "dayMatch": "vixie",
            "startAt": "2026-01-01T00:00:00Z", "endAt": "2027-01-01T00:00:00+01:00",
            "maxRuns": 5, "runOnStart": True, "jitter": 1_000_000_000, "jitterMode": "random",
            "intervalFrom": "completion"})
        sent, _ = self.submit("-cron=@daily", "-timezone=UTC", "-run-on-start=false")
        self.assertEqual(sent, {"taskType": "cron", "cron": "@daily", "timezone": "UTC",
                                "runOnStart": False})

    def test_several_become_triggers_in_their_order(self):
        sent, _ = self.submit("-cron=@daily", "-time=1m", "-cron=@hourly", "-time-max=2m",
                              "-at=2026-12-24T18:00:00Z", "-calendar=daily 1 at 9:00",
                              '-trigger={"cron":"x","timezone":"UTC"}', "-tz=Asia/Tokyo")
        self.assertEqual(sent, {"taskType": "cron", "timezone": "Asia/Tokyo", "triggers": [
            {"cron": "@daily"}, {"time": 60_000_000_000, "timeMax": 120_000_000_000},
            {"cron": "@hourly"}, {"at": "2026-12-24T18:00:00Z"},
            {"calendar": "daily 1 at 9:00"}, {"cron": "x", "timezone": "UTC"}]})
        at = {"at": "2026-12-24T18:00:00Z"}
        self.assertEqual(self.submit("-type=cron", "-at=" + at["at"])[0]["triggers"], [at])
        self.assertEqual(self.submit('-trigger={"time":5}')[0]["triggers"], [{"time": 5}])
        self.assertEqual(self.submit("-type=delay", "-time=1s", "-time=2s")[0]["time"],
                         2_000_000_000)

    def test_a_local_time_is_said_as_it_was_understood(self):
        berlin = {"env": {"TZ": "Europe/Berlin"}}
        sent, err = self.submit("-at=2036-12-24 18:00", **berlin)
        self.assertEqual(sent, {"taskType": "delay", "at": "2036-12-24T18:00:00+01:00"})
        self.assertRegex(err, r"^pawl: -at=2036-12-24 18:00 is 2036-12-24T18:00:00\+01:00 "
                         r"\(in \d+d(\d+h)?\)\n$")
        sent, err = self.submit("-cron=@daily", "-start=2036-07-01 00:00",
                                "-end=2036-08-01T00:00:00", **berlin)
        self.assertEqual((sent["startAt"], sent["endAt"]),
                         ("2036-07-01T00:00:00+02:00", "2036-08-01T00:00:00+02:00"))
        self.assertIn("-start=2036-07-01 00:00 is 2036-07-01T00:00:00+02:00", err)
        for typed, says in (("2026-03-29 02:30", "set forward"), ("2026-10-25 02:30", "twice"),
                            ("half past", "not a time such as"), ("2036-02-30 18:00", "not a")):
            self.assertIn(says, self.submit("-at=" + typed, status=2, **berlin)[1])
        self.assertIn("with -tz give the offset", self.submit(
            "-cron=@daily", "-tz=UTC", "-end=18:00", status=2)[1])

    def test_wrong_schedules_are_refused_with_what_to_do(self):
        for args, says in ((["-type=cron", "-time=30 2 * * *"], "use -cron='30 2 * * *'"),
                           (["-type=delay", "-time=18:00"], "use -at='18:00'"),
                           (["-type=delay"], "or -at"), (["-type=cron"], "or -cron"),
                           (["-cron=x", "-time-max=5s"], "-time-max goes with -time"),
                           (["-type=delay", "-time=1s", "-at=2036-01-01 00:00"], "runs once"),
                           (["-trigger=x"], "not an object such as"), (["-trigger=[]"], "not an ob"),
                           (["-cron=x", "-dst=never"], "-dst=never: not one of"),
                           (["-cron=x", "-max-runs=-1"], "not a whole number"),
                           (["-cron", b"\xff"], "not valid UTF-8")):
            self.assertIn(says, self.submit(*args, status=2)[1])
        self.assertEqual(self.daemon.requests, [])


class When(WithFake):
    """How schedules are shown."""

    SOME = {
        "cron": {"cron": "30 2 * * mon-fri", "timezone": "Europe/Berlin", "dst": "run-after",
                 "dayMatch": "or"},
        "calendar": {"calendar": "daily 2 at\n09:00", "timezone": "UTC", "dst": "once",
                     "dayMatch": "vixie"},
        "at": {"at": "2036-12-24T18:00:00+01:00"},
        "span": {"time": 60_000_000_000, "timeMax": 90_000_000_000},
        "list": {"triggers": [{"time": 5_000_000_000}, {"at": "2036-01-01T00:00:00Z"},
                              {"cron": "@daily", "timezone": "UTC", "dst": "run-after",
                               "dayMatch": "or"}]},
    }

    def setUp(self):
        super().setUp()
        self.daemon.tasks = {id: document(id, **{"time": 0, "timezone": "UTC", **more})
                             for id, more in self.SOME.items()}

    def test_the_table_has_it_in_the_column_time(self):
        out, _ = self.check(0, "list")
        start, end = out.index("TIME"), out.index("SCRIPT")
        self.assertEqual([line[start:end].strip() for line in out.splitlines()], [
            "TIME", "30 2 * * mon-fri", "daily 2 at\\n09:00", "at 2036-12-24", "1m to 1m30s",
            "5s and 2 more"])

    def test_a_wide_list_has_the_zone_of_an_expression(self):
        out, _ = self.check(0, "list", "-o", "wide")
        self.assertIn("  30 2 * * mon-fri (Europe/Berlin)  ", out)
        self.assertIn("  daily 2 at\\n09:00 (UTC)  ", out)

    def test_a_long_expression_gives_way_on_a_terminal(self):
        self.daemon.tasks = {"a": document("a", time=0, cron="0,1,2,3,4,5 " * 12, nextRun=None)}
        status, text = Terminal("list", server=self.daemon.address).end()
        self.assertEqual(status, 0)
        self.assertIn("0,1,2,3,4,5 0,1", text)
        self.assertIn("ToBeExecuted", text)
        self.assertTrue(all(len(re.sub("\033\\[[0-9;]*m", "", line)) <= 80
                            for line in text.splitlines()), text)

    def lines(self, id):
        out, _ = self.check(0, "get", id)
        return [line for line in out.splitlines()
                if not re.match("ID|TYPE|SCRIPT|STATUS|VERSION|CREATED|UPDATED|RUNS|RESULTS", line)]

    def test_get_shows_it_in_lines(self):
        self.assertEqual(self.lines("cron"), ["TIME      30 2 * * mon-fri (Europe/Berlin)"])
        self.assertEqual(self.lines("calendar"), [
            "TIME      daily 2 at\\n09:00 (UTC, dst once, days as vixie)"])
        self.assertRegex(self.lines("at")[0], r"^TIME      at 2036-12-24 17:00:00 \(in \w+\)$")
        self.assertEqual(self.lines("span"), ["TIME      1m to 1m30s"])
        first, second, third = self.lines("list")
        self.assertEqual(first, "TIME      5s")
        self.assertRegex(second, r"^          at 2036-01-01 00:00:00 \(in \w+\)$")
        self.assertEqual(third, "          @daily (UTC)")

    def test_get_shows_what_bounds_and_spreads_it(self):
        self.daemon.tasks["cron"].update(
            startAt="2036-01-01T00:00:00Z", endAt="2037-01-01T00:00:00Z", maxRuns=5,
            jitter=30_000_000_000, jitterMode="random", runOnStart=True, intervalFrom="completion")
        start, end, *rest = self.lines("cron")[1:]
        self.assertRegex(start, r"^START     2036-01-01 00:00:00 \(in \w+\)$")
        self.assertRegex(end, r"^END       2037-01-01 00:00:00 \(in \w+\)$")
        self.assertEqual(rest, ["LIMIT     5 runs", "JITTER    up to 30s, another each time",
                                "ON START  once at submission, too",
                                "SPANS     counted from the end of a run"])

    def test_json_passes_it_through(self):
        self.assertEqual(json.loads(self.check(0, "get", "list", "-o", "json")[0]),
                         self.daemon.tasks["list"])


if __name__ == "__main__":
    unittest.main()
