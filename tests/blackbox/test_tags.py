#!/usr/bin/env python3
"""Tags of tasks over REST: given, shown, asked for, and kept over a restart."""

import json
import unittest

from daemon import Case, Shared, quote

NDJSON = ["Content-Type: application/x-ndjson"]


def ids(answer):
    return [task["id"] for task in answer.json()]


class Tags(Shared):
    def submit(self, suffix, **fields):
        return self.d.submit(self.name + suffix, **fields)

    def list(self, query):
        return [id[len(self.name):] for id in
                ids(self.d.call("GET", f"/api/tasks?prefix={self.name}&{query}"))]

    def refused(self, tags, text):
        answer = self.d.call("POST", "/api/tasks", {"id": self.name, "taskType": "delay", "time": 1,
                                                    "script": "true", "tags": tags})
        self.assertProblem(answer, 400, field="tags", text=text)

    def test_tags_are_echoed_in_order_and_once(self):
        task = self.submit("", tags=["nightly", "db", "nightly", "münchen", 'a"b\\c'])
        self.assertEqual(task["tags"], ["nightly", "db", "münchen", 'a"b\\c'])
        self.assertEqual(self.d.get(self.name)["tags"], task["tags"])
        again = {**task, "id": self.name + "2"}
        self.assertEqual(self.d.call("POST", "/api/tasks", again).json()["tags"], task["tags"])

    def test_none_are_not_shown(self):
        for tags in ({}, {"tags": None}, {"tags": []}):
            task = self.submit(str(len(str(tags))), **tags)
            self.assertNotIn("tags", task)

    def test_what_is_no_tag_is_refused_by_name(self):
        self.refused("db", "tags must be an array of strings, not a string")
        self.refused({}, "tags must be an array of strings, not an object")
        self.refused(["a", 1], "tags must be an array of strings: it has a number")
        self.refused(["a", None], "it has null")
        self.refused([""], "a tag is empty")
        self.refused(["a b"], "the tag 'a b' has a blank")
        self.refused(["a,b"], "has a comma")
        self.refused(["a\n"], "control character U+000A")
        self.refused(["ab\0c"], "control character U+0000 at byte 2")
        self.refused(["x" * 64], "a tag has 64 bytes: the limit is 63")
        self.refused([f"t{n}" for n in range(33)], "more than 32 tags")
        task = self.submit("", tags=["x" * 63] + [f"t{n}" for n in range(31)])
        self.assertEqual(len(task["tags"]), 32)

    def test_a_stream_takes_them_too(self):
        lines = "".join(json.dumps({"id": f"{self.name}{n}", "taskType": "delay", "time": "1h",
                                    "script": "true", "tags": tags}) + "\n"
                        for n, tags in enumerate((["a"], ["a b"], ["b", "a"], None)))
        document = self.d.call("POST", "/api/tasks", lines, NDJSON).json()
        self.assertEqual((document["accepted"], document["rejected"]), (3, 1))
        self.assertEqual(document["errors"][0]["field"], "tags")
        self.assertEqual(self.list("tag=a"), ["0", "2"])

    def test_a_list_gives_those_that_have_all_of_them(self):
        self.submit("1", tags=["db", "nightly"])
        self.submit("2")
        self.submit("3", tags=["nightly", "db", "db2"], taskType="cron")
        self.submit("4", tags=["dé/x"])
        for query, wanted in (("tag=db", "13"), ("tag=db&tag=db2", "3"), ("tag=db&tag=nightly", "13"),
                              ("tag=d", ""), ("tag=DB", ""), ("tag=db&type=delay", "1"),
                              ("tag=" + quote("dé/x"), "4"), ("tag=db&tag=db", "13"),
                              ("tag=db&status=4", "")):
            self.assertEqual("".join(self.list(query)), wanted, query)

    def test_pages_keep_the_tags(self):
        for n in range(6):
            self.submit(str(n), tags=["x", "a&b=c" if n % 2 else "y"])
        target, seen = f"/api/tasks?prefix={self.name}&tag=x&tag=a%26b%3Dc&limit=1", []
        while target:
            answer = self.d.call("GET", target)
            seen += ids(answer)
            link = answer.headers.get("link")
            target = link and link[1:link.index(">")]
        self.assertEqual(seen, [self.name + n for n in "135"])

    def test_a_query_with_a_bad_tag_is_refused(self):
        for query, text in (("tag=", "is empty"), ("tag=a,b", "comma"), ("tag=a+b", "blank"),
                            ("tag=" + "x" * 64, "the limit is 63"),
                            ("&".join(f"tag={n}" for n in range(9)), "more than 8 tags")):
            for path in ("/api/tasks", "/api/forecast"):
                self.assertProblem(self.d.call("GET", f"{path}?{query}"), 400, field="tag", text=text)
        self.assertEqual(self.d.call("GET", "/api/tasks?" + "&".join(
            f"tag={n}" for n in range(8))).json(), [])

    def test_a_forecast_is_of_those_that_have_them(self):
        self.submit("1", tags=["soon"])
        self.submit("2")
        answer = self.d.call("GET", f"/api/forecast?prefix={self.name}&tag=soon").json()
        self.assertEqual([fire["id"] for fire in answer["fires"]], [self.name + "1"])


class Kept(Case):
    def test_tags_are_there_after_a_restart_and_gone_with_their_task(self):
        data = self.place()
        d = self.daemon(data=data)
        task = d.submit("a", tags=["x", "y"])
        d.submit("b")
        d.stop()
        d = self.daemon(data=data)
        self.assertEqual(d.get("a")["tags"], task["tags"])
        self.assertNotIn("tags", d.get("b"))
        self.assertEqual(ids(d.call("GET", "/api/tasks?tag=y")), ["a"])
        d.call("DELETE", "/api/tasks/a")
        d.kill()
        d = self.daemon(data=data)
        self.assertEqual(ids(d.call("GET", "/api/tasks")), ["b"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
