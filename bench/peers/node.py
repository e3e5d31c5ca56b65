"""node.py: what the peers whose client is a library of Node have in common: client.mjs does the work,
in processes of its own."""

import contextlib
import json
import os
import subprocess

import process
from install import HERE
from peer import BATCH, CONNECTIONS, LEAD, SCRIPT, Done, Peer


LIMIT = 60              # seconds that a client may take


class NodePeer(Peer):
    module = ""             # NAME.mjs
    nruns = 5000

    def prepare(self, shelf):
        self.env = dict(os.environ, PAWL_PEERS_NODE=shelf.modules())

    def address(self, server):
        """What open() of the module is given."""
        return {"port": server.port}

    def launch(self, server, work, given):
        words = json.dumps(dict(self.address(server), script=SCRIPT, **given))
        return subprocess.Popen(
            process.figures.bound_to_us(
                ["node", os.path.join(HERE, "client.mjs"), self.module, work, words]),
            env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def await_ready(client):
        if client.stdout.readline() != "ready\n":
            raise RuntimeError("a client failed: " + client.stderr.read()[-200:])

    @staticmethod
    def result(client, told=None):
        try:
            out, err = client.communicate(told, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise RuntimeError("a client took more than %d s" % LIMIT) from None
        if client.returncode != 0:
            lines = [line for line in err.splitlines() if "Error" in line]
            raise RuntimeError("a client failed: " + (lines or ["no reason given"])[0])
        return json.loads(out.splitlines()[-1])

    def call(self, server, work, **given):
        with self.ended(self.launch(server, work, given)) as client:
            return self.result(client)

    @staticmethod
    @contextlib.contextmanager
    def ended(client):
        try:
            yield client
        finally:
            client.kill()
            client.communicate()

    def submit(self, server, seconds):
        given = {"seconds": seconds, "connections": CONNECTIONS}
        with self.ended(self.launch(server, "submit", given)) as client:
            self.await_ready(client)
            server.mark()
            return Done(**self.result(client, "go\n"))

    def bulk(self, server, seconds, prefix):
        return Done(**self.call(server, "bulk", seconds=seconds, batch=BATCH, atMost=1e9,
                                prefix=prefix))

    def late(self, server, rate, seconds):
        return {"": self.late_as(server, rate, seconds, False)}

    def late_as(self, server, rate, seconds, is_tuned):
        n = int(rate * seconds)
        with self.ended(self.launch(server, "late", {"n": n, "tuned": is_tuned})) as worker:
            self.await_ready(worker)
            self.call(server, "pace", rate=rate, seconds=seconds, lead=LEAD,
                      prefix="tuned" if is_tuned else "late")
            return self.result(worker)

    def fill(self, server):
        self.call(server, "bulk", seconds=60, batch=BATCH, atMost=self.nruns, now=True, prefix="runs")

    def run(self, server):
        return Done(**self.call(server, "run", n=self.nruns))
