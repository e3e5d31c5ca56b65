#!/usr/bin/env python3
"""Bad input: each is answered with the right status and a problem document that names what is
wrong, and the daemon is unharmed: after each the same daemon serves, and it stops with 0."""

import json
import random
import socket
import time
import unittest

from daemon import DELAY, Case, Shared, request, wait_for


class Unharmed(Shared):
    OPTIONS = ("--request-timeout", "1s")

    def setUp(self):
        super().setUp()
        self.before = self.d.health()["tasks"]

    def tearDown(self):
        """Whatever came: nothing was accepted, and the next request is served."""
        self.assertEqual(self.d.health()["tasks"], self.before)

    def refused(self, body, field=None, text="", status=400, **position):
        answer = self.d.call("POST", "/api/tasks", body)
        document = self.assertProblem(answer, status, field, text)
        for name, value in position.items():
            self.assertEqual(document.get(name), value, document)

    def refused_with(self, field, value, text="", raw=None):
        """A document that is right but for this field; raw: its text in JSON."""
        body = json.dumps({**DELAY, "id": self.name, field: "\0"} if raw is not None else
                          {**DELAY, "id": self.name, field: value}, ensure_ascii=False)
        self.refused(body if raw is None else body.encode().replace(b'"\\u0000"', raw), field, text)


class Json(Unharmed):
    def test_not_json(self):
        for body in ("hello", "<task/>", "id=x&time=1", "'{}'", "undefined", "\x00", "{id:1}",
                     '{"id":"x",}', "// {}", '{"id":"x"} {}', "\x1f\x8b\x08"):
            self.refused(body, text="JSON")

    def test_malformed_json_is_told_by_line_and_column(self):
        self.refused('{\n  "id": "x",\n  "script" "y"\n}', "script", "line 3", line=3, column=12)

    def test_empty_bodies(self):
        for body in ("", " ", "\r\n\t"):
            self.refused(body, text="empty")
        with self.d.connect() as client:
            client.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertProblem(client.read(), 400, text="empty")

    def test_truncated_json(self):
        whole = json.dumps({**DELAY, "id": self.name})
        for n in range(1, len(whole)):
            answer = self.d.call("POST", "/api/tasks", whole[:n])
            self.assertEqual(answer.status, 400, whole[:n])
            self.assertGreaterEqual(answer.json()["column"], 1)

    def test_nesting_10000_deep(self):
        for deep in ("[" * 10_000, "[" * 10_000 + "]" * 10_000, '{"a":' * 10_000,
                     '{"a":' * 10_000 + "1" + "}" * 10_000):
            self.refused(deep)
            answer = self.d.call("POST", "/api/tasks", f'{{"id":"x","results":{deep}}}')
            self.assertEqual(answer.status, 400)

    def test_duplicate_keys(self):
        for twice in ('"id":"b"', '"ID":"b"', '"\\u0069d":"b"'):
            self.refused('{"id":"a","taskType":"delay","time":1,"script":"x",%s}' % twice, "id",
                         "twice")
        self.refused('{"id":"a","status":1,"Status":2}', "status", "twice")

    def test_documents_that_are_no_objects(self):
        for body in ("null", "[]", "true", "1", '"x"', "[{}]"):
            self.refused(body, text="object")

    def test_an_empty_object(self):
        self.refused("{}", "id", "required")

    def test_fields_that_are_missing_or_null(self):
        for field in ("id", "taskType", "time", "script"):
            document = {**DELAY, "id": self.name}
            self.refused({**document, field: None}, field, "required")
            del document[field]
            self.refused(document, field, "required")

    def test_wrong_types(self):
        for field, values in {"id": (1, True, [], {}, 1.5), "taskType": (0, [], {}, True),
                              "time": (True, [], {}), "script": (1, ["true"], {}, False),
                              "keepResults": ("1", True, [], {}, 1.5)}.items():
            for value in values:
                self.refused_with(field, value)

    def test_invalid_UTF_8(self):
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80", b"\x80"):
            for field in ("id", "script"):
                body = json.dumps({**DELAY, "id": "a", field: "@"}).encode().replace(b"@", bad)
                answer = self.d.call("POST", "/api/tasks", body)
                self.assertEqual(answer.status, 400, body)
                answer.json()
            self.assertEqual(self.d.call("POST", "/api/tasks", b'{"' + bad + b'":1}').status, 400)

    def test_lone_surrogates(self):
        for raw in (b'"\\ud800"', b'"\\udc00x"', b'"\\ud800\\u0041"'):
            body = b'{"id":%s,"taskType":"delay","time":1,"script":"x"}' % raw
            self.assertEqual(self.d.call("POST", "/api/tasks", body).status, 400, raw)

    def test_unknown_fields_are_refused_by_name(self):
        self.refused_with("colour", 1, "colour")
        self.refused_with("tiem", 1, "did you mean \"time\"")
        self.refused_with("", 1)
        answer = self.d.call("POST", "/api/tasks", {"x" * 100_000: 1})
        self.assertEqual(answer.status, 400)
        self.assertLess(len(answer.body), 2000)


class Values(Unharmed):
    def test_numbers_beyond_int64(self):
        for raw in (b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616",
                    b"1" + b"0" * 400):
            answer = self.d.call("POST", "/api/tasks", b'{"id":"a","taskType":"delay","time":%s,'
                                 b'"script":"x"}' % raw)
            self.assertProblem(answer, 400, "time")

    def test_NaN_and_infinity(self):
        for raw in (b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"+1", b"0x10", b"01", b"1."):
            answer = self.d.call("POST", "/api/tasks", b'{"id":"a","taskType":"delay","time":%s,'
                                 b'"script":"x"}' % raw)
            self.assertEqual(answer.status, 400, raw)
            self.assertEqual((answer.json()["line"], answer.json().get("field", "time")),
                             (1, "time"), raw)

    def test_a_float_time(self):
        for time in (1.5, 1e3, 0.0):
            self.refused_with("time", time, "integer nanoseconds")

    def test_a_negative_time(self):
        for time in (-1, "-1s", -2**63):
            self.refused_with("time", time)

    def test_a_duration_that_is_none(self):
        for time in ("", "10", "s", "1x", "1s1", "one hour", "1 s", "99999999999h", "1.s.", "１s"):
            self.refused_with("time", time)

    def test_an_interval_of_0_or_below_1_ms(self):
        for time in (0, "0s", 1, 999_999, "999us", -1):
            self.refused({**DELAY, "id": self.name, "taskType": "cron", "time": time}, "time")

    def test_an_unknown_type(self):
        for type in ("", "Delay", "hourly", "delay ", "cron\u0000"):
            self.refused_with("taskType", type)

    def test_an_empty_script(self):
        self.refused_with("script", "", "empty")

    def test_a_script_of_2_MiB(self):
        self.refused_with("script", "#" * (2 << 20))
        self.refused_with("script", "#" * ((1 << 20) + 1))

    def test_a_NUL_in_a_script(self):
        self.refused_with("script", None, "NUL", raw=b'"echo \\u0000"')

    def test_keepResults_out_of_bounds(self):
        for value in (-1, 10_001, 2**40, 2**64, -2**63):
            self.refused_with("keepResults", value)

    def test_bad_ids(self):
        for id in ("", "a\n", "\t", "\u007f", "\u0000", "\u0085", "x" * 256, "é" * 128):
            self.refused_with("id", id)

    def test_bad_ids_in_a_path_are_not_found(self):
        for path in ("%00", "x" * 256, "%0A", "%FF", "x" * 7000):
            for method in ("GET", "PUT", "DELETE"):
                answer = self.d.call(method, "/api/tasks/" + path)
                self.assertIn(answer.status, (400, 404))
                self.assertEqual(answer.json()["status"], answer.status)

    def test_random_bytes_never_harm(self):
        seed = random.randrange(2**32)
        chooser = random.Random(seed)
        whole = json.dumps({**DELAY, "id": "é\\\"", "results": [{"a": [1, -2.5e3, None]}]}).encode()
        with self.d.connect() as client:
            for _ in range(1000):
                body = bytearray(whole)
                for _ in range(chooser.randint(1, 6)):
                    at = chooser.randrange(len(body))
                    body[at:at + chooser.randint(0, 3)] = chooser.randbytes(chooser.randint(0, 3))
                answer = client.call("POST", "/api/tasks", bytes(body))
                self.assertIn(answer.status, (200, 400), (seed, body))
                if answer.status == 200:
                    client.call("DELETE", "/api/tasks/" + "".join(
                        f"%{b:02x}" for b in answer.json()["id"].encode()))
                answer.json()


class Framing(Unharmed):
    """What is wrong with the request itself: these end the connection after the answer."""

    def raw(self, data):
        with self.d.connect() as client:
            client.send(data)
            answer = client.read()
            client.rest()
            return answer

    def post(self, *headers, body=b""):
        return b"\r\n".join((b"POST /api/tasks HTTP/1.1", b"Host: localhost", *headers, b"", body))

    def test_transfer_encoding_together_with_content_length(self):
        for headers in ((b"Transfer-Encoding: chunked", b"Content-Length: 5"),
                        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
                        (b"content-length: 0", b"TRANSFER-ENCODING: chunked"),
                        (b"Transfer-Encoding: identity", b"Content-Length: 5")):
            answer = self.raw(self.post(*headers, body=b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"))
            self.assertProblem(answer, 400, text="Transfer-Encoding and Content-Length")

    def test_other_transfer_encodings(self):
        for value in (b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity", b"\x0bchunked"):
            self.assertProblem(self.raw(self.post(b"Transfer-Encoding: " + value)), 501)

    def test_lengths_that_are_none(self):
        for value in (b"abc", b"-1", b"+5", b"5x", b"0x5", b"5 5", b"5,5", b"1e3"):
            self.assertEqual(self.raw(self.post(b"Content-Length: " + value, body=b"hello")).status,
                             400, value)
        self.assertEqual(self.raw(self.post(b"Content-Length: 5", b"Content-Length: 6",
                                            body=b"hello")).status, 400)

    def test_bodies_longer_than_max_body(self):
        for length in (b"8388609", b"1000000000000000", b"99999999999999999999999999"):
            self.assertEqual(self.raw(self.post(b"Content-Length: " + length)).status, 413, length)
        big = b"x" * (9 << 20)
        self.assertProblem(self.raw(self.post(b"Content-Length: %d" % len(big), body=big)), 413,
                           text="--max-body")
        self.assertProblem(self.raw(self.post(
            b"Transfer-Encoding: chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big))), 413,
            text="--max-body")

    def test_a_body_longer_than_it_says_is_not_taken_for_more_of_the_task(self):
        body = json.dumps({**DELAY, "id": self.name, "time": -1}).encode()
        with self.d.connect() as client:
            client.send(request("POST", "/api/tasks", body) + b"more of it\r\n\r\n")
            self.assertProblem(client.read(), 400, "time")
            self.assertEqual(client.read().status, 400)

    def test_a_body_shorter_than_it_says_is_408(self):
        answer = self.raw(self.post(b"Content-Length: 500", body=json.dumps(
            {**DELAY, "id": self.name}).encode()))
        self.assertProblem(answer, 408)

    def test_bad_chunks(self):
        for chunks in (b"zz\r\n", b"-1\r\n", b"5\r\nhelloworld", b"fffffffffffffffff\r\n"):
            answer = self.raw(self.post(b"Transfer-Encoding: chunked", body=chunks))
            self.assertIn(answer.status, (400, 413), chunks)

    def test_header_names_with_blanks_and_lines_without_a_colon(self):
        for line in (b"Content-Length : 5", b"Content Length: 5", b"nonsense"):
            self.assertEqual(self.raw(self.post(line)).status, 400, line)

    def test_8_KiB_of_headers_are_accepted(self):
        start = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"
        for n in (1, 10, 100):
            room = 8192 - len(start) - 2
            lines = [b"X-%03d: " % i + b"v" * (room // n - 9) + b"\r\n" for i in range(n)]
            lines[-1] = lines[-1][:7] + b"v" * (room - room // n * n) + lines[-1][7:]
            data = start + b"".join(lines) + b"\r\n"
            self.assertEqual(len(data), 8192)
            with self.d.connect() as client:
                client.send(data)
                self.assertEqual(client.read().status, 200, n)
        self.assertEqual(self.d.call("GET", "/api/tasks?prefix=" + "a" * 8100).status, 200)

    def test_huge_headers_are_431_and_a_huge_target_414(self):
        for size in (30_000, 64_000, 1_000_000):
            for status, data in ((431, b"GET / HTTP/1.1\r\nX: " + b"v" * size + b"\r\n\r\n"),
                                 (414, b"GET /" + b"a" * size + b" HTTP/1.1\r\n\r\n"),
                                 (431, b"GET / HTTP/1.1\r\n" + b"X: v\r\n" * (size // 6) + b"\r\n")):
                with self.d.connect() as client:
                    try:
                        client.send(data)
                        got = client.read().status
                    except ConnectionError:     # it went on sending after the answer
                        continue
                    self.assertEqual(got, status, size)

    def test_garbage_is_refused_or_closed(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 1000 + b"\r\n\r\n", b"GET / HTTP/9.9"
                     b"\r\n\r\n", b"\r\n" * 2000, b"GET  /  HTTP/1.1\r\n\r\n", b": \r\n\r\n"):
            with self.d.connect() as client:
                client.send(data)
                self.assertNotIn(b" 200 ", client.rest()[:20])


class Slow(Unharmed):
    """Clients that take their time; --request-timeout is 1 s here."""

    def drip(self, start, byte=b"a"):
        """Sends a byte every tenth of a second until the daemon ends it; gives its answer."""
        with self.d.connect() as client:
            began = time.monotonic()
            client.send(start)
            client.socket.settimeout(0.1)
            data = b""
            while True:
                try:
                    more = client.socket.recv(1 << 16)
                    if not more:
                        break
                    data += more
                except socket.timeout:
                    client.socket.sendall(byte)
                except ConnectionError:
                    break
            self.assertLess(time.monotonic() - began, 10)
            return data

    def test_a_request_line_at_a_byte_a_moment_is_cut_off(self):
        self.assertIn(b" 408 ", self.drip(b"GET /")[:20])

    def test_headers_at_a_byte_a_moment_are_cut_off(self):
        self.assertIn(b" 408 ", self.drip(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")[:20])

    def test_a_body_at_a_byte_a_moment_is_cut_off(self):
        self.assertIn(b" 408 ", self.drip(b"POST /api/tasks HTTP/1.1\r\nContent-Length: 500\r\n\r\n",
                                          b" ")[:20])

    def test_chunks_of_a_byte_a_moment_are_cut_off(self):
        self.assertIn(b" 408 ", self.drip(b"POST /api/tasks HTTP/1.1\r\nTransfer-Encoding: "
                                          b"chunked\r\n\r\n", b"1\r\n \r\n")[:20])

    def test_a_connection_that_says_nothing_is_cut_off(self):
        with self.d.connect() as client:
            self.assertIn(client.rest()[9:12], (b"408", b""))

    def test_a_quiet_connection_between_requests_is_closed_without_an_answer(self):
        with self.d.connect() as client:
            self.assertEqual(client.call("GET", "/api/health").status, 200)
            self.assertEqual(client.rest(), b"")

    def test_many_slow_clients_hold_up_nobody(self):
        clients = [self.d.connect() for _ in range(500)]
        for n, client in enumerate(clients):
            client.send((b"G", b"GET / HTTP/1.1\r\nX", b"POST /api/tasks HTTP/1.1\r\nContent-Length:"
                         b" 9\r\n\r\n{")[n % 3])
        for _ in range(50):
            began = time.monotonic()
            self.assertEqual(self.d.call("GET", "/api/health").status, 200)
            self.assertLess(time.monotonic() - began, 5)
        for client in clients:
            client.close()


class Vanishing(Case):
    def test_clients_that_vanish_mid_request_leave_nothing_behind(self):
        # libmicrohttpd does not see an end that comes with the last bytes: then the deadline does.
        d = self.daemon("--request-timeout", "1s")
        fds = d.fds()
        d.submit("t")
        whole = request("POST", "/api/tasks", {**DELAY, "id": "x" * 100})
        for data in (b"", b"G", b"GET /api/tasks HTTP/1.1\r\nHo", whole[:-40], whole[:-1],
                     b"POST /api/tasks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
                     request("GET", "/api/tasks") * 100, request("GET", "/api/tasks/t?watch=1")):
            for reset in (False, True):
                for _ in range(20):
                    client = d.connect()
                    client.send(data)
                    if reset:
                        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                 b"\1\0\0\0\0\0\0\0")
                    client.close()
        wait_for("all connections to be forgotten", lambda: d.fds() <= fds)
        self.assertEqual([task["id"] for task in d.call("GET", "/api/tasks").json()], ["t"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
