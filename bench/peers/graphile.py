"""graphile.py: graphile-worker, a queue for Node in PostgreSQL; its defaults, synchronous_commit on.
The server is PostgreSQL with all its processes."""

import contextlib
import os
import pwd
import subprocess

import process
from install import Missing
from node import NodePeer
from peer import Variant

NOBODY = 65534          # PostgreSQL does not run as root


class Graphile(NodePeer):
    module = "graphile"
    nruns = 2000
    keeps_in_memory = False
    variants = [Variant("graphile-worker, PostgreSQL", 2,
                        "committed: in the write-ahead log and fsynced", [])]
    run_means = "an async function in Node that returns, 16 at once; the row is removed"
    late_means = ("due times are whole milliseconds; a worker looks for due jobs every 2 s by default, "
                  "when one is submitted, and after each that it ran")

    def prepare(self, shelf):
        super().prepare(shelf)
        self.program = shelf.program("postgres", "postgresql-15")
        self.initdb = shelf.program("initdb", "postgresql-15")
        self.pg_env = dict(shelf.environment(), TZ="UTC")
        self.uid = NOBODY if os.geteuid() == 0 else None
        self.user = pwd.getpwuid(os.geteuid() if self.uid is None else self.uid).pw_name

    def address(self, server):
        return {"port": server.port, "user": self.user}

    @contextlib.contextmanager
    def start(self, variant, room):
        data = os.path.join(room, "data")
        as_user = []
        if self.uid is not None:
            os.chown(room, self.uid, self.uid)
            as_user = ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups"]
        made = subprocess.run(as_user + [self.initdb, "--auth=trust", "--no-sync", "--no-locale",
                                         "--encoding=UTF8", "-U", self.user, data],
                              cwd=room, env=self.pg_env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if made.returncode != 0:
            raise Missing("initdb failed: " + made.stdout.strip().splitlines()[-1])
        port = process.free_port()
        with process.running([self.program, "-D", data, "-p", str(port), "-k", room,
                              "-c", "listen_addresses=127.0.0.1"],
                             room, user=self.uid, env=self.pg_env) as server:
            server.await_port(port)
            server.await_that(lambda: "ready to accept" in server.log())
            self.call(server, "bulk", seconds=1, batch=1, atMost=0, prefix="none")  # its tables
            yield server

    def late(self, server, rate, seconds):
        found = super().late(server, rate, seconds)
        found["pollInterval 50 ms"] = self.late_as(server, rate, seconds, True)
        return found


PEER = Graphile()
