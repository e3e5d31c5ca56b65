#!/usr/bin/env python3
"""load_submit.py: what one submit over HTTP costs the server, against an empty handler.

pawl bench sends task documents of 150 bytes with ids of their own over 64 keep-alive connections, in
alternating rounds to a fresh pawld of each kind (--ephemeral, --durability=process and sync, with a
store beside the build) and to a fresh mhd_empty, which reads the same body and answers as many bytes,
headers included. The cost is the processor time of the server (utime and stime of all its threads,
/proc/PID/stat) for a request; the rate is what pawl bench reached; the latency is its. Beside it stands
what one fdatasync of 4 KiB appended takes on that disk.

    load_submit.py [--build DIR] [--rounds 5] [--seconds 4] [--connections 64] [--kinds sync,...]

Needs only Python's standard library.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import figures

SCRIPT = "/usr/local/bin/report --day yesterday --quiet >> report.log 2>&1"
HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 20          # seconds that a server may take to start or to end


@contextlib.contextmanager
def server(command, pattern):
    """A server on loopback; gives its process and port. Ended by its own process id, and with us
    if we are killed."""
    process = subprocess.Popen(figures.bound_to_us(command), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        port = None
        for line in process.stdout:
            match = re.search(pattern, line)
            if match:
                port = int(match.group(1))
                break
        if port is None:
            sys.exit("%s did not start" % command[0])
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def pawld(build, kind):
    """A fresh daemon: "ephemeral", "process" or "sync"."""
    data = tempfile.mkdtemp(prefix="store-", dir=build)
    store = (["--ephemeral"] if kind == "ephemeral"
             else ["--data", data, "--durability", kind])
    try:
        with server([os.path.join(build, "pawld"), "--listen", "127.0.0.1:0",
                     "--http-threads", "1", *store],
                    r"listening on http://127\.0\.0\.1:(\d+)") as started:
            yield started
    finally:
        shutil.rmtree(data)


def mhd_empty(build, answer_bytes):
    return server([os.path.join(build, "mhd_empty"), str(answer_bytes)], r"listening on (\d+)")


def answer_sizes(port):
    """Bytes of the headers and of the body of an answer to a submit."""
    document = json.dumps({"id": "load-000000000000", "taskType": "delay", "time": 86400000000000,
                           "script": SCRIPT})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    connection.request("POST", "/api/tasks", document, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = len(answer.read())
    headers = sum(len(name) + len(value) + 4 for name, value in answer.getheaders())
    connection.close()
    if answer.status != 200:
        sys.exit("a submit was answered with %d" % answer.status)
    return headers, body


def load(process, port, prefix, options):
    """Runs pawl bench; gives microseconds of server CPU a request, requests a second, and the latency:
    p50 and p99 in microseconds."""
    answer = json.loads(subprocess.run(
        figures.bound_to_us(
            [os.path.join(options.build, "pawl"), "bench", "-work=submit", "-keep", "-o", "json",
             "-connections=%d" % options.connections, "-duration=%gs" % options.seconds,
             "-pid=%d" % process.pid, "-prefix=" + prefix, "-script=" + SCRIPT,
             "--server", "http://127.0.0.1:%d" % port]),
        stdout=subprocess.PIPE, check=True, timeout=options.seconds + LIMIT).stdout)
    latency = answer["latency"]
    return (answer["serverCpuNs"] / 1e3 / answer["requests"],
            answer["requests"] / (answer["elapsedNs"] / 1e9),
            latency["p50Ns"] / 1e3, latency["p99Ns"] / 1e3)


def fdatasyncs(build, n):
    """Microseconds that an fdatasync of 4 KiB appended takes, n times."""
    with tempfile.NamedTemporaryFile(dir=build) as file:
        times = []
        for _ in range(n):
            start = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", default=os.path.join(HERE, "../build/release"))
    parser.add_argument("--rounds", type=int, default=1 if figures.is_smoke() else 5)
    parser.add_argument("--seconds", type=int, default=1 if figures.is_smoke() else 4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--kinds", default="ephemeral,process,sync")
    options = parser.parse_args()
    kinds = options.kinds.split(",") + ["empty"]

    with pawld(options.build, "ephemeral") as (_, port):
        headers, body = answer_sizes(port)
    with mhd_empty(options.build, body) as (_, port):
        body += headers - answer_sizes(port)[0]
    measured = {kind: [] for kind in kinds}
    syncs = []
    for number in range(options.rounds):
        shift = number % len(kinds)
        for kind in kinds[shift:] + kinds[:shift]:
            started = (mhd_empty(options.build, body) if kind == "empty"
                       else pawld(options.build, kind))
            with started as (process, port):
                measured[kind].append(load(process, port, "load-", options))
        syncs.append(fdatasyncs(options.build, 10 if figures.is_smoke() else 200))

    def column(kind, at):
        return [row[at] for row in measured[kind]]

    def ratios(kind, other, at):
        return [mine / its for mine, its in zip(column(kind, at), column(other, at))]

    report = figures.Report("Submits over HTTP, %d connections, answers of %d bytes"
                            % (options.connections, headers + body))
    bounds = {"ephemeral": 1.5, "sync": 2.0}
    for kind in kinds:
        report.add("server CPU a submit: %s" % kind, "us", column(kind, 0))
        report.add("rate: %s" % kind, "requests/s", column(kind, 1))
        report.add("latency p50: %s" % kind, "us", column(kind, 2))
        report.add("latency p99: %s" % kind, "us", column(kind, 3))
    for kind in kinds[:-1]:
        bound = {"at_most": bounds[kind]} if kind in bounds else {}
        report.add("ratio of CPU: %s / empty" % kind, "", ratios(kind, "empty", 0), **bound)
    for kind in ("process", "sync"):
        if kind in kinds and "ephemeral" in kinds:
            report.add("ratio of rate: %s / ephemeral" % kind, "", ratios(kind, "ephemeral", 1))
    report.add("fdatasync of 4 KiB, p50", "us", [row[len(row) // 2] for row in syncs])
    report.add("fdatasync of 4 KiB, p99", "us", [row[len(row) * 99 // 100] for row in syncs])


if __name__ == "__main__":
    main()
