"""Clients that change and read tasks at full speed, all in one thread.

Each connection is a raw socket with requests under way; what the daemon had answered when it died
is still in the sockets, and drain() reads it. The seed decides what is asked; when, the machine."""

import json
import select
import socket
from collections import deque

import model as m
from daemon import quote
from due import every
from times import rfc

LINE_BATCH = 8                          # lines that a stream sends at once


class Op:
    """A request under way."""

    __slots__ = ("kind", "task", "sent", "floor", "was_there", "extra")

    def __init__(self, kind, task, sent, floor=-1, was_there=False, extra=None):
        self.kind, self.task, self.sent, self.floor = kind, task, sent, floor
        self.was_there, self.extra = was_there, extra


class Conn:
    def __init__(self, port, role):
        self.role = role
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.out, self.data = b"", bytearray()
        self.ops = deque()
        self.stream = None              # the stream that is being sent: see Load.start_stream()

    def send(self, data):
        self.out += data
        self.flush()

    def flush(self):
        """Gives what the kernel takes; an error is seen by the next read."""
        try:
            while self.out:
                n = self.socket.send(self.out)
                self.out = self.out[n:]
        except BlockingIOError:
            pass
        except OSError:
            self.out = b""

    def receive(self):
        """False: the connection ended."""
        try:
            while True:
                data = self.socket.recv(1 << 18)
                if not data:
                    return False
                self.data += data
                if len(data) < 1 << 18:
                    return True
        except BlockingIOError:
            return True
        except OSError:
            return False

    def answers(self):
        """The whole answers that have come: status, body."""
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.data[:end]).lower()
            status = int(head[9:12])
            at = end + 4
            found = head.find(b"content-length:")
            if found >= 0:
                length = int(head[found + 15:].split(b"\r", 1)[0])
                if len(self.data) < at + length:
                    return
                body, at = bytes(self.data[at:at + length]), at + length
            else:
                body, at = self._chunks(at)
                if body is None:
                    return
            del self.data[:at]
            yield status, body

    def _chunks(self, at):
        parts = []
        while True:
            end = self.data.find(b"\r\n", at)
            if end < 0:
                return None, at
            size = int(self.data[at:end], 16)
            if len(self.data) < end + 4 + size:
                return None, at
            parts.append(self.data[end + 2:end + 2 + size])
            at = end + 4 + size
            if size == 0:
                return b"".join(parts), at


class Load:
    """The connections of one life of the daemon. alive() says whether it should still answer."""

    def __init__(self, model, rng, port, clock, plain=8, live=500):
        self.model, self.rng, self.clock, self.live = model, rng, clock, live
        self.port = port
        self.is_draining = False
        self.planned = deque()          # requests that go out next: functions of a connection
        self.fast = 0                   # cron tasks of short intervals among those there
        self.answered = 0
        self.stop_after = 0             # answers to changes until run() returns; 0: until its time
        self.epoll = select.epoll()
        self.conns = {}
        for role in ["plain"] * plain + ["stream"] * 2 + ["list", "watch"]:
            self.open(role)

    def open(self, role):
        conn = Conn(self.port, role)
        self.conns[conn.socket.fileno()] = conn
        self.epoll.register(conn.socket.fileno(), select.EPOLLIN)
        return conn

    def run(self, until):
        """Asks and answers until a moment, or until as many changes as stop_after are answered."""
        self.fast = sum(t.type == "cron" and (t.time or m.S) < 60 * m.MS for t in self.model.pool)
        while True:
            for conn in list(self.conns.values()):
                self.feed(conn)
            now = self.clock()
            if now >= until:
                return
            for fd, _ in self.epoll.poll(min(0.002, (until - now) / m.S)):
                self.take(fd)
            if self.stop_after and self.answered >= self.stop_after:
                return

    def drain(self):
        """After the daemon's end: takes the answers that it had sent."""
        for conn in list(self.conns.values()):
            while conn.receive():
                conn.socket.setblocking(True)
                conn.socket.settimeout(5)
            self.answer(conn)
            self.end(conn)
        self.epoll.close()

    def quiesce(self, limit_ns):
        """Asks nothing more, and waits for the answers that are still to come."""
        end = self.clock() + limit_ns
        while any(c.ops or c.stream for c in self.conns.values()):
            for conn in list(self.conns.values()):
                if conn.stream:
                    self.end_stream(conn)
            if self.clock() > end:
                waiting = [op.task for c in self.conns.values() for op in c.ops if op.task]
                raise m.Violation("requests were not answered", *waiting[:3])
            for fd, _ in self.epoll.poll(0.05):
                self.take(fd)

    # --- Sending ---

    def feed(self, conn):
        if conn.out:
            conn.flush()
            return
        if conn.role == "stream" and (conn.stream or not self.is_draining):
            self.go_on_stream(conn)
        elif conn.role == "stream" or self.is_draining and self.rng.random() < 0.9:
            return
        elif conn.role == "list":
            if not conn.ops and self.rng.random() < 0.03:
                self.ask_list(conn)
        elif conn.role == "watch":
            if not conn.ops:
                self.ask_watch(conn)
        elif len(conn.ops) == 0:
            for _ in range(1 if self.rng.random() < 0.7 else self.rng.randrange(2, 8)):
                if self.planned:
                    self.planned.popleft()(conn)
                else:
                    self.ask(conn)

    def ask(self, conn):
        rng, model = self.rng, self.model
        fill = len(model.pool) / self.live
        x = rng.random()
        if x < 0.42 / max(fill, 0.6):
            if rng.random() < 0.04 and model.pool:
                task = rng.choice(model.pool)   # of an id that is taken
                if self.may_submit(task.id):
                    self.submit(conn, task.id)
            elif rng.random() < 0.03:
                id = self.fresh_id()            # one of two wins
                self.submit(conn, id)
                self.planned.append(lambda c: self.may_submit(id) and self.submit(c, id))
            elif rng.random() < 0.03:
                self.whole_life(conn)
            else:
                self.submit(conn, self.fresh_id())
        elif not model.pool:
            return
        elif x < 0.82:
            task = rng.choice(model.pool)
            if rng.random() < (0.5 if task.stop is None and task.type == "cron" else 0.2):
                self.stop(conn, task)
                if rng.random() < 0.1:
                    self.planned.append(lambda c: self.stop(c, task))
                if rng.random() < 0.1:
                    self.planned.append(lambda c: self.delete(c, task))
            elif fill > 0.5 or rng.random() < 0.3:
                if self.delete(conn, task) and rng.random() < 0.15:
                    self.planned.append(
                        lambda c: self.may_submit(task.id) and self.submit(c, task.id))
        else:
            self.get(conn, rng.choice(model.pool))

    def fresh_id(self):
        model, rng = self.model, self.rng
        id = None
        if model.free and rng.random() < 0.8:
            id = model.take_free(rng.randrange(len(model.free)))
        if id is None:
            id = f"t{model.next_n}" if rng.random() < 0.97 else f"ü/%2F ☃ {model.next_n}"
        return id

    def may_submit(self, id):
        slot = self.model.slot(id)
        return slot.stops == 0 and slot.submits <= 1

    def make(self, id):
        rng = self.rng
        when = {}
        if rng.random() < 0.12:
            type = "cron"
            if rng.random() < 0.5:
                time, when = self.make_when()
            elif self.fast < 6:
                time = rng.randrange(3 * m.MS, 60 * m.MS)
                self.fast += 1
            else:
                time = rng.randrange(200 * m.MS, 10 * m.S)
        else:
            type = "delay"
            x = rng.random()
            time = 0 if x < 0.03 else rng.randrange(100 * m.MS) if x < 0.15 else \
                rng.randrange(2 * m.S) if x < 0.25 else rng.randrange(3 * m.S, 7200 * m.S)
            if rng.random() < 0.2:
                time, when = None, {"at": rfc(self.clock() + time - rng.choice((0, 0, 9 * m.S)))}
        script = 'echo {n} "$EPOCHREALTIME" "$PAWL_SCHEDULED_AT" >>' + self.model.starts_path
        x, fails = rng.random(), False
        if x < 0.06:
            script += f"; exec sleep {rng.randrange(300) / 1000}"
        elif x < 0.07:
            script += "; sleep 30 & sleep 0.2; kill $!"       # a run of several processes
        elif x < 0.12:
            script, fails = script + "; exit 3", True
        elif x < 0.2:
            script += "; echo out; echo err >&2"
        elif x < 0.22:
            script += "\n#" + "x" * rng.randrange(20000)
        return self.model.new_task(id, type, time, rng.choice((10, 10, 10, 0, 1, 3, 100)), script,
                                   fails, when)

    def make_when(self):
        """What fires a cron task otherwise than after one span."""
        rng, zones = self.rng, ("UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe")
        when = {} if rng.random() < 0.3 else {"maxRuns": rng.randrange(1, 6)} \
            if rng.random() < 0.4 else {"timezone": rng.choice(zones)}
        if rng.random() < 0.6:
            return None, {**every(rng.choice((1, 2, 2, 3, 5))), **when}
        triggers = [every(rng.choice((2, 3)), timezone=rng.choice(zones)), every(rng.choice((4, 5)))]
        triggers += [{"time": rng.randrange(200 * m.MS, 9 * m.S)}] * rng.randrange(2)
        if rng.random() < 0.5:
            triggers.append({"at": rfc(self.clock() + rng.randrange(3 * m.S))})
        rng.shuffle(triggers)
        return None, {"triggers": triggers, **when}

    def request(self, conn, op, method, target, body=None):
        conn.ops.append(op)
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        conn.send(head.encode() + b"\r\n" + (body or b""))

    def submit(self, conn, id):
        task, now = self.make(id), self.clock()
        self.model.sends_submit(task, now)
        self.request(conn, Op("submit", task, now), "POST", "/api/tasks",
                     json.dumps(task.document()).encode())
        return task

    def op_on(self, kind, task):
        return Op(kind, task, self.clock(), task.version,
                  task.state == m.THERE and task.delete_sent is None)

    def stop(self, conn, task):
        slot = self.model.slot(task.id)
        if slot.submits or task.state == m.GONE:
            return
        op = self.op_on("stop", task)
        self.model.sends_stop(task, op.sent)
        self.request(conn, op, "PUT", f"/api/tasks/{quote(task.id)}")

    def delete(self, conn, task):
        slot = self.model.slot(task.id)
        if slot.submits or slot.deletes or task.state == m.GONE:
            return False
        op = self.op_on("delete", task)
        self.model.sends_delete(task, op.sent)
        self.request(conn, op, "DELETE", f"/api/tasks/{quote(task.id)}")
        return True

    def get(self, conn, task):
        self.request(conn, self.op_on("get", task), "GET", f"/api/tasks/{quote(task.id)}")

    def whole_life(self, conn):
        """Submit, get, stop and delete behind each other in one connection."""
        task = self.submit(conn, self.fresh_id())
        slot = self.model.slot(task.id)
        if slot.submits != 1 or len(slot.tasks) != 1:
            return
        self.get(conn, task)
        if self.rng.random() < 0.7:
            op = self.op_on("stop", task)
            self.model.sends_stop(task, op.sent)
            self.request(conn, op, "PUT", f"/api/tasks/{quote(task.id)}")
        if self.rng.random() < 0.5:
            op = self.op_on("delete", task)
            self.model.sends_delete(task, op.sent)
            self.request(conn, op, "DELETE", f"/api/tasks/{quote(task.id)}")

    def ask_list(self, conn):
        self.request(conn, Op("list", None, self.clock(), extra=self.model.floors()), "GET",
                     "/api/tasks")

    def ask_watch(self, conn):
        pool = self.model.pool
        if not pool:
            return
        task = max((self.rng.choice(pool) for _ in range(4)), key=lambda t: t.type == "cron")
        version = task.version + (self.rng.random() < 0.1)
        self.request(conn, self.op_on("watch", task), "GET",
                     f"/api/tasks/{quote(task.id)}?watch=true&version={version}&wait=40ms")

    # --- Streams ---

    def go_on_stream(self, conn):
        """A stream is [lines left, tasks of the lines sent, whether it is to break off]."""
        if conn.stream is None:
            if conn.ops or self.rng.random() < 0.9 or len(self.model.pool) > 1.2 * self.live:
                return
            conn.stream = [self.rng.choice((1, 10, 50, 150)), [], self.rng.random() < 0.1]
            conn.send(b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                      b"application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            return
        lines = b""
        for _ in range(min(LINE_BATCH, conn.stream[0])):
            again = conn.stream[1] and self.rng.random() < 0.01
            task = self.make(conn.stream[1][-1].id if again else self.fresh_id())
            self.model.sends_submit(task, self.clock(), "submit in a stream")
            conn.stream[1].append(task)
            lines += json.dumps(task.document()).encode() + b"\n"
            conn.stream[0] -= 1
        if lines:
            conn.send(b"%X\r\n%b\r\n" % (len(lines), lines))
        elif conn.stream[2]:
            self.end(conn)                          # broken off
            if not self.is_draining:
                self.open("stream")
        else:
            self.end_stream(conn)

    def end_stream(self, conn):
        tasks, conn.stream = conn.stream[1], None
        conn.ops.append(Op("stream", None, self.clock(), extra=tasks))
        conn.send(b"0\r\n\r\n")

    # --- Answers ---

    def take(self, fd):
        conn = self.conns.get(fd)
        if conn is None:
            return
        is_open = conn.receive()
        self.answer(conn)
        if is_open:
            return
        role = conn.role
        self.end(conn)
        if not self.is_draining:
            # The daemon is dead (the driver will see), or it dropped a connection.
            raise ConnectionError(f"the daemon ended a {role} connection")

    def end(self, conn):
        """Nothing more comes from this connection."""
        fd = conn.socket.fileno()
        self.conns.pop(fd, None)
        if not self.epoll.closed:
            self.epoll.unregister(fd)
        conn.socket.close()
        now = self.clock()
        for op in conn.ops:
            if op.kind == "stream":
                for task in op.extra:
                    self.model.cut(task, "submit", now)
            elif op.task:
                self.model.cut(op.task, op.kind, now)
        conn.ops.clear()
        if conn.stream:
            for task in conn.stream[1]:
                self.model.cut(task, "submit", now)
            conn.stream = None

    def answer(self, conn):
        for status, body in conn.answers():
            if not conn.ops:
                if conn.stream and status in (503, 507):    # before the stream's end
                    conn.ops.append(Op("stream", None, 0, extra=conn.stream[1]))
                    conn.stream = None
                else:
                    raise m.Violation(f"an answer to no request: {status} {body[:300]}")
            op = conn.ops.popleft()
            if status == 503 and not self.is_draining and op.kind != "stream" or \
                    status not in (200, 404, 409, 503):
                raise m.Violation(f"{op.kind} was answered {status} {body[:1000]}",
                                  *([op.task] if op.task else []))
            if op.kind in ("submit", "stop", "delete", "stream"):
                self.answered += 1
            getattr(self, "got_" + op.kind)(op, status, body, self.clock())

    def got_submit(self, op, status, body, now):
        if status == 200:
            self.model.acked_submit(op.task, json.loads(body), op.sent, now)
        else:
            self.model.refused_submit(op.task, status, op.sent, now)

    def got_stop(self, op, status, body, now):
        if status == 200:
            self.model.acked_stop(op.task, json.loads(body), op.sent, now, op.floor)
        else:
            self.model.refused_stop(op.task, status, op.was_there, op.sent, now)

    def got_delete(self, op, status, body, now):
        if status == 200:
            self.model.acked_delete(op.task, op.sent, now)
        else:
            self.model.refused_delete(op.task, status, op.was_there, now)

    def got_get(self, op, status, body, now):
        if status == 404:
            self.model.not_found(op.task, op.was_there, op.kind)
        elif status == 200:
            document = json.loads(body)
            task = self.model.identify(document)        # the id's next one, perhaps
            self.model.check(document, op.sent, now, op.kind, task,
                             op.floor if task is op.task else -1)

    got_watch = got_get

    def got_list(self, op, status, body, now):
        if status == 200:
            self.model.check_list(json.loads(body), op.extra, op.sent, now)

    def got_stream(self, op, status, body, now):
        tasks = op.extra
        if status != 200:
            for task in tasks:
                self.model.cut(task, "submit", now)
            return
        document = json.loads(body)
        refused = {error["line"] - 1: error["status"] for error in document["errors"]}
        if document["accepted"] + len(refused) != len(tasks) or \
                document["rejected"] != len(refused):
            raise m.Violation(f"a stream of {len(tasks)} lines was answered {body[:1000]}", *tasks)
        for i, task in enumerate(tasks):
            if i in refused:
                self.model.refused_submit(task, refused[i], op.sent, now)
            else:
                self.model.acked_submit(task, None, task.sent, now)
