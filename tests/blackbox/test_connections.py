#!/usr/bin/env python3
"""Connections in numbers: all are served, those past the limit wait, watchers are forgotten."""

import os
import resource
import select
import signal
import socket
import threading
import time
import unittest

from daemon import DELAY, LIMIT, SANITIZED, Case, request, wait_for

HEALTH = request("GET", "/api/health")


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK")


class Many(Case):
    def setUp(self):
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.limits[1], self.limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, self.limits)

    def many(self, d, n):
        """Open connections, closed at the end of the test."""
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for _ in range(n):
            clients.append(d.connect())
        return clients

    def each(self, clients, data, check):
        """All send, then all are read."""
        for client in clients:
            client.send(data)
        for client in clients:
            check(client.read())


class Connections(Many):
    def keep_alive(self, *numbers, options=()):
        d = self.daemon(*options)
        fds = d.fds()
        for n in numbers:
            clients = self.many(d, n)
            for _ in range(3):
                self.each(clients, HEALTH, lambda answer: self.assertEqual(answer.status, 200))
            for client in clients:
                client.close()
            wait_for("the connections to be closed", lambda: d.fds() <= fds)

    def test_64_128_129_and_256_connections_are_all_served(self):
        self.keep_alive(1, 63, 64, 65, 127, 128, 129, 256, 257)

    def test_128_and_256_connections_on_each_of_two_threads_are_all_served(self):
        self.keep_alive(256, 512, options=("--http-threads", "2"))

    @unittest.skipIf(SANITIZED, "in release only")
    def test_5000_connections_are_all_served(self):
        self.keep_alive(5000)

    @unittest.skipIf(SANITIZED, "in release only")
    def test_5000_idle_connections_hold_up_nobody_and_cost_no_time(self):
        d = self.daemon()
        clients = self.many(d, 5000)
        wait_for("them to be accepted", lambda: d.fds() > 5000)
        before = cpu_ms(d.pid)
        for _ in range(200):
            self.assertEqual(d.call("GET", "/api/health").status, 200)
        self.assertLess(cpu_ms(d.pid) - before, 1000)
        self.assertEqual(clients[17].call("GET", "/api/health").status, 200)

    def test_connections_past_the_limit_wait_and_are_then_served(self):
        d = self.daemon("--max-connections", "10")
        clients = self.many(d, 200)
        for client in clients:
            client.send(HEALTH)
        for client in clients[:10]:
            self.assertEqual(client.read().status, 200)
        # The eleventh waits, it is neither served nor reset.
        self.assertEqual(select.select([client.socket for client in clients[10:]], [], [], 0.1)[0], [])
        for client in clients[:10]:
            client.close()
        for client in clients[10:]:
            self.assertEqual(client.read().status, 200)
            client.close()

    def test_a_low_limit_of_open_files_lowers_the_number_of_connections_not_of_clients(self):
        d = self.daemon(nofile=(100, 200))
        self.assertIn("by a limit of 200 open files", d.log())
        close = request("GET", "/api/health", None, ["Connection: close"])
        clients = self.many(d, 400)
        self.each(clients, close, lambda answer: self.assertEqual(answer.status, 200))
        # Runs have the soft limit that the daemon was started with.
        for client in clients:
            client.close()
        d.submit("limit", time=0, script="ulimit -n")
        self.assertEqual(d.finished("limit")["results"][0]["result"], "100\n")

    def test_many_clients_at_once_get_their_own_answers(self):
        d = self.daemon("--http-threads", "2")
        failures = []

        def work(k):
            try:
                with d.connect() as client:
                    for n in range(10 if SANITIZED else 100):
                        id = f"{k}-{n}"
                        answer = client.call("POST", "/api/tasks", {**DELAY, "id": id})
                        self.assertEqual(answer.json()["id"], id)
                        self.assertEqual(client.call("GET", "/api/tasks/" + id).json()["id"], id)
                        self.assertEqual(client.call("DELETE", "/api/tasks/" + id).status, 200)
            except Exception as e:                  # for the test's own thread
                failures.append(repr(e))

        threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        self.assertEqual(failures, [])
        self.assertEqual(d.health()["tasks"], 0)


class Watchers(Many):
    N = 200 if SANITIZED else 3000

    def watchers(self, d, id, query):
        clients = self.many(d, self.N)
        for client in clients:
            client.ask("GET", f"/api/tasks/{id}?watch=true&{query}")
        return clients

    def test_thousands_of_watchers_are_woken_at_once_by_a_change_and_by_a_deletion(self):
        d = self.daemon()
        d.submit("w")
        clients = self.watchers(d, "w", "version=0")
        self.assertEqual(d.call("PUT", "/api/tasks/w").status, 200)
        for client in clients:
            self.assertEqual(client.read().json()["version"], 1)
            client.ask("GET", "/api/tasks/w?watch=true&version=1")
        self.assertEqual(d.call("DELETE", "/api/tasks/w").status, 200)
        for client in clients:
            self.assertEqual(client.read().status, 404)

    def test_watchers_that_go_away_are_forgotten(self):
        d = self.daemon()
        fds = d.fds()
        d.submit("w")
        for round in range(2):
            clients = self.watchers(d, "w", "version=0")
            wait_for("them to be accepted", lambda: d.fds() >= fds + self.N)
            for n, client in enumerate(clients):
                if n % 3 == 0:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                             b"\1\0\0\0\0\0\0\0")   # a reset
                elif n % 3 == 1:
                    client.socket.shutdown(socket.SHUT_WR)
                if n % 3 != 1:
                    client.close()
            wait_for("them to be forgotten", lambda: d.fds() <= fds)
        self.assertEqual(d.call("PUT", "/api/tasks/w").json()["version"], 1)

    def test_watchers_of_other_tasks_are_not_woken_and_others_are_served_beside_them(self):
        d = self.daemon()
        fds = d.fds()
        for id in ("w", "v"):
            d.submit(id)
        clients = self.watchers(d, "w", "version=0&wait=1h")
        wait_for("them to be accepted", lambda: d.fds() >= fds + self.N)
        with d.connect() as one:
            one.ask("GET", "/api/tasks/v?watch=true&version=0")
            d.call("PUT", "/api/tasks/v")
            self.assertEqual(one.read().json()["version"], 1)
        self.assertEqual(select.select([client.socket for client in clients[:500]], [], [], 0)[0], [])

    def test_waits_end_each_in_its_time(self):
        d = self.daemon()
        d.submit("w")
        clients = self.many(d, 200)
        for n, client in enumerate(clients):
            client.ask("GET", f"/api/tasks/w?watch=true&version=0&wait={1 + n * 4}ms")
        for client in clients:
            self.assertEqual(client.read().json()["version"], 0)

    def test_a_stop_of_the_daemon_ends_all_watches_with_503(self):
        d = self.daemon()
        d.submit("w")
        clients = self.many(d, 300)
        for client in clients:
            client.call("GET", "/api/tasks/w")
            client.ask("GET", "/api/tasks/w?watch=true&version=0")
        d.call("GET", "/api/health")
        d.signal()
        for client in clients:
            answer = client.read()
            # One that had not been read when the stop began is answered as a plain get.
            self.assertIn(answer.status, (200, 503))
            self.assertEqual(answer.headers["connection"], "close")
            self.assertNotIn("retry-after", answer.headers)
        self.assertEqual(d.end(), 0)


class Stalls(Case):
    def test_a_request_that_came_while_the_daemon_was_stopped_is_answered(self):
        d = self.daemon("--request-timeout", "1s")
        with d.connect() as client:
            d.call("GET", "/api/health")    # the connection was taken
            d.signal(signal.SIGSTOP)
            client.ask("GET", "/api/health")
            time.sleep(2.5)                 # past both deadlines, which only real time reaches
            d.signal(signal.SIGCONT)
            self.assertEqual(client.read().status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
