#!/usr/bin/env python3
"""Clocks that are set, and other boots: what docs/faults.md says of them."""

import time
import unittest

from stores import Shifted
from times import S, ns_of


class Clocks(Shifted):
    """The clock on the wall is set, or the machine starts again, between two daemons."""

    HOUR = 3600

    def begin(self, **more):
        d = self.at(**more)
        d.submit("soon", time="3s", script="echo soon")
        d.submit("far", time="30m")
        d.submit("cron", taskType="cron", time="500ms", keepResults=1000)
        d.submit("done", time=0)
        d.finished("done")
        d.finished("cron", 2)
        d.kill()
        return time.monotonic()

    def check(self, d, began, far_s):
        """Nothing fires twice, and nothing stalls; far is due in about far_s seconds."""
        runs = d.get("cron")["runCount"]
        task = d.finished("cron", runs + 3)
        numbers = [result["run"] for result in task["results"]]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertLess(task["missed"], 200)            # no hour of them
        self.assertEqual(d.get("done")["runCount"], 1)
        soon = d.finished("soon")
        self.assertEqual((soon["runCount"], soon["results"][0]["result"]), (1, "soon\n"))
        self.assertGreaterEqual(time.monotonic() - began, 1)
        far = d.get("far")
        self.assertEqual(far["runCount"], 0)
        left = self.seconds(far["nextRun"]) - self.seconds(d.submit("now")["createdAt"])
        self.assertLess(abs(left - far_s), 60)
        d.kill()
        d = self.at_again()
        self.assertEqual((d.get("soon")["runCount"], d.get("done")["runCount"]), (1, 1))

    def seconds(self, text):
        return ns_of(text) / S

    def start(self, **where):
        self.where = where
        return self.at(**where)

    def at_again(self):
        return self.at(**self.where)

    def test_the_wall_clock_an_hour_back_in_the_same_boot_moves_no_due_time(self):
        began = self.begin()
        self.check(self.start(wall=-self.HOUR), began, 1800)

    def test_the_wall_clock_an_hour_on_in_the_same_boot_moves_no_due_time(self):
        began = self.begin()
        self.check(self.start(wall=self.HOUR), began, 1800)

    def test_another_boot_at_the_same_wall_time_keeps_due_times(self):
        began = self.begin(boot="aaaa")
        self.check(self.start(boot="bbbb", uptime=1000), began, 1800)

    def test_another_boot_with_the_wall_an_hour_back_goes_on_from_the_last_noted_moment(self):
        began = self.begin(boot="aaaa")
        d = self.start(boot="bbbb", uptime=1000, wall=-self.HOUR)
        self.assertRegex(d.log(), r"the wall clock is 3[56]\d\d s behind the last moment")
        self.check(d, began, 1800)

    def test_another_boot_an_hour_later_makes_up_for_one_run_each(self):
        self.begin(boot="aaaa")
        d = self.start(boot="bbbb", uptime=1000, wall=self.HOUR)
        for id in ("soon", "far"):
            self.assertEqual(d.finished(id)["runCount"], 1)
        task = d.finished("cron", 4)
        self.assertGreater(task["missed"], 7000)
        self.assertLess(task["missed"], 7400)
        self.assertLess(task["runCount"], 1000)
        self.assertEqual(d.get("done")["runCount"], 1)

    def test_the_wall_clock_that_is_set_while_it_runs_moves_no_due_time(self):
        d = self.start()
        d.submit("far", time="30m")
        d.submit("cron", taskType="cron", time="500ms", keepResults=1000)
        d.finished("cron")
        for wall in (-self.HOUR, self.HOUR):
            d.fail(str(wall))
            runs = d.get("cron")["runCount"]
            task = d.finished("cron", runs + 3)
            self.assertLess(task["missed"], 100)
            left = self.seconds(d.get("far")["nextRun"]) - self.seconds(
                d.submit(f"now{wall}")["createdAt"])
            self.assertLess(abs(left - 1800), 60)
        d.kill()
        d = self.at_again()
        self.assertEqual(d.get("far")["runCount"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
