"""What the tests of faults of the store share."""

import hashlib
import os
import subprocess

from daemon import LIMIT, PAWLD, SANITIZED, Case, environment, preload, refuse, wait_for

SOON = 20 if SANITIZED else 4           # seconds; for what comes within about one


class Stores(Case):
    def tasks(self, d):
        return {task["id"]: task for task in d.call("GET", "/api/tasks").json()}

    def storage(self, d):
        return d.health()["storage"]

    def state(self, d, state, limit=LIMIT):
        return wait_for(f"the store to be {state}",
                        lambda: self.storage(d)["state"] == state and d.health(), limit)

    def saved(self, d):
        wait_for("all to be saved", lambda: self.storage(d)["unsaved"] == 0)

    def quiet(self, d, id):
        """Stops a task and waits until it has come to rest and is stored; gives it."""
        d.call("PUT", f"/api/tasks/{id}")
        d.watch(id, lambda task: task["running"] == 0)
        self.saved(d)
        return d.get(id)

    def refused(self, data, env=None, **more):
        """A start that is refused; gives what it says."""
        status, out, err = refuse("--listen", "127.0.0.1:0", "--data", data, env=env, **more)
        self.assertEqual((status, out), (1, ""), err)
        self.assertNotIn("anitizer", err)
        return err.split("pawld: ")[-1]

    def attempt(self, data, env):
        """A start that may be refused; gives what it says then."""
        daemon = subprocess.Popen([PAWLD, "--listen", "127.0.0.1:0", "--data", data], text=True,
                                  env=environment(**env), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        has_started = daemon.stdout.readline()
        if has_started:
            daemon.terminate()
        _, err = daemon.communicate(timeout=LIMIT)
        self.assertEqual(daemon.returncode, 0 if has_started else 1, err)
        return None if has_started else err.split("pawld: ")[-1]

    def contents(self, data):
        """What the files are, by name; but the lock, which has a pid in it, and what is made anew."""
        found = {}
        for name in os.listdir(data):
            if name not in ("lock", "reserve", "pawl.db-shm"):
                with open(f"{data}/{name}", "rb") as file:
                    found[name] = hashlib.sha256(file.read()).hexdigest()
        return found


class Shifted(Stores):
    """Daemons on one store, self.data, that live at another time. By the shim the wall is ahead by as
    many seconds as its file says."""

    def setUp(self):
        self.data, self.folder = self.place(), self.place()

    def at(self, wall=0, boot=None, uptime=0, **more):
        env = preload("clock_shift", self.folder + "/wall", FAULT_UPTIME=str(uptime), **more)
        with open(self.folder + "/wall", "w") as file:
            file.write(str(wall))
        if boot:
            env["FAULT_BOOT"] = f"{self.folder}/{boot}"
            with open(env["FAULT_BOOT"], "w") as file:
                file.write(f"{boot}-0000-0000-0000-000000000000\n".rjust(37, "0"))
        return self.daemon(data=self.data, env=env)
