#!/usr/bin/env python3
"""Ending all that a run has started: killMode, over REST and by the client; at a time limit, a stop, the
daemon's end and after its death; with control groups where they can be made, and without."""

import os
import signal
import subprocess
import unittest

from daemon import HERE, LIMIT, Case, processes, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")

# Eleven processes: in the group, out of it, out of the session, without a parent; most of them deaf.
FAMILY = r"""
sleep 1000 &
setsid sleep 1001 &
(setsid sleep 1002 &)
perl -MPOSIX=setsid -e '$SIG{TERM} = "IGNORE"; for (1 .. 2) { fork; setsid; } sleep 1003 while 1' &
(env -i perl -MPOSIX=setsid -e 'exit if fork; setsid; exit if fork; $SIG{TERM} = "IGNORE"; sleep 1004 while 1; # MARK')
trap '' TERM
while :; do sleep 0.1; done
"""
WAYS = ("auto", "off")
NFAMILY = 8         # at least, of those that are marked: one hides its environment


class KillTree(Case):
    def alive(self, daemon):
        return [pid for pid in processes(daemon.mark) if pid != daemon.pid]

    def family(self, daemon, id, **fields):
        """Starts a run of many processes, and waits until they are there."""
        daemon.submit(id, time=0, script=FAMILY.replace("MARK", daemon.mark), killMode="tree", killGrace="50ms", **fields)
        wait_for("the family", lambda: len(self.alive(daemon)) >= NFAMILY and self.hidden(daemon))

    def hidden(self, daemon):
        """Those who have the mark in what they run alone."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read()
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if f"# {daemon.mark}\0".encode() in line and not file.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def nobody(self, daemon):
        wait_for("all to be gone", lambda: not self.hidden(daemon) and not self.alive(daemon))

    def test_after_a_time_limit_nobody_is_left(self):
        for way in WAYS:
            with self.subTest(cgroups=way):
                d = self.daemon("--cgroups", way)
                self.family(d, "t", timeout="3s")
                task = d.finished("t")
                self.assertEqual((task["killMode"], task["results"][0]["outcome"]), ("tree", "timeout"))
                self.assertEqual((self.alive(d), self.hidden(d)), ([], []))

    def test_stop_and_delete_with_kill_leave_nobody(self):
        for way in WAYS:
            with self.subTest(cgroups=way):
                d = self.daemon("--cgroups", way)
                self.family(d, "t")
                self.assertEqual(d.call("PUT", "/api/tasks/t?kill=true").status, 200)
                self.assertEqual(d.finished("t")["results"][0]["outcome"], "killed")
                self.assertEqual((self.alive(d), self.hidden(d)), ([], []))
                self.family(d, "u")
                self.assertEqual(d.call("DELETE", "/api/tasks/u?kill=true").status, 200)
                self.nobody(d)

    def test_the_end_of_the_daemon_leaves_nobody(self):
        for way in WAYS:
            with self.subTest(cgroups=way):
                d = self.daemon("--cgroups", way, "--grace", "100ms")
                self.family(d, "t")
                d.signal(signal.SIGTERM)
                self.assertEqual(d.process.wait(LIMIT), 0)
                self.nobody(d)

    def test_what_a_dead_daemon_left_is_ended_by_the_next(self):
        for way in WAYS:
            with self.subTest(cgroups=way):
                data = self.place()
                d = self.daemon("--cgroups", way, data=data)
                self.family(d, "t")
                d.kill()
                self.assertGreaterEqual(len(self.alive(d)), NFAMILY)
                d2 = self.daemon("--cgroups", way, data=data)
                self.assertEqual(d2.get("t")["results"][0]["outcome"], "lost")
                self.nobody(d)
                self.assertIn("outlived the last daemon", d2.log())

    def test_what_a_dead_daemon_left_without_pawl_tree_is_found_by_its_environment(self):
        data = self.place()
        d = self.daemon("--cgroups", "off", data=data)
        path = d.folder.name + "/pid"
        d.submit("t", time=0, killMode="tree",
                 script=f"setsid sleep 1000 & setsid sleep 1001 & echo $PPID > {path}.new; mv {path}.new {path}; wait")
        wait_for("the run", lambda: os.path.exists(path))
        d.kill()
        with open(path) as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.daemon("--cgroups", "off", data=data)
        self.nobody(d)

    def test_with_group_who_left_the_group_stays(self):
        d = self.daemon()
        d.submit("t", time=0, timeout="1s", script="setsid sleep 1000 >&- 2>&- & sleep 1001")
        task = d.finished("t")
        self.assertEqual(task["results"][0]["outcome"], "timeout")
        self.assertNotIn("killMode", task)
        left = self.alive(d)
        self.assertEqual(len(left), 1)
        os.kill(left[0], signal.SIGKILL)

    def test_a_run_that_ends_by_itself_leaves_whom_it_left(self):
        for way in WAYS:
            with self.subTest(cgroups=way):
                d = self.daemon("--cgroups", way)
                d.submit("t", time=0, killMode="tree", script="sleep 1000 >&- 2>&- & exit 7")
                self.assertEqual(d.finished("t")["results"][0]["exitCode"], 7)
                left = self.alive(d)
                self.assertEqual(len(left), 1)
                os.kill(left[0], signal.SIGKILL)
                self.nobody(d)

    def test_client_and_refusals(self):
        d = self.daemon()
        ran = subprocess.run([PAWL, "--server", d.addresses[0], "submit", "t", "-time=1h", "-script=true",
                              "-kill-mode=tree", "-type=delay", "-o", "json"], capture_output=True, text=True,
                             timeout=LIMIT)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(d.get("t")["killMode"], "tree")
        answer = d.call("POST", "/api/tasks", {"id": "u", "taskType": "delay", "time": 0, "script": "true",
                                               "killMode": "all"})
        self.assertProblem(answer, 400, "killMode", '"group" or "tree"')


if __name__ == "__main__":
    unittest.main()
