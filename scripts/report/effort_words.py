"""Whether anything can be said of the time that predictions saved."""

from __future__ import annotations

from scripts.loop.effort_account import Account
from scripts.plain_words import counted

_ENOUGH = 5  # regions whose time is known, without predictions and with them: fewer are chance


def not_told(found: Account) -> str | None:
    """Return, in a few words, why nothing is said of the time saved; None where something can be."""
    first = sum(i.timed_regions for i in found.iterations if i.iteration == 0)
    later = sum(i.timed_regions for i in found.iterations if i.iteration > 0)
    if not found.regions:
        return "nothing is annotated yet"
    if all(i.iteration == 0 for i in found.iterations):
        return "no predictions were answered yet"
    if found.fit is None or found.counted_minutes is None:
        return "too little is known of the time that regions took"
    if min(first, later) < _ENOUGH:
        which = "without predictions" if first < later else "with predictions"
        return f"only {counted(min(first, later), 'region')} timed {which} yet"
    if found.is_too_quick:
        return "the first saves are too close together to tell how long a region took"
    if not found.fit.decays or found.counted_minutes < 0:
        return f"no saving so far: {_longer(found.counted_minutes)}"
    return None


def _longer(minutes: float) -> str:
    if minutes <= -0.5:
        return f"it took {counted(round(-minutes), 'minute')} more than without predictions"
    return "the time per region doesn't fall"
