"""figures.py: what figures.c is, for the benchmarks in Python: a figure is the median of several
values; a report is a table on stdout and lines of JSON in the file that PAWL_BENCH_JSON names."""

import json
import os
import statistics


def is_smoke():
    return "PAWL_BENCH_SMOKE" in os.environ


def bound_to_us(command):
    """A command whose process is killed when ours ends, however that comes."""
    return ["setpriv", "--pdeathsig", "KILL"] + command


class Report:
    def __init__(self, title):
        print("%s\n%-58s %12s %12s %12s" % (title, "", "median", "least", "greatest"),
              flush=True)

    def add(self, name, unit, values, at_most=0, at_least=0):
        median = statistics.median(values)
        target = ""
        if at_most:
            target = "  (<= %g: %s)" % (at_most, "yes" if median <= at_most else "NO")
        if at_least:
            target = "  (>= %g: %s)" % (at_least, "yes" if median >= at_least else "NO")
        print("%-58s %12.5g %12.5g %12.5g %s%s"
              % (name, median, min(values), max(values), unit, target), flush=True)
        path = os.environ.get("PAWL_BENCH_JSON")
        if path:
            with open(path, "a", encoding="utf-8") as out:
                json.dump({"name": name, "unit": unit, "median": median, "at_most": at_most,
                           "at_least": at_least, "values": values}, out)
                out.write("\n")
