"""The guard: a row whose ratio, or whose growth, is beyond its bound twice in a row is a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scripts.bench.rows import Row
from scripts.bench.suite import Entry, Outcome


def slow_entries(outcome: Outcome, again: Callable[[], Outcome]) -> tuple[Entry, ...]:
    """Return the entries that are beyond their bounds in this outcome and, measured once more, still are.

    A machine shared with others may stall for a moment in one of two works that run in turn. Where nothing is beyond
    its bound, ``again`` isn't called.
    """
    suspected = [entry for entry in outcome.entries if entry.is_slow]
    if not suspected:
        return ()
    second = again()
    if second.error is not None:
        return tuple(suspected)
    passed = {_key(entry) for entry in second.entries if not entry.is_slow}
    return tuple(entry for entry in suspected if _key(entry) not in passed)


def complaint(entry: Entry) -> str:
    """Return a line that says what is beyond which bound."""
    if isinstance(entry, Row):
        return f"{entry.work}: {entry.ratio:.2f} × against {entry.peer}, at least {entry.least_ratio:g} × is due"
    return (
        f"{entry.work}: grows with size to the power {entry.exponent:.2f}, at most {entry.most_exponent:g} is allowed"
    )


def _key(entry: Entry) -> Sequence[str]:
    return (entry.work, entry.peer if isinstance(entry, Row) else "")
