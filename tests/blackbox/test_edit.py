#!/usr/bin/env python3
"""A task is changed in place, over REST, also by its own run."""

import json
import os
import pty
import subprocess
import threading
import unittest

from daemon import HERE, PAWLD, Case, Shared

PAWL = os.environ.get("PAWL") or os.path.join(HERE, "../../build/release/pawl")


class Edit(Shared):
    OPTIONS = ("--ephemeral",)

    def submit(self, **fields):
        return self.d.submit(self.name, **{"taskType": "cron", "time": "1h", "script": "echo old", **fields})

    def patch(self, fields, query="", headers=()):
        return self.d.call("PATCH", f"/api/tasks/{self.name}{query}", fields, headers)

    def edited(self, fields, query=""):
        answer = self.patch(fields, query)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def run_now(self):
        version = self.d.get(self.name)["version"]
        self.assertEqual(self.d.call("POST", f"/api/tasks/{self.name}/run").status, 200)
        return self.d.watch(self.name, lambda task: task["version"] >= version + 2)

    def test_what_is_given_changes_and_all_else_stays(self):
        before = self.submit(tags=["a", "b"], env={"A": "1", "B": "2"}, args=["x"], timeout="1m", keepResults=5)
        task = self.edited({"script": "echo new", "tags": ["c"]})
        self.assertEqual(task["version"], 1)
        for name in before:
            if name not in ("script", "tags", "version", "lastStatusUpdated"):
                self.assertEqual(task[name], before[name], name)
        self.assertEqual((task["script"], task["tags"]), ("echo new", ["c"]))
        self.assertEqual(self.d.get(self.name), task)
        self.assertEqual(self.run_now()["results"][0]["result"], "new\n")

    def test_null_is_the_default_and_objects_are_merged(self):
        self.submit(tags=["a"], env={"A": "1", "B": "2"}, args=["x"], timeout="1m", keepResults=5, overlap="queue",
                    queueLimit=3)
        task = self.edited({"tags": None, "args": None, "timeout": None, "keepResults": None, "overlap": None,
                            "queueLimit": None, "env": {"A": None, "C": "3"}})
        self.assertEqual(task["env"], {"B": "2", "C": "3"})
        self.assertEqual(task["keepResults"], 10)
        for name in ("tags", "args", "timeout", "overlap", "queueLimit"):
            self.assertNotIn(name, task)
        self.assertNotIn("env", self.edited({"env": None}))
        self.assertEqual(self.edited({"env": {"A": "1", "B": None}})["env"], {"A": "1"})

    def test_numbers_and_texts_come_through_the_merge_as_they_were(self):
        text = 'quote " back \\ slash / tab \t nul-free \u0001 \u2028 \U0001f600'
        before = self.submit(script=text, retries=3, retryBackoff=1.1, retryDelay=1234567890123456,
                             retryMaxDelay=9007199254740993, retryOn=[1, 255], jitter=9007199254740993 // 1000,
                             startAt="2027-01-01T00:00:00.123456789Z", maxRuns=9223372036854775807)
        task = self.edited({"tags": ["x"]})
        for name in before:
            if name not in ("tags", "version", "lastStatusUpdated"):
                self.assertEqual(task[name], before[name], name)

    def test_a_whole_document_can_be_sent_back(self):
        for fields in ({"time": "1h"}, {"time": None, "cron": "*/5 * * * *", "timezone": "Asia/Tokyo"},
                       {"time": None, "calendar": "daily 2 at 10:30"},
                       {"time": None, "triggers": [{"time": "7m"}, {"cron": "0 9 * * *", "timezone": "UTC"},
                                                   {"at": "2199-01-01T00:00:00Z"}]}):
            with self.subTest(fields):
                before = self.submit(**fields, env={"A": "1"}, overlap="queue", queueLimit=3)
                task = self.edited(before)
                for name in before:
                    if name not in ("version", "lastStatusUpdated"):
                        self.assertEqual(task[name], before[name], name)
                self.d.call("DELETE", f"/api/tasks/{self.name}")

    def test_one_way_to_say_when_takes_the_place_of_another(self):
        before = self.submit(timeMax="2h")
        task = self.edited({"cron": "30 2 * * *", "timezone": "Europe/Berlin"})
        self.assertEqual((task["cron"], task["time"]), ("30 2 * * *", 0))
        self.assertNotIn("timeMax", task)
        task = self.edited({"calendar": "weekly 1 on mon at 08:00"})
        self.assertNotIn("cron", task)
        self.assertEqual(task["timezone"], "Europe/Berlin")
        task = self.edited({"triggers": [{"time": "10m"}, {"cron": "0 0 * * *"}]})
        self.assertNotIn("calendar", task)
        self.assertEqual(task["triggers"][1]["timezone"], "Europe/Berlin")
        task = self.edited({"time": "1h"})
        self.assertNotIn("triggers", task)
        self.assertNotEqual(task["nextRun"], before["nextRun"])     # counted from now
        self.assertEqual(self.edited({"time": 3600 * 10**9})["nextRun"], task["nextRun"])

    def test_script_takes_the_place_of_an_action_and_back(self):
        before = self.submit()
        task = self.edited({"action": {"http": {"url": "http://127.0.0.1:9/", "headers": {"A": "1", "B": "2"}}}})
        self.assertEqual((task["script"], task["action"]["http"]["url"]), ("", "http://127.0.0.1:9/"))
        self.assertEqual(task["nextRun"], before["nextRun"])
        task = self.edited({"action": {"http": {"headers": {"A": None, "C": "3"}}}})
        self.assertEqual(task["action"]["http"]["headers"], {"B": "2", "C": "3"})
        self.assertEqual(self.edited(task)["action"], task["action"])
        task = self.edited({"script": "echo new"})
        self.assertNotIn("action", task)

    def test_body_is_read_whatever_its_type(self):
        self.submit()
        for n, kind in enumerate(("application/merge-patch+json", "application/json", "text/plain",
                                  "application/x-ndjson")):
            answer = self.patch({"script": f"echo {n}"}, headers=[f"Content-Type: {kind}"])
            self.assertEqual((answer.status, answer.json()["version"]), (200, n + 1), kind)

    def test_a_member_given_often_is_not_merged_each_time(self):
        """72 KB of patch once made a document of 500 MB: the task's 60 KB, each time that it is given."""
        self.submit(env={"A": "x" * 60000})
        before = self.d.status("VmHWM")
        answer = self.patch("{" + ",".join(['"env":{}'] * 8000) + "}")
        self.assertProblem(answer, 400, "env", "twice")
        self.d.submit(self.name + "2", taskType="cron", time="1h", script=None,
                      action={"http": {"url": "http://127.0.0.1:9/", "body": "x" * 60000}})
        answer = self.d.call("PATCH", f"/api/tasks/{self.name}2",
                             '{"action":{' + ",".join(['"http":{}'] * 1999) + "}}")
        self.assertProblem(answer, 400, "action.http", "twice")
        self.assertLess(self.d.status("VmHWM") - before, 60000)

    def test_an_object_with_more_members_than_a_task_can_have_is_refused(self):
        self.submit(env={"A": "1"})
        for value in (None, "x"):
            answer = self.patch({"env": {f"B{i}": value for i in range(100000)}})
            self.assertProblem(answer, 400, "env")
        self.assertEqual(self.edited({"env": {f"B{i}": None for i in range(2000)}})["env"], {"A": "1"})

    def test_names_within_an_action_are_matched_without_case(self):
        self.d.submit(self.name, taskType="cron", time="1h", script=None,
                      action={"http": {"url": "http://127.0.0.1:9/", "headers": {"Accept": "a", "Other": "b"}}})
        task = self.edited({"Action": {"HTTP": {"URL": "http://127.0.0.1:8/",
                                                "headers": {"accept": None, "other": "c"}}}})
        self.assertEqual(task["action"], {"http": {"url": "http://127.0.0.1:8/", "headers": {"other": "c"}}})

    def test_taking_the_expression_away_asks_for_another_way_to_say_when(self):
        """It once blamed a time of zero, which nobody had given."""
        self.submit(time=None, cron="0 9 * * *")
        self.assertProblem(self.patch({"cron": None}), 400, "cron", "required")

    def test_what_a_submit_refuses_is_refused_in_the_same_way(self):
        self.submit()
        self.assertProblem(self.patch({"scrpt": "x"}), 400, field="scrpt", text='did you mean "script"')
        self.assertProblem(self.patch({"scrpt": None}), 400, field="scrpt")
        self.assertProblem(self.patch({"script": None}), 400, field="script", text="required")
        self.assertProblem(self.patch({"script": ""}), 400, field="script", text="empty")
        self.assertProblem(self.patch({"time": None}), 400, field="cron")
        self.assertProblem(self.patch({"keepResults": -1}), 400, field="keepResults")
        self.assertProblem(self.patch({"env": {"A": 1}}), 400, field="env")
        self.assertProblem(self.patch({"interpreter": "cobol"}), 400, field="interpreter")
        self.assertProblem(self.patch(b'{"script":"a","Script":"b"}'), 400, field="script", text="twice")
        self.assertProblem(self.patch(b'{"script":'), 400, field="script", text="line 1, column 11")
        self.assertProblem(self.patch(b"[]"), 400, text="not an array")
        self.assertProblem(self.patch(b""), 400, text="empty")
        problem = self.assertProblem(self.patch({"cron": "* * x * *"}), 400, field="cron")
        self.assertEqual(problem["position"], 5)
        self.assertProblem(self.patch({"endAt": "2020-01-01T00:00:00Z"}), 400, field="time", text="never fires")
        self.assertEqual(self.d.get(self.name)["version"], 0)

    def test_other_tasks_and_other_kinds_are_not_made_of_it(self):
        self.submit()
        self.assertProblem(self.patch({"id": "other"}), 400, field="id")
        self.assertProblem(self.patch({"id": None}), 400, field="id")
        self.assertProblem(self.patch({"taskType": "delay"}), 400, field="taskType")
        self.assertEqual(self.edited({"id": self.name, "taskType": "cron", "status": 4, "runCount": 7})["runCount"], 0)
        self.assertProblem(self.d.call("PATCH", "/api/tasks/none", {}), 404)

    def test_version_guards_against_overwriting(self):
        self.submit()
        self.edited({"script": "echo 1"}, "?version=0")
        self.assertProblem(self.patch({"script": "echo 2"}, "?version=0"), 409, text="version 1, not 0")
        self.assertProblem(self.patch({}, "?version=x"), 400, field="version")
        self.assertProblem(self.patch({}, "?vers=1"), 400, text="version")
        self.assertEqual(self.d.get(self.name)["script"], "echo 1")

    def test_stopped_and_over_tasks(self):
        self.submit(taskType="delay", time=0)
        self.d.finished(self.name)
        self.assertProblem(self.patch({"time": "1h"}), 409, text="the task is over")
        self.edited({"script": "echo again"})
        self.assertEqual(self.run_now()["results"][-1]["result"], "again\n")
        other = self.d.submit(self.name + "s", taskType="cron", time="1h")
        self.d.call("PUT", f"/api/tasks/{other['id']}")
        self.assertProblem(self.d.call("PATCH", f"/api/tasks/{other['id']}", {"script": ":"}), 409, text="stopped")

    def test_run_in_progress_is_untouched(self):
        gate = self.place() + "/gate"
        self.submit(script=f"until test -e {gate}; do sleep 0.01; done; echo old")
        self.d.call("POST", f"/api/tasks/{self.name}/run")
        self.d.watch(self.name, lambda task: task["running"] == 1)
        task = self.edited({"script": "echo new", "keepResults": 1})
        self.assertEqual((task["state"], task["version"]), ("Executing", 2))
        open(gate, "w").close()
        task = self.d.finished(self.name)
        self.assertEqual(task["results"][0]["result"], "old\n")
        task = self.run_now()
        self.assertEqual([result["result"] for result in task["results"]], ["new\n"])

    def test_a_task_edits_itself(self):
        patch = json.dumps({"script": "echo new", "time": "2h"})
        self.submit(script=f"curl -s -X PATCH -d '{patch}' -o /dev/null "
                    f"{self.d.address}/api/tasks/{self.name}; echo old")
        task = self.run_now()
        task = self.d.watch(self.name, lambda task: task["running"] == 0 and task["runCount"] == 1)
        self.assertEqual((task["version"], task["script"], task["time"]), (3, "echo new", 7200 * 10**9))
        self.assertEqual(task["results"][0]["result"], "old\n")
        self.assertEqual(self.run_now()["results"][1]["result"], "new\n")

    def test_watch_and_list_follow(self):
        self.submit(tags=["old"])
        found = []

        def wait():
            found.append(self.d.call("GET", f"/api/tasks/{self.name}?watch=true&version=0").json())

        waiter = threading.Thread(target=wait)
        waiter.start()
        self.edited({"tags": ["new" + self.name]})
        waiter.join()
        self.assertEqual(found[0]["version"], 1)
        tasks = self.d.call("GET", f"/api/tasks?tag=new{self.name}").json()
        self.assertEqual([task["id"] for task in tasks], [self.name])

    def test_of_changes_at_the_same_time_all_are_made(self):
        names = [f"V{n}" for n in range(8)]
        self.submit()

        def change(name):
            with self.d.connect() as client:
                for n in range(20):
                    answer = client.call("PATCH", f"/api/tasks/{self.name}", {"env": {name: str(n)}})
                    self.statuses.append(answer.status)

        self.statuses = []
        threads = [threading.Thread(target=change, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        task = self.d.get(self.name)
        self.assertEqual(self.statuses, [200] * 160)
        self.assertEqual(task["env"], {name: "19" for name in names})
        self.assertEqual(task["version"], 160)

    def test_warnings_are_said(self):
        self.submit()
        self.assertTrue(self.edited({"cron": "0 0 13 * fri"})["warnings"])


class Client(Shared):
    OPTIONS = ("--ephemeral",)

    def submit(self, **fields):
        return self.d.submit(self.name, **{"taskType": "cron", "time": "1h", "script": "echo old", **fields})

    def pawl(self, *words, stdin=subprocess.DEVNULL, **env):
        return subprocess.run([PAWL, "--server", self.d.address, "edit", self.name, *words], stdin=stdin,
                              capture_output=True, text=True, timeout=60, env={**os.environ, **env})

    def editor(self, script, *words):
        """At a terminal, with an editor that is this shell script; $1 is the file."""
        place = self.place()
        path = place + "/editor"
        with open(path, "w") as file:
            file.write(script)
        master, slave = pty.openpty()
        try:
            return self.pawl(*words, stdin=slave, VISUAL=f"sh {path}", TMPDIR=place), place
        finally:
            os.close(slave)
            os.close(master)

    def test_flags_change_what_they_say(self):
        self.submit(timeout="1m", tags=["a"], env={"A": "1"})
        done = self.pawl("-cron=0 4 * * *", "-tz=Europe/Berlin", "-script=echo new", "-retries=3", "-env=B=2",
                         "-unset=timeout", "-tag=b", "-tag=c", "-o", "json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        task = self.d.get(self.name)
        self.assertEqual(json.loads(done.stdout), task)
        self.assertEqual((task["cron"], task["timezone"], task["retries"]), ("0 4 * * *", "Europe/Berlin", 3))
        self.assertEqual((task["tags"], task["env"]), (["b", "c"], {"A": "1", "B": "2"}))
        self.assertNotIn("timeout", task)
        self.assertEqual(task["version"], 1)

    def test_what_is_refused_has_its_exit_status(self):
        self.submit()
        for words, status, text in ((["-script=x", "-if-version=7"], 4, "version 0, not 7"),
                                    (["-unset=scrpt"], 2, 'did you mean "script"'),
                                    (["-type=delay"], 2, "taskType cannot be changed"),
                                    (["-script=x", "-script-file=y"], 2, "not with both"),
                                    ([], 2, "without a terminal")):
            done = self.pawl(*words)
            self.assertEqual((done.returncode, done.stdout), (status, ""), done)
            self.assertIn(text, done.stderr)
        self.assertEqual(self.d.get(self.name)["version"], 0)
        self.d.call("DELETE", f"/api/tasks/{self.name}")
        self.assertEqual(self.pawl("-script=x").returncode, 3)

    def test_script_takes_the_place_of_a_call_and_back(self):
        self.submit()
        self.assertEqual(self.pawl("-url=http://127.0.0.1:9/").returncode, 0)
        task = self.d.get(self.name)
        self.assertEqual(task["action"]["http"]["url"], "http://127.0.0.1:9/")
        self.assertEqual(task["script"], "")
        self.assertEqual(self.pawl("-script=echo new").returncode, 0)
        task = self.d.get(self.name)
        self.assertEqual(task["script"], "echo new")
        self.assertNotIn("action", task)

    def test_flags_of_a_call_change_the_call_that_the_task_has(self):
        """Without -url they were once ignored, and the edit was a success."""
        self.submit()
        done = self.pawl("-method=PUT")
        self.assertEqual(done.returncode, 2)
        self.assertIn("give -url", done.stderr)
        self.pawl("-url=http://127.0.0.1:9/", "-header=A: b")
        done = self.pawl("-method=PUT", "-header=C: d", "-header=a: e", "-success-codes=204")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.d.get(self.name)["action"]["http"],
                         {"url": "http://127.0.0.1:9/", "method": "PUT", "headers": {"C": "d", "a": "e"},
                          "successCodes": [204]})
        self.assertEqual(self.pawl("-script=true", "-method=GET").returncode, 2)

    def test_only_what_was_written_is_kept(self):
        """An editor that failed once left a file of what the task is, and called it what was written."""
        self.submit()
        for script in ("exit 1", "rm $1", "kill -9 $$"):
            done, place = self.editor(script)
            self.assertEqual((done.returncode, os.listdir(place)), (1, ["editor"]), done)
            self.assertNotIn("what you wrote", done.stderr)
        for script, text in (("sed -i s/old/new/ $1; exit 1", "the editor"), ("echo [1] >$1", "is a JSON object"),
                             ("sed -i s/script/scrpt/ $1", "did you mean")):
            done, place = self.editor(script)
            self.assertIn(text, done.stderr)
            self.assertIn("what you wrote", done.stderr)
            self.assertEqual(len(os.listdir(place)), 2)
        self.assertEqual(self.d.get(self.name)["version"], 0)

    def test_editor_changes_the_document(self):
        self.submit(timeout="1m", env={"A": "1", "B": "2"})
        done, place = self.editor("cp $1 $1.seen; grep -v timeout $1 | sed 's/echo old/echo new/; s/\"A\"/\"C\"/' >$1.new;"
                                  "mv $1.new $1")
        self.assertEqual(done.returncode, 0, done)
        task = self.d.get(self.name)
        self.assertEqual((task["script"], task["env"], task["version"]), ("echo new", {"B": "2", "C": "1"}, 1))
        self.assertNotIn("timeout", task)
        self.assertEqual([name for name in os.listdir(place) if name.endswith(".json")], [])
        seen, = [name for name in os.listdir(place) if name.endswith(".seen")]
        with open(os.path.join(place, seen)) as file:
            document = json.loads("".join(line for line in file if not line.startswith("#")))
        self.assertEqual(sorted(document), ["env", "keepResults", "script", "time", "timeout"])

    def test_nothing_is_changed_where_nothing_was_edited(self):
        self.submit()
        for script in (":", ": >$1"):
            done, _ = self.editor(script)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            self.assertIn("nothing was changed", done.stderr)
        done, _ = self.editor("exit 1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the editor", done.stderr)
        self.assertEqual(self.d.get(self.name)["version"], 0)

    def test_refusal_opens_the_editor_again_with_the_error_on_top(self):
        self.submit()
        done, _ = self.editor("grep -q 'scrpt' $1 && { head -2 $1 | grep -q 'did you mean' && "
                              "sed -i 's/scrpt/script/' $1; exit; }; sed -i 's/\"script\": \"echo old/\"scrpt\": \"echo new/' $1")
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(self.d.get(self.name)["script"], "echo new")
        done, place = self.editor("sed -i 's/echo new/echo \"/' $1")      # no JSON, twice: given up
        self.assertEqual(done.returncode, 1)
        self.assertIn("line", done.stderr)
        kept, = [name for name in os.listdir(place) if name.endswith(".json")]
        self.assertIn(kept, done.stderr)
        self.assertEqual(self.d.get(self.name)["version"], 1)


class Restart(Case):

    def test_edit_is_there_after_kill(self):
        data = self.place()
        daemon = self.daemon(data=data)
        daemon.submit("a", taskType="cron", time="1h", script="echo old")
        for fields in ({"cron": "0 3 * * *", "tags": ["x"]}, {"retries": 2, "interpreter": "sh"},
                       {"script": "echo new"}):
            answer = daemon.call("PATCH", "/api/tasks/a", fields)
            self.assertEqual(answer.status, 200, answer)
        task = answer.json()
        daemon.kill()
        daemon = self.daemon(data=data)
        self.assertEqual(daemon.get("a"), task)

    def test_kill_amid_edits_leaves_each_task_whole_and_as_new_as_was_answered(self):
        """Each edit says its number in every part of the task: after a kill they must agree."""
        data, names = self.place(), [f"t{n}" for n in range(6)]
        answered = dict.fromkeys(names, 0)

        def edit(daemon, name):
            try:
                with daemon.connect() as client:
                    while True:
                        n = asked[name] = asked[name] + 1
                        answer = client.call("PATCH", f"/api/tasks/{name}", {
                            "script": f"echo {n}", "tags": [str(n)] if n % 3 else None, "timeout": f"{n}s",
                            "retries": n % 5, **({"time": f"{n}h"} if n % 2 else {"cron": f"{n % 60} 3 * * *"})})
                        if answer.status != 200:
                            refused.append(answer)
                        answered[name] = n
                        progress.set()
            except (OSError, EOFError, AssertionError, ValueError, IndexError) as error:
                ends.append(error)

        daemon = self.daemon(data=data)
        for name in names:
            daemon.submit(name, taskType="cron", time="1h", script="echo 0")
        for _ in range(6):
            asked, progress, ends, refused = dict(answered), threading.Event(), [], []
            threads = [threading.Thread(target=edit, args=(daemon, name)) for name in names]
            for thread in threads:
                thread.start()
            goal = sum(answered.values()) + 60
            while sum(answered.values()) < goal and not ends:
                progress.wait(10)
                progress.clear()
            daemon.kill()
            for thread in threads:
                thread.join()
            self.assertEqual(refused, [])
            daemon = self.daemon(data=data)
            for name in names:
                task = daemon.get(name)
                n = int(task["script"].split()[1])
                self.assertGreaterEqual(n, answered[name])
                self.assertLessEqual(n, asked[name])
                answered[name] = n
                if n == 0:
                    continue
                self.assertEqual(task.get("tags"), [str(n)] if n % 3 else None)
                self.assertEqual((task["timeout"], task.get("retries", 0)), (n * 10**9, n % 5))
                self.assertEqual((task["time"], task.get("cron")),
                                 (n * 3600 * 10**9, None) if n % 2 else (0, f"{n % 60} 3 * * *"))
        daemon.stop()
        check = subprocess.run([PAWLD, "--check", data], capture_output=True, text=True, timeout=60)
        self.assertEqual(check.returncode, 0, check)


if __name__ == "__main__":
    unittest.main()
