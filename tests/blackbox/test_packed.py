#!/usr/bin/env python3
"""NDJSON streams that come packed, by gzip and zstd: whole, put together, cut, damaged and too good."""

import ctypes
import ctypes.util
import gzip
import json
import threading
import unittest

from daemon import SANITIZED, Shared

TASKS = 5000 if SANITIZED else 30000


def zstd(data):
    library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    library.ZSTD_compressBound.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    room = library.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    n = library.ZSTD_compress(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:n]


PACKERS = {"gzip": gzip.compress, "zstd": zstd}


def lines(prefix, n, first=0):
    return b"".join(b'{"id":"%s%d","taskType":"delay","time":"1h","script":"true"}\n'
                    % (prefix.encode(), i) for i in range(first, first + n))


class Packed(Shared):
    OPTIONS = ("--max-body", "100000", "--http-threads", "1")
    DATA = "FOLDER/store"           # so that many lines are under way at once

    def post(self, body, coding, kind="application/x-ndjson"):
        return self.d.call("POST", "/api/tasks", body,
                           ["Content-Type: " + kind, "Content-Encoding: " + coding])

    def send(self, body, coding):
        answer = self.post(body, coding)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def forget(self):
        self.d.call("DELETE", f"/api/tasks?prefix={self.name}")

    def test_all_lines_are_taken_however_many_wait_for_the_store(self):
        for coding, pack in PACKERS.items():
            with self.subTest(coding):
                document = self.send(pack(lines(self.name, TASKS)), coding)
                self.assertEqual(document, {"accepted": TASKS, "rejected": 0, "errors": [],
                                            "errorsTruncated": False})
                self.forget()

    def test_parts_put_together_are_one_stream(self):
        for coding, pack in PACKERS.items():
            with self.subTest(coding):
                text = lines(self.name, 10)
                body = pack(text[:100]) + pack(b"") + pack(text[100:])
                self.assertEqual(self.send(body, coding)["accepted"], 10)
                self.forget()

    def test_a_stream_that_is_cut_keeps_what_came_before(self):
        for coding, pack in PACKERS.items():
            with self.subTest(coding):
                body = pack(lines(self.name, 10)) + pack(lines(self.name, 5000, 10))[:-20]
                document = self.send(body, coding)
                self.assertGreaterEqual(document["accepted"], 10)
                self.assertEqual(document["rejected"], 1)
                self.assertEqual(document["errors"][0]["status"], 400)
                self.assertIn("ends too early", document["errors"][0]["detail"])
                listed = self.d.call("GET", f"/api/tasks?prefix={self.name}").json()
                self.assertEqual(len(listed), document["accepted"])
                self.forget()

    def test_damage_is_told_once_and_the_rest_is_thrown_away(self):
        for coding, pack in PACKERS.items():
            with self.subTest(coding):
                body = pack(lines(self.name, 10)) + b"nonsense" * 5000
                document = self.send(body, coding)
                self.assertEqual((document["accepted"], document["rejected"]), (10, 1))
                self.assertIn(f"the {coding} data is damaged", document["errors"][0]["detail"])
                self.forget()

    def test_what_unpacks_to_a_line_without_end_takes_no_memory(self):
        huge = b"x" * (1 << 20)
        before = self.d.status("VmHWM")
        for coding, pack in PACKERS.items():
            with self.subTest(coding):
                body = pack(huge) * 200 + pack(b"\n" + lines(self.name, 1))
                document = self.send(body, coding)
                self.assertEqual((document["accepted"], document["rejected"]), (1, 1))
                self.assertEqual(document["errors"][0]["status"], 413)
                self.forget()
        if not SANITIZED:
            self.assertLess(self.d.status("VmHWM") - before, 30 << 10)

    def test_what_unpacks_to_much_work_lets_others_have_their_turn(self):
        """8 KiB of it are millions of lines, and others once waited for the last of them."""
        bad = (2 if SANITIZED else 4) << 20
        for coding, pack in PACKERS.items():
            with self.subTest(coding):
                body, documents = pack(lines(self.name, 1) + b"1\n" * bad), []
                sender = threading.Thread(target=lambda: documents.append(self.send(body, coding)))
                with self.d.connect() as other:
                    sender.start()
                    served = 0
                    while sender.is_alive() and served < 6:     # it is there: the stream has begun
                        served += other.call("GET", f"/api/tasks/{self.name}0").status == 200
                    self.assertTrue(sender.is_alive(), served)
                sender.join()
                self.assertEqual((documents[0]["accepted"], documents[0]["rejected"]), (1, bad))
                self.forget()

    def test_a_window_that_is_too_wide_is_told(self):
        document = self.send(b"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00", "zstd")
        self.assertIn("window of more than 8 MiB", document["errors"][0]["detail"])

    def test_other_codings_and_other_bodies_are_refused(self):
        self.assertProblem(self.post(b"", "br"), 415, text="'br' is not known: gzip and zstd are")
        self.assertProblem(self.post(b"x", "gzip, gzip"), 415, text="not known")
        one = json.dumps({"id": self.name, "taskType": "delay", "time": "1h", "script": "true"})
        self.assertProblem(self.post(gzip.compress(one.encode()), "gzip", "application/json"), 415,
                           text="application/x-ndjson only")
        self.assertEqual(self.post(one, "identity", "application/json").status, 200)

    def test_an_empty_stream_has_nothing_accepted(self):
        for coding, pack in PACKERS.items():
            self.assertEqual(self.send(pack(b""), coding)["accepted"], 0)
            self.assertEqual(self.send(b"", coding)["accepted"], 0)


if __name__ == "__main__":
    unittest.main()
