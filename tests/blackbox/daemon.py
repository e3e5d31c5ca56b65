"""What the black-box tests of pawld share: a daemon on a port of its own, a client that writes raw
bytes and reads answers strictly, and waits that have a deadline instead of a length.

PAWLD names the daemon, PAWL_FAULTS the folder of the LD_PRELOAD libraries of tests/faults, and
PAWL_SANITIZED says that the daemon is slow. Needs only Python's standard library."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
PAWLD = os.environ.get("PAWLD") or os.path.join(HERE, "../../build/release/pawld")
FAULTS = os.environ.get("PAWL_FAULTS") or os.path.join(os.path.dirname(PAWLD), "tests/faults")
SANITIZED = bool(os.environ.get("PAWL_SANITIZED"))
LIMIT = 120 if SANITIZED else 30        # seconds; for everything that should come at once
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)"
MARK = "H_DAEMON_MARK"                  # in the environment of a daemon and of all that it runs

DELAY = {"taskType": "delay", "time": "1h", "script": "true"}


def wait_for(what, condition, limit=LIMIT):
    """Polls until condition() is true, and gives its value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s in vain: {what}")
        time.sleep(0.005)


def quote(id):
    """The id as one segment of a path."""
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in id.encode())


class Answer:
    """One answer: status, headers (names in lower case, values of equal names joined), body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body.decode("utf-8", "strict"))

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:400]}"


class Client:
    """One connection, at the level of bytes."""

    def __init__(self, address):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address[5:])
        else:
            host, port = address[len("http://"):].rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), LIMIT)
        self.socket.settimeout(LIMIT)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, method, target, body=None, headers=()):
        """Sends a request; read() has the answer."""
        self.send(request(method, target, body, headers))

    def call(self, method, target, body=None, headers=()):
        self.ask(method, target, body, headers)
        return self.read(method == "HEAD")

    def _more(self):
        data = self.socket.recv(1 << 16)
        self.buffer += data
        return len(data) > 0

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise EOFError(f"the connection ended after {self.buffer[:300]}")
        part, self.buffer = self.buffer.split(mark, 1)
        return part

    def _exactly(self, n):
        parts, have = [self.buffer], len(self.buffer)
        while have < n:
            data = self.socket.recv(1 << 18)
            if not data:
                raise EOFError(f"the body ended after {have} of {n} bytes")
            parts.append(data)
            have += len(data)
        all = b"".join(parts)
        self.buffer = all[n:]
        return all[:n]

    def _chunks(self):
        body = []
        while True:
            size = int(self._until(b"\r\n"), 16)
            body.append(self._exactly(size))
            if self._exactly(2) != b"\r\n":
                raise ValueError("a chunk has no end")
            if size == 0:
                return b"".join(body)

    def read(self, is_head=False):
        """The next answer that is final."""
        while True:
            lines = self._until(b"\r\n\r\n").decode("utf-8").split("\r\n")
            version, status = lines[0].split(" ")[:2]
            if version not in ("HTTP/1.1", "HTTP/1.0"):
                raise ValueError(lines[0])
            if status != "100":
                break
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            name, value = name.lower(), value.strip()
            headers[name] = headers[name] + ", " + value if name in headers else value
        body = b""
        if is_head or status in ("204", "304"):
            pass
        elif "transfer-encoding" in headers:
            body = self._chunks()
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return Answer(int(status), headers, body)

    def rest(self):
        """All that comes until the daemon ends the connection, be it by a reset."""
        try:
            while self._more():
                pass
        except ConnectionResetError:
            pass
        data, self.buffer = self.buffer, b""
        return data


def request(method, target, body=None, headers=()):
    """The bytes of a request; headers are lines without their ends."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = [f"{method} {target} HTTP/1.1", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.append("Host: localhost")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def processes(mark):
    """The processes that have this mark in their environment, zombies by their parents."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"{MARK}={mark}\0".encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def children(pid):
    """The children of a process and their states: 'Z' is a zombie."""
    found = {}
    for child in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{child}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
            if int(parent) == pid:
                found[int(child)] = state
        except OSError:
            pass
    return found


def environment(**more):
    """Without what would set options of the daemon or change its dates."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PAWL", "LC_", "LANG"))}
    return {**env, "TZ": "Europe/Berlin", **more}


def preload(fault, path, **more):
    """The environment that puts a library of tests/faults into a daemon; the fault is switched on by
    the file path."""
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    return {"LD_PRELOAD": os.path.join(FAULTS, f"lib{fault}.so"), "FAULT": path,
            "ASAN_OPTIONS": options, **more}


def refuse(*options, env=None, **more):
    """Runs a daemon that is expected to end by itself; gives status, stdout, stderr."""
    done = subprocess.run([PAWLD, *options], env=environment(**(env or {})), timeout=LIMIT,
                          capture_output=True, text=True, **more)
    return done.returncode, done.stdout, done.stderr


class Daemon:
    """pawld with these options; listens on a free port unless they say otherwise. FOLDER in an
    option is a folder of its own, which is its working directory, too. Tasks are in memory, but
    with data: the directory for them, or "" for what the options and the environment say."""

    def __init__(self, *options, data=None, env=None, fault=None, nofile=None):
        self.mark = uuid.uuid4().hex
        self.folder = tempfile.TemporaryDirectory(prefix="pawl-blackbox-")
        self.log_path = os.path.join(self.folder.name, "log")
        self.fault_path = (env or {}).get("FAULT") or os.path.join(self.folder.name, "fault")
        if not any(option.startswith("--listen") for option in options):
            options = ("--listen", "127.0.0.1:0", *options)
        kept = ["--ephemeral"] if data is None else ["--data", data] if data else []
        options = [option.replace("FOLDER", self.folder.name) for option in (*kept, *options)]
        env = environment(**{MARK: self.mark, **(env or {})})
        if fault:
            env.update(preload(fault, self.fault_path))
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [PAWLD, *options], env=env, stdout=subprocess.PIPE, stderr=log,
                text=True, cwd=self.folder.name, start_new_session=True,
                preexec_fn=nofile and
                (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, nofile)))
        self.pid = self.process.pid
        self.routes, self.addresses = [], []
        wanted = sum(option.startswith("--listen") for option in options)
        while len(self.addresses) < wanted:
            line = self.process.stdout.readline()
            if not line:
                self.process.wait(LIMIT)
                raise AssertionError("pawld ended before it listened: " + self.log())
            if line.startswith("ROUTE  "):
                self.routes.append(line)
            else:
                self.addresses.append(line.split("pawld: listening on ")[1].strip())
        self.address = self.addresses[0]

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def connect(self):
        return Client(self.address)

    def call(self, method, target, body=None, headers=()):
        """One request on a connection of its own."""
        with self.connect() as client:
            return client.call(method, target, body, headers)

    def submit(self, id, **fields):
        answer = self.call("POST", "/api/tasks", {"id": id, **DELAY, **fields})
        if answer.status != 200:
            raise AssertionError(answer)
        return answer.json()

    def get(self, id, query=""):
        return self.call("GET", f"/api/tasks/{quote(id)}{query}").json()

    def watch(self, id, until):
        """Follows a task by its versions until until(task) is true."""
        end, version = time.monotonic() + LIMIT, -1
        with self.connect() as client:
            while True:
                answer = client.call("GET", f"/api/tasks/{quote(id)}?watch=true&wait=1s"
                                            f"&version={version}")
                if answer.status != 200 or time.monotonic() > end:
                    raise AssertionError((answer, self.log()))
                task = answer.json()
                if until(task):
                    return task
                version = task["version"]

    def finished(self, id, runs=1):
        """The task when it has ended as many runs."""
        return self.watch(id, lambda task: task["runCount"] >= runs and task["running"] == 0)

    def health(self):
        return self.call("GET", "/api/health").json()

    def fail(self, what):
        """Switches the fault on, or off with None."""
        if what is None:
            os.unlink(self.fault_path)
            return
        with open(self.fault_path + ".new", "w") as file:
            file.write(what)
        os.rename(self.fault_path + ".new", self.fault_path)

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def status(self, field, task=None):
        """A number of /proc/PID/status."""
        with open(f"/proc/{self.pid}/" + (f"task/{task}/" if task else "") + "status") as file:
            return int(re.search(rf"^{field}:\s*(\d+)", file.read(), re.M)[1])

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def end(self):
        """Waits for the end; gives the exit status. Nothing that it started may be left."""
        status = self.process.wait(LIMIT)
        left = processes(self.mark)
        if left:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"processes were left: {left}")
        return status

    def stop(self):
        self.signal()
        return self.end()

    def kill(self):
        """The daemon dies; what it runs lives on."""
        self.process.kill()
        self.process.wait(LIMIT)

    def discard(self):
        """The end of a test, however it went."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in processes(self.mark):
            os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()
        self.folder.cleanup()


class Case(unittest.TestCase):
    """Tests that start daemons with daemon(). One that is not stopped by its test must still be
    able to stop in order at its end."""

    def daemon(self, *options, **more):
        daemon = Daemon(*options, **more)
        self.addCleanup(self.finish, daemon)
        return daemon

    def place(self):
        """A directory of this test's own."""
        folder = tempfile.TemporaryDirectory(prefix="pawl-blackbox-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def finish(self, daemon):
        try:
            if daemon.process.returncode is None:
                daemon.signal(signal.SIGTERM)
                daemon.signal(signal.SIGINT)
                self.assertEqual(daemon.end(), 0, daemon.log())
        finally:
            daemon.discard()

    def assertProblem(self, answer, status, field=None, text=""):
        """A problem document with this status, which names the field and says the text."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        document = answer.json()
        self.assertEqual(document["status"], status)
        self.assertTrue(document["title"] and document["detail"], document)
        self.assertEqual(document.get("field"), field, document)
        self.assertIn(text, document["detail"])
        return document

    def assertTimes(self, task, *names):
        for name in names:
            self.assertRegex(task[name], f"^{TIME}$")


class Shared(Case):
    """Tests that share one daemon with the class's OPTIONS and DATA, since each leaves it unharmed."""

    OPTIONS = ()
    DATA = None

    @classmethod
    def setUpClass(cls):
        cls.d = Daemon(*cls.OPTIONS, data=cls.DATA)
        cls.addClassCleanup(cls.d.discard)

    @classmethod
    def tearDownClass(cls):
        status = cls.d.stop()
        if status != 0:
            raise AssertionError(f"pawld ended with {status}: {cls.d.log()}")

    def setUp(self):
        self.name = self.id().rpartition(".")[2]     # for an id that no other test uses
