#!/usr/bin/env python3
"""Tasks that call a URL instead of running a script: over REST, by the client, over a crash, and a hundred of them a
second against a server that is slow, fails, redirects in circles and answers with a GiB. Everything is on loopback."""

import datetime
import http.server
import json
import os
import socketserver
import ssl
import subprocess
import threading
import time
import unittest

from daemon import HERE, LIMIT, SANITIZED, Case, Shared, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")
CHUNK = b"x" * (1 << 20)
SLOW = 2            # seconds that the server takes for /slow


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pour(self, mib):
        self.send_response(200)
        self.send_header("Content-Length", str(mib << 20))
        self.end_headers()
        for _ in range(mib):
            self.wfile.write(CHUNK)

    def act(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        path, _, rest = self.path[1:].partition("/")
        self.server.note(path)
        if path == "echo":
            self.answer(body=json.dumps({"method": self.command, "headers": dict(self.headers.items()),
                                         "body": body.decode()}).encode())
        elif path == "status":
            self.answer(int(rest), b"that is it")
        elif path == "circle":
            self.answer(302, Location="/circle")
        elif path == "slow":
            self.server.ending.wait(SLOW)
            self.answer(body=b"late")
        elif path == "never":
            self.server.ending.wait()
            self.close_connection = True
        elif path == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            self.close_connection = True
        elif path == "pour":
            self.pour(int(rest))

    do_GET = do_POST = do_PUT = do_PATCH = act

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.seen = {}
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def note(self, path):
        with self.lock:
            self.seen[path] = self.seen.get(path, 0) + 1

    def handle_error(self, *args):
        pass                            # clients that are killed hang up

    def end(self):
        self.ending.set()
        self.shutdown()
        self.server_close()
        self.thread.join()


def lateness(result):
    """How many seconds late a run began."""
    points = [datetime.datetime.fromisoformat(result[name][:26] + result[name][29:]) for name in ("scheduledFor", "startedAt")]
    return (points[1] - points[0]).total_seconds()


def call(url, **http):
    return {"script": "", "action": {"http": {"url": url, **http}}}


class HttpAction(Shared):
    OPTIONS = ("--workers", "2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.server.end()

    def one(self, path, **fields):
        http = fields.pop("http", {})
        self.d.submit(self.name, time=0, **{**call(self.server.url + path, **http), **fields})
        return self.d.finished(self.name)["results"][0]

    def test_answer_is_the_result(self):
        result = self.one("/status/201")
        self.assertEqual([result[name] for name in ("result", "httpStatus", "outcome", "exitCode", "signal")],
                         ["that is it", 201, "success", None, None])
        self.assertNotIn("error", result)

    def test_request_is_what_was_given_and_says_whose_it_is(self):
        given = {"method": "PATCH", "headers": {"X-A": "b", "Content-Type": "text/plain"}, "body": "größe",
                 "successCodes": [200, "3xx"], "maxRedirects": 0}
        result = self.one("/echo", http=given)
        task = self.d.get(self.name)
        self.assertEqual(task["action"], {"http": {"url": self.server.url + "/echo", **given}})
        self.assertEqual(task["script"], "")
        seen = json.loads(result["result"])
        self.assertEqual((seen["method"], seen["body"]), ("PATCH", "größe"))
        headers = {name.lower(): value for name, value in seen["headers"].items()}
        self.assertEqual(headers["x-a"], "b")
        self.assertEqual(headers["content-type"], "text/plain")
        self.assertEqual((headers["x-pawl-run"], headers["x-pawl-attempt"]), ("1", "1"))
        self.assertTrue(headers["user-agent"].startswith("pawl/"))
        self.assertRegex(headers["x-pawl-scheduled-at"], r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z$")

    def test_failures_say_why(self):
        for path, outcome, status, words in (("/status/500", "failure", 500, ""), ("/circle", "error", 302, "redirected more than 5"),
                                             ("/cut", "error", 200, "5 bytes remaining")):
            with self.subTest(path):
                id = self.name + path.replace("/", "-")
                self.d.submit(id, time=0, **call(self.server.url + path))
                result = self.d.finished(id)["results"][0]
                self.assertEqual((result["outcome"], result["httpStatus"]), (outcome, status))
                self.assertIn(words, result.get("error", ""))
        self.d.submit(self.name + "-tls", time=0, **call(self.server.url.replace("http:", "https:")))
        result = self.d.finished(self.name + "-tls")["results"][0]
        self.assertEqual(result["outcome"], "error")
        self.assertNotIn("httpStatus", result)

    def test_certificate_that_nobody_vouches_for_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(HERE, "../data/self-signed.pem"))
        server = Server(context)
        self.addCleanup(server.end)
        self.d.submit(self.name, time=0, **call(server.url.replace("127.0.0.1", "localhost") + "/status/200"))
        result = self.d.finished(self.name)["results"][0]
        self.assertEqual(result["outcome"], "error")
        self.assertIn("certificate", result["error"])
        self.assertEqual(server.seen, {})

    def test_time_limit_and_kill(self):
        result = self.one("/never", timeout="200ms")
        self.assertEqual(result["outcome"], "timeout")
        self.assertGreaterEqual(result["durationNs"], 200 * 10**6)
        id = self.name + "-killed"
        before = self.server.seen.get("never", 0)
        self.d.submit(id, taskType="cron", time="1ms", **call(self.server.url + "/never"))
        wait_for("the call", lambda: self.server.seen["never"] > before)
        self.assertEqual(self.d.call("PUT", f"/api/tasks/{id}?kill=true").status, 200)
        task = self.d.watch(id, lambda task: task["running"] == 0)
        self.assertEqual(task["results"][-1]["outcome"], "killed")

    def test_retries_are_tried(self):
        self.d.submit(self.name, time=0, retries=2, retryDelay="1ms", **call(self.server.url + "/status/503"))
        task = self.d.watch(self.name, lambda task: len(task["results"]) == 3)
        self.assertEqual([(r["attempt"], r["httpStatus"]) for r in task["results"]], [(1, 503), (2, 503), (3, 503)])

    def test_script_becomes_a_call_and_back_in_place(self):
        path = f"/api/tasks/{self.name}"
        url = self.server.url + "/status/200"
        self.d.submit(self.name, taskType="cron", time="1h", script="echo script")

        def patch(document):
            answer = self.d.call("PATCH", path, document)
            self.assertEqual(answer.status, 200, answer)
            return answer.json()

        patch(call(url, headers={"A": "b"}) | {"script": None})
        task = patch({"action": {"http": {"headers": {"A": None, "C": "d"}}}})
        self.assertEqual((task["script"], task["action"]), ("", {"http": {"url": url, "headers": {"C": "d"}}}))
        self.assertProblem(self.d.call("PATCH", path, call(url) | {"script": "true"}), 400, "script", "not both")
        self.assertEqual(self.d.call("POST", path + "/run").status, 200)
        self.assertEqual(self.d.finished(self.name)["results"][0]["httpStatus"], 200)
        self.assertNotIn("action", patch({"script": "echo back"}))
        self.assertEqual(self.d.call("POST", path + "/run").status, 200)
        self.assertEqual(self.d.finished(self.name, 2)["results"][1]["result"], "back\n")

    def refused(self, field, text, **fields):
        document = {"id": self.name, "taskType": "delay", "time": 0, **fields}
        self.assertProblem(self.d.call("POST", "/api/tasks", document), 400, field, text)

    def test_what_is_wrong_is_told_by_field(self):
        url = "http://a.example/"
        self.refused("script", "script is required, or an action")
        self.refused("script", "not both", **{**call(url), "script": "true"})
        self.refused("action", "it has http", action={"https": {}})
        self.refused("action.http.url", "http:// or https://", **call("gopher://x"))
        self.refused("action.http.headers", '"a b" is none', **call(url, headers={"a b": "x"}))
        self.refused("action.http.url", "Authorization", **call("http://me:secret@a.example/"))
        self.refused("action.http.headers", "made by the call itself", **call(url, headers={"Host": "b"}))
        self.refused("action.http.headers", "one line", **call(url, headers={"A": "b\r\nC: d"}))
        self.refused("action.http.headers", "twice", **call(url, headers={"A": "b", "a": "c"}))
        self.refused("action.http.body", "1 MiB", **call(url, body="x" * (1 << 20) + "x"))
        self.refused("action.http.maxRedirects", "0 to 50", **call(url, maxRedirects=51))
        self.refused("retryOn", "exit statuses", retries=1, retryOn=[7], **call(url))
        self.refused("interpreter", "is of scripts", interpreter="sh", **call(url))
        self.assertNotIn("secret", self.d.log())

    def pawl(self, *words, **more):
        return subprocess.run([PAWL, *words], env={**os.environ, "PAWL_SERVER": self.d.address}, timeout=LIMIT,
                              capture_output=True, text=True, **more)

    def test_client_submits_and_shows_calls(self):
        url = self.server.url + "/echo"
        done = self.pawl("submit", self.name, "-type=delay", "-time=0", f"-url={url}", "-header=X-A: b", "-body=@-",
                         "-success-codes=200,4xx", "-max-redirects=3", input="from stdin")
        self.assertEqual(done.returncode, 0, done.stderr)
        task = self.d.finished(self.name)
        self.assertEqual(task["action"]["http"], {"url": url, "headers": {"X-A": "b"}, "body": "from stdin",
                                                  "successCodes": [200, "4xx"], "maxRedirects": 3})
        self.assertEqual(json.loads(task["results"][0]["result"])["method"], "POST")
        self.assertIn(f"POST {url}", self.pawl("list", f"-prefix={self.name}").stdout)
        shown = self.pawl("get", self.name).stdout
        for line in (f"CALL      POST {url}", "HEADERS   X-A: b", "SUCCESS   200, 4xx", "success, HTTP 200"):
            self.assertIn(line, shown)
        self.assertIn("HTTP 200", self.pawl("runs", self.name).stdout)
        for words in (("-url=http://a/", "-script=b"), ("-method=GET", "-script=b"),
                      ("-url=http://a/", "-success-codes=ok"), ("-url=http://a/", "-header=x")):
            self.assertEqual(self.pawl("submit", "x", "-type=delay", "-time=0", *words).returncode, 2, words)


class Crash(Case):
    def test_call_is_kept_and_one_that_a_crash_cut_off_is_lost(self):
        server = Server()
        self.addCleanup(server.end)
        data = self.place()
        d = self.daemon(data=data)
        d.submit("call", time=0, **call(server.url + "/never", headers={"A": "b"}, successCodes=["5xx"]))
        d.submit("later", **call(server.url + "/status/200", body="x"))
        d.submit("over", time=0, **call(server.url + "/status/404"))
        d.finished("over")
        wait_for("the call", lambda: server.seen.get("never"))
        d.watch("call", lambda task: task["state"] == "Executing")
        before = d.get("later")["action"]
        d.kill()
        d = self.daemon(data=data)
        self.assertEqual(d.finished("call")["results"][0]["outcome"], "lost")
        self.assertEqual(d.get("later")["action"], before)
        self.assertEqual(d.get("over")["results"][0]["httpStatus"], 404)

    def test_shutdown_ends_calls_behind_its_grace(self):
        server = Server()
        self.addCleanup(server.end)
        d = self.daemon("--grace", "0s")
        d.submit("call", time=0, **call(server.url + "/never"))
        wait_for("the call", lambda: server.seen.get("never"))
        self.assertEqual(d.stop(), 0)


class Load(Case):
    def threads(self, d):
        """The names of all but the allocator's, which come and go."""
        names = []
        for task in os.listdir(f"/proc/{d.pid}/task"):
            with open(f"/proc/{d.pid}/task/{task}/comm") as file:
                names.append(file.read().strip())
        return sorted(name for name in names if not name.startswith("jemalloc"))

    def test_a_hundred_calls_a_second_take_no_thread_and_bounded_memory_and_hold_up_no_script(self):
        server = Server()
        self.addCleanup(server.end)
        d = self.daemon("--workers", "2")
        d.submit("warm", time=0, **call(server.url + "/status/200"))
        d.finished("warm")
        threads = self.threads(d)
        seconds, mib = (3, 64) if SANITIZED else (5, 1024)
        most = 0
        kinds = [("slow", "/slow", {}), ("failure", "/status/500", {}), ("circle", "/circle", {}),
                 ("timeout", "/never", {"timeout": "500ms"}), ("success", "/status/200", {}), ("cut", "/cut", {})]
        d.submit("pour", time=0, **call(f"{server.url}/pour/{mib}"))
        begin = time.monotonic()
        n = 0
        with d.connect() as client:
            while time.monotonic() - begin < seconds:
                while n < (time.monotonic() - begin) * 100:
                    kind, path, more = kinds[n % len(kinds)]
                    document = {"id": f"{kind}-{n}", "taskType": "delay", "time": 0, **call(server.url + path), **more}
                    self.assertEqual(client.call("POST", "/api/tasks", json.dumps(document)).status, 200)
                    n += 1
                    if n % 10 == 0:
                        document = {"id": f"script-{n}", "taskType": "delay", "time": 0, "script": "true"}
                        self.assertEqual(client.call("POST", "/api/tasks", json.dumps(document)).status, 200)
                most = max(most, d.status("VmRSS"))
                self.assertEqual(self.threads(d), threads)
                time.sleep(0.002)
        for i in range(n):
            kind = kinds[i % len(kinds)][0]
            task = d.finished(f"{kind}-{i}")
            wanted = {"slow": "success", "circle": "error", "cut": "error"}.get(kind, kind)
            self.assertEqual(task["results"][0]["outcome"], wanted, task)
        scripts = d.call("GET", "/api/tasks?prefix=script-").json()
        late = sorted(lateness(d.finished(task["id"])["results"][0]) for task in scripts)
        self.assertGreaterEqual(len(late), seconds * 9)
        self.assertLess(late[len(late) // 2], 0.1 if not SANITIZED else 2)
        poured = d.finished("pour")["results"][0]
        most = max(most, d.status("VmRSS"))
        self.assertEqual((poured["outcome"], poured["truncated"]), ("success", True))
        self.assertLessEqual(len(poured["result"]), 64 << 10)
        self.assertEqual(self.threads(d), threads)
        self.assertGreaterEqual(n, seconds * 90)
        print(f"{n} calls in {seconds} s, {mib} MiB, at most {most >> 10} MiB resident, {len(threads)} threads, "
              f"scripts late by {late[len(late) // 2] * 1000:.1f} ms at the median, {late[-1] * 1000:.1f} ms at most")
        if not SANITIZED:
            self.assertLess(most, 200 << 10)        # KiB; of an answer of 1 GiB


if __name__ == "__main__":
    unittest.main()
