#!/usr/bin/env python3
"""run.py: the same work on pawl and on what one would pick instead, side by side.

Each peer is started by this program on loopback, in a directory and on a port of its own, and ended
again. What is not on this machine is brought from Debian and npm into the build directory
(install.py), and nothing is installed in the system. A peer that cannot be had or started says so in
its row, and fails nothing.

    run.py [--build DIR] [--out DIR] [--shelf DIR] [--data DIR] [--only NAME,...] [--rounds 3]
           [--late-rounds 1] [--seconds 1.5] [--rate 200] [--late-seconds 10] [--smoke] [--list]

A round takes the peers in turn; each figure is the median over the rounds. Written to --out:
peers.md, peers.json, and a picture (SVG) of each column. --smoke: pawl alone, for a moment, without
the network. The exit status is 1 if pawl itself could not be measured. Needs only Python's standard
library.
"""

import argparse
import importlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import figures                          # noqa: E402
import svg                              # noqa: E402
from framed import FramedPeer           # noqa: E402
from install import Missing, Shelf      # noqa: E402
from pawl import Pawl                   # noqa: E402
from peer import DURABILITY             # noqa: E402

MODULES = ["beanstalkd", "bullmq", "graphile", "gearman", "atd"]
WARM_SECONDS = 0.2

# The columns of the table: of a figure, its words and its unit.
COLUMNS = {
    "single": ("submits, one by one", "/s"),
    "single_cpu": ("server CPU a submit", "us"),
    "bulk": ("submits in bulk", "/s"),
    "bulk_cpu": ("server CPU a submit in bulk", "us"),
    "memory": ("memory a pending task", "B"),
    "disk": ("disk a pending task", "B"),
    "p50": ("lateness p50", "ms"),
    "p99": ("lateness p99", "ms"),
    "p999": ("lateness p99.9", "ms"),
    "run": ("jobs run", "/s"),
    "run_cpu": ("server CPU a run", "us"),
    "run_child_cpu": ("CPU of the job's own processes, a run", "us"),
}


class Row:
    """A variant of a peer, and what was measured of it: values[column], and beside the table
    asides[column, what]."""

    def __init__(self, peer, variant):
        self.peer, self.variant = peer, variant
        self.values, self.asides, self.problems = {}, {}, []

    def add(self, column, value):
        self.values.setdefault(column, []).append(value)

    def fail(self, error):
        words = str(error) or type(error).__name__
        if words not in self.problems:
            self.problems.append(words)


def percentiles(late):
    late = sorted(late)
    return {name: late[min(int(len(late) * part), len(late) - 1)] * 1e3
            for name, part in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}


def charged(row, server, work):
    """Calls it; gives Done and the seconds of CPU that it took the server, and its jobs."""
    server.mark()
    done = work()
    own, reaped = server.charged()
    return (done, own, reaped) if row.peer.runs_processes else (done, own + reaped, 0)


def measure_single(row, server, options):
    done, own, reaped = charged(row, server, lambda: row.peer.submit(server, options.seconds))
    row.add("single", done.n / done.seconds)
    row.add("single_cpu", (own + reaped) / done.n * 1e6)


def measure_bulk(row, server, options):
    """Many, after a few: what the first of all take (tables, connections) is nobody's task."""
    if row.peer.bulk(server, WARM_SECONDS, "warm") is None:
        return
    memory, disk = server.memory(), server.disk()
    done, own, reaped = charged(
        row, server, lambda: row.peer.bulk(server, options.seconds, "bulk"))
    row.add("bulk", done.n / done.seconds)
    row.add("bulk_cpu", (own + reaped) / done.n * 1e6)
    if row.peer.keeps_in_memory:
        row.add("memory", (server.memory() - memory) / done.n)
    row.add("disk", (server.disk() - disk) / done.n)


def measure_fire(row, server, options):
    if len(row.values.get("p50", [])) < options.late_rounds:
        for what, late in row.peer.late(server, options.rate, options.late_seconds).items():
            for column, value in percentiles(late).items():
                if what:
                    row.asides.setdefault((column, what), []).append(value)
                else:
                    row.add(column, value)
    row.peer.fill(server)
    done, own, reaped = charged(row, server, lambda: row.peer.run(server))
    row.add("run", done.n / done.seconds)
    if own + reaped > 0:
        row.add("run_cpu", own / done.n * 1e6)
        row.add("run_child_cpu", reaped / done.n * 1e6)


def measure(row, options):
    """All of one row, once, each on a fresh server."""
    for work in (measure_single, measure_bulk, measure_fire):
        try:
            with tempfile.TemporaryDirectory(prefix="pawl-peers-", dir=options.data) as room, \
                    row.peer.start(row.variant, room) as server:
                work(row, server, options)
        except (Missing, RuntimeError, OSError, ValueError) as error:
            print("    %s: %s: %s" % (row.variant.name, work.__name__, error), flush=True)
            row.fail(error)


def rows_of(options):
    """pawl, and the peers that can be had; of the others the reason."""
    FramedPeer.build = options.build
    peers = [Pawl(options.build, 40 if options.smoke else 1500)]
    if not options.smoke:
        peers += [importlib.import_module(name).PEER for name in MODULES]
    shelf = Shelf(options.shelf)
    rows = []
    for peer in peers:
        chosen = [variant for variant in peer.variants
                  if not options.only or any(word in variant.name for word in options.only)]
        found = [Row(peer, variant) for variant in chosen]
        try:
            if chosen:
                peer.prepare(shelf)
        except Missing as error:
            print("==> %s: %s" % (chosen[0].name, error), flush=True)
            for row in found:
                row.fail(error)
        rows += found
    return sorted(rows, key=lambda row: row.variant.durability)


def go_round(rows, number, options):
    """Each once; who begins changes."""
    ready = [row for row in rows if number == 0 or row.values]
    shift = number * len(ready) // options.rounds
    for row in ready[shift:] + ready[:shift]:
        if number < row.peer.rounds_at_most and not (number == 0 and row.problems):
            print("==> round %d of %d: %s" % (number + 1, options.rounds, row.variant.name),
                  flush=True)
            measure(row, options)


def list_figures(rows):
    """As figures of the other benchmarks: printed with least and greatest, and given."""
    report = figures.Report("pawl and its peers")
    found = []
    for column, (words, unit) in COLUMNS.items():
        for row in rows:
            for what, values in [("", row.values.get(column))] + [
                    (" " + aside, values) for (its, aside), values in row.asides.items()
                    if its == column]:
                if values and (column != "run_child_cpu" or max(values) > 0):
                    name = "%s: %s%s" % (words, row.variant.name, what)
                    report.add(name, unit, values)
                    found.append({"name": name, "unit": unit, "values": values,
                                  "median": statistics.median(values)})
    return found


def cell(row, *columns):
    """Medians, one behind the other."""
    words = [svg.number(statistics.median(row.values[column])) if column in row.values else "–"
             for column in columns]
    return " / ".join(words) if any(word != "–" for word in words) else "–"


def table(rows):
    """The comparison in Markdown."""
    text = ["| | an answer means | submits/s | CPU | bulk/s | CPU | memory | disk "
            "| lateness p50 / p99 / p99.9 | runs/s | CPU |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        if not row.values:
            text.append("| %s | not measured: %s%s" % (
                row.variant.name, "; ".join(row.problems).replace("|", "/"), " |" * 10))
            continue
        children = statistics.median(row.values.get("run_child_cpu", [0]))
        text.append("| %s | **%s**: %s | %s |" % (
            row.variant.name, DURABILITY[row.variant.durability], row.variant.answer,
            " | ".join([cell(row, "single"), cell(row, "single_cpu"), cell(row, "bulk"),
                        cell(row, "bulk_cpu"), cell(row, "memory"), cell(row, "disk"),
                        cell(row, "p50", "p99", "p999"), cell(row, "run"),
                        cell(row, "run_cpu")
                        + (" + %s" % svg.number(children) if children > 0 else "")])))
    return "\n".join(text) + "\n"


def notes(rows):
    """What the words of the table mean for each peer."""
    text = ["Rates: medians of rounds. CPU: microseconds of the server's processes, children included, "
            "for one submit or run; behind a + that of the job's own processes. Memory and disk: bytes "
            "by which the server and its directory grew, a pending task. Lateness: milliseconds from "
            "a job's due time to the call of its handler.\n"]
    seen = []
    for row in rows:
        if row.peer not in seen:
            seen.append(row.peer)
            text.append("* **%s**: a run is: %s; lateness: %s." % (
                row.variant.name.split(",")[0].split(" -")[0], row.peer.run_means,
                row.peer.late_means))
    text += ["* %s, lateness %s: %s ms." % (
        row.variant.name, what, " / ".join(
            svg.number(statistics.median(row.asides[column, what]))
            for column in ("p50", "p99", "p999")))
        for row in rows for what in sorted({what for _, what in row.asides})]
    text += ["* %s: %s." % (row.variant.name, problem)
             for row in rows if row.values for problem in row.problems]
    return "\n".join(text) + "\n"


def draw(rows, out):
    """A picture of each column; gives their names."""
    pictures = []
    for column, (words, unit) in COLUMNS.items():
        bars = [(row.variant.name, statistics.median(row.values[column]),
                 min(row.values[column]), max(row.values[column]), 0)
                for row in rows if column in row.values]
        if bars and max(bar[1] for bar in bars) > 0:
            pictures.append("peers-%s.svg" % column.replace("_", "-"))
            with open(os.path.join(out, pictures[-1]), "w", encoding="utf-8") as file:
                file.write(svg.bars(words, unit, bars))
    return pictures


def write(rows, found, load, options):
    pictures = draw(rows, options.out)
    machine = "%s; %s; %d processors; load %s before and %s after; data on %s" % (
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), os.uname().release, os.cpu_count(),
        " ".join("%.1f" % one for one in load),
        " ".join("%.1f" % one for one in os.getloadavg()), options.data)
    command = "bench/peers/run.py " + " ".join(sys.argv[1:])
    with open(os.path.join(options.out, "peers.md"), "w", encoding="utf-8") as file:
        file.write("# pawl and its peers\n\n%s.\n\n`%s`\n\n%s\n%s\n%s\n" % (
            machine, command.strip(), table(rows), notes(rows),
            "\n".join("![%s](%s)" % (picture[:-4], picture) for picture in pictures)))
    with open(os.path.join(options.out, "peers.json"), "w", encoding="utf-8") as file:
        json.dump({"command": sys.argv, "machine": machine, "figures": found,
                   "problems": {row.variant.name: row.problems for row in rows if row.problems}},
                  file, indent=1)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="pawl alone, for a moment")
    smoke = "--smoke" in sys.argv
    parser.add_argument("--build", default=os.path.join(HERE, "../../build/release"))
    parser.add_argument("--out", default=os.path.join(HERE, "../../build/bench"))
    parser.add_argument("--shelf", default=os.path.join(HERE, "../../build/peers"),
                        help="where what is brought is kept")
    parser.add_argument("--data", default="/var/tmp", help="a directory of the disk to measure on")
    parser.add_argument("--only", default="", help="names, or parts of them, with commas between")
    parser.add_argument("--rounds", type=int, default=1 if smoke else 3)
    parser.add_argument("--late-rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.3 if smoke else 1.5)
    parser.add_argument("--rate", type=int, default=50 if smoke else 200, help="due jobs a second")
    parser.add_argument("--late-seconds", type=int, default=1 if smoke else 10)
    parser.add_argument("--list", action="store_true", help="print what there is, and exit")
    options = parser.parse_args()
    options.only = [word for word in options.only.split(",") if word]
    for name in ("build", "out", "shelf", "data"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    return options


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # what was started is ended
    if options.list:
        for peer in [Pawl] + [importlib.import_module(name).PEER for name in MODULES]:
            print("\n".join(variant.name for variant in peer.variants))
        return 0
    os.makedirs(options.out, exist_ok=True)
    load = os.getloadavg()
    rows = rows_of(options)
    for number in range(options.rounds):
        go_round(rows, number, options)
    found = list_figures(rows)
    write(rows, found, load, options)
    print("\n%s\n%s" % (table(rows), notes(rows)))
    print("==> report: %s" % os.path.relpath(os.path.join(options.out, "peers.md")))
    return 1 if any(row.problems for row in rows if isinstance(row.peer, Pawl)) else 0


if __name__ == "__main__":
    sys.exit(main())
