"""atd.py: `at` of Debian. It takes jobs one by one, by a program that is started for each and writes a
file; atd starts them in the minute that they are due. Its directories are compiled in, so both run in
namespaces of their own with /var/spool and /run elsewhere, which needs root."""

import contextlib
import os
import resource
import shutil
import subprocess
import time

import process
from install import Missing
from peer import SCRIPT, Done, Peer, Variant

DAEMON = 1              # the user who owns the spool
NJOBS = 20              # due in one minute
SPARE = 8               # seconds that must be left of a minute to submit those
SETUP = """
mount --bind "$1/spool" /var/spool && mount --bind "$1/run" /run && shift || exit 1
"$@" -f &
wait
"""


class Atd(Peer):
    variants = [Variant("at", 1, "its file is written, and not fsynced", [])]
    runs_processes = True
    keeps_in_memory = False
    rounds_at_most = 1
    run_means = "sh with the environment of the submit; %d jobs, all of one minute" % NJOBS
    late_means = "due times are whole minutes: %d jobs of one minute, to the first command of sh" % NJOBS

    def prepare(self, shelf):
        if os.geteuid() != 0:
            raise Missing("needs root, to run with a directory of its own")
        self.atd = shelf.program("atd", "at")
        self.at = shelf.program("at", "at")
        self.env = shelf.environment()

    @contextlib.contextmanager
    def start(self, variant, room):
        os.chmod(room, 0o755)       # atd acts as another user
        for name in ("run", "spool", "spool/cron", "spool/cron/atjobs", "spool/cron/atspool"):
            os.mkdir(os.path.join(room, name))
        for name in ("atjobs", "atspool"):
            path = os.path.join(room, "spool/cron", name)
            shutil.chown(path, DAEMON, DAEMON)
            os.chmod(path, 0o1770)
        number = os.path.join(room, "spool/cron/atjobs/.SEQ")
        with open(number, "w", encoding="ascii"):
            shutil.chown(number, DAEMON, DAEMON)
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                   "sh", "-c", SETUP, "sh", room, self.atd]
        with process.running(command, room, env=self.env) as server:
            server.await_that(lambda: os.path.exists(os.path.join(room, "run/atd.pid")))
            yield server

    def enter(self, server, program, *args):
        """A shell program beside atd."""
        inner = process.family(server.process.pid)[1]
        done = subprocess.run(
            process.figures.bound_to_us(["nsenter", "--target", str(inner), "--mount", "--pid",
                                         "sh", "-c", program, "sh", self.at, *args]),
            cwd=server.room, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError("at failed: " + (done.stderr.strip().splitlines() or ["?"])[-1])
        return done.stdout

    def submit(self, server, seconds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        n = int(self.enter(server, """
            n=0 until=$(($(date +%s) + $3))
            while [ "$(date +%s)" -lt "$until" ]; do
                for _ in 1 2 3 4 5 6 7 8 9 10; do
                    echo "$2" | "$1" -M now + 1 day || exit 1
                    n=$((n + 1))
                done
            done
            echo $n""", SCRIPT, str(int(seconds) + 1)))
        elapsed = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        server.beside += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Done(n, elapsed)

    def bulk(self, server, seconds, prefix):
        return None

    def moments(self, server):
        """NJOBS of the next minute: when it is, and when each one ran its first command."""
        now = time.time()
        minute = (now // 60 + 1) * 60
        if minute - now < SPARE:
            minute += 60
        out = os.path.join(server.room, "moments")
        os.mkdir(out)
        self.enter(server, """
            for n in $(seq "$4"); do
                echo "date +%s.%N >$2/$n.new && mv $2/$n.new $2/$n" | "$1" -M -t "$3" || exit 1
            done""", out, time.strftime("%Y%m%d%H%M", time.localtime(minute)), str(NJOBS))
        until = minute + 60

        def whole():
            return [name for name in os.listdir(out) if name.isdigit()]
        while len(whole()) < NJOBS:
            if time.time() > until:
                raise RuntimeError("atd ran %d of %d jobs in their minute" % (len(whole()), NJOBS))
            time.sleep(0.1)
        found = []
        for name in whole():
            with open(os.path.join(out, name), encoding="ascii") as file:
                found.append(float(file.read()))
        return minute, sorted(found)

    def late(self, server, rate, seconds):
        self.minute = self.moments(server)
        minute, found = self.minute
        return {"": [moment - minute for moment in found]}

    def run(self, server):
        minute, found = self.minute         # the same jobs: atd has nothing faster
        return Done(len(found), found[-1] - found[0])


PEER = Atd()
