"""Times on the wire, in nanoseconds since the epoch."""

import time
from datetime import datetime

MS, S = 10**6, 10**9

_seconds = {}


def ns_of(text):
    """RFC 3339 with nine digits of a second; None stays None."""
    if text is None:
        return None
    key = text[:19] + text[29:]
    seconds = _seconds.get(key)
    if seconds is None:
        if len(_seconds) > 100000:
            _seconds.clear()
        zone = "+00:00" if text[29:] == "Z" else text[29:]
        seconds = _seconds[key] = int(datetime.fromisoformat(text[:19] + zone).timestamp())
    return seconds * S + int(text[20:29])


def rfc(ns):
    """As RFC 3339 in UTC, to the nanosecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // S)) + f".{ns % S:09}Z"


def due_of(task):
    """When the runs that a task shows were due."""
    return [ns_of(result["scheduledFor"]) for result in task["results"]]


def accounted(task):
    """How many due times are accounted for: as runs, overlapped, missed."""
    return task["runCount"] + task["skipped"]["overlap"] + task["missed"]
