#!/usr/bin/env python3
"""Directories that cannot be used and files that are damaged, at the start and by pawld --check: what
docs/faults.md says of them."""

import json
import os
import shutil
import sqlite3
import time
import unittest

from daemon import DELAY, PAWLD, refuse
from disks import Mounted
from stores import SOON, Stores

NDJSON = ["Content-Type: application/x-ndjson"]


class Places(Stores):
    """The directory cannot be used: an error that names it and says what to do."""

    def own(self):
        """A directory as a daemon leaves it."""
        data = os.path.realpath(self.place()) + "/data"
        d = self.daemon(data=data)
        d.submit("t")
        self.assertEqual(d.stop(), 0)
        return data

    def refused_to_nobody(self, data):
        """The same for a user who may do nothing."""
        if os.geteuid() != 0:
            return self.refused(data)   # that is who we are: modes hold for us
        try:
            return self.refused(data, user=65534, group=65534, extra_groups=[])
        except PermissionError:
            self.skipTest(f"nobody may not run {PAWLD}")

    def test_a_directory_that_cannot_be_made(self):
        place = os.path.realpath(self.place())
        os.chmod(place, 0o555)
        text = self.refused_to_nobody(place + "/a/b")
        self.assertIn(f"cannot make the directory {place}/a: Permission denied", text)
        self.assertIn("--data", text)
        self.assertEqual(os.listdir(place), [])

    def test_a_path_that_is_a_file_or_leads_through_one(self):
        place = os.path.realpath(self.place())
        with open(place + "/file", "w") as file:
            file.write("precious")
        for path in (place + "/file", place + "/file/data"):
            text = self.refused(path)
            self.assertIn(place + "/file", text)
            self.assertIn("Not a directory", text)
            self.assertIn("--data", text)
        with open(place + "/file") as file:
            self.assertEqual(file.read(), "precious")

    def test_a_directory_of_somebody_else(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a directory away")
        data = self.own()
        for path in (os.path.dirname(data), data):
            os.chown(path, 65534, 65534)
        before = self.contents(data)
        text = self.refused(data)
        self.assertIn(data, text)
        self.assertIn("belongs to the user with number 65534, pawld runs as 0", text)
        self.assertEqual(self.contents(data), before)

    def test_a_directory_that_may_not_be_read(self):
        data = self.own()
        os.chmod(os.path.dirname(data), 0o755)
        os.chmod(data, 0)
        text = self.refused_to_nobody(data)
        self.assertIn(f"{data}: Permission denied: give pawld the right to, or another --data", text)
        os.chmod(data, 0o700)
        self.assertEqual(self.daemon(data=data).get("t")["id"], "t")

    def test_a_file_system_that_is_read_only(self):
        disk = Mounted(self, 64 << 20)
        d = self.daemon(data=disk.dir)
        d.submit("t")
        self.assertEqual(d.stop(), 0)
        disk.make_read_only()
        before = self.contents(disk.dir)
        for path in (disk.dir, disk.dir + "/new"):
            text = self.refused(path)
            self.assertIn(disk.dir, text)
            self.assertIn("Read-only file system: give a --data that can be written", text)
        self.assertEqual(self.contents(disk.dir), before)

    def test_a_file_in_it_that_may_not_be_written(self):
        data = self.own()
        for name in ("pawl.db", "runs", "lock"):
            os.rename(f"{data}/{name}", f"{data}/kept")
            os.mkdir(f"{data}/{name}")
            text = self.refused(data)
            self.assertIn(data, text)
            self.assertIn("Is a directory" if name != "lock" else "lock", text)
            os.rmdir(f"{data}/{name}")
            os.rename(f"{data}/kept", f"{data}/{name}")
        self.assertEqual(self.daemon(data=data).get("t")["id"], "t")

    def test_a_second_daemon_is_refused_until_the_first_is_gone(self):
        data = os.path.realpath(self.place())
        d = self.daemon(data=data)
        d.submit("t")
        text = self.refused(data)
        self.assertIn(f"{data} is in use by pawld with pid {d.pid}: stop it, or give another", text)
        d.submit("more")
        d.kill()
        began = time.monotonic()
        d = self.daemon(data=data)
        self.assertEqual(set(self.tasks(d)), {"t", "more"})
        self.assertLess(time.monotonic() - began, SOON)

    def test_a_second_daemon_by_another_name_of_the_directory_is_refused(self):
        place = os.path.realpath(self.place())
        d = self.daemon(data=place + "/data")
        os.symlink(place + "/data", place + "/link")
        self.assertIn(f"pid {d.pid}", self.refused(place + "/link"))


class Damage(Stores):
    """Files that are not what they were: refused and left as they are, or made good as is said."""

    def filled(self, how="stop"):
        data = os.path.realpath(self.place())
        d = self.daemon(data=data)
        lines = "\n".join(json.dumps({**DELAY, "id": f"t{n}", "script": f"echo {n} " + "#" * 200})
                          for n in range(1000))
        self.assertEqual(d.call("POST", "/api/tasks", lines, NDJSON).json()["accepted"], 1000)
        d.submit("ran", time=0)
        d.finished("ran")
        self.saved(d)
        getattr(d, how)()
        return data

    def overwrite(self, path, at, data):
        with open(path, "r+b") as file:
            file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
            file.write(data)

    def is_refused(self, data, *words, check=True):
        """By the daemon and by the check, which leave all as it is."""
        before = self.contents(data)
        text = self.refused(data)
        for word in words:
            self.assertIn(word, text)
        if check:
            status, out, err = refuse("--check", data)
            self.assertEqual(status, 1, out)
            self.assertNotIn("sound\n", out.replace("unsound", ""))
        after = self.contents(data)
        self.assertEqual({name: after.get(name) for name in before}, before)
        return text

    def test_a_header_of_garbage(self):
        data = self.filled()
        self.overwrite(data + "/pawl.db", 0, os.urandom(100))
        self.is_refused(data, "pawl.db is no SQLite database", f"pawld --check {data}", "backup")

    def test_garbage_in_the_middle(self):
        data = self.filled()
        size = os.path.getsize(data + "/pawl.db")
        for at in range(16384, size, 4096):
            self.overwrite(data + "/pawl.db", at, b"\xff" * 700)
        self.is_refused(data, "the store is damaged", f"pawld --check {data}", "backup")

    def test_garbage_in_the_middle_beside_a_log_that_a_crash_left(self):
        """The log was moved into the damaged file, which is of no help to who wants to save some."""
        data = self.filled()
        d = self.daemon(data=data)
        d.submit("in-the-log")
        d.kill()
        for at in range(16384, os.path.getsize(data + "/pawl.db"), 4096):
            self.overwrite(data + "/pawl.db", at, b"\xff" * 700)
        self.assertGreater(os.path.getsize(data + "/pawl.db-wal"), 0)
        self.is_refused(data, "the store is damaged", f"pawld --check {data}", "backup")

    def test_a_file_that_was_cut(self):
        for left in (100, 4096, 20_000, 60_000):
            data = self.filled()
            os.truncate(data + "/pawl.db", left)
            self.is_refused(data, "the store is damaged", f"pawld --check {data}")

    def test_a_file_that_was_emptied_or_removed_while_its_log_is_there(self):
        data = self.filled("kill")
        os.truncate(data + "/pawl.db", 0)
        self.is_refused(data, "has the log pawl.db-wal, but not the file it belongs to", data)
        os.unlink(data + "/pawl.db")
        self.is_refused(data, "has the log pawl.db-wal, but not the file it belongs to", data)
        self.assertFalse(os.path.exists(data + "/pawl.db"))

    def test_a_log_of_garbage_at_its_end_is_what_a_crash_leaves_and_is_cut_off(self):
        data = self.filled("kill")
        with open(data + "/pawl.db-wal", "ab") as file:
            file.write(os.urandom(10_000))
        self.assertEqual(len(self.tasks(self.daemon(data=data))), 1001)

    def test_a_log_that_is_damaged_gives_what_is_before_the_damage(self):
        data = os.path.realpath(self.place())
        d = self.daemon(data=data)
        for n in range(100):
            d.submit(f"t{n}")
        d.kill()
        size = os.path.getsize(data + "/pawl.db-wal")
        self.assertGreater(size, 20_000)
        self.overwrite(data + "/pawl.db-wal", size // 2, os.urandom(100))
        d = self.daemon(data=data)
        tasks = list(self.tasks(d))
        self.assertLess(len(tasks), 100)
        self.assertEqual(tasks, [f"t{n}" for n in range(len(tasks))])
        d.submit("after")
        self.assertEqual(d.stop(), 0)
        self.assertEqual(refuse("--check", data)[0], 0)

    def test_a_table_of_runs_that_was_cut_or_is_no_such_table(self):
        data = self.filled()
        path = data + "/runs"
        shutil.copy(path, path + ".kept")
        for damage in (lambda: os.truncate(path, 5000), lambda: os.truncate(path, 30),
                       lambda: self.overwrite(path, 0, os.urandom(64))):
            damage()
            self.is_refused(data, data, "runs", "move it away", check=False)
            shutil.copy(path + ".kept", path)
        self.overwrite(path, 8, (99).to_bytes(4, "little"))
        self.is_refused(data, data, "runs: of format 99", "start the newer version", check=False)
        os.unlink(path)                         # moved away
        self.assertEqual(len(self.tasks(self.daemon(data=data))), 1001)

    def test_a_store_of_a_newer_version(self):
        data = self.filled()
        db = sqlite3.connect(data + "/pawl.db")
        version, = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
        db.close()
        self.is_refused(data, f"newer pawld (format {version + 1}, this one knows {version})",
                        data, "start that version, or put a backup")

    def test_the_check_says_what_is_wrong(self):
        data = self.filled()
        db = sqlite3.connect(data + "/pawl.db")
        db.execute("INSERT INTO state SELECT 99999, version, status, updated_ns, due_ns, previous_ns,"
                   " run_count, failure_count, skipped_overlap, missed, running, is_due_wall,"
                   " is_paused, is_asked, asked_count, skipped_condition, skipped_group,"
                   " missed_paused, end_reason"
                   " FROM state LIMIT 1")
        db.commit()
        db.close()
        status, out, err = refuse("--check", data)
        self.assertEqual(status, 1)
        self.assertIn("state of task 99999: there is no such task", out)
        self.assertIn("is not sound (1 findings)", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
