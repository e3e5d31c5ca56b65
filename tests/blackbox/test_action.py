#!/usr/bin/env python3
"""How a script is run: by which program, with what, where, and for how long; over REST, and by the client."""

import json
import os
import shutil
import subprocess
import unittest

from daemon import HERE, Case, Shared

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


class Action(Shared):
    OPTIONS = ("--interpreter", "strict=/bin/sh -eu", "--interpreter", "gone=/nowhere/it")

    def run_one(self, **fields):
        self.d.submit(self.name, **{"time": 0, "script": "true", **fields})
        return self.d.finished(self.name)["results"][0]

    def refused(self, field, text, **fields):
        document = {"id": self.name, "taskType": "delay", "time": 0, "script": "true", **fields}
        answer = self.d.call("POST", "/api/tasks", document)
        self.assertProblem(answer, 400, field, text)

    def test_all_of_it_is_used_and_echoed(self):
        given = {"interpreter": "sh", "args": ["a", "", "b c"], "env": {"X": "1=2", "HOME": "/h"}, "cwd": "/usr",
                 "umask": "027", "timeout": 3600 * 10**9, "killGrace": 10**9}
        result = self.run_one(script='echo "$0,$1,$2,$3,$X,$HOME,$#"; pwd; umask', **given)
        self.assertEqual(result["result"], "pawl,a,,b c,1=2,/h,3\n/usr\n0027\n")
        task = self.d.get(self.name)
        self.assertEqual({name: task[name] for name in given}, given)
        plain = self.d.submit(self.name + "-plain", time="1h")
        self.assertFalse(set(given) & set(plain))

    def test_each_interpreter_that_is_there(self):
        scripts = {"python3": "import sys; print(sys.argv[1])", "perl": 'print "$ARGV[0]\\n"',
                   "node": "console.log(process.argv[2])", "ruby": "puts ARGV[0]", "strict": 'echo "$1"',
                   "awk": "BEGIN { print ARGV[1] }", "bash": 'echo "$1"'}
        for name, script in scripts.items():
            with self.subTest(name):
                if name != "strict" and not shutil.which(name):
                    self.skipTest(f"no {name} here")
                id = f"{self.name}-{name}"
                self.d.submit(id, time=0, interpreter=name, args=["größe"], script=script)
                result = self.d.finished(id)["results"][0]
                self.assertEqual((result["result"], result["stderr"]), ("größe\n", ""))

    def test_absent_interpreters_are_refused_by_name(self):
        self.refused("interpreter", "no interpreter 'cobol': it has ", interpreter="cobol")
        self.refused("interpreter", "'gone'", interpreter="gone")
        self.assertIn("the interpreter gone is left out: /nowhere/it is not there", self.d.log())

    def test_what_is_wrong_is_told_by_field(self):
        self.refused("args", "args[1] must be a string", args=["a", 1])
        self.refused("env", "env.1A", env={"1A": "x"})
        self.refused("env", "env.PAWL_RUN", env={"PAWL_RUN": "x"})
        self.refused("env", "NUL", env={"A": "\0"})
        self.refused("cwd", "absolute", cwd="tmp")
        self.refused("umask", "octal", umask="789")
        self.refused("timeout", "1ms", timeout="10us")
        self.refused("killGrace", "0 or more", killGrace="-1s")
        self.refused("args", "1000", args=["x"] * 1001)
        self.refused("env", "65536", env={"A": "x" * 65536})

    def test_directory_that_is_not_there_is_an_error_of_the_run(self):
        result = self.run_one(cwd="/nowhere")
        self.assertEqual((result["outcome"], result["exitCode"]), ("error", None))
        self.assertIn("cwd /nowhere: No such file", result["error"])

    def test_time_limit_in_real_time(self):
        result = self.run_one(script="echo begun; exec sleep 100", timeout="200ms")
        self.assertEqual((result["outcome"], result["signal"], result["result"]), ("timeout", "SIGTERM", "begun\n"))
        self.assertGreaterEqual(result["durationNs"], 200 * 10**6)
        self.assertEqual(self.d.get(self.name)["failureCount"], 1)

    def test_grace_in_real_time(self):
        result = self.run_one(script="trap '' TERM; while :; do sleep 0.1; done", timeout="100ms", killGrace="100ms")
        self.assertEqual((result["outcome"], result["signal"]), ("timeout", "SIGKILL"))

    def test_stop_with_kill(self):
        self.d.submit(self.name, time=0, script="exec sleep 100")
        self.d.watch(self.name, lambda task: task["running"] == 1)
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}"), 409, text="running")
        self.assertEqual(self.d.call("PUT", f"/api/tasks/{self.name}?kill=true").json()["running"], 1)
        self.assertEqual(self.d.finished(self.name)["results"][0]["outcome"], "killed")
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}?kill=true"), 409)
        self.assertProblem(self.d.call("PUT", f"/api/tasks/{self.name}?kill=perhaps"), 400, "kill")


class Client(Shared):
    def pawl(self, *args):
        return subprocess.run([PAWL, "-server", self.d.address, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, stdin=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})

    def submit(self, *args):
        return self.pawl("submit", self.name, "-time=0", "-script=sleep 0.1; echo $1,$2,$A,$B; pwd; umask", *args)

    def test_submit_has_a_flag_for_each_and_get_shows_them(self):
        done = self.submit("-type=delay", "-interpreter=sh", "-arg=a b", "-arg=", "-env=A=1=2", "-env=B=", "-cwd=/usr",
                           "-umask=027", "-time-limit=1m30s", "-kill-grace=2s", "-o=json")
        self.assertEqual(done.returncode, 0, done.stderr)
        task = json.loads(done.stdout)
        self.assertEqual((task["args"], task["env"]), (["a b", ""], {"A": "1=2", "B": ""}))
        self.assertEqual((task["timeout"], task["killGrace"]), (90 * 10**9, 2 * 10**9))
        self.assertEqual(self.d.finished(self.name)["results"][0]["result"], "a b,,1=2,\n/usr\n0027\n")
        shown = self.pawl("get", self.name).stdout
        for line in ("PROGRAM   sh", "ARGS      a b", "ENV       A=1=2", "          B=", "CWD       /usr", "UMASK     027",
                     "TIMEOUT   1m30s", "GRACE     2s"):
            self.assertIn(line + "\n", shown)

    def test_what_could_not_be_told_is_refused(self):
        for flag, text in (("-env=A", "-env=NAME=VALUE"), ("-env==x", "-env=NAME=VALUE"), ("-time-limit=10", "unit")):
            done = self.submit("-type=delay", flag)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(text, done.stderr)
        done = self.submit("-type=delay", "-env=A=1", "-env=A=2")
        self.assertIn("given twice", done.stderr)
        done = self.submit("-type=delay", "-interpreter=cobol")
        self.assertIn("no interpreter 'cobol'", done.stderr)

    def test_stop_with_kill_ends_the_run(self):
        self.d.submit(self.name, time=0, script="exec sleep 100")
        self.d.watch(self.name, lambda task: task["running"] == 1)
        self.assertNotEqual(self.pawl("stop", self.name).returncode, 0)
        done = self.pawl("stop", self.name, "-kill")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.d.finished(self.name)["results"][0]["outcome"], "killed")

    def test_timeout_behind_submit_is_that_of_the_task_and_before_it_the_client_s(self):
        for before, behind, wanted in (((), ("-timeout=2h",), 7200 * 10**9), (("-timeout=1m",), (), None),
                                       (("-timeout=1m",), ("-time-limit=3s",), 3 * 10**9)):
            done = subprocess.run([PAWL, "--server", self.d.address, *before, "submit", self.name, "-type=cron",
                                   "-time=1h", "-script=true", "-o=json", *behind],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout).get("timeout"), wanted)
            self.d.call("DELETE", f"/api/tasks/{self.name}")


class Stored(Case):
    def test_interpreter_that_went_is_told_by_the_run(self):
        data = self.place()
        before = self.daemon("--interpreter", "mine=/bin/sh", data=data)
        before.submit("kept", time="1h", interpreter="mine", args=["x"], timeout="1m")
        kept = before.get("kept")
        before.stop()
        after = self.daemon(data=data)
        self.assertEqual(after.get("kept"), kept)
        after.call("POST", "/api/tasks/kept/run")
        result = after.finished("kept")["results"][0]
        self.assertEqual(result["outcome"], "error")
        self.assertIn("no interpreter 'mine'", result["error"])


if __name__ == "__main__":
    unittest.main()
