#!/usr/bin/env python3
"""Each way of saying when a task fires, once in real time. All tasks of a class are submitted to one
daemon at its start, so that they fire side by side; each test follows its own."""

import time
import unittest
from datetime import datetime, timedelta, timezone

from daemon import SANITIZED, Case, Shared
from times import MS, S, accounted, due_of, ns_of, rfc

LATE = (60 if SANITIZED else 15) * S    # two cores that have other things to do
AHEAD = 4 if SANITIZED else 2           # seconds; a submit takes none of them
DAY = 86400 * S


def ahead(seconds):
    return time.time_ns() + int(seconds * S)


def in_zone(ns, hours):
    """A moment in a zone that is ahead of UTC by so much the whole year."""
    return datetime.fromtimestamp(ns // S, timezone(timedelta(hours=hours)))


class When(Shared):
    """What was submitted stands in self.sent, by id; the ids are names of tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sent = {}
        for id, make in cls.tasks():
            fields = {"taskType": "cron", "time": None, "keepResults": 1000, **make()}
            cls.sent[id] = fields
            cls.d.submit(id, **fields)

    @classmethod
    def tasks(cls):
        yield "every_second", lambda: {"cron": "* * * * * *"}
        yield "even_seconds", lambda: {"cron": "*/2 * * * * *", "timezone": "Asia/Tokyo"}
        yield "every", lambda: {"cron": "@every 1s"}
        yield "interval", lambda: {"time": "700ms"}
        yield "delay", lambda: {"taskType": "delay", "time": "1500ms"}
        yield "fields", lambda: {
            "cron": f"{in_zone(ahead(AHEAD), 5.5):%S %M %H %d %b} *", "timezone": "Asia/Kolkata"}
        yield "calendar", lambda: {
            "calendar": f"daily 1 at {in_zone(ahead(AHEAD), 5.75):%H:%M:%S}",
            "timezone": "Asia/Kathmandu"}
        yield "at", lambda: {"taskType": "delay", "at": rfc(ahead(1))}
        yield "at_past", lambda: {"taskType": "delay", "at": "2020-02-29T12:00:00.000000001Z"}
        yield "random_spans", lambda: {"time": "200ms", "timeMax": "600ms"}
        yield "start", lambda: {"time": "500ms", "startAt": rfc(ahead(1.5))}
        yield "start_of_fields", lambda: {"cron": "* * * * * *", "startAt": rfc(ahead(AHEAD))}
        yield "end", lambda: {"time": "400ms", "endAt": rfc(ahead(AHEAD))}
        yield "max_runs", lambda: {"cron": "* * * * * *", "maxRuns": 3}
        yield "on_start", lambda: {"cron": "0 0 0 29 2 *", "timezone": "UTC", "runOnStart": True}
        yield "jitter", lambda: {"cron": "* * * * * *", "jitter": "900ms"}
        yield "random_jitter", lambda: {"cron": "* * * * * *", "jitter": "900ms",
                                        "jitterMode": "random"}
        yield "completion", lambda: {"time": "300ms", "intervalFrom": "completion",
                                     "script": "sleep 0.3"}
        yield "triggers", lambda: {"triggers": [
            {"cron": "*/2 * * * * *"}, {"time": "1100ms"}, {"at": rfc(ahead(1.3))},
            {"cron": "*/3 * * * * *", "timezone": "America/St_Johns"}]}
        yield "reboot", lambda: {"cron": "@reboot"}

    def setUp(self):
        super().setUp()
        self.name = self.name[len("test_"):]
        self.fields = self.sent[self.name]

    def follow(self, runs):
        """The task when it has ended as many runs: each due time once, in order, none before its
        time and none much later."""
        task = self.d.finished(self.name, runs)
        self.jitter = 900 * MS if "jitter" in self.fields else 0
        self.created = ns_of(task["createdAt"])
        due = due_of(task)
        self.assertEqual(due, sorted(set(due)))
        self.assertEqual([r["run"] for r in task["results"]], list(range(1, len(due) + 1)))
        for result, ns in zip(task["results"], due):
            self.assertEqual(result["outcome"], "success")
            late = ns_of(result["startedAt"]) - max(ns, self.created)
            self.assertGreaterEqual(late, 0, result)
            self.assertLess(late, LATE + self.jitter, result)
        return task

    def on_beat(self, task, first, step, last=None):
        """All due times are on the beat, and what has passed of it is accounted for."""
        due = due_of(task)
        self.assertEqual(due[0], first)
        self.assertEqual([ns for ns in due if (ns - first) % step], [])
        behind = ns_of(task["nextRun"]) if last is None else last + step
        self.assertEqual((behind - first) % step, 0)
        self.assertEqual((behind - first) // step, accounted(task), task)

    def second_after(self, ns, step=1):
        return (ns // S // step + 1) * step * S

    def test_every_second(self):
        task = self.follow(4)
        self.on_beat(task, self.second_after(self.created), S)

    def test_even_seconds(self):
        task = self.follow(3)
        self.on_beat(task, self.second_after(self.created, 2), 2 * S)
        self.assertEqual(task["timezone"], "Asia/Tokyo")

    def test_every(self):
        task = self.follow(3)
        self.on_beat(task, self.created + S, S)

    def test_interval(self):
        task = self.follow(3)
        self.on_beat(task, self.created + 700 * MS, 700 * MS)

    def test_delay(self):
        task = self.follow(1)
        self.assertEqual(due_of(task), [self.created + 1500 * MS])
        self.assertEqual((task["status"], task["nextRun"]), (1, None))

    def test_fields(self):
        task = self.follow(1)
        [due] = due_of(task)
        self.assertEqual(f"{in_zone(due, 5.5):%S %M %H %d %b} *", self.fields["cron"])
        self.assertEqual(due % S, 0)
        following = in_zone(ns_of(task["nextRun"]), 5.5)
        self.assertEqual(f"{following:%S %M %H %d %b} *", self.fields["cron"])
        self.assertGreater(following.year, in_zone(due, 5.5).year)

    def test_calendar(self):
        task = self.follow(1)
        [due] = due_of(task)
        self.assertEqual(f"daily 1 at {in_zone(due, 5.75):%H:%M:%S}", self.fields["calendar"])
        self.assertEqual(due % S, 0)
        self.assertEqual(ns_of(task["nextRun"]), due + DAY)

    def test_at(self):
        task = self.follow(1)
        self.assertEqual(due_of(task), [ns_of(self.fields["at"])])
        self.assertEqual((task["status"], task["nextRun"]), (1, None))

    def test_at_past(self):
        task = self.follow(1)
        self.assertEqual(due_of(task), [ns_of(self.fields["at"])])
        self.assertEqual((task["status"], task["nextRun"]), (1, None))

    def test_random_spans(self):
        task = self.follow(6)
        due = [self.created] + due_of(task)
        spans = [b - a for a, b in zip(due, due[1:])]
        self.assertGreaterEqual(min(spans), 200 * MS)
        if accounted(task) == task["runCount"]:
            self.assertLessEqual(max(spans), 600 * MS + LATE)
        self.assertEqual(len(set(spans)), len(spans))

    def test_start(self):
        task = self.follow(4)
        self.on_beat(task, ns_of(self.fields["startAt"]), 500 * MS)

    def test_start_of_fields(self):
        task = self.follow(2)
        self.on_beat(task, self.second_after(ns_of(self.fields["startAt"]) - 1), S)

    def test_end(self):
        end = ns_of(self.fields["endAt"])
        self.d.watch(self.name, lambda task: task["nextRun"] is None and not task["running"])
        task = self.follow(1)
        last = self.created + (end - self.created) // (400 * MS) * 400 * MS
        self.on_beat(task, self.created + 400 * MS, 400 * MS, last)
        self.assertEqual((task["status"], task["nextRun"]), (1, None))

    def test_max_runs(self):
        task = self.follow(3)
        self.assertEqual((task["status"], task["runCount"], task["version"], task["nextRun"]),
                         (1, 3, 6, None))
        due = due_of(task)
        self.assertEqual(due[0], self.second_after(self.created))
        self.on_beat(task, due[0], S, due[-1])
        answer = self.d.call("PUT", f"/api/tasks/{self.name}")
        self.assertProblem(answer, 409, text="has run already")

    def test_on_start(self):
        task = self.follow(1)
        self.assertEqual(due_of(task), [self.created])
        self.assertIn("-02-29T", rfc(ns_of(task["nextRun"])))

    def put_off(self, task):
        """By how much each run was put off, and the next one will be."""
        due = due_of(task)
        self.assertEqual((due[0], [ns for ns in due if ns % S]),
                         (self.second_after(self.created), []))
        following = ns_of(task["nextRun"])
        self.assertGreater(following, due[-1])
        starts = [ns_of(result["startedAt"]) for result in task["results"]]
        return [start - ns for start, ns in zip(starts, due)], following % S

    def test_jitter(self):
        offs, next_off = self.put_off(self.follow(3))
        self.assertLessEqual(next_off, 900 * MS)
        for off in offs:
            self.assertGreaterEqual(off, next_off)      # by the same amount each time
            self.assertLess(off, next_off + LATE)

    def test_random_jitter(self):
        offs, next_off = self.put_off(self.follow(3))
        if max(offs) < S:                               # none was late besides
            self.assertGreater(max(offs + [next_off]) - min(offs + [next_off]), MS)

    def test_completion(self):
        task = self.follow(4)
        ends = [self.created] + [ns_of(result["timestamp"]) for result in task["results"]]
        for end, due in zip(ends, due_of(task) + [ns_of(task["nextRun"])]):
            self.assertGreaterEqual(due, end + 300 * MS)
            self.assertLess(due, end + 300 * MS + LATE)
        self.assertEqual(accounted(task), task["runCount"])

    def test_triggers(self):
        task = self.follow(7)
        behind, at = ns_of(task["nextRun"]), ns_of(self.fields["triggers"][2]["at"])
        expected = {ns for step in (2, 3)
                    for ns in range(self.second_after(self.created, step), behind, step * S)}
        expected.update(range(self.created + 1100 * MS, behind, 1100 * MS))
        expected = sorted(expected | ({at} if at < behind else set()))
        self.assertEqual(len(expected), accounted(task), task)
        self.assertLessEqual(set(due_of(task)), set(expected))
        self.assertEqual(due_of(task)[0], expected[0])

    def test_reboot(self):
        self.d.finished("every_second", 2)
        task = self.d.get(self.name)
        self.assertEqual((task["version"], task["runCount"], task["nextRun"]), (0, 0, None))
        self.assertEqual(task["results"], [])


class Restart(Case):
    """What fires when a daemon starts, and what goes on where it was."""

    def test_reboot_fires_at_each_start_and_the_others_go_on(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("reboot", taskType="cron", time=None, cron="@reboot", keepResults=100)
        d.submit("both", taskType="cron", time=None, keepResults=100,
                 triggers=[{"cron": "@reboot"}, {"time": "1h"}])
        d.submit("seconds", taskType="cron", time=None, cron="* * * * * *", keepResults=1000)
        began = ns_of(d.get("seconds")["createdAt"])
        d.submit("at", at=rfc(ahead(0.3)), time=None)
        d.submit("twice", taskType="cron", time=None, cron="* * * * * *", maxRuns=2)
        d.finished("twice", 1)
        for life in (1, 2):
            if life == 1:
                d.kill()
            else:
                self.assertEqual(d.stop(), 0)
            stopped = time.time_ns()
            d = self.daemon(data=data)
            for id in ("reboot", "both"):
                task = d.finished(id, life)
                self.assertEqual(task["runCount"], life)
                self.assertGreater(due_of(task)[-1], stopped)
        for id in ("reboot", "both"):
            d.call("PUT", f"/api/tasks/{id}")
        task = d.finished("seconds", d.get("seconds")["runCount"] + 1)
        due = due_of(task)
        self.assertEqual(due, sorted(set(due)))
        first = (began // S + 1) * S
        self.assertEqual((due[0], [ns for ns in due if ns % S]), (first, []))
        self.assertEqual((ns_of(task["nextRun"]) - first) // S, accounted(task))
        self.assertEqual(d.finished("twice", 2)["status"], 1)
        self.assertEqual(d.finished("at")["runCount"], 1)
        d.kill()
        d = self.daemon(data=data)
        for id, runs, status in (("reboot", 2, 4), ("both", 2, 4), ("twice", 2, 1), ("at", 1, 1)):
            task = d.get(id)
            self.assertEqual((task["runCount"], task["status"], task["nextRun"]),
                             (runs, status, None), task)


if __name__ == "__main__":
    unittest.main(verbosity=2)
