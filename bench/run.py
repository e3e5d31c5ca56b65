#!/usr/bin/env python3
"""run.py: runs the benchmarks, all or some by name, and keeps tables and pictures of them.

Every figure is a median of several values, the least and the greatest beside it, with the command
that measured it. In the output directory: report.md with all tables, a picture (SVG) of each
group, NAME.json with the values and NAME.txt with what the program printed.

    run.py [--build DIR] [--out DIR] [--repeat N] [--filter REGEX] [--smoke] [--list] [NAME...]

--smoke runs each for a moment, to see that it works: its figures mean nothing. The exit status is 1
if a program failed. A missed target is shown, and fails nothing. Needs only Python's standard
library.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

import figures
import svg

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 1800        # seconds that one program may take
SMOKE_LIMIT = 50

# Google-benchmark programs: the counters that are kept, those of them that are pictured over the
# size (the first argument in a benchmark's name), and how often all is repeated.
GOOGLE = {
    "wheel": {"counters": ["ns", "insert_ns", "expire_ns", "worst_ms", "bytes"],
              "lines": ["ns", "worst_ms"], "x": "pending timers", "repeat": 3},
    "ready": {"counters": ["ns", "cpu_ns"], "lines": [], "repeat": 7},
    "snapshot": {"counters": ["changes_per_s"], "lines": [], "repeat": 5},
    "index": {"counters": ["ns", "worst_us", "wall_us", "put_worst_us", "put_wall_us",
                           "remove_worst_us", "remove_wall_us", "miss_before_ns",
                           "miss_after_ns"],
              "lines": ["ns", "worst_us"], "x": "tasks", "repeat": 3},
    "json": {"counters": [], "lines": [], "repeat": 3},
    "cron": {"counters": [], "lines": [], "repeat": 3},
}
# Programs that write figures themselves.
OWN = ["memory", "restart", "churn", "stored", "lateness", "crons", "catchup", "runs", "spawn"]
SCRIPTS = {"submit": "load_submit.py", "downtime": "load_downtime.py"}
NAMES = list(GOOGLE) + OWN + list(SCRIPTS)


def unit_of(counter):
    return {"bytes": "B", "changes_per_s": "/s"}.get(counter, counter.rpartition("_")[2])


def google_figures(name, rows):
    """Figures of a google-benchmark file: one of each counter, or of the time itself."""
    values = {}
    for row in rows:
        if row.get("run_type") != "iteration":
            continue
        if row.get("error_occurred"):
            raise RuntimeError("%s: %s" % (row["name"], row.get("error_message")))
        case = re.sub(r"/(iterations:\d+|manual_time|real_time|repeats:\d+)", "", row["run_name"])
        case = re.sub(r"^BM_", "", case)
        kept = [counter for counter in GOOGLE[name]["counters"] if counter in row]
        for counter in kept:
            values.setdefault((case, counter), []).append(row[counter])
        if name == "snapshot":      # a thousand operations; its time is of all threads together
            threads = row.get("threads", 1)
            values.setdefault((case, "ns"), []).append(row["real_time"] * threads / 1000)
        elif not kept:
            scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[row["time_unit"]]
            values.setdefault((case, "ns"), []).append(row["real_time"] * scale)
    return [{"name": "%s: %s" % (counter, case), "unit": unit_of(counter), "values": list_,
             "median": statistics.median(list_), "at_most": 0, "at_least": 0}
            for (case, counter), list_ in sorted(values.items(), key=lambda item: item[0][1])]


class Run:
    def __init__(self, options):
        self.options = options
        self.failed = []
        self.sections = []

    def path(self, *parts):
        return os.path.join(self.options.out, *parts)

    def program(self, name):
        return os.path.join(self.options.build, "bench_" + name)

    def command(self, name):
        smoke = self.options.smoke
        if name in SCRIPTS:
            return [sys.executable, os.path.join(HERE, SCRIPTS[name]), "--build", self.options.build]
        if name in OWN:
            return [self.program(name)]
        command = [self.program(name), "--benchmark_out=" + self.path(name + ".google.json"),
                   "--benchmark_out_format=json",
                   "--benchmark_min_time=%s" % ("0.001" if smoke else "0.2")]
        repeat = self.options.repeat or GOOGLE[name]["repeat"]
        if self.options.filter:
            command.append("--benchmark_filter=" + self.options.filter)
        if not smoke:
            command.append("--benchmark_repetitions=%d" % repeat)
        return command

    def execute(self, name, command):
        """Runs it, showing and keeping what it prints."""
        env = dict(os.environ, PAWL_BENCH_JSON=self.path(name + ".lines"))
        if self.options.smoke:
            env["PAWL_BENCH_SMOKE"] = "1"
        with open(self.path(name + ".txt"), "w", encoding="utf-8") as out:
            process = subprocess.Popen(figures.bound_to_us(command), env=env, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            deadline = time.monotonic() + (SMOKE_LIMIT if self.options.smoke else LIMIT)
            try:
                for text in process.stdout:
                    out.write(text)
                    if not self.options.smoke:
                        print("    " + text, end="", flush=True)
                    if time.monotonic() > deadline:
                        raise RuntimeError("took more than its time")
                status = process.wait(max(deadline - time.monotonic(), 1))
            except subprocess.TimeoutExpired:
                raise RuntimeError("took more than its time") from None
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if status != 0:
            raise RuntimeError("ended with status %d, see %s" % (status, self.path(name + ".txt")))

    def figures(self, name):
        if name in GOOGLE:
            with open(self.path(name + ".google.json"), encoding="utf-8") as file:
                return google_figures(name, json.load(file)["benchmarks"])
        with open(self.path(name + ".lines"), encoding="utf-8") as file:
            return [json.loads(text) for text in file]

    def run(self, name):
        command = self.command(name)
        lines = self.path(name + ".lines")
        if os.path.exists(lines):
            os.remove(lines)
        began = time.monotonic()
        print("==> %s" % " ".join(os.path.relpath(word) if word.startswith("/") else word
                                  for word in command), flush=True)
        try:
            self.execute(name, command)
            found = self.figures(name)
            if not found:
                raise RuntimeError("gave no figures")
        except (OSError, RuntimeError, ValueError) as error:
            print("==> %s FAILED: %s" % (name, error), flush=True)
            self.failed.append(name)
            return
        print("==> %s: %d figures in %.0f s" % (name, len(found), time.monotonic() - began),
              flush=True)
        with open(self.path(name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"command": command, "load": os.getloadavg(), "figures": found}, file,
                      indent=1)
        pictures = self.draw(name, found)
        self.sections.append((name, section(name, command, found, pictures)))

    def draw(self, name, figures):
        """A picture of each group of figures; gives their file names."""
        pictures = []
        groups = {}
        for figure in figures:
            group, _, what = figure["name"].partition(": ")
            groups.setdefault((group, figure["unit"]), []).append((what, figure))
        for (group, unit), members in groups.items():
            if unit == "" and len(members) == 1:
                continue
            title = "%s: %s" % (name, group)
            lines = over_size(members) if group in GOOGLE.get(name, {}).get("lines", []) else {}
            if lines and any(len(points) > 1 for points in lines.values()):
                picture = svg.lines(title, GOOGLE[name]["x"], unit, lines)
            else:
                picture = svg.bars(title, unit, [
                    (what, figure["median"], min(figure["values"]), max(figure["values"]),
                     figure["at_most"] or figure["at_least"]) for what, figure in members])
            file_name = re.sub(r"[^a-z0-9]+", "-", ("%s %s %s" % (name, group, unit)).lower())
            file_name = file_name.strip("-") + ".svg"
            with open(self.path(file_name), "w", encoding="utf-8") as file:
                file.write(picture)
            pictures.append(file_name)
        return pictures

    def write_report(self):
        with open(self.path("report.md"), "w", encoding="utf-8") as file:
            file.write("# Benchmarks\n\n%s; %s; %d processors; load %s.\n" % (
                time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), os.uname().release,
                os.cpu_count(), " ".join("%.1f" % load for load in os.getloadavg())))
            for _, text in self.sections:
                file.write("\n" + text)


def over_size(members):
    """Lines over the size: of "Life<Wheel>/1000/10" the line is "Life<Wheel>", the size 1000.
    Where one size comes with several second arguments the first is taken."""
    lines = {}
    for what, figure in members:
        parts = what.split("/")
        if len(parts) < 2 or not parts[1].isdigit():
            return {}
        points = lines.setdefault(parts[0], {})
        points.setdefault(int(parts[1]), figure["median"])
    return {name: sorted(points.items()) for name, points in lines.items() if len(points) > 1}


def short(value):
    return "%.4g" % value if abs(value) < 1e4 else "{:,.0f}".format(value)


def section(name, command, figures, pictures):
    words = [os.path.relpath(word, os.path.dirname(HERE)) if word.startswith("/") else word
             for word in command]
    text = ["## %s\n" % name, "`%s`\n" % " ".join(words),
            "| figure | median | least | greatest | values | target |",
            "|---|---:|---:|---:|---:|---|"]
    for figure in figures:
        target = ""
        if figure["at_most"]:
            target = "≤ %g: %s" % (figure["at_most"], "met"
                                   if figure["median"] <= figure["at_most"] else "**missed**")
        if figure["at_least"]:
            target = "≥ %g: %s" % (figure["at_least"], "met"
                                   if figure["median"] >= figure["at_least"] else "**missed**")
        values = figure["values"]
        text.append("| %s | %s %s | %s | %s | %d | %s |" % (
            figure["name"].replace("|", "\\|"), short(figure["median"]), figure["unit"],
            short(min(values)), short(max(values)), len(values), target))
    text.append("")
    text += ["![%s](%s)" % (picture[:-4], picture) for picture in pictures]
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--build", default=os.path.join(HERE, "../build/release"))
    parser.add_argument("--out", default=os.path.join(HERE, "../build/bench"))
    parser.add_argument("--repeat", type=int, help="repetitions of the google-benchmark programs")
    parser.add_argument("--filter", metavar="REGEX", help="only these of their cases")
    parser.add_argument("--smoke", action="store_true", help="run each for a moment only")
    parser.add_argument("--list", action="store_true", help="print the names, and exit")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    options.out = os.path.abspath(options.out)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error("no benchmark %s: there are %s" % (", ".join(unknown), ", ".join(NAMES)))
    if options.list:
        print("\n".join(NAMES))
        return 0

    os.makedirs(options.out, exist_ok=True)
    run = Run(options)
    names = options.names or NAMES
    for number, name in enumerate(names, 1):
        print("==> %d of %d: %s" % (number, len(names), name), flush=True)
        run.run(name)
    run.write_report()
    print("==> report: %s" % os.path.relpath(run.path("report.md")))
    if run.failed:
        print("==> failed: %s" % ", ".join(run.failed))
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
