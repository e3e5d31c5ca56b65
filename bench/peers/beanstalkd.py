"""beanstalkd.py: a work queue in one process, with puts that are delayed by whole seconds. Its log
(-b) is written before a put is answered; -f0 has it fsynced each time, -F never. A job has no id of
the client's: it is in the body."""

import contextlib
import os
import select
import time

import process
import sockets
from peer import LEAD, SCRIPT, Child, Done, Peer, Variant, make_id, pace

NRUNS = 20000
WORKERS = 16


class Codec:
    """put PRIORITY DELAY TTR BYTES, answered by INSERTED ID."""

    def __init__(self, prefix, body=None):
        self.prefix, self.body = prefix, body

    def request(self, number, delay):
        body = self.body or make_id(self.prefix, number) + SCRIPT
        return ("put 0 %d 60 %d\r\n%s\r\n" % (delay, len(body), body)).encode()

    @staticmethod
    def answers(buffer):
        count = buffer.count(b"\n")
        if count != buffer.count(b"INSERTED") and buffer.endswith(b"\n"):
            raise RuntimeError("a put was answered: " + buffer[:60].decode())
        whole, _, left = buffer.rpartition(b"\n")
        return whole.count(b"INSERTED"), left


class Worker:
    """Several connections, each with a reserve under way; a job is deleted when it was handled."""

    def __init__(self, port, handle):
        self.socks = [sockets.connect(port) for _ in range(WORKERS)]
        self.handle = handle
        self.poll = select.epoll()
        self.by_fd = {}
        for sock in self.socks:
            self.by_fd[sock.fileno()] = [sock, b""]
            self.poll.register(sock.fileno(), select.EPOLLIN)

    def work(self, n):
        """Until so many jobs are deleted."""
        for sock in self.socks:
            sock.sendall(b"reserve\r\n")
        deleted = 0
        while deleted < n:
            for fd, _ in self.poll.poll():
                one = self.by_fd[fd]
                one[1] += sockets.receive(one[0])
                deleted += self.take(one)

    def take(self, one):
        """What came on a connection; gives how many deletions were confirmed."""
        deleted = 0
        while b"\r\n" in one[1]:
            line, _, rest = one[1].partition(b"\r\n")
            words = line.split()
            if words[0] == b"RESERVED":
                size = int(words[2])
                if len(rest) < size + 2:
                    break
                self.handle(rest[:size])
                one[0].sendall(b"delete " + words[1] + b"\r\nreserve\r\n")
                rest = rest[size + 2:]
            elif words[0] == b"DELETED":
                deleted += 1
            else:
                raise RuntimeError("a worker was answered: " + line.decode())
            one[1] = rest
        return deleted


def late_worker(port, n):
    found = []
    Worker(port, lambda body: found.append(time.time() - float(body))).work(n)
    return found


def run_worker(port, n):
    first = []
    Worker(port, lambda body: first or first.append(time.monotonic())).work(n)
    return Done(n, time.monotonic() - first[0])


class Beanstalkd(Peer):
    variants = [
        Variant("beanstalkd", 0, "in its memory; no log", []),
        Variant("beanstalkd -b -F", 1, "written to its log, never fsynced", ["-F"]),
        Variant("beanstalkd -b -f0", 2, "written to its log and fsynced", ["-f0"]),
    ]
    run_means = "reserve and delete, %d connections" % WORKERS
    late_means = "delays are whole seconds: each put has a delay of 1 s"

    def prepare(self, shelf):
        self.program = shelf.program("beanstalkd", "beanstalkd")
        self.env = shelf.environment()

    @contextlib.contextmanager
    def start(self, variant, room):
        port = process.free_port()
        command = [self.program, "-l", "127.0.0.1", "-p", str(port), *variant.setting]
        if variant.setting:
            os.mkdir(os.path.join(room, "wal"))
            command += ["-b", os.path.join(room, "wal")]
        with process.running(command, room, env=self.env) as server:
            server.await_port(port)
            yield server

    def submit(self, server, seconds):
        return sockets.one(server.port, Codec("load"), seconds)

    def bulk(self, server, seconds, prefix):
        return sockets.many(server.port, Codec(prefix), seconds)

    def late(self, server, rate, seconds):
        with Child(late_worker, server.port, int(rate * seconds)) as worker, \
                contextlib.closing(sockets.connect(server.port)) as sock:
            for number, _ in pace(rate, seconds):
                due = time.time() + LEAD
                sockets.ask(sock, Codec("", "%-60.6f" % due), number, int(LEAD))
            return {"": worker.result(seconds + 30)}

    def fill(self, server):
        sockets.many(server.port, Codec("runs"), 60, delay=0, at_most=NRUNS)

    def run(self, server):
        with Child(run_worker, server.port, NRUNS) as worker:
            return worker.result(60)


PEER = Beanstalkd()
