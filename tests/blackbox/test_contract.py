#!/usr/bin/env python3
"""The contract to the letter: corners that a client of other people's may stand in."""

import json
import os
import subprocess
import tempfile
import unittest
import urllib.parse

from daemon import DELAY, PAWLD, Case, Shared, environment, quote

PAWL = os.environ.get("PAWL") or os.path.join(os.path.dirname(PAWLD), "pawl")
NDJSON = ["Content-Type: application/x-ndjson"]


class Ids(Shared):
    def test_an_id_that_looks_like_a_cursor_is_a_place_in_the_list(self):
        ids = ["@1", "@2", "@3", "@0"]
        for id in ids:
            self.d.submit(id)
        for i, id in enumerate(ids):
            answer = self.d.call("GET", f"/api/tasks?after={quote(id)}")
            self.assertEqual([task["id"] for task in answer.json()], ids[i + 1:])
        target, found = "/api/tasks?limit=1&prefix=%40", []
        while target:
            answer = self.d.call("GET", target)
            found += [task["id"] for task in answer.json()]
            link = answer.headers.get("link", "<>")
            target = link[link.index("<") + 1:link.index(">")]
        self.assertEqual(found, ids)

    def test_a_cursor_survives_being_decoded_and_encoded_again(self):
        for i in range(3):
            self.d.submit(f"{self.name}{i}")
        link = self.d.call("GET", f"/api/tasks?limit=1&prefix={self.name}").headers["link"]
        query = urllib.parse.parse_qs(link[link.index("?") + 1:link.index(">")])
        again = "/api/tasks?" + urllib.parse.urlencode(query, doseq=True)
        self.assertEqual([task["id"] for task in self.d.call("GET", again).json()],
                         [f"{self.name}1"])

    def test_a_link_fits_whatever_the_length_of_the_query(self):
        for i in range(3):
            self.d.submit(f"{self.name}{i}")
        states = ",".join(["0", "Executed"] * 700)
        target = f"/api/tasks?status={states}&limit=1&status=4&prefix={self.name}"
        answer = self.d.call("GET", target)
        self.assertEqual([task["id"] for task in answer.json()], [f"{self.name}0"])
        link = answer.headers["link"]
        self.assertIn("status=0,1,4&", link)
        answer = self.d.call("GET", link[link.index("<") + 1:link.index(">")])
        self.assertEqual([task["id"] for task in answer.json()], [f"{self.name}1"])

    def test_a_prefix_longer_than_any_id_finds_nothing(self):
        for query in ("", "&limit=1"):
            answer = self.d.call("GET", f"/api/tasks?prefix={'%20' * 256}{query}")
            self.assertEqual((answer.status, answer.json()), (200, []))
            self.assertNotIn("link", answer.headers)


class Streams(Shared):
    def test_errors_show_the_beginning_of_endless_ids_and_names(self):
        n = 200
        lines = [json.dumps({**DELAY, "id": "é" * 100000}, ensure_ascii=False),
                 json.dumps({**DELAY, "x" * 200000: 1})] * n
        answer = self.d.call("POST", "/api/tasks", "\n".join(lines[:20]), NDJSON).json()
        self.assertEqual(answer["rejected"], 20)
        self.assertEqual(answer["errors"][0]["id"], "é" * 127)
        self.assertEqual(answer["errors"][1]["field"], "x" * 255)
        with self.d.connect() as client:
            client.send("\r\n".join(["POST /api/tasks HTTP/1.1", "Host: localhost", *NDJSON,
                                     "Transfer-Encoding: chunked", "", ""]).encode())
            for line in lines:
                data = line.encode() + b"\n"
                client.send(b"%x\r\n%s\r\n" % (len(data), data))
            client.send(b"0\r\n\r\n")
            answer = client.read()
        self.assertEqual(answer.json()["rejected"], 2 * n)
        self.assertLess(len(answer.body), 2 * n * 2000)


class CommandLine(Case):
    def pawl(self, daemon, *words):
        return subprocess.run([PAWL, *words], env=environment(PAWL_SERVER=daemon.address),
                              capture_output=True, text=True, timeout=60)

    def test_every_flag_takes_its_value_in_every_form(self):
        daemon = self.daemon()
        daemon.submit("a", time=0)
        daemon.finished("a")
        for form in (["-watch=true"], ["-watch", "true"], ["--watch=true"], ["--watch", "true"],
                     ["-watch"]):
            for words in ([*form, "a"], ["a", *form]):
                done = self.pawl(daemon, "get", *words, "-o", "name")
                self.assertEqual((done.returncode, done.stdout), (0, "a\n"), (words, done.stderr))
        done = self.pawl(daemon, "get", "-watch", "false", "a", "a", "-o", "name")
        self.assertEqual((done.returncode, done.stdout), (0, "a\na\n"), done.stderr)

    def test_a_task_whose_id_is_true_is_named_behind_two_dashes(self):
        daemon = self.daemon()
        daemon.submit("true")
        done = self.pawl(daemon, "delete", "-kill", "-o", "name", "--", "true")
        self.assertEqual((done.returncode, done.stdout), (0, "true\n"), done.stderr)

    def test_a_long_script_does_not_pad_the_rows_of_all_others(self):
        daemon = self.daemon()
        daemon.submit("long", script="x" * (1 << 20))
        lines = (json.dumps({**DELAY, "id": f"n{i}"}) for i in range(2000))
        daemon.call("POST", "/api/tasks", "\n".join(lines), NDJSON)
        done = self.pawl(daemon, "list")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 2002)
        self.assertLess(len(done.stdout), (1 << 20) + 2002 * 400)


class Options(Case):
    def config(self, *options, text="", **env):
        file = os.path.join(self.folder, "pawld.conf")
        with open(file, "w") as out:
            out.write(text)
        done = subprocess.run([PAWLD, "--config", file, "--print-config", *options],
                              env=environment(**env), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-contract-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_where_tasks_are_kept_is_one_choice_of_the_strongest_source(self):
        self.assertNotIn("data", self.config("--ephemeral", text="data = /x\n"))
        self.assertIn("data = /x\n", self.config("--data", "/x", text="ephemeral = true\n"))
        self.assertIn("data = /x\n", self.config("--data", "/x", PAWL_EPHEMERAL="true"))
        self.assertNotIn("data", self.config(text="data = /x\n", PAWL_EPHEMERAL="1"))
        self.assertIn("data = /x\n", self.config("--ephemeral=false", text="data = /x\n"))

    def test_a_printed_config_reads_back_as_it_was(self):
        for data in ("/a b", ' /a"b ', '"q"', '"', "/x # y", "; z", "= "):
            first = self.config("--data", data)
            self.assertEqual(self.config(text=first), first, data)

    def test_variables_may_be_empty_and_lists_spaced(self):
        out = self.config(text="max-pending = 5\n", PAWL_MAX_PENDING="", PAWL_EPHEMERAL="",
                          PAWL_LISTEN=" 127.0.0.1:1 , 127.0.0.1:2")
        self.assertIn("max-pending = 5\n", out)
        self.assertIn("listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\n", out)

    def test_both_kinds_of_comments_are_comments(self):
        self.assertIn("grace = 5s\n", self.config(text="; one\n # two\n[x]\ngrace = 5s\n"))


if __name__ == "__main__":
    unittest.main()
