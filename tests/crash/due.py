"""The due times of a task of the load, and what a document must show of what says them.

All expressions are every N seconds of any zone: their due times are the multiples of N seconds since
the epoch. Spans are counted from the creation, and may be off by phase_ns there."""

from math import lcm

from times import S, ns_of

ZONE = "Europe/Berlin"                  # the daemon's: see daemon.environment()
POLICIES = {"dst": "run-after", "dayMatch": "or"}
FIELDS = ("cron", "at", "timeMax", "triggers", "startAt", "endAt", "maxRuns", "runOnStart", "jitter",
          "jitterMode", "intervalFrom", "calendar", "dst", "dayMatch")


def every(n, **more):
    """The trigger of an expression of every n seconds."""
    return {"cron": f"*/{n} * * * * *", **more}


def shown_of(trigger, zone):
    """A trigger as an answer has it."""
    if "cron" in trigger:
        return {**POLICIES, "timezone": zone, **trigger}
    return trigger


class Times:
    """When a task fires: time, or what of `when` says it."""

    def __init__(self, type, time, when):
        self.type, self.when = type, when
        triggers = when.get("triggers") or [when] + ([{"time": time}] if time is not None else [])
        self.spans = [t["time"] for t in triggers if "time" in t]
        self.moments = sorted(ns_of(t["at"]) for t in triggers if "at" in t)
        self.beats = sorted({int(t["cron"][2:].split()[0]) * S for t in triggers if "cron" in t})
        self.max_runs = when.get("maxRuns", 0)

    def once(self, created):
        """Of a delay task: its due time."""
        return self.moments[0] if self.moments else created + self.spans[0]

    def off(self, created, ns):
        """How far it is from the nearest due time."""
        offs = [(ns + step // 2) % step - step // 2 for step in self.beats]
        offs += [(ns - created + span // 2) % span - span // 2 for span in self.spans]
        offs += [ns - moment for moment in self.moments]
        return min(offs, key=abs)

    def first(self, created):
        firsts = [(created // step + 1) * step for step in self.beats]
        firsts += [created + span for span in self.spans]
        return min(firsts + [ns for ns in self.moments if ns > created])

    def passed(self, created, until, slack_ns=0):
        """How many there are after the creation and up to a moment."""
        n = sum((until - created + slack_ns) // span for span in self.spans)
        n += sum(created < ns <= until for ns in self.moments)
        for i, step in enumerate(self.beats):           # two at most, which meet
            n += until // step - created // step
            if i == 1:
                both = lcm(*self.beats)
                n -= until // both - created // both
        return n

    def shown(self):
        """The fields that say when, as an answer has them. The zone is that of the first expression."""
        when = self.when
        zone = when.get("timezone", ZONE)
        shown = {name: when[name] for name in ("maxRuns", "at") if name in when}
        if "cron" in when:
            shown.update(POLICIES, cron=when["cron"])
        if "triggers" in when:
            shown["triggers"] = [shown_of(t, zone) for t in when["triggers"]]
        shown["timezone"] = next((t["timezone"] for t in shown.get("triggers", ()) if "cron" in t), zone)
        shown["time"] = self.spans[0] if self.spans else 0
        return shown

    def differs(self, document):
        """The name of a field that does not show what was submitted, or None."""
        expected = self.shown()
        for name in (*FIELDS, "timezone", "time"):
            if not same(expected.get(name), document.get(name)):
                return name
        return None


def same(submitted, shown):
    """Whether a value is shown as it was submitted; moments may be in another zone."""
    if isinstance(submitted, list) and isinstance(shown, list):
        return len(submitted) == len(shown) and all(map(same, submitted, shown))
    if isinstance(submitted, dict) and isinstance(shown, dict):
        return submitted.keys() == shown.keys() and \
            all(same(submitted[name], shown[name]) for name in submitted)
    return submitted == shown or (isinstance(submitted, str) and isinstance(shown, str) and
                                  submitted[10:11] == "T" and ns_of(submitted) == ns_of(shown))
