#!/usr/bin/env python3
"""The start and the end of the daemon: signals, grace, addresses, options; and that it is idle
when it has nothing to do."""

import os
import re
import select
import signal
import socket
import stat
import subprocess
import time
import unittest

from daemon import DELAY, LIMIT, PAWLD, Case, Client, environment, refuse, request, wait_for


class Stop(Case):
    def started(self, d, id, script, before=""):
        """Submits a task and waits until its script says that it runs, after what it does before."""
        path = f"{d.folder.name}/{id}.runs"
        d.submit(id, time=0, script=f"{before}\ntouch {path}\n{script}")
        wait_for("the script", lambda: os.path.exists(path))

    def test_an_idle_daemon_stops_at_once_with_0_for_each_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            d = self.daemon()
            d.submit("far")
            began = time.monotonic()
            d.signal(number)
            self.assertEqual(d.end(), 0)
            self.assertLess(time.monotonic() - began, LIMIT / 10)
            self.assertEqual(d.process.stdout.read(), "")    # nothing after the addresses

    def test_runs_in_progress_may_end_and_what_waits_is_answered(self):
        d = self.daemon()
        go = d.folder.name + "/go"
        self.started(d, "run", f"until test -e {go}; do sleep 0.01; done; echo whole")
        d.submit("far")
        with d.connect() as a, d.connect() as b, d.connect() as c:
            a.ask("GET", "/api/tasks/run?watch=true&version=1")
            b.ask("GET", "/api/tasks/far?watch=true&version=0")
            self.assertEqual(c.call("GET", "/api/health").json()["status"], "ok")
            d.signal()
            wait_for("it to stop", lambda: "stopping: 1 runs in progress" in d.log())
            # It accepts no more, but serves those that are there.
            with self.assertRaises(OSError):
                d.connect()
            answer = c.call("GET", "/api/health")
            self.assertEqual((answer.json()["status"], answer.headers["connection"]),
                             ("draining", "close"))
            open(go, "w").close()
            answer = a.read()
            self.assertEqual(answer.json()["results"][0]["result"], "whole\n")
            self.assertEqual(answer.headers["connection"], "close")
            self.assertProblem(b.read(), 503)
        self.assertEqual(d.end(), 0)

    def test_submits_are_refused_while_it_stops(self):
        d = self.daemon()
        self.started(d, "run", "sleep 0.5")
        with d.connect() as client:
            client.call("GET", "/api/health")
            d.signal()
            wait_for("it to stop", lambda: "stopping:" in d.log())
            answer = client.call("POST", "/api/tasks", {**DELAY, "id": "late"})
            self.assertProblem(answer, 503)
            self.assertGreater(int(answer.headers["retry-after"]), 0)
        self.assertEqual(d.end(), 0)

    def test_after_the_grace_runs_get_TERM(self):
        d = self.daemon("--grace", "200ms")
        path = d.folder.name + "/term"
        self.started(d, "run", "while :; do sleep 0.01; done",
                     before=f"trap 'echo TERM > {path}; exit' TERM")
        self.assertEqual(d.stop(), 0)
        with open(path) as file:
            self.assertEqual(file.read(), "TERM\n")

    def test_runs_that_ignore_TERM_get_KILL_with_all_of_their_group(self):
        d = self.daemon("--grace", "0s")
        self.started(d, "run", "sleep 1000 & sleep 1000; sleep 1000", before="trap '' TERM")
        began = time.monotonic()
        self.assertEqual(d.stop(), 0)       # which also finds what is left of the group
        self.assertGreater(time.monotonic() - began, 1.9)
        self.assertIn("sending them KILL", d.log())

    def test_a_second_signal_cuts_the_grace(self):
        for second in (signal.SIGTERM, signal.SIGINT):
            d = self.daemon("--grace", "1h")
            self.started(d, "run", "exec sleep 1000")
            d.signal()
            wait_for("it to stop", lambda: "stopping:" in d.log())
            d.signal(second)
            self.assertEqual(d.end(), 0)

    def test_a_killed_daemon_leaves_no_lock_on_its_address(self):
        d = self.daemon("--listen", "unix:FOLDER/s")
        path = d.folder.name + "/s"
        d.process.kill()
        d.process.wait()
        self.assertTrue(os.path.exists(path))
        again = self.daemon("--listen", "unix:" + path)
        self.assertEqual(again.call("GET", "/api/health").status, 200)
        self.assertEqual(again.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_a_client_that_does_not_read_does_not_hold_up_the_end(self):
        d = self.daemon()
        for n in range(20):
            d.submit(f"t{n}", script="x" * 1_000_000)
        with d.connect() as client, d.connect() as half:
            client.ask("GET", "/api/tasks")
            half.send(b"POST /api/tasks HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
            select.select([client.socket], [], [], LIMIT)       # it has begun
            began = time.monotonic()
            self.assertEqual(d.stop(), 0)
            self.assertLess(time.monotonic() - began, LIMIT / 3)


class Start(Case):
    def test_it_prints_its_routes_and_then_its_addresses(self):
        d = self.daemon("--listen", "127.0.0.1:0", "--listen", "unix:FOLDER/s",
                        "--listen", "[::1]:0", "--listen", "localhost:0")
        self.assertRegex(d.routes[0], r"^ROUTE  GET     /api/tasks +\S")
        for address, form in zip(d.addresses, (r"http://127\.0\.0\.1:\d+", r"unix:/.*/s",
                                               r"http://\[::1\]:\d+", r"http://127\.0\.0\.1:\d+")):
            self.assertRegex(address, f"^{form}$")
            with Client(address) as client:
                self.assertEqual(client.call("GET", "/api/health").status, 200)
        self.assertEqual(stat.S_IMODE(os.stat(d.folder.name + "/s").st_mode), 0o600)
        self.assertRegex(d.log(), r"at most \d+ connections and \d+ runs at once, by a limit of \d+ "
                                  r"open files")

    def test_an_address_in_use_is_an_error_at_start(self):
        d = self.daemon("--listen", "127.0.0.1:0", "--listen", "unix:FOLDER/s")
        with socket.create_server(("127.0.0.1", 0)) as other, \
                socket.socket(socket.AF_UNIX) as another:
            another.bind(d.folder.name + "/o")
            another.listen()
            for address in (d.addresses[0], d.addresses[0][len("http://"):], d.addresses[1],
                            "127.0.0.1:%d" % other.getsockname()[1], "unix:" + d.folder.name + "/o"):
                status, out, err = refuse("--ephemeral", "--listen", address)
                self.assertEqual((status, out), (1, ""), address)
                self.assertIn("in use", err)
        self.assertEqual(d.call("GET", "/api/health").status, 200)
        with Client(d.addresses[1]) as client:
            self.assertEqual(client.call("GET", "/api/health").status, 200)

    def test_a_file_that_is_no_socket_is_not_removed(self):
        d = self.daemon()
        path = d.folder.name + "/file"
        with open(path, "w") as file:
            file.write("precious")
        self.assertEqual(refuse("--ephemeral", "--listen", "unix:" + path)[0], 1)
        with open(path) as file:
            self.assertEqual(file.read(), "precious")

    def test_data_and_ephemeral_exclude_each_other(self):
        status, out, err = refuse("--listen", "127.0.0.1:0", "--data=/tmp/x", "--ephemeral")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("--data and --ephemeral exclude each other", err)

    def test_addresses_that_are_not_loopback_are_refused_with_the_reason(self):
        for address in ("0.0.0.0:0", "[::]:0", "10.1.2.3:80", "192.168.0.1:8865", "[fe80::1]:1"):
            status, out, err = refuse("--ephemeral", "--listen", address)
            self.assertEqual((status, out), (2, ""), address)
            self.assertIn("not a loopback address and no authentication", err)

    def test_bad_options_exit_with_2_and_name_what_is_wrong(self):
        for options, text in ((("--listen", "nonsense"), "--listen"), (("--listen",), "--listen"),
                              (("--listen", "127.0.0.1:65536"), "--listen"),
                              (("--listen", "unix:relative"), "--listen"),
                              (("--listen", "unix:/" + "x" * 108), "--listen"),
                              (("--max-bode", "1"), "did you mean 'max-body'"),
                              (("--max-body", "x"), "--max-body"), (("--max-body", "1"), "--max-body"),
                              (("--max-pending", "-1"), "--max-pending"),
                              (("--grace", "soon"), "--grace"), (("--host", "a b"), "--host"),
                              (("--log-level", "loud"), "--log-level"), (("argument",), "argument"),
                              (("--durability", "maybe"), "--durability"),
                              (("--config", "/nonexistent"), "/nonexistent")):
            status, out, err = refuse("--ephemeral", *options)
            self.assertEqual((status, out), (2, ""), options)
            self.assertIn(text, err)

    def test_a_limit_of_open_files_that_is_too_low_is_refused_with_the_reason(self):
        done = subprocess.run(["sh", "-c", 'ulimit -n 40; exec "$0" --ephemeral --listen 127.0.0.1:0',
                               PAWLD], env=environment(), capture_output=True, text=True,
                              timeout=LIMIT)
        self.assertEqual(done.returncode, 2)
        self.assertIn("limit of open files", done.stderr)

    def test_flag_wins_over_environment_over_file(self):
        d = self.daemon()
        path = d.folder.name + "/config"
        with open(path, "w") as file:
            file.write("# a comment\n[limits]\nmax-body = 2MiB\nmax-pending = 5\n[log]\n"
                       "grace = \"7s\"\n")
        status, out, _ = refuse("--config", path, "--print-config", "--max-body", "1MiB", env={
            "PAWL_MAX_PENDING": "6", "PAWL_MAX_BODY": "3MiB"})
        self.assertEqual(status, 0)
        for line in ("max-body = 1MiB", "max-pending = 6", "grace = 7s"):
            self.assertIn(line + "\n", out)
        with open(path, "a") as file:
            file.write("colour = red\n")
        status, _, err = refuse("--config", path)
        self.assertEqual(status, 2)
        self.assertIn("config:7: unknown option 'colour'", err)

    def test_it_warns_when_root_listens_on_tcp(self):
        process = subprocess.Popen([PAWLD, "--ephemeral", "--listen", "127.0.0.1:0"],
                                   env=environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.startswith("pawld: listening"):
                break
        process.terminate()
        log = process.communicate(timeout=LIMIT)[1]
        self.assertEqual(process.returncode, 0)
        self.assertEqual("every local user can run scripts as root" in log, os.geteuid() == 0)

    def test_an_ordinary_user_listens_on_8865_by_default(self):
        try:
            out = refuse("--print-config", user=os.geteuid() or 65534)[1]
        except PermissionError:
            self.skipTest("nobody may not run " + PAWLD)
        self.assertEqual(re.findall("^listen = .*", out, re.M), ["listen = 127.0.0.1:8865"])

    @unittest.skipUnless(os.geteuid() == 0, "for root")
    def test_root_listens_on_its_socket_alone_by_default(self):
        out = refuse("--print-config")[1]
        self.assertEqual(re.findall("^listen = .*", out, re.M), ["listen = unix:/run/pawl/pawl.sock"])


class Idle(Case):
    def switches(self, d):
        """Context switches of the daemon's own threads. A sanitizer has one, too, which bears the
        name of the main thread."""
        counts = {}
        for task in os.listdir(f"/proc/{d.pid}/task"):
            with open(f"/proc/{d.pid}/task/{task}/comm") as file:
                name = file.read().strip()
            if name.startswith("pawl-") or task == str(d.pid):
                counts[name] = (d.status("voluntary_ctxt_switches", task) +
                                d.status("nonvoluntary_ctxt_switches", task))
        return counts

    def quiet(self, d):
        def is_same():
            before = self.switches(d)
            time.sleep(0.2)
            return before == self.switches(d)

        # What was freed late is swept up, connections are closed.
        wait_for("it to come to rest", is_same)
        before = self.switches(d)
        self.assertGreaterEqual(len(before), 4)
        time.sleep(2)                       # the claim is about this time
        self.assertEqual(self.switches(d), before)

    def test_a_daemon_that_never_had_a_task_sleeps(self):
        self.quiet(self.daemon())

    def test_a_daemon_with_tasks_far_away_and_no_connection_sleeps(self):
        d = self.daemon("--http-threads", "2")
        lines = "".join('{"id":"%d","taskType":"%s","time":"%dm","script":"true"}\n' %
                        (n, ("delay", "cron")[n % 2], 5 + n * n) for n in range(1000))
        d.call("POST", "/api/tasks", lines, ["Content-Type: application/x-ndjson"])
        d.submit("soon", time="300ms")
        d.finished("soon")
        for n in range(0, 1000, 3):
            d.call(("PUT", "DELETE")[n % 2], f"/api/tasks/{n}")
        self.quiet(d)

    def test_watchers_that_wait_cost_nothing(self):
        d = self.daemon("--request-timeout", "1h")
        d.submit("w")
        with d.connect() as a, d.connect() as b:
            for client in (a, b):
                client.send(request("GET", "/api/tasks/w?watch=true&version=0"))
            self.quiet(d)


if __name__ == "__main__":
    unittest.main(verbosity=2)
