#!/usr/bin/env python3
"""Forecasts: GET /api/forecast and pawl forecast. What a forecast says of an expression is compared
with what GET /api/next says of it, on the nights when clocks are set and on others."""

import datetime
import json
import os
import subprocess
import threading
import time
import unittest
from urllib.parse import urlencode

from daemon import HERE, LIMIT, SANITIZED, Case, Shared

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")
YEAR = datetime.datetime.now().year + 1
UTC = datetime.timezone.utc


def sunday(month, n):
    """The nth Sunday of a month of the next year; -1: the last."""
    days = [day for day in range(1, 32 if month in (3, 10) else 31)
            if datetime.date(YEAR, month, day).weekday() == 6]
    return datetime.datetime(YEAR, month, days[n], tzinfo=UTC)


# From the noon before each change of the clocks, UTC.
NIGHTS = {
    "Europe/Berlin": [sunday(3, -1), sunday(10, -1)],
    "America/New_York": [sunday(3, 1), sunday(11, 0)],
}


def text(at):
    return at.isoformat().replace("+00:00", "Z")


def moment(at):
    """Nanoseconds of RFC 3339."""
    whole, rest = at[:19], at[19:]
    ns = 0
    if rest.startswith("."):
        digits = len(rest[1:]) - len(rest[1:].lstrip("0123456789"))
        ns, rest = int(rest[1:1 + digits].ljust(9, "0")), rest[1 + digits:]
    at = datetime.datetime.fromisoformat(whole + rest.replace("Z", "+00:00"))
    return round(at.timestamp()) * 10**9 + ns


def call(daemon, path, **parameters):
    return daemon.call("GET", path + "?" + urlencode(parameters))


def ask(case, daemon, **parameters):
    answer = call(daemon, "/api/forecast", **parameters)
    case.assertEqual(answer.status, 200, answer)
    return answer.json()


class Forecasts(Shared):
    def forecast(self, since=None, until=None, **parameters):
        """Of the tasks of this test."""
        parameters.setdefault("prefix", self.name)
        for name, at in (("from", since), ("until", until)):
            if at:
                parameters[name] = at if isinstance(at, str) else text(at)
        return ask(self, self.d, **parameters)

    def times(self, *window, **parameters):
        return [fire["at"] for fire in self.forecast(*window, **parameters)["fires"]]

    def cron(self, suffix="", **fields):
        return self.d.submit(self.name + suffix, **{"taskType": "cron", "time": 0, **fields})

    def next(self, since, until, **parameters):
        """What GET /api/next gives for a window."""
        parameters["from"] = text(since - datetime.timedelta(seconds=1))
        answer = call(self.d, "/api/next", n=1000, **parameters)
        self.assertEqual(answer.status, 200, answer)
        times = answer.json()["times"]
        return [at for at in times if moment(at) < moment(text(until))]

    def test_a_forecast_is_what_next_says_of_each_expression(self):
        tasks = {}
        for zone in NIGHTS:
            for dst in ("run-after", "once", "twice", "shift"):
                for expr in ("30 2 * * *", "30 1 * * *", "*/20 * * * *", "15,45 0-3 * * *",
                             "0 0 3 * * sun", "H H(0-4) * * *", "daily 1 at 01:30,02:30"):
                    kind = "calendar" if expr.startswith("daily") else "cron"
                    id = f"{self.name}/{len(tasks)}"
                    tasks[id] = {"expr": expr, "timezone": zone, "dst": dst}
                    task = self.d.submit(id, taskType="cron", time=0, timezone=zone, dst=dst,
                                         **{kind: expr})
                    if kind == "calendar":
                        tasks[id]["start"] = task["createdAt"]
        for zone, nights in NIGHTS.items():
            for night in nights:
                since, until = (night + datetime.timedelta(hours=h) for h in (-12, 24))
                expected = {
                    id: self.next(since, until, id=id, **asked) for id, asked in tasks.items()}
                document = self.forecast(since, until, limit=10000, timezone=zone)
                self.assertEqual((document["truncated"], document["unpredictable"]), (False, 0))
                found = {id: [] for id in tasks}
                for fire in document["fires"]:
                    found[fire["id"]].append(moment(fire["at"]))
                for id, times in expected.items():
                    self.assertEqual(found[id], [moment(at) for at in times], tasks[id])
                self.assertTrue(all(at.endswith(("00:00", "-04:00", "-05:00", "+02:00", "+01:00"))
                                    for at in (fire["at"] for fire in document["fires"])))

    def test_the_nights_of_Berlin(self):
        spring, autumn = NIGHTS["Europe/Berlin"]
        for dst in ("run-after", "once", "twice", "shift"):
            self.cron("/" + dst, cron="30 2 * * *", timezone="Europe/Berlin", dst=dst)
        day = datetime.timedelta(days=1)
        document = self.forecast(spring - day / 2, spring + day / 2)
        date = spring.date().isoformat()
        self.assertEqual([(fire["id"].rpartition("/")[2], fire["at"]) for fire in document["fires"]],
                         [("run-after", f"{date}T03:00:00+02:00"), ("shift", f"{date}T03:30:00+02:00")])
        document = self.forecast(autumn - day / 2, autumn + day / 2)
        date = autumn.date().isoformat()
        first, second = f"{date}T02:30:00+02:00", f"{date}T02:30:00+01:00"
        self.assertEqual([(fire["id"].rpartition("/")[2], fire["at"]) for fire in document["fires"]],
                         [("run-after", first), ("once", first), ("twice", first), ("shift", first),
                          ("twice", second)])

    def test_intervals_stand_on_their_grid(self):
        task = self.cron(time="7m")
        first, step = moment(task["nextRun"]), 7 * 60 * 10**9
        since = datetime.datetime.fromtimestamp(first // 10**9 + 1000000, UTC)
        for window in ((None, None), (since, since + datetime.timedelta(hours=9))):
            times = [moment(at) for at in self.times(*window, limit=10000)]
            self.assertIn(len(times), (205, 206) if window[0] is None else (77, 78))
            for at in times:
                off = (at - first + step // 2) % step - step // 2
                self.assertLess(abs(off), 10**8, at)
            self.assertEqual({round((b - a) / 10**6) for a, b in zip(times, times[1:])}, {420000})

    def test_a_delay_fires_once_and_then_no_more(self):
        self.d.submit(self.name + "/at", time=0, at=f"{YEAR}-06-01T12:00:00.5+02:00")
        self.d.submit(self.name + "/time", time="2h")
        self.d.submit(self.name + "/over", time="0s")
        self.d.submit(self.name + "/stopped", time="3h")
        self.d.finished(self.name + "/over")
        self.d.call("PUT", f"/api/tasks/{self.name}%2Fstopped")
        document = self.forecast(until=f"{YEAR + 1}-01-01T00:00:00Z", timezone="UTC")
        self.assertEqual([(fire["id"][len(self.name):], fire["taskType"])
                          for fire in document["fires"]], [("/time", "delay"), ("/at", "delay")])
        self.assertEqual(document["fires"][1]["at"], f"{YEAR}-06-01T10:00:00.500000000Z")
        self.assertEqual(self.times(f"{YEAR}-06-02T00:00:00Z", f"{YEAR}-07-01T00:00:00Z"), [])

    def test_start_end_and_number_of_runs_bound_it(self):
        self.cron("/end", cron="0 12 * * *", timezone="UTC", startAt=f"{YEAR}-05-01T00:00:00Z",
                  endAt=f"{YEAR}-05-03T12:00:00Z")
        self.cron("/runs", cron="0 6 * * *", timezone="UTC", startAt=f"{YEAR}-05-02T00:00:00Z",
                  maxRuns=3)
        window = (f"{YEAR}-04-01T00:00:00Z", f"{YEAR}-08-01T00:00:00Z")
        self.assertEqual(self.times(*window, timezone="UTC"), [
            f"{YEAR}-05-0{day}T{hour}:00:00Z" for day, hour in
            ((1, "12"), (2, "06"), (2, "12"), (3, "06"), (3, "12"), (4, "06"))])
        self.assertEqual(self.times(f"{YEAR}-05-03T00:00:00Z", window[1], timezone="UTC"), [
            f"{YEAR}-05-0{day}T{hour}:00:00Z" for day, hour in ((3, "06"), (3, "12"), (4, "06"))])

    def test_the_window_has_its_beginning_and_not_its_end(self):
        self.cron(cron="0 * * * *", timezone="UTC")
        self.assertEqual(self.times(f"{YEAR}-02-01T03:00:00Z", f"{YEAR}-02-01T05:00:00Z",
                                    timezone="UTC"),
                         [f"{YEAR}-02-01T03:00:00Z", f"{YEAR}-02-01T04:00:00Z"])
        self.assertEqual(self.times(f"{YEAR}-02-01T03:00:00.000000001Z", f"{YEAR}-02-01T04:00:00Z"),
                         [])
        document = self.forecast()
        self.assertEqual(moment(document["until"]) - moment(document["from"]), 86400 * 10**9)
        self.assertEqual(len(document["fires"]), 24)
        document = self.forecast("1970-01-01T00:00:00Z", "9999-12-31T00:00:00Z", limit=2)
        self.assertEqual((len(document["fires"]), document["until"][:4]), (2, "2262"))
        self.assertEqual(self.times("1970-01-01T00:00:00Z", "1971-01-01T00:00:00Z"), [])

    def test_times_are_in_order_and_equal_ones_in_that_of_submission(self):
        for i, expr in enumerate(("*/10 * * * *", "*/15 * * * *", "*/5 * * * *", "*/10 * * * *")):
            self.cron(f"/{3 - i}", cron=expr, timezone="UTC")
        fires = self.forecast(f"{YEAR}-02-01T00:00:00Z", f"{YEAR}-02-01T01:00:00Z",
                              timezone="UTC")["fires"]
        self.assertEqual(len(fires), 6 + 4 + 12 + 6)
        keys = [(fire["at"], -int(fire["id"][-1])) for fire in fires]
        self.assertEqual(keys, sorted(keys))

    def test_the_earliest_are_kept_and_the_others_are_told_of(self):
        for i in range(40):
            self.cron(f"/{i}", cron=f"{(i * 7) % 60} * * * *", timezone="UTC")
        window = (f"{YEAR}-02-01T00:00:00Z", f"{YEAR}-02-02T00:00:00Z")
        all = self.forecast(*window, limit=10000)
        self.assertEqual((len(all["fires"]), all["truncated"]), (960, False))
        for limit in (1, 2, 39, 100, 959):
            document = self.forecast(*window, limit=limit)
            self.assertEqual(document["fires"], all["fires"][:limit])
            self.assertTrue(document["truncated"])
        self.assertFalse(self.forecast(*window, limit=960)["truncated"])
        self.assertEqual(len(self.forecast(*window)["fires"]), 100)

    def test_several_triggers_make_one_order(self):
        self.cron(triggers=[{"cron": "0 */6 * * *", "timezone": "UTC"},
                            {"cron": "0 9 * * *", "timezone": "Asia/Tokyo"},
                            {"at": f"{YEAR}-02-01T07:30:00Z"}])
        self.assertEqual(self.times(f"{YEAR}-02-01T00:00:00Z", f"{YEAR}-02-01T13:00:00Z",
                                    timezone="UTC"),
                         [f"{YEAR}-02-01T{at}:00Z" for at in ("00:00", "06:00", "07:30", "12:00")])

    def test_jitter_is_in_it(self):
        task = self.cron("/hash", cron="0 * * * *", timezone="UTC", jitter="20m")
        self.cron("/random", cron="* * * * *", timezone="UTC", jitter="10m", jitterMode="random")
        late = moment(task["nextRun"]) % (3600 * 10**9)
        window = (f"{YEAR}-02-01T00:00:00Z", f"{YEAR}-02-01T12:00:00Z")
        hashed = self.times(*window, prefix=self.name + "/hash")
        self.assertEqual({moment(at) % (3600 * 10**9) for at in hashed}, {late})
        random = [moment(at) for at in self.times(*window, prefix=self.name + "/random", limit=10000)]
        self.assertEqual(random, sorted(set(random)))
        self.assertGreater(len(random), 100)
        self.assertGreater(len({at % (60 * 10**9) for at in random}), 100)

    def test_what_cannot_be_told_is_counted(self):
        self.cron("/fixed", time="1h")
        self.cron("/after", time="1h", intervalFrom="completion")
        self.cron("/later", time="100h", intervalFrom="completion")
        self.cron("/last", time="1h", intervalFrom="completion", maxRuns=1)
        document = self.forecast()
        self.assertEqual(document["unpredictable"], 1)
        shown = [fire["id"][len(self.name):] for fire in document["fires"]]
        self.assertEqual((shown.count("/fixed"), shown.count("/after"), shown.count("/last")),
                         (24, 1, 1))
        self.assertEqual(self.forecast(prefix=self.name + "/later")["unpredictable"], 0)
        self.cron("/reboot", cron="@reboot")
        self.assertEqual(self.times(prefix=self.name + "/reboot"), [])

    def test_filters_and_the_zone_of_the_answer(self):
        self.cron("/cron", cron="0 12 * * *", timezone="UTC")
        self.d.submit(self.name + "/delay", time=0, at=f"{YEAR}-02-01T13:00:00Z")
        window = (f"{YEAR}-02-01T00:00:00Z", f"{YEAR}-02-02T00:00:00Z")
        document = self.forecast(*window, timezone="Asia/Kolkata")
        self.assertEqual(document, {
            "from": f"{YEAR}-02-01T05:30:00+05:30", "until": f"{YEAR}-02-02T05:30:00+05:30",
            "timezone": "Asia/Kolkata", "truncated": False, "unpredictable": 0, "fires": [
                {"at": f"{YEAR}-02-01T17:30:00+05:30", "id": self.name + "/cron",
                 "taskType": "cron"},
                {"at": f"{YEAR}-02-01T18:30:00+05:30", "id": self.name + "/delay",
                 "taskType": "delay"}]})
        self.assertEqual(self.forecast(*window)["timezone"], "Europe/Berlin")
        self.assertEqual(len(self.times(*window, type="delay")), 1)
        self.assertEqual(len(self.times(*window, type="cron")), 1)
        self.assertEqual(self.times(*window, prefix="x" * 300), [])

    def test_bad_parameters_are_refused_by_name(self):
        for name, value in (("from", "yesterday"), ("until", "24h"), ("limit", "0"),
                            ("limit", "10001"), ("timezone", "Europe/Nowhere"), ("type", "both"),
                            ("until", "2001-01-01T00:00:00Z")):
            self.assertProblem(call(self.d, "/api/forecast", **{name: value}), 400, name)
        self.assertProblem(call(self.d, "/api/forecast", status="0"), 400,
                           text="from, until, limit, timezone, type, prefix")
        at = f"{YEAR}-01-01T00:00:00Z"
        self.assertProblem(call(self.d, "/api/forecast", **{"from": at, "until": at}), 400, "until")

    def pawl(self, *arguments):
        return subprocess.run([PAWL, "forecast", "-prefix=" + self.name, *arguments], text=True,
                              capture_output=True, timeout=LIMIT, check=False, env={
                                  "PATH": os.environ["PATH"], "TZ": "Asia/Tokyo",
                                  "PAWL_SERVER": self.d.address})

    def test_pawl_forecast_prints_the_zone_and_local_time(self):
        self.cron(cron="30 2 * * *", timezone="Europe/Berlin")
        spring = NIGHTS["Europe/Berlin"][0]
        date = spring.date().isoformat()
        window = ("-from=" + text(spring), "-until=30h")
        done = self.pawl(*window)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split("  ") for line in done.stdout.splitlines()]
        self.assertEqual([cell.strip() for cell in lines[0] if cell],
                         ["Europe/Berlin", "LOCAL", "ID"])
        self.assertEqual(lines[1], [f"Sun {date} 03:00:00 +02:00", f"Sun {date} 10:00:00 +09:00",
                                    self.name])
        self.assertEqual(len(lines), 3)
        done = self.pawl(*window, "-tz=Asia/Tokyo", "-limit=1")
        self.assertEqual(done.stdout.split()[:2], ["Asia/Tokyo", "ID"])
        self.assertIn("the first 1", done.stderr)
        self.assertEqual(self.pawl(*window, "-o", "name").stdout, f"{self.name}\n" * 2)
        self.assertEqual(json.loads(self.pawl(*window, "-o", "json").stdout),
                         self.forecast(spring, spring + datetime.timedelta(hours=30)))
        lines = self.pawl(*window, "-o", "ndjson").stdout.splitlines()
        self.assertEqual(json.loads(lines[0])["at"], f"{date}T03:00:00+02:00")

    def test_pawl_forecast_reads_times_by_the_clock_of_this_machine(self):
        self.cron(cron="30 2 * * *", timezone="UTC")
        done = self.pawl("-from=2036-07-01 11:30", "-until=2036-07-01 11:31", "-o", "name")
        self.assertEqual(done.stdout, f"{self.name}\n", done.stderr)
        self.assertIn("-until=2036-07-01 11:31 is 2036-07-01T11:31:00+09:00", done.stderr)

    def test_pawl_forecast_says_what_is_wrong(self):
        done = self.pawl("-until=2h")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "nothing fires\n", ""))
        self.assertEqual(self.pawl("-until=tomorrow").returncode, 2)
        self.assertEqual(self.pawl("-until=-1h").returncode, 2)
        self.assertEqual(self.pawl("-limit=x").returncode, 2)
        self.assertEqual(self.pawl("-tz=Mars/Olympus").returncode, 2)


class Many(Case):
    """A forecast over many tasks, and over those that fire often."""

    def fill(self, d, n, **fields):
        lines = "".join(json.dumps({"id": f"{i:06}", "taskType": "cron", "script": "true", **fields})
                        + "\n" for i in range(n))
        answer = d.call("POST", "/api/tasks", lines, ["Content-Type: application/x-ndjson"])
        self.assertEqual(answer.json()["accepted"], n, answer)

    def test_tasks_of_every_second_in_the_window_of_a_year_cost_no_more_than_the_limit(self):
        d = self.daemon()
        n = 300 if SANITIZED else 3000
        self.fill(d, n, cron="* * * * * *", timezone="Europe/Berlin", endAt=f"{YEAR + 2}-01-01T00:00:00Z",
                  startAt=f"{YEAR}-01-01T00:00:00Z")
        begun = time.monotonic()
        document = ask(self, d, limit=10000, **{
            "from": f"{YEAR}-01-01T00:00:00Z", "until": f"{YEAR + 1}-01-01T00:00:00Z"})
        self.assertLess(time.monotonic() - begun, LIMIT / 3)
        self.assertTrue(document["truncated"])
        keys = [(moment(fire["at"]), fire["id"]) for fire in document["fires"]]
        self.assertEqual((len(keys), keys), (10000, sorted(keys)))
        self.assertEqual(len({at for at, _ in keys}), -(-10000 // n))

    def test_others_are_served_while_it_goes_on(self):
        d = self.daemon("--http-threads", "1")
        self.fill(d, 5000 if SANITIZED else 100000, time="90m", jitter="1h")
        waits, done = [], threading.Event()

        def others():
            with d.connect() as client:
                while not done.is_set():
                    begun = time.monotonic()
                    self.assertEqual(client.call("GET", "/api/health").status, 200)
                    waits.append(time.monotonic() - begun)

        thread = threading.Thread(target=others)
        thread.start()
        try:
            documents = [ask(self, d, limit=limit) for limit in (10, 10000)]
        finally:
            done.set()
            thread.join()
        self.assertEqual(documents[1]["fires"][:10], documents[0]["fires"])
        self.assertEqual(len(documents[1]["fires"]), 10000)
        self.assertGreater(len(waits), 3)
        if not SANITIZED:
            self.assertLess(max(waits), 1)

    def test_clients_that_go_away_leave_nothing(self):
        d = self.daemon("--http-threads", "1")
        self.fill(d, 2000 if SANITIZED else 30000, time="90m")
        for _ in range(20):
            with d.connect() as client:
                client.ask("GET", "/api/forecast?limit=10000")
        answer = d.call("HEAD", "/api/forecast?limit=10000")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(len(ask(self, d, limit=5)["fires"]), 5)


if __name__ == "__main__":
    unittest.main()
