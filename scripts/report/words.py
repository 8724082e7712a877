"""Numbers and moments as the report writes them."""

from __future__ import annotations

from datetime import datetime, tzinfo

NOTHING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many decimals; a dash for none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def count(value: int | None) -> str:
    """Return a count with its thousands apart.

    Examples
    --------
    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    return NOTHING if value is None else f"{value:,}"


def area(mm2: float | None) -> str:
    """Return mm² with three digits that count.

    Examples
    --------
    >>> area(12.3456), area(0.0123456), area(0.0)
    ('12.3', '0.0123', '0')
    """
    if mm2 is None:
        return NOTHING
    return f"{mm2:,.0f}" if mm2 >= 1000 else f"{mm2:.3g}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share of 1 as percent."""
    return NOTHING if share is None else f"{share:.{digits}%}".replace("%", " %")


def moment(at: datetime | None, zone: tzinfo | None) -> str:
    """Return a moment in a time zone, to the minute."""
    return NOTHING if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def with_sd(mean: float | None, sd: float | None) -> str:
    """Return mean ± sd, or what there is of it."""
    if mean is None:
        return NOTHING
    return number(mean) if sd is None else f"{number(mean)} ± {number(sd)}"
