"""What the daemon has promised so far, and whether what it shows keeps to it.

A Task here is one incarnation: an id that is deleted and submitted again is another Task. The
script of each carries its number, so a document always tells which one it shows. The load tells
the model every request when it is sent and every answer when it has come; after a restart look()
compares all that is there with it. Whatever does not fit raises Violation.

A change without an answer may have happened or not: it is open until the next look(), which
settles it for ever."""

import re

from due import Times
from times import MS, S, ns_of

TO_BE_EXECUTED, EXECUTED, EXECUTING, WAITING, STOPPED = range(5)
STATES = ("ToBeExecuted", "Executed", "Executing", "WaitForNextExecution", "Stopped")
OUTCOMES = ("success", "failure", "timeout", "killed", "lost", "error")
OPEN, THERE, GONE = "open", "there", "gone"


def brief(document):
    """A document for people: of the results their runs and outcomes."""
    results = ", ".join(f"{r['run']} {r['outcome']}" for r in document["results"])
    script = document["script"]
    return str({**document, "results": f"<{results}>",
                "script": script if len(script) < 200 else script[:200] + "..."})


class Violation(Exception):
    """A promise that was not kept, with the tasks that it is about."""

    def __init__(self, text, *tasks):
        super().__init__(text)
        self.tasks = tasks


class Task:
    """One incarnation of an id: what was submitted, and what is known of it."""

    __slots__ = ("n", "id", "type", "time", "script", "keep", "fails", "sent", "acked", "created",
                 "life", "state", "dead_at", "stop", "stop_sent", "stop_acked", "delete_sent",
                 "delete_acked", "seen_gone", "version", "shown", "runs", "failures", "overlap",
                 "missed", "running", "stops", "starts",
                 "starts_before", "forgiven", "lost", "history", "at", "when", "times", "started",
                 "repeats", "newest_run", "newest_due")

    def __init__(self, n, id, type, time, script, keep, fails, when):
        self.n, self.id, self.type, self.time = n, id, type, time
        self.script, self.keep, self.fails = script, keep, fails
        self.sent = self.acked = self.created = self.dead_at = None
        self.life = None
        self.state = OPEN
        self.stop = None                # None, "sent" (open), "done"
        self.stop_sent = self.stop_acked = self.delete_sent = self.delete_acked = None
        self.seen_gone = False          # a read said 404 while a delete was open
        self.version = -1               # the highest one shown, and what it was shown with
        self.shown = None
        self.runs = self.failures = self.overlap = self.missed = 0
        self.running = False            # as shown last; then the newest start may not be synced
        self.stops = 0                  # sent and not settled
        self.starts = 0                 # counted by the scripts themselves
        self.starts_before = 0          # those of earlier lives
        self.forgiven = 0               # starts that a loss of power may have made forgotten
        self.lost = set()               # runs shown as lost
        self.history = []
        self.at = -1                    # where it stands in Model.pool
        self.when = when                # what says its due times besides time: fields of a submit
        self.times = Times(type, time, when)
        self.started = set()            # the due times that scripts were started for
        self.repeats = 0                # how many of those starts were of one that was there
        self.newest_run, self.newest_due = 0, 0         # of all results shown

    def document(self):
        time = {} if self.time is None else {"time": self.time}
        return {"id": self.id, "taskType": self.type, "script": self.script,
                "keepResults": self.keep, **time, **self.when}


class Slot:
    """An id: the tasks that may be behind it, and the changes that are under way."""

    __slots__ = ("tasks", "submits", "stops", "deletes")

    def __init__(self):
        self.tasks = []
        self.submits = self.stops = self.deletes = 0


class Model:
    def __init__(self, starts_path, phase_ns=0, need_missed=True, clock=None):
        self.starts_path = starts_path
        self.phase_ns = phase_ns        # by how much a due time may be off its beat
        self.need_missed = need_missed
        self.clock = clock
        self.tasks = {}                 # by number, those of the past for a while
        self.slots = {}                 # by id
        self.pool = []                  # tasks that are there for sure and may be changed
        self.free = []                  # ids that may be submitted again
        self.buried = []                # (life, task): to be forgotten in time
        self.next_n = 1
        self.life = 0
        self.life_began = self.listened = 0
        self.was_killed = True          # a daemon was, since the last look
        self.rolls_back = False         # a loss of power may cost acked changes: process mode
        self.durable_ns = 0             # all that was kept then is for good: see look_back()
        self.loses_power = False        # what the table of runs knows does not survive that
        self.safe_ns = 0                # starts before it are synced, see safe()
        self.life_starts = []           # (task, time), since the life of the last look began
        self.starts_offset = 0
        self.starts_rest = b""
        self.acks = self.acks_open = self.runs = 0

    # --- What the load does ---

    def note(self, task, text):
        task.history.append((self.life, self.clock(), text))

    def slot(self, id):
        slot = self.slots.get(id)
        if slot is None:
            slot = self.slots[id] = Slot()
        return slot

    def new_task(self, id, type, time, keep, script, fails=False, when=None):
        """script: with {n} where the number goes; time: None if when says all."""
        n, self.next_n = self.next_n, self.next_n + 1
        task = Task(n, id, type, time, script.replace("{n}", str(n)), keep, fails, when or {})
        self.tasks[n] = task
        return task

    def sends_submit(self, task, now, how="submit"):
        task.sent, task.life = now, self.life
        slot = self.slot(task.id)
        slot.tasks.append(task)
        slot.submits += 1
        self.note(task, how)

    def sends_stop(self, task, now):
        self.slot(task.id).stops += 1
        task.stops += 1
        if task.stop is None:
            task.stop, task.stop_sent = "sent", now
        self.note(task, "stop")

    def sends_delete(self, task, now):
        self.slot(task.id).deletes += 1
        task.delete_sent = now
        self._leave_pool(task)
        self.note(task, "delete")

    def _enter_pool(self, task):
        if task.at < 0:
            task.at = len(self.pool)
            self.pool.append(task)

    def _leave_pool(self, task):
        if task.at >= 0:
            last = self.pool.pop()
            if last is not task:
                self.pool[task.at] = last
                last.at = task.at
            task.at = -1

    def _bury(self, task, now):
        """It is gone for good."""
        if task.state == GONE:
            return
        task.state, task.dead_at = GONE, now
        self._leave_pool(task)
        slot = self.slots[task.id]
        slot.tasks.remove(task)
        self.buried.append((self.life, task))
        if not slot.tasks and not slot.submits:
            self.free.append(task.id)

    def take_free(self, i):
        """An id that may be submitted, or None."""
        if not self.free:
            return None
        self.free[i], self.free[-1] = self.free[-1], self.free[i]
        id = self.free.pop()
        slot = self.slots[id]
        return id if not slot.tasks and not slot.submits and not slot.stops else None

    def safe(self, sent):
        """A change sent then is durable: so is every start before it, which went before."""
        if sent > self.safe_ns:
            self.safe_ns = sent

    def _ack(self):
        self.acks_open += 1

    # --- What the daemon answers ---

    def acked_submit(self, task, document, sent, now):
        self.slots[task.id].submits -= 1
        self.note(task, "submit: accepted")
        self._ack()
        self.safe(sent)
        for other in list(self.slots[task.id].tasks):
            if other is task:
                continue
            if other.state == THERE and other.delete_sent is None:
                raise Violation(f"two tasks have the id {task.id!r}", other, task)
            if other.state == THERE:
                self._bury(other, now)
        if task.state == GONE:
            raise Violation("a task was accepted that was seen to be gone", task)
        task.acked, task.state = now, THERE
        if task.delete_sent is None:
            self._enter_pool(task)
        if document is not None:
            self.check(document, sent, now, "submit", task, -1)

    def refused_submit(self, task, status, sent, now):
        slot = self.slots[task.id]
        slot.submits -= 1
        self.note(task, f"submit: {status}")
        if status == 409:
            others = [t for t in slot.tasks if t is not task] + \
                [t for _, t in reversed(self.buried[-5000:])
                 if t.id == task.id and t is not task and t.dead_at >= sent]
            if not others:
                raise Violation("refused with 409, but no other task has the id", task)
        if task.shown is not None:
            raise Violation(f"refused with {status}, but it was seen", task)
        if status != 507:               # then it may be there after a restart
            self._bury(task, now)

    def acked_stop(self, task, document, sent, now, floor=-1):
        self.slots[task.id].stops -= 1
        self._ack()
        self.safe(sent)
        shown = self.identify(document)
        if shown is not task:
            raise Violation("a stop was answered with another task", task, shown)
        if document["status"] != STOPPED:
            raise Violation(f"a stop was answered with {brief(document)}", task)
        if task.stop == "done":
            raise Violation("a stopped task was stopped again", task)
        task.stop, task.stop_acked = "done", now
        self.check(document, sent, now, "stop", task, floor)

    def refused_stop(self, task, status, was_there, sent, now):
        self.slots[task.id].stops -= 1
        self.note(task, f"stop: {status}")
        if status == 404:
            self._not_found(task, was_there, "stop")
        elif status == 409:
            if task.stops == 1 and task.stop == "sent":
                most = task.times.max_runs
                if task.type == "cron" and task.delete_sent is None and not (
                        most and task.times.passed(task.created or task.sent, now + MS) >= most):
                    raise Violation("the only stop of a cron task was refused", task)
                if task.type == "delay" and task.created and \
                        task.times.once(task.created) > now + MS:
                    raise Violation("the only stop of a delay task that was not due was refused",
                                    task)
                task.stop = task.stop_sent = None
                task.stops = 0

    def acked_delete(self, task, sent, now):
        self.slots[task.id].deletes -= 1
        self.note(task, "delete: done")
        self._ack()
        self.safe(sent)
        task.delete_acked = now
        self._bury(task, now)

    def refused_delete(self, task, status, was_there, now):
        self.slots[task.id].deletes -= 1
        self.note(task, f"delete: {status}")
        if status == 404 and was_there:
            raise Violation("a delete was answered 404, though the task was there", task)

    def not_found(self, task, was_there, what):
        self.note(task, f"{what}: 404")
        self._not_found(task, was_there, what)

    def _not_found(self, task, was_there, what):
        if not was_there:
            return
        if task.delete_sent is None:
            raise Violation(f"a {what} was answered 404, though the task is there", task)
        task.seen_gone = True

    def cut(self, task, kind, now):
        """No answer came to this change: it stays open."""
        slot = self.slots[task.id]
        if kind == "submit":
            slot.submits -= 1
        elif kind == "stop":
            slot.stops -= 1
        elif kind == "delete":
            slot.deletes -= 1
        self.note(task, f"{kind}: no answer")

    # --- One document ---

    def identify(self, document):
        """Which task a document shows."""
        found = re.search(r"echo (\d+) ", document.get("script", ""))
        task = self.tasks.get(int(found[1])) if found else None
        if task is None:
            raise Violation(f"a task that nobody submitted, or that went long ago: {brief(document)}")
        if task.id != document["id"]:
            raise Violation(f"the script of another id: {brief(document)}", task)
        return task

    def check(self, document, sent, now, what, task=None, floor=None):
        """Checks a document that was asked for at sent and came by now; floor is the version that
        was known when it was asked for."""
        task = task or self.identify(document)
        version = document["version"]
        floor = task.version if floor is None else floor
        if task.version != version or task.shown is None:
            self.note(task, f"{what}: {STATES[document['status']]}, version {version}, runs "
                            f"{document['runCount']}, next {document['nextRun']}")

        def bad(text):
            return Violation(f"{what}: {text}\n  {brief(document)}", task)

        if task.dead_at is not None and task.dead_at <= sent:
            raise bad("it was deleted")
        for name in ("id", "taskType", "script", "keepResults"):
            value = task.document()[name]
            if document[name] != value:
                raise bad(f"{name} is not {value!r}")
        name = task.times.differs(document)
        if name:
            raise bad(f"{name} is not as submitted: {task.document().get(name)!r}")
        created = ns_of(document["createdAt"])
        if task.created is None:
            # Not before it was sent, by the same clock; rounding of two readings.
            if not task.sent - MS <= created <= now + MS:
                raise bad(f"it was sent at {task.sent}, but created at {created}")
            task.created = created
        elif created != task.created:
            raise bad(f"createdAt was {task.created}")
        if version < floor:
            raise bad(f"version {floor} was shown before")
        self._check_state(task, document, sent, bad)
        self._check_results(task, document, bad)
        if task.type == "cron":
            self._check_beat(task, document, now, bad)
        elif document["nextRun"] is not None:
            self._check_phase(task, ns_of(document["nextRun"]), bad)
        # Those of this life may not be shown yet: a change is shown when it is durable.
        if task.starts_before > document["runCount"] + task.forgiven:
            raise bad(f"{task.starts_before} starts were counted before this life"
                      f" ({task.forgiven} of them may have been forgotten)")
        if version >= task.version:
            self._remember(task, document, bad)
        if task.state == OPEN:
            task.state = THERE
        return task

    def _check_state(self, task, document, sent, bad):
        status, version, runs = document["status"], document["version"], document["runCount"]
        running = document["running"]
        if document["state"] != STATES[status]:
            raise bad("status and state differ")
        if running not in (0, 1):
            raise bad("it runs twice")
        if status == STOPPED and task.stop is None:
            raise bad("nobody stopped it")
        if task.stop == "done" and status != STOPPED and (task.stop_acked or 0) <= sent:
            raise bad("it was stopped")
        if status == EXECUTING and running != 1:
            raise bad("it is Executing, but does not run")
        if version != 2 * runs - running + (status == STOPPED):
            raise bad("version does not fit to the number of runs")
        if task.type == "delay":
            allowed = {TO_BE_EXECUTED: (0, 0), EXECUTING: (1, 1), EXECUTED: (1, 0),
                       STOPPED: (0, 0)}
            if allowed.get(status) != (runs, running):
                raise bad("a delay task in no possible state")
            if (status == TO_BE_EXECUTED) != (document["nextRun"] is not None):
                raise bad("nextRun does not fit to the state")
        else:
            most = task.times.max_runs
            is_used_up = most > 0 and runs == most
            if most and runs > most:
                raise bad(f"maxRuns is {most}")
            if (status == STOPPED or is_used_up) != (document["nextRun"] is None):
                raise bad("nextRun does not fit to the state")
            if status == TO_BE_EXECUTED and runs > 0 or status == WAITING and runs == 0 or \
                    (status == EXECUTED) != (is_used_up and not running and status != STOPPED) or \
                    status in (TO_BE_EXECUTED, WAITING) and running:
                raise bad("a cron task in no possible state")
        if (runs == 0) != (document["previousRun"] is None):
            raise bad("previousRun does not fit to the number of runs")
        if running and ns_of(document["previousRun"]) < self.life_began:
            raise bad("a run of an earlier daemon is shown as running")

    def _check_results(self, task, document, bad):
        results = document["results"]
        ended = document["runCount"] - document["running"]
        if len(results) != min(task.keep, ended):
            raise bad(f"{len(results)} results, {ended} runs ended, keepResults {task.keep}")
        failed = 0
        for i, result in enumerate(results):
            outcome = result["outcome"]
            if result["run"] != ended - len(results) + 1 + i:
                raise bad("the numbers of the runs in the results are not consecutive")
            if outcome not in OUTCOMES:
                raise bad(f"an outcome {outcome!r}")
            failed += outcome != "success"
            if outcome == "lost" and result["run"] not in task.lost:
                if not self.was_killed:
                    raise bad(f"run {result['run']} is lost, but no daemon was killed")
                task.lost.add(result["run"])
            if outcome == "failure" and not task.fails or outcome == "success" and task.fails:
                raise bad(f"the script does not end in {outcome}")
            # Of the older ones of many lost runs nothing but the number is known.
            is_unknown = outcome == "lost" and (self.loses_power or not result["scheduledFor"])
            if not is_unknown:
                due = ns_of(result["scheduledFor"])
                self._check_phase(task, due, bad, result["run"])
                self._check_order(task, result["run"], due, bad)
        failures = document["failureCount"]
        if failures < failed or len(results) == ended and failures != failed or failures > ended:
            raise bad("failureCount does not fit to the results")

    def _check_phase(self, task, due, bad, run=None):
        """Whether it is a due time."""
        what = "nextRun" if run is None else f"the due time of run {run}"
        if task.type == "delay":
            off = due - task.times.once(task.created)
        else:
            off = task.times.off(task.created, due)
            if due + self.phase_ns < task.times.first(task.created):
                raise bad(f"{what} is before the first")
        if abs(off) > self.phase_ns:
            raise bad(f"{what} is {off} ns off")

    def _check_order(self, task, run, due, bad):
        """Later runs have later due times: none is run twice."""
        if run > task.newest_run:
            if due <= task.newest_due:
                raise bad(f"run {run} was due at {due}, run {task.newest_run} at {task.newest_due}")
            task.newest_run, task.newest_due = run, due

    def _check_beat(self, task, document, now, bad):
        """Every due time before the next one is a run or is counted under a reason."""
        overlap = document["skipped"]["overlap"]
        missed = document.get("missed", document["skipped"].get("missed"))
        if missed is None and task.life != self.life and self.need_missed:
            raise bad("there is no count of missed due times")
        counted = document["runCount"] + overlap + (missed or 0)
        if document["nextRun"] is None:
            passed = task.times.passed(task.created, now, self.phase_ns)
            if counted > passed:
                raise bad(f"{counted} due times are accounted for, {passed} have passed")
            return
        due = ns_of(document["nextRun"])
        self._check_phase(task, due, bad)
        least, passed = (task.times.passed(task.created, due, slack_ns) - 1
                         for slack_ns in (-self.phase_ns, self.phase_ns))
        if not least <= counted <= passed and not (missed is None and counted <= passed):
            raise bad(f"{passed} due times came before nextRun, accounted for are {counted}: "
                      f"{document['runCount']} runs, {overlap} overlapped, {missed} missed")
        if missed is not None and document["running"] == 0 and document["version"] >= task.version:
            if overlap < task.overlap or missed < task.missed:
                raise bad(f"overlapped {task.overlap}, missed {task.missed} were shown before")
            task.overlap, task.missed = overlap, missed

    def _remember(self, task, document, bad):
        shown = {name: document[name] for name in
                 ("status", "running", "runCount", "failureCount", "previousRun",
                  "lastStatusUpdated", "results")}
        if document["runCount"] < task.runs or document["failureCount"] < task.failures:
            raise bad(f"{task.runs} runs, {task.failures} failures were shown before")
        if task.shown is not None:
            old, new = task.shown["results"], shown["results"]
            if document["version"] == task.version and shown != task.shown:
                raise bad(f"the same version was shown before as\n  "
                          f"{brief({**task.shown, 'script': ''})}")
            if old and new:
                skip = new[0]["run"] - old[0]["run"]
                common = old[max(0, skip):]
                if common != new[max(0, -skip):][:len(common)]:
                    raise bad(f"results changed; they were\n  {old}\n  now\n  {new}")
        task.shown, task.version = shown, document["version"]
        task.runs, task.failures = document["runCount"], document["failureCount"]
        task.running = document["running"] > 0 and document["status"] != STOPPED

    # --- Lists ---

    def floors(self):
        """What a list that is asked for now must show at least: for check_list()."""
        return {task.n: task.version for slot in self.slots.values() for task in slot.tasks
                if task.state == THERE}

    def check_list(self, documents, floors, sent, now, what="list"):
        """A whole list: every task that existed throughout once, in the order of submission."""
        newest_sent, newest, seen = 0, None, set()
        for document in documents:
            task = self.identify(document)
            if task.n in seen:
                raise Violation(f"{what}: it is listed twice", task)
            seen.add(task.n)
            self.check(document, sent, now, what, task, floors.get(task.n, -1))
            if task.acked is not None and task.acked < newest_sent:
                raise Violation(f"{what}: not in the order of submission", newest, task)
            if task.sent > newest_sent:
                newest_sent, newest = task.sent, task
        for n in floors:
            task = self.tasks[n]
            if n not in seen and task.state == THERE and task.delete_sent is None:
                raise Violation(f"{what}: it is missing", task)

    # --- After a restart ---

    def look(self, documents, sent, now):
        """All that is there when a daemon has started; settles what was open."""
        by_id, floors = {}, self.floors()
        for document in documents:
            task = self.identify(document)
            if task.id in by_id:
                raise Violation(f"an id is listed twice: {brief(document)}", task)
            by_id[task.id] = task
            if task.state == GONE:
                why = "its delete was answered" if task.delete_acked else "it was gone"
                raise Violation(f"it is there again, though {why}: {brief(document)}", task)
            if task.seen_gone:
                raise Violation(f"it is there again, though 404 was answered: {brief(document)}", task)
        for id, slot in self.slots.items():
            slot.submits = slot.stops = slot.deletes = 0
            for task in list(slot.tasks):
                if by_id.get(id) is task:
                    continue
                if task.state == THERE and task.delete_sent is None:
                    raise Violation("an accepted task is missing", task)
                self.note(task, "look: not there")
                self._bury(task, now)
        self.check_list(documents, floors, sent, now, "look")
        for task in by_id.values():
            task.delete_sent = None
            if task.stop == "sent":
                task.stop = "done" if task.shown["status"] == STOPPED else None
            task.stops = 0
            self._enter_pool(task)
        self.was_killed = False
        # What is shown now of the runs of earlier lives is durable.
        self.life_starts = [(t, at) for t, at in self.life_starts if at >= self.life_began]
        self.acks += self.acks_open
        self.acks_open = 0
        while self.buried and self.buried[0][0] < self.life - 30 and not self.rolls_back:
            del self.tasks[self.buried.pop(0)[1].n]

    def begin_life(self, now):
        """Before a daemon is started: none runs."""
        self.read_starts()
        for task, _ in self.life_starts:
            task.starts_before = task.starts
        self.life += 1
        self.life_began = now

    def power_loss(self):
        """The newest start of a task need not be synced, all else that was shown is."""
        self.was_killed = True
        if self.rolls_back:
            for task in self.tasks.values():
                task.forgiven = task.starts
            return                      # look_back() does the rest
        for task, at in self.life_starts:
            if at > self.safe_ns:
                task.forgiven += 1
        for slot in self.slots.values():
            for task in slot.tasks:
                if task.running and task.shown:
                    task.version -= 1
                    task.runs -= 1
                    task.shown, task.running = None, False

    def look_back(self, documents, sent, now):
        """The first look after a loss of power in process mode: what is there must be a state that
        was, a prefix of all changes; and it is where everything goes on from."""
        present = {}
        for document in documents:
            task = self.identify(document)
            present[task.n] = document
            if task.state == GONE and task.delete_sent is None and task.acked is None:
                raise Violation(f"it was never accepted: {brief(document)}", task)
        tasks = list(self.tasks.values())
        kept = self.durable_ns          # whatever was answered before it must have been kept
        for task in tasks:
            document = present.get(task.n)
            if document:
                kept = max(kept, task.sent)
                if document["status"] == STOPPED:
                    if task.stop_sent is None:
                        raise Violation(f"nobody stopped it: {brief(document)}", task)
                    kept = max(kept, task.stop_sent)
        for task in sorted(tasks, key=lambda t: t.delete_sent or 0):
            if task.n not in present and task.acked and task.acked <= kept:
                if task.delete_sent is None:
                    raise Violation("it is missing, though a later change was kept", task)
                kept = max(kept, task.delete_sent)
        for task in tasks:
            document = present.get(task.n)
            if not document:
                continue
            if task.delete_acked and task.delete_acked <= kept:
                raise Violation(f"it is there, though changes after its delete were kept: "
                                f"{brief(document)}", task)
            if task.stop_acked and task.stop_acked <= kept and document["status"] != STOPPED:
                raise Violation(f"it is not stopped, though changes after its stop were kept: "
                                f"{brief(document)}", task)
        self._start_over(present, tasks)
        self.check_list(documents, {}, sent, now, "look back")
        self.look(documents, sent, now)

    def _start_over(self, present, tasks):
        """Forgets all but what is there, which is synced for good."""
        self.durable_ns = now = self.clock()
        self.slots, self.pool, self.buried = {}, [], []
        self.free = [task.id for task in tasks if task.n not in present]
        used = {self.tasks[n].id for n in present}
        self.free = [id for id in dict.fromkeys(self.free) if id not in used]
        for id in self.free:
            self.slot(id)
        for task in tasks:
            document = present.get(task.n)
            if not document:
                task.state, task.dead_at, task.at = GONE, task.dead_at or now, -1
                task.delete_sent = task.delete_acked = now
                self.buried.append((self.life, task))
                continue
            self.note(task, "power was lost, it is as at some moment before")
            self.slot(task.id).tasks.append(task)
            task.state, task.at, task.dead_at = THERE, -1, None
            task.delete_sent = task.delete_acked = None
            task.seen_gone = False
            task.stop = "done" if document["status"] == STOPPED else None
            task.stop_sent = task.stop_acked = now if task.stop else None
            task.acked = task.acked or now
            task.version, task.shown, task.running = -1, None, False
            task.stops = task.runs = task.failures = task.overlap = task.missed = 0
            task.lost = set()
            task.newest_run = task.newest_due = 0
        self.acks_open = 0
        gone = [task.n for task in tasks if task.n not in present and task.life < self.life - 30]
        for n in gone:
            del self.tasks[n]
        self.buried = [(life, task) for life, task in self.buried if task.n in self.tasks]

    # --- Starts, as counted from outside ---

    def read_starts(self, slack_ns=2 * S):
        """Takes in what the scripts have written since the last time."""
        try:
            with open(self.starts_path, "rb") as file:
                file.seek(self.starts_offset)
                data = file.read()
        except FileNotFoundError:
            return
        self.starts_offset += len(data)
        lines = (self.starts_rest + data).split(b"\n")
        self.starts_rest = lines.pop()
        for line in lines:
            n, began, due = line.decode().split()
            second, micro = began.split(".")
            at = int(second) * S + int(micro) * 1000
            self.runs += 1
            self._check_start(int(n), at, ns_of(due), slack_ns)

    def _check_start(self, n, at, due, slack_ns):
        task = self.tasks.get(n)
        if task is None:
            raise Violation(f"task number {n} ran, which is gone for long")
        task.starts += 1
        self.life_starts.append((task, at))
        self.note(task, f"its script began at {at}, due at {due}")
        if self.rolls_back:
            return                      # a task may come back from the past
        most = task.times.max_runs
        if most and task.starts > most + task.forgiven:
            raise Violation(f"it was started {task.starts} times, maxRuns is {most}", task)
        if task.created is not None:
            self._check_phase(task, due, lambda text: Violation("start: " + text, task), task.starts)
        limit = 1 + task.forgiven
        if task.type == "delay" and task.starts > limit:
            raise Violation(f"a delay task was started {task.starts} times", task)
        if task.type == "delay" and task.stop == "done" and task.starts > task.forgiven:
            raise Violation("a delay task ran, though its stop was answered", task)
        if due in task.started:
            task.repeats += 1
            if task.repeats > task.forgiven:
                raise Violation(f"its script began twice for {due}", task)
        task.started.add(due)
        if task.dead_at is not None and self.listened > task.dead_at and \
                at > self.listened + slack_ns:
            raise Violation("it ran, though it was deleted before the daemon started", task)

    def check_ends(self, documents):
        """After read_starts(): what is shown as run has been seen to begin."""
        for document in documents:
            task = self.identify(document)
            if task.fails:
                least = sum(r["outcome"] == "failure" for r in document["results"])
            else:
                least = document["runCount"] - document["running"] - document["failureCount"]
            if task.starts < least:
                raise Violation(f"{least} runs are shown as ended in order, {task.starts} were "
                                f"counted\n  {brief(document)}", task)
