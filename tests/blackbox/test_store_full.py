#!/usr/bin/env python3
"""The store's disk is full: what docs/faults.md says of it, on a small file system, and in a directory
in which a library makes writes fail."""

import json
import os
import subprocess
import time
import unittest

from daemon import DELAY, LIMIT, PAWLD, SANITIZED, Case, environment, refuse, wait_for
from disks import Counted, Mounted

PAWL = os.environ.get("PAWL") or os.path.join(os.path.dirname(PAWLD), "pawl")
NDJSON = ["Content-Type: application/x-ndjson"]
MIB = 1 << 20
RESERVE = 16 * MIB
SIZE = 64 * MIB


class Full:
    """Tests on a disk of the class's kind."""

    def disk(self, size=SIZE):
        disk = self.KIND(self, size)
        self.addCleanup(disk.empty)         # before its daemons are to stop in order
        return disk

    def on(self, disk, *options):
        return self.daemon(*options, data=disk.dir, env=disk.env)

    def reserved(self, disk):
        try:
            return os.stat(disk.dir + "/reserve").st_blocks * 512
        except FileNotFoundError:
            return 0

    def storage(self, d):
        return d.health()["storage"]

    def state(self, d, state):
        return wait_for(f"the store to be {state}",
                        lambda: self.storage(d)["state"] == state and d.health())

    def saved(self, d):
        wait_for("all to be saved", lambda: self.storage(d)["unsaved"] == 0)

    def tasks(self, d):
        return {task["id"]: task for task in d.call("GET", "/api/tasks").json()}

    def until_refused(self, d):
        """Submits until there is no room; gives the ids that were accepted, and the refusal."""
        accepted = []
        for n in range(10_000):
            answer = d.call("POST", "/api/tasks", {**DELAY, "id": f"more{n}",
                                                   "script": "#" * 20_000})
            if answer.status != 200:
                return accepted, answer
            accepted.append(f"more{n}")
        raise AssertionError("the disk is never full")

    def fill(self, d, disk):
        """To where submits are refused, the reserve still being there."""
        disk.fill()
        accepted, answer = self.until_refused(d)
        self.assertProblem(answer, 507, None, "make room on it, then submit again")
        return accepted

    def use_up(self, d, disk):
        """To the last byte; the task with this id is stopped for it."""
        self.fill(d, disk)
        self.assertEqual(d.call("PUT", "/api/tasks/first").status, 200)
        wait_for("the reserve to be used", lambda: self.reserved(disk) < RESERVE)
        disk.fill()

    def stop_until_failing(self, d):
        """Stops tasks s0, s1, ... until that cannot be written; gives the numbers that were."""
        for n in range(1000):
            answer = d.call("PUT", f"/api/tasks/s{n}")
            if answer.status != 200:
                self.assertProblem(answer, 507, None, "the task is stopped, but the store's disk is "
                                   "full: a restart before there is room would forget it")
                return n
        raise AssertionError("there is always room for a stop")

    def submit_many(self, d, n):
        lines = "\n".join(json.dumps({**DELAY, "id": f"s{k}"}) for k in range(n))
        self.assertEqual(d.call("POST", "/api/tasks", lines, NDJSON).json()["accepted"], n)

    def test_16_MiB_are_set_aside_at_the_start(self):
        disk = self.disk()
        d = self.on(disk)
        self.assertGreaterEqual(self.reserved(disk), RESERVE)
        self.assertEqual(self.storage(d)["state"], "ok")

    def test_full_refuses_submits_and_lets_all_else_go_on_until_there_is_room(self):
        disk = self.disk()
        d = self.on(disk)
        for id in ("stop", "delete", "stays"):
            d.submit(id)
        d.submit("cron", taskType="cron", time="100ms", script="echo $PAWL_RUN", keepResults=1000)
        d.finished("cron")
        accepted = self.fill(d, disk)
        health = d.health()
        self.assertEqual((health["status"], health["storage"]["state"]), ("degraded", "full"))
        self.assertIn("free some space", health["storage"]["problem"])
        self.assertIn(disk.dir, health["storage"]["problem"])
        self.assertEqual(d.log().count("disk is full (no room"), 1)

        answer = d.call("POST", "/api/tasks", {**DELAY, "id": "refused"})
        self.assertProblem(answer, 507, None, "disk is full: make room")
        self.assertIn("retry-after", answer.headers)
        lines = "\n".join(json.dumps({**DELAY, "id": f"l{n}"}) for n in range(3))
        answer = d.call("POST", "/api/tasks", lines, NDJSON)
        self.assertEqual(answer.status, 200)
        sums = answer.json()
        self.assertEqual((sums["accepted"], sums["rejected"]), (0, 3))
        self.assertEqual([(error["line"], error["id"], error["status"]) for error in sums["errors"]],
                         [(n + 1, f"l{n}", 507) for n in range(3)])
        self.assertIn("make room", sums["errors"][0]["detail"])

        self.assertEqual(d.call("PUT", "/api/tasks/stop").status, 200)
        self.assertEqual(d.call("DELETE", "/api/tasks/delete").status, 200)
        runs = d.get("cron")["runCount"]
        d.finished("cron", runs + 3)            # it fires, and its results can be seen
        task = d.get("cron")
        self.assertEqual([result["outcome"] for result in task["results"]],
                         ["success"] * len(task["results"]))

        d.kill()                                # what was answered is there, and nothing else
        d = self.on(disk)
        tasks = self.tasks(d)
        self.assertEqual(set(tasks), {"stop", "stays", "cron", *accepted})
        self.assertEqual(tasks["stop"]["state"], "Stopped")
        self.assertGreaterEqual(tasks["cron"]["runCount"], runs)

        if self.storage(d)["state"] == "ok":    # until it finds out
            self.until_refused(d)
        d.finished("cron", d.get("cron")["runCount"] + 2)
        disk.empty()
        began = time.monotonic()
        self.state(d, "ok")
        self.assertLess(time.monotonic() - began, 20 if SANITIZED else 3)
        self.assertEqual(d.health()["status"], "ok")
        self.assertIsNone(self.storage(d)["problem"])
        self.assertGreaterEqual(self.reserved(disk), RESERVE)
        d.submit("refused")                     # the id was never taken
        d.call("PUT", "/api/tasks/cron")
        d.watch("cron", lambda task: task["running"] == 0)
        self.saved(d)
        before = d.get("cron")
        d.kill()
        d = self.on(disk)
        self.assertEqual(d.get("cron"), before)
        self.assertEqual(d.get("refused")["state"], "ToBeExecuted")

    def test_full_to_the_last_byte_keeps_all_in_memory_until_there_is_room(self):
        disk = self.disk()
        d = self.on(disk)
        d.submit("first")
        d.submit("delete")
        d.submit("cron", taskType="cron", time="100ms", script="echo $PAWL_RUN", keepResults=1000)
        self.submit_many(d, 1000)
        self.use_up(d, disk)
        n = self.stop_until_failing(d)
        self.assertEqual(d.get(f"s{n}")["state"], "Stopped")        # it is in force
        answer = d.call("DELETE", "/api/tasks/delete")
        self.assertProblem(answer, 507, None, "the task is deleted, but the store")
        self.assertEqual(d.call("GET", "/api/tasks/delete").status, 404)
        health = self.state(d, "failing")
        self.assertEqual(health["status"], "degraded")
        self.assertIn("free some space", health["storage"]["problem"])
        self.assertProblem(d.call("POST", "/api/tasks", {**DELAY, "id": "refused"}), 507)
        runs = d.get("cron")["runCount"]
        task = d.finished("cron", runs + 3)
        self.assertGreaterEqual(len(task["results"]), 3)
        self.assertGreater(self.storage(d)["unsaved"], 0)
        self.assertEqual(d.log().count("the store cannot be written"), 1)

        disk.empty()
        self.state(d, "ok")
        self.saved(d)
        self.assertGreaterEqual(self.reserved(disk), RESERVE)
        d.call("PUT", "/api/tasks/cron")
        d.watch("cron", lambda task: task["running"] == 0)
        self.saved(d)
        before = d.get("cron")
        self.assertGreaterEqual(before["runCount"], runs + 3)
        d.kill()
        d = self.on(disk)
        tasks = self.tasks(d)
        self.assertEqual(tasks[f"s{n}"]["state"], "Stopped")
        self.assertNotIn("delete", tasks)
        self.assertNotIn("refused", tasks)
        self.assertEqual(tasks["cron"], before)

    def test_killed_when_nothing_could_be_written_it_says_which_runs_were_lost(self):
        disk = self.disk()
        d = self.on(disk)
        d.submit("first")
        go = d.folder.name + "/go"
        d.submit("run", time=0, script=f"until test -e {go}; do sleep 0.01; done; echo out")
        d.watch("run", lambda task: task["running"] == 1)
        self.submit_many(d, 1000)
        self.use_up(d, disk)
        n = self.stop_until_failing(d)
        open(go, "w").close()
        self.assertEqual(d.finished("run")["results"][0]["result"], "out\n")
        d.kill()
        disk.empty()
        d = self.on(disk)
        tasks = self.tasks(d)
        self.assertEqual([tasks[f"s{k}"]["state"] for k in range(n)], ["Stopped"] * n)
        self.assertEqual(tasks[f"s{n}"]["state"], "ToBeExecuted")   # as it was told
        task = tasks["run"]
        self.assertEqual((task["state"], task["runCount"], task["running"]), ("Executed", 1, 0))
        self.assertEqual(task["results"][0]["outcome"], "lost")

    def test_stopped_when_nothing_could_be_written_it_says_how_much_is_lost(self):
        disk = self.disk()
        d = self.on(disk)
        d.submit("first")
        self.submit_many(d, 1000)
        self.use_up(d, disk)
        n = self.stop_until_failing(d)
        self.assertEqual(d.stop(), 0)
        self.assertIn("the newest changes of 1 tasks could not be stored and are lost", d.log())
        disk.empty()
        d = self.on(disk)
        self.assertEqual(d.get(f"s{n}")["state"], "ToBeExecuted")

    def test_an_empty_directory_on_a_full_disk_is_refused_with_what_to_do(self):
        disk = self.disk()
        disk.fill()
        status, out, err = refuse("--listen", "127.0.0.1:0", "--data", disk.dir, env=disk.env)
        self.assertEqual((status, out), (1, ""), err)
        self.assertIn(disk.dir, err)
        self.assertRegex(err, "room|space")
        disk.empty()
        self.on(disk).submit("t")

    def test_it_starts_on_a_full_disk_and_fires(self):
        for how in ("stop", "kill"):
            disk = self.disk()
            d = self.on(disk)
            d.submit("due", time="500ms", script="echo ran")
            d.submit("stop")
            getattr(d, how)()
            disk.fill()
            d = self.on(disk)
            self.assertEqual(d.finished("due")["results"][0]["result"], "ran\n")
            self.assertEqual(d.call("PUT", "/api/tasks/stop").status, 200)
            self.fill(d, disk)
            self.assertEqual(self.storage(d)["state"], "full")
            disk.empty()
            self.state(d, "ok")
            self.saved(d)
            self.assertGreaterEqual(self.reserved(disk), RESERVE)
            d.kill()
            tasks = self.tasks(self.on(disk))
            self.assertEqual((tasks["due"]["state"], tasks["stop"]["state"]),
                             ("Executed", "Stopped"))

    def test_it_starts_on_a_disk_that_is_full_to_the_last_byte(self):
        disk = self.disk()
        d = self.on(disk)
        d.submit("first")
        d.submit("far")
        self.submit_many(d, 1000)
        self.use_up(d, disk)
        self.stop_until_failing(d)
        d.kill()
        disk.fill()
        d = self.on(disk)
        self.assertEqual(d.get("far")["state"], "ToBeExecuted")
        disk.empty()
        self.state(d, "ok")
        d.submit("after")

    def test_it_starts_on_a_full_disk_with_tasks_that_were_kept_for_long_enough(self):
        disk = self.disk()
        d = self.on(disk)
        d.submit("first")
        d.submit("ran", time=0)
        ended = d.finished("ran") and time.monotonic()
        self.saved(d)
        self.submit_many(d, 1000)
        self.use_up(d, disk)
        self.stop_until_failing(d)
        d.kill()
        disk.fill()
        wait_for("it to be old enough", lambda: time.monotonic() > ended + 1.2)
        d = self.on(disk, "--keep-finished", "1s")
        wait_for("it to be removed", lambda: d.call("GET", "/api/tasks/ran").status == 404)
        disk.empty()
        self.state(d, "ok")
        self.saved(d)
        d.submit("ran")
        d.kill()
        d = self.on(disk)
        self.assertEqual(d.get("ran")["runCount"], 0)

    def test_no_room_for_a_backup_is_told_and_harms_nothing(self):
        disk = self.disk()
        d = self.on(disk)
        for n in range(50):
            d.submit(f"t{n}", script="#" * 50_000)
        disk.fill(MIB)
        self.assertProblem(d.call("GET", "/api/backup"), 507, None, "no room for the copy")
        self.assertEqual([name for name in os.listdir(disk.dir) if name.startswith("backup-")], [])
        self.assertIn("no copy was written", d.log())
        d.submit("after")
        self.assertEqual(self.storage(d)["state"], "ok")
        disk.empty()
        self.assertEqual(d.call("GET", "/api/backup").status, 200)


class OnFileSystem(Full, Case):
    KIND = Mounted

    def test_the_client_has_no_room_for_a_backup(self):
        disk = self.disk(4 * MIB)
        d = self.daemon(data=self.place())
        for n in range(20):
            d.submit(f"t{n}", script="#" * 50_000)
        disk.fill(100_000)
        done = subprocess.run([PAWL, "backup", disk.dir + "/copy"], capture_output=True, text=True,
                              env=environment(PAWL_SERVER=d.address), timeout=LIMIT)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No space left", done.stderr)
        self.assertEqual(os.listdir(disk.dir), ["ballast"])


class InDirectory(Full, Case):
    KIND = Counted


if __name__ == "__main__":
    unittest.main(verbosity=2)
