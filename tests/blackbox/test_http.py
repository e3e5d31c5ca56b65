#!/usr/bin/env python3
"""HTTP itself: methods, hosts, origins, request ids, targets, keep-alive."""

import json
import socket
import unittest

from daemon import Case, Shared, request, wait_for


class Validators(Shared):
    def get(self, etag, method="GET"):
        return self.d.call(method, f"/api/tasks/{self.name}", headers=["If-None-Match: " + etag])

    def test_task_that_the_client_has_is_not_sent_again(self):
        self.d.submit(self.name)
        etag = self.d.call("GET", f"/api/tasks/{self.name}").headers["etag"]
        self.assertRegex(etag, '^W/"[0-9a-f]{16}"$')
        for known in (etag, etag[2:], f'"x", {etag} ,"y"', "*"):
            with self.d.connect() as client:        # the next answer begins where it should
                client.send(f"GET /api/tasks/{self.name} HTTP/1.1\r\nHost: localhost\r\n"
                            f"If-None-Match: {known}\r\n\r\n".encode())
                answer = client.read(is_head=True)
                self.assertEqual((answer.status, answer.headers["etag"]), (304, etag))
                self.assertNotIn("content-type", answer.headers)
                self.assertEqual(client.call("GET", "/api/health").status, 200)
        for other in ('W/"0000000000000000"', etag[:-2] + '"', "", '""'):
            self.assertEqual(self.get(other).status, 200, other)

    def test_each_change_has_another_validator_also_one_that_leaves_the_version(self):
        self.d.submit(self.name, taskType="cron", time="1h")
        seen = []
        for what in ("pause", "run", "resume"):
            answer = self.d.call("GET", f"/api/tasks/{self.name}")
            self.assertNotIn(answer.headers["etag"], seen)
            seen.append(answer.headers["etag"])
            self.d.call("POST", f"/api/tasks/{self.name}/{what}")
        self.assertEqual(self.d.call("GET", f"/api/tasks/{self.name}none",
                                     headers=["If-None-Match: *"]).status, 404)

    def test_task_that_has_the_id_of_a_deleted_one_has_another_validator(self):
        self.d.submit(self.name)
        etag = self.d.call("GET", f"/api/tasks/{self.name}").headers["etag"]
        self.d.call("DELETE", f"/api/tasks/{self.name}")
        self.d.submit(self.name)
        self.assertEqual(self.get(etag).status, 200)


class Methods(Shared):
    def test_HEAD_is_answered_wherever_GET_is_without_a_body(self):
        self.d.submit(self.name)
        for path in ("/api/tasks", "/api/tasks?limit=5", f"/api/tasks/{self.name}", "/api/health"):
            with self.d.connect() as client:
                get = client.call("GET", path)
                head = client.call("HEAD", path)
                self.assertEqual((head.status, head.body), (200, b""))
                self.assertEqual(head.headers["content-type"], get.headers["content-type"])
                self.assertEqual(client.call("GET", path).status, 200)
        self.assertEqual(self.d.call("HEAD", "/api/tasks/none").status, 404)

    def test_HEAD_of_a_stream_sends_nothing_that_the_next_answer_could_begin_with(self):
        self.d.submit(self.name, script="#" * 1_000_000)    # too long for an answer of known length
        for path in ("/api/tasks", f"/api/tasks?prefix={self.name}"):
            for version in ("1.1", "1.0"):
                with self.d.connect() as client:
                    client.send(f"HEAD {path} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
                    head = client.read(is_head=True)
                    self.assertEqual((head.status, head.headers["connection"]), (200, "close"))
                    self.assertEqual(client.rest(), b"", path)

    def test_a_wrong_method_is_405_with_Allow(self):
        for method, path, allow in (("PATCH", "/api/tasks", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
                                    ("BREW", "/api/tasks/", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
                                    ("GET", "/api/tasks:run", "POST, OPTIONS"),
                                    ("POST", "/api/tasks/x", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
                                    ("TRACE", "/api/tasks/x", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
                                    ("BREW", "/api/tasks/x/", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
                                    ("get", "/api/tasks/x", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
                                    ("POST", "/api/health", "GET, HEAD, OPTIONS")):
            answer = self.d.call(method, path)
            self.assertProblem(answer, 405, text=method)
            self.assertEqual(answer.headers["allow"], allow, path)

    def test_OPTIONS_is_204_with_Allow(self):
        answer = self.d.call("OPTIONS", "/api/tasks/x")
        self.assertEqual((answer.status, answer.headers["allow"]),
                         (204, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"))
        self.assertEqual(self.d.call("OPTIONS", "/api/nothing").status, 404)

    def test_unknown_paths_are_404(self):
        for path in ("/", "/api", "/api/", "/api/task", "/api/tasks/a/b", "/api//tasks",
                     "/api/tasks//", "/API/tasks", "/api/tasks/../tasks", "/api/health/x",
                     "/" + "a/" * 100, "/favicon.ico"):
            self.assertProblem(self.d.call("GET", path), 404)

    def test_unknown_parameters_are_refused_and_the_known_ones_named(self):
        for method, path, known in (("GET", "/api/tasks?nme=1", "prefix"),
                                    ("GET", "/api/tasks?=1", "prefix"),
                                    ("GET", "/api/tasks/x?watchh=1", "watch"),
                                    ("DELETE", "/api/tasks/x?force=1", ""),
                                    ("PUT", "/api/tasks/x?force", "kill"),
                                    ("POST", "/api/tasks?dry-run", "none")):
            self.assertProblem(self.d.call(method, path, "" if method == "POST" else None), 400,
                               text=known)

    def test_malformed_parameters_are_refused_by_name(self):
        self.d.submit(self.name)
        for query, field in (
                ("?status=5", "status"), ("?status=", "status"), ("?status=0,,1", "status"),
                ("?status=running", "status"), ("?type=x", "type"), ("?type=", "type"),
                ("?limit=0", "limit"), ("?limit=-1", "limit"), ("?limit=10001", "limit"),
                ("?limit=1.0", "limit"), ("?limit=99999999999999999999", "limit"),
                ("?limit=", "limit"), ("?results=-1", "results"), ("?results=10001", "results"),
                ("?results=all", "results"), ("?after=none", "after"), ("?after=@", "after"),
                ("?after=@1x", "after"), ("?after=%00", "after"),
                (f"/{self.name}?watch=yes", "watch"), (f"/{self.name}?watch", "watch"),
                (f"/{self.name}?watch=tRuE", "watch"), (f"/{self.name}?version=1.5", "version"),
                (f"/{self.name}?version=9223372036854775808", "version"),
                (f"/{self.name}?version=0x1", "version"), (f"/{self.name}?version=", "version"),
                (f"/{self.name}?watch=1&wait=-1s", "wait"), (f"/{self.name}?wait=1", None),
                (f"/{self.name}?wait=soon", "wait"), (f"/{self.name}?wait=9999999h", "wait")):
            answer = self.d.call("GET", "/api/tasks" + query)
            if field:
                self.assertProblem(answer, 400, field)
            else:
                self.assertEqual(answer.status, 200, query)

    def test_a_parameter_given_twice_is_refused(self):
        for query in ("limit=1&limit=1", "prefix=a&type=cron&prefix=b"):
            self.assertProblem(self.d.call("GET", "/api/tasks?" + query), 400, text="twice")
        self.assertProblem(self.d.call("GET", "/api/tasks?" + "&".join(["status=1"] * 33)), 400)

    def test_malformed_escapes_are_400(self):
        for path in ("/api/tasks/%", "/api/tasks/%4", "/api/tasks/%zz", "/api/tasks/a%2", "/%GG",
                     "/api/tasks?prefix=%", "/api/tasks?%=1"):
            self.assertProblem(self.d.call("GET", path), 400, text="%")

    def test_a_target_may_be_absolute(self):
        self.assertEqual(self.d.call("GET", "http://localhost:1/api/health").status, 200)
        self.assertProblem(self.d.call("GET", "http://evil.example/api/health"), 403)

    def test_the_routes_at_start_are_those_that_are_served(self):
        self.assertGreaterEqual(len(self.d.routes), 7)
        for line in self.d.routes:
            _, method, path, _ = line.split(None, 3)
            answer = self.d.call(method, path.replace("{id}", "none"), "" if method == "POST" else
                                 None)
            self.assertNotEqual(answer.status, 405, line)
            self.assertFalse(answer.status == 404 and "{" not in path, line)


class Guard(Shared):
    OPTIONS = ("--host", "tasks.example", "--listen", "127.0.0.1:0", "--listen", "[::1]:0")

    def test_own_hosts_pass_whatever_their_port(self):
        for host in ("localhost", "LocalHost:1", "127.0.0.1", "127.1.2.3:99", "[::1]", "[::1]:7",
                     "tasks.example", "TASKS.EXAMPLE:8865"):
            self.assertEqual(self.d.call("GET", "/api/health", None, [f"Host: {host}"]).status, 200,
                             host)

    def test_other_hosts_get_403(self):
        for host in ("evil.example", "localhost.evil.example", "tasks.example.evil", "10.0.0.1",
                     "xlocalhost", "[::2]", "0.0.0.0", "127.0.0.1.nip.io"):
            answer = self.d.call("GET", "/api/health", None, [f"Host: {host}"])
            self.assertProblem(answer, 403, text=host)
            self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_a_missing_host_passes(self):
        with self.d.connect() as client:
            client.send(b"GET /api/health HTTP/1.1\r\n\r\n")
            self.assertEqual(client.read().status, 200)
            client.send(b"GET /api/health HTTP/1.0\r\n\r\n")
            self.assertEqual(client.read().status, 200)

    def test_malformed_hosts_get_403_as_all_others(self):
        for host in ("local host", "localhost:x", "", "[::1", "a@localhost", "localhost/x"):
            self.assertProblem(self.d.call("GET", "/api/health", None, [f"Host: {host}"]), 403)

    def test_repeated_hosts_are_400(self):
        for headers in (["Host: localhost", "Host: localhost"],
                        ["Host: localhost", "Host: evil.example"]):
            self.assertProblem(self.d.call("GET", "/api/health", None, headers), 400)

    def test_own_origins_pass(self):
        for origin in ("http://localhost", "https://LOCALHOST:3000", "http://127.0.0.1:8865",
                       "http://[::1]:1", "https://tasks.example"):
            self.assertEqual(self.d.call("GET", "/api/health", None, [f"Origin: {origin}"]).status,
                             200, origin)

    def test_other_origins_and_null_get_403_and_change_nothing(self):
        for origin in ("null", "http://evil.example", "https://localhost.evil.example", "file://",
                       "localhost", "ftp://localhost", "chrome-extension://abc", "",
                       "http://localhost/", "http://localhost:x", "http://a@localhost",
                       "http://localhost http://evil.example"):
            for method, path, body in (("POST", "/api/tasks", '{"id":"csrf","taskType":"delay",'
                                        '"time":0,"script":"true"}'), ("DELETE", "/api/tasks/x", None),
                                       ("GET", "/api/tasks", None), ("OPTIONS", "/api/tasks", None)):
                self.assertProblem(self.d.call(method, path, body, [f"Origin: {origin}"]), 403)
        self.assertProblem(self.d.call("GET", "/api/tasks/csrf"), 404)

    def test_bytes_that_are_no_UTF_8_are_shown_as_valid_JSON(self):
        for data in (b"GET /api/tasks/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: \xc3\r\n\r\n",
                     b"GET /api/tasks?\xff=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /api/tasks?status=\xe2\x82 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET /api/tasks?after=%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with self.d.connect() as client:
                client.send(data)
                answer = client.read()
                self.assertIn(answer.status, (400, 403, 404))
                self.assertEqual(answer.json()["status"], answer.status)


class Sockets(Case):
    def test_over_a_unix_socket_any_host_passes_but_no_foreign_origin(self):
        d = self.daemon("--listen", "unix:FOLDER/s")
        self.assertEqual(d.call("GET", "/api/health", None, ["Host: whatever"]).status, 200)
        self.assertProblem(d.call("GET", "/api/health", None, ["Origin: http://evil.example"]), 403)


class RequestIds(Case):
    def test_a_request_id_is_taken_or_made_answered_and_logged(self):
        d = self.daemon("--log-level", "debug", "--log-format", "json")
        given = "trace-0123456789/abc:~!"
        answer = d.call("POST", "/api/tasks", "{}", [f"x-request-id: {given}"])
        self.assertEqual(answer.headers["x-request-id"], given)
        made = d.call("GET", "/api/health").headers["x-request-id"]
        self.assertNotEqual(made, d.call("GET", "/api/health").headers["x-request-id"])
        for bad in ("a" * 129, "two words", "é", ""):
            taken = d.call("GET", "/none", None, [f"X-Request-ID: {bad}"]).headers["x-request-id"]
            self.assertRegex(taken, r"^[!-~]{1,128}$")
            self.assertNotEqual(taken, bad)

        def logged():
            lines = [json.loads(line) for line in d.log().splitlines()]
            return {line["request"]: line for line in lines if "request" in line}

        wait_for("the log", lambda: {given, made} <= set(logged()))
        self.assertEqual(logged()[given]["status"], 400)
        self.assertEqual(logged()[given]["target"], "/api/tasks")

    def test_a_request_id_is_on_every_line_of_what_the_request_did(self):
        d = self.daemon("--log-level", "debug", "--log-format", "json")
        task = {"id": "t", "taskType": "cron", "time": "1h", "script": ":"}
        line = (json.dumps({**task, "id": "line"}) + "\n").encode()
        stream = ["Content-Type: application/x-ndjson"]
        for id, method, target, body, headers in (
                ("r-submit", "POST", "/api/tasks", json.dumps(task).encode(), []),
                ("r-stream", "POST", "/api/tasks", line, stream),
                ("r-stop", "PUT", "/api/tasks/t", None, []),
                ("r-delete", "DELETE", "/api/tasks/line?kill=true", None, [])):
            answer = d.call(method, target, body, headers + [f"X-Request-ID: {id}"])
            self.assertEqual(answer.status, 200)

        def done():
            lines = [json.loads(line) for line in d.log().splitlines()]
            return {(line["request"], line["message"], line["task"])
                    for line in lines if "task" in line}

        wait_for("the log", lambda: done() == {
            ("r-submit", "submitted", "t"), ("r-stream", "submitted", "line"),
            ("r-stop", "stopped", "t"), ("r-delete", "deleted", "line")})

    def test_a_request_cannot_write_lines_of_its_own_into_the_log(self):
        d = self.daemon("--log-level", "debug")
        d.call("GET", "/api/tasks/%0a2026-01-01T00:00:00Z%20forged?a=%0d%0aforged")
        wait_for("the log", lambda: "forged" in d.log())
        self.assertFalse([line for line in d.log().splitlines() if line.startswith("2026-01-01")])


class KeepAlive(Shared):
    def test_pipelined_requests_are_answered_in_order(self):
        for n in range(20):
            self.d.submit(f"{self.name}{n}")
        with self.d.connect() as client:
            client.send(b"".join(request("GET", f"/api/tasks/{self.name}{n % 20}")
                                 for n in range(200)))
            for n in range(200):
                self.assertEqual(client.read().json()["id"], f"{self.name}{n % 20}")

    def test_a_refusal_leaves_the_connection_open(self):
        with self.d.connect() as client:
            for method, path, body, status in (
                    ("GET", "/none", None, 404), ("PATCH", "/api/tasks", "x", 405),
                    ("POST", "/api/tasks", "{", 400), ("POST", "/none", "x" * 1000, 404),
                    ("GET", "/api/tasks?x=1", None, 400), ("GET", "/api/health", "a body", 200)):
                self.assertEqual(client.call(method, path, body).status, status)

    def test_connection_close_ends_it(self):
        with self.d.connect() as client:
            self.assertEqual(client.call("GET", "/api/health", None, ["Connection: close"]).status,
                             200)
            self.assertEqual(client.rest(), b"")

    def test_a_client_that_has_no_more_to_send_is_still_answered(self):
        for method, body in (("GET", None), ("POST", '{"id":"half","taskType":"delay","time":"1h",'
                                             '"script":"true"}')):
            with self.d.connect() as client:
                client.ask(method, "/api/tasks", body)
                client.socket.shutdown(socket.SHUT_WR)
                self.assertEqual(client.read().status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
