"""gearman.py: gearmand, a job server in one process, with background jobs that have a time (epoch
jobs); they are in its memory."""

import contextlib
import math
import select
import struct
import time

import process
import sockets
from peer import SCRIPT, Child, Done, Peer, Variant, make_id, pace

NRUNS = 20000
WORKERS = 16
ASK_SECONDS = 0.05
CAN_DO, JOB_CREATED, GRAB_JOB, NO_JOB, JOB_ASSIGN, WORK_COMPLETE = 1, 8, 9, 10, 11, 13
SUBMIT_JOB_BG, SUBMIT_JOB_EPOCH = 18, 36
HEADER = struct.Struct(">4sII")


def packet(kind, *words):
    body = b"\0".join(words)
    return HEADER.pack(b"\0REQ", kind, len(body)) + body


def packets(buffer):
    """The whole ones at its start, and what is left."""
    found, at = [], 0
    while len(buffer) - at >= HEADER.size:
        _, kind, size = HEADER.unpack_from(buffer, at)
        if len(buffer) - at < HEADER.size + size:
            break
        at += HEADER.size
        found.append((kind, buffer[at:at + size]))
        at += size
    return found, buffer[at:]


class Codec:
    """SUBMIT_JOB_EPOCH function unique epoch data, answered by JOB_CREATED."""

    def __init__(self, prefix, body=SCRIPT.encode(), epoch=None):
        self.prefix, self.body, self.epoch = prefix, body, epoch

    def request(self, number, delay):
        unique = make_id(self.prefix, number).encode()
        if delay == 0:
            return packet(SUBMIT_JOB_BG, b"run", unique, self.body)
        epoch = self.epoch or int(time.time()) + delay
        return packet(SUBMIT_JOB_EPOCH, b"run", unique, b"%d" % epoch, self.body)

    @staticmethod
    def answers(buffer):
        found, left = packets(buffer)
        for kind, body in found:
            if kind != JOB_CREATED:
                raise RuntimeError("a submit was answered: %d %s" % (kind, body[:60]))
        return len(found), left


def work(port, n, handle):
    """So many jobs, on several connections: grab, handle, complete. gearmand wakes no worker when the
    time of a job has come, so those that found none ask again after ASK_SECONDS."""
    poll = select.epoll()
    by_fd = {}
    for _ in range(WORKERS):
        sock = sockets.connect(port)
        sock.sendall(packet(CAN_DO, b"run") + packet(GRAB_JOB))
        by_fd[sock.fileno()] = [sock, b""]
        poll.register(sock.fileno(), select.EPOLLIN)
    done = 0
    idle = []
    ask_at = time.monotonic() + ASK_SECONDS
    while done < n:
        if time.monotonic() >= ask_at:
            for sock in idle:
                sock.sendall(packet(GRAB_JOB))
            idle = []
            ask_at = time.monotonic() + ASK_SECONDS
        for fd, _ in poll.poll(max(ask_at - time.monotonic(), 0)):
            one = by_fd[fd]
            found, one[1] = packets(one[1] + sockets.receive(one[0]))
            for kind, body in found:
                if kind == JOB_ASSIGN:
                    handle_, _, data = body.split(b"\0", 2)
                    handle(data)
                    done += 1
                    one[0].sendall(packet(WORK_COMPLETE, handle_, b"") + packet(GRAB_JOB))
                elif kind == NO_JOB:
                    idle.append(one[0])
                else:
                    raise RuntimeError("a worker was answered: %d %s" % (kind, body[:60]))


def late_worker(port, n):
    found = []
    work(port, n, lambda data: found.append(time.time() - float(data)))
    return found


def run_worker(port, n):
    first = []
    work(port, n, lambda _: first or first.append(time.monotonic()))
    return Done(n, time.monotonic() - first[0])


class Gearman(Peer):
    variants = [Variant("gearmand", 0, "in its memory", [])]
    run_means = "grab and complete, %d connections" % WORKERS
    late_means = ("due times are whole seconds, the jobs of each second together; no worker is woken for "
                  "them: they ask every %.0f ms" % (ASK_SECONDS * 1e3))

    def prepare(self, shelf):
        self.program = shelf.program("gearmand", "gearman-job-server")
        self.env = shelf.environment()

    @contextlib.contextmanager
    def start(self, variant, room):
        port = process.free_port()
        with process.running([self.program, "--listen=127.0.0.1", "--port=%d" % port,
                              "--log-file=stderr"], room, env=self.env) as server:
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
                due = math.ceil(time.time() + 1)
                sockets.ask(sock, Codec("late", b"%d" % due, due), number, 1)
            return {"": worker.result(seconds + 30)}

    def fill(self, server):
        sockets.many(server.port, Codec("runs"), 60, delay=0, at_most=NRUNS)

    def run(self, server):
        with Child(run_worker, server.port, NRUNS) as worker:
            return worker.result(60)


PEER = Gearman()
