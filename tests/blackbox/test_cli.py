#!/usr/bin/env python3
"""The command-line client as its users meet it: arguments in, stdout, stderr and exit status out.

Most classes talk to FakeDaemon, a small HTTP server in this file that answers as the contract
says, so that every answer, also a wrong or a late one, can be chosen. Class WithRealDaemon runs
the same client against pawld (path in PAWLD) and is skipped, saying so, where there is none.
The client is the program named by PAWL. Needs only Python's standard library.
"""

import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import socketserver
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
PAWL = os.environ.get("PAWL", os.path.join(HERE, "../../build/release/pawl"))
PAWLD = os.environ.get("PAWLD", "")
LIMIT = 30


def document(id, **changes):
    """A task as the daemon would answer it."""
    task = {
        "id": id, "taskType": "delay", "time": 10_000_000_000, "script": "echo hi",
        "keepResults": 10, "results": [], "status": 0, "state": "ToBeExecuted",
        "lastStatusUpdated": "2026-01-02T03:04:05.000000006Z", "version": 0,
        "createdAt": "2026-01-02T03:04:05.000000006Z", "nextRun": None, "previousRun": None,
        "runCount": 0, "failureCount": 0, "running": 0,
    }
    task.update(changes)
    return task


def result(n, text="hi\n", **changes):
    """The n-th result of a task."""
    r = {
        "timestamp": f"2026-01-02T03:05:{n:02}.5Z", "result": text, "stderr": "", "exitCode": 0,
        "signal": None, "outcome": "success", "scheduledFor": f"2026-01-02T03:05:{n:02}Z",
        "startedAt": f"2026-01-02T03:05:{n:02}.001Z", "durationNs": 3_000_000, "attempt": 1,
        "truncated": False,
    }
    r.update(changes)
    return r


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "client"

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = (self.command, self.path, self.rfile.read(length), dict(self.headers))
        daemon = self.server.daemon
        with daemon.lock:
            daemon.requests.append(request)
        answer = daemon.answer(*request[:3])
        if answer is None:  # break the connection
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, body, headers = answer
        if not isinstance(body, bytes):
            kind = "application/problem+json" if status >= 400 else "application/json"
            headers = {"Content-Type": kind, **headers}
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = serve


class TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that go away are part of the tests


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class FakeDaemon:
    """Keeps tasks in a dict; `plan` answers first: a list of answers, or a function that gives
    one or NotImplemented."""

    def __init__(self, path=None):
        self.tasks = {}
        self.requests = []
        self.plan = []
        self.page = 1000
        self.lock = threading.Condition()
        self.server = UnixServer(path, Handler) if path else TcpServer(("127.0.0.1", 0), Handler)
        self.server.daemon = self
        self.address = f"unix:{path}" if path else "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def problem(self, status, detail, headers=None, **more):
        return status, {"title": "T", "status": status, "detail": detail, **more}, headers or {}

    def change(self, id, **changes):
        """Sets a new version of a task, or deletes it with state=None; wakes the watchers."""
        with self.lock:
            if changes.get("state", "") is None:
                del self.tasks[id]
            else:
                old = self.tasks[id]
                self.tasks[id] = {**old, "version": old["version"] + 1, **changes}
            self.lock.notify_all()

    def answer(self, method, path, body):
        with self.lock:
            if callable(self.plan):
                planned = self.plan(method, path, body)
                if planned is not NotImplemented:
                    return planned
            elif self.plan:
                planned = self.plan.pop(0)
                if planned is not NotImplemented:
                    return planned
            path, _, query = path.partition("?")
            query = dict(urllib.parse.parse_qsl(query))
            if path == "/api/tasks":
                return self.submit(json.loads(body)) if method == "POST" else self.list(query)
            id = urllib.parse.unquote(path[len("/api/tasks/"):])
            if id not in self.tasks:
                return self.problem(404, f'no task "{id}"')
            return getattr(self, method.lower())(id, query)

    def submit(self, task):
        if task["id"] in self.tasks:
            return self.problem(409, f'task "{task["id"]}" exists')
        self.tasks[task["id"]] = document(**task)
        return 200, self.tasks[task["id"]], {}

    def list(self, query):
        ids = [i for i in self.tasks if i.startswith(query.get("prefix", ""))]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        n = min(int(query.get("limit", self.page)), self.page)
        page, headers = ids[start:start + n], {}
        if start + n < len(ids):
            more = {**query, "after": page[-1]}
            headers["Link"] = f'</api/tasks?{urllib.parse.urlencode(more)}>; rel="next"'
        return 200, [self.tasks[i] for i in page], headers

    def get(self, id, query):
        if query.get("watch") == "true" and "version" in query:
            self.lock.wait_for(lambda: id not in self.tasks or
                               self.tasks[id]["version"] != int(query["version"]), 30)
            if id not in self.tasks:
                return self.problem(404, f'no task "{id}"')
        return 200, self.tasks[id], {}

    def put(self, id, query):
        if self.tasks[id]["state"] == "Stopped":
            return self.problem(409, "is Stopped already")
        self.tasks[id].update(state="Stopped", status=4)
        return 200, self.tasks[id], {}

    def delete(self, id, query):
        return 200, self.tasks.pop(id), {}


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if not k.lower().endswith("_proxy") and not k.startswith(("PAWL", "LC_")) and
           k not in ("NO_COLOR", "COLUMNS", "LANG", "XDG_RUNTIME_DIR")}
    return {**env, "TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "xterm", **more}


def run(*args, server=None, stdin=None, env=None, **options):
    """Runs the client; gives its status, stdout and stderr as text."""
    env = environment(**(env or {}))
    if server:
        env["PAWL_SERVER"] = server
    done = subprocess.run([PAWL, *args], input=stdin, env=env, timeout=LIMIT,
                          stdout=options.get("stdout", subprocess.PIPE), stderr=subprocess.PIPE)
    out = (done.stdout or b"").decode("utf-8", "surrogateescape")
    return done.returncode, out, done.stderr.decode("utf-8", "surrogateescape")


class Terminal:
    """The client on a pseudo terminal of the given width."""

    def __init__(self, *args, server, columns=80, **env):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [PAWL, *args], env=environment(PAWL_SERVER=server, **env), stdin=slave,
            stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.fd, self.text = master, ""

    def read_until(self, pattern):
        """Reads until pattern is there (None: until the end)."""
        deadline = time.monotonic() + LIMIT
        while not (pattern and re.search(pattern, self.text)):
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"{pattern!r} did not come: {self.text!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                assert pattern is None, f"{pattern!r} did not come: {self.text!r}"
                break
            self.text += data.decode("utf-8", "replace")
        return self.text

    def end(self):
        text = self.read_until(None)
        os.close(self.fd)
        return self.process.wait(LIMIT), text.replace("\r\n", "\n")


class WithFake(unittest.TestCase):
    def setUp(self):
        self.daemon = FakeDaemon()
        self.addCleanup(self.daemon.close)

    def pawl(self, *args, **options):
        return run(*args, server=self.daemon.address, **options)

    def check(self, expected, *args, **options):
        """Runs, checks the exit status, and gives stdout and stderr."""
        status, out, err = self.pawl(*args, **options)
        self.assertEqual(status, expected, (out, err))
        return out, err

    def paths(self):
        return [(method, path) for method, path, _, _ in self.daemon.requests]


class Usage(unittest.TestCase):
    """No daemon is asked: its address leads nowhere."""

    def check(self, status, *args):
        got, out, err = run(*args, server="unix:/nonexistent/pawl.sock")
        self.assertEqual(got, status, (out, err))
        return out, err

    def test_wrong_command_lines_exit_with_2_and_say_nothing_on_stdout(self):
        for args in ([], ["lst"], ["submit"], ["submit", "a", "b", "-type=delay"],
                     ["submit", "x", "-type=dely", "-time=1s", "-script=x"],
                     ["submit", "x", "-type=delay", "-time=10", "-script=x"],
                     ["submit", "x", "-type=delay", "-time=-1s", "-script=x"],
                     ["submit", "x", "-type=delay", "-time=1s"],
                     ["submit", "x", "-time=1s", "-script=x"],
                     ["submit", "x", "-type=delay", "-script=x"],
                     ["submit", "x", "-type=delay", "-time=1s", "-script=x", "-script-file=y"],
                     ["submit", b"\xff", "-type=delay", "-time=1s", "-script=x"],
                     ["get"], ["get", ""], ["get", "x", "-watch=maybe"], ["get", "a", "b", "-watch"],
                     ["list", "x"], ["list", "-limit=0"], ["list", "-limit=x"], ["list", "-o"],
                     ["list", "-o", "yaml"], ["list", "--server", "ftp://x"], ["help", "x"]):
            out, err = self.check(2, *args)
            self.assertEqual(out, "", args)
            self.assertTrue(err.startswith("pawl: "), (args, err))

    def test_a_slip_is_answered_with_what_was_meant(self):
        self.assertIn("did you mean list?", self.check(2, "lsit")[1])
        self.assertIn("did you mean -status?", self.check(2, "list", "-stauts=1")[1])
        self.assertIn("did you mean cron?", self.check(2, "list", "-type=corn")[1])
        self.assertIn("did you mean 10s?", self.check(
            2, "submit", "x", "-type=delay", "-time=10", "-script=x")[1])

    def test_help_shows_examples_first(self):
        for args in (["help"], ["help", "submit"], ["submit", "-h"], ["s", "--help"], ["-h"]):
            out, err = self.check(0, *args)
            self.assertEqual(err, "")
            self.assertLess(out.index("Examples:"), out.index("Usage:"))
        self.assertIn("-type=delay|cron", self.check(0, "submit", "x", "-help")[0])

    def test_version(self):
        for args in (["-version"], ["--version"], ["version"]):
            self.assertRegex(self.check(0, *args)[0], r"^pawl \d+\.\d+\.\d+\n$")
        self.assertIn("version", json.loads(self.check(0, "version", "-o", "json")[0]))


class Submit(WithFake):
    def sent(self):
        return json.loads(self.daemon.requests[-1][2])

    def test_all_forms_of_flags_mean_the_same(self):
        for args in (["-type=cron", "-time=1m30s", "-script=echo hi", "a"],
                     ["a", "--type=cron", "--time=1m30s", "--script=echo hi"],
                     ["-type", "cron", "a", "--time", "1m30s", "-script", "echo hi"]):
            self.daemon.tasks.clear()
            out, _ = self.check(0, "submit", *args)
            self.assertEqual(self.sent(), {"id": "a", "taskType": "cron",
                                           "time": 90_000_000_000, "script": "echo hi"})
            self.assertRegex(out, r"ID .*NEXT\na +cron +1m30s +echo hi +ToBeExecuted")

    def test_request_is_json_and_the_answer_can_be_too(self):
        out, _ = self.check(0, "s", "a", "-type=delay", "-time=0", "-script=x", "-keep-results=3",
                            "-o", "json")
        method, path, _, headers = self.daemon.requests[-1]
        self.assertEqual((method, path), ("POST", "/api/tasks"))
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(json.loads(out)["keepResults"], 3)

    def test_script_from_file_and_stdin_is_byte_for_byte(self):
        script = "printf '%s\\n' \"ä 中\"\n\texit 3\n"
        with tempfile.NamedTemporaryFile() as file:
            file.write(script.encode())
            file.flush()
            self.check(0, "submit", "a", "-type=delay", "-time=1s", "-script-file", file.name)
        self.assertEqual(self.sent()["script"], script)
        self.check(0, "submit", "b", "-type=delay", "-time=1s", "-script-file=-",
                   stdin=script.encode() * 30000)
        self.assertEqual(self.sent()["script"], script * 30000)
        self.assertIn("/nonexistent", self.check(
            1, "submit", "c", "-type=delay", "-time=1s", "-script-file=/nonexistent")[1])

    def test_words_after_two_dashes_are_no_flags(self):
        self.check(0, "submit", "-type=delay", "-time=1s", "-script", "-x", "--", "-id")
        self.assertEqual(self.sent()["id"], "-id")
        self.assertEqual(self.sent()["script"], "-x")

    def test_an_id_that_exists_exits_with_4(self):
        self.daemon.tasks["a"] = document("a")
        out, err = self.check(4, "submit", "a", "-type=delay", "-time=1s", "-script=x")
        self.assertEqual((out, err), ("", 'pawl: submit a: task "a" exists\n'))


class List(WithFake):
    def test_an_empty_list_says_so(self):
        for args, expected in (([], "no tasks\n"), (["-o", "wide"], "no tasks\n"),
                               (["-o", "json"], "[]\n"), (["-o", "ndjson"], ""),
                               (["-o", "name"], "")):
            self.assertEqual(self.check(0, "list", *args), (expected, ""))

    def test_table_aligns_and_escapes(self):
        self.daemon.tasks = {
            "a": document("a", script="echo 1\necho\t2\r\033[31m"),
            "中文": document("中文", script="e\u0301"),
            "long-identifier": document("long-identifier", taskType="cron", time=1,
                                        state="WaitForNextExecution", status=3),
        }
        out, err = self.check(0, "l")
        lines = out.splitlines()
        self.assertEqual(err, "")
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[0],
                         "^ID +TYPE +TIME +SCRIPT +STATUS +UPDATED +NEXT$")
        self.assertIn(r"echo 1\necho\t2\r\x1b[31m", lines[1])
        column = lines[0].index("TYPE")
        self.assertEqual(lines[1].index("delay"), column)
        self.assertEqual(lines[2].index("delay"), column - 2)  # two wide characters
        self.assertEqual(lines[2].index("ToBe"), lines[0].index("STATUS") - 2 + 1)
        self.assertEqual(lines[3].index("cron"), column)
        self.assertTrue(all(line == line.rstrip() for line in lines))

    def test_alignment_does_not_depend_on_the_locale(self):
        self.daemon.tasks = {"中文": document("中文"), "b": document("b")}
        outputs = {self.check(0, "list", env={"LC_ALL": locale})[0]
                   for locale in ("C", "C.UTF-8", "POSIX", "xx_YY.nonexistent")}
        self.assertEqual(len(outputs), 1)

    def test_formats(self):
        self.daemon.tasks = {i: document(i, results=[result(1, "a\0b")]) for i in "ab"}
        documents = json.loads(self.check(0, "list", "-o", "json")[0])
        self.assertEqual(documents, list(self.daemon.tasks.values()))
        out, _ = self.check(0, "list", "-o=ndjson")
        self.assertEqual([json.loads(line) for line in out.splitlines()], documents)
        self.assertEqual(self.check(0, "-o", "name", "list")[0], "a\nb\n")
        self.assertIn("VERSION", self.check(0, "list", "--output=wide")[0])

    def test_filters_become_the_query(self):
        self.check(0, "list", "-status=Executing", "-status", "0", "-type=cron", "-prefix=a/b c&", "-limit=7",
                   "-results=2", "-o=json")
        self.assertEqual(self.paths()[0][1], "/api/tasks?limit=7&results=2&status=Executing&status=0"
                         "&type=cron&prefix=a%2Fb%20c%26")

    def test_pages_are_followed_to_the_end_or_the_limit(self):
        self.daemon.tasks = {f"t{n} &": document(f"t{n} &") for n in range(2500)}
        out, _ = self.check(0, "list", "-o", "name")
        self.assertEqual(out.splitlines(), list(self.daemon.tasks))
        self.assertEqual(len(self.paths()), 3)
        self.assertEqual(len(json.loads(self.check(0, "list", "-o", "json")[0])), 2500)
        self.assertEqual(len(self.check(0, "list")[0].splitlines()), 2501)
        self.assertEqual(len(self.check(0, "list", "-limit=1200", "-o=name")[0].split("\n")), 1201)

    def test_an_absolute_or_busy_link_is_followed_at_the_same_server(self):
        link = '<http://192.0.2.1/api/tasks?x=1>; rel="prev", <http://192.0.2.1/y?n=2,3>;rel="a next"'
        self.daemon.plan = [(200, [document("a")], {"Link": link}), (200, [document("b")], {})]
        self.assertEqual(self.check(0, "list", "-o", "name")[0], "a\nb\n")
        self.assertEqual(self.paths()[1][1], "/api/tasks?n=2,3")

    def test_a_page_that_follows_itself_is_an_error(self):
        link = {"Link": '</api/tasks?n=1>; rel="next"'}
        self.daemon.plan = lambda *request: (200, [document("a")], link)
        self.assertEqual(self.check(1, "list", "-o=name")[0], "a\na\n")

    def test_a_list_that_breaks_off_is_no_valid_json(self):
        self.daemon.tasks = {f"t{n}": document(f"t{n}") for n in range(600)}
        self.daemon.plan = [NotImplemented, self.daemon.problem(500, "no")]
        out, _ = self.check(1, "list", "-o", "json")
        self.assertRaises(ValueError, json.loads, out)

    def test_a_body_that_is_no_list_is_an_error(self):
        for body in (b"", b"[", b"[1]", b"[{}", b"[{} {}]", b"{}", b"<html>", b"[{}[{}]"):
            self.daemon.plan = [(200, body, {})]
            out, err = self.check(1, "list", "-o", "name")
            self.assertIn("--server", err)

    def test_a_reader_that_leaves_is_no_error(self):
        self.daemon.tasks = {f"t{n}": document(f"t{n}", script="x" * 500) for n in range(3000)}
        process = subprocess.Popen([PAWL, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment(PAWL_SERVER=self.daemon.address))
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(LIMIT), 0)

    def test_a_full_disk_and_a_closed_stdout_are_errors(self):
        self.daemon.tasks["a"] = document("a")
        with open("/dev/full", "wb") as full:
            _, err = self.check(1, "list", stdout=full)
        self.assertIn("No space left", err)
        closed = subprocess.run(["sh", "-c", '"$0" list >&-', PAWL], stderr=subprocess.PIPE,
                                env=environment(PAWL_SERVER=self.daemon.address))
        self.assertEqual(closed.returncode, 1)


class GetStopDelete(WithFake):
    def test_get_prints_fields_script_and_results(self):
        self.daemon.tasks["a"] = document(
            "a", taskType="cron", script="echo 1\necho 2\n", state="Stopped", running=1, runCount=5,
            failureCount=2, nextRun="2026-01-02T03:04:15+00:00",
            results=[result(1, "one\033[2J\ntwo\n"),
                     result(2, "", stderr="oops", exitCode=3, outcome="failure"),
                     result(3, "x", exitCode=None, signal="SIGKILL", outcome="killed",
                            truncated=True)])
        out, _ = self.check(0, "get", "a")
        for line in (r"ID        a", r"TIME      10s", r"    echo 2", r"    | one\x1b[2J", r"    | two",
                     r"    ! oops", r"STATUS    Stopped (1 still running)", r"RUNS      5 (2 failed)",
                     r"  2026-01-02 03:05:02  failure, exit 3, took 3ms",
                     r"  2026-01-02 03:05:03  killed, SIGKILL, took 3ms, output shortened"):
            self.assertIn(line + "\n", out)
        self.assertRegex(out, r"NEXT +2026-01-02 03:04:15 \(.*\)\n")

    def test_formats_of_get(self):
        self.daemon.tasks = {i: document(i) for i in "ab"}
        self.assertEqual(json.loads(self.check(0, "g", "a", "-o", "json")[0]), document("a"))
        self.assertEqual([t["id"] for t in json.loads(self.check(0, "get", "a", "b", "-o=json")[0])],
                         ["a", "b"])
        self.assertEqual(self.check(0, "get", "a", "b", "-o=name")[0], "a\nb\n")
        self.assertEqual(len(self.check(0, "get", "a", "-o=table")[0].splitlines()), 2)

    def test_any_id_is_addressed(self):
        for id in ("a/run", "..", ".", "a b", "100%", "ä中", "?x=1", "#", "a\\b", "~-_.", "a;b", "+"):
            self.daemon.tasks[id] = document(id)
            self.assertEqual(self.check(0, "get", id, "-o", "name")[0], id + "\n")
            self.check(0, "stop", id)
            self.check(0, "delete", id)
            self.assertNotIn(id, self.daemon.tasks)
        self.assertIn(("GET", "/api/tasks/%2E%2E"), self.paths())
        self.assertIn(("GET", "/api/tasks/~-_."), self.paths())

    def test_stop_prints_the_task_and_is_refused_the_second_time(self):
        self.daemon.tasks["a"] = document("a")
        self.assertRegex(self.check(0, "stop", "a")[0], r"a .*Stopped")
        self.assertEqual(self.paths(), [("PUT", "/api/tasks/a")])
        self.assertEqual(self.check(4, "stop", "a"), ("", "pawl: stop a: is Stopped already\n"))

    def test_delete_speaks_on_stderr_and_prints_data_on_demand(self):
        self.daemon.tasks = {i: document(i) for i in "abc"}
        self.assertEqual(self.check(0, "del", "a"), ("", "pawl: deleted a\n"))
        self.assertEqual(self.check(0, "delete", "b", "-kill", "-o", "name"), ("b\n", ""))
        self.assertEqual(self.paths()[1], ("DELETE", "/api/tasks/b?kill=true"))
        self.daemon.plan = [(204, b"", {})]
        self.assertEqual(json.loads(self.check(0, "delete", "c", "-o", "json")[0]), {"id": "c"})

    def test_what_is_not_there_exits_with_3(self):
        for command in ("get", "stop", "delete"):
            out, err = self.check(3, command, "x")
            self.assertEqual((out, err), ("", f'pawl: {command} x: no task "x"\n'))
        self.check(3, "get", "x", "-watch")

    def test_several_of_which_some_fail_exit_with_8(self):
        self.daemon.tasks = {i: document(i) for i in "ab"}
        out, err = self.check(8, "stop", "a", "x", "b", "-o", "name")
        self.assertEqual((out, err), ("a\nb\n", 'pawl: stop x: no task "x"\n'))
        self.assertEqual(self.check(3, "get", "x", "y", "-o", "json")[0], "[]\n")


class Errors(WithFake):
    def test_statuses_become_exit_statuses(self):
        for http_status, status in ((400, 2), (401, 5), (403, 5), (404, 3), (405, 1), (408, 7),
                                    (409, 4), (412, 4), (413, 1), (429, 1), (500, 1), (502, 6),
                                    (503, 1), (504, 7), (507, 1), (302, 1)):
            self.daemon.plan = [self.daemon.problem(http_status, f"detail of {http_status}")]
            out, err = self.check(status, "list")
            self.assertEqual(out, "")
            if http_status >= 400:
                self.assertIn(f"detail of {http_status}", err)

    def test_problems_say_where_when_and_which_request(self):
        self.daemon.plan = [
            self.daemon.problem(400, "must not be empty", field="script", line=3, column=7),
            self.daemon.problem(503, "full", {"Retry-After": "5", "X-Request-ID": "abc"}),
            (404, b"<html>", {}), (500, b"", {}), (400, b"{}", {})]
        self.assertIn("must not be empty (field script) (line 3, column 7)",
                      self.check(2, "list")[1])
        self.assertIn("full; try again in 5s (request abc in the daemon's log)",
                      self.check(1, "list")[1])
        self.assertIn("right --server", self.check(3, "list")[1])
        self.assertIn("status 500", self.check(1, "list")[1])
        self.check(2, "list")

    def test_what_the_server_says_cannot_play_with_the_terminal(self):
        self.daemon.plan = [self.daemon.problem(400, "a\033]0;x\007b")]
        self.assertIn(r"a\x1b]0;x\x07b", self.check(2, "list")[1])

    def test_unreachable_names_the_address_and_the_way_out(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # bound, not listening: refused
            address = "http://127.0.0.1:%d" % free.getsockname()[1]
            for server in (address, "unix:/nonexistent/s"):
                for args in (["list"], ["get", "a", "b"], ["get", "a", "-watch"]):
                    status, out, err = run(*args, "--server", server)
                    self.assertEqual((status, out), (6, ""), err)
                    for word in (server, "pawld", "--server", "PAWL_SERVER"):
                        self.assertIn(word, err)

    def test_a_broken_connection_exits_with_6(self):
        self.daemon.plan = lambda *request: None
        self.check(6, "list")
        _, err = self.check(6, "submit", "a", "-type=delay", "-time=1s", "-script=x")
        self.assertIn("not known", err)

    def test_silence_exits_with_7(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            server = "http://127.0.0.1:%d" % silent.getsockname()[1]
            status, _, err = run("list", "--timeout=1s", server=server)
            self.assertEqual(status, 7, err)

    def test_wrong_documents_are_errors(self):
        for body in (b"", b"[]", b"{", b"hello", b"\xff"):
            self.daemon.plan = [(200, body, {})]
            self.assertIn("--server", self.check(1, "get", "a")[1])


class Addresses(unittest.TestCase):
    def test_unix_sockets_forms_and_precedence(self):
        with tempfile.TemporaryDirectory() as folder:
            daemon = FakeDaemon(os.path.join(folder, "s"))
            self.addCleanup(daemon.close)
            daemon.tasks["a b"] = document("a b")
            for args, server in ((["--server", daemon.address], None), ([], daemon.address),
                                 (["-server=" + daemon.address], "unix:/nonexistent")):
                self.assertEqual(run("get", "a b", "-o", "name", *args, server=server),
                                 (0, "a b\n", ""))
            self.assertEqual(daemon.requests[-1][3]["Host"], "localhost")

    def test_host_and_port_alone_and_paths_before_api(self):
        daemon = FakeDaemon()
        self.addCleanup(daemon.close)
        host = daemon.address[len("http://"):]
        self.assertEqual(run("list", "-o=name", server=host)[0], 0)
        run("list", server=daemon.address + "/prefix/")
        self.assertTrue(daemon.requests[-1][1].startswith("/prefix/api/tasks?"))

    def test_no_proxy_stands_before_a_local_daemon(self):
        daemon = FakeDaemon()
        self.addCleanup(daemon.close)
        env = {"http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
        self.assertEqual(run("list", server=daemon.address, env=env)[0], 0)


class OnATerminal(WithFake):
    def setUp(self):
        super().setUp()
        self.daemon.tasks = {
            "a": document("a", script="echo " + "中" * 100),
            "b": document("b", state="Executing", status=2),
        }

    def terminal(self, *args, **options):
        return Terminal(*args, server=self.daemon.address, **options)

    def test_tables_are_cut_to_the_width(self):
        for columns in (20, 50, 80, 81, 200):
            status, text = self.terminal("list", columns=columns, NO_COLOR="1").end()
            self.assertEqual(status, 0)
            self.assertNotIn("\033", text)
            for line in text.splitlines():
                width = sum(2 if c == "中" else 1 for c in line)
                self.assertLessEqual(0 if line.startswith("pawl: ") else width, columns, line)
        self.assertIn("…", text)
        self.assertIn("CREATED", self.terminal("list", "-o", "wide", columns=60).end()[1])
        self.assertIn("中" * 100, self.check(0, "list")[0])  # and whole in a pipe

    def test_a_narrow_table_keeps_what_matters_and_says_what_it_leaves_out(self):
        due = "2030-11-23T00:00:00Z"
        self.daemon.tasks = {
            "nightly-report": document("nightly-report", taskType="cron", time=0,
                                       cron="30 2 * * mon-fri", state="WaitForNextExecution",
                                       status=3, nextRun=due, script="make report " * 9),
            "b": document("b", nextRun=due),
        }
        for columns, titles, left_out in (
                (200, "ID TYPE TIME SCRIPT STATUS UPDATED NEXT", ""),
                (80, "ID TYPE TIME SCRIPT STATUS UPDATED NEXT", ""),
                (60, "ID TIME SCRIPT STATUS NEXT", "TYPE, UPDATED"),
                (40, "ID STATUS NEXT", "TYPE, TIME, SCRIPT, UPDATED"),
                (10, "ID", "TYPE, TIME, SCRIPT, STATUS, UPDATED, NEXT")):
            with self.subTest(columns=columns):
                status, text = self.terminal("list", columns=columns, NO_COLOR="1").end()
                lines = text.splitlines()
                self.assertEqual((status, lines[0].split()), (0, titles.split()), text)
                self.assertEqual([line for line in lines if line.startswith("pawl: ")], [
                    f"pawl: the terminal is too narrow for {left_out}: -o wide shows all columns"
                ] if left_out else [])
                self.assertEqual("WaitForNextExecution" in text, columns == 200)
                self.assertEqual("Waiting" in text, "STATUS" in titles and columns < 200)
                if "NEXT" in titles:
                    self.assertEqual(text.count("2030-11-23"), 2, text)
        self.assertIn("WaitForNextExecution", self.check(0, "list")[0])
        self.assertIn("WaitForNextExecution", self.terminal("list", "-o=wide", columns=40).end()[1])

    def test_colour_only_where_it_is_wanted(self):
        self.assertIn("\033[33mExecuting\033[0m", self.terminal("list").end()[1])
        self.assertNotIn("\033", self.terminal("list", NO_COLOR="1").end()[1])
        self.assertNotIn("\033", self.terminal("list", TERM="dumb").end()[1])
        self.assertIn("\033[33m", self.terminal("list", NO_COLOR="").end()[1])
        self.assertNotIn("\033", self.check(0, "list")[0])

    def test_watch_shows_a_status_line_and_ends_on_ctrl_c(self):
        terminal = self.terminal("get", "b", "-watch")
        terminal.read_until("Ctrl-C ends watching")
        self.daemon.change("b", state="WaitForNextExecution", results=[result(1)])
        terminal.read_until(r"\r\033\[K2026.*WaitForNextExecution")
        terminal.read_until(r"    \| hi")
        os.write(terminal.fd, b"\x03")
        status, text = terminal.end()
        self.assertEqual(status, 130)
        self.assertTrue(text.endswith("\n"))


class Watch(WithFake):
    def start(self, *args):
        self.daemon.tasks.setdefault("a", document("a"))
        process = subprocess.Popen([PAWL, "get", "a", "-watch=true", *args], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment(PAWL_SERVER=self.daemon.address))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def until(self, process, pattern):
        """Reads lines up to one that matches."""
        lines = []
        for line in process.stdout:
            lines.append(line)
            if re.search(pattern, line):
                return lines
        raise AssertionError(f"{pattern!r} did not come: {lines} {process.stderr.read()}")

    def end(self, process):
        out, err = process.communicate(timeout=LIMIT)
        return process.returncode, out, err

    def test_prints_each_change_until_final(self):
        process = self.start()
        self.until(process, "RESULTS")
        self.daemon.change("a", state="Executing", status=2, running=1)
        self.assertEqual(len(self.until(process, "Executing  version 1$")), 1)
        self.daemon.change("a", state="Executed", status=1, results=[result(1, "done\n")])
        status, out, err = self.end(process)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"Executed  version 2\n  .* success, exit 0, took 3ms\n    \| done\n$")

    def test_prints_only_the_results_that_are_new(self):
        self.daemon.tasks["a"] = document("a", taskType="cron", keepResults=2,
                                          results=[result(1, "one"), result(2, "two")])
        process = self.start()
        self.until(process, r"\| two")
        self.daemon.change("a", results=[result(2, "two"), result(3, "three")])
        self.assertNotIn("    | two\n", self.until(process, r"\| three"))
        self.daemon.change("a", results=[result(8, "eight"), result(9, "nine")])
        self.assertIn("    | eight\n", self.until(process, r"\| nine"))
        self.daemon.change("a", state="Stopped", running=1)
        self.until(process, "Stopped")
        self.assertIsNone(process.poll())
        self.daemon.change("a", running=0)
        self.assertEqual(self.end(process)[0], 0)

    def test_a_task_that_is_final_is_printed_once(self):
        self.daemon.tasks["a"] = document("a", state="Executed", results=[result(1)])
        status, out, _ = self.end(self.start())
        self.assertEqual((status, out.count("| hi")), (0, 1))

    def test_a_deleted_task_ends_it_with_0_and_a_message(self):
        process = self.start()
        self.until(process, "RESULTS")
        self.daemon.change("a", state=None)
        self.assertEqual(self.end(process), (0, "", "pawl: a was deleted\n"))

    def test_an_id_that_was_taken_over_ends_it(self):
        process = self.start()
        self.until(process, "RESULTS")
        self.daemon.change("a", createdAt="2026-05-05T00:00:00Z", version=7)
        status, out, err = self.end(process)
        self.assertEqual((status, out), (0, ""))
        self.assertIn("another task's", err)

    def test_documents_in_json_and_lines(self):
        process = self.start("-o", "ndjson")
        self.until(process, '"version":0')
        self.daemon.change("a", state="Stopped", status=4)
        status, out, _ = self.end(process)
        self.assertEqual((status, json.loads(out)["version"]), (0, 1))

    def test_a_short_loss_is_bridged(self):
        process = self.start()
        self.until(process, "RESULTS")
        self.daemon.plan = [None, self.daemon.problem(503, "stopping"), None]
        self.daemon.change("a", state="Executing")
        self.until(process, "Executing")
        self.daemon.change("a", state="Executed")
        self.assertEqual(self.end(process)[0], 0)

    def test_a_long_loss_exits_with_6(self):
        process = self.start("-timeout=1s")
        self.until(process, "RESULTS")
        self.daemon.plan = lambda *request: None
        self.daemon.change("a")
        status, _, err = self.end(process)
        self.assertEqual(status, 6)
        self.assertIn("trying again for 1s", err)

    def test_a_server_that_does_not_wait_is_not_flooded(self):
        self.daemon.plan = lambda method, path, body: (200, document("a"), {})
        process = self.start()
        self.until(process, "RESULTS")
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1.5)
        self.assertLess(len(self.daemon.requests), 10)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process)[0], 130)

    def test_interrupt_ends_it_with_130_and_a_newline(self):
        process = self.start()
        self.until(process, "RESULTS")
        process.send_signal(signal.SIGINT)
        status, _, err = self.end(process)
        self.assertEqual((status, err), (130, "\n"))

    def test_an_ignored_interrupt_stays_ignored(self):
        self.daemon.tasks["a"] = document("a")
        process = subprocess.Popen(["sh", "-c", "trap '' INT; exec \"$0\" get a -watch", PAWL],
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment(PAWL_SERVER=self.daemon.address))
        self.until(process, "RESULTS")
        process.send_signal(signal.SIGINT)
        self.daemon.change("a", state="Stopped")
        self.assertEqual(self.end(process)[0], 0)


@unittest.skipUnless(PAWLD and os.path.exists(PAWLD), "PAWLD names no daemon: to be run with one")
class WithRealDaemon(unittest.TestCase):
    """Written from the contract; needs the daemon that PAWLD names. Tasks are kept in memory:
    what survives a restart is not the client's to test."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.address = "unix:" + os.path.join(cls.folder.name, "s")
        cls.process = subprocess.Popen(
            [PAWLD, "--listen", cls.address, "--ephemeral"], stdout=subprocess.PIPE, text=True,
            env=environment(), cwd=cls.folder.name)
        for line in cls.process.stdout:
            if line.startswith("pawld: listening"):
                return
        cls.tearDownClass()
        raise AssertionError("pawld ended before it listened")

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(60)
        cls.process.stdout.close()
        cls.folder.cleanup()

    def check(self, expected, *args, **options):
        status, out, err = run(*args, server=self.address, **options)
        self.assertEqual(status, expected, (out, err))
        return out, err

    def test_a_delay_task_runs_and_watch_sees_it(self):
        self.check(0, "submit", "delay-1", "-type=delay", "-time=300ms", "-script=echo hi; exit 3")
        out, _ = self.check(0, "get", "delay-1", "-watch=true")
        self.assertRegex(out, r"Executed  version 2\n")
        self.assertIn("exit 3", out)
        self.assertIn("    | hi\n", out)
        self.check(4, "stop", "delay-1")
        self.check(0, "delete", "delay-1")
        self.check(3, "get", "delay-1")

    def test_a_cron_task_stops_and_stays_stopped(self):
        self.check(0, "s", "cron-1", "-type=cron", "-time=1h", "-script=true", "-keep-results=2")
        self.check(4, "s", "cron-1", "-type=cron", "-time=1h", "-script=true")
        out, _ = self.check(0, "stop", "cron-1", "-o", "json")
        self.assertEqual((json.loads(out)["state"], json.loads(out)["status"]), ("Stopped", 4))
        self.check(4, "stop", "cron-1")

    def test_what_the_daemon_refuses_exits_with_2(self):
        self.check(2, "submit", "bad", "-type=cron", "-time=1us", "-script=true")
        self.check(2, "submit", "bad", "-type=delay", "-time=1s", "-script=")
        self.check(2, "submit", "x" * 256, "-type=delay", "-time=1s", "-script=true")
        self.check(2, "list", "-status=Nonsense")

    def test_lists_page_and_filter(self):
        for n in range(5):
            self.check(0, "submit", f"page/{n} ä", "-type=delay", "-time=1h", "-script=true")
        names = self.check(0, "list", "-prefix=page/", "-o", "name")[0].splitlines()
        self.assertEqual(names, [f"page/{n} ä" for n in range(5)])
        self.assertEqual(self.check(0, "list", "-prefix=page/", "-limit=2", "-o", "name")[0],
                         "page/0 ä\npage/1 ä\n")
        self.assertEqual(self.check(0, "list", "-prefix=page/", "-status=Executed")[0], "no tasks\n")
        self.assertEqual(len(json.loads(self.check(0, "list", "-prefix=page/", "-o=json")[0])), 5)
        self.check(0, "delete", *names)

    def test_odd_ids_and_long_scripts(self):
        for id in ("..", "a/../b", "a b?c#d", "%2F", "中" * 85):
            self.check(0, "submit", id, "-type=delay", "-time=1h", "-script=true")
            self.assertEqual(self.check(0, "get", id, "-o", "name")[0], id + "\n")
            self.check(0, "delete", id)
        script = b"echo long\n" + b"#" * 1_000_000
        self.check(0, "submit", "long", "-type=delay", "-time=0", "-script-file=-", stdin=script)
        self.assertIn("    | long\n", self.check(0, "get", "long", "-watch")[0])
        self.check(0, "delete", "long")

    def test_a_watch_ends_when_the_task_is_deleted(self):
        self.check(0, "submit", "gone", "-type=delay", "-time=1h", "-script=true")
        process = subprocess.Popen([PAWL, "get", "gone", "-watch"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment(PAWL_SERVER=self.address))
        process.stdout.readline()
        self.check(0, "delete", "gone")
        _, err = process.communicate(timeout=LIMIT)
        self.assertEqual((process.returncode, err), (0, "pawl: gone was deleted\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
