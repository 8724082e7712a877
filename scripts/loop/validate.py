"""Validate: every champion so far on the hold-out, slide by slide; what was judged before isn't judged again.

Only reads, but for judgements kept under the project's data folder; it needs no lease, so that a daemon may go on
training beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from bridge.annotations.split import HOLD_OUT
from bridge.errors import BridgeError, ConfigError
from bridge.slides import open_slide
from bridge.store import Backups, Store
from models.checkpoints import load_checkpoint
from models.data import TrainingSlide
from models.errors import CheckpointError
from models.inference import SlidePredictor
from models.training import judge_slide
from scripts.loop.prequential import prequential_scores
from scripts.loop.pull import Pulled, SlideState, pull, suspicion
from scripts.loop.training_run import predictor_of
from scripts.loop.validate_cache import FOLDER, JudgementCache, Kept, judge_options, judged_hash
from scripts.loop.validate_champions import judged_models
from scripts.loop.validate_results import (
    WHAT_TO_LABEL,
    IterationResult,
    Judged,
    SlideResult,
    Validation,
    ValidationRequest,
)
from scripts.naming.project_names import project_names
from scripts.naming.slide_names import SlideNames
from scripts.plain_words import counted
from scripts.progress import Progress, Renamed, Silent
from scripts.project import Project, open_project, open_store

logger = logging.getLogger(__name__)


def validate(path: Path, request: ValidationRequest, progress: Progress | None = None) -> Validation:
    """Judge the champions of the project that a path belongs to.

    A slide that can't be read, or whose save isn't believed, is left out for all of them, with a line in ``problems``.

    Raises
    ------
    ConfigError
        Nothing is held out, there is no model yet, or no slide has the metadata asked for.
    BridgeError
        The project or its store can't be opened.
    """
    project, progress = open_project(path), progress or Silent()
    with open_store(project, is_dry_run=True) as store:
        models = judged_models(project, store, iterations=request.iterations, with_candidates=request.with_candidates)
        if not models:
            raise ConfigError(_no_models(request))
        pulled = _read(project, store, progress)
        prequential = prequential_scores(store)
        judging = [state for state in pulled.slides if HOLD_OUT in store.parts(state.key).values()]
    held_out = [state for state in pulled.slides if state.plan.hold_out]
    if not held_out:
        raise ConfigError(_no_hold_out(project, pulled))
    _check_metadata(held_out, request.by)
    names = project_names(project, project.source.slides())
    court = _Court(project, held_out, names, request, JudgementCache(project.data_folder / FOLDER))
    court.judge(models, progress)
    unread = (f"{names.of(p.entry.key)}: {p.message}" for p in pulled.problems)
    doubted = (suspicion(state.reading) for state in judging if state.is_suspicious)
    problems = (*unread, *doubted, *court.problems.values())
    return Validation(
        project.scheme.names,
        request.by,
        tuple(court.results(models)),
        tuple(court.missing[model.checkpoint_id] for model in models if model.checkpoint_id in court.missing),
        tuple(names.hide(line) for line in problems),
        prequential,
        court.judged_now,
        court.is_stopped,
    )


def _read(project: Project, store: Store, progress: Progress) -> Pulled:
    entries = project.source.slides()
    progress = Renamed(progress, project_names(project, entries).hide_note)
    progress.start("reading", len(entries))
    backups = Backups(project.data_folder / "backups")
    return pull(project, store, backups, datetime.now(UTC), advance=lambda n: progress.advance(note=n), is_dry_run=True)


class _Court:
    """Judges models on slides, one after another, and keeps what it found."""

    def __init__(
        self,
        project: Project,
        states: Sequence[SlideState],
        names: SlideNames,
        request: ValidationRequest,
        cache: JudgementCache,
    ) -> None:
        self._project, self._names, self._request, self._cache = project, names, request, cache
        self._states = {state.key: state for state in states}
        self._options = judge_options(project)
        self._hashes = {
            key: judged_hash(state.reading, state.plan, project.scheme, project.settings, self._options)
            for key, state in self._states.items()
        }
        self._found: dict[tuple[str, str], Kept] = {}
        self.problems: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.judged_now = 0
        self.is_stopped = False

    def judge(self, models: Sequence[Judged], progress: Progress) -> None:
        """Find every judgement, the newest model's first; models that can't be judged are in ``missing`` then."""
        for model in models:
            for key in self._states:
                kept = self._cache.load(model.checkpoint_id, key, self._hashes[key])
                if kept is not None:
                    self._found[model.checkpoint_id, key] = kept
        progress.start("judging", sum(len(self._open(model)) for model in models if model.is_there))
        for model in reversed(models):
            if self._open(model):
                self._judge_model(model, progress)

    def results(self, models: Sequence[Judged]) -> list[IterationResult]:
        """Return the models that were judged on all slides that can be read."""
        found = []
        for model in models:
            kept = [(state, self._found.get((model.checkpoint_id, key))) for key, state in self._readable()]
            if kept and all(one is not None for _, one in kept):
                slides = tuple(self._result(state, one) for state, one in kept if one is not None)
                found.append(IterationResult(model, slides))
        return found

    def _readable(self) -> list[tuple[str, SlideState]]:
        return [(key, state) for key, state in self._states.items() if key not in self.problems]

    def _open(self, model: Judged) -> list[SlideState]:
        """Return the slides that a model is still to be judged on."""
        return [state for key, state in self._readable() if (model.checkpoint_id, key) not in self._found]

    def _judge_model(self, model: Judged, progress: Progress) -> None:
        called = model.called
        if self.is_stopped:
            self.missing[model.checkpoint_id] = f"{called}: stopped before it was judged"
            return
        if not model.is_there:
            self.missing[model.checkpoint_id] = f"{called}: its weights were pruned ([store] keep_checkpoints)"
            return
        try:
            checkpoint = load_checkpoint(self._project.checkpoints / model.checkpoint_id)
            predictor = predictor_of(self._project.settings, checkpoint)
        except CheckpointError as error:  # damaged; or pruned this moment, by a daemon
            self.missing[model.checkpoint_id] = f"{called}: {error}"
            return
        for state in self._open(model):
            if not self._judge_slide(model, predictor, state):
                self.missing[model.checkpoint_id] = f"{called}: stopped before it was judged"
                return
            progress.advance(note=f"{called}, {self._names.of(state.key)}")

    def _judge_slide(self, model: Judged, predictor: SlidePredictor, state: SlideState) -> bool:
        """Judge, keep, and say whether to go on: not when asked to stop."""
        reading, began = state.reading, perf_counter()
        try:
            with open_slide(reading.slide_path, mpp=reading.mpp) as slide:
                training = TrainingSlide(slide, state.plan, reading.entry.metadata)
                found = judge_slide(predictor, training, self._project.scheme, self._options, stop=self._request.stop)
        except BridgeError as error:
            logger.warning("slide=%s is not judged on: %s", reading.entry.name, error)
            self.problems[state.key] = f"{self._names.of(state.key)}: {error}"
            return True
        if found is None:
            self.is_stopped = True
            return False
        kept = Kept(found, perf_counter() - began)
        self.judged_now += 1
        self._cache.keep(model.checkpoint_id, state.key, self._hashes[state.key], kept)
        self._found[model.checkpoint_id, state.key] = kept
        return True

    def _result(self, state: SlideState, kept: Kept) -> SlideResult:
        return SlideResult(self._names.of(state.key), _group(state, self._request.by), kept.judgement, kept.seconds)


def _group(state: SlideState, by: str | None) -> str:
    return "" if by is None else state.reading.entry.metadata.get(by, "")


def _check_metadata(states: Sequence[SlideState], by: str | None) -> None:
    metadata: Sequence[Mapping[str, str]] = [state.reading.entry.metadata for state in states]
    if by is None or any(by in entry for entry in metadata):
        return
    known = sorted({name for entry in metadata for name in entry})
    there = f"there is {', '.join(known)}" if known else "they have none; QuPath's project entries can carry some"
    raise ConfigError(f"--by {by}: no held-out slide has such metadata; {there}")


def _no_models(request: ValidationRequest) -> str:
    if request.iterations is None:
        return "there is no model to judge yet; label a few boxes, and run `slidebridge train`"
    asked = ", ".join(map(str, sorted(request.iterations)))
    return f"there is no training with the number {asked}; `slidebridge status` says which one is in use"


def _no_hold_out(project: Project, pulled: Pulled) -> str:
    options = project.settings.holdout
    if options.fraction == 0:
        return "nothing is held out to judge by: [holdout] fraction is 0; set it to 0.2, say, and sync"
    labelled = counted(sum(not state.plan.is_empty for state in pulled.slides), "labelled slide")
    return f"nothing is held out to judge by yet ({labelled}): {WHAT_TO_LABEL}; then run `slidebridge sync`"
