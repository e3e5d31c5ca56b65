"""framed.py: what the peers with protocols of their own have in common: peer_load (load.c) is their
client and their worker, in processes of its own."""

import contextlib
import os
import subprocess

import process
from install import Missing
from peer import SCRIPT, Done, Peer

LIMIT = 60              # seconds that it may take beyond what it was told


class FramedPeer(Peer):
    """start() sets nruns of its server: jobs for run()."""
    protocol = ""           # as peer_load calls it
    build = ""              # the directory where peer_load is; set by the driver

    def prepare(self, shelf):
        self.load = os.path.join(self.build, "peer_load")
        if not os.path.exists(self.load):
            raise Missing("no peer_load in %s" % self.build)
        self.env = shelf.environment()

    @contextlib.contextmanager
    def launch(self, server, work, *args):
        words = [self.load, self.protocol, work, str(server.port), *map(str, args)]
        client = subprocess.Popen(process.figures.bound_to_us(words), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        try:
            yield client
        finally:
            client.kill()
            client.communicate()

    @staticmethod
    def result(client, limit=LIMIT):
        """Done, and what it printed behind."""
        try:
            out, err = client.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise RuntimeError("a client took more than %d s" % limit) from None
        if client.returncode != 0:
            raise RuntimeError("a client failed: " + err.strip())
        first, *rest = out.splitlines()
        n, seconds = first.split()
        return Done(int(n), float(seconds)), [float(line) for line in rest]

    def call(self, server, work, *args):
        with self.launch(server, work, *args) as client:
            return self.result(client)[0]

    def submit(self, server, seconds):
        return self.call(server, "one", seconds, "load", SCRIPT)

    def bulk(self, server, seconds, prefix):
        return self.call(server, "many", seconds, prefix, SCRIPT)

    def late(self, server, rate, seconds):
        with self.launch(server, "late", int(rate * seconds)) as worker:
            self.call(server, "pace", rate, seconds)
            return {"": self.result(worker)[1]}

    def fill(self, server):
        self.call(server, "fill", server.nruns)

    def run(self, server):
        return self.call(server, "work", server.nruns)
