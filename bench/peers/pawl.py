"""pawl.py: pawl itself, by `pawl bench`. It has no worker that takes jobs: a run is its script, and the
handler is called when the script's first command runs; so what `bash` takes is in both figures, and
stands beside them."""

import contextlib
import datetime
import http.client
import json
import os
import subprocess
import time

import process
from install import Missing
from peer import BATCH, CONNECTIONS, LEAD, SCRIPT, Child, Done, Peer, Variant, make_id, pace

DIGITS = 12             # of the number that pawl bench puts behind its prefix
AHEAD = 1               # seconds until runs begin that are all due at once
STREAMS = 4             # connections that bring bulks
PATIENCE = 60


def at(moment):
    """Of a Unix time in seconds, RFC 3339."""
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).isoformat()


def moment_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def call(connection, method, path, body=None, kind="application/json"):
    connection.request(method, path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError("%s %s was answered %d" % (method, path, answer.status))
    return json.loads(text)


def task(prefix, number, due, script):
    return json.dumps({"id": make_id(prefix, number), "taskType": "delay", "at": at(due),
                       "script": script})


class Pawl(Peer):
    variants = [
        Variant("pawl --ephemeral", 0, "in its memory", ["--ephemeral"]),
        Variant("pawl --durability=process", 1, "written to its store's log, not fsynced", ["process"]),
        Variant("pawl (--durability=sync)", 2, "committed to its store and fsynced", ["sync"]),
    ]
    runs_processes = True
    run_means = "`bash` with the script `true`: spawned, its output read, reaped, its result kept"
    late_means = "due times are nanoseconds; to the first command of `bash`"

    def __init__(self, build, nruns):
        self.build, self.nruns = build, nruns

    def prepare(self, shelf):
        for name in ("pawld", "pawl"):
            if not os.path.exists(os.path.join(self.build, name)):
                raise Missing("no %s in %s" % (name, self.build))

    @contextlib.contextmanager
    def start(self, variant, room):
        port = process.free_port()
        setting = variant.setting[0]
        store = ([setting] if setting.startswith("--")
                 else ["--data", os.path.join(room, "data"), "--durability", setting])
        with process.running([os.path.join(self.build, "pawld"), "--listen",
                              "127.0.0.1:%d" % port, *store], room) as server:
            server.await_port(port)
            yield server

    def bench(self, server, work, seconds, connections, prefix):
        ended = subprocess.run(
            process.figures.bound_to_us(
                [os.path.join(self.build, "pawl"), "bench", "-work=" + work, "-keep", "-o", "json",
                 "-connections=%d" % connections, "-duration=%gs" % seconds, "-batch=%d" % BATCH,
                 "-prefix=" + prefix.ljust(20 - DIGITS, "-"), "-script=" + SCRIPT,
                 "--server", "http://127.0.0.1:%d" % server.port]),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds + PATIENCE,
            check=False)
        if ended.returncode != 0:
            raise RuntimeError("pawl bench: " + ended.stderr.strip())
        figures = json.loads(ended.stdout)
        return Done(figures["tasks"], figures["elapsedNs"] / 1e9)

    def submit(self, server, seconds):
        return self.bench(server, "submit", seconds, CONNECTIONS, "load")

    def bulk(self, server, seconds, prefix):
        return self.bench(server, "ndjson", seconds, STREAMS, prefix)

    @staticmethod
    def results(connection, prefix, finished):
        """Of the tasks, in the order of submission, when so many runs have ended in all."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            # A run is counted when it has ended, and its result shown when that is committed.
            if call(connection, "GET", "/api/health")["finished"] >= finished:
                tasks = call(connection, "GET", "/api/tasks?prefix=" + prefix)
                if all(one["results"] for one in tasks):
                    return [one["results"][0] for one in tasks]
            time.sleep(0.05)
        raise RuntimeError("the runs did not end in %d s" % PATIENCE)

    @staticmethod
    def submit_paced(port, rate, seconds):
        """Gives the due times, in order."""
        dues = []
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            for number, _ in pace(rate, seconds):
                dues.append(time.time() + LEAD)
                call(connection, "POST", "/api/tasks",
                     task("late", number, dues[-1], "echo $EPOCHREALTIME"))
        return dues

    def late(self, server, rate, seconds):
        with Child(self.submit_paced, server.port, rate, seconds) as client:
            dues = client.result(seconds + PATIENCE)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
            results = self.results(connection, "late", len(dues))
        return {
            "": [float(result["result"]) - due for result, due in zip(results, dues)],
            "to the start of the process": [moment_of(result["startedAt"]) - due
                                            for result, due in zip(results, dues)],
        }

    def fill(self, server):
        due = time.time() + AHEAD
        stream = "\n".join(task("runs", number, due, "true") for number in range(self.nruns))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
            server.before = call(connection, "GET", "/api/health")["finished"]
            call(connection, "POST", "/api/tasks", stream, "application/x-ndjson")

    def run(self, server):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
            results = self.results(connection, "runs", server.before + self.nruns)
        began = min(moment_of(result["startedAt"]) for result in results)
        ended = max(moment_of(result["startedAt"]) + result["durationNs"] / 1e9
                    for result in results)
        return Done(self.nruns, ended - began)
