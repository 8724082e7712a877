"""``doctor --store``: whether the project's own records agree with themselves, and with the files of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import shapely

from bridge.annotations import PROPOSED
from bridge.annotations.objects import Annotation
from bridge.annotations.roles import Role
from bridge.annotations.scheme import plain_class
from bridge.errors import BridgeError, StoreError
from bridge.store import Backups, Store
from bridge.store.consistency import (
    Trouble,
    check_backups,
    check_database,
    check_jobs,
    check_objects,
    check_writes,
    copy_store,
    expected_revisions,
)
from bridge.store.holders import lives, this_host
from bridge.store.lease import holder
from bridge.store.location import STORE_NAME
from scripts.doctor.report import DoctorReport, Finding, Level, all_or, ok, problem, warning
from scripts.loop.pull import SlideState, pull
from scripts.plain_words import counted
from scripts.project import Project, open_project

_PUSH = "run slidebridge push --force: it writes them anew"


def examine_store(path: Path, *, now: datetime | None = None, user: Path | None = None) -> DoctorReport:
    """Check the store of the project that a path belongs to, and every slide's file against it; nothing is written.

    Raises
    ------
    ConfigError
        There is no project, or its settings are wrong.
    """
    project = open_project(path)
    try:
        folder = project.find_store(user)
    except StoreError as error:
        return DoctorReport((problem("database", str(error)),))
    if folder is None:
        return DoctorReport((*_champion(project), ok("database", "none yet; the first sync makes it")))
    with TemporaryDirectory() as beside:
        return DoctorReport(tuple(_findings(project, folder / STORE_NAME, Path(beside), now or datetime.now(UTC))))


def has_living_holder(project: Project) -> bool:
    """Say whether somebody is at work on the project; one on another machine is believed to be."""
    found = holder(project.data_folder)
    return found is not None and (found.host != this_host() or lives(found))


def _findings(project: Project, database: Path, beside: Path, now: datetime) -> Iterator[Finding]:
    try:
        copy = copy_store(database, beside)
    except StoreError as error:
        yield problem("database", str(error))
        return
    damage = tuple(_told(check_database(copy)))
    yield from all_or(damage, ok("database", f"{database} is whole, {database.stat().st_size / 1e6:.1f} MB"))
    if any("damaged" in finding.text or "restore" in finding.cure for finding in damage):
        return  # nothing that stands in it can be believed
    has_holder, backups = has_living_holder(project), Backups(project.data_folder / "backups")
    with Store.open(beside) as store:
        jobs = _told(check_jobs(store, has_holder=has_holder))
        yield from all_or(jobs, ok("jobs", "none without somebody at work on it"))
        yield from all_or(_told(check_writes(store, now, has_holder=has_holder)), ok("writes", "none cut short"))
        yield from all_or(_told(check_objects(store)), ok("predictions", "none counts twice"))
        yield from all_or(_told(check_backups(store, backups)), ok("backups", "of every slide's last save, whole"))
        yield from _champion(project)
        yield from _files(project, store, backups, now)


def _told(troubles: Iterator[Trouble]) -> Iterator[Finding]:
    return (problem(found.check, found.text, found.cure) for found in troubles)


def _champion(project: Project) -> tuple[Finding, ...]:
    from models.checkpoints import load_champion  # torch: a second

    try:
        champion = load_champion(project.checkpoints)
    except BridgeError as error:
        return (problem("champion", str(error)),)
    return (ok("champion", "none yet" if champion is None else f"{champion.id} is whole"),)


def _files(project: Project, store: Store, backups: Backups, now: datetime) -> Iterator[Finding]:
    pulled = pull(project, store, backups, now, is_dry_run=True)
    expected = expected_revisions(store)
    found = [finding for state in pulled.slides for finding in _slide(store, state, expected)]
    found += [problem("files", f"{p.entry.name}: {p.message}") for p in pulled.problems]
    if not any(finding.level is Level.PROBLEM for finding in found):
        found.append(ok("files", f"{len(pulled.slides)} hold what the store says, and nothing of ours besides"))
    yield from found


def _slide(store: Store, state: SlideState, expected: Mapping[str, str]) -> Iterator[Finding]:
    """Compare one file with the store; what a person saved since the last reading is theirs to have changed."""
    name = state.reading.entry.name
    yield from _doubled(state)
    if (state.reading.revision or "") == expected.get(state.key, ""):
        yield from _strangers(state)
        yield from _disagreements(store, state)
    else:  # by a person, or by a daemon since the copy was made
        yield warning("files", f"{name}: saved since it was last read", "run slidebridge sync, or let watch see it")


def _disagreements(store: Store, state: SlideState) -> Iterator[Finding]:
    name, outcomes = state.reading.entry.name, state.reading.reconciled.outcomes
    live = {written.object_id for written in store.live_objects(state.key)}
    missing = [o for o in outcomes if o.written.object_id in live and o.annotation is None]
    if missing:
        which = counted(len(missing), "object of ours is", "objects of ours are")
        yield problem("files", f"{name}: {which} not in the file as it should be", _PUSH)
    back = [o for o in outcomes if o.written.object_id not in live]
    if back:
        which = counted(len(back), "object that we took out is", "objects that we took out are")
        yield problem("files", f"{name}: {which} in the file", _PUSH)


def _doubled(state: SlideState) -> Iterator[Finding]:
    ours = [o.annotation for o in state.reading.reconciled.objects if _is_prediction(o.annotation)]
    outlines = Counter((a.path_class, shapely.to_wkb(shapely.normalize(a.geometry))) for a in ours)
    ids = Counter(a.object_id for a in ours if a.layer is None)
    count = max(sum(n - 1 for n in found.values()) for found in (outlines, ids))
    if count:
        text = f"{state.reading.entry.name}: {counted(count, 'prediction is', 'predictions are')} in the file twice"
        yield problem("files", text, "delete the second ones in the viewer and save")


def _strangers(state: SlideState) -> Iterator[Finding]:
    reconciled = state.reading.reconciled
    known = {id(outcome.annotation) for outcome in reconciled.outcomes}
    unread = (o.annotation for o in reconciled.objects if o.role is Role.OTHER and id(o.annotation) not in known)
    strange = [annotation for annotation in unread if _is_machine_made(annotation)]
    if strange:
        which = counted(len(strange), "prediction or box", "predictions or boxes")
        text = f"{state.reading.entry.name}: {which} of ours that the store doesn't know"
        cure = "restore the database that wrote them, or delete them in the viewer and save"
        yield problem("files", text, cure)


def _is_machine_made(annotation: Annotation) -> bool:
    return annotation.is_ours and (annotation.path_class == PROPOSED or _is_prediction(annotation))


def _is_prediction(annotation: Annotation) -> bool:
    return annotation.is_ours and annotation.path_class is not None and plain_class(annotation.path_class) is not None
