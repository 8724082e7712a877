"""What ``status`` tells: what is labelled, what is missing, what was learned and written; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import shapely

from bridge.annotations.labels import missing_labels
from bridge.annotations.roles import Fate, Role
from bridge.store import Backups, RunRecord
from scripts.loop.pull import Pulled, SlideState, believe, count_added, keep_version, pull, read_entry
from scripts.project import find_entry, open_project, open_store


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a project, read without changing anything."""

    root: Path
    pulled: Pulled
    missing: str | None
    runs: tuple[RunRecord, ...]
    outcomes: Mapping[Fate, int]
    added: int
    last_writes: Mapping[str, str]

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "project": str(self.root),
            "slides": [_slide_json(s, self.last_writes) for s in self.pulled.slides],
            "problems": {p.entry.name: p.message for p in self.pulled.problems},
            "warnings": list(self.pulled.warnings),
            "missing": self.missing,
            "iterations": [_run_json(run) for run in self.runs],
            "outcomes": {fate.value: count for fate, count in self.outcomes.items()} | {"added by hand": self.added},
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        lines = [f"project {self.root}"]
        lines += [_slide_line(s, self.last_writes) for s in self.pulled.slides]
        lines += [f"  {problem.entry.name}: failed: {problem.message}" for problem in self.pulled.problems]
        lines += [f"  note: {warning}" for warning in self.pulled.warnings]
        lines += [_run_line(run) for run in self.runs[-5:]] or ["not trained yet"]
        counted = {**{fate.value: n for fate, n in self.outcomes.items()}, "added by hand": self.added}
        lines.append("so far: " + (", ".join(f"{n} {name}" for name, n in counted.items() if n) or "nothing answered"))
        if self.missing:
            lines.append(f"before training can start: {self.missing}")
        return lines


def read_status(path: Path) -> Status:
    """Read the state of the project that a path belongs to; nothing is recorded or written.

    Raises
    ------
    BridgeError
        There is no project, or its store can't be opened.
    """
    project = open_project(path)
    backups = Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=True) as store:
        pulled = pull(project, store, backups, datetime.now(UTC), is_dry_run=True)
        writes = {s.key: store.newest_marker(s.key) or "" for s in pulled.slides}
        return Status(
            project.root,
            pulled,
            missing_labels(pulled.plans),
            store.runs(),
            store.outcome_counts(),
            store.added_count(),
            writes,
        )


def confirm_slide(path: Path, name: str, *, is_dry_run: bool) -> str:
    """Believe the last save of one slide, and return what was done.

    Raises
    ------
    ConfigError
        The project has no such slide.
    """
    project = open_project(path)
    entry = find_entry(project, name)
    with open_store(project, is_dry_run=is_dry_run) as store:
        reading = read_entry(project, store, entry)
        if not is_dry_run:
            backups, now = Backups(project.data_folder / "backups"), datetime.now(UTC)
            keep_version(store, backups, reading, now)
            count_added(project, store, backups, reading)
            believe(store, reading, now)
    verb = "would be" if is_dry_run else "is"
    return f"{name}: the save with {reading.human_count} objects {verb} learned from at the next sync"


def _slide_json(state: SlideState, writes: Mapping[str, str]) -> Mapping[str, object]:
    reading = state.reading
    counts = reading.found.counts
    return {
        "name": reading.entry.name,
        "objects": len(reading.found),
        "roles": {role.value: len(found) for role in Role if (found := reading.reconciled.of(role))},
        "unknown_classes": dict(reading.reconciled.unknown),
        "repaired": counts.repaired,
        "verbatim": dict(counts.verbatim),
        "off_slide": counts.off_slide,
        "labelled_um2": round(labelled_area(state) * reading.mpp[0] * reading.mpp[1], 1),
        "hold_out_areas": len(state.plan.hold_out),
        "suspicious": state.is_suspicious,
        "failed_save": reading.is_held,
        "last_write": writes.get(state.key) or None,
    }


def labelled_area(state: SlideState) -> float:
    """Return the area that is labelled completely, level-0 px²: the exact union of the ROIs."""
    return float(shapely.union_all(list(state.plan.complete)).area) if state.plan.complete else 0.0


def _slide_line(state: SlideState, writes: Mapping[str, str]) -> str:
    found = {role: len(items) for role in Role if (items := state.reading.reconciled.of(role))}
    counted = ", ".join(f"{n} {role.value}" for role, n in found.items()) or "no objects"
    held = f", {len(state.plan.hold_out)} areas held out" if state.plan.hold_out else ""
    written = "written to" if writes.get(state.key) else "not written to yet"
    return f"  {state.reading.entry.name}: {counted}{held}; {written}"


def _run_json(run: RunRecord) -> Mapping[str, object]:
    return {
        "iteration": run.iteration,
        "kind": run.kind,
        "started": run.started_at,
        "state": run.state.value,
        "checkpoint": run.checkpoint_id,
        "promoted": run.promoted,
        "reason": run.reason,
        "metrics": dict(run.metrics),
    }


def _run_line(run: RunRecord) -> str:
    verdict = "promoted" if run.promoted else run.state.value
    return f"iteration {run.iteration}: {verdict}" + (f", {run.reason}" if run.reason else "")
