"""The judge of the crash harness can say no: each broken promise, planted in documents and answers
that are otherwise right, is a violation, and the unbroken ones are none."""

import copy
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../blackbox")]

from due import every                                               # noqa: E402
from model import STATES, Model, Violation                          # noqa: E402
from times import MS, S, ns_of, rfc                                 # noqa: E402

START = 1_900_000_000 * S


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-model-")
        self.addCleanup(folder.cleanup)
        self.starts = os.path.join(folder.name, "starts")
        self.now = START
        self.model = Model(self.starts, clock=lambda: self.now)
        self.begin()
        self.look([])

    def begin(self):
        self.now += MS
        self.model.begin_life(self.now)
        self.now += MS
        self.model.listened = self.now

    def tick(self):
        self.now += 1000
        return self.now

    def submit(self, id="a", type="delay", time=10 * S, keep=10, ack=True, when=None):
        task = self.model.new_task(id, type, time, keep, "echo {n} x", when=when)
        sent = self.tick()
        self.model.sends_submit(task, sent)
        document = self.document(task, self.tick())
        if ack:
            self.model.acked_submit(task, document, sent, self.tick())
        return task, document

    def document(self, task, created):
        first = task.times.once(created) if task.type == "delay" else task.times.first(created)
        return {**task.document(), **task.times.shown(), "status": 0, "state": STATES[0], "version": 0,
                "lastStatusUpdated": rfc(created), "createdAt": rfc(created),
                "nextRun": rfc(first), "previousRun": None, "runCount": 0,
                "failureCount": 0, "skipped": {"overlap": 0}, "missed": 0, "running": 0,
                "results": []}

    def started(self, document):
        document = copy.deepcopy(document)
        self.tick()
        document.update(status=2, state=STATES[2], version=document["version"] + 1, running=1,
                        runCount=document["runCount"] + 1, previousRun=rfc(self.now))
        if document["taskType"] == "delay" or document["runCount"] == document.get("maxRuns"):
            document["nextRun"] = None
        else:
            document["nextRun"] = rfc(self.due(document, document["runCount"] + 1))
        with open(self.starts, "a") as file:
            file.write(f"{document['script'].split()[1]} {self.now // S}."
                       f"{self.now % S // 1000:06} {rfc(self.due(document, document['runCount']))}\n")
        return document

    def due(self, document, k):
        """The k-th due time; of an expression every two seconds."""
        created = ns_of(document["createdAt"])
        if "at" in document:
            return ns_of(document["at"])
        return (created // S // 2 + k) * 2 * S if "cron" in document else created + k * document["time"]

    def ended(self, document, outcome="success"):
        document = copy.deepcopy(document)
        self.tick()
        run = document["runCount"]
        is_last = document["taskType"] == "delay" or run == document.get("maxRuns")
        status = 4 if document["status"] == 4 else 1 if is_last else 3
        document.update(status=status, state=STATES[status], version=document["version"] + 1,
                        running=0, failureCount=document["failureCount"] + (outcome != "success"))
        document["results"] = (document["results"] + [
            {"run": run, "outcome": outcome, "scheduledFor": rfc(self.due(document, run))}
        ])[-document["keepResults"]:] if document["keepResults"] else []
        return document

    def stopped(self, document):
        document = copy.deepcopy(document)
        document.update(status=4, state=STATES[4], version=document["version"] + 1, nextRun=None)
        return document

    def stop(self, task, document):
        sent = self.tick()
        self.model.sends_stop(task, sent)
        document = self.stopped(document)
        self.model.acked_stop(task, document, sent, self.tick())
        return document

    def delete(self, task, ack=True):
        sent = self.tick()
        self.model.sends_delete(task, sent)
        if ack:
            self.model.acked_delete(task, sent, self.tick())
        else:
            self.model.cut(task, "delete", self.tick())

    def get(self, document):
        sent = self.tick()
        self.model.check(copy.deepcopy(document), sent, self.tick(), "get")

    def look(self, documents):
        sent = self.tick()
        self.model.look(documents, sent, self.tick())
        self.model.read_starts()
        self.model.check_ends(documents)

    def crash(self, power=False):
        self.model.was_killed = True
        if power:
            self.model.read_starts()
            self.model.power_loss()
        self.begin()

    def fails(self, text, call, *args):
        with self.assertRaises(Violation) as caught:
            call(*args)
        self.assertIn(text, str(caught.exception))


class Presence(Base):
    def test_model_accepts_what_is_kept(self):
        _, a = self.submit("a")
        _, b = self.submit("b")
        self.crash()
        self.look([a, b])
        self.assertEqual(self.model.acks, 2)

    def test_model_misses_an_accepted_task(self):
        _, a = self.submit("a")
        self.submit("b")
        self.crash()
        self.fails("an accepted task is missing", self.look, [a])

    def test_model_lets_an_open_submit_be_or_not_but_stay_so(self):
        task, a = self.submit("a", ack=False)
        other, b = self.submit("b", ack=False)
        for t in (task, other):
            self.model.cut(t, "submit", self.tick())
        self.crash()
        self.look([a])
        self.crash()
        self.fails("an accepted task is missing", self.look, [])
        self.fails("it is there again", self.look, [a, b])

    def test_model_sees_a_deleted_task_come_back(self):
        task, a = self.submit()
        self.delete(task)
        self.crash()
        self.fails("its delete was answered", self.look, [a])

    def test_model_lets_an_open_delete_be_or_not(self):
        task, a = self.submit("a")
        other, _ = self.submit("b")
        self.delete(task, ack=False)
        self.delete(other, ack=False)
        self.crash()
        self.look([a])
        self.crash()
        self.fails("an accepted task is missing", self.look, [])

    def test_model_sees_a_task_come_back_after_404(self):
        task, a = self.submit()
        sent = self.tick()
        self.model.sends_delete(task, sent)
        self.model.not_found(task, True, "get")
        self.model.cut(task, "delete", self.tick())
        self.crash()
        self.fails("404 was answered", self.look, [a])

    def test_model_tells_a_new_task_of_an_id_from_the_old_one(self):
        task, old = self.submit("a")
        self.delete(task)
        _, new = self.submit("a")
        self.crash()
        self.look([new])
        self.fails("its delete was answered", self.look, [old])

    def test_model_sees_a_task_that_nobody_submitted(self):
        _, a = self.submit()
        a["script"] = "echo 77 x"
        self.fails("nobody submitted", self.get, a)

    def test_model_sees_a_refused_task(self):
        task, a = self.submit(ack=False)
        self.model.refused_submit(task, 503, self.now, self.tick())
        self.crash()
        self.fails("it was gone", self.look, [a])

    def test_model_sees_the_order_change(self):
        _, a = self.submit("a")
        _, b = self.submit("b")
        self.crash()
        self.fails("not in the order", self.look, [b, a])

    def test_model_sees_a_task_twice(self):
        _, a = self.submit("a")
        self.crash()
        self.fails("twice", self.look, [a, a])

    def test_model_sees_a_field_change(self):
        _, a = self.submit()
        for name, value in (("time", 1), ("keepResults", 3), ("taskType", "cron"),
                            ("createdAt", rfc(START + 9 * S)), ("script", "echo 1 xy")):
            with self.subTest(name):
                self.fails(name, self.get, {**a, name: value})


class Progress(Base):
    def test_model_accepts_a_run(self):
        _, a = self.submit(time=0)
        a = self.started(a)
        self.get(a)
        self.crash()
        self.look([self.ended(a, "lost")])

    def test_model_sees_a_version_go_back(self):
        _, a = self.submit("i", "cron", 10 * MS)
        first = self.ended(self.started(a))
        second = self.ended(self.started(first))
        self.get(second)
        self.crash()
        self.fails("version 4 was shown before", self.look, [first])

    def test_model_sees_a_run_left_executing(self):
        _, a = self.submit(time=0)
        run = self.started(a)
        self.get(run)
        self.crash()
        self.fails("earlier daemon", self.look, [run])

    def test_model_sees_a_start_forgotten(self):
        _, a = self.submit(time=0)
        self.started(a)
        self.crash()
        self.fails("1 starts were counted", self.look, [a])

    def test_model_sees_a_delay_task_start_twice(self):
        _, a = self.submit(time=0)
        self.started(a)
        self.started(a)
        self.fails("started 2 times", self.model.read_starts)

    def test_model_sees_a_loss_after_an_orderly_end(self):
        _, a = self.submit(time=0)
        a = self.started(a)
        self.begin()
        self.fails("no daemon was killed", self.look, [self.ended(a, "lost")])

    def test_model_sees_a_run_that_never_began(self):
        _, a = self.submit(time=0)
        run = self.ended(self.started(a))
        os.unlink(self.starts)
        self.crash()
        self.fails("0 were counted", self.look, [run])

    def test_model_sees_a_stop_undone(self):
        task, a = self.submit()
        self.stop(task, a)
        self.crash()
        self.fails("version 1 was shown before", self.look, [a])

    def test_model_sees_a_stopped_task_run(self):
        task, a = self.submit()
        self.stop(task, a)
        self.started(a)
        self.fails("though its stop was answered", self.model.read_starts)

    def test_model_sees_a_stop_that_nobody_asked_for(self):
        _, a = self.submit()
        self.crash()
        self.fails("nobody stopped it", self.look, [self.stopped(a)])

    def test_model_lets_an_open_stop_be_or_not_but_stay_so(self):
        task, a = self.submit()
        self.model.sends_stop(task, self.tick())
        self.model.cut(task, "stop", self.tick())
        self.crash()
        self.look([a])
        self.crash()
        self.fails("nobody stopped it", self.look, [self.stopped(a)])

    def test_model_sees_a_deleted_task_run(self):
        task, a = self.submit()
        self.delete(task)
        self.crash()
        self.now += 10 * S
        self.started(a)
        self.fails("deleted before the daemon started", self.model.read_starts)


class Intervals(Base):
    def setUp(self):
        super().setUp()
        self.task, a = self.submit("i", "cron", 10 * MS)
        self.first = a
        self.second = self.ended(self.started(a))
        self.third = self.ended(self.started(self.second))
        self.get(self.third)
        self.crash()

    def test_model_accepts_missed_due_times(self):
        self.now += S
        self.third["missed"] += 7
        self.third["nextRun"] = rfc(self.due(self.third, 10))
        self.look([self.third])

    def test_model_sees_due_times_vanish(self):
        self.third["nextRun"] = rfc(self.due(self.third, 4))
        self.fails("3 due times came before", self.look, [self.third])

    def test_model_sees_a_due_time_off_the_beat(self):
        self.third["nextRun"] = rfc(self.due(self.third, 3) + 1)
        self.fails("nextRun is 1 ns off", self.look, [self.third])

    def test_model_sees_a_task_without_a_next_run(self):
        self.third["nextRun"] = None
        self.fails("nextRun does not fit", self.look, [self.third])

    def test_model_sees_a_result_missing_or_doubled(self):
        for results in (self.third["results"][:1], self.third["results"][1:],
                        self.third["results"][:1] * 2):
            with self.subTest(results):
                self.fails("result", self.look, [{**self.third, "results": results}])

    def test_model_sees_a_result_change(self):
        self.third["results"][0]["stderr"] = "another"
        self.fails("the same version", self.look, [self.third])
        fourth = self.ended(self.started(self.third))
        self.fails("results changed", self.look, [fourth])

    def test_model_sees_a_counter_go_back(self):
        self.third["missed"], self.third["nextRun"] = 5, rfc(self.due(self.third, 8))
        self.look([self.third])
        self.third["missed"], self.third["nextRun"] = 4, rfc(self.due(self.third, 7))
        self.crash()
        self.fails("missed 5 were shown", self.look, [self.third])

    def test_model_sees_that_missed_due_times_are_not_shown(self):
        del self.third["missed"]
        self.fails("no count of missed", self.look, [self.third])


class When(Base):
    """Tasks that fire otherwise than after one span."""

    def setUp(self):
        super().setUp()
        self.task, self.first = self.submit("c", "cron", None, when={**every(2), "maxRuns": 3,
                                                                     "timezone": "UTC"})
        self.second = self.ended(self.started(self.first))
        self.third = self.ended(self.started(self.second))
        self.get(self.third)
        self.crash()

    def test_model_accepts_all_ways(self):
        for id, type, when in (
                ("at", "delay", {"at": rfc(self.now + 7)}), ("at", "delay", {"at": rfc(7 * S + 7)}),
                ("t", "cron", {"triggers": [every(2, timezone="UTC"), every(3), {"time": 7 * S},
                                            {"at": rfc(self.now + S // 7)}]})):
            with self.subTest(id):
                task, document = self.submit(id, type, None, when=when)
                self.get({**document, "timezone": document["timezone"]})
                self.delete(task)

    def test_model_counts_the_due_times_of_several_triggers(self):
        at = self.now + 1500 * MS
        task, document = self.submit("t", "cron", None, when={
            "triggers": [every(2), every(3), {"time": 7 * S}, {"at": rfc(at)}]})
        created, n = task.created, 0
        due = {k * S for k in range(created // S + 1, created // S + 60) if k % 2 == 0 or k % 3 == 0}
        for ns in sorted(due | {created + k * 7 * S for k in range(1, 9)} | {at}):
            n += 1
            self.assertEqual((task.times.passed(created, ns), task.times.off(created, ns)), (n, 0))
            self.assertEqual(task.times.passed(created, ns - 1), n - 1)
        self.assertEqual(task.times.first(created), ns_of(document["nextRun"]))

    def test_model_sees_what_says_when_change(self):
        for name, value in (("cron", "*/3 * * * * *"), ("timezone", "Europe/Berlin"), ("maxRuns", 4),
                            ("dst", "once"), ("time", 1), ("at", rfc(START)), ("startAt", rfc(START))):
            with self.subTest(name):
                self.fails(name + " is not", self.get, {**self.third, name: value})
        del self.third["maxRuns"]
        self.fails("maxRuns is not", self.get, self.third)

    def test_model_sees_due_times_vanish(self):
        self.third["nextRun"] = rfc(self.due(self.third, 4))
        self.fails("3 due times came before", self.look, [self.third])

    def test_model_sees_a_due_time_off_the_expression(self):
        self.third["nextRun"] = rfc(self.due(self.third, 3) + S)
        self.fails("ns off", self.look, [self.third])

    def test_model_sees_more_runs_than_max_runs(self):
        self.now = self.due(self.first, 3)
        last = self.ended(self.started(self.third))
        self.look([last])
        self.assertEqual(last["status"], 1)
        more = copy.deepcopy(last)
        more.update(status=3, state=STATES[3], nextRun=self.third["nextRun"])
        self.fails("nextRun does not fit", self.look, [more])
        more = self.ended(self.started({**last, "maxRuns": 9}))
        self.fails("maxRuns is 3", self.look, [{**more, "maxRuns": 3}])
        self.fails("started 4 times", self.model.read_starts)

    def test_model_sees_a_due_time_started_twice(self):
        self.started(self.second)
        self.fails("began twice", self.model.read_starts)

    def test_model_sees_a_due_time_run_twice(self):
        last = self.ended(self.started(self.third))
        last["results"][2]["scheduledFor"] = last["results"][1]["scheduledFor"]
        self.fails("run 3 was due at", self.look, [last])

    def test_model_lets_a_stop_be_refused_behind_the_last_run(self):
        self.model.sends_stop(self.task, self.tick())
        self.fails("the only stop", self.model.refused_stop, self.task, 409, True, self.now, self.now)
        self.now = self.due(self.third, 3)
        self.model.slot("c").stops = 1
        self.model.refused_stop(self.task, 409, True, self.now, self.now)
        self.look([self.ended(self.started(self.third))])


class PowerLoss(Base):
    def test_model_forgives_a_start_that_no_commit_followed(self):
        task, a = self.submit(time=0)
        self.get(self.started(a))
        self.crash(power=True)
        self.look([a])
        self.assertEqual(task.forgiven, 1)
        self.look([self.ended(self.started(a))])        # it may run once more
        self.started(a)
        self.fails("started 3 times", self.model.read_starts)

    def test_model_forgives_it_though_a_daemon_came_and_went_between(self):
        task, a = self.submit(time=0)
        self.started(a)
        self.crash()                    # nobody looks
        self.crash(power=True)
        self.look([a])
        self.assertEqual(task.forgiven, 1)

    def test_model_sees_a_start_lost_that_a_commit_followed(self):
        _, a = self.submit("a", time=0)
        self.get(self.started(a))
        _, b = self.submit("b")
        self.crash(power=True)
        self.fails("1 starts were counted", self.look, [a, b])

    def test_model_sees_an_answer_lost(self):
        self.submit()
        self.crash(power=True)
        self.fails("an accepted task is missing", self.look, [])

    def back(self, documents):
        sent = self.tick()
        self.model.look_back(documents, sent, self.tick())

    def test_model_accepts_the_past_in_process_mode(self):
        self.model.rolls_back = True
        a_task, a = self.submit("a")
        b_task, b = self.submit("b", time=0)
        c_task, _ = self.submit("c")
        run = self.ended(self.started(b))
        self.get(run)
        self.delete(a_task)
        self.stop(c_task, _)
        self.crash(power=True)
        self.back([a, b])
        self.assertEqual(b_task.forgiven, 1)
        self.crash()
        self.fails("an accepted task is missing", self.look, [a])

    def test_model_sees_a_half_state(self):
        self.model.rolls_back = True
        a_task, a = self.submit("a")
        self.stop(a_task, a)
        b_task, b = self.submit("b")
        self.delete(b_task)
        _, c = self.submit("c")
        self.crash(power=True)
        stopped = self.stopped(a)
        self.fails("it is not stopped", self.back, [a, c])
        self.fails("it is missing", self.back, [c])
        self.fails("it is there, though", self.back, [stopped, b, c])
        self.back([stopped, c])


if __name__ == "__main__":
    unittest.main()
