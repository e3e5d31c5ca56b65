#!/usr/bin/env python3
"""load_submit.py: what one submit over HTTP costs the server, against an empty handler.

wrk sends task documents of 150 bytes with ids of their own over 64 keep-alive connections, in
alternating rounds to a fresh `pawld --ephemeral` and to a fresh mhd_empty, which reads the same
body and answers as many bytes, headers included. The cost is the processor time of the server
(utime and stime of all its threads, /proc/PID/stat) for a request; the rate is what wrk reached.

    load_submit.py [--build DIR] [--rounds 5] [--seconds 4] [--connections 64]

Needs only Python's standard library, and wrk.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import time

import figures

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
LIMIT = 20          # seconds that a server may take to start or to end
SETTLE = 0.3        # seconds after the load in which the server finishes what it was given


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


def pawld(build):
    return server([os.path.join(build, "pawld"), "--ephemeral", "--listen", "127.0.0.1:0",
                   "--http-threads", "1"], r"listening on http://127\.0\.0\.1:(\d+)")


def mhd_empty(build, answer_bytes):
    return server([os.path.join(build, "mhd_empty"), str(answer_bytes)], r"listening on (\d+)")


def answer_sizes(port):
    """Bytes of the headers and of the body of an answer to a submit."""
    document = json.dumps({"id": "load-00000000", "taskType": "delay", "time": 86400000000000,
                           "script": "/usr/local/bin/report --day yesterday --quiet >> r.log"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    connection.request("POST", "/api/tasks", document, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = len(answer.read())
    headers = sum(len(name) + len(value) + 4 for name, value in answer.getheaders())
    connection.close()
    if answer.status != 200:
        sys.exit("a submit was answered with %d" % answer.status)
    return headers, body


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def load(process, port, prefix, options):
    """Runs wrk; gives microseconds of server CPU a request, and requests a second."""
    before = cpu_seconds(process.pid)
    out = subprocess.run(
        figures.bound_to_us(
            ["wrk", "-t1", "-c%d" % options.connections, "-d%gs" % options.seconds,
             "-s", os.path.join(HERE, "submit.lua"), "http://127.0.0.1:%d/api/tasks" % port,
             "--", prefix]),
        stdout=subprocess.PIPE, text=True, check=True, timeout=options.seconds + LIMIT).stdout
    time.sleep(SETTLE)
    cpu = cpu_seconds(process.pid) - before
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx" in out or "Socket errors" in out or requests == 0:
        sys.exit("not every request was served:\n" + out)
    return cpu / requests * 1e6, requests / options.seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", default=os.path.join(HERE, "../build/release"))
    parser.add_argument("--rounds", type=int, default=1 if figures.is_smoke() else 5)
    parser.add_argument("--seconds", type=int, default=1 if figures.is_smoke() else 4)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()

    with pawld(options.build) as (_, port):
        headers, body = answer_sizes(port)
    with mhd_empty(options.build, body) as (_, port):
        body += headers - answer_sizes(port)[0]
    costs, rates, empty_costs, empty_rates = [], [], [], []
    for number in range(options.rounds):
        for is_ours in ((True, False), (False, True))[number % 2]:
            started = pawld(options.build) if is_ours else mhd_empty(options.build, body)
            with started as (process, port):
                cost, rate = load(process, port, "load", options)
            (costs if is_ours else empty_costs).append(cost)
            (rates if is_ours else empty_rates).append(rate)

    report = figures.Report("Submits over HTTP, %d connections, answers of %d bytes"
                            % (options.connections, headers + body))
    report.add("server CPU a submit: pawld", "us", costs)
    report.add("server CPU a submit: empty handler", "us", empty_costs)
    report.add("ratio: pawld / empty handler", "",
               [ours / empty for ours, empty in zip(costs, empty_costs)], at_most=1.5)
    report.add("rate: pawld", "requests/s", rates)
    report.add("rate: empty handler", "requests/s", empty_rates)


if __name__ == "__main__":
    main()
