"""A pass of the loop: which of the steps pull, learn and push it makes, and what it tells."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Flag, auto
from pathlib import Path
from time import perf_counter, sleep

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError, StoreError, WriteConflictError, WriteFailedError
from bridge.export import finish_displaced, recover
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask
from bridge.store import Backups, Store
from bridge.store.pruning import prune
from models.checkpoints import Checkpoint
from models.inference import PredictionOptions
from scripts.loop.learn import Learned, design_of, learn, load_project_champion
from scripts.loop.pull import Pulled, SlideProblem, SlideState, pull
from scripts.loop.push import Pushed, SlidePushed, Wanted, is_stale, problem_of, push_slide
from scripts.loop.slide_work import Bands, work_on_slide
from scripts.progress import Progress, Silent
from scripts.project import Project, open_project, open_store

logger = logging.getLogger(__name__)


class Step(Flag):
    """The steps of a pass; every pass reads first."""

    PULL = auto()
    LEARN = auto()
    PREDICT = auto()
    PROPOSE = auto()


STEPS: Mapping[str, Step] = {
    "sync": Step.PULL | Step.LEARN | Step.PREDICT | Step.PROPOSE,
    "pull": Step.PULL,
    "push": Step.PULL | Step.PREDICT | Step.PROPOSE,
    "train": Step.PULL | Step.LEARN,
    "predict": Step.PULL | Step.PREDICT,
    "propose": Step.PULL | Step.PROPOSE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a pass is asked to do."""

    steps: Step
    is_dry_run: bool = False
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass did."""

    pulled: Pulled
    learned: Learned | None = None
    pushed: Pushed | None = None
    seconds: float = 0.0
    is_dry_run: bool = False
    recovered: tuple[str, ...] = field(default=())

    @property
    def problems(self) -> tuple[SlideProblem, ...]:
        """Slides that failed, whatever the step."""
        return (*self.pulled.problems, *(self.pushed.problems if self.pushed else ()))

    @property
    def has_failed(self) -> bool:
        """Whether anything failed: a slide, or the training."""
        return bool(self.problems) or (self.learned is not None and self.learned.is_failed)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "slides": len(self.pulled.slides),
            "labelled_slides": sum(not plan.is_empty for plan in self.pulled.plans),
            "warnings": list(self.pulled.warnings),
            "problems": {p.entry.name: p.message for p in self.problems},
            "recovered": list(self.recovered),
            "learned": self.learned.as_json() if self.learned else None,
            "written": [_pushed_json(s) for s in self.pushed.slides] if self.pushed else [],
            "dry_run": self.is_dry_run,
            "seconds": round(self.seconds, 3),
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        read = f"{len(self.pulled.slides)} slides read, {sum(not p.is_empty for p in self.pulled.plans)} labelled"
        lines = [*self.recovered, read, *self.pulled.warnings]
        if self.learned:
            lines.append(self.learned.line())
        if self.pushed:
            lines += [_pushed_line(s) for s in self.pushed.slides]
            lines += [f"{s.name}: {warning}" for s in self.pushed.slides for warning in s.warnings]
            if not self.pushed.slides:
                lines.append(
                    "nothing to write" if self.pushed.has_champion else "nothing to write; no champion yet: train"
                )
        lines += [f"failed: {p.message}" for p in self.problems]
        return lines


def _pushed_json(pushed: SlidePushed) -> Mapping[str, object]:
    summary = pushed.summary
    return {
        "slide": pushed.name,
        "predictions": summary.written if summary else None,
        "as_detections": summary.as_detections if summary else None,
        "proposals": [p.text for p in pushed.proposals],
        "made_plain": pushed.promoted,
        "shortage": pushed.shortage,
        "written": pushed.is_written,
        "warnings": list(pushed.warnings),
    }


def _pushed_line(pushed: SlidePushed) -> str:
    parts = []
    if pushed.summary:
        detections = f" ({pushed.summary.as_detections} as detections)" if pushed.summary.as_detections else ""
        parts.append(f"{pushed.summary.written} predictions{detections}")
    if pushed.proposals or pushed.shortage:
        parts.append(f"{len(pushed.proposals)} proposals" + (f" ({pushed.shortage})" if pushed.shortage else ""))
    if pushed.promoted:
        parts.append(f"{pushed.promoted} accepted or corrected made plain")
    verb = "written" if pushed.is_written else "would be written"
    return f"{pushed.name}: {', '.join(parts) or 'marker only'} {verb}"


def run(path: Path, request: Request, progress: Progress | None = None) -> PassResult:
    """Run one pass over the project that a path belongs to.

    A slide that fails is reported and the others go on.

    Raises
    ------
    BridgeError
        The project, its store or its champion can't be opened, or training failed.
    """
    project = open_project(path)
    progress = progress or Silent()
    began = perf_counter()
    backups = Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=request.is_dry_run) as store:
        entries = project.source.slides()
        recovered = () if request.is_dry_run else _recover(project, store, backups, entries)
        progress.start("reading", len(entries))
        pulled = pull(
            project,
            store,
            backups,
            _now(),
            advance=lambda name: progress.advance(note=name),
            is_dry_run=request.is_dry_run,
        )
        learned = None
        if Step.LEARN in request.steps:
            learned = _learn(project, store, pulled, progress, request)
        pushed = None
        if request.steps & (Step.PREDICT | Step.PROPOSE):
            pushed = _push(project, store, backups, pulled, request, progress)
        if not request.is_dry_run:
            recovered = (*recovered, *_settle_displaced(project, store, backups, entries))
            _prune(project, store, backups, pushed)
    return PassResult(pulled, learned, pushed, perf_counter() - began, request.is_dry_run, recovered)


def _learn(project: Project, store: Store, pulled: Pulled, progress: Progress, request: Request) -> Learned:
    """Train; a training that fails is reported, and the champion goes on predicting."""
    try:
        return learn(
            project,
            store,
            pulled,
            progress,
            _now,
            is_forced=request.is_forced,
            is_dry_run=request.is_dry_run,
        )
    except BridgeError as error:
        logger.warning("training failed error=%s", error)
        return Learned(None, False, str(error), is_failed=True)


def _now() -> datetime:
    return datetime.now(UTC)


def _push(
    project: Project, store: Store, backups: Backups, pulled: Pulled, request: Request, progress: Progress
) -> Pushed:
    wanted = Wanted(Step.PREDICT in request.steps, Step.PROPOSE in request.steps, request.is_forced)
    settings = project.settings
    champion = load_project_champion(project)
    champion_id = champion.id if champion else None
    stale = [s for s in pulled.slides if is_stale(s, store, project.scheme, champion_id, wanted, settings.propose.k)]
    progress.start("predicting and writing", len(stale))
    bands = _bands(project, champion) if champion is not None and stale else None
    done: list[SlidePushed] = []
    problems: list[SlideProblem] = []
    for state in stale:
        try:
            done.append(_push_one(project, store, backups, state, wanted, bands, champion, request))
        except BridgeError as error:
            problems.append(problem_of(state, error))
        progress.advance(note=state.reading.entry.name)
    return Pushed(tuple(done), tuple(problems), has_champion=champion is not None)


def _bands(project: Project, champion: Checkpoint) -> Bands:
    """Return what yields a slide's probabilities: the champion, loaded once for all slides."""
    settings = project.settings
    predictor = design_of(settings).predictor(champion, device=settings.train.device)
    options = PredictionOptions(
        settings.predict.tile_px, settings.predict.overlap_px, settings.predict.batch_size, settings.predict.workers
    )

    def bands(slide: Slide, tissue: TissueMask) -> Iterator[ProbabilityMap]:
        return predictor.predict(slide, tissue, options)

    return bands


def _push_one(
    project: Project,
    store: Store,
    backups: Backups,
    state: SlideState,
    wanted: Wanted,
    bands: Bands | None,
    champion: Checkpoint | None,
    request: Request,
) -> SlidePushed:
    settings = project.settings
    iteration = champion.card.iteration if champion else 0
    working_mpp = champion.card.mpp if champion else settings.model.mpp  # the champion's, whatever is set meanwhile
    result = work_on_slide(state, bands, working_mpp, settings.predict, settings.propose, settings.tissue)
    return push_slide(
        project,
        store,
        backups,
        state,
        result,
        wanted,
        champion_id=champion.id if champion else None,
        iteration=iteration,
        now=_now,
        seed=settings.propose.seed + iteration,
        is_dry_run=request.is_dry_run,
    )


def _recover(project: Project, store: Store, backups: Backups, entries: Sequence[SlideEntry]) -> tuple[str, ...]:
    """Finish or undo what an earlier pass was killed in."""
    owners = {entry.key: (project.source, entry) for entry in entries}
    settle_seconds = project.settings.watch.settle_seconds
    report = recover(store, backups, _now(), settle_seconds=settle_seconds, resolve=owners.get)
    return tuple(report.messages)


def _settle_displaced(project: Project, store: Store, backups: Backups, entries: Sequence[SlideEntry]) -> list[str]:
    """Wait until no tool can still be writing into a file that was exchanged, and let it go."""
    waiting = store.unfinished_writes()
    if not waiting:
        return []
    settle_seconds = project.settings.watch.settle_seconds
    sleep(settle_seconds)
    owners = {entry.key: entry for entry in entries}
    lost = []
    for record in waiting:
        entry = owners.get(record.slide_key)
        blocker = (lambda e=entry: project.source.blocker(e)) if entry is not None else (lambda: None)
        target = None if entry is None else entry.annotation_path
        try:
            finish_displaced(
                record.marker, store, backups, _now(), settle_seconds=settle_seconds, target=target, blocker=blocker
            )
        except (WriteConflictError, WriteFailedError) as error:
            lost.append(str(error))
    return lost


def _prune(project: Project, store: Store, backups: Backups, pushed: Pushed | None) -> None:
    """Let go of old versions of what was written to; that must not fail a pass that did its work."""
    for slide in pushed.slides if pushed is not None else ():
        try:
            prune(store, backups, slide.key, project.settings.store)
        except StoreError as error:
            logger.warning("slide=%s not pruned: %s", slide.name, error)
