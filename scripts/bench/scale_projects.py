"""How the loop's work grows with slides and with objects: what a save costs where very much exists."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.store import Backups, Store
from bridge.watch import FileState, SettledFile, scan
from scripts.bench.many_slides import ManySlides, make_many
from scripts.bench.measuring import Figure, Row, Scale, Scaling, at_most, in_child, in_turn, repeated, timed
from scripts.daemon.slides_now import SlidesNow
from scripts.loop.effort import read_effort
from scripts.loop.knowing import known_of_writes
from scripts.loop.pull import Pulled, pull, reading_of, record_reading
from scripts.loop.push import Wanted, is_stale
from scripts.loop.seeing import remember
from scripts.loop.status import read_status
from scripts.loop.status_slides import slides_read_before
from scripts.loop.training_due import why_not
from scripts.loop.training_run import RunKind, data_hash
from scripts.loop.versions import list_versions
from scripts.naming.project_names import project_names
from scripts.options import SourceKind
from scripts.project import Project, open_project, open_store

NAME = "scale_projects"
TITLE = "Projects of very many slides, slides of very many objects: what a pass, a save and a look cost"
_SLIDES = {Scale.FULL: (10, 100, 1000), Scale.SMOKE: (16,)}  # one size: only what stands beside others is judged
_OBJECTS = {Scale.FULL: (1_000, 10_000, 100_000), Scale.SMOKE: (300, 3_000)}
_ON_A_SLIDE = 10
_RUNS = 3
_KINDS = (SourceKind.IMAGESCOPE, SourceKind.QUPATH)


def rows(scale: Scale) -> Iterator[Row | Scaling]:
    """Measure both kinds of project."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        for kind in _KINDS:
            yield from _slides(Path(folder) / kind.value / "slides", kind, _SLIDES[scale])
            yield from _objects(Path(folder) / kind.value / "objects", kind, _OBJECTS[scale])
            if scale is Scale.FULL:  # a process that loads everything takes longer than all of the smoke run
                yield from _memory(Path(folder) / kind.value, kind)


def _slides(folder: Path, kind: SourceKind, sizes: Sequence[int]) -> Iterator[Row | Scaling]:
    found: dict[str, list[Figure]] = {}
    for size in sizes:
        made = make_many(folder / str(size), kind, slides=size, objects=_ON_A_SLIDE)
        for work, figure in _of_slides(made) if len(sizes) > 1 else ():
            found.setdefault(work, []).append(figure)
    for work, figures in found.items():
        yield Scaling(f"{work}, {kind.value}", tuple(sizes), tuple(figures), "slides")
    yield from _beside_others(made, sizes[-1])


def _of_slides(made: ManySlides) -> Iterator[tuple[str, Figure]]:
    project, entries = made.project, made.project.source.slides()
    backups = Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=False) as store:
        yield "first pass", Figure.of([timed(lambda: pull(project, store, backups, _now()))[0]])
        figure, pulled = repeated(lambda: pull(project, store, backups, _now()), runs=_RUNS)
        yield "a pass where nothing changed", figure
        made.save_one_more(entries[0])
        yield "a pass after one save", Figure.of([timed(lambda: pull(project, store, backups, _now()))[0]])
        desk = _Desk(project, store, pulled)
        yield "the daemon decides what to do after one save", repeated(desk.decide_again, runs=_RUNS)[0]
        names = project_names(project, entries)
        told = lambda: slides_read_before(entries, store, names)  # noqa: E731 - measured
        yield "status of slides that a daemon has read", repeated(told, runs=_RUNS)[0]
        remember(project, store, pull(project, store, backups, _now()), _now())
    yield "status without a daemon", repeated(lambda: read_status(project.root), runs=_RUNS)[0]
    yield "status --read", repeated(lambda: read_status(project.root, is_read=True), runs=1)[0]
    yield "effort", repeated(lambda: read_effort(project.root), runs=_RUNS)[0]
    yield "backups list", repeated(lambda: list_versions(project.root), runs=_RUNS)[0]


def _beside_others(made: ManySlides, slides: int) -> Iterator[Row]:
    project, entries = made.project, made.project.source.slides()
    where = f"of {slides:,} slides, {made.kind.value}"
    known: dict[str, FileState | None] = dict(scan(entries, {}, root=project.source.root).states)
    ours, theirs, _, _ = in_turn(
        lambda: scan(entries, known, root=project.source.root), lambda: _sums(entries), runs=_RUNS
    )
    yield Row(f"rescan {where}", ours, "sha256 of every file", theirs, least_ratio=0.3)
    backups = Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=False) as store:
        desk = _Desk(project, store, pull(project, store, backups, _now()))
        ours, theirs, _, _ = in_turn(desk.decide_again, desk.decide_from_nothing, runs=_RUNS)
        yield Row(f"decide after one save {where}", ours, "planned anew", theirs, least_ratio=0.5)
        names = project_names(project, entries)
        ours, theirs, _, _ = in_turn(
            lambda: slides_read_before(entries, store, names),
            lambda: pull(project, store, backups, _now(), is_dry_run=True),
            runs=1,
        )
        target = at_most(1.0, "s")
        yield Row(f"status {where}", ours, "reading every file", theirs, target, 1.0, "as the daemon read them")
    ours, theirs, _, _ = in_turn(
        lambda: read_status(project.root), lambda: read_status(project.root, is_read=True), runs=1
    )
    note = "without a daemon, a pass has read them before"
    yield Row(f"status {where}, no daemon", ours, "status --read", theirs, target, 0.3, note)


class _Desk:
    """What the daemon keeps in memory, and what it does once a save was read."""

    def __init__(self, project: Project, store: Store, pulled: Pulled) -> None:
        self._project, self._store, self._pulled = project, store, pulled
        self._slides = self._filled()
        self._decide(self._slides)

    def decide_again(self) -> object:
        """Decide, one slide being new."""
        self._slides.put(self._pulled.slides[0].reading, is_suspicious=False)
        return self._decide(self._slides)

    def decide_from_nothing(self) -> object:
        """Decide, all slides being new."""
        return self._decide(self._filled())

    def _filled(self) -> SlidesNow:
        slides = SlidesNow(self._project, self._store)
        slides.list_entries()
        for state in self._pulled.slides:
            slides.put(state.reading, is_suspicious=False)
        return slides

    def _decide(self, slides: SlidesNow) -> object:
        project, store, pulled = self._project, self._store, slides.pulled(_now())
        facts = known_of_writes(store, (state.reading for state in pulled.slides))
        k = project.settings.propose.k
        stale = [is_stale(state, facts, project.scheme, None, Wanted(), k) for state in pulled.slides]
        reason = why_not(project, store, pulled, RunKind.INCREMENTAL, is_forced=False)
        return stale, reason, data_hash(project, pulled)


def _objects(folder: Path, kind: SourceKind, sizes: Sequence[int]) -> Iterator[Row | Scaling]:
    found: dict[str, list[Figure]] = {}
    for size in sizes:
        made = make_many(folder / str(size), kind, slides=1, objects=size)
        for work, figure in _of_objects(made):
            found.setdefault(work, []).append(figure)
    for work, figures in found.items():
        yield Scaling(f"{work}, {kind.value}", tuple(sizes), tuple(figures), "objects", most_exponent=1.4)
    planned, parsed = found["save → planned"][-1], found["parse the file"][-1]
    work = f"save → planned, {sizes[-1]:,} objects, {kind.value}"
    yield Row(work, planned, "our parser alone", parsed, None, None, "what is beyond the parser is the loop's")


def _memory(folder: Path, kind: SourceKind) -> Iterator[Row]:
    for what, sizes in (("slides", _SLIDES[Scale.FULL]), ("objects", _OBJECTS[Scale.FULL])):
        cost, _ = in_child(one_pass, folder / what / str(sizes[-1]))
        yield Row(f"memory of a pass over {sizes[-1]:,} {what}, {kind.value}", cost.peak, note="libraries included")


def _of_objects(made: ManySlides) -> Iterator[tuple[str, Figure]]:
    project, (entry,) = made.project, made.project.source.slides()
    backups = Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=False) as store:
        slides = SlidesNow(project, store)
        slides.list_entries()
        yield "first reading", Figure.of([timed(lambda: _planned(project, store, backups, slides, entry))[0]])
        seconds = []
        for _ in range(_RUNS):
            made.save_one_more(entry)
            seconds.append(timed(lambda: _planned(project, store, backups, slides, entry))[0])
        yield "save → planned", Figure.of(seconds)
    data = entry.annotation_path.read_bytes()
    yield "parse the file", repeated(lambda: project.source.parse(data, entry), runs=_RUNS)[0]


def _planned(project: Project, store: Store, backups: Backups, slides: SlidesNow, entry: SlideEntry) -> str:
    """Do what the daemon does from the end of the settle time on until it knows what a training would learn from."""
    now = _now()
    reading = reading_of(project, store, entry, SettledFile(entry.annotation_path.read_bytes()), commit_at=now)
    kept = slides.reading(entry.key)
    slides.put(reading, is_suspicious=record_reading(project, store, backups, reading, now, kept=kept))
    return data_hash(project, slides.pulled(now))


def one_pass(root: Path) -> int:
    """Read a whole project; for a process of its own."""
    project = open_project(root)
    with open_store(project, is_dry_run=True) as store:
        backups = Backups(project.data_folder / "backups")
        return len(pull(project, store, backups, _now(), is_dry_run=True).slides)


def _sums(entries: Sequence[SlideEntry]) -> Sequence[str]:
    return [hashlib.sha256(entry.annotation_path.read_bytes()).hexdigest() for entry in entries]


def _now() -> datetime:
    return datetime.now(UTC)
