"""process.py: servers on loopback, and what they cost: processor time, memory, disk. A server is a
process and all that descend from it. It ends by its own process id when its block is left, and with
the driver if that is killed."""

import contextlib
import glob
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import figures      # noqa: E402

from install import Missing     # noqa: E402

LIMIT = 20          # seconds that a server may take to start or to end
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def stat_of(pid):
    """The fields of /proc/PID/stat behind the name, or None when it has ended."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def family(pid):
    """It and all that descend from it."""
    children = {}
    for path in glob.glob("/proc/[0-9]*"):
        one = int(path[6:])
        stat = stat_of(one)
        if stat:
            children.setdefault(int(stat[1]), []).append(one)
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        left += children.get(one, [])
    return found


class Server:
    """One that runs. port, and whatever else its peer needs of it, are set by the peer."""

    def __init__(self, process, room):
        self.process, self.room, self.port = process, room, None
        self.marked = (0, 0)
        self.beside = 0.0       # seconds of processor time of programs that act in its place: `at`

    def cpu(self):
        """Seconds of processor time: of the processes that live, and of children that ended."""
        own = reaped = 0
        for pid in family(self.process.pid):
            stat = stat_of(pid)
            if stat:
                own += int(stat[11]) + int(stat[12])
                reaped += int(stat[13]) + int(stat[14])
        return own / TICKS + self.beside, reaped / TICKS

    def mark(self):
        """What is charged begins here: by the driver, and again by a peer whose client has prepared
        itself."""
        self.marked = self.cpu()

    def charged(self):
        """Seconds since the mark: of its processes, and of children that ended."""
        own, reaped = self.cpu()
        return own - self.marked[0], reaped - self.marked[1]

    def memory(self):
        """Resident bytes, those shared by several processes counted once."""
        total = 0
        for pid in family(self.process.pid):
            with contextlib.suppress(OSError):
                with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total * 1024

    def disk(self):
        """Bytes on disk in its directory."""
        total = 0
        for folder, _, names in os.walk(self.room):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
        return total

    def log(self):
        with open(os.path.join(self.room, "log"), encoding="utf-8", errors="replace") as file:
            return (file.read().strip().splitlines() or ["it printed nothing"])[-1]

    def await_port(self, port):
        """Until it listens there."""
        self.port = port

        def is_there():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            return False
        self.await_that(is_there)

    def await_that(self, is_there):
        deadline = time.monotonic() + LIMIT
        while not is_there():
            if self.process.poll() is not None:
                raise Missing("ended at its start: " + self.log())
            if time.monotonic() > deadline:
                raise Missing("did not start in %d s: %s" % (LIMIT, self.log()))
            time.sleep(0.02)


@contextlib.contextmanager
def running(command, room, user=None, env=None):
    """Starts a server in its directory; user: the uid that it runs with, if not ours."""
    words = figures.bound_to_us(command)
    if user is not None:
        words[1:1] = ["--reuid", str(user), "--regid", str(user), "--clear-groups"]
    with open(os.path.join(room, "log"), "ab") as log:
        process = subprocess.Popen(words, cwd=room, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, start_new_session=True)
    try:
        yield Server(process, room)
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
