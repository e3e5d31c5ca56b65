#!/usr/bin/env python3
"""NDJSON streams: many tasks in one request, each line on its own, in bounded memory."""

import json
import unittest

from daemon import SANITIZED, Case, Shared, wait_for

NDJSON = ["Content-Type: application/x-ndjson"]


def line(id, **fields):
    return json.dumps({"id": id, "taskType": "delay", "time": "1h", "script": "true", **fields})


class Streams(Shared):
    def send(self, lines, headers=NDJSON):
        answer = self.d.call("POST", "/api/tasks", lines, headers)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["content-type"], "application/json")
        document = answer.json()
        self.assertEqual(set(document), {"accepted", "rejected", "errors", "errorsTruncated"})
        return document

    def count(self):
        return len(self.d.call("GET", f"/api/tasks?prefix={self.name}").json())

    def test_each_line_is_a_task_of_its_own(self):
        document = self.send("\n".join(line(f"{self.name}{n}") for n in range(500)))
        self.assertEqual(document, {"accepted": 500, "rejected": 0, "errors": [],
                                    "errorsTruncated": False})
        self.assertEqual(self.count(), 500)

    def test_line_ends_may_be_CRLF_and_blank_lines_are_skipped_but_counted(self):
        document = self.send(f"\r\n\n{line(self.name + '1')}\r\n   \n\t\n{line(self.name + '2')}\n"
                             "not json\n\n")
        self.assertEqual((document["accepted"], document["rejected"]), (2, 1))
        self.assertEqual(document["errors"][0]["line"], 7)

    def test_the_type_may_have_parameters_and_any_case(self):
        document = self.send(line(self.name), ["Content-Type: Application/X-NDJSON; charset=utf-8"])
        self.assertEqual(document["accepted"], 1)

    def test_an_empty_stream_has_nothing_accepted(self):
        for lines in ("", "\n", "\r\n \n"):
            self.assertEqual(self.send(lines)["accepted"], 0)

    def test_bad_lines_are_told_by_number_id_status_and_field(self):
        self.d.submit(self.name)
        document = self.send("\n".join((
            line(self.name), "{", line(self.name + "a", time=-1), line(self.name + "b", colour=1),
            line(self.name + "c"), "[]", "null", line("x" * 256), '{"id":"%sd"}' % self.name)))
        self.assertEqual((document["accepted"], document["rejected"]), (1, 8))
        errors = {error["line"]: error for error in document["errors"]}
        self.assertEqual(errors[8].pop("id")[:250], "x" * 250)     # it may be shown in part
        errors[8]["id"] = "long"
        self.assertEqual({n: (errors[n]["id"], errors[n]["status"], errors[n].get("field"))
                          for n in errors},
                         {1: (self.name, 409, "id"), 2: (None, 400, None),
                          3: (self.name + "a", 400, "time"), 4: (self.name + "b", 400, "colour"),
                          6: (None, 400, None), 7: (None, 400, None),
                          8: ("long", 400, "id"), 9: (self.name + "d", 400, "taskType")})
        for error in document["errors"]:
            self.assertTrue(error["detail"])

    def test_at_most_1000_errors_are_told_and_the_rest_counted(self):
        for n, truncated in ((1000, False), (1001, True), (2500, True)):
            document = self.send("{}\n" * n)
            self.assertEqual((document["accepted"], document["rejected"], len(document["errors"]),
                              document["errorsTruncated"]), (0, n, min(n, 1000), truncated))

    def test_lines_may_be_cut_anywhere(self):
        body = "\n".join(line(f"{self.name} {n} 🦀") for n in range(20)).encode()
        with self.d.connect() as client:
            client.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                        b"application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 7):
                part = body[at:at + 7]
                client.send(b"%x\r\n%s\r\n" % (len(part), part))
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.read().json()["accepted"], 20)

    def test_a_line_past_max_body_is_one_error_and_the_stream_goes_on(self):
        long = line(self.name + "2", script="x" * (9 << 20))
        document = self.send("\n".join((line(self.name + "1"), long, line(self.name + "3"))))
        self.assertEqual((document["accepted"], document["rejected"]), (2, 1))
        self.assertEqual((document["errors"][0]["line"], document["errors"][0]["status"]), (2, 413))

    def test_a_stream_that_breaks_off_keeps_what_was_accepted(self):
        for n, half in enumerate((line(f"{self.name}-half")[:-1], "")):
            with self.d.connect() as client:
                client.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            b"application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n")
                for k in range(50):
                    client.send((line(f"{self.name}{n}-{k}") + "\n").encode())
                client.send(half.encode())
            wait_for("the lines", lambda: self.count() == 50 * (n + 1))
        self.assertProblem(self.d.call("GET", f"/api/tasks/{self.name}-half"), 404)

    def test_accepted_tasks_are_there_before_the_stream_ends(self):
        with self.d.connect() as client:
            client.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                        b"application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            data = (line(self.name, time=0, script="echo ran") + "\n").encode()
            client.send(b"%x\r\n%s\r\n" % (len(data), data))
            wait_for("the task", lambda: self.count() == 1)
            self.assertEqual(self.d.finished(self.name)["results"][0]["result"], "ran\n")
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.read().json()["accepted"], 1)


class Long(Case):
    def memory_for(self, line):
        """How many KiB more the daemon takes for a stream of 400,000 lines like this."""
        d = self.daemon()
        d.submit("same")
        d.call("POST", "/api/tasks", line * 1000, NDJSON)
        before, n, block = d.status("VmHWM"), 2 if SANITIZED else 400, line.encode() * 1000
        with d.connect() as client:
            client.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                        b"application/x-ndjson\r\nContent-Length: %d\r\n\r\n"
                        % (n * len(block)))
            for _ in range(n):
                client.send(block)
            answer = client.read().json()
        self.assertEqual((answer["accepted"], answer["rejected"]), (0, n * 1000))
        return d.status("VmHWM") - before

    def test_a_long_stream_of_bad_lines_takes_bounded_memory(self):
        self.assertLess(self.memory_for(line("bad", time=-1, script="x" * 800) + "\n"), 16 << 10)

    def test_a_long_stream_of_used_ids_takes_bounded_memory(self):
        self.assertLess(self.memory_for(line("same", script="x" * 800) + "\n"), 16 << 10)

    def test_limits_count_line_by_line(self):
        d = self.daemon("--max-pending", "10")
        answer = d.call("POST", "/api/tasks", "\n".join(line(f"{n}") for n in range(15)), NDJSON)
        document = answer.json()
        self.assertEqual((document["accepted"], document["rejected"]), (10, 5))
        self.assertEqual([error["status"] for error in document["errors"]], [429] * 5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
