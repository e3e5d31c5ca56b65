"""gearman.py: gearmand, a job server in one process, with background jobs that have a time (epoch
jobs); they are in its memory."""

import contextlib

import process
from framed import FramedPeer
from peer import Variant


class Gearman(FramedPeer):
    protocol = "gearman"
    variants = [Variant("gearmand", 0, "in its memory", [])]
    run_means = "grab and complete, 16 connections"
    late_means = ("due times are whole seconds, the jobs of each second together; no worker is woken "
                  "for them: they ask every 50 ms")

    def prepare(self, shelf):
        super().prepare(shelf)
        self.program = shelf.program("gearmand", "gearman-job-server")

    @contextlib.contextmanager
    def start(self, variant, room):
        port = process.free_port()
        with process.running([self.program, "--listen=127.0.0.1", "--port=%d" % port,
                              "--log-file=stderr"], room, env=self.env) as server:
            server.await_port(port)
            server.nruns = 50000
            yield server


PEER = Gearman()
