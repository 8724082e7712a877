"""Gathering: a project's records, files and slides, read once and one after another; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError
from bridge.store import Backups, Store
from scripts.loop.costs import project_costs
from scripts.loop.effort import Effort
from scripts.loop.effort_account import account
from scripts.loop.effort_saves import time_saves
from scripts.loop.loss_curve import CURVES, read_curves
from scripts.loop.patch_labels import missing_of
from scripts.loop.planning import OtherSlide
from scripts.loop.prequential import prequential_scores
from scripts.loop.pull import SlideState, pull
from scripts.loop.seeing import see
from scripts.loop.status_daemon import read_daemon_status
from scripts.loop.validate_results import IterationResult, Judged
from scripts.naming.project_names import new_spare_key, project_names
from scripts.naming.slide_names import SlideNames
from scripts.progress import Progress, Renamed, Silent
from scripts.project import Project, left_out, open_project, open_store
from scripts.report.area import labelled_area
from scripts.report.disagreeing import AreaPlaces, disagreements, places_of, worst_areas
from scripts.report.facts import News, ReportFacts, SlideRow
from scripts.report.happened import Plain, news_of
from scripts.report.kept import held_out_keys, kept_results, models_of
from scripts.report.learning import learning_of, mistakes_of
from scripts.report.pictures import picture_of
from scripts.report.records import Records, read_records
from scripts.report.rows import SlidesNow, run_rows, slide_rows
from scripts.report.surroundings import environment

PICTURES = 60
_NEWS_SPAN = timedelta(days=1)
_AT_ONCE = 16  # slides whose annotations are in memory together
_LOSSES = 3
_SHORTEST_FOLDER = 3  # characters; a shorter one is no folder of anybody's


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is asked for.

    Parameters
    ----------
    now
        In the time zone that times are shown in.
    since
        From when on things are news; None: a day ago.
    pictures
        How many slides get a picture at most.
    home
        A folder to be called ``~``; None for none.
    """

    now: datetime
    since: datetime | None = None
    pictures: int = PICTURES
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class _Judgements:
    """What is kept of ``validate``, and where labelled areas lie."""

    models: Sequence[Judged]
    results: Sequence[IterationResult]
    keys: Sequence[str]
    places: AreaPlaces


def gather(path: Path, request: ReportRequest, progress: Progress | None = None) -> ReportFacts:
    """Gather what the report of the project that a path belongs to says; a daemon may go on working beside it.

    Raises
    ------
    BridgeError
        There is no project, or its store can't be opened.
    """
    project, progress = open_project(path), progress or Silent()
    with open_store(project, is_dry_run=True) as store:
        return _gather(project, store, request, progress)


def _gather(project: Project, store: Store, request: ReportRequest, progress: Progress) -> ReportFacts:
    entries, trouble = _entries(project, store)
    keys = [entry.key for entry in entries]
    records = read_records(store, keys)
    gone = (SlideEntry(k, n, Path(n), Path(n)) for k, n in records.known.items() if k not in set(keys))
    names = project_names(project, (*entries, *gone), spare_key=new_spare_key())
    plain, progress = plain_text(names, project.root, request.home), Renamed(progress, names.hide_note)
    now, missing = _look(project, store, request.now, is_readable=trouble is None)
    judged = _judgements(project, store, entries, now, records, names, request.now)
    scores = prequential_scores(store)
    found = disagreements(judged.results, records.prequential, judged.keys, names, judged.places)
    rows = slide_rows(entries, now, records, found, names, plain)
    daemon = read_daemon_status(project, store, names, request.now)
    since = request.since or request.now - _NEWS_SPAN
    news = news_of(records, daemon, now.problems, names, since, plain)
    cost = project_costs(store, [key for key in keys if key not in now.problems])
    areas = {key: um2 for key, seen in now.seen.items() if isinstance(um2 := seen.facts.get("labelled_um2"), float)}
    return ReportFacts(
        project=plain(project.root.name),
        now=request.now,
        since=since,
        news=news,
        is_watched=daemon.is_watching,
        missing=missing,
        disagreements=found,
        learning=learning_of(judged.results, scores, judged.models, len(judged.keys)),
        losses=read_curves(project.data_folder / CURVES, _LOSSES),
        effort=Effort(project.root, account(time_saves(records.saves, records.first_look)), names),
        area=labelled_area(records.reads, areas, request.now),
        mistakes=mistakes_of(judged.results, scores),
        cost=cost,
        slides=tuple(_with_pictures(project, store, entries, rows, news, request, plain, progress)),
        picture_limit=request.pictures,
        runs=run_rows(records.runs, project.checkpoints, plain),
        warnings=tuple(plain(line) for line in ([trouble] if trouble is not None else left_out(project.source))),
        environment=environment(project.settings, cost),
    )


def plain_text(names: SlideNames, root: Path, home: Path | None) -> Plain:
    """Return what makes a message fit to be passed on: no hidden name, the project's folder as ``.``, home as ``~``."""
    folders = [(str(root), "."), *([(str(home), "~")] if home is not None else [])]
    known = [(folder, said) for folder, said in folders if len(folder) >= _SHORTEST_FOLDER]

    def plain(text: str) -> str:
        hidden = names.hide(text)
        for folder, said in known:
            hidden = hidden.replace(folder, said)
        return hidden

    return plain


def _entries(project: Project, store: Store) -> tuple[Sequence[SlideEntry], str | None]:
    """Return the project's slides; while its file can't be read, those that the store knows, and why."""
    try:
        return project.source.slides(), None
    except BridgeError as error:
        return [SlideEntry(s.key, s.name, Path(s.name), Path(s.name)) for s in store.slides()], str(error)


def _look(project: Project, store: Store, now: datetime, *, is_readable: bool) -> tuple[SlidesNow, str | None]:
    """Look at every slide's file, and say what must be labelled before a training can start."""
    if not is_readable:
        return SlidesNow({}, {}), None
    seen = see(project, store, now)
    found = seen.slides.values()
    unheeded = sum(slide.unheeded_count for slide in found)
    settings = project.settings
    missing = missing_of([slide.taught for slide in found], unheeded, settings.model, settings.source.kind)
    return SlidesNow(seen.slides, {problem.entry.key: problem.message for problem in seen.problems}), missing


def _judgements(
    project: Project,
    store: Store,
    entries: Sequence[SlideEntry],
    now: SlidesNow,
    records: Records,
    names: SlideNames,
    at: datetime,
) -> _Judgements:
    """Read the slides that judge, a few at a time, and what is kept of their judgements; and where areas lie."""
    readable = [entry.key for entry in entries if entry.key in now.seen]
    judging = held_out_keys(records.split, readable)
    worst = {record.slide_key for record in worst_areas(records.prequential)}
    wanted = [key for key in readable if key in worst or key in set(judging)]
    models = models_of(records.runs, project.checkpoints)
    places: dict[tuple[str, str], tuple[float, float]] = {}
    held_out: list[str] = []

    def states() -> Iterator[SlideState]:
        for start in range(0, len(wanted), _AT_ONCE):
            some = _read(project, store, entries, now, wanted[start : start + _AT_ONCE], at)
            places.update(places_of(some))
            held_out.extend(state.key for state in some if state.plan.hold_out)
            yield from some

    results = kept_results(project, models, states(), names)
    return _Judgements(models, results, held_out, places)


def _read(
    project: Project, store: Store, entries: Sequence[SlideEntry], now: SlidesNow, keys: Sequence[str], at: datetime
) -> Sequence[SlideState]:
    """Read some slides as a validation would: what of them judges depends on all."""
    chosen = set(keys)
    others = {e.key: OtherSlide(e, _is_labelled(now, e.key)) for e in entries if e.key not in chosen}
    backups = Backups(project.data_folder / "backups")
    return pull(project, store, backups, at, is_dry_run=True, unread=others).slides


def _is_labelled(now: SlidesNow, key: str) -> bool:
    return key in now.seen and now.seen[key].is_labelled


def _with_pictures(
    project: Project,
    store: Store,
    entries: Sequence[SlideEntry],
    rows: Sequence[SlideRow],
    news: Sequence[News],
    request: ReportRequest,
    plain: Plain,
    progress: Progress,
) -> Iterator[SlideRow]:
    """Yield the rows, those most worth seeing with a picture; one slide is open at a time."""
    chosen = set(worth_seeing(rows, news)[: request.pictures])
    progress.start("looking at slides", len(chosen))
    for entry, row in zip(entries, rows, strict=True):
        if row.anchor not in chosen:
            yield row
            continue
        yield _with_picture(project, store, entry, row, plain)
        progress.advance(note=entry.name)


def _with_picture(project: Project, store: Store, entry: SlideEntry, row: SlideRow, plain: Plain) -> SlideRow:
    try:
        picture = picture_of(project, store, entry)
    except BridgeError as error:  # a report tells of it, and goes on
        return replace(row, picture_problem=plain(str(error)))
    note = None if picture.note is None else plain(picture.note)
    return replace(row, picture=replace(picture, note=note))


def worth_seeing(rows: Sequence[SlideRow], news: Sequence[News]) -> Sequence[str]:
    """Return the anchors of the slides, those most worth a picture first.

    First those on which expert and model disagree, the worst first; then those of which there is news; then those with
    proposals, with predictions, with labels; then the rest as they come.
    """
    spoken_of = {anchor for one in news for anchor, _ in one.slides}

    def rank(row: SlideRow) -> tuple[float, ...]:
        agreement = 2.0 if row.agreement is None else row.agreement
        return (agreement, row.anchor not in spoken_of, not row.proposals, not row.predictions, not row.objects)

    return [row.anchor for row in sorted(rows, key=rank)]
