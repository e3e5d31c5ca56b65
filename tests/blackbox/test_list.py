#!/usr/bin/env python3
"""Lists, pages and watches by raw HTTP."""

import random
import re
import threading
import unittest

from daemon import DELAY, SANITIZED, Case, Shared, quote, wait_for


def ids(answer):
    return [task["id"] for task in answer.json()]


def pages(client, target):
    """All pages that the links lead to."""
    while target:
        answer = client.call("GET", target)
        yield answer
        link = re.fullmatch(r'<(/api/tasks\?.*)>; rel="next"', answer.headers.get("link", ""))
        target = link and link[1]


class Lists(Shared):
    def test_an_empty_list_is_an_empty_array(self):
        answer = self.d.call("GET", "/api/tasks?prefix=" + self.name)
        self.assertEqual((answer.status, answer.json()), (200, []))
        self.assertEqual(answer.headers["content-type"], "application/json")

    def test_tasks_are_whole_documents_in_order_of_submission(self):
        tasks = [self.d.submit(f"{self.name}{n}") for n in (3, 1, 2, 0)]
        self.assertEqual(self.d.call("GET", "/api/tasks?prefix=" + self.name).json(), tasks)

    def test_filters_choose_by_status_type_and_prefix(self):
        for n in range(4):
            self.d.submit(f"{self.name}{n}", taskType="cron" if n % 2 else "delay")
        self.d.call("PUT", f"/api/tasks/{self.name}0")
        for query, wanted in (("status=4", "0"), ("status=0", "123"), ("status=Stopped", "0"),
                              ("status=stopped,0", "0123"), ("status=4&status=ToBeExecuted", "0123"),
                              ("status=1,2,3", ""), ("type=cron", "13"), ("type=delay", "02"),
                              ("type=delay&status=0", "2"), ("limit=2", "01")):
            answer = self.d.call("GET", f"/api/tasks/?prefix={self.name}&{query}")
            self.assertEqual(ids(answer), [self.name + n for n in wanted], query)
        self.assertEqual(ids(self.d.call("GET", f"/api/tasks?prefix={self.name}2")),
                         [self.name + "2"])

    def test_prefixes_are_percent_decoded(self):
        for id in ("é/%1", "é/%2", "é/3"):
            self.d.submit(id)
        self.assertEqual(ids(self.d.call("GET", "/api/tasks?prefix=" + quote("é/%"))),
                         ["é/%1", "é/%2"])

    def test_results_N_shows_the_newest_N_of_each(self):
        for id in "ab":
            self.d.submit(self.name + id, taskType="cron", time="5ms", script="echo x")
        for id in "ab":
            self.d.finished(self.name + id, 4)
            self.d.call("PUT", f"/api/tasks/{self.name}{id}")
            self.d.watch(self.name + id, lambda task: task["running"] == 0)
        whole = self.d.call("GET", "/api/tasks?prefix=" + self.name).json()
        for n in (0, 1, 2, 10000):
            for page in ("", "&limit=10"):
                tasks = self.d.call("GET", f"/api/tasks?prefix={self.name}&results={n}{page}")
                for task, shown in zip(whole, tasks.json()):
                    self.assertEqual(shown["results"], task["results"][-n:] if n else [])

    def test_a_page_links_to_the_next_with_the_same_query(self):
        for n in range(7):
            self.d.submit(f"{self.name} {n}")
        with self.d.connect() as client:
            all = list(pages(client, f"/api/tasks?limit=3&prefix={quote(self.name + ' ')}&status=0"))
        self.assertEqual([len(ids(page)) for page in all], [3, 3, 1])
        self.assertEqual(sum(map(ids, all), []), [f"{self.name} {n}" for n in range(7)])
        # A page that is just full has none.
        answer = self.d.call("GET", f"/api/tasks?limit=7&prefix={self.name}")
        self.assertNotIn("link", answer.headers)

    def test_after_takes_an_id(self):
        for n in range(4):
            self.d.submit(f"{self.name}{n}")
        answer = self.d.call("GET", f"/api/tasks?prefix={self.name}&after={self.name}1")
        self.assertEqual(ids(answer), [self.name + "2", self.name + "3"])

    def test_a_cursor_stays_valid_when_its_task_is_deleted(self):
        for n in range(4):
            self.d.submit(f"{self.name}{n}")
        with self.d.connect() as client:
            turn = pages(client, f"/api/tasks?prefix={self.name}&limit=2")
            next(turn)
            self.d.call("DELETE", f"/api/tasks/{self.name}1")
            self.assertEqual(ids(next(turn)), [self.name + "2", self.name + "3"])

    def test_pages_neither_repeat_nor_lose_tasks_under_inserts_and_deletes(self):
        count = 200 if SANITIZED else 1000
        stable = [f"{self.name}-stable{n}" for n in range(count)]
        gone = threading.Event()

        def change():
            with self.d.connect() as client:
                n = 0
                while not gone.is_set():
                    client.call("POST", "/api/tasks", {**DELAY, "id": f"{self.name}-new{n}"})
                    if n >= 5:
                        client.call("DELETE", f"/api/tasks/{self.name}-new{random.randint(0, n)}")
                    n += 1

        with self.d.connect() as client:
            for n, id in enumerate(stable):
                client.call("POST", "/api/tasks", {**DELAY, "id": id})
                if n % 2:
                    client.call("POST", "/api/tasks", {**DELAY, "id": f"{self.name}-new-{n}"})
        changer = threading.Thread(target=change)
        changer.start()
        try:
            for limit in (7, 100):
                with self.d.connect() as client:
                    seen = []
                    for answer in pages(client, f"/api/tasks?limit={limit}&prefix={self.name}-"):
                        seen += ids(answer)
                        if seen[-1] == stable[-1] or len(seen) > 20 * count:
                            break
                self.assertEqual(len(seen), len(set(seen)))
                self.assertEqual([id for id in seen if "-stable" in id], stable)
                seen = ids(self.d.call("GET", f"/api/tasks?prefix={self.name}-"))
                self.assertEqual(len(seen), len(set(seen)))
                self.assertEqual([id for id in seen if "-stable" in id], stable)
        finally:
            gone.set()
            changer.join()

    def test_a_list_is_one_stream_for_old_clients_too(self):
        self.d.submit(self.name, script="x" * 100_000)
        with self.d.connect() as client:
            client.send(f"GET /api/tasks?prefix={self.name} HTTP/1.0\r\n\r\n".encode())
            self.assertEqual(ids(client.read()), [self.name])


class Watches(Shared):
    def test_answers_at_once_when_the_version_is_another(self):
        task = self.d.submit(self.name)
        for query in ("watch=true&version=1", "watch=T&version=-5", "watch=1&version=99"):
            self.assertEqual(self.d.get(self.name, "?" + query), task)

    def test_no_watch_is_a_plain_get(self):
        task = self.d.submit(self.name)
        for query in ("watch=false", "watch=0&version=0", "watch=F", "version=0", "wait=1h"):
            self.assertEqual(self.d.get(self.name, "?" + query), task)

    def test_waits_for_a_change_from_version_0_when_none_is_given(self):
        self.d.submit(self.name)
        with self.d.connect() as client:
            client.ask("GET", f"/api/tasks/{self.name}?watch=TRUE")
            self.d.call("PUT", f"/api/tasks/{self.name}")
            self.assertEqual(client.read().json()["version"], 1)

    def test_wait_bounds_it_and_the_answer_is_unchanged(self):
        task = self.d.submit(self.name)
        for wait in ("50ms", "50000000", "0", "0s"):
            answer = self.d.call("GET", f"/api/tasks/{self.name}?watch=true&version=0&wait={wait}")
            self.assertEqual((answer.status, answer.json()), (200, task))

    def test_a_deletion_is_404(self):
        self.d.submit(self.name)
        with self.d.connect() as client:
            client.ask("GET", f"/api/tasks/{self.name}?watch=true&version=0&wait=1h")
            self.d.call("DELETE", f"/api/tasks/{self.name}")
            self.assertProblem(client.read(), 404)
            self.assertProblem(client.call("GET", f"/api/tasks/{self.name}?watch=true"), 404)

    def test_a_new_task_of_the_same_id_does_not_wake_nor_keep_the_watch_of_the_old(self):
        self.d.submit(self.name)
        with self.d.connect() as client:
            client.ask("GET", f"/api/tasks/{self.name}?watch=true&version=0")
            with self.d.connect() as other:
                other.call("DELETE", f"/api/tasks/{self.name}")
                other.call("POST", "/api/tasks", {**DELAY, "id": self.name})
            self.assertProblem(client.read(), 404)

    def test_following_versions_misses_no_state_of_a_run(self):
        self.d.submit(self.name, time="50ms", script="sleep 0.2")
        seen = []
        self.d.watch(self.name, lambda task: seen.append(task["state"]) or task["status"] == 1)
        self.assertEqual(seen, ["ToBeExecuted", "Executing", "Executed"])

    def test_a_pipelined_request_waits_behind_a_watch(self):
        self.d.submit(self.name)
        with self.d.connect() as client:
            client.ask("GET", f"/api/tasks/{self.name}?watch=true&version=0")
            client.ask("GET", f"/api/tasks/{self.name}")
            self.d.call("PUT", f"/api/tasks/{self.name}")
            self.assertEqual([client.read().json()["version"] for _ in "ab"], [1, 1])


class Bounded(Case):
    def test_a_list_that_nobody_reads_takes_bounded_memory_and_is_cut_off(self):
        d = self.daemon("--request-timeout", "500ms")
        fds = d.fds()
        lines = b"".join(b'{"id":"%d","taskType":"delay","time":"1h","script":"%s"}\n'
                         % (n, b"x" * 1000) for n in range(2_000 if SANITIZED else 20_000))
        d.call("POST", "/api/tasks", lines, ["Content-Type: application/x-ndjson"])
        before = d.status("VmRSS")
        clients = [d.connect() for _ in range(50)]
        for client in clients:
            client.ask("GET", "/api/tasks")
        wait_for("all lists to begin", lambda: d.fds() >= fds + len(clients))
        self.assertEqual(d.call("GET", "/api/health").status, 200)
        if not SANITIZED:
            self.assertLess(d.status("VmRSS") - before, 50 * 200)
        wait_for("them to be cut off", lambda: d.fds() <= fds)
        for client in clients:
            client.close()

    def test_submits_go_on_beside_a_long_list(self):
        d = self.daemon()
        lines = b"".join(b'{"id":"%d","taskType":"delay","time":"1h","script":"x"}\n' % n
                         for n in range(3_000 if SANITIZED else 50_000))
        d.call("POST", "/api/tasks", lines, ["Content-Type: application/x-ndjson"])
        with d.connect() as slow, d.connect() as other:
            slow.ask("GET", "/api/tasks")
            slow._until(b"\r\n\r\n")                # it has begun
            for n in range(100):
                self.assertEqual(other.call("POST", "/api/tasks", {**DELAY, "id": f"n{n}"}).status,
                                 200)
            body = slow._chunks()
        self.assertEqual(body.count(b'{"id":"'), lines.count(b"\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
