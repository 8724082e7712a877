"""The nightly training: once on every local calendar day, whatever zones and clocks do."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from scripts.config import load_settings
from scripts.daemon.schedule import check_schedule, due, next_nightly, night_of, nightly_on
from scripts.options import Missed, ScheduleOptions

DAY = timedelta(days=1)
ZONES = sorted(available_timezones() - {"Factory", "localtime"})
BERLIN = ScheduleOptions(nightly="02:30", timezone="Europe/Berlin")

minutes = st.integers(0, 24 * 60 - 1).map(lambda m: f"{m // 60:02}:{m % 60:02}")
days = st.dates(date(1972, 1, 1), date(2037, 12, 1))
schedules = st.builds(ScheduleOptions, nightly=minutes, timezone=st.sampled_from(ZONES), missed=st.sampled_from(Missed))


def _local(moment: datetime | None, options: ScheduleOptions) -> str:
    assert moment is not None
    return moment.astimezone(ZoneInfo(options.timezone)).isoformat(timespec="minutes")


def _exists(day: date, zone: ZoneInfo) -> bool:
    """Ask every minute from a day and a half before to as much after whether it lies on a local day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return any((noon + timedelta(minutes=m)).astimezone(zone).date() == day for m in range(-2160, 2160, 15))


@settings(max_examples=150, deadline=None)
@given(schedules, days)
@example(ScheduleOptions(nightly="02:30", timezone="Europe/Berlin"), date(2026, 3, 26))
@example(ScheduleOptions(nightly="02:30", timezone="Europe/Berlin"), date(2026, 10, 22))
@example(ScheduleOptions(nightly="02:15", timezone="Australia/Lord_Howe"), date(2026, 10, 1))
@example(ScheduleOptions(nightly="01:45", timezone="Australia/Lord_Howe"), date(2026, 4, 2))
@example(ScheduleOptions(nightly="02:00", timezone="Pacific/Apia"), date(2011, 12, 27))
@example(ScheduleOptions(nightly="23:30", timezone="America/Nuuk"), date(2024, 3, 28))
@example(ScheduleOptions(nightly="00:30", timezone="America/Sao_Paulo"), date(2017, 10, 13))
@example(ScheduleOptions(nightly="12:00", timezone="Pacific/Kwajalein"), date(1993, 8, 18))
def test_every_local_day_that_is_has_one_nightly_and_it_lies_on_that_day(options: ScheduleOptions, first: date) -> None:
    zone = ZoneInfo(options.timezone)
    after = datetime(first.year, first.month, first.day, 12, tzinfo=UTC) - 2 * DAY
    found: list[datetime] = []
    while len(found) < 8:
        moment = next_nightly(options, after)
        assert moment is not None and moment > after and moment.utcoffset() == timedelta()
        found.append(moment)
        after = moment
    nights = [moment.astimezone(zone).date() for moment in found]
    between = [nights[0] + n * DAY for n in range((nights[-1] - nights[0]).days + 1)]
    assert nights == [day for day in between if _exists(day, zone)]


@settings(max_examples=150, deadline=None)
@given(schedules, days, st.integers(0, 86_399))
def test_next_is_the_same_from_any_moment_before_it(options: ScheduleOptions, day: date, seconds: int) -> None:
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)
    moment = next_nightly(options, now)
    assert moment is not None
    assert next_nightly(options, now + (moment - now) / 2) == moment
    assert due(options, now, moment) == moment
    assert due(options, now, moment - timedelta(microseconds=1)) is None


@pytest.mark.parametrize(
    ("zone", "at", "day", "begins"),
    [
        ("Europe/Berlin", "02:30", date(2026, 3, 29), "2026-03-29T03:30+02:00"),
        ("Europe/Berlin", "02:30", date(2026, 10, 25), "2026-10-25T02:30+02:00"),
        ("America/New_York", "01:30", date(2026, 11, 1), "2026-11-01T01:30-04:00"),
        ("Australia/Sydney", "02:30", date(2026, 10, 4), "2026-10-04T03:30+11:00"),
        ("Australia/Lord_Howe", "02:15", date(2026, 10, 4), "2026-10-04T02:45+11:00"),
        ("America/Sao_Paulo", "00:30", date(2017, 10, 15), "2017-10-15T01:30-02:00"),
        ("America/Nuuk", "23:30", date(2024, 3, 30), "2024-03-30T22:30-02:00"),
        ("Asia/Kathmandu", "02:30", date(2026, 3, 29), "2026-03-29T02:30+05:45"),
    ],
)
def test_nights_when_the_clocks_change(zone: str, at: str, day: date, begins: str) -> None:
    options = ScheduleOptions(nightly=at, timezone=zone)
    assert _local(nightly_on(options, day), options) == begins


def test_a_day_that_the_zone_left_out_has_none() -> None:
    apia = ScheduleOptions(nightly="02:00", timezone="Pacific/Apia")
    assert nightly_on(apia, date(2011, 12, 30)) is None
    after = nightly_on(apia, date(2011, 12, 29))
    assert after is not None
    assert _local(next_nightly(apia, after), apia) == "2011-12-31T02:00+14:00"


@settings(max_examples=25, deadline=None)
@given(schedules, days, st.lists(st.integers(1, 14), min_size=40, max_size=40))
def test_a_daemon_that_looks_often_begins_each_night_once(
    options: ScheduleOptions, first: date, pauses: list[int]
) -> None:
    """Looks less than a quarter of an hour apart, over six days."""
    now = start = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
    last_begun: datetime | None = start
    begun: list[datetime] = []
    turn = 0
    while now < start + 6 * DAY:
        moment = due(options, last_begun, now)
        if moment is not None:
            begun.append(moment)
            last_begun = now
        now += timedelta(minutes=pauses[turn % len(pauses)])
        turn += 1
    expected, after = [], start
    while (after := next_nightly(options, after) or now) < now - timedelta(minutes=14):
        expected.append(after)
    assert begun[: len(expected)] == expected and len(begun) - len(expected) in (0, 1)


@settings(max_examples=40, deadline=None)
@given(
    schedules,
    days,
    st.lists(st.tuples(st.integers(0, 600), st.floats(-20, 20)), min_size=1, max_size=6),
)
def test_a_clock_that_jumps_by_hours_never_gives_a_night_two_and_never_ends_them(
    options: ScheduleOptions, first: date, jumps: list[tuple[int, float]]
) -> None:
    now = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
    last_begun: datetime | None = now
    begun: Counter[date] = Counter()
    at = dict(jumps)
    for look in range(600 + 6 * 24 * 3):  # after the last jump the clock goes right for three days, ten minutes a look
        now += timedelta(minutes=10, hours=at.get(look, 0))
        moment = due(options, last_begun, now)
        if moment is not None:
            begun[night_of(options, moment)] += 1
            last_begun, last_look = now, look
    assert max(begun.values()) == 1
    assert last_look >= 600


@pytest.mark.parametrize("missed", Missed)
def test_a_beginning_noted_by_a_clock_that_was_a_year_ahead_stops_no_night(missed: Missed) -> None:
    options = replace(BERLIN, missed=missed)
    now = datetime(2026, 6, 10, 12, tzinfo=UTC)
    noted = now + 365 * DAY
    assert due(options, noted, now) is None  # nothing says that a night was missed
    tonight = next_nightly(options, now)
    assert tonight is not None
    assert due(options, noted, tonight) == tonight
    assert due(options, tonight, tonight + timedelta(minutes=1)) is None


@settings(max_examples=100, deadline=None)
@given(schedules, days, st.floats(0.3, 400))
def test_missed_nights_are_skipped_or_made_up_for_once(options: ScheduleOptions, day: date, hours: float) -> None:
    begun = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    first = next_nightly(options, begun)
    assert first is not None
    now = first + timedelta(hours=hours)
    latest = due(options, begun, now)
    if options.missed is Missed.SKIP:
        assert latest is None or now - latest < timedelta(minutes=15)
        return
    assert latest is not None and first <= latest <= now
    upcoming = next_nightly(options, now)
    assert upcoming is not None
    assert due(options, now, upcoming - timedelta(seconds=1)) is None


def test_a_lab_that_switches_its_machine_off_at_night_trains_in_the_morning_if_it_says_so() -> None:
    begun = datetime(2026, 6, 9, 1, tzinfo=UTC)
    morning = datetime(2026, 6, 10, 6, tzinfo=UTC)
    assert due(BERLIN, begun, morning) is None
    catching_up = replace(BERLIN, missed=Missed.RUN)
    assert due(catching_up, begun, morning) == datetime(2026, 6, 10, 0, 30, tzinfo=UTC)
    assert due(catching_up, None, morning) is not None
    assert due(catching_up, morning, morning + timedelta(hours=3)) is None


def test_without_a_time_nothing_is_ever_due() -> None:
    now = datetime(2026, 6, 10, 0, 30, tzinfo=UTC)
    never = ScheduleOptions(timezone="Europe/Berlin", missed=Missed.RUN)
    assert (next_nightly(never, now), due(never, None, now)) == (None, None)


@pytest.mark.parametrize("text", ["25:00", "2 o'clock", "02:00:00", "24:00", "0200", "-1:00", "٠٢:٦٠"])
def test_what_is_no_time_of_day_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[schedule\] nightly: .* is no time of day; write it as") as caught:
        check_schedule(ScheduleOptions(nightly=text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zone", ["Berlin", "Europe/Nowhere", "../etc/passwd", "/etc/localtime", "Europe", "CET\0"])
def test_a_time_zone_that_is_unknown_is_refused_in_one_line(zone: str) -> None:
    with pytest.raises(ConfigError, match=r"\[schedule\] timezone: .* is not known; write it as") as caught:
        check_schedule(ScheduleOptions(nightly="02:00", timezone=zone))
    assert "\n" not in str(caught.value)


def test_a_machine_whose_own_time_zone_is_broken_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Foo/Bar")
    monkeypatch.setattr("tzlocal.unix._cache_tz", None)
    with pytest.raises(ConfigError, match="this machine's own"):
        next_nightly(ScheduleOptions(nightly="02:00"), datetime(2026, 6, 10, tzinfo=UTC))


def test_settings_with_a_wrong_schedule_are_refused_where_they_are_loaded() -> None:
    with pytest.raises(ConfigError, match=r"environment SLIDEBRIDGE_SCHEDULE__NIGHTLY: \[schedule\] nightly: '25:00'"):
        load_settings(None, {"SLIDEBRIDGE_SCHEDULE__NIGHTLY": "25:00"})
    assert load_settings(None, {"SLIDEBRIDGE_SCHEDULE__NIGHTLY": "2:05"}).settings.schedule.nightly == "2:05"
