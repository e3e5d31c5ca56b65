#!/usr/bin/env python3
"""The client's tags, and its changes of all tasks that match."""

import json
import os
import subprocess
import unittest

from daemon import HERE, LIMIT, Shared, wait_for
from test_cli import Terminal

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


class Bulk(Shared):
    def setUp(self):
        super().setUp()
        self.tag = self.name[-63:]

    def pawl(self, status, *args):
        """Runs the client without a terminal; gives what it printed, and said."""
        done = subprocess.run([PAWL, *args], env={**os.environ, "PAWL_SERVER": self.d.address},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(done.returncode, status, done)
        return done.stdout, done.stderr

    def submit(self, suffix, *tags, status=0):
        return self.pawl(status, "submit", self.name + suffix, "-type=cron", "-time=1h", "-script=true",
                         *(f"-tag={tag}" for tag in (self.tag, *tags)))

    def list(self, *args):
        out, _ = self.pawl(0, "list", f"-tag={self.tag}", "-o", "name", *args)
        return [id[len(self.name):] for id in out.split()]

    def test_tags_are_given_shown_and_listed(self):
        self.submit("1", "db", "nightly", "db")
        self.submit("2", "nightly")
        self.assertEqual(self.list(), ["1", "2"])
        self.assertEqual(self.list("-tag", "db"), ["1"])
        self.assertEqual(self.list("-tag=db", "-tag=nightly", "-limit=5"), ["1"])
        out, _ = self.pawl(0, "get", self.name + "1")
        self.assertRegex(out, rf"(?m)^TAGS +{self.tag}, db, nightly$")
        out, _ = self.pawl(0, "forecast", f"-tag={self.tag}", "-tag=db", "-until=90m", "-o", "name")
        self.assertIn(self.name + "1", out)
        self.assertNotIn(self.name + "2", out)
        self.d.submit(self.name)
        self.assertNotIn("TAGS", self.pawl(0, "get", self.name)[0])
        self.assertIn("blank", self.submit("3", "a b", status=2)[1])

    def test_each_command_changes_all_that_match(self):
        for n in "123":
            self.submit(n)
        match = f"-tag={self.tag}"
        for command, done in (("pause", "paused"), ("resume", "resumed"), ("run", "asked to run"),
                              ("stop", "stopped"), ("delete", "deleted")):
            for dry in (["-dry-run"], []):
                out, err = self.pawl(0, command, match, *dry)
                self.assertEqual(out, "")
                self.assertEqual(err, f"pawl: 3 tasks would be {done}\n" if dry else
                                 f"pawl: {done} 3 of 3 tasks\n")
            for n in "123" if command == "run" else "":
                self.d.finished(self.name + n)
        self.assertEqual(self.list(), [])

    def test_filters_go_together(self):
        for n in "123":
            self.submit(n, "x" if n == "1" else "y")
        self.pawl(0, "stop", f"-tag={self.tag}", "-tag=x")
        self.pawl(0, "stop", f"-tag={self.tag}", "-prefix", self.name + "2", "-type=cron", "-status=0")
        self.assertEqual(self.list("-status=Stopped"), ["1", "2"])

    def test_status_8_says_that_some_were_refused_and_3_that_none_matched(self):
        self.submit("1")
        self.submit("2")
        self.pawl(0, "stop", self.name + "1")
        out, err = self.pawl(8, "stop", f"-tag={self.tag}")
        self.assertIn(f"pawl: stop {self.name}1: the task is stopped", err)
        self.assertIn("pawl: stopped 1 of 2 tasks\n", err)
        self.assertEqual(self.pawl(3, "stop", "-tag=none"), ("", "pawl: no task matches\n"))
        self.pawl(3, "stop", "-tag=none", "-dry-run")

    def test_json_has_the_daemons_answer(self):
        self.submit("1")
        out, _ = self.pawl(0, "pause", f"-tag={self.tag}", "-o", "json")
        self.assertEqual(json.loads(out), {"matched": 1, "changed": 1, "refused": 0, "errors": [],
                                           "errorsTruncated": False, "dryRun": False})

    def test_delete_takes_kill_along(self):
        self.d.submit(self.name, script="sleep 100", tags=[self.tag], time=0)
        self.d.watch(self.name, lambda task: task["running"] == 1)
        self.pawl(0, "delete", f"-tag={self.tag}", "-kill")
        wait_for("the run to end", lambda: self.d.health()["running"] == 0)

    def test_wrong_uses_are_told(self):
        for args, text in ((("stop", "a", "-tag=x"), "not both"), (("stop",), "the ID is missing"),
                           (("delete", "a", "-all"), "not both"), (("run", "a", "-dry-run"), "goes with"),
                           (("pause", "-tag=a,b"), "comma"), (("stop", "-status=x"), "status must be"),
                           (("submit", "-tag=x"), "the ID is missing"), (("stop", "-prefix="), "all=true")):
            self.assertIn(text, self.pawl(2, *args)[1], args)

    def test_all_means_all(self):
        self.submit("1")
        out, _ = self.pawl(0, "resume", "-all", "-dry-run", "-o", "json")
        self.assertEqual(json.loads(out)["matched"], self.d.health()["tasks"])

    def test_at_a_terminal_it_asks_first(self):
        self.submit("1")
        for answer, status in (("\n", 1), ("n\n", 1), ("y\n", 0)):
            terminal = Terminal("stop", f"-tag={self.tag}", server=self.d.address)
            terminal.read_until(r"stop 1 task\? \[y/N\] $")
            self.assertEqual(self.d.get(self.name + "1")["status"], 0)
            os.write(terminal.fd, answer.encode())
            self.assertEqual(terminal.end()[0], status, terminal.text)
            self.assertIn("stopped 1 of 1 task" if status == 0 else "nothing was done", terminal.text)
        self.assertEqual(self.d.get(self.name + "1")["status"], 4)

    def test_at_a_terminal_nothing_is_asked_with_yes_or_when_none_match(self):
        self.submit("1")
        terminal = Terminal("delete", f"-tag={self.tag}", "-yes", server=self.d.address)
        self.assertEqual(terminal.end()[0], 0)
        self.assertNotIn("[y/N]", terminal.text)
        terminal = Terminal("delete", f"-tag={self.tag}", server=self.d.address)
        self.assertEqual(terminal.end()[0], 3)
        self.assertNotIn("[y/N]", terminal.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
