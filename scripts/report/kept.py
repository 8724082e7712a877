"""What ``validate`` has judged and kept, as far as it still counts; nothing is predicted here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bridge.annotations.split import HOLD_OUT
from bridge.store import RunRecord, RunState
from bridge.store.split_records import Split
from scripts.loop.pull import SlideState
from scripts.loop.validate_cache import FOLDER, JudgementCache, judge_options, judged_hash
from scripts.loop.validate_results import IterationResult, Judged, SlideResult
from scripts.naming.slide_names import SlideNames
from scripts.project import Project

_TRANSFER = 0


def held_out_keys(split: Split, keys: Iterable[str]) -> Sequence[str]:
    """Return the slides of which something judges, in the order of ``keys``."""
    return [key for key in keys if HOLD_OUT in split.parts_of(key).values()]


def models_of(runs: Sequence[RunRecord], checkpoints: Path) -> tuple[Judged, ...]:
    """Return the models that ``validate`` judges, by iteration: champions, and the weights that all began from."""
    found = {run.checkpoint_id: run for run in runs if run.state is RunState.FINISHED and run.checkpoint_id is not None}
    taken_over = dict.fromkeys(run.parent for run in runs if run.parent is not None and run.parent not in found)
    models = [Judged(_TRANSFER, name, True, _is_there(checkpoints, name)) for name in list(taken_over)[:1]]
    used = ((name, run) for name, run in found.items() if run.promoted)
    models += [Judged(run.iteration, name, True, _is_there(checkpoints, name)) for name, run in used]
    return tuple(sorted(models, key=lambda model: model.iteration))


def kept_results(
    project: Project, models: Sequence[Judged], states: Iterable[SlideState], names: SlideNames
) -> tuple[IterationResult, ...]:
    """Return the models whose judgement on today's labels of every held-out slide is kept, by iteration.

    Parameters
    ----------
    states
        Slides as they are now; those of which nothing is held out don't count.
    """
    cache, options = JudgementCache(project.data_folder / FOLDER), judge_options(project)
    found: dict[str, list[SlideResult]] = {model.checkpoint_id: [] for model in models}
    slides = 0
    for state in states:
        if not state.plan.hold_out:
            continue
        slides += 1
        judged = judged_hash(state.reading, state.plan, project.scheme, project.settings, options)
        for model in models:
            kept = cache.load(model.checkpoint_id, state.key, judged)
            if kept is not None:
                result = SlideResult(names.of(state.key), "", kept.judgement, kept.seconds)
                found[model.checkpoint_id].append(result)
    return tuple(_whole(models, found, slides))


def _whole(
    models: Sequence[Judged], found: Mapping[str, Sequence[SlideResult]], slides: int
) -> Iterator[IterationResult]:
    for model in models:
        if slides and len(found[model.checkpoint_id]) == slides:
            yield IterationResult(model, tuple(found[model.checkpoint_id]))


def _is_there(checkpoints: Path, checkpoint_id: str) -> bool:
    return (checkpoints / checkpoint_id / "card.json").is_file()
