"""beanstalkd.py: a work queue in one process, with puts that are delayed by whole seconds. Its log
(-b) is written before a put is answered; -f0 has it fsynced each time, -F never."""

import contextlib
import os

import process
from framed import FramedPeer
from peer import Variant


class Beanstalkd(FramedPeer):
    protocol = "beanstalkd"
    variants = [
        Variant("beanstalkd", 0, "in its memory; no log", []),
        Variant("beanstalkd -b -F", 1, "written to its log, never fsynced", ["-F"]),
        Variant("beanstalkd -b -f0", 2, "written to its log and fsynced", ["-f0"]),
    ]
    run_means = "reserve and delete, 16 connections"
    late_means = "delays are whole seconds: each put has a delay of 1 s"

    def prepare(self, shelf):
        super().prepare(shelf)
        self.program = shelf.program("beanstalkd", "beanstalkd")

    @contextlib.contextmanager
    def start(self, variant, room):
        port = process.free_port()
        command = [self.program, "-l", "127.0.0.1", "-p", str(port), *variant.setting]
        if variant.setting:
            os.mkdir(os.path.join(room, "wal"))
            command += ["-b", os.path.join(room, "wal")]
        with process.running(command, room, env=self.env) as server:
            server.await_port(port)
            server.nruns = 1000 if "-f0" in variant.setting else 20000  # each deletion is fsynced
            yield server


PEER = Beanstalkd()
