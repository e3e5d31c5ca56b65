#!/usr/bin/env python3
"""Previews: GET /api/next, GET /api/match and pawl next. What expressions mean is tested in
tests/test_cron*.c; here that it comes through, and what is refused."""

import os
import subprocess
import unittest
from urllib.parse import urlencode

from daemon import HERE, LIMIT, Shared

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


class Previews(Shared):
    def ask(self, what, **parameters):
        return self.d.call("GET", f"/api/{what}?" + urlencode(parameters))

    def next(self, expr, **parameters):
        answer = self.ask("next", expr=expr, **parameters)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def test_next_gives_the_times_of_the_zone_over_a_gap(self):
        document = self.next("30 2 * * *", timezone="Europe/Berlin", n=2,
                             **{"from": "2026-03-28T12:00:00Z"})
        self.assertEqual(document, {
            "times": ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
            "timezone": "Europe/Berlin", "description": "at 02:30 every day, Europe/Berlin",
            "warnings": []})

    def test_dst_and_dayMatch_choose_policies(self):
        start = {"from": "2026-10-24T12:00:00Z", "timezone": "Europe/Berlin", "n": 2}
        self.assertEqual(self.next("30 2 * * *", dst="twice", **start)["times"],
                         ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"])
        self.assertEqual(self.next("30 2 * * *", dst="once", **start)["times"],
                         ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"])
        gap = {"from": "2026-03-28T12:00:00Z", "timezone": "Europe/Berlin", "n": 1}
        self.assertEqual(self.next("30 2 * * *", dst="shift", **gap)["times"],
                         ["2026-03-29T03:30:00+02:00"])
        days = {"from": "2024-01-15T00:00:00Z", "timezone": "UTC", "n": 1}
        self.assertEqual(self.next("0 0 */2 * MON", **days)["times"], ["2024-01-17T00:00:00Z"])
        self.assertEqual(self.next("0 0 */2 * MON", dayMatch="vixie", **days)["times"],
                         ["2024-01-29T00:00:00Z"])

    def test_a_negative_n_goes_back(self):
        start = {"timezone": "UTC", "from": "2026-01-02T00:00:00Z"}
        self.assertEqual(self.next("0 0 * * *", n=-2, **start)["times"],
                         ["2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z"])
        start["from"] = "2026-01-02T00:00:00.5Z"
        self.assertEqual(self.next("0 0 * * *", n=-1, **start)["times"], ["2026-01-02T00:00:00Z"])
        self.assertEqual(self.next("0 0 * * *", n=0, **start)["times"], [])

    def test_there_are_fewer_times_when_it_ends(self):
        document = self.next("0 0 0 1 1 * 2027-2028", timezone="UTC",
                             **{"from": "2026-11-20T00:00:00Z"})
        self.assertEqual(document["times"], ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"])
        self.assertEqual(document["warnings"], [])

    def test_times_are_of_years_that_can_be_written(self):
        for zone, start, n, times in (
                ("UTC", "0000-01-03T00:00:00Z", -5, ["0000-01-02T00:00:00Z", "0000-01-01T00:00:00Z"]),
                ("Asia/Tokyo", "9999-12-30T12:00:00Z", 5, ["9999-12-31T00:00:00+09:00"])):
            document = self.next("@daily", timezone=zone, n=n, **{"from": start})
            self.assertEqual(document["times"], times)

    def test_what_never_fires_has_no_times_and_a_warning(self):
        for expr in ("0 0 30 2 *", "0 0 0 1 1 * 1980", "@reboot"):
            document = self.next(expr)
            self.assertEqual((document["times"], len(document["warnings"])), ([], 1), document)

    def test_intervals_count_from_the_start(self):
        start = {"timezone": "America/New_York", "from": "2026-10-31T12:00:00-04:00", "n": 3}
        self.assertEqual(self.next("daily 2 at 09:00,17:30", **start)["times"],
                         ["2026-10-31T17:30:00-04:00", "2026-11-02T09:00:00-05:00",
                          "2026-11-02T17:30:00-05:00"])
        self.assertEqual(self.next("daily 2 at 09:00", start="2026-10-30T00:00:00-04:00",
                                   **start)["times"][0], "2026-11-01T09:00:00-05:00")
        self.assertEqual(self.next("@every 1h30m", **start)["times"],
                         ["2026-10-31T13:30:00-04:00", "2026-10-31T15:00:00-04:00",
                          "2026-10-31T16:30:00-04:00"])

    def test_a_prefix_goes_before_the_parameter(self):
        self.assertEqual(self.next("CRON_TZ=Asia/Tokyo @daily", timezone="UTC")["timezone"],
                         "Asia/Tokyo")

    def test_H_depends_on_the_id(self):
        minutes = {self.next("H * * * *", id=f"task-{i}", n=1)["times"][0][14:16]
                   for i in range(40)}
        self.assertGreater(len(minutes), 15)
        self.assertEqual(len(self.next("H * * * *")["warnings"]), 1)
        self.assertEqual(self.next("H * * * *", id="a")["warnings"], [])

    def test_refusals_name_the_position(self):
        for expr, position in (("60 * * * *", 1), ("* * * foo *", 7), ("", 1), ("* * * *", 8),
                               ("@every 1d", 8), ("TZ=Europe/Nowhere * * * * *", None),
                               ("x" * 1100, 1025)):
            answer = self.ask("next", expr=expr)
            field = "timezone" if "TZ" in expr else "expr"
            document = self.assertProblem(answer, 400, field)
            self.assertEqual(document.get("position", 4), position or 4, document)

    def test_bad_parameters_are_refused_by_name(self):
        for name, value in (("timezone", "../../etc/passwd"), ("timezone", "europe/berlin"),
                            ("from", "yesterday"), ("n", "1001"), ("n", "x"), ("dst", "never"),
                            ("dayMatch", "and"), ("start", "2026-02-30T00:00:00Z")):
            self.assertProblem(self.ask("next", expr="@daily", **{name: value}), 400, name)
        self.assertProblem(self.ask("next"), 400, "expr")
        self.assertProblem(self.ask("next", expression="@daily"), 400, text="expr, timezone")

    def test_a_thousand_times_come_at_once(self):
        times = self.next("*/7 * * * * *", timezone="Pacific/Chatham", n=1000)["times"]
        self.assertEqual((len(times), times), (1000, sorted(set(times))))

    def test_match_says_whether_a_time_is_one(self):
        for at, expected in (("2026-03-29T09:00:00Z", True), ("2026-03-29T09:00:01Z", False),
                             ("2026-03-29T09:00:00.5Z", False), ("2026-03-29T11:00:00+02:00", True)):
            answer = self.ask("match", expr="0 9 * * *", timezone="UTC", at=at)
            self.assertEqual((answer.status, answer.json()["match"]), (200, expected), at)
        self.assertProblem(self.ask("match", expr="0 9 * * *"), 400, "at")
        self.assertProblem(self.ask("match", expr="@every 5s", at="2026-03-29T09:00:00Z"), 400,
                           "start")
        answer = self.ask("match", expr="@every 5s", at="2026-03-29T09:00:00Z",
                          start="2026-03-29T08:00:00Z")
        self.assertTrue(answer.json()["match"])

    def pawl(self, *arguments, here="Asia/Tokyo"):
        return subprocess.run([PAWL, "next", *arguments], capture_output=True, text=True,
                              timeout=LIMIT, check=False, env={
                                  "PATH": os.environ["PATH"], "TZ": here,
                                  "PAWL_SERVER": self.d.address})

    def test_pawl_next_prints_zone_UTC_and_local_time(self):
        done = self.pawl("30 2 * * *", "-tz=Europe/Berlin", "-from=2026-03-28T12:00:00Z", "-n=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), [
            "Europe/Berlin                   UTC                      LOCAL",
            "Sun 2026-03-29 03:00:00 +02:00  Sun 2026-03-29 01:00:00  Sun 2026-03-29 10:00:00 JST"])
        self.assertIn("at 02:30 every day", done.stderr)

    def test_pawl_next_leaves_out_columns_that_say_the_same(self):
        for here, zone, titles in (("Asia/Tokyo", "Asia/Tokyo", "Asia/Tokyo UTC"),
                                   ("Asia/Tokyo", "UTC", "UTC LOCAL"), ("UTC", "UTC", "UTC"),
                                   ("UTC", "Asia/Tokyo", "Asia/Tokyo UTC"),
                                   ("Africa/Abidjan", "Europe/London", "Europe/London UTC")):
            done = self.pawl("0 12 * * *", f"-tz={zone}", "-from=2026-07-01T00:00:00Z", "-n=2",
                             here=here)
            lines = [line.split("  ") for line in done.stdout.splitlines()]
            self.assertEqual(" ".join(done.stdout.splitlines()[0].split()), titles)
            self.assertEqual([len(line) for line in lines[1:]], [len(titles.split())] * 2)

    def test_pawl_next_passes_its_flags_on(self):
        done = self.pawl("30 2 * * *", "-tz=Europe/Berlin", "-from=2026-03-28T12:00:00Z", "-n=1",
                         "-dst=shift", "-o", "name")
        self.assertEqual((done.stdout, done.stderr), ("2026-03-29T03:30:00+02:00\n", ""))
        done = self.pawl("0 0 */2 * MON", "-from=2024-01-15T00:00:00Z", "-day-match=vixie", "-n=-1",
                         "-tz=UTC", "-o=name")
        self.assertEqual(done.stdout, "2024-01-01T00:00:00Z\n")

    def test_pawl_next_reads_times_by_the_clock_of_this_machine(self):
        done = self.pawl("TZ=UTC @every 1h", "-from=2036-07-01 09:30", "-start=2036-07-01 00:10",
                         "-n=1", "-o=name")
        self.assertEqual((done.returncode, done.stdout), (0, "2036-07-01T01:10:00Z\n"), done.stderr)
        self.assertIn("-from=2036-07-01 09:30 is 2036-07-01T09:30:00+09:00", done.stderr)
        for wrong in (("-from=soon",), ("-from=09:30", "-tz=UTC"), ("-start=",)):
            done = self.pawl("@daily", *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f"{wrong[0]}: ", done.stderr)

    def test_pawl_next_takes_all_kinds_of_expressions_and_goes_back(self):
        start = ("-tz=UTC", "-from=2026-01-01T12:00:00Z", "-o=name")
        for expr, n, times in (
                ("weekly 2 on mon at 08:00", "-n=2", ["2026-01-12T08:00:00Z", "2026-01-26T08:00:00Z"]),
                ("@every 90m", "-n=2", ["2026-01-01T13:30:00Z", "2026-01-01T15:00:00Z"]),
                ("monthly 1 on -1 at 23:59:59", "-n=1", ["2026-01-31T23:59:59Z"]),
                ("@weekly", "-n=-2", ["2025-12-28T00:00:00Z", "2025-12-21T00:00:00Z"])):
            done = self.pawl(expr, n, *start)
            self.assertEqual((done.returncode, done.stdout.split()), (0, times), done.stderr)

    def test_pawl_next_says_what_is_wrong_with_an_expression(self):
        done = self.pawl("* * * foo *")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("position 7", done.stderr)
        self.assertEqual(self.pawl().returncode, 2)
        done = self.pawl("0 0 30 2 *")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("never fires", done.stderr)


if __name__ == "__main__":
    unittest.main()
