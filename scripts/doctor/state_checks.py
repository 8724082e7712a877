"""The checks on training, daemons and records: facts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from scripts.doctor import catalogue
from scripts.doctor.report import Finding, all_or, ok
from scripts.plain_words import counted, size

if TYPE_CHECKING:
    from scripts.doctor.facts import ProjectFacts

_GB = 10**9
_LITTLE_BYTES = _GB  # backups, checkpoints and tiles need some
_TOO_LITTLE_BYTES = _GB // 10
_MANY_BYTES = 10 * _GB  # of backups
_LARGE_SHARE = 0.5  # of what is free, that backups take


def check_qupath_project(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the project was saved by a QuPath that we don't know."""
    text = facts.running.qupath_version
    return (ok("qupath project", "of a known version, or none") if text is None else catalogue.NEW_QUPATH.found(text),)


def check_viewers(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether QuPath has something open that doesn't show what we write."""
    text = facts.running.open_images
    return (ok("open in QuPath", facts.running.viewers) if text is None else catalogue.OPEN_IN_QUPATH.found(text),)


def check_model(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the network that is set can be begun, and whether the model in use knows the classes."""
    return all_or(_model_findings(facts), ok("model", _model_said(facts)))


def _model_findings(facts: ProjectFacts) -> Iterator[Finding]:
    model = facts.model
    if facts.model_problem is not None:
        yield catalogue.NO_MODEL.found(facts.model_problem, "")
    if model.damage is not None:
        yield catalogue.BAD_MODEL.found(model.damage)
    if model.other_order is not None:
        yield catalogue.OTHER_ORDER.found(model.other_order, "")
    if model.unknown or model.former:
        knows = f"knows {', '.join(model.former)}, which the settings don't" if model.former else ""
        lacks = f"doesn't know {', '.join(model.unknown)}" if model.unknown else ""
        yield catalogue.OTHER_CLASSES.found(f"the model in use {' and '.join(filter(None, [lacks, knows]))}")


def _model_said(facts: ProjectFacts) -> str:
    if facts.model.id is None:
        return "none yet; design, encoder and weights go together"
    return f"the model of training {facts.model.iteration} is in use; design, encoder and weights go together"


def check_labels(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say what is missing before a training can start."""
    labels = facts.labels
    if labels.lacking is not None:
        what, _, cure = labels.lacking.partition(": ")  # it says itself what to do, in this project's tool
        return (catalogue.TOO_LITTLE.found(what, cure or None),)
    areas, slides = counted(labels.complete_areas, "area"), counted(labels.labelled_slides, "slide")
    return (ok("labels", f"on {slides}, {areas} labelled completely"),)


def check_hold_out(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether something is kept apart that judges new models."""
    labels = facts.labels
    if labels.lacking is not None or labels.held_areas:
        areas = counted(labels.complete_areas, "labelled area")
        return (ok("hold-out", f"kept apart: {labels.held_areas} of {areas}"),)
    if not labels.is_split:
        return (catalogue.NO_HOLD_OUT.found("[holdout] fraction is 0", "set [holdout] fraction = 0.2"),)
    areas = counted(labels.complete_areas, "completely labelled area")
    slides = counted(labels.labelled_slides, "slide")
    return (catalogue.NO_HOLD_OUT.found(f"none of {areas} on {slides} is kept apart"),)


def check_noticing(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether saves are noticed."""
    running = facts.running
    if running.deaf_share is not None:
        return (catalogue.DEAF_SHARE.found(running.deaf_share),)
    if running.deaf_disk is not None:
        return (catalogue.DEAF_DISK.found(running.deaf_disk),)
    return (ok("noticing saves", running.noticing),)


def check_daemon(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether two processes look after the project, or one ended without saying so."""
    running = facts.running
    found = [catalogue.TWO_DAEMONS.found(running.two_daemons)] if running.two_daemons is not None else []
    found += [catalogue.STALE_LEASE.found(running.stale_lease)] if running.stale_lease is not None else []
    return all_or(found, ok("daemon", running.daemon))


def check_clock(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether clocks differ."""
    found = [catalogue.CLOCK_AHEAD.found(facts.running.clock_ahead)] if facts.running.clock_ahead is not None else []
    found += [catalogue.FROM_FUTURE.found(line) for line in facts.future]
    return all_or(found, ok("clock", "no file is of the future"))


def check_hooks(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which commands of people's can't be run."""
    found = (catalogue.NO_HOOK.found(line) for line in facts.running.hooks)
    return all_or(found, ok("hooks", "each command that is set can be run"))


def check_database(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the records can be read, and lie where locks work."""
    records = facts.records
    found = []
    if records.problem is not None:
        trouble = catalogue.NEW_STORE if records.is_newer else catalogue.BAD_STORE
        found.append(trouble.found(records.problem, "" if records.is_newer else None))
    if records.is_on_share:
        found.append(catalogue.STORE_ON_SHARE.found(f"{records.database} is on a network drive"))
    where = "none yet; the first sync makes it" if records.database is None else str(records.database)
    return all_or(found, ok("database", where))


def check_own_files(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which of the small files in ``.slidebridge`` are not what they should be."""
    own = facts.own
    told = (
        (catalogue.BAD_LEASE, own.lease),
        (catalogue.BAD_HEARTBEAT, own.heartbeat),
        (catalogue.BAD_KEY, own.key),
        *((catalogue.BAD_CURVE, line) for line in own.curves),
    )
    return all_or((trouble.found(text) for trouble, text in told if text is not None), ok("own files", "whole"))


def check_space(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the disks have room."""
    return tuple(_room(disk.what, str(disk.path), disk.free_bytes) for disk in facts.records.disks)


def _room(what: str, path: str, free: float) -> Finding:
    text = f"{size(free)} free for {what} ({path})"
    if free < _TOO_LITTLE_BYTES:
        return catalogue.DISK_FULL.found(text)
    return catalogue.DISK_LOW.found(text) if free < _LITTLE_BYTES else ok("disk space", text)


def check_backups(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the backups take much room."""
    taken, count = facts.records.backup_bytes, facts.records.backup_files
    free = min((disk.free_bytes for disk in facts.records.disks[:1]), default=float("inf"))
    text = f"{counted(count, 'file')}, {size(taken)}"
    is_large = taken > _MANY_BYTES or (taken > _LITTLE_BYTES and taken > _LARGE_SHARE * free)
    return (catalogue.BIG_BACKUPS.found(text) if is_large else ok("backups", text),)


def check_stray(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which temporary files of ours are left from a crash."""
    found = (catalogue.STRAY_FILES.found(f"{path} is left from a cut write") for path in facts.records.stray)
    return all_or(found, ok("stray files", "none"))


STATE_CHECKS: tuple[Callable[[ProjectFacts], tuple[Finding, ...]], ...] = (
    check_qupath_project,
    check_viewers,
    check_model,
    check_labels,
    check_hold_out,
    check_noticing,
    check_daemon,
    check_clock,
    check_hooks,
    check_database,
    check_own_files,
    check_space,
    check_backups,
    check_stray,
)
