"""When the nightly training is due: exactly once on every local calendar day, whatever the clocks do that night.

Pure functions of ``[schedule]`` and of moments. On the night when the clocks go forward the training begins at the
same distance from the evening, so at 03:30 where 02:30 doesn't exist; on the night when they go back it begins at the
first of the two. A day that a time zone left out has no training.

APScheduler's ``CronTrigger`` was measured and isn't used: it fires at both 02:30 of an autumn night, leaves out a day
whose midnight doesn't exist (São Paulo, 2017-10-15 at 00:30), and puts a time that a change of clocks moves over
midnight on the next day, which then has two (Nuuk, 2024-03-30 at 23:30).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal import get_localzone

from bridge.errors import ConfigError
from scripts.options import Missed, ScheduleOptions

NIGHTLY_MARK = "nightly"  # the store's mark of when the last nightly training began
ON_TIME = timedelta(minutes=15)  # a training that begins later than this was missed; a busy minute is none
_WRONG_CLOCK = timedelta(days=1)  # a beginning that lies further ahead than this was noted by a clock that was wrong
_DAYS = 4  # that a time zone can't leave out in a row; the longest such hole was of one day


def check_schedule(options: ScheduleOptions) -> None:
    """Refuse a time or a time zone that isn't one.

    Raises
    ------
    ConfigError
        ``[schedule] nightly`` is no time of day, or the time zone is unknown.
    """
    if options.nightly:
        _time_of_day(options)
    if options.timezone:
        _zone(options)


def zone_name(options: ScheduleOptions) -> str:
    """Return the name of the time zone that the nightly training goes by.

    Raises
    ------
    ConfigError
        It is not known.
    """
    return str(_zone(options))


def next_nightly(options: ScheduleOptions, after: datetime) -> datetime | None:
    """Return when the next nightly training is due, in UTC.

    Parameters
    ----------
    after
        An aware moment; what is returned is later than it.

    Returns
    -------
    None where none is scheduled.
    """
    if not options.nightly:
        return None
    today = after.astimezone(_zone(options)).date()
    days = (today + timedelta(days=n) for n in range(_DAYS))
    return next(moment for day in days if (moment := nightly_on(options, day)) is not None and moment > after)


def due(options: ScheduleOptions, last_begun: datetime | None, now: datetime) -> datetime | None:
    """Return the moment of the nightly training that should begin now; None while there is nothing to begin.

    Once it has begun, say so by ``last_begun``: the same moment is never due twice, however the clock is set.

    Parameters
    ----------
    last_begun
        When the last nightly training began; None before the first.
    now
        An aware moment.
    """
    moment = _latest(options, now)
    if moment is None or not _is_open(moment, last_begun, now):
        return None
    return moment if now - moment < ON_TIME or options.missed is Missed.RUN else None


def nightly_on(options: ScheduleOptions, day: date) -> datetime | None:
    """Return when the nightly training of a local calendar day is due, in UTC; None for a day that never was.

    A local time that doesn't exist is read with the offset from before the change of clocks, which moves it forward;
    where that would move it to the next day, with the offset from after it, which moves it back.
    """
    zone, at = _zone(options), _time_of_day(options)
    for fold in (0, 1):
        moment = datetime.combine(day, at.replace(fold=fold), zone).astimezone(UTC)
        if moment.astimezone(zone).date() == day:
            return moment
    return None


def night_of(options: ScheduleOptions, moment: datetime) -> date:
    """Return the local calendar day that a moment belongs to: the name of its nightly training."""
    return moment.astimezone(_zone(options)).date()


def night_name(options: ScheduleOptions, moment: datetime) -> str:
    """Return what the job of the nightly training that a moment belongs to is known by: one job a night."""
    return f"night of {night_of(options, moment)}"


def _latest(options: ScheduleOptions, now: datetime) -> datetime | None:
    if not options.nightly:
        return None
    today = now.astimezone(_zone(options)).date()
    days = (today - timedelta(days=n) for n in range(_DAYS))
    return next(moment for day in days if (moment := nightly_on(options, day)) is not None and moment <= now)


def _is_open(moment: datetime, last_begun: datetime | None, now: datetime) -> bool:
    """Say whether no training has begun since a moment.

    A beginning that lies in the future was noted before the clock was set back. It counts, so that a night that comes
    twice isn't trained in twice; but not when it lies so far ahead that trainings would stay away for long. Then the
    next one that is on time begins.
    """
    if last_begun is not None and last_begun - now > _WRONG_CLOCK:
        return now - moment < ON_TIME
    return last_begun is None or last_begun < moment


def _time_of_day(options: ScheduleOptions) -> time:
    try:
        return datetime.strptime(options.nightly, "%H:%M").time()
    except ValueError as error:
        raise ConfigError(
            f'[schedule] nightly: {options.nightly!r} is no time of day; write it as "02:00", "" for never'
        ) from error


def _zone(options: ScheduleOptions) -> tzinfo:
    try:
        return ZoneInfo(options.timezone) if options.timezone else get_localzone()
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        named = options.timezone or "this machine's own"
        raise ConfigError(
            f'[schedule] timezone: {named!r} is not known; write it as "Europe/Berlin", "" for this machine\'s'
        ) from error
