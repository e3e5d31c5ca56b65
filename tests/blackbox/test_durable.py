#!/usr/bin/env python3
"""Tasks outlive the daemon: restarts, directories and their modes, backups, the check of a store."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
import unittest

import test_history
import test_stream
import test_tasks
from daemon import DELAY, PAWLD, Case, environment, refuse, wait_for

PAWL = os.environ.get("PAWL") or os.path.join(os.path.dirname(PAWLD), "pawl")
NDJSON = ["Content-Type: application/x-ndjson"]


def pawl(daemon, *args, **more):
    """Runs the client; gives status, stdout, stderr as bytes."""
    done = subprocess.run([PAWL, *args], env=environment(PAWL_SERVER=daemon.address),
                          capture_output=True, timeout=60, **more)
    return done.returncode, done.stdout, done.stderr


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class Delay(test_tasks.Delay):
    """What holds in memory holds in a store."""

    DATA = "FOLDER/data"


class Cron(test_tasks.Cron):
    DATA = "FOLDER/data"


class Ids(test_tasks.Ids):
    DATA = "FOLDER/data"


class Streams(test_stream.Streams):
    DATA = "FOLDER/data"


class Runs(test_history.Runs):
    DATA = "FOLDER/data"


class Idle(Case):
    def switches(self, d):
        counts = {}
        for task in os.listdir(f"/proc/{d.pid}/task"):
            with open(f"/proc/{d.pid}/task/{task}/comm") as file:
                name = file.read().strip()
            if name.startswith("pawl-"):
                counts[name] = (d.status("voluntary_ctxt_switches", task) +
                                d.status("nonvoluntary_ctxt_switches", task))
        return counts

    def test_a_daemon_with_a_store_comes_to_rest_and_sleeps(self):
        d = self.daemon(data=self.place())
        for n in range(50):
            d.submit(f"t{n}")
        d.submit("ran", time=0)
        d.finished("ran")
        wait_for("all to be saved", lambda: d.health()["storage"]["unsaved"] == 0)
        end = time.monotonic() + 60
        while True:                     # it tidies up, once
            before = self.switches(d)
            self.assertIn("pawl-store", before)
            time.sleep(2)
            if self.switches(d) == before:
                break
            self.assertLess(time.monotonic(), end)


class Restart(Case):
    def tasks(self, d):
        return {task["id"]: task for task in d.call("GET", "/api/tasks").json()}

    def test_everything_is_there_after_a_restart(self):
        for how in ("stop", "kill"):
            data = self.place()
            d = self.daemon(data=data)
            d.submit("ran", time=0, script="echo out; echo err >&2; exit 3", keepResults=3)
            d.submit("killed", time=0, script="kill -9 $$")
            d.submit("waits", time="1h", script="echo 'ä\n🦀'")
            d.submit("cron", taskType="cron", time="1h", keepResults=0)
            d.submit("often", taskType="cron", time="50ms", script="echo $((++n))", keepResults=4)
            d.submit("stopped", taskType="cron", time="1h")
            d.submit("deleted")
            d.submit("a/b?ü %", time="2h", script="#" * 300_000)
            d.call("PUT", "/api/tasks/stopped")
            d.call("DELETE", "/api/tasks/deleted")
            d.finished("ran")
            d.finished("killed")
            d.finished("often", 6)
            d.call("PUT", "/api/tasks/often")
            d.watch("often", lambda task: task["running"] == 0)
            d.submit("deleted", script="echo new")
            before = self.tasks(d)
            wait_for("all to be saved", lambda: d.health()["storage"]["unsaved"] == 0)
            getattr(d, how)()
            after = self.tasks(self.daemon(data=data))
            self.assertEqual(list(after), list(before), how)
            for id in before:
                # A due time is of elapsed time; by the clock on the wall it may differ by a little.
                if before[id]["nextRun"]:
                    self.assertEqual(before[id].pop("nextRun")[:18], after[id].pop("nextRun")[:18])
                self.assertEqual(after[id], before[id], how)

    def test_a_run_that_ends_during_the_stop_is_kept_and_its_watcher_is_told(self):
        data = self.place()
        d = self.daemon(data=data)
        go = d.folder.name + "/go"
        d.submit("run", time=0, script=f"until test -e {go}; do sleep 0.01; done; echo whole")
        d.watch("run", lambda task: task["running"] == 1)
        with d.connect() as client:
            client.call("GET", "/api/health")       # the connection has been accepted
            client.ask("GET", "/api/tasks/run?watch=true&version=1")
            d.signal()
            wait_for("it to stop", lambda: "stopping: 1 runs in progress" in d.log())
            open(go, "w").close()
            answer = client.read()
        self.assertEqual(d.end(), 0)
        task = self.daemon(data=data).get("run")
        self.assertEqual((task["state"], task["version"], task["results"][0]["result"]),
                         ("Executed", 2, "whole\n"))
        self.assertEqual((answer.status, answer.json()), (200, task))

    def test_order_and_pages_go_on_over_a_restart(self):
        data = self.place()
        d = self.daemon(data=data)
        lines = "\n".join(json.dumps({**DELAY, "id": f"t{n}"}) for n in range(1000))
        self.assertEqual(d.call("POST", "/api/tasks", lines, NDJSON).json()["accepted"], 1000)
        link = d.call("GET", "/api/tasks?limit=300").headers["link"]
        target = link[1:link.index(">")]
        d.kill()
        d = self.daemon(data=data)
        d.submit("last")
        ids = [task["id"] for task in d.call("GET", target.replace("limit=300", "limit=5000")).json()]
        self.assertEqual(ids, [f"t{n}" for n in range(300, 1000)] + ["last"])

    def test_a_delay_that_passed_meanwhile_runs_at_once_and_others_when_they_are_due(self):
        data = self.place()
        d = self.daemon(data=data)
        created = d.submit("soon", time="100ms", script="echo late")["createdAt"]
        d.submit("later", time="4s", script="echo in time")
        d.kill()
        time.sleep(0.2)
        d = self.daemon(data=data)
        task = d.finished("soon")
        self.assertEqual((task["createdAt"], task["runCount"], task["missed"]), (created, 1, 0))
        result, = task["results"]
        self.assertEqual((result["outcome"], result["result"]), ("success", "late\n"))
        self.assertEqual(d.get("later")["state"], "ToBeExecuted")
        result, = d.finished("later")["results"]
        self.assertLess(result["scheduledFor"], result["timestamp"])

    def test_an_interval_keeps_its_phase_and_counts_what_it_missed(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("c", taskType="cron", time="300ms", keepResults=100)
        d.finished("c", 2)
        d.kill()
        time.sleep(2)
        d = self.daemon(data=data)
        task = d.watch("c", lambda task: task["running"] == 0 and task["runCount"] >= 5)
        self.assertGreaterEqual(task["missed"], 3)
        self.assertLessEqual(task["missed"], 60)
        seconds = [float(result["scheduledFor"][17:29]) for result in task["results"]]
        for a, b in zip(seconds, seconds[1:]):
            steps = (b - a) % 60 / 0.3
            self.assertLess(abs(steps - round(steps)), 0.05, seconds)

    def test_a_run_that_was_cut_off_is_lost_and_its_processes_are_ended(self):
        data = self.place()
        d = self.daemon(data=data)
        path = d.folder.name + "/pid"
        d.submit("run", time=0, script=f"echo $$ > {path}.new; mv {path}.new {path}; exec sleep 100")
        d.submit("cron", taskType="cron", time="200ms", script="sleep 100")
        wait_for("the run", lambda: os.path.exists(path))
        d.watch("cron", lambda task: task["running"] == 1)
        with open(path) as file:
            pid = int(file.read())
        d.kill()
        os.kill(pid, 0)                         # it lives
        d2 = self.daemon(data=data)
        task = d2.get("run")
        self.assertEqual((task["state"], task["running"], task["runCount"], task["failureCount"],
                          task["version"]), ("Executed", 0, 1, 1, 2))
        result, = task["results"]
        self.assertEqual((result["outcome"], result["exitCode"], result["run"]), ("lost", None, 1))
        self.assertEqual(d2.get("cron")["results"][0]["outcome"], "lost")

        def is_gone():
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            with open(f"/proc/{pid}/stat") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"

        wait_for("the orphan to be ended", is_gone)
        d2.call("DELETE", "/api/tasks/cron?kill=true")

    def test_orphans_are_left_with_leave(self):
        data = self.place()
        d = self.daemon(data=data)
        path = d.folder.name + "/pid"
        d.submit("run", time=0, script=f"echo $$ > {path}.new; mv {path}.new {path}; exec sleep 100")
        wait_for("the run", lambda: os.path.exists(path))
        with open(path) as file:
            pid = int(file.read())
        d.kill()
        d2 = self.daemon("--orphans", "leave", data=data)
        self.assertEqual(d2.get("run")["results"][0]["outcome"], "lost")
        time.sleep(1)                           # the claim is about this time
        with open(f"/proc/{pid}/stat") as file:
            self.assertEqual(file.read().rpartition(")")[2].split()[0], "S")
        os.kill(pid, signal.SIGKILL)

    def test_without_sync_a_kill_loses_nothing(self):
        data = self.place()
        d = self.daemon("--durability", "process", data=data)
        self.assertEqual(d.health()["storage"]["durability"], "process")
        for n in range(50):
            d.submit(f"t{n}")
        d.kill()
        self.assertEqual(len(self.tasks(self.daemon(data=data))), 50)


class Place(Case):
    def test_a_directory_is_made_for_its_owner_alone(self):
        data = self.place() + "/a/b/c"
        old = os.umask(0)
        try:
            d = self.daemon(data=data)
        finally:
            os.umask(old)
        d.submit("t", time=0)
        d.finished("t")
        self.assertEqual(mode(data), 0o700)
        self.assertEqual(mode(os.path.dirname(data)), 0o700)
        names = os.listdir(data)
        self.assertIn("pawl.db", names)
        self.assertEqual({name: oct(mode(os.path.join(data, name))) for name in names},
                         {name: oct(0o600) for name in names})

    def test_a_second_daemon_is_refused_and_told_the_pid_of_the_first(self):
        data = self.place()
        d = self.daemon(data=data)
        d.submit("t")
        status, out, err = refuse("--listen", "127.0.0.1:0", "--data", data)
        self.assertEqual((status, out), (1, ""))
        self.assertIn(f"pid {d.pid}", err)
        self.assertIn(data, err)
        self.assertEqual(d.get("t")["state"], "ToBeExecuted")
        d.kill()
        self.assertEqual(self.daemon(data=data).get("t")["state"], "ToBeExecuted")

    def test_an_address_in_use_is_told_before_the_store_is_touched(self):
        d, data = self.daemon(), self.place() + "/data"
        status, _, err = refuse("--listen", d.address, "--data", data)
        self.assertEqual(status, 1)
        self.assertIn("in use", err)
        self.assertFalse(os.path.exists(data))

    def test_a_directory_that_cannot_be_used_is_an_error_with_its_name(self):
        place = self.place()
        with open(place + "/file", "w") as file:
            file.write("precious")
        for data in (place + "/file", place + "/file/below", "/proc/pawl"):
            status, out, err = refuse("--listen", "127.0.0.1:0", "--data", data)
            self.assertEqual((status, out), (1, ""), data)
            self.assertIn(data, err)
        with open(place + "/file") as file:
            self.assertEqual(file.read(), "precious")

    def test_by_default_it_is_where_XDG_STATE_HOME_says(self):
        home = self.place()
        d = self.daemon(data="", env={"XDG_STATE_HOME": home + "/state", "HOME": home})
        d.submit("t")
        self.assertTrue(os.path.exists(home + "/state/pawl/pawl.db"))
        self.assertEqual(mode(home + "/state/pawl"), 0o700)
        d.stop()
        d = self.daemon(data="", env={"XDG_STATE_HOME": home + "/state"})
        self.assertEqual(d.get("t")["id"], "t")

    def config(self, user, **env):
        base = {k: v for k, v in environment().items() if k not in ("HOME", "XDG_STATE_HOME")}
        done = subprocess.run([PAWLD, "--print-config"], env={**base, **env}, user=user,
                              capture_output=True, text=True, timeout=60)
        data = [line for line in done.stdout.splitlines() if line.startswith("data = ")]
        return done.returncode, data, done.stderr

    def test_else_it_is_below_HOME_or_for_root_in_var_lib(self):
        user = os.geteuid() or 65534
        try:
            self.assertEqual(self.config(user, HOME="/home/u")[:2],
                             (0, ["data = /home/u/.local/state/pawl"]))
        except PermissionError:
            self.skipTest("nobody may not run " + PAWLD)
        self.assertEqual(self.config(user, HOME="/home/u", XDG_STATE_HOME="relative")[:2],
                         (0, ["data = /home/u/.local/state/pawl"]))
        self.assertEqual(self.config(user, HOME="/home/u", XDG_STATE_HOME="/x")[:2],
                         (0, ["data = /x/pawl"]))
        status, _, err = self.config(user)
        self.assertEqual(status, 2)
        self.assertIn("--data DIR, or --ephemeral", err)
        if os.geteuid() == 0:
            self.assertEqual(self.config(0, HOME="/root")[:2], (0, ["data = /var/lib/pawl"]))

    def test_flag_wins_over_environment_over_file_and_ephemeral_is_the_other_choice(self):
        place = self.place()
        with open(place + "/config", "w") as file:
            file.write(f"data = {place}/file\n")

        def where(*options, env=None):
            d = self.daemon("--config", place + "/config", *options, data="", env=env or {})
            store = d.health()["store"]
            d.stop()
            made = [name for name in ("file", "env", "flag") if os.path.exists(f"{place}/{name}")]
            for name in made:
                shutil.rmtree(f"{place}/{name}")
            return store, made

        self.assertEqual(where(), ("sqlite", ["file"]))
        self.assertEqual(where(env={"PAWL_DATA": place + "/env"}), ("sqlite", ["env"]))
        self.assertEqual(where("--data", place + "/flag", env={"PAWL_DATA": place + "/env"}),
                         ("sqlite", ["flag"]))
        self.assertEqual(where("--ephemeral", env={"PAWL_DATA": place + "/env"}), ("memory", []))
        self.assertEqual(where("--data", place + "/flag", env={"PAWL_EPHEMERAL": "1"}),
                         ("sqlite", ["flag"]))

    def test_ephemeral_touches_no_directory(self):
        home = self.place()
        d = self.daemon(env={"XDG_STATE_HOME": home, "HOME": home})
        d.submit("t", time=0)
        d.finished("t")
        self.assertEqual(os.listdir(home), [])


class Health(Case):
    def test_the_store_tells_how_it_does(self):
        d = self.daemon(data=self.place())
        d.submit("t", time=0, script="echo out")
        d.finished("t")
        wait_for("all to be saved", lambda: d.health()["storage"]["unsaved"] == 0)
        health = d.health()
        storage = health["storage"]
        self.assertEqual((health["status"], health["store"]), ("ok", "sqlite"))
        self.assertEqual(set(storage), {"state", "durability", "bytes", "historyBytes", "commits",
                                        "unsaved", "problem"})
        self.assertEqual((storage["state"], storage["durability"], storage["problem"]),
                         ("ok", "sync", None))
        self.assertGreater(storage["bytes"], 0)
        self.assertGreater(storage["historyBytes"], 0)
        self.assertGreater(storage["commits"], 0)

    def test_memory_says_so(self):
        health = self.daemon().health()
        self.assertEqual((health["status"], health["store"]), ("ok", "memory"))
        self.assertEqual(health["storage"], {
            "state": "memory", "durability": None, "bytes": 0, "historyBytes": 0, "commits": 0,
            "unsaved": 0, "problem": None})


class Backup(Case):
    def filled(self):
        d = self.daemon(data=self.place())
        for n in range(200):
            d.submit(f"t{n}", script=f"echo {n}")
        d.submit("ran", time=0, script="echo out; echo err >&2")
        d.submit("c", taskType="cron", time="1h")
        d.finished("ran")
        d.call("PUT", "/api/tasks/c")
        wait_for("all to be saved", lambda: d.health()["storage"]["unsaved"] == 0)
        return d

    def left(self, d):
        """Copies that are lying about in the daemon's directory."""
        with open(f"/proc/{d.pid}/cmdline") as file:
            arguments = file.read().split("\0")
        data = arguments[arguments.index("--data") + 1]
        return [name for name in os.listdir(data) if name.startswith("backup-")]

    def restore(self, copy):
        """A daemon on the copy."""
        data = self.place()
        shutil.copy(copy, data + "/pawl.db")
        return self.daemon(data=data)

    def test_a_copy_has_everything_and_can_be_served_and_read(self):
        d = self.filled()
        answer = d.call("GET", "/api/backup")
        self.assertEqual((answer.status, answer.headers["content-type"]),
                         (200, "application/octet-stream"))
        self.assertEqual(answer.headers["content-disposition"],
                         'attachment; filename="pawl-backup.db"')
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        self.assertEqual(self.left(d), [])
        copy = self.place() + "/copy.db"
        with open(copy, "wb") as file:
            file.write(answer.body)
        with sqlite3.connect(f"file:{copy}?mode=ro", uri=True) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM tasks").fetchone(), (202,))
            self.assertEqual(db.execute("SELECT id, outcome, stdout, stderr FROM runs").fetchall(),
                             [("ran", "success", "out\n", "err\n")])
            self.assertEqual(db.execute("SELECT type, status FROM tasks WHERE id = 'c'").fetchone(),
                             ("cron", "Stopped"))
        d.submit("afterwards")
        tasks = {task["id"]: task for task in d.call("GET", "/api/tasks").json()}
        copied = {task["id"]: task for task in self.restore(copy).call("GET", "/api/tasks").json()}
        self.assertEqual(list(copied), [id for id in tasks if id != "afterwards"])
        for id, task in copied.items():
            if task["nextRun"]:
                self.assertEqual(tasks[id].pop("nextRun")[:18], task.pop("nextRun")[:18])
            self.assertEqual(task, tasks[id])

    def test_head_makes_no_copy(self):
        d = self.filled()
        with d.connect() as client:
            answer = client.call("HEAD", "/api/backup")
            self.assertEqual(client.rest(), b"")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        self.assertIn("attachment", answer.headers["content-disposition"])

    def test_in_memory_there_is_nothing_to_back_up(self):
        d = self.daemon()
        self.assertProblem(d.call("GET", "/api/backup"), 409, None, "in memory only")
        status, _, err = pawl(d, "backup", self.place() + "/f")
        self.assertEqual(status, 4)
        self.assertIn(b"in memory only", err)

    def test_a_client_that_vanishes_leaves_no_file(self):
        d = self.filled()
        d.submit("large", script="#" * 1_000_000)
        for nbytes in (0, 100, 20_000):
            def vanish():
                """False: the copy for the one before is still being written."""
                with d.connect() as client:
                    client.ask("GET", "/api/backup")
                    return nbytes == 0 or (client._exactly(12) == b"HTTP/1.1 200" and
                                           len(client._exactly(nbytes)) > 0)

            wait_for("a copy", vanish)

        def is_open():
            for fd in os.listdir(f"/proc/{d.pid}/fd"):
                try:
                    if "/backup-" in os.readlink(f"/proc/{d.pid}/fd/{fd}"):
                        return True
                except FileNotFoundError:
                    pass                        # closed meanwhile
            return False

        wait_for("the copies to go", lambda: self.left(d) == [] and not is_open())

    def test_copies_that_a_killed_daemon_left_are_removed(self):
        data = self.place()
        d = self.daemon(data=data)
        d.kill()
        with open(data + "/backup-0123456789abcdef.tmp", "w") as file:
            file.write("half")
        d = self.daemon(data=data)
        self.assertEqual(self.left(d), [])

    def test_copies_beside_submits_are_of_one_moment(self):
        d = self.daemon(data=self.place())
        place = self.place()
        with d.connect() as client:
            for n in range(600):
                client.call("POST", "/api/tasks", {**DELAY, "id": f"t{n}"})
                if n % 200 == 100:
                    self.assertEqual(pawl(d, "backup", f"{place}/{n}")[0], 0)
                    with sqlite3.connect(f"file:{place}/{n}?mode=ro", uri=True) as db:
                        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
                        ids = [id for id, in db.execute("SELECT id FROM tasks ORDER BY seq")]
                    self.assertEqual(ids, [f"t{k}" for k in range(n + 1)])

    def test_the_client_writes_a_file_whole_or_not_at_all(self):
        d, place = self.filled(), self.place()
        file = place + "/copy.db"
        status, out, err = pawl(d, "backup", file)
        self.assertEqual((status, out), (0, b""))
        self.assertIn(b"wrote " + file.encode(), err)
        self.assertEqual(mode(file), 0o600)
        self.assertEqual(os.listdir(place), ["copy.db"])
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM tasks").fetchone(), (202,))
        before = os.stat(file).st_ino
        status, _, err = pawl(d, "backup", file)
        self.assertEqual(status, 4)
        self.assertIn(b"-force", err)
        self.assertEqual(os.stat(file).st_ino, before)
        open(file + ".part", "w").close()
        self.assertEqual(pawl(d, "backup", place + "/copy.db2")[0], 0)
        self.assertEqual(pawl(d, "backup", file)[0], 4)
        self.assertEqual(pawl(d, "backup", file, "-force")[0], 0)
        self.assertNotEqual(os.stat(file).st_ino, before)
        self.assertEqual(sorted(os.listdir(place)), ["copy.db", "copy.db2"])
        self.assertEqual(pawl(d, "backup", place + "/none/f")[0], 1)
        self.assertEqual(pawl(d, "backup")[0], 2)

    def test_the_client_writes_to_stdout(self):
        d, place = self.filled(), self.place()
        status, out, _ = pawl(d, "backup", "-")
        self.assertEqual(status, 0)
        with open(place + "/f", "wb") as file:
            file.write(out)
        self.assertEqual(self.restore(place + "/f").health()["tasks"], 202)

    def test_a_failed_backup_of_the_client_leaves_nothing(self):
        place = self.place()
        done = subprocess.run([PAWL, "backup", place + "/f", "-server=127.0.0.1:1"],
                              env=environment(), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 6)
        self.assertEqual(os.listdir(place), [])

    def test_an_interrupted_backup_of_the_client_leaves_nothing(self):
        d, place = self.filled(), self.place()
        d.process.send_signal(signal.SIGSTOP)
        client = subprocess.Popen([PAWL, "backup", place + "/f"], stderr=subprocess.PIPE,
                                  env=environment(PAWL_SERVER=d.address))
        try:
            wait_for("the file", lambda: os.listdir(place) == ["f.part"])
            client.send_signal(signal.SIGINT)
            self.assertEqual(client.wait(30), 130)
        finally:
            d.process.send_signal(signal.SIGCONT)
            client.stderr.close()
        self.assertEqual(os.listdir(place), [])


class Check(Case):
    def filled(self):
        data = self.place()
        d = self.daemon(data=data)
        lines = "\n".join(json.dumps({**DELAY, "id": f"t{n}", "script": f"echo {n} " + "#" * 200})
                          for n in range(3000))
        self.assertEqual(d.call("POST", "/api/tasks", lines, NDJSON).json()["accepted"], 3000)
        d.submit("ran", time=0)
        d.finished("ran")
        self.assertEqual(d.stop(), 0)
        return data

    def test_a_sound_store_is_told_so_and_not_changed(self):
        data = self.filled()
        before = {name: os.stat(f"{data}/{name}").st_mtime_ns for name in os.listdir(data)
                  if name.startswith("pawl.db")}
        status, out, err = refuse("--check", data)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("3001", out)
        self.assertEqual({name: os.stat(f"{data}/{name}").st_mtime_ns for name in before}, before)
        self.assertEqual(self.daemon(data=data).health()["tasks"], 3001)

    def test_a_store_that_was_left_by_kill_is_sound(self):
        data = self.place()
        d = self.daemon(data=data)
        for n in range(20):
            d.submit(f"t{n}")
        d.kill()
        status, out, err = refuse("--check", data)
        self.assertEqual((status, err), (0, ""), out)
        self.assertIn("20", out)

    def test_a_damaged_store_is_told_so_by_check_and_by_the_daemon(self):
        data = self.filled()
        with open(data + "/pawl.db", "r+b") as file:
            file.seek(0, os.SEEK_END)
            size = file.tell()
            for at in range(8192, size, 4096):
                file.seek(at)
                file.write(os.urandom(600))
        status, out, err = refuse("--check", data)
        self.assertEqual(status, 1, out)
        self.assertIn("is not sound", err)
        self.assertGreater(len(out.splitlines()), 1)
        status, out, err = refuse("--listen", "127.0.0.1:0", "--data", data)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("damaged", err)

    def test_what_is_no_store_of_ours_is_refused_and_left_alone(self):
        data = self.place()
        for content in (b"this is no database " * 400, None):
            path = data + "/pawl.db"
            if content:
                with open(path, "wb") as file:
                    file.write(content)
            else:
                os.unlink(path)
                with sqlite3.connect(path) as db:
                    db.execute("CREATE TABLE other (x)")
                db.close()
            with open(path, "rb") as file:
                before = file.read()
            for options in (("--check", data), ("--listen", "127.0.0.1:0", "--data", data)):
                status, _, err = refuse(*options)
                self.assertEqual(status, 1, options)
                self.assertIn("pawl.db", err)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), before)

    def test_a_store_of_a_newer_version_is_refused_and_left_alone(self):
        data = self.filled()
        db = sqlite3.connect(data + "/pawl.db")
        db.execute("PRAGMA user_version = 1000")
        db.close()
        for options in (("--check", data), ("--listen", "127.0.0.1:0", "--data", data)):
            status, _, err = refuse(*options)
            self.assertEqual(status, 1, options)
            self.assertIn("newer", err)

    def test_one_in_use_is_refused(self):
        data = self.place()
        d = self.daemon(data=data)
        status, _, err = refuse("--check", data)
        self.assertEqual(status, 1)
        self.assertIn(f"pid {d.pid}", err)

    def test_one_that_is_not_there_is_refused_and_not_made(self):
        data = self.place() + "/none"
        status, _, err = refuse("--check", data)
        self.assertEqual(status, 1)
        self.assertIn(data, err)
        self.assertFalse(os.path.exists(data))
        self.assertEqual(refuse("--check")[0], 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
