"""The judgement over a run: what people drew is there, nothing is doubled, and the daemon did what was asked, once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from bridge.store import JobState
from scripts.bench.daemon.evidence import Evidence, SlideEvidence

_SAMPLES = 3  # named of many


class Fault(Enum):
    """What must not be."""

    LOST = "label lost"
    DOUBLED = "object doubled"
    EVENT_LOOP = "read what nobody had saved"
    READ_TWICE = "a save was read more than once"
    UNANSWERED = "a save was never read"
    FALSE_DELETION = "counted as deleted, but nobody did"
    NOT_LEARNED = "labels never reached a training"
    UNANSWERED_BOX = "answers to boxes were not counted"
    UNFINISHED = "jobs left over"
    NO_PROGRESS = "Dice did not rise"
    PROBLEM = "told by others"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, and where."""

    fault: Fault
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.fault.value}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Demands:
    """What a run is held to.

    Parameters
    ----------
    replaced_within_seconds
        A save that the next one replaced so soon needn't have been read by itself: nothing had settled.
    least_answered
        Share of the answers to boxes that the store must have counted. A viewer that saves an old view may answer a
        box that isn't one any more.
    must_learn
        The last labels must have been trained on.
    least_dice
        That the last champions must reach on average, and must have risen to; None: Dice isn't looked at.
    """

    replaced_within_seconds: float = 2.0
    least_answered: float = 1.0
    must_learn: bool = True
    least_dice: float | None = None


def judge(evidence: Sequence[Evidence], demands: Demands) -> tuple[Finding, ...]:
    """Return everything that is not as it should be; nothing when all is well."""
    findings = [
        Finding(fault, f"{project.name}/{slide.name}", what)
        for project in evidence
        for slide in project.slides
        for check in _OF_SLIDE
        for fault, what in check(slide, demands)
    ]
    findings += [
        Finding(fault, project.name, what) for project in evidence for fault, what in _of_project(project, demands)
    ]
    return (*findings, *_of_all(evidence, demands))


_Found = Iterator[tuple[Fault, str]]


def lost_objects(slide: SlideEvidence) -> frozenset[str]:
    """Return what the person drew or accepted and that neither the file nor one of the newest backups holds."""
    return frozenset(slide.person.wanted) - slide.there.keys() - slide.in_backups


def _lost(slide: SlideEvidence, demands: Demands) -> _Found:
    lost = lost_objects(slide)
    if lost:
        yield Fault.LOST, _some(lost)


def _doubled(slide: SlideEvidence, demands: Demands) -> _Found:
    doubled = [name for name, count in slide.there.items() if count > 1]
    if doubled:
        yield Fault.DOUBLED, f"same class and outline: {_some(doubled)}"
    if slide.repeated_ids:
        yield Fault.DOUBLED, f"same id: {_some(slide.repeated_ids)}"
    if slide.overlapping:
        yield Fault.DOUBLED, f"{slide.overlapping} pairs of open predictions or boxes lie over one another"


def _read(slide: SlideEvidence, demands: Demands) -> _Found:
    saved = {save.revision for save in slide.person.saves}
    strange = [revision for revision in slide.reads if revision not in saved]
    if strange:
        own = sum(revision in slide.own_revisions for revision in strange)
        yield Fault.EVENT_LOOP, f"{len(strange)} READ jobs, {own} of them of our own writes: {_some(strange)}"
    twice = [revision for revision, count in slide.reads.items() if count > 1 and revision in saved]
    if twice:
        yield Fault.READ_TWICE, _some(twice)


def _answered(slide: SlideEvidence, demands: Demands) -> _Found:
    known = slide.known_revisions | slide.reads.keys()
    saves = slide.person.saves
    replaced = [*(later.ended for later in saves[1:]), math.inf][: len(saves)]
    unread = [
        save.revision
        for save, at in zip(saves, replaced, strict=True)
        if save.revision not in known and at - save.ended >= demands.replaced_within_seconds
    ]
    if unread:
        yield Fault.UNANSWERED, f"{len(unread)} of {len(saves)}: {_some(unread)}"


def _deleted(slide: SlideEvidence, demands: Demands) -> _Found:
    declined = {box for box, answer in slide.person.answered.items() if answer == "declined"}
    false = (slide.declined - declined) | (slide.rejected - slide.person.deleted)
    if false:
        yield Fault.FALSE_DELETION, _some(false)


def _learned(slide: SlideEvidence, demands: Demands) -> _Found:
    left = slide.to_learn - slide.learned
    if demands.must_learn and left:
        yield Fault.NOT_LEARNED, f"{len(left)} of {len(slide.to_learn)}"


_OF_SLIDE: Sequence[Callable[[SlideEvidence, Demands], _Found]] = (
    _lost,
    _doubled,
    _read,
    _answered,
    _deleted,
    _learned,
)


def _of_project(project: Evidence, demands: Demands) -> _Found:
    yield from ((Fault.PROBLEM, line) for line in project.problems)
    left = [j for j in project.jobs if j.state in (JobState.WAITING, JobState.RUNNING)]
    if left:
        yield Fault.UNFINISHED, _some([f"{j.kind.value} {j.state.value} ({j.error})" for j in left])
    given = sum(len(slide.person.answered) for slide in project.slides)
    if project.answers < demands.least_answered * given:
        yield Fault.UNANSWERED_BOX, f"{project.answers} of {given}"


def _of_all(evidence: Sequence[Evidence], demands: Demands) -> Iterator[Finding]:
    if demands.least_dice is None:
        return
    rows = [project.dice for project in evidence if project.dice]
    first, last = (sum(row[place] for row in rows) / max(1, len(rows)) for place in (0, -1))
    if len(rows) < len(evidence) or last <= first or last < demands.least_dice:
        told = "; ".join(f"{p.name}: {' → '.join(f'{d:.3f}' for d in p.dice) or 'no champion'}" for p in evidence)
        yield Finding(Fault.NO_PROGRESS, "all projects", f"{told}; wanted: rising, at least {demands.least_dice:g}")


def _some(names: Sequence[str] | frozenset[str] | set[str]) -> str:
    shown = sorted(names)
    more = f" … {len(shown)} in all" if len(shown) > _SAMPLES else ""
    return ", ".join(repr(name) for name in shown[:_SAMPLES]) + more


def summary(evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Return one line per project: the figures that the judgement rests on."""
    return tuple(_line(project) for project in evidence)


def _line(project: Evidence) -> str:
    people = [slide.person for slide in project.slides]
    states = [f"{sum(j.state is s for j in project.jobs)} {s.value}" for s in JobState]
    facts = (
        f"{sum(len(p.saves) for p in people)} saves",
        f"{sum(slide.reads.total() for slide in project.slides)} READ jobs done",
        f"{sum(len(p.wanted) for p in people)} objects of people's",
        f"{sum(len(lost_objects(slide)) for slide in project.slides)} lost",
        f"{sum(len(p.missed) for p in people)} missed at some look",
        f"boxes answered {sum(len(p.answered) for p in people)}, counted {project.answers}",
        f"{project.trainings} trainings",
        f"Dice {' → '.join(f'{d:.3f}' for d in project.dice) or '–'}",
        f"jobs: {', '.join(states)}",
    )
    return f"{project.name}: {'; '.join(facts)}"
