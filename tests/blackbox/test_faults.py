#!/usr/bin/env python3
"""Faults: what fails is told in the task's result, nothing is lost, nothing hangs, and it goes on
when the fault is gone."""

import contextlib
import os
import resource
import shutil
import signal
import tempfile
import threading
import unittest

from daemon import DELAY, LIMIT, SANITIZED, Case, children, wait_for


class Runs(Case):
    def outcome(self, task, outcome, text=""):
        """The newest result, which has this outcome."""
        result = task["results"][-1]
        self.assertEqual(result["outcome"], outcome, task)
        self.assertIn(text, result.get("error", ""))
        self.assertTimes(result, "timestamp", "scheduledFor", "startedAt")
        return result

    def check_error(self, task, text):
        result = self.outcome(task, "error", text)
        self.assertEqual((result["exitCode"], result["signal"], result["result"]), (None, None, ""))
        self.assertEqual((task["status"], task["version"], task["failureCount"], task["running"]),
                         (1, 2, 1, 0))

    def test_a_clone_that_fails_is_an_error_that_says_why(self):
        d = self.daemon(fault="clone_fails")
        d.submit("before", time=0)
        self.outcome(d.finished("before"), "success")
        fds = d.fds()
        d.fail("on")
        for n in range(50):
            d.submit(f"t{n}", time=0)
        d.submit("long", time=0, script="#" * 300_000)
        d.submit("cron", taskType="cron", time="20ms")
        for id in ["long"] + [f"t{n}" for n in range(50)]:
            self.check_error(d.finished(id), "clone: Resource temporarily unavailable")
        self.assertEqual(d.finished("cron", 3)["failureCount"],
                         d.finished("cron", 3)["runCount"])
        d.fail(None)
        failed = d.finished("cron")["runCount"]
        task = d.watch("cron", lambda task: task["runCount"] > failed + 1 and task["running"] == 0)
        self.outcome(task, "success")       # a cron task goes on
        d.call("PUT", "/api/tasks/cron")
        d.submit("after", time=0)
        self.outcome(d.finished("after"), "success")
        wait_for("all descriptors to be closed", lambda: d.fds() <= fds + 1)

    def test_no_descriptors_left_is_an_error_of_runs_and_no_loss_of_connections(self):
        d = self.daemon("--max-running", "50")
        d.submit("far")
        with d.connect() as client:
            soft, hard = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
            self.assertEqual(client.call("GET", "/api/health").status, 200)
            resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (3, hard))
            for id in "ab":
                answer = client.call("POST", "/api/tasks", {**DELAY, "id": id, "time": 0})
                self.assertEqual(answer.status, 200)
            for id in "ab":
                version = -1
                while version < 2:
                    task = client.call("GET", f"/api/tasks/{id}?watch=true&version={version}").json()
                    version = task["version"]
                self.check_error(task, "Too many open files")
            # One that comes now waits: it is neither refused nor lost.
            with d.connect() as waiting:
                waiting.ask("GET", "/api/tasks/far")
                wait_for("the log", lambda: "cannot accept connections" in d.log())
                resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (soft, hard))
                self.assertEqual(waiting.read().json()["id"], "far")
        d.submit("after", time=0)
        self.outcome(d.finished("after"), "success")

    def test_an_interpreter_that_is_missing_is_an_error_that_names_it(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        shell = os.path.join(folder, "bash")
        os.symlink(shutil.which("bash"), shell)
        d = self.daemon(env={"PATH": folder + ":/usr/bin:/bin"})
        d.submit("before", time=0)
        self.outcome(d.finished("before"), "success")
        os.unlink(shell)
        d.submit("missing", time=0)
        self.check_error(d.finished("missing"), f"{shell}: No such file or directory")
        with open(shell, "w") as file:
            file.write("no program\n")
        d.submit("denied", time=0)
        self.check_error(d.finished("denied"), f"{shell}: Permission denied")
        os.chmod(shell, 0o755)
        d.submit("format", time=0)
        self.check_error(d.finished("format"), f"{shell}: Exec format error")
        os.unlink(shell)
        os.symlink(shutil.which("bash"), shell)
        d.submit("after", time=0)
        self.outcome(d.finished("after"), "success")

    def test_a_script_killed_by_a_signal_is_killed_and_names_it(self):
        d = self.daemon()
        for name in ("KILL", "TERM", "SEGV", "USR1", "RTMIN+3"):
            d.submit(name, time=0, script=f"echo before; kill -{name} $$; sleep 100")
            task = d.finished(name)
            result = self.outcome(task, "killed")
            self.assertEqual((result["signal"], result["exitCode"], result["result"]),
                             ("SIG" + name, None, "before\n"))
            self.assertEqual((task["state"], task["failureCount"]), ("Executed", 1))

    def test_a_grandchild_that_holds_the_output_open_does_not_hold_up_the_end(self):
        d = self.daemon()
        d.submit("t", time=0, script="echo out; sleep 1000 & echo $! >&2")
        result, = d.finished("t")["results"]
        self.assertEqual((result["outcome"], result["result"]), ("success", "out\n"))
        os.kill(int(result["stderr"]), signal.SIGKILL)

    def test_a_flood_of_output_is_bounded_and_holds_up_nobody(self):
        d = self.daemon()
        for n in range(4):
            d.submit(f"flood{n}", time=0, script="timeout 1 yes; timeout 1 yes >&2; true")
        for n in range(4):
            d.submit(f"t{n}", time=0, script="echo ok")
            self.assertEqual(d.finished(f"t{n}")["results"][0]["result"], "ok\n")
        for n in range(4):
            result, = d.finished(f"flood{n}")["results"]
            self.assertTrue(result["truncated"])
            self.assertLess(len(result["result"]) + len(result["stderr"]), 140_000)

    def test_many_runs_leave_no_zombie_and_no_descriptor(self):
        d = self.daemon()
        fds, n = d.fds(), 200 if SANITIZED else 2000
        lines = "".join(f'{{"id":"{k}","taskType":"delay","time":"{k % 50}ms","script":'
                        f'"exit {k % 3}"}}\n' for k in range(n))
        d.call("POST", "/api/tasks", lines, ["Content-Type: application/x-ndjson"])
        wait_for("all runs to end", lambda: d.health()["finished"] == n)
        tasks = d.call("GET", "/api/tasks").json()
        self.assertEqual({(task["status"], task["version"], task["running"],
                           task["results"][0]["exitCode"]) for task in tasks},
                         {(1, 2, 0, 0), (1, 2, 0, 1), (1, 2, 0, 2)})
        self.assertEqual(children(d.pid), {})
        wait_for("all descriptors to be closed", lambda: d.fds() <= fds)


class Components(Case):
    """One component fails: it takes the others down in order, and the exit status is 1."""

    def fails(self, thread, *options, poke, what):
        d = self.daemon("--http-threads", "2", *options, "--grace", "1s", fault="wait_fails")
        path = d.folder.name + "/ended"
        d.submit("run", time=0, script=f"sleep 0.5; touch {path}")
        d.submit("long", time=0, script="exec sleep 1000")      # d.end() looks for it
        d.watch("run", lambda task: task["status"] == 2)
        d.submit("w")
        clients = [d.connect() for _ in range(8)]
        for client in clients:
            client.ask("GET", "/api/tasks/w?watch=true&version=0")
        d.call("GET", "/api/health")
        d.fail(thread)
        poke(d)
        for client in clients:      # nobody is left waiting
            data = client.rest()
            self.assertIn(data[9:12], (b"503", b"200", b""))
            client.close()
        self.assertEqual(d.end(), 1)
        self.assertIn(what, d.log())
        self.assertIn("stopped", d.log().splitlines()[-1])
        return path

    def ask(self, d):
        """Makes both HTTP threads wake up, if they can: open at once, connections are shared out."""
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                with contextlib.suppress(OSError, EOFError):
                    client = stack.enter_context(d.connect())
                    client.socket.settimeout(0.2)
                    client.ask("GET", "/api/health")

    def run_at_once(self, d):
        for n in range(8):
            try:
                d.submit(f"n{n}", time=0)
            except (OSError, EOFError, AssertionError):
                pass

    def test_an_HTTP_thread_that_cannot_wait_ends_the_daemon_in_order(self):
        path = self.fails("pawl-http-1", poke=self.ask, what="an HTTP thread cannot go on")
        self.assertTrue(os.path.exists(path))       # the run was let finish

    def test_a_main_thread_that_cannot_wait_ends_the_daemon_in_order(self):
        self.fails("pawld", poke=self.ask, what="the main thread cannot wait")

    def test_a_ticker_that_cannot_sleep_ends_the_daemon_in_order(self):
        path = self.fails("pawl-ticker", poke=self.run_at_once, what="the ticker cannot sleep")
        self.assertTrue(os.path.exists(path))

    def test_a_worker_that_cannot_sleep_ends_the_daemon_in_order(self):
        path = self.fails("pawl-worker-0", "--workers", "1", poke=self.run_at_once,
                          what="a worker cannot sleep")
        self.assertTrue(os.path.exists(path))


class Load(Case):
    def test_SIGTERM_in_the_middle_of_load_loses_no_run_that_was_started(self):
        for round in range(3):
            d = self.daemon()
            folder, acknowledged, stop = d.folder.name, [], threading.Event()

            def submit(k):
                try:
                    with d.connect() as client:
                        for n in range(10_000):
                            id = f"{k}-{n}"
                            answer = client.call("POST", "/api/tasks", {
                                "id": id, "taskType": "delay", "time": 0,
                                "script": f"echo > {folder}/s{id}; sleep 0.1; echo > {folder}/e{id}"})
                            if answer.status != 200:
                                self.assertEqual(answer.status, 503)
                                return
                            acknowledged.append(id)
                except (OSError, EOFError):
                    pass

            threads = [threading.Thread(target=submit, args=(k,)) for k in range(4)]
            for thread in threads:
                thread.start()
            wait_for("load", lambda: len(acknowledged) > 50 and
                     any(name[0] == "s" for name in os.listdir(folder)))
            d.signal()
            for thread in threads:
                thread.join(LIMIT)
            self.assertEqual(d.end(), 0, d.log())
            files = set(os.listdir(folder))
            started = {name[1:] for name in files if name[0] == "s"}
            ended = {name[1:] for name in files if name[0] == "e"}
            self.assertGreater(len(started), 0)
            self.assertEqual(started, ended)        # none was cut short


if __name__ == "__main__":
    unittest.main(verbosity=2)
