"""What a run leaves behind, gathered for the judge: the experts' ledgers, the files, the stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, LabelPlan, SlideEntry, plain_class
from bridge.annotations.labels import learned_keys
from bridge.annotations.roles import Fate
from bridge.errors import AnnotationFileError, StoreError
from bridge.ingest import revision_of
from bridge.store import Backups, JobKind, JobRecord, JobState, Store
from scripts.bench.daemon.people import Person, read_people
from scripts.bench.daemon.prints import places_of, prints_of
from scripts.bench.daemon.world import Place
from scripts.loop.pull import pull
from scripts.project import Project, open_store

BACKUPS_SEARCHED = 5  # the newest ones of a slide: where a person would look
_OVERLAPPING = 0.5  # shared over joint area of two open predictions of a class: one of them is a double


@dataclass(frozen=True, slots=True)
class SlideEvidence:
    """One slide after the run.

    Parameters
    ----------
    there
        Prints of all objects in the file, with how often each is there.
    in_backups
        Prints of what the newest backups hold.
    repeated_ids
        Ids that several objects of the file bear.
    overlapping
        Pairs of open predictions, or of open boxes, of one class that cover the same place.
    reads
        Input of each READ job that was done, with how often.
    known_revisions
        Every revision that the store remembers to have read.
    own_revisions
        Those that our own writes made.
    declined, rejected
        Places of boxes and of predictions that the store takes for deleted by a person.
    answers
        Boxes that the store counts as labelled, patch label or declined.
    to_learn, learned
        Keys of what the file teaches, and of what trainings have learned from.
    """

    name: str
    person: Person
    revision: str | None
    there: Counter[str]
    in_backups: frozenset[str]
    repeated_ids: tuple[str, ...]
    overlapping: int
    reads: Counter[str]
    known_revisions: frozenset[str]
    own_revisions: frozenset[str]
    declined: frozenset[str]
    rejected: frozenset[str]
    to_learn: frozenset[str]
    learned: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One project after the run.

    Parameters
    ----------
    jobs
        All that are remembered.
    answers
        Boxes that the store counts as labelled, patch label or declined.
    trainings
        That were finished.
    problems
        Slides that can't be read, and what the doctor says of the store.
    """

    name: str
    slides: tuple[SlideEvidence, ...]
    jobs: tuple[JobRecord, ...]
    answers: int
    trainings: int
    dice: tuple[float, ...] = ()
    problems: tuple[str, ...] = ()


def gather(
    place: Place,
    *,
    earlier_jobs: Sequence[JobRecord] = (),
    dice: Sequence[float] = (),
    problems: Sequence[str] = (),
) -> Evidence:
    """Look at a project whose daemon has stopped.

    Parameters
    ----------
    earlier_jobs
        Seen while it ran: the store forgets old ones.
    dice
        Of its champions, oldest first.
    problems
        Lines of whoever else looked at it.
    """
    people = read_people(place)
    project = place.project
    backups = Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=False) as store:
        pulled = pull(project, store, backups, datetime.now(UTC), is_dry_run=True)
        plans = {plan.slide_key: plan for plan in pulled.plans}
        jobs = tuple(({job.id: job for job in earlier_jobs} | {job.id: job for job in store.jobs()}).values())
        slides = tuple(
            _slide(project, store, backups, entry, people.get(entry.key, Person()), jobs, plans.get(entry.key))
            for entry in project.source.slides()
        )
        counts = store.outcome_counts()
        trainings = sum(run.checkpoint_id is not None for run in store.runs())
    answers = sum(counts.get(fate, 0) for fate in (Fate.LABELLED, Fate.PATCH_LABEL, Fate.DECLINED))
    lines = (*problems, *(f"{p.entry.name}: {p.message}" for p in pulled.problems))
    return Evidence(place.tool.value, slides, jobs, answers, trainings, tuple(dice), lines)


def _slide(
    project: Project,
    store: Store,
    backups: Backups,
    entry: SlideEntry,
    person: Person,
    jobs: Sequence[JobRecord],
    plan: LabelPlan | None,
) -> SlideEvidence:
    key, data = entry.key, _bytes(entry.annotation_path)
    found = project.source.parse(data, entry).annotations if data is not None else ()
    ids = Counter(a.object_id for a in found)
    versions = store.versions(key)
    last = store.last_read(key)
    known = {v.revision for v in versions} | ({last.revision} if last is not None else set())
    done = [j for j in jobs if j.slide_key == key and j.kind is JobKind.READ and j.state is JobState.DONE]
    candidates = known | {job.input_hash for job in done}
    return SlideEvidence(
        name=entry.name,
        person=person,
        revision=None if data is None else revision_of(data),
        there=Counter(prints_of(found, project.scheme)),
        in_backups=_in_backups(project, backups, entry, [v.revision for v in versions][-BACKUPS_SEARCHED:]),
        repeated_ids=tuple(name for name, count in ids.items() if count > 1),
        overlapping=count_overlapping(found),
        reads=Counter(job.input_hash for job in done),
        known_revisions=frozenset(known),
        own_revisions=frozenset(r for r in candidates if store.is_own_revision(key, r)),
        declined=places_of([w.geometry for w in store.declined(key)]),
        rejected=places_of([w.geometry for w in store.rejected(key)]),
        to_learn=learned_keys(plan) if plan is not None else frozenset(),
        learned=store.learned(key),
    )


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _in_backups(project: Project, backups: Backups, entry: SlideEntry, revisions: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for revision in revisions:
        try:
            annotations = project.source.parse(backups.load(revision), entry).annotations
        except (StoreError, AnnotationFileError):
            continue
        found.update(prints_of(annotations, project.scheme))
    return frozenset(found)


def count_overlapping(annotations: Sequence[Annotation]) -> int:
    """Count the pairs of machine-made objects of one class that nobody has named, of which one is a double."""
    made = [a for a in annotations if a.is_ours and (a.name is None or a.name.startswith("#"))]
    open_ones = [a for a in made if a.path_class == "Proposed" or plain_class(a.path_class or "") is not None]
    return sum(_is_double(first, second) for first, second in _near(open_ones))


def _near(annotations: Sequence[Annotation]) -> Iterator[tuple[Annotation, Annotation]]:
    shapes = np.array([a.geometry for a in annotations], dtype=object)
    for i, j in shapely.STRtree(shapes).query(shapes).T.tolist():
        if i < j and annotations[i].path_class == annotations[j].path_class:
            yield annotations[i], annotations[j]


def _is_double(first: Annotation, second: Annotation) -> bool:
    areas: list[BaseGeometry] = [shapely.make_valid(a.geometry) for a in (first, second)]
    shared = areas[0].intersection(areas[1]).area
    joint = areas[0].area + areas[1].area - shared
    return bool(joint > 0 and shared / joint >= _OVERLAPPING)
