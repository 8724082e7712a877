"""Annotation effort of a project: what people did, how long it took, and what the predictions saved (H-AI-L)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import ConfigError
from scripts.loop.effort_account import Account, IterationEffort, SlideEffort, account
from scripts.loop.effort_saves import LeftOut, time_saves
from scripts.loop.effort_times import read_times
from scripts.loop.effort_work import Work
from scripts.naming.project_names import new_spare_key, project_names
from scripts.naming.slide_names import SlideNames
from scripts.plain_words import counted
from scripts.project import Project, open_project, open_store

_HEADINGS = (
    "training", "accepted", "corrected", "added", "rejected", "declined", "patch labels", "boxes", "regions", "timed",
    "s/region", "normalized",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Effort:
    """What is known of a project's annotation effort.

    Parameters
    ----------
    names
        What its slides are called here: perhaps hashes.
    """

    root: Path
    account: Account
    names: SlideNames

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines; what isn't known is null."""
        found = self.account
        return {
            "project": str(self.root),
            "iterations": [self._iteration_json(iteration) for iteration in found.iterations],
            "total": {**found.work.as_counts(), "regions": found.regions},
            "baseline_seconds": _rounded(found.baseline_seconds),
            "model": _model_json(found),
            "minutes_saved": {"model": _rounded(found.model_minutes), "counted": _rounded(found.counted_minutes)},
            "left_out": _left_out_json(found.left_out),
            "missing": found.missing,
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        found = self.account
        rows = [_cells(str(i.iteration), i.work, i, found) for i in found.iterations]
        lines = [f"project {self.root}"]
        if rows:
            lines += _aligned([_HEADINGS, *rows, _total_cells(found)])
        lines += _model_lines(found)
        lines += _left_out_lines(found.left_out)
        return lines + ([found.missing] if found.missing else [])

    def _iteration_json(self, found: IterationEffort) -> Mapping[str, object]:
        spread = found.by_slide
        return {
            "iteration": found.iteration,
            **found.work.as_counts(),
            "regions": found.regions,
            "timed_regions": found.timed_regions,
            "seconds": _rounded(found.seconds),
            "seconds_per_region": _rounded(found.seconds_per_region),
            "normalized": _rounded(self.account.normalized(found.seconds_per_region)),
            "slides_mean": _rounded(spread.mean),
            "slides_sd": _rounded(spread.sd),
            "box_seconds": _rounded(found.box_seconds),
            "measured": found.is_measured,
            "slides": [self._slide_json(slide) for slide in found.slides],
        }

    def _slide_json(self, found: SlideEffort) -> Mapping[str, object]:
        return {
            "slide": None if found.slide_key is None else self.names.of(found.slide_key),
            "regions": found.regions,
            "timed_regions": found.timed_regions,
            "seconds": _rounded(found.seconds),
            "seconds_per_region": _rounded(found.seconds_per_region),
            "measured": found.is_measured,
        }


def read_effort(path: Path, times: Path | None = None, *, is_kept: bool = False) -> Effort:
    """Read what is known of the effort in the project that a path belongs to; nothing is recorded or written.

    Parameters
    ----------
    times
        CSV file of measured times; they take the place of those from saves.
    is_kept
        What is told is kept, in files: hidden names must mean the same tomorrow.

    Raises
    ------
    BridgeError
        There is no project, its store can't be opened, or a line of the file is wrong.
    """
    project = open_project(path)
    with open_store(project, is_dry_run=True) as store:
        saved = time_saves(store.saves(), store.first_look())
        known = {slide.key: slide.name for slide in store.slides()}
    entries = _entries(project, known)
    names = project_names(project, entries, spare_key=None if is_kept or times is not None else new_spare_key())
    measured = () if times is None else read_times(times, _finder(entries, names))
    return Effort(project.root, account(saved, measured), names)


def _entries(project: Project, known: Mapping[str, str]) -> tuple[SlideEntry, ...]:
    """Return the slides of the project, and after them those that were in it."""
    there = project.source.slides()
    keys = {entry.key for entry in there}
    gone = (SlideEntry(key, name, Path(name), Path(name)) for key, name in known.items() if key not in keys)
    return (*there, *gone)


def _finder(entries: Sequence[SlideEntry], names: SlideNames) -> Callable[[str], str]:
    """Return what finds a slide's key by what logs and status call it, by its name, or by its key.

    Keys come last: QuPath's are 1, 2, 3 …, and so may be the names of other slides.
    """

    def find(called: str) -> str:
        ways: Sequence[Callable[[SlideEntry], str]] = (lambda e: names.of(e.key), lambda e: e.name, lambda e: e.key)
        for way in ways:
            found = [entry.key for entry in entries if way(entry) == called]
            if len(found) == 1:
                return found[0]
            if found:
                keys = map(names.of, found) if names.is_hidden else found
                raise ConfigError(f"{len(found)} slides are called {called!r}; say which: {', '.join(keys)}")
        known = sorted(names.of(entry.key) for entry in entries)
        raise ConfigError(f"no slide {called!r} in the project; there are {', '.join(known[:10]) or 'none'}")

    return find


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _model_json(found: Account) -> Mapping[str, object] | None:
    if found.fit is None:
        return None
    curve = found.fit.curve
    return {
        "tau": _rounded(curve.tau),
        "decays": found.fit.decays,
        "regions": curve.regions,
        "normalized_time": _rounded(curve.normalized_time),
        "baseline": _rounded(curve.baseline),
        "savings_percent": _rounded(curve.savings),
        "fit_error": _rounded(found.fit.error),
    }


def _left_out_json(left_out: LeftOut) -> Mapping[str, object]:
    return {
        "regions_without_start": left_out.without_start,
        "regions_with_pause": left_out.with_pause,
        "pauses": left_out.pauses,
        "pause_seconds": _rounded(left_out.pause_seconds),
        "interleaved_saves": left_out.interleaved,
    }


def _cells(name: str, work: Work, found: IterationEffort, of: Account) -> tuple[str, ...]:
    is_told = not of.is_too_quick
    seconds = found.seconds_per_region if is_told or found.iteration > 0 else None
    normalized = of.normalized(found.seconds_per_region) if is_told else None
    times = (_shown(seconds, 1) + ("*" if found.is_measured else ""), _shown(normalized, 3))
    return (name, *_counts(work), str(found.regions), str(found.timed_regions), *times)


def _total_cells(found: Account) -> tuple[str, ...]:
    timed = sum(iteration.timed_regions for iteration in found.iterations)
    return ("all", *_counts(found.work), str(found.regions), str(timed), "", "")


def _counts(work: Work) -> tuple[str, ...]:
    counts = (work.accepted, work.corrected, work.added, work.rejected, work.declined, work.patch_labels, work.boxes)
    return tuple(map(str, counts))


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _model_lines(found: Account) -> list[str]:
    lines = []
    if any(iteration.is_measured for iteration in found.iterations):
        lines.append("*: measured; the other times are from saves")
    if found.is_too_quick:
        lines.append(
            "time without predictions isn't told: the first saves are too close together for a person's drawing, as"
            " where annotations are brought in at once; measure it, and give --times FILE.csv"
        )
        return lines
    if found.fit is None or found.model_minutes is None or found.counted_minutes is None:
        return lines
    curve = found.fit.curve
    timed = sum(iteration.timed_regions for iteration in found.iterations)
    if not found.fit.decays:
        lines.append("time per region doesn't fall as more is annotated: tau is infinite, P is 0 %")
    else:
        lines.append(
            f"H-AI-L: tau {curve.tau:.1f} regions, H {curve.normalized_time:.1f}, B {curve.baseline:.0f}:"
            f" P {curve.savings:.1f} % of the time saved, {counted(round(found.model_minutes), 'minute')}"
            f" (the curve misses by {found.fit.error:.2f})"
        )
    minutes = counted(round(abs(found.counted_minutes)), "minute")
    told = f"{minutes} {'fewer' if found.counted_minutes >= 0 else 'more'}"
    lines.append(f"counted, without a model: {told} than without predictions, over {counted(timed, 'region')}")
    return lines


def _left_out_lines(left_out: LeftOut) -> list[str]:
    lines = []
    if left_out.without_start:
        regions, them = counted(left_out.without_start, "region"), "it" if left_out.without_start == 1 else "them"
        lines.append(f"no time is known of {regions}: nothing was saved before {them}")
    if left_out.pauses:
        hours = left_out.pause_seconds / 3600
        pauses = f"{counted(left_out.pauses, 'save')}, {counted(left_out.with_pause, 'region')}, {hours:.1f} hours"
        lines.append(f"left out as pauses: {pauses}")
    if left_out.interleaved:
        lines.append(
            f"{counted(left_out.interleaved, 'save interleaves', 'saves interleave')} with those of another slide:"
            " taken for one person's; where two worked at once, their time is counted once"
        )
    return lines
