#!/usr/bin/env python3
"""Kills pawld at random moments while it is changed at full speed, restarts it on the same data,
and checks every answer that it gave against what is there: see README.md.

Ends with 0, or with 1 after a violation: then what was expected, the history of the tasks in
question, and the folder with the data and the daemon's logs are shown."""

import argparse
import gc
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../blackbox")]

import daemon                                                       # noqa: E402
from load import Load                                               # noqa: E402
from model import Model, Violation                                  # noqa: E402
from times import MS, S, ns_of                                      # noqa: E402

SLOW = 6 if daemon.SANITIZED else 1
LIMIT = 60 * SLOW                       # seconds for a start or an end
REPORT = re.compile(rb"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error: ")
clock = time.time_ns


class Life:
    """One daemon, from its start to its end."""

    def __init__(self, options, env, log_path):
        self.log_path = log_path
        self.mark = uuid.uuid4().hex
        self.began = clock()
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [daemon.PAWLD, "--listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
                stderr=log, start_new_session=True,
                env=daemon.environment(**{daemon.MARK: self.mark}, **env))
        self.out = b""
        self.port = self.listened = None

    def wait_listening(self, until):
        """Until it serves or the moment has come: whether it serves."""
        fd = self.process.stdout.fileno()
        while True:
            found = re.search(rb"listening on http://[^:]+:(\d+)\n", self.out)
            if found:
                self.port, self.listened = int(found[1]), clock()
                return True
            left = (until - clock()) / S
            if left <= 0:
                return False
            if select.select([fd], [], [], left)[0]:
                data = os.read(fd, 1 << 16)
                if not data:
                    status = self.process.wait(LIMIT)
                    raise Violation(f"the daemon ended at its start with status {status}")
                self.out += data

    def ended_by_itself(self):
        status = self.process.poll()
        if status is not None:
            raise Violation(f"the daemon ended by itself with status {status}")

    def kill(self, after_term=False):
        """False: it had ended in order before."""
        if not after_term:
            self.ended_by_itself()
        self.process.kill()
        status = self.process.wait(LIMIT)
        if status != -signal.SIGKILL and not (after_term and status == 0):
            raise Violation(f"the daemon ended by itself with status {status}")
        self.check_log()
        return status != 0

    def term(self):
        self.ended_by_itself()
        self.process.terminate()

    def ends(self):
        """After term(): it must end in order."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise Violation("the daemon does not end after TERM") from None
        if status != 0:
            raise Violation(f"the daemon ended with status {status} after TERM")
        self.check_log()

    def check_log(self):
        self.process.stdout.close()
        with open(self.log_path, "rb") as log:
            if REPORT.search(log.read()):
                raise Violation("a sanitizer reported something")

    def discard(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        kill_runs(self.mark)


def kill_runs(mark):
    """Ends what a daemon of ours has left."""
    left = daemon.processes(mark)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return left


class Campaign:
    """One data directory in one mode, and what is done to it."""

    def __init__(self, options, mode, power, seed):
        self.options, self.mode, self.power, self.seed = options, mode, power, seed
        self.name = mode + (" with power loss" if power else "")
        self.rng = random.Random(f"{seed} {self.name}")
        self.folder = tempfile.mkdtemp(prefix="pawl-crash-")
        self.data = os.path.join(self.folder, "data")
        self.model = Model(os.path.join(self.folder, "starts"), clock=clock,
                           phase_ns=options.phase_ns if not power else MS,
                           need_missed=not options.without_missed)
        self.model.loses_power = power
        self.model.rolls_back = power and mode == "process"
        self.env = {}
        if power:
            self.prepare_power()
        self.marks = []                 # of the lives whose runs may still be there
        self.life = self.load = None
        self.start_ns = 20 * MS * SLOW  # how long a start takes
        self.cycles = self.kills = self.losses = 0
        self.began = clock()

    # --- Power ---

    def prepare_power(self):
        self.shadow = os.path.join(self.folder, "shadow")
        self.boot = os.path.join(self.folder, "boot_id")
        os.mkdir(self.data, 0o700)
        os.mkdir(self.shadow, 0o700)
        self.new_boot()
        shim = os.path.abspath(os.path.join(daemon.FAULTS, "libpower.so"))
        if not os.path.exists(shim):
            raise SystemExit(f"{shim} is missing: PAWL_FAULTS names its folder")
        self.env = {
            "LD_PRELOAD": shim, "PAWL_POWER_DIR": self.data, "PAWL_POWER_COPY": self.shadow,
            "PAWL_POWER_BOOT": self.boot,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def new_boot(self):
        with open(self.boot, "w") as file:
            file.write(str(uuid.UUID(int=self.rng.getrandbits(128))) + "\n")

    def lose_power(self):
        """What was not synced is gone, no process lives, and the next boot is another one."""
        self.losses += 1
        for mark in self.marks:
            kill_runs(mark)
        self.marks.clear()
        self.model.read_starts()
        shutil.rmtree(self.data)
        os.rename(self.shadow, self.data)
        for name in os.listdir(self.data):      # what a copy of the shim's was interrupted in
            if name.startswith(".new-"):
                os.unlink(os.path.join(self.data, name))
        shutil.copytree(self.data, self.shadow)
        self.new_boot()
        self.model.power_loss()

    # --- A cycle ---

    def start(self):
        env = dict(self.env)
        if self.power:
            env["PAWL_POWER_SEED"] = str(self.rng.getrandbits(31) + 1)
            env["PAWL_POWER_LEAK"] = str(self.rng.choice((0, 0, 10, 50)))
        where = ["--data", self.data, "--durability", self.mode]
        if self.options.ephemeral:
            where = ["--ephemeral"]
        log = os.path.join(self.folder, f"log.{self.cycles % 20}")
        self.model.begin_life(clock())
        self.life = Life(where, env, log)
        self.marks.append(self.life.mark)

    def look(self):
        """All that is there after a start, against all that was answered."""
        model, life = self.model, self.life
        model.listened = life.listened
        with daemon.Client(f"http://127.0.0.1:{life.port}") as client:
            sent = clock()
            documents = client.call("GET", "/api/tasks").json()
            now = clock()
        if model.rolls_back and self.lost_power:
            model.look_back(documents, sent, now)
        else:
            model.look(documents, sent, now)
        self.lost_power = False
        model.read_starts()
        model.check_ends(documents)
        return documents

    lost_power = False

    def settle(self, documents):
        """What was overdue at the start runs at once; what earlier daemons left is dealt with."""
        life, model = self.life, self.model
        overdue, limit, n = [], None, 0

        def is_overdue(document):
            due = ns_of(document["nextRun"])
            return due is not None and due < life.listened and not document["running"]

        while True:
            overdue = [d for d in documents if is_overdue(d)]
            n = n or len(overdue)
            limit = limit or life.listened + (3 * S + n * 10 * MS) * SLOW
            if not overdue:
                break
            life.ended_by_itself()
            if clock() > limit:
                raise Violation(f"{len(overdue)} of {n} overdue tasks have not run "
                                f"{(clock() - life.listened) / S:.1f} s after the start",
                                *[model.identify(d) for d in overdue[:3]])
            with daemon.Client(f"http://127.0.0.1:{life.port}") as client:
                sent, floors = clock(), model.floors()
                documents = client.call("GET", "/api/tasks").json()
            model.check_list(documents, floors, sent, clock(), "settle")
        if not self.options.leave_orphans:
            for mark in self.marks[:-1]:
                try:
                    daemon.wait_for("orphans", lambda: not daemon.processes(mark), 20 * SLOW)
                except AssertionError:
                    raise Violation("processes of an earlier daemon's runs are left: "
                                    f"{daemon.processes(mark)}") from None
            del self.marks[:-1]

    def cycle(self):
        """Starts, looks, changes, and ends in one way or another."""
        rng, model = self.rng, self.model
        self.cycles += 1
        self.start()
        life = self.life
        if self.options.kills and self.cycles > 1 and rng.random() < 0.12:
            # At most where it has begun to serve: nobody has asked it anything.
            life.wait_listening(life.began + rng.randrange(int(self.start_ns * 1.2)))
            self.killed()
            return
        if not life.wait_listening(clock() + LIMIT * S):
            raise Violation(f"the daemon does not serve after {LIMIT} s")
        self.start_ns = (7 * self.start_ns + life.listened - life.began) // 8
        documents = self.look()
        if self.cycles % 10 == 0:
            self.settle(documents)
        self.load = load = Load(model, rng, life.port, clock, self.options.connections,
                                self.options.live)
        if rng.random() < 0.2:
            load.stop_after = rng.randrange(1, 300)
        until = clock() + rng.randrange(300 * MS) * (3 if SLOW > 1 else 1)
        if not self.options.kills:
            until = clock() + 1500 * MS
        load.run(until)
        if not self.options.kills:
            load.quiesce(LIMIT * S)
            self.look()
            self.orderly(False)
        elif rng.random() < 0.18:
            self.orderly(rng.random() < 0.35)
        else:
            self.killed()

    def killed(self, after_term=False):
        was_killed = self.life.kill(after_term)
        if self.load:
            self.load.drain()
            self.load = None
        if not was_killed:
            return
        self.kills += 1
        self.model.was_killed = True
        if self.power and self.rng.random() < 0.5:
            self.lose_power()
            self.lost_power = True

    def orderly(self, then_kill):
        """TERM, while requests still come; perhaps killed amid it."""
        life, load = self.life, self.load
        load.is_draining = True
        life.term()
        end = clock() + (self.rng.randrange(20 * MS) * SLOW if then_kill else LIMIT * S)
        while clock() < end and life.process.poll() is None:
            load.run(min(end, clock() + 5 * MS))
        if then_kill:
            self.killed(after_term=True)
            return
        life.ends()
        load.drain()
        self.load = None

    def finish(self):
        """A last look at all that is left, behind an orderly end."""
        for _ in range(2):
            self.cycles += 1
            self.start()
            if not self.life.wait_listening(clock() + LIMIT * S):
                raise Violation(f"the daemon does not serve after {LIMIT} s")
            self.settle(self.look())
            self.life.term()
            self.life.ends()
            if self.options.ephemeral:
                return
        left = daemon.processes(self.life.mark)
        if left:
            raise Violation(f"processes were left after an orderly end: {left}")

    def discard(self, keep):
        if self.life:
            self.life.discard()
        for mark in self.marks:
            kill_runs(mark)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- Saying ---

    def progress(self):
        each = (clock() - self.began) / S / max(self.cycles, 1)
        losses = f", {self.losses} power losses" if self.power else ""
        return (f"{self.name}: {self.cycles} cycles ({self.kills} kills{losses}), "
                f"{self.model.acks} acks, {self.model.runs} runs checked, {each:.2f} s a cycle, "
                f"seed {self.seed}")

    def explain(self, violation):
        tasks = getattr(violation, "tasks", ())
        print(f"\nVIOLATION in cycle {self.cycles}: {violation}\n")
        for task in dict.fromkeys(task for task in tasks if task):
            print(f"task {task.n}, sent in life {task.life}: "
                  f"{json.dumps({**task.document(), 'script': task.script[:200]})}")
            for life, at, text in task.history[-60:]:
                when = time.strftime("%H:%M:%S", time.localtime(at // S))
                print(f"  life {life:4} {when}.{at % S:09}  {text}")
        print(f"\nthe daemon's log of this life ({self.life and self.life.log_path}):")
        if self.life:
            with open(self.life.log_path, errors="replace") as log:
                print("  " + "  ".join(log.readlines()[-30:]))
        if not self.options.discard:
            print(f"kept: {self.folder}")
        print(self.progress())
        print(f"again: crash.py --seed {self.seed} --mode {self.mode}"
              + (" --power" if self.power else ""), flush=True)


def is_wanted(campaign, options, until):
    if options.cycles:
        return campaign.cycles < options.cycles
    return campaign.kills < options.until_kills if options.until_kills else clock() < until


def run(campaign, options, until):
    """Cycles until there were enough; False after a violation."""
    said = 0
    kept = options.keep
    try:
        while is_wanted(campaign, options, until):
            campaign.cycle()
            if sys.stdout.isatty():
                print("\r" + campaign.progress() + "\x1b[K", end="", flush=True)
            elif clock() > said + 10 * S:
                said = clock()
                print(campaign.progress(), flush=True)
            if campaign.cycles % 50 == 0:
                gc.collect()
        if options.kills or not options.ephemeral:
            campaign.finish()
        print(("\r" if sys.stdout.isatty() else "") + campaign.progress() + ": clean", flush=True)
        return True
    except Violation as violation:
        kept = True
        campaign.explain(violation)
    except (ConnectionError, EOFError) as error:
        kept = True
        try:
            deadline = time.monotonic() + 2
            while campaign.life.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            campaign.life.ended_by_itself()
            campaign.explain(Violation(f"the daemon lives, but {error!r}"))
        except Violation as violation:
            campaign.explain(violation)
    finally:
        campaign.discard(kept and not options.discard)
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--cycles", type=int, default=0, help="in each mode; else --seconds")
    parser.add_argument("--until-kills", type=int, default=0, help="in each mode; as --cycles")
    parser.add_argument("--seconds", type=float, default=60, help="for all together")
    parser.add_argument("--mode", choices=("sync", "process", "both"), default="both")
    parser.add_argument("--power", action="store_true", help="kills that take the power with them")
    parser.add_argument("--all", action="store_true", help="kills, then losses of power")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--live", type=int, default=500, help="tasks that are there, about")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the folder in any case")
    parser.add_argument("--discard", action="store_true", help="keep no folder in any case")
    parser.add_argument("--phase-ns", type=int, default=0,
                        help="how far a due time may be off its beat after a restart")
    parser.add_argument("--without-missed", action="store_true",
                        help="tasks do not show the due times missed")
    parser.add_argument("--leave-orphans", action="store_true")
    parser.add_argument("--ephemeral", action="store_true", help="a daemon that forgets: selftest")
    parser.add_argument("--no-kills", dest="kills", action="store_false")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    modes = ("sync", "process") if options.mode == "both" else (options.mode,)
    powers = (False, True) if options.all else (options.power,)
    plan = [(mode, power) for power in powers for mode in modes]
    began = clock()
    gc.freeze()
    gc.disable()
    for i, (mode, power) in enumerate(plan):
        until = began + int(options.seconds * S) * (i + 1) // len(plan)
        if not run(Campaign(options, mode, power, seed), options, until):
            return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
