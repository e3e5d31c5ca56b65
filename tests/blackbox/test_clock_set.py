#!/usr/bin/env python3
"""The wall clock is set under a running daemon: times of day follow it, spans of time do not. The
day is one of those to come; the kernel's part is played by tests/faults/clock_shift.c."""

import re
import time
import unittest

from daemon import wait_for
from stores import SOON, Shifted
from times import MS, S, accounted, due_of, ns_of


def on_day(text, day=15):
    """A time of day of one January, in UTC."""
    return ns_of(f"2027-01-{day}T{text}.000000000Z")


class Set(Shifted):
    FOLLOWERS = ("seconds", "fast")     # fire all the time

    def shift_to(self, ns):
        """By how much the wall is to be ahead so that it shows ns, and less than a second more."""
        self.shift = ns // S - time.time_ns() // S
        return self.shift

    def begin(self, ns, env={}, **cron):
        """A daemon at a wall time, with what is there in each test and these expressions."""
        self.d = self.at(self.shift_to(ns), **env)
        for id, expression in {"seconds": "* * * * * *", **cron}.items():
            self.cron(id, cron=expression)
        self.cron("fast", time="500ms")
        self.spans = {id: ns_of(self.d.submit(id, **fields)["nextRun"]) - S * self.shift
                      for id, fields in (("delay", {"time": "45m"}),
                                         ("interval", {"taskType": "cron", "time": "40m"}))}
        for id in self.FOLLOWERS:
            self.d.finished(id)

    def cron(self, id, **fields):
        self.d.submit(id, **{"taskType": "cron", "time": None, "timezone": "UTC",
                             "keepResults": 1000, **fields})

    def once(self, id, ns):
        self.d.submit(id, time=None, at=f"{time.strftime('%FT%T', time.gmtime(ns // S))}Z")

    def set_to(self, ns):
        """Sets the clock; what fires all the time must go on at once."""
        runs = {id: self.d.get(id)["runCount"] for id in self.FOLLOWERS}
        nsaid = len(self.said())
        by, began = -self.shift, time.monotonic()
        by += self.shift_to(ns)
        self.d.fail(str(self.shift))
        for id in self.FOLLOWERS:
            task = self.d.finished(id, runs[id] + 2)
            self.assertGreaterEqual(due_of(task)[-1], ns)
            self.assertLess(due_of(task)[-1], ns + (time.monotonic() - began + 2) * S)
        self.assertLess(time.monotonic() - began, SOON + 2)
        wait_for("the log to say so", lambda: len(self.said()) == nsaid + 1)
        self.assertAlmostEqual(self.said()[-1], by, delta=0.01)
        self.check_spans()

    def said(self):
        """By how much the clock was set, in seconds, as the log says it."""
        found = re.findall(r" WARN  the wall clock was set (back|forward) by (\d+\.\d{3}) s: "
                           r"times of day follow it$", self.d.log(), re.M)
        return [float(by) * (-1 if way == "back" else 1) for way, by in found]

    def check_spans(self):
        """They are due when they were, which the wall clock calls otherwise."""
        for id, due in self.spans.items():
            wait_for(f"{id} to be due when it was",
                     lambda: abs(ns_of(self.d.get(id)["nextRun"]) - S * self.shift - due) < MS)
            self.assertEqual(self.d.get(id)["version"], 0)
        task = self.d.get("fast")
        self.assertLess(task["missed"], 20, task)

    def next_is(self, id, ns):
        wait_for(f"{id} to have another time", lambda: ns_of(self.d.get(id)["nextRun"]) == ns)

    def ran(self, id, *due, missed=0, then=None):
        """A task that has come to rest: all its due times, in the order of the runs."""
        task = self.d.finished(id, len(due))
        self.assertEqual((due_of(task), task["missed"]), (list(due), missed))
        self.assertEqual(ns_of(task["nextRun"]), then)

    def check_seconds(self):
        """No time twice, and none that is none."""
        due = due_of(self.d.get("seconds"))
        self.assertEqual(len(due), len(set(due)))
        self.assertEqual([ns for ns in due if ns % S], [])

    def restart(self, kill=True):
        """All that was there is there, and what is not due does not run."""
        stopped = [id for id in self.tasks(self.d) if id not in self.FOLLOWERS]
        self.saved(self.d)
        before = self.tasks(self.d)
        if kill:
            self.d.kill()
        else:
            self.assertEqual(self.d.stop(), 0)
        self.d = self.at(self.shift)
        for id in self.FOLLOWERS:
            task = self.d.finished(id, before[id]["runCount"] + 2)
            self.assertLess(task["missed"] - before[id]["missed"], 10 * SOON)
        after = self.tasks(self.d)
        self.assertEqual(list(after), list(before))
        for id in stopped:
            was, now = dict(before[id]), dict(after[id])
            if was["nextRun"]:
                off = ns_of(was.pop("nextRun")) - ns_of(now.pop("nextRun"))
                self.assertLess(abs(off), MS)
            self.assertEqual(now, was)
        self.check_spans()

    def test_forward_runs_once_what_was_jumped_over(self):
        self.begin(on_day("08:00:00"), jumped="30 * * * *", fixed="15 9 * * *", later="0 23 * * *",
                   stopped="20 9 * * *")
        self.cron("calendar", calendar="daily 1 at 8:30,9:45,12:00")
        self.cron("start", time="1h", startAt="2027-01-15T09:30:00Z")
        self.cron("both", triggers=[{"cron": "20 9 * * *"}, {"time": "50m"}])
        self.cron("end", cron="50 * * * *", endAt="2027-01-15T09:00:00Z")
        self.cron("last", cron="50 * * * *", maxRuns=1)
        self.once("at", on_day("08:45:00"))
        self.once("at_later", on_day("11:00:00"))
        span = ns_of(self.d.get("both")["nextRun"]) - S * self.shift
        self.d.call("PUT", "/api/tasks/stopped")
        self.set_to(on_day("10:00:00"))
        self.ran("jumped", on_day("09:30:00"), missed=1, then=on_day("10:30:00"))
        self.ran("fixed", on_day("09:15:00"), then=on_day("09:15:00", 16))
        self.ran("calendar", on_day("09:45:00"), missed=1, then=on_day("12:00:00"))
        self.ran("start", on_day("09:30:00"), then=on_day("10:30:00"))
        self.ran("end", on_day("08:50:00"))
        self.ran("last", on_day("09:50:00"), missed=1)
        self.ran("at", on_day("08:45:00"))
        task = self.d.finished("both")
        self.assertEqual(due_of(task), [on_day("09:20:00")])
        self.assertAlmostEqual(ns_of(task["nextRun"]) - S * self.shift, span, delta=MS)
        for id, then in (("later", on_day("23:00:00")), ("at_later", on_day("11:00:00"))):
            self.assertEqual(self.d.get(id)["runCount"], 0)
            self.next_is(id, then)
        self.assertEqual(self.d.get("stopped")["version"], 1)
        task = self.d.get("seconds")
        first = min(due_of(task))
        self.assertEqual(due_of(task), sorted(due_of(task)))
        self.assertEqual((ns_of(task["nextRun"]) - first) // S, accounted(task), task)
        self.check_seconds()
        self.restart()
        self.restart(kill=False)

    def test_back_by_an_hour_repeats_no_fixed_time(self):
        self.begin(on_day("08:29:58"), fixed="30 8 * * *", before="45 7 * * *", ahead="0 9 * * *",
                   wild="*/10 * * * *")
        self.once("at", on_day("08:30:00"))
        self.once("at_ahead", on_day("08:50:00"))
        for id in ("fixed", "wild", "at"):
            self.d.finished(id)
        self.set_to(on_day("07:30:02"))
        self.ran("fixed", on_day("08:30:00"), then=on_day("08:30:00", 16))
        self.ran("at", on_day("08:30:00"))
        self.next_is("before", on_day("07:45:00", 16))
        self.next_is("ahead", on_day("09:00:00"))
        self.next_is("at_ahead", on_day("08:50:00"))
        self.next_is("wild", on_day("07:40:00"))
        self.cron("new", cron="31 8 * * *")
        self.check_seconds()
        self.restart(kill=False)

        self.set_to(on_day("07:39:59"))                 # what follows the clock has come to a time
        self.ran("wild", on_day("08:30:00"), on_day("07:40:00"), then=on_day("07:50:00"))
        self.set_to(on_day("08:29:58"))                 # where it was, and a little further
        self.d.watch("seconds", lambda task: due_of(task)[-1] > on_day("08:30:02"))
        self.ran("fixed", on_day("08:30:00"), then=on_day("08:30:00", 16))
        self.ran("at", on_day("08:30:00"))
        self.assertEqual(due_of(self.d.get("wild"))[2], on_day("08:20:00"))
        self.set_to(on_day("09:05:00"))
        self.ran("ahead", on_day("09:00:00"), then=on_day("09:00:00", 16))
        self.ran("new", on_day("08:31:00"), then=on_day("08:31:00", 16))
        self.ran("at_ahead", on_day("08:50:00"))
        self.restart()

    def test_back_by_days_is_a_correction_that_all_follow(self):
        self.begin(on_day("08:29:58"), fixed="30 8 * * *", monthly="0 0 14 * *")
        self.once("at", on_day("08:30:00"))
        self.once("at_ahead", on_day("08:50:00"))
        self.d.finished("fixed")
        self.d.finished("at")
        self.set_to(on_day("08:29:57", 13))
        self.ran("fixed", on_day("08:30:00"), on_day("08:30:00", 13),
                 then=on_day("08:30:00", 14))
        self.ran("at", on_day("08:30:00"))
        self.next_is("at_ahead", on_day("08:50:00"))
        self.next_is("monthly", on_day("00:00:00", 14))
        self.check_seconds()
        self.restart()
        self.set_to(on_day("23:59:59", 13))
        self.ran("monthly", on_day("00:00:00", 14), then=ns_of("2027-02-14T00:00:00.000000000Z"))
        self.restart(kill=False)

    def test_set_again_and_again_stalls_nothing(self):
        self.begin(on_day("08:29:59"), fixed="30 8 * * *", wild="*/10 * * * *")
        self.d.finished("fixed")
        for n in range(40):
            self.d.fail(str(self.shift + (n * 37) % 100 * 60 - 3000))
        self.d.fail(str(self.shift))
        wait_for("the clock to be followed", lambda: abs(sum(self.said())) < 0.05)
        self.assertGreater(len(self.said()), 1)
        self.set_to(on_day("09:00:03"))
        self.ran("fixed", on_day("08:30:00"), then=on_day("08:30:00", 16))
        self.restart()

    def test_it_is_seen_though_every_reading_of_the_clock_is_interrupted(self):
        self.begin(on_day("08:00:00"), {"FAULT_SLOW": "60"}, fixed="30 8 * * *")
        self.set_to(on_day("09:00:00"))
        self.ran("fixed", on_day("08:30:00"), then=on_day("08:30:00", 16))
        self.set_to(on_day("08:00:00"))
        self.next_is("fixed", on_day("08:30:00", 16))

    def test_set_while_no_daemon_runs(self):
        self.begin(on_day("08:29:59"), fixed="30 8 * * *", ahead="15 10 * * *")
        self.d.finished("fixed")
        for to, kill in ((on_day("07:29:59"), True), (on_day("10:30:00"), False),
                         (on_day("10:10:00"), True), (on_day("08:29:58", 13), False)):
            self.saved(self.d)
            runs = {id: self.d.get(id)["runCount"] for id in self.FOLLOWERS}
            if kill:
                self.d.kill()
            else:
                self.assertEqual(self.d.stop(), 0)
            self.d = self.at(self.shift_to(to))
            for id in self.FOLLOWERS:
                self.d.finished(id, runs[id] + 2)
            self.check_spans()
            if to == on_day("07:29:59"):
                self.ran("fixed", on_day("08:30:00"), then=on_day("08:30:00", 16))
                self.assertEqual(self.d.get("ahead")["runCount"], 0)
            elif to != on_day("08:29:58", 13):
                self.ran("fixed", on_day("08:30:00"), then=on_day("08:30:00", 16))
                self.ran("ahead", on_day("10:15:00"), then=on_day("10:15:00", 16))
        self.ran("fixed", on_day("08:30:00"), on_day("08:30:00", 13), then=on_day("08:30:00", 14))
        self.ran("ahead", on_day("10:15:00"), then=on_day("10:15:00", 13))


if __name__ == "__main__":
    unittest.main(verbosity=2)
