"""peer.py: what a peer is to the driver. A peer is one file with a class that has all of this (and beside
it a module for client.mjs, where its client is a library of Node, or its protocol for load.c).

What it is given to do is the same for all: a job has an id of 20 bytes and a script of 40, and is
pending for a day when it is submitted to be counted."""

import collections
import multiprocessing
import time

SCRIPT = "/usr/local/bin/report -q -d yesterday #1"        # 40 bytes
CONNECTIONS = 64
BATCH = 1000            # jobs in a bulk
DAY = 86400
LEAD = 1.0              # seconds from the submit of a job to its due time, where firing is measured

Done = collections.namedtuple("Done", "n seconds")
# What there is of a peer: its name, what an answer to a submit means (DURABILITY) and in words.
Variant = collections.namedtuple("Variant", "name durability answer setting")
DURABILITY = ["in memory", "in the kernel", "fsynced"]


def make_id(prefix, number):
    return "%s-%0*d" % (prefix, 19 - len(prefix), number)


class Peer:
    """The calls of a peer; a measurement that it has not is None, and shown so."""
    variants = []
    run_means = ""          # what is done for a job that does nothing
    late_means = ""         # from which due time, and how finely it can be told
    runs_processes = False  # a job is a process, a child of the server
    keeps_in_memory = True  # pending jobs
    rounds_at_most = 99     # for those that must wait for the next minute

    def prepare(self, shelf):
        """Brings its programs; raises Missing."""
        raise NotImplementedError

    def start(self, variant, room):
        """Gives a context with a Server that is ready."""
        raise NotImplementedError

    def submit(self, server, seconds):
        """One job by one, from CONNECTIONS at once. Gives Done."""
        raise NotImplementedError

    def bulk(self, server, seconds, prefix):
        """As the peer takes many. Gives Done, or None."""
        raise NotImplementedError

    def late(self, server, rate, seconds):
        """Jobs due at a rate; gives seconds from each one's due time to the call of its handler, by
        what was measured: "" is the table's."""
        raise NotImplementedError

    def fill(self, server):
        """Submits the jobs for run()."""

    def run(self, server):
        """Runs jobs that do nothing as fast as it can: from the first to the end of the last. Gives
        Done."""
        raise NotImplementedError


class Child:
    """A function in a process of its own, so that it shares no interpreter with ours."""

    def __init__(self, function, *args):
        context = multiprocessing.get_context("fork")
        self.pipe, its = context.Pipe(False)
        self.process = context.Process(target=self.call, args=(its, function, args), daemon=True)
        self.process.start()
        its.close()

    @staticmethod
    def call(pipe, function, args):
        pipe.send(function(*args))

    def result(self, limit):
        try:
            if not self.pipe.poll(limit):
                raise RuntimeError("a client took more than %d s" % limit)
            return self.pipe.recv()
        except EOFError:
            raise RuntimeError("a client failed") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()


def pace(rate, seconds):
    """Gives number and the moment (time.time()) of each job of an even stream, when it has come."""
    began = time.time()
    for number in range(int(rate * seconds)):
        moment = began + number / rate
        wait = moment - time.time()
        if wait > 0:
            time.sleep(wait)
        yield number, moment
