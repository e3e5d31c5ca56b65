#!/usr/bin/env python3
"""A disk that fails, other programs and people in the directory of a daemon that runs: what
docs/faults.md says of them. test_store_full.py is about full disks, test_store_refused.py about what a
daemon finds at its start, test_store_clocks.py about clocks."""

import errno
import json
import os
import random
import resource
import select
import shutil
import sqlite3
import time
import unittest

from daemon import DELAY, preload, wait_for
from stores import SOON, Stores

NDJSON = ["Content-Type: application/x-ndjson"]


class Disk(Stores):
    """Calls fail: EIO is 5."""

    def setUp(self):
        self.data = os.path.realpath(self.place())
        self.fault = os.path.realpath(self.place()) + "/fault"
        self.env = preload("io_error", self.fault, FAULT_DIR=self.data)

    def start(self, *options):
        return self.daemon(*options, data=self.data, env=self.env)

    def on(self, d, call, name, first=1, count=0, error=errno.EIO):
        d.fail(f"{call} {name} {error} {first} {count}")

    def test_a_disk_that_fails_for_some_time_loses_nothing_and_keeps_nothing_refused(self):
        for call in ("write", "sync"):
            self.setUp()
            d = self.start()
            for id in ("stop", "delete", "stays"):
                d.submit(id)
            d.submit("cron", taskType="cron", time="100ms", script="echo $PAWL_RUN",
                     keepResults=1000)
            d.finished("cron")
            self.on(d, call, "pawl.db-wal")
            answer = d.call("POST", "/api/tasks", {**DELAY, "id": "refused"})
            self.assertProblem(answer, 507, None, "see the log")
            self.assertIn("retry-after", answer.headers)
            health = self.state(d, "failing")
            self.assertEqual(health["status"], "degraded")
            self.assertIn("disk I/O error: Input/output error", health["storage"]["problem"])
            self.assertProblem(d.call("POST", "/api/tasks", {**DELAY, "id": "refused2"}), 507, None,
                               "the store cannot be written: see the log")
            lines = "\n".join(json.dumps({**DELAY, "id": f"l{n}"}) for n in range(3))
            sums = d.call("POST", "/api/tasks", lines, NDJSON).json()
            self.assertEqual([error["status"] for error in sums["errors"]], [507] * 3)
            self.assertProblem(d.call("PUT", "/api/tasks/stop"), 507, None,
                               "the task is stopped, but the store could not keep that")
            self.assertEqual(d.get("stop")["state"], "Stopped")
            self.assertProblem(d.call("DELETE", "/api/tasks/delete"), 507, None,
                               "the task is deleted, but the store could not keep that")
            self.assertEqual(d.call("GET", "/api/tasks/delete").status, 404)
            runs = d.get("cron")["runCount"]
            d.finished("cron", runs + 3)
            wait_for("a second try", lambda: self.storage(d)["unsaved"] >= 2)
            self.assertEqual(d.log().count("the store cannot be written"), 1, d.log())
            d.fail(None)
            self.state(d, "ok", SOON)
            self.assertIsNone(self.storage(d)["problem"])
            self.assertEqual(d.log().count("can be written again"), 1)
            d.submit("after")
            before = self.quiet(d, "cron")
            d.kill()
            tasks = self.tasks(self.start())
            self.assertEqual(set(tasks), {"stop", "stays", "cron", "after"}, call)
            self.assertEqual(tasks["stop"]["state"], "Stopped")
            self.assertEqual(tasks["cron"], before)

    def test_one_call_that_fails_wherever_it_strikes(self):
        for call, name in (("write", "pawl.db-wal"), ("sync", "pawl.db-wal")):
            self.setUp()
            d, kept, refusals = self.start(), set(), 0
            for n in range(1, 9):
                self.on(d, call, name, n, 1)
                for k in range(12):
                    id = f"{n}-{k}"
                    answer = d.call("POST", "/api/tasks", {**DELAY, "id": id, "script": "#" * 9000})
                    if answer.status == 200:
                        kept.add(id)
                    else:
                        self.assertProblem(answer, 507)
                        refusals += 1
                        self.state(d, "ok", SOON)
                        self.assertEqual(d.call("GET", f"/api/tasks/{id}").status, 404)
            self.assertGreaterEqual(refusals, 8)
            self.saved(d)
            d.kill()
            self.assertEqual(set(self.tasks(self.start())), kept)

    def test_killed_while_the_disk_fails_it_has_all_that_was_answered(self):
        d = self.start()
        for id in ("a", "b"):
            d.submit(id)
        self.on(d, "sync", "pawl.db-wal")
        self.assertProblem(d.call("POST", "/api/tasks", {**DELAY, "id": "refused"}), 507)
        d.kill()
        os.unlink(self.fault)
        tasks = set(self.tasks(self.start()))
        self.assertLessEqual({"a", "b"}, tasks)         # the other one may be there, as is told
        self.assertLessEqual(tasks, {"a", "b", "refused"})

    def test_a_commit_that_takes_longer_than_a_connection_may_be_idle_is_answered(self):
        """libmicrohttpd ends a connection that is idle for twice the request's time and 5 s: a
        request that waits for the store is not idle. It was taken for that."""
        d = self.start("--request-timeout=10ms")
        self.on(d, "sync", "pawl.db-wal", error=0)
        with d.connect() as client:
            client.ask("POST", "/api/tasks", {**DELAY, "id": "slow"})
            closed, _, _ = select.select([client.socket], [], [], 6.5)
            self.assertEqual(closed, [])
            d.fail(None)
            self.assertEqual(client.read().status, 200)

    def test_a_log_that_cannot_be_moved_into_the_file_harms_nobody(self):
        for call in ("write", "sync"):
            self.setUp()
            d = self.start()
            d.submit("before")
            self.on(d, call, "pawl.db")
            d.submit("during")
            wait_for("the problem to be told", lambda: self.storage(d)["problem"])
            self.assertEqual(self.storage(d)["state"], "ok")
            d.submit("more")
            d.fail(None)
            d.submit("after")
            wait_for("the problem to be gone", lambda: not self.storage(d)["problem"])
            d.kill()
            self.assertEqual(set(self.tasks(self.start())), {"before", "during", "more", "after"})

    def test_a_start_on_a_disk_that_cannot_be_read_is_refused_and_the_next_one_has_all(self):
        d = self.start()
        for n in range(300):
            d.submit(f"t{n}", script="#" * 1000)
        self.assertEqual(d.stop(), 0)
        refusals = 0
        for n in (1, 2, 3, 5, 10, 50, 100):
            with open(self.fault, "w") as file:
                file.write(f"read pawl.db 5 {n} 1")
            text = self.attempt(self.data, self.env)
            if text is None:
                continue                # it read less
            self.assertIn(self.data, text)
            self.assertIn("Input/output error", text)
            refusals += 1
        self.assertGreaterEqual(refusals, 4)
        os.unlink(self.fault)
        self.assertEqual(len(self.tasks(self.start())), 300)

    def test_a_disk_that_cannot_be_read_while_it_runs_is_told_and_loses_nothing(self):
        d = self.start()
        lines = "\n".join(json.dumps({**DELAY, "id": f"t{n}", "script": "#" * 1000})
                          for n in range(1000))
        self.assertEqual(d.call("POST", "/api/tasks", lines, NDJSON).json()["accepted"], 1000)
        for n in range(30):
            d.submit(f"ran{n}", time=0, script="head -c 60000 /dev/zero | tr '\\0' x")
        for n in range(30):
            d.finished(f"ran{n}")
        self.assertEqual(d.stop(), 0)
        d = self.start("--max-memory", "1M")        # most of what was written is on the disk only
        outputs = {}
        for n in range(0, 30, 2):
            answer = d.call("GET", f"/api/tasks/ran{n}/runs/1/output")
            self.assertEqual((answer.status, len(answer.body)), (200, 60_000))
        self.on(d, "read", "pawl.db")
        for n in range(30):
            answer = d.call("GET", f"/api/tasks/ran{n}/runs/1/output")
            outputs[answer.status] = answer
        self.assertProblem(outputs[507], 507, None, "the result could not be read from the store")
        refused = []
        for n in range(0, 1000, 50):                # its row is on a page that was not read yet
            answer = d.call("PUT", f"/api/tasks/t{n}")
            if answer.status != 200:
                self.assertProblem(answer, 507, None, "the task is stopped, but the store could not")
                refused.append(n)
        if refused:
            self.assertIn("Input/output error", self.state(d, "failing")["storage"]["problem"])
        d.fail(None)
        self.state(d, "ok", SOON)
        self.saved(d)
        for n in range(30):
            answer = d.call("GET", f"/api/tasks/ran{n}/runs/1/output")
            self.assertEqual((answer.status, len(answer.body)), (200, 60_000))
        d.kill()
        tasks = self.tasks(self.start())
        self.assertEqual(len(tasks), 1030)
        self.assertEqual({id for id, task in tasks.items() if task["state"] == "Stopped"},
                         {f"t{n}" for n in range(0, 1000, 50)})

    def test_a_backup_that_cannot_read_or_write_is_told_and_harms_nothing(self):
        d = self.start()
        for n in range(20):
            d.submit(f"t{n}", script="#" * 10_000)
        for call, name in (("read", "pawl.db-wal"), ("sync", "*"), ("write", "*")):
            self.on(d, call, name)
            self.assertProblem(d.call("GET", "/api/backup"), 507, None, "see the log")
            d.fail(None)
            self.assertEqual([name for name in os.listdir(self.data) if "backup-" in name], [])
        self.assertEqual(d.log().count("no copy was written to"), 3)
        self.assertEqual(self.storage(d)["state"], "ok")
        self.assertEqual(d.call("GET", "/api/backup").status, 200)
        d.submit("after")

    def test_without_descriptors_the_store_goes_on(self):
        d = self.start()
        d.submit("stop")
        with d.connect() as client:
            soft, hard = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
            self.assertEqual(client.call("GET", "/api/health").status, 200)
            resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (8, hard))
            for n in range(50):
                answer = client.call("POST", "/api/tasks", {**DELAY, "id": f"t{n}"})
                self.assertEqual(answer.status, 200)
            self.assertEqual(client.call("PUT", "/api/tasks/stop").status, 200)
            resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (soft, hard))
        d.kill()
        tasks = self.tasks(self.start())
        self.assertEqual(len(tasks), 51)
        self.assertEqual(tasks["stop"]["state"], "Stopped")

    def test_a_store_that_cannot_be_opened_again_is_tried_until_it_can(self):
        d = self.start()
        d.submit("before")
        self.on(d, "open", "pawl.db", error=errno.EMFILE)
        os.rename(self.fault, self.fault + ".open")
        self.on(d, "sync", "pawl.db-wal", 1, 1)
        self.assertProblem(d.call("POST", "/api/tasks", {**DELAY, "id": "refused"}), 507)
        os.rename(self.fault + ".open", self.fault)
        health = wait_for("the store to be out of files", lambda: "Too many open files" in
                          str(self.storage(d)["problem"]) and d.health())
        self.assertEqual(health["storage"]["state"], "failing")
        self.assertProblem(d.call("PUT", "/api/tasks/before"), 507, None, "could not keep that")
        d.fail(None)
        self.state(d, "ok", SOON)
        self.saved(d)
        d.kill()
        tasks = self.tasks(self.start())
        self.assertEqual({id: task["state"] for id, task in tasks.items()}, {"before": "Stopped"})

    def test_random_faults_and_kills_keep_all_that_was_answered(self):
        seed = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
        draw, kept, gone, unknown = random.Random(seed), {}, set(), set()
        d = self.start()
        for cycle in range(20):
            call, name = draw.choice([("write", "pawl.db-wal"), ("sync", "pawl.db-wal"),
                                      ("write", "pawl.db"), ("sync", "pawl.db"),
                                      ("read", "pawl.db-wal"), ("open", "pawl.db")])
            self.on(d, call, name, draw.randint(1, 6), draw.randint(0, 3),
                    draw.choice([errno.EIO, errno.ENOSPC]))
            for n in range(draw.randint(1, 25)):
                self.change(d, draw, f"{cycle}-{n}", kept, gone, unknown)
            if draw.random() < 0.7:
                d.kill()
                d.fail(None)
                d = self.start()
            else:                       # the store settles what was unknown
                d.fail(None)
                self.state(d, "ok")
                self.saved(d)
                gone, unknown = gone | unknown, set()
                kept = {id: state or "Stopped" for id, state in kept.items()}
            found = {id: task["state"] for id, task in self.tasks(d).items()}
            self.assertEqual((set(kept) - set(found), gone & set(found)), (set(), set()),
                             f"missing, back; SEED={seed}")
            self.assertEqual({id: found[id] for id, state in kept.items() if state},
                             {id: state for id, state in kept.items() if state}, f"SEED={seed}")
            self.assertLessEqual(set(found) - set(kept), unknown, f"SEED={seed}")
            gone, unknown, kept = gone | unknown - set(found), set(), found

    def change(self, d, draw, id, kept, gone, unknown):
        """A submit, or a stop or a deletion of a task that there is; notes what it comes to."""
        what, old = draw.random(), draw.choice(list(kept)) if kept else None
        if what < 0.6 or not old:
            answer = d.call("POST", "/api/tasks", {**DELAY, "id": id,
                                                   "script": "#" * draw.choice([10, 5000, 30_000])})
            if answer.status == 200:
                kept[id] = "ToBeExecuted"
            else:
                self.assertProblem(answer, 507)
                unknown.add(id)
        elif what < 0.8:
            answer = d.call("PUT", f"/api/tasks/{old}")
            self.assertIn(answer.status, (200, 409, 507))
            if answer.status != 409:
                kept[old] = "Stopped" if answer.status == 200 else None
        else:
            answer = d.call("DELETE", f"/api/tasks/{old}")
            self.assertIn(answer.status, (200, 507))
            del kept[old]
            (gone if answer.status == 200 else unknown).add(old)


class Others(Stores):
    """Other programs, and people, in the directory of a daemon that runs."""

    def lock(self, data):
        """Holds the write lock, as another program would."""
        db = sqlite3.connect(data + "/pawl.db", timeout=10, isolation_level=None)
        db.execute("BEGIN EXCLUSIVE")
        return db

    def test_a_lock_that_is_held_shortly_is_waited_for(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("before")
        db = self.lock(data)
        with d.connect() as client:
            client.ask("POST", "/api/tasks", {**DELAY, "id": "during"})
            self.assertEqual(d.call("GET", "/api/tasks/during").status, 404)    # not yet durable
            self.assertEqual(self.storage(d)["state"], "ok")
            db.execute("ROLLBACK")
            self.assertEqual(client.read().status, 200)
        db.close()
        self.assertEqual(self.storage(d)["state"], "ok")

    def test_a_lock_that_is_held_long_refuses_submits_and_is_named(self):
        data = os.path.realpath(self.place())
        d = self.daemon(data=data)
        d.submit("stop")
        d.submit("cron", taskType="cron", time="200ms", keepResults=1000)
        db = self.lock(data)
        began = time.monotonic()
        answer = d.call("POST", "/api/tasks", {**DELAY, "id": "refused"})
        self.assertProblem(answer, 507, None, "see the log")
        self.assertGreater(time.monotonic() - began, 3)
        health = self.state(d, "failing")
        self.assertIn(f"another program holds {data}/pawl.db locked", health["storage"]["problem"])
        self.assertIn("another program holds", d.log())
        began = time.monotonic()
        self.assertProblem(d.call("POST", "/api/tasks", {**DELAY, "id": "refused"}), 507, None,
                           "the store cannot be written: see the log")
        self.assertLess(time.monotonic() - began, SOON)     # at once
        self.assertProblem(d.call("PUT", "/api/tasks/stop"), 507, None, "the task is stopped, but")
        runs = d.get("cron")["runCount"]
        d.finished("cron", runs + 3)                        # it fires
        db.execute("ROLLBACK")
        db.close()
        self.state(d, "ok")
        before = self.quiet(d, "cron")
        d.kill()
        tasks = self.tasks(self.daemon(data=data))
        self.assertEqual(set(tasks), {"stop", "cron"})
        self.assertEqual((tasks["stop"]["state"], tasks["cron"]), ("Stopped", before))

    def test_a_start_is_refused_while_another_program_writes_and_names_the_file(self):
        data = os.path.realpath(self.place())
        d = self.daemon(data=data)
        d.submit("t")
        self.assertEqual(d.stop(), 0)
        db = sqlite3.connect(data + "/pawl.db", isolation_level=None)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("UPDATE meta SET newest_seq = newest_seq")
        text = self.refused(data)
        self.assertIn(f"another program holds {data}/pawl.db locked: end it", text)
        db.execute("ROLLBACK")
        db.close()
        self.assertEqual(self.daemon(data=data).get("t")["id"], "t")

    def test_a_reader_that_stays_holds_up_nobody(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("before")
        db = sqlite3.connect(data + "/pawl.db", isolation_level=None)
        db.execute("BEGIN")
        self.assertEqual(db.execute("SELECT id FROM tasks").fetchall(), [("before",)])
        for n in range(100):
            d.submit(f"t{n}")
        self.assertEqual(db.execute("SELECT id FROM tasks").fetchall(), [("before",)])
        db.close()
        self.assertEqual(self.storage(d)["state"], "ok")

    def begin(self):
        place = os.path.realpath(self.place())
        d = self.daemon(data=place + "/data")
        d.submit("stop")
        d.submit("cron", taskType="cron", time="100ms", keepResults=1000)
        d.finished("cron")
        return d, place + "/data"

    def check_gone(self, d, data):
        answer = d.call("POST", "/api/tasks", {**DELAY, "id": "refused"})
        self.assertProblem(answer, 507)
        health = self.state(d, "failing")
        self.assertIn(f"{data}/pawl.db was moved or removed while it is in use: put it back",
                      health["storage"]["problem"])
        self.assertProblem(d.call("PUT", "/api/tasks/stop"), 507, None, "the task is stopped, but")
        runs = d.get("cron")["runCount"]
        d.finished("cron", runs + 3)

    def test_a_directory_that_is_moved_away_and_put_back(self):
        d, data = self.begin()
        os.rename(data, data + ".away")
        self.check_gone(d, data)
        os.rename(data + ".away", data)
        self.state(d, "ok", SOON)
        before = self.quiet(d, "cron")
        d.submit("after")
        d.kill()
        tasks = self.tasks(self.daemon(data=data))
        self.assertEqual(set(tasks), {"stop", "cron", "after"})
        self.assertEqual((tasks["stop"]["state"], tasks["cron"]), ("Stopped", before))

    def test_a_directory_that_is_removed(self):
        d, data = self.begin()
        shutil.rmtree(data)
        self.check_gone(d, data)
        self.quiet_memory(d)
        self.assertEqual(d.stop(), 0)
        self.assertIn("could not be stored and are lost", d.log())
        self.assertFalse(os.path.exists(data))

    def quiet_memory(self, d):
        d.call("PUT", "/api/tasks/cron")
        d.watch("cron", lambda task: task["running"] == 0)

    def test_a_file_that_another_one_is_put_in_the_place_of(self):
        d, data = self.begin()
        shutil.copy(data + "/pawl.db", data + "/copy")
        os.rename(data + "/copy", data + "/pawl.db")
        self.check_gone(d, data)
        d.kill()


if __name__ == "__main__":
    unittest.main(verbosity=2)
