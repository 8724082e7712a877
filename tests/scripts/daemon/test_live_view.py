"""The picture that ``watch`` shows: every fact of a heartbeat in it, in any width, nothing that a terminal obeys."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bridge.store import JobKind
from bridge.store.holders import Holder
from scripts.daemon.heartbeat import (
    Beat,
    DaemonState,
    Doing,
    Failure,
    LastRead,
    LastTraining,
    LastWrite,
    Queued,
    seconds_left,
)
from scripts.daemon.live_view import Shown, view

_NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_BEGAN = _NOW - timedelta(seconds=60)
_HOLDER = Holder("lab", 7, 1.0, 1.0, "watch", "1", _BEGAN, "")
_TRAINING = Doing(JobKind.TRAIN, _BEGAN, note="loss 0.123", progress=0.25, counted_since=_NOW - timedelta(seconds=20))
_BUSY = Beat(
    doing=(_TRAINING, Doing(JobKind.PREDICT, _BEGAN, "case 12.svs", usual_seconds=90.0)),
    observing="events",
    next_nightly=_NOW + timedelta(days=1),
    last_write=LastWrite("case 11.svs", _NOW - timedelta(minutes=3)),
    last_read=LastRead("case 12.svs", _NOW - timedelta(minutes=2)),
    last_training=LastTraining(_NOW - timedelta(minutes=9), 3, True, 0.7219),
    queue=(Queued(JobKind.TRAIN, 1), Queued(JobKind.PREDICT, 12, "case 13.svs")),
    failures=(
        Failure("case 3.xml: it is cut; save it again in the viewer", _NOW, JobKind.READ, "case 3.svs", attempts=2),
    ),
    slides=20,
)


def _drawn(*projects: Shown, width: int = 120, encoding: str = "utf-8", colours: bool = False) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(
        file=file, width=width, height=60, force_terminal=colours, color_system="truecolor" if colours else None
    )
    console.print(view(projects, _NOW, memory_bytes=1.24e9))
    file.flush()
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def _shown(beat: Beat, name: str = "kidneys") -> Shown:
    return Shown(name, DaemonState(_HOLDER, _NOW, 1, ("/kidneys",), beat))


def test_everything_that_the_heartbeat_knows_is_shown() -> None:
    lines = _drawn(_shown(_BUSY)).splitlines()
    said = "\n".join(lines)
    assert lines[0] == "SlideBridge watches 1 project · 1.2 GB of memory · Ctrl-C stops it"
    assert lines[1] == "kidneys  20 slides"
    (training,) = (line for line in lines if line.startswith("  training "))
    assert "━━━━━━──────────────────  25% · loss 0.123 · for 1 min · about 1 min left" in training
    (predicting,) = (line for line in lines if line.startswith("  predicting "))
    assert predicting.split("  ", 2)[-1].strip() == "case 12.svs  for 1 min · about 30 s left"
    assert "waits       1 training, 12 slides to predict; next case 13.svs" in said
    local = (_NOW - timedelta(minutes=2)).astimezone()
    assert f"last save   case 12.svs, {local:%H:%M:%S}" in said
    assert "last write  case 11.svs, " in said
    assert "last model  training 3, in use, score 0.722, " in said
    assert "nightly     tomorrow " in said
    assert "failed      reading case 3.svs: case 3.xml: it is cut; save it again in the viewer (tried again " in said


def test_a_failure_keeps_its_cure_in_forty_columns() -> None:
    words = " ".join(_drawn(_shown(_BUSY), width=40).split())
    assert "save it again in the viewer" in words
    assert "25% · about 1 min left" in words and "━" not in words


@pytest.mark.parametrize("width", [40, 60, 80])
def test_nothing_is_cut_off_where_terminals_are_narrow(width: int) -> None:
    lines = _drawn(_shown(_BUSY), Shown("kidneys of 2026, second batch", None), width=width).splitlines()
    assert not [line for line in lines if line.endswith("…")]
    words = " ".join(" ".join(lines).split())
    assert lines[0].startswith("SlideBridge") and lines[0].endswith("Ctrl-C stops it")
    assert "predicting case 12.svs for 1 min · about 30 s left" in words
    assert "waits 1 training, 12 slides to predict; next case 13.svs" in words
    assert "last model training 3, in use, score 0.722, " in words
    assert "not watched now, tried again; the log above says why" in words


@pytest.mark.parametrize("width", [40, 80])
def test_a_long_name_gives_way_to_how_far_the_slide_is(width: int) -> None:
    doing = Doing(JobKind.PREDICT, _BEGAN, "TCGA-AA-3712-01Z-00-DX1 " * 4, "", 0.25, _NOW - timedelta(seconds=20))
    words = _drawn(_shown(Beat(doing=(doing,), slides=1)), width=width)
    assert "TCGA" in words and "25%" in words and "about 1 min left" in words and "…" not in words


def test_a_head_that_does_not_fit_goes_on_below() -> None:
    lines = _drawn(_shown(Beat(observing="polling", slides=12), "kidneys of 2026"), width=40).splitlines()
    assert lines[1:] == ["kidneys of 2026", "  12 slides · looking at the files again", "  and again"]


def test_an_idle_project_says_what_it_waits_for() -> None:
    assert "kidneys  1 slide · waiting for a save" in _drawn(_shown(Beat(observing="events", slides=1)))
    assert "looking at the files again and again" in _drawn(_shown(Beat(observing="polling")))
    assert "starting" in _drawn(_shown(Beat()))


def test_several_projects_are_told_one_after_the_other() -> None:
    lines = _drawn(_shown(Beat(), "one"), Shown("two", None), _shown(_BUSY, "three")).splitlines()
    assert lines[0].startswith("SlideBridge watches 3 projects")
    assert [line.split()[0] for line in lines if not line.startswith(" ")][1:] == ["one", "two:", "three"]
    assert "not watched now, tried again" in lines[2]


@pytest.mark.parametrize("width", [16, 24, 40, 59, 60, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_no_line_is_wider_than_the_terminal_nor_of_characters_that_it_lacks(width: int, encoding: str) -> None:
    names = replace(_BUSY, doing=(Doing(JobKind.READ, _BEGAN, "長い名前のスライド" * 9, "ß" * 90), *_BUSY.doing))
    for line in _drawn(_shown(names, "研究" * 40), width=width, encoding=encoding).splitlines():
        assert cell_len(line) <= width


_HOSTILE = st.text(
    st.characters(codec="utf-8") | st.sampled_from("\x1b\x9b\x07\r\n\t\x00\u202e\u2028[]\\"), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(name=_HOSTILE, width=st.integers(16, 120))
def test_hostile_names_and_errors_are_only_text(name: str, width: int) -> None:
    beat = replace(
        _BUSY,
        doing=(replace(_TRAINING, slide=name, note=name),),
        last_read=LastRead(name, _NOW),
        queue=(Queued(JobKind.READ, 2, name),),
        failures=(Failure(name, _NOW, None, name),),
    )
    for line in _drawn(_shown(beat, name), width=width).split("\n"):
        assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in line)
        assert cell_len(line) <= width


@pytest.mark.parametrize("name", ["[bold]a", "[/red]", "[link=http://x]b[/link]", ":warning:", "\\[x]"])
def test_markup_in_names_is_shown_as_it_is(name: str) -> None:
    assert name in _drawn(_shown(Beat(doing=(Doing(JobKind.READ, _BEGAN, name),))))


def test_colours_are_drawn_where_there_are_some_and_change_no_word() -> None:
    from rich.text import Text

    coloured = _drawn(_shown(_BUSY), colours=True)
    assert "\x1b[" in coloured
    assert Text.from_ansi(coloured).plain.split() == _drawn(_shown(_BUSY)).split()


@pytest.mark.parametrize(
    ("doing", "seconds"),
    [
        (_TRAINING, 60.0),
        (replace(_TRAINING, progress=0.0), None),
        (replace(_TRAINING, counted_since=None), None),
        (replace(_TRAINING, progress=1.0), None),
        (replace(_TRAINING, counted_since=_NOW + timedelta(hours=1)), None),  # the clock was set back
        (Doing(JobKind.PREDICT, _BEGAN, usual_seconds=70.0), 10.0),
        (Doing(JobKind.PREDICT, _BEGAN, usual_seconds=50.0), None),
        (Doing(JobKind.WRITE, _BEGAN), None),
    ],
    ids=["quarter", "just begun", "uncounted", "done", "clock back", "usual", "longer than usual", "unknown"],
)
def test_what_is_left_is_told_only_where_it_is_known(doing: Doing, seconds: float | None) -> None:
    assert seconds_left(doing, _NOW) == (None if seconds is None else pytest.approx(seconds))
