"""bullmq.py: BullMQ, a queue for Node in Redis. What an answer means is what Redis does with its
append-only file: none of it, appendfsync everysec (written before the answer, fsynced each second) or
always (fsynced before the answer). The server is Redis; the moving of due jobs is asked for by the
worker."""

import contextlib

import process
from node import NodePeer
from peer import Variant


class Bullmq(NodePeer):
    module = "bullmq"
    variants = [
        Variant("BullMQ, Redis without a file", 0, "in the memory of Redis", ["--appendonly", "no"]),
        Variant("BullMQ, appendfsync everysec", 1,
                "written to the append-only file, fsynced within a second",
                ["--appendonly", "yes", "--appendfsync", "everysec"]),
        Variant("BullMQ, appendfsync always", 2, "written to the append-only file and fsynced",
                ["--appendonly", "yes", "--appendfsync", "always"]),
    ]
    run_means = "an async function in Node that returns, 64 at once; the job is removed"
    late_means = "due times are whole milliseconds"

    def prepare(self, shelf):
        super().prepare(shelf)
        self.program = shelf.program("redis-server", "redis-server")
        self.redis_env = shelf.environment()

    @contextlib.contextmanager
    def start(self, variant, room):
        port = process.free_port()
        with process.running([self.program, "--bind", "127.0.0.1", "--port", str(port), "--dir", room,
                              "--save", "", *variant.setting], room, env=self.redis_env) as server:
            server.await_port(port)
            yield server


PEER = Bullmq()
