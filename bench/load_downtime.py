#!/usr/bin/env python3
"""load_downtime.py: how late new work is while a day of downtime is made up for.

10,000 hourly tasks with misfire all are submitted to a daemon with a store, which is stopped; then all that
its store says of time is moved a day back, as if it had been down for so long. Started again it owes each task
24 runs. Beside them single tasks are submitted, due 20 ms later: from their due time to their start,
by their results. Before that, in the same run, the same on a daemon that owes nothing.

    load_downtime.py [--build DIR] [--tasks 10000] [--new 400] [--rounds 3]

Needs only Python's standard library.
"""

import argparse
import datetime
import http.client
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time

import figures
from load_submit import server

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 60
DAY_NS = 86400 * 10**9


def pawld(build, data):
    return server([os.path.join(build, "pawld"), "--listen", "127.0.0.1:0", "--data", data],
                  r"listening on http://127\.0\.0\.1:(\d+)")


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)

    def call(self, method, path, body=None, kind="application/json"):
        self.connection.request(method, path, body, {"Content-Type": kind})
        answer = self.connection.getresponse()
        document = json.loads(answer.read())
        if answer.status != 200:
            sys.exit("%s %s was answered with %d: %s" % (method, path, answer.status, document))
        return document


def nanoseconds(text):
    """A time as the daemon writes it."""
    seconds, _, rest = text.partition(".")
    return (int(datetime.datetime.fromisoformat(seconds + "+00:00").timestamp()) * 10**9
            + int((rest[:9] if rest else "0").rstrip("Z+-:").ljust(9, "0")))


def lateness(client, n, prefix):
    """Milliseconds from the due time to the start of n new tasks, one after the other."""
    late = []
    for number in range(n):
        name = "%s%d" % (prefix, number)
        task = client.call("POST", "/api/tasks", json.dumps(
            {"id": name, "taskType": "delay", "time": "20ms", "script": ":"}))
        while not task["results"]:
            task = client.call("GET", "/api/tasks/%s?watch=true&version=%d&wait=30s"
                               % (name, task["version"]))
        result = task["results"][-1]
        late.append((nanoseconds(result["startedAt"]) - nanoseconds(result["scheduledFor"])) / 1e6)
        client.call("DELETE", "/api/tasks/" + name)
    return sorted(late)


def move_back(data):
    """A day passes while nobody is there."""
    store = sqlite3.connect(os.path.join(data, "pawl.db"))
    for column in ("task.due_ns", "task.created_ns", "state.due_ns", "state.updated_ns", "state.previous_ns"):
        table, name = column.split(".")
        store.execute("UPDATE %s SET %s = %s - %d" % (table, name, name, DAY_NS))
    store.execute("UPDATE meta SET noted_ns = noted_ns - %d" % DAY_NS)
    store.commit()
    store.close()


def measure(options, number):
    """(idle, beside the catch-up), each sorted, and the runs made up for in a second meanwhile."""
    data = tempfile.mkdtemp(prefix="store-", dir=options.build)
    try:
        with pawld(options.build, data) as (_, port):
            client = Client(port)
            client.call("POST", "/api/tasks", "\n".join(json.dumps(
                {"id": "hourly-%d" % i, "taskType": "cron", "time": "1h", "script": ":", "keepResults": 1,
                 "misfire": "all"}) for i in range(options.tasks)), "application/x-ndjson")
            idle = lateness(client, options.new, "idle-%d-" % number)
        move_back(data)
        with pawld(options.build, data) as (_, port):
            client = Client(port)
            begun, before = time.monotonic(), client.call("GET", "/api/health")["finished"]
            busy = lateness(client, options.new, "new-%d-" % number)
            after = client.call("GET", "/api/health")["finished"]
            rate = (after - before - options.new) / (time.monotonic() - begun)
            if rate <= 0:
                sys.exit("nothing was made up for")
        return idle, busy, rate
    finally:
        shutil.rmtree(data)


def main():
    smoke = figures.is_smoke()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", default=os.path.join(HERE, "../build/release"))
    parser.add_argument("--tasks", type=int, default=100 if smoke else 10000)
    parser.add_argument("--new", type=int, default=5 if smoke else 400)
    parser.add_argument("--rounds", type=int, default=1 if smoke else 3)
    options = parser.parse_args()
    rounds = [measure(options, number) for number in range(options.rounds)]
    report = figures.Report("New tasks while %d others make up for a day" % options.tasks)
    for name, at in (("idle", 0), ("beside the catch-up", 1)):
        for share in (50, 99):
            report.add("due to start, p%d: %s" % (share, name), "ms",
                       [row[at][min(len(row[at]) * share // 100, len(row[at]) - 1)] for row in rounds])
    report.add("runs made up for", "1/s", [row[2] for row in rounds])
    report.add("ratio of medians", "", [statistics.median(row[1]) / statistics.median(row[0])
                                        for row in rounds])


if __name__ == "__main__":
    main()
