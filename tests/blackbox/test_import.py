#!/usr/bin/env python3
"""pawl import crontab: what it submits, says and leaves alone. How lines are read is tested in
tests/test_cli_crontab.c; here that scripts do what cron would have done, and what comes of a whole
file: against a fake daemon, and against pawld."""

import json
import os
import pwd
import subprocess
import tempfile
import unittest

from daemon import Shared
from test_cli import FakeDaemon, run

ME = pwd.getpwuid(os.geteuid()).pw_name
OTHER = "daemon" if ME != "daemon" else "bin"


class Importing:
    """To be mixed into a test case that knows the daemon's address()."""

    def pawl(self, *args, **options):
        return run(*args, server=self.address(), **options)

    def load(self, text, *args, status=0):
        """Imports the text from stdin; gives stdout and stderr."""
        done = self.pawl("import", "crontab", "-", *args, stdin=text.encode())
        self.assertEqual(done[0], status, done)
        return done[1], done[2]

    def documents(self, text, *args, status=0):
        """What would be submitted."""
        out, _ = self.load(text, "-dry-run", "-o", "ndjson", *args, status=status)
        return [json.loads(line) for line in out.splitlines()]

    def rows(self, out):
        """The table without its title, as lists of LINE, ID, SCHEDULE, NEXT, WHAT."""
        lines = out.splitlines()
        begins = [lines[0].index(title) for title in ("LINE", "ID", "SCHEDULE", "NEXT", "WHAT")]
        ends = begins[1:] + [None]
        return [[line[b:e].strip() for b, e in zip(begins, ends)] for line in lines[1:]]


class WithFake(Importing, unittest.TestCase):
    """A daemon that takes every task."""

    def setUp(self):
        self.daemon = FakeDaemon()
        self.addCleanup(self.daemon.close)

    def address(self):
        return self.daemon.address

    def submitted(self):
        return [json.loads(body) for method, _, body, _ in self.daemon.requests
                if method == "POST"]

    def test_each_entry_becomes_one_task(self):
        out, err = self.load("SHELL=/bin/bash\nCRON_TZ=Asia/Tokyo\nRANDOM_DELAY=5\n"
                             "5 0 * * * /opt/x y\nCRON_TZ=\nRANDOM_DELAY=0\n@daily z\n", "-user")
        tasks = self.submitted()
        self.assertRegex(tasks[0].pop("id"), r"^crontab-x-y-[0-9a-f]{8}$")
        self.assertRegex(tasks[1].pop("id"), r"^crontab-z-[0-9a-f]{8}$")
        head = "export SHELL='/bin/bash'\ncd ~ || exit\n"
        self.assertEqual(tasks, [
            {"taskType": "cron", "cron": "5 0 * * *", "timezone": "Asia/Tokyo",
             "dayMatch": "vixie", "jitter": 300_000_000_000, "script": head + "/opt/x y\n"},
            {"taskType": "cron", "cron": "@daily", "dayMatch": "vixie", "script": head + "z\n"}])
        self.assertEqual([(row[0], row[4]) for row in self.rows(out)], [
            ("1", "variable SHELL"), ("2", "variable CRON_TZ"), ("3", "variable RANDOM_DELAY"),
            ("4", "imported"), ("5", "variable CRON_TZ"), ("6", "variable RANDOM_DELAY"),
            ("7", "imported")])
        self.assertEqual(err.count("\n"), 1, err)       # of RANDOM_DELAY

    def test_a_second_import_makes_no_doubles(self):
        text = "@daily x\n@daily x\n"
        self.load(text)
        ids = [task["id"] for task in self.submitted()]
        self.assertEqual(len(set(ids)), 2, "lines that are alike are two tasks")
        out, err = self.load(text + "@hourly x\n", status=8)
        self.assertEqual([row[4] for row in self.rows(out)],
                         ["exists already", "exists already", "imported"])
        self.assertIn(f"pawl: stdin:2: {ids[1]} exists already\n", err)
        self.assertEqual(len(self.daemon.tasks), 3)
        self.load(text, status=8)

    def test_lines_that_fail_do_not_keep_others_back(self):
        out, err = self.load("1 2 3\n@daily x\n", status=8)
        self.assertEqual([row[4] for row in self.rows(out)], ["not imported", "imported"])
        self.assertIn("pawl: stdin:1: no variable (NAME=value) and no entry", err)
        self.load("* * * *\n1 2 3\n", status=1)
        self.assertEqual(self.load("# nothing\n")[0], "no tasks\n")

    def test_what_the_daemon_refuses_is_said_with_its_line(self):
        self.daemon.plan = [self.daemon.problem(400, "expected a minute", field="cron")]
        _, err = self.load("61 * * * * x\n\n@daily y\n", status=8)
        self.assertIn("pawl: stdin:1: expected a minute", err)

    def test_users_of_a_system_crontab_are_not_ignored(self):
        text = f"@daily {ME} mine\n@daily {OTHER} theirs\n"
        out, err = self.load(text, "-system", status=8)
        self.assertEqual([row[4] for row in self.rows(out)], ["imported", "not imported"])
        self.assertIn(f"stdin:2: is run as {OTHER}, and you are {ME}", err)
        self.assertIn("-as-me", err)
        self.load(f"@daily {OTHER} theirs\n", "-system", "-as-me")
        self.assertTrue(self.submitted()[-1]["script"].endswith("\ntheirs\n"))

    def test_the_kind_is_guessed_aloud_or_chosen(self):
        _, err = self.load("@daily x\n")
        self.assertIn("stdin: read as the crontab of one user; -system", err)
        for flag in ("-user", "-system"):
            _, err = self.load(f"@hourly {ME} x\n", flag, "-prefix", flag)
            self.assertNotIn("read as", err)
        self.load("", "-user", "-system", status=2)
        if os.path.exists("/etc/crontab"):
            _, err = self.pawl("import", "crontab", "/etc/../etc/crontab", "-dry-run")[1:]
            self.assertIn("/etc/../etc/crontab: read as a system crontab", err)

    def test_documents_and_names_are_printed(self):
        out, _ = self.load("A=b\n@daily x\n@hourly y\n", "-o", "json", "-prefix", "p/")
        self.assertEqual([task["state"] for task in json.loads(out)], ["ToBeExecuted"] * 2)
        out, _ = self.load("@weekly z\n", "-o", "name", "-prefix", "p/")
        self.assertRegex(out, r"^p/z-[0-9a-f]{8}\n$")
        self.assertEqual(self.load("# nothing\n", "-o", "json")[0], "[]\n")
        self.assertEqual(self.load("# nothing\n", "-o", "ndjson")[0], "")

    def test_a_dry_run_submits_nothing(self):
        self.load("@daily x\n")
        self.daemon.requests.clear()
        self.daemon.plan = lambda method, path, body: (
            (200, {"times": ["2026-01-02T00:00:00Z"], "warnings": ["odd"]}, {})
            if path.startswith("/api/next?") else NotImplemented)
        out, err = self.load("@daily x\n@hourly y\n", "-dry-run", status=8)
        self.assertEqual([row[4] for row in self.rows(out)],
                         ["exists already", "would be imported"])
        self.assertNotEqual(self.rows(out)[1][3], "-")
        self.assertIn("stdin:2: warning: odd", err)
        self.assertEqual(self.submitted(), [])
        self.assertIn("dayMatch=vixie&expr=%40hourly&id=crontab-y-", self.daemon.requests[-1][1])

    def test_without_a_daemon_the_first_entry_ends_it(self):
        self.daemon.close()
        out, err = self.load("A=b\n@daily x\n@daily y\n", status=6)
        self.assertEqual([row[0] for row in self.rows(out)], ["1", "2"])
        self.assertIn("lines below were not tried", err)
        out, err = self.load("@daily x\n@daily y\n", "-dry-run", "-o", "name", status=6)
        self.assertEqual((out.count("\n"), err.count("not checked")), (2, 1))

    def test_wrong_command_lines_and_files(self):
        for args in ((), ("crontab",), ("anacrontab", "x"), ("crontab", "x", "y"),
                     ("crontab", ""), ("crontab", "-", "-as-you")):
            status, out, _ = self.pawl("import", *args)
            self.assertEqual((status, out), (2, ""), args)
        status, out, err = self.pawl("import", "crontab", "/nonexistent/crontab")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("cannot read /nonexistent/crontab", err)
        self.load("#" * (1 << 20) + "\n", status=1)

    def test_bytes_that_are_no_text_are_refused(self):
        done = self.pawl("import", "crontab", "-", stdin=b"@daily x \xff\n@daily y\nA=\xff\n@daily z\n")
        self.assertEqual(done[0], 8, done)
        self.assertEqual(done[2].count("not UTF-8"), 2)
        self.assertEqual(len(self.submitted()), 1)

    def test_control_characters_do_not_reach_the_terminal(self):
        out, err = self.load("\x1b[2J = x\n1 \x1b[2J 3\n", status=1)
        self.assertNotIn("\x1b", out + err)


class WithPawld(Importing, Shared):
    """The daemon checks schedules."""

    def address(self):
        return self.d.address

    def test_scripts_do_what_cron_does(self):
        with tempfile.TemporaryDirectory() as home:
            cases = [
                ("pwd\n", home + "\n"),
                ("date -d 2026-01-02 +\\%F\n", "2026-01-02\n"),
                ("cat%a%%b \\% $HOME `x` \\\\\n", "a\n\nb % $HOME `x` \\\\\n"),
                ("cat; echo $0 # end%END%end\n", None),
                ("read a; echo \"[$a]\"% x\n", "[x]\n"),
                ("echo \"$Q\"\n", "it's \"$HOME\" \\\n"),
                ("cat\n", ""),
            ]
            for shell in ("", "SHELL=/bin/sh\n", "SHELL=/bin/bash\n"):
                for command, expected in cases:
                    task, = self.documents(
                        f"HOME={home}\nQ = it's \"$HOME\" \\\n{shell}@daily {command}", "-user")
                    done = subprocess.run(["bash", "-c", task["script"], "pawl"],
                                          stdin=subprocess.DEVNULL, capture_output=True,
                                          text=True, timeout=30, check=False)
                    if expected is None:
                        expected = "END\nend\n" + ("/bin/sh" if "/sh" in shell else "pawl") + "\n"
                    self.assertEqual((done.stdout, done.stderr), (expected, ""), task["script"])

    def test_what_is_surely_not_meant_is_said_either_way(self):
        for arguments in (("-dry-run",), ()):
            _, err = self.load("0 9 * * * x\n*/90 * * * * y\n", "-prefix=odd/", *arguments)
            self.assertRegex(err, r"stdin:2: warning: [^\n]+\n$")
            self.assertEqual(err.count("warning: "), 1)

    def test_a_dry_run_finds_what_is_wrong(self):
        out, err = self.load("61 * * * * x\n0 0 * * MON x\n@sometimes x\n"
                             "CRON_TZ=Mars/Olympus\n@daily x\n"
                             "CRON_TZ=\n0 0 30 2 * x\n@reboot x\n", "-dry-run", status=8)
        self.assertEqual([row[4] for row in self.rows(out)], [
            "not imported", "would be imported", "not imported", "variable CRON_TZ",
            "not imported", "variable CRON_TZ", "not imported", "would be imported"])
        self.assertIn('stdin:1: position 1: expected a minute from 0 to 59, not "61"', err)
        self.assertIn("stdin:3: position 1: expected @yearly", err)
        self.assertIn("stdin:5: ", err)
        self.assertIn("Mars/Olympus", err)
        self.assertIn("stdin:7: the schedule never fires", err)

    def test_a_dry_run_shows_the_next_time_of_the_zone(self):
        out, _ = self.load("CRON_TZ=Asia/Tokyo\n30 12 1 1 *  x\n", "-dry-run", "-o", "wide")
        self.assertRegex(self.rows(out)[1][3], r"^\d{4}-01-01 03:30:00")      # TZ is UTC here

    def test_a_dry_run_says_once_that_the_delay_is_not_in_its_times(self):
        text = "@reboot r\n@daily x\nRANDOM_DELAY=5\n@reboot r\n@daily y\n@daily z\n"
        said = "stdin:5: NEXT is without the delay of RANDOM_DELAY, here up to 5 min\n"
        _, err = self.load(text, "-dry-run")
        self.assertEqual((err.count(said), err.count("NEXT")), (1, 1), err)
        for arguments in ("-dry-run", "-o=json"), ("-dry-run", "-o=name"), ("-prefix=delay/",):
            self.assertNotIn("NEXT", self.load(text, *arguments)[1])

    def test_random_ranges_are_expressions(self):
        text = "~ ~ ~ ~ ~ x\n5~10/2 20~ ~9 * 5~7 x\n0 0 * * 0~7 x\n0 0 * * 7~7 x\n"
        self.assertEqual(len(self.documents(text)), 4)
        self.load("10~5 * * * * x\n", "-dry-run", status=1)

    def test_an_import_is_accepted_as_it_is_shown(self):
        text = ("MAILTO=root\nCRON_TZ=Europe/Berlin\nRANDOM_DELAY=1\n0 5 */2 * mon x%y\n"
                "@reboot r\n@every 90s e\n~ 3 * * * h\n")
        shown = self.documents(text, "-prefix=accepted/")
        out, _ = self.load(text, "-prefix=accepted/", "-o", "ndjson")
        tasks = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(tasks), 4)
        for task, document in zip(tasks, shown):
            self.assertEqual({name: task[name] for name in document}, document)
        self.load(text, "-prefix=accepted/", status=8)

    def test_an_imported_task_runs(self):
        out, _ = self.load("GREETING='h i'\n@every 1s echo \"$GREETING\"; cat%there\n", "-o=name")
        id = out.strip()
        self.assertEqual(self.d.finished(id)["results"][0]["result"], "h i\nthere\n")
        self.d.call("DELETE", f"/api/tasks/{id}")


if __name__ == "__main__":
    unittest.main()
