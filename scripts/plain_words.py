"""Sizes, times, counts and names as people read them, and made harmless for a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta

_STAND_IN = "\N{REPLACEMENT CHARACTER}"
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def size(number: float) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> size(12), size(999_949), size(1_234_000_000), size(42_000_000_000)
    ('12 bytes', '1.0 MB', '1.2 GB', '42 GB')
    """
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < 9.95 else f"{value:.0f} {_UNITS[unit]}"


def span(seconds: float) -> str:
    """Return how long something takes, in the two largest units that say something.

    Examples
    --------
    >>> span(8.4), span(80), span(7500), span(200_000)
    ('8 s', '1 min 20 s', '2 h 5 min', '2 days 7 h')
    """
    whole = max(0, round(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or len(parts) - 1 == first)


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return a number with what is counted, in the singular or the plural.

    Parameters
    ----------
    one, several
        What one, and what none or several, are called; None adds an s.

    Examples
    --------
    >>> counted(1, "proposal"), counted(0, "proposal"), counted(12_345, "box", "boxes")
    ('1 proposal', '0 proposals', '12,345 boxes')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def moment(at: datetime, now: datetime) -> str:
    """Return a moment in local time, as short as it can be told: today's without the date."""
    here, today = at.astimezone(), now.astimezone().date()
    if here.date() == today:
        return f"{here:%H:%M:%S}"
    near = {today - timedelta(days=1): "yesterday", today + timedelta(days=1): "tomorrow"}
    return f"{near.get(here.date(), str(here.date()))} {here:%H:%M}"


def clean(text: str, encoding: str | None = None) -> str:
    r"""Return a text on one line that no terminal takes for a command: files are named by strangers.

    Whatever isn't printed (escape, bell, other control characters, marks that turn the direction of writing) becomes
    a replacement character; a line end or tab becomes a space.

    Parameters
    ----------
    encoding
        Of the terminal or pipe: what it has no character for is spelled out; None leaves that as it is.

    Examples
    --------
    >>> clean("a\x1b[2Jb\tc")
    'a�[2Jb c'
    >>> clean("Möller", "ascii")
    'M\\xf6ller'
    """
    shown = text if text.isprintable() else "".join(map(_shown, text))
    if encoding is None:
        return shown
    try:
        return shown.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):
        return shown.encode("ascii", "backslashreplace").decode("ascii")


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else _STAND_IN
