from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bridge.annotations import ClassScheme, LabelPlan
from models.checkpoints import NetRole, load_checkpoint, save_checkpoint
from models.data import SamplingOptions, TrainingSlide
from models.errors import CheckpointError, TrainingDataError
from models.inference import Predictor
from models.training import ModelOptions, TrainingOptions, TrainingProgress, evaluate, fit, forget_state


def same(first: Any, second: Any) -> bool:
    return all(torch.equal(first.weights[key], second.weights[key]) for key in first.weights)


def after(steps: int) -> Any:
    calls = iter(range(10_000))
    return lambda: next(calls) >= steps


def test_training_learns(disc_slides: Any, judged_slides: Any, ground: Any, tiny_model: Any, brief: Any) -> None:
    options = replace(brief, max_steps=60, batch_size=4)
    candidate = fit(judged_slides, ground.scheme, tiny_model, options, now="2024-05-01T00:00:00Z", iteration=3)
    scores = evaluate(Predictor(candidate.checkpoint, device="cpu"), judged_slides, ground.scheme)
    assert scores.pooled_dice > 0.85
    assert scores.mean_dice > 0.6
    card = candidate.checkpoint.card
    assert (card.iteration, card.created, card.steps, card.parent) == (3, "2024-05-01T00:00:00Z", 60, None)
    assert card.data_hashes == {"one": judged_slides[0].plan.content_hash()}
    assert card.class_names == ("Background", "Dark", "Pale")
    losses = [entry.holdout_loss for entry in candidate.history[NetRole.HIGH]]
    assert min(losses) < losses[0]


def test_same_inputs_and_seed_give_the_same_checkpoint(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any
) -> None:
    first, second = (fit(disc_slides, ground.scheme, tiny_model, brief) for _ in range(2))
    assert first.checkpoint.id == second.checkpoint.id
    other = fit(disc_slides, ground.scheme, tiny_model, replace(brief, seed=1))
    assert other.checkpoint.id != first.checkpoint.id


def test_a_stopped_training_goes_on_where_it_was(
    judged_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    whole = fit(judged_slides, ground.scheme, tiny_model, brief)
    stopped = fit(judged_slides, ground.scheme, tiny_model, brief, stop=after(4), resume_folder=tmp_path)
    assert not stopped.is_finished
    assert stopped.checkpoint.card.steps == 4
    resumed = fit(judged_slides, ground.scheme, tiny_model, brief, resume_folder=tmp_path)
    assert resumed.is_finished
    assert same(resumed.checkpoint, whole.checkpoint)
    assert [e.loss for e in resumed.history[NetRole.HIGH]] == [e.loss for e in whole.history[NetRole.HIGH]]
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_the_second_net_waits_until_the_stopped_first_has_gone_on(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    both = replace(tiny_model, one_network=False, low_factor=2.0)
    whole = fit(disc_slides, ground.scheme, both, brief)
    stopped = fit(disc_slides, ground.scheme, both, brief, stop=after(2), resume_folder=tmp_path)
    assert not stopped.is_finished
    assert set(stopped.history) == {NetRole.HIGH}
    assert same(fit(disc_slides, ground.scheme, both, brief, resume_folder=tmp_path).checkpoint, whole.checkpoint)


def test_a_finished_training_is_kept_until_it_is_forgotten(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    first = fit(disc_slides, ground.scheme, tiny_model, brief, resume_folder=tmp_path, keep_state=True)
    steps: list[int] = []
    again = fit(
        disc_slides,
        ground.scheme,
        tiny_model,
        brief,
        resume_folder=tmp_path,
        keep_state=True,
        progress=lambda p: steps.append(p.step),
    )
    assert same(first.checkpoint, again.checkpoint) and not steps
    forget_state(tmp_path)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_damaged_state_costs_the_steps_and_not_the_training(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    fit(disc_slides, ground.scheme, tiny_model, brief, stop=after(4), resume_folder=tmp_path)
    for path in tmp_path.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    resumed = fit(disc_slides, ground.scheme, tiny_model, brief, resume_folder=tmp_path)
    assert same(resumed.checkpoint, fit(disc_slides, ground.scheme, tiny_model, brief).checkpoint)


def test_a_killed_training_goes_on_from_the_last_state(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    def die_at_five(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(disc_slides, ground.scheme, tiny_model, brief, progress=die_at_five, resume_folder=tmp_path)
    steps = []
    resumed = fit(
        disc_slides,
        ground.scheme,
        tiny_model,
        brief,
        progress=lambda p: steps.append(p.step),
        resume_folder=tmp_path,
    )
    assert steps == [5, 6]
    assert same(resumed.checkpoint, fit(disc_slides, ground.scheme, tiny_model, brief).checkpoint)


def test_a_state_of_other_labels_is_not_taken_up(
    disc_slides: Any, judged_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    fit(disc_slides, ground.scheme, tiny_model, brief, stop=after(4), resume_folder=tmp_path)
    fresh = fit(judged_slides, ground.scheme, tiny_model, brief, resume_folder=tmp_path)
    assert same(fresh.checkpoint, fit(judged_slides, ground.scheme, tiny_model, brief).checkpoint)


@pytest.mark.parametrize("what", ["priority", "metadata"])
def test_a_state_of_other_priorities_or_groups_is_not_taken_up(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path, what: str
) -> None:
    by_grade = replace(brief, sampling=SamplingOptions(tree=("grade", "slide", "class")))
    slides = [replace(slide, metadata={"grade": "I", "stain": "new"}) for slide in disc_slides]
    fit(slides, ground.scheme, tiny_model, by_grade, stop=after(4), resume_folder=tmp_path)
    seen: list[int] = []
    scheme = ground.scheme
    if what == "priority":
        scheme = replace(scheme, priority=("Dark",))
    else:
        slides = [replace(slide, metadata={"grade": "II"}) for slide in slides]
    fit(slides, scheme, tiny_model, by_grade, resume_folder=tmp_path, progress=lambda told: seen.append(told.step))
    assert seen[0] == 1


def test_what_no_tile_depends_on_costs_no_state(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    fit(disc_slides, ground.scheme, tiny_model, brief, stop=after(4), resume_folder=tmp_path)
    seen: list[int] = []
    slides = [replace(slide, metadata={"scanner": "new"}) for slide in disc_slides]
    fit(slides, ground.scheme, tiny_model, brief, resume_folder=tmp_path, progress=lambda told: seen.append(told.step))
    assert seen[0] == 5


def test_time_bounds_the_steps(disc_slides: Any, ground: Any, tiny_model: Any, brief: Any) -> None:
    ticks = iter(range(10_000))
    options = replace(brief, max_steps=1000, max_seconds=12.0)
    candidate = fit(disc_slides, ground.scheme, tiny_model, options, clock=lambda: float(next(ticks)))
    assert 6 <= candidate.checkpoint.card.steps <= 13
    assert candidate.is_finished


def test_a_new_class_gets_a_row_and_the_others_keep_theirs(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any
) -> None:
    parent = fit(disc_slides, ground.scheme, tiny_model, brief).checkpoint
    scheme = ClassScheme({"Dark": (255, 0, 0), "New": (1, 1, 1), "Pale": (0, 0, 255)})
    moved = {1: 1, 2: 3}
    plan = disc_slides[0].plan
    plan = replace(plan, shapes=tuple(replace(shape, label=moved[shape.label]) for shape in plan.shapes))
    slides = [TrainingSlide(ground.slide, plan)]
    child = fit(slides, scheme, tiny_model, replace(brief, max_steps=0), parent=parent).checkpoint
    assert child.card.parent == parent.id
    assert child.card.class_names == ("Background", "Dark", "New", "Pale")
    rows, before = child.weights["high.head.weight"], parent.weights["high.head.weight"]
    assert torch.equal(rows[[0, 1, 3]], before)
    assert not any(torch.equal(rows[2], row) for row in before)
    stem = "high.stem.0.weight"
    assert torch.equal(child.weights[stem], parent.weights[stem])


def test_a_removed_class_leaves_and_a_reorder_is_refused(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any
) -> None:
    parent = fit(disc_slides, ground.scheme, tiny_model, brief).checkpoint
    plan = disc_slides[0].plan
    dark = replace(plan, shapes=tuple(shape for shape in plan.shapes if shape.label == 1))
    only_dark = ClassScheme({"Dark": (255, 0, 0)})
    child = fit([TrainingSlide(ground.slide, dark)], only_dark, tiny_model, replace(brief, max_steps=0), parent=parent)
    assert torch.equal(child.checkpoint.weights["high.head.bias"], parent.weights["high.head.bias"][:2])
    swapped = ClassScheme({"Pale": (0, 0, 255), "Dark": (255, 0, 0)})
    with pytest.raises(CheckpointError, match="restore the order"):
        fit(disc_slides, swapped, tiny_model, brief, parent=parent)


def test_a_parent_of_another_build_is_no_start(disc_slides: Any, ground: Any, tiny_model: Any, brief: Any) -> None:
    parent = fit(disc_slides, ground.scheme, replace(tiny_model, mpp=1.0), brief).checkpoint
    child = fit(disc_slides, ground.scheme, tiny_model, brief, parent=parent)
    assert same(child.checkpoint, fit(disc_slides, ground.scheme, tiny_model, brief).checkpoint)


@pytest.mark.parametrize("plan", [LabelPlan("one"), "no ROI"])
def test_too_little_labelled_is_said_in_one_line(
    ground: Any, tiny_model: ModelOptions, brief: TrainingOptions, plan: Any
) -> None:
    if plan == "no ROI":
        plan = LabelPlan("one", shapes=tuple(disc for disc in ground.discs if disc.label == 1))
    with pytest.raises(TrainingDataError, match=r"fewer than two labels.*to ROI") as refused:
        fit([TrainingSlide(ground.slide, plan)], ground.scheme, tiny_model, brief)
    assert "\n" not in str(refused.value)


def test_a_candidate_survives_the_disk(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    candidate = fit(disc_slides, ground.scheme, tiny_model, brief).checkpoint
    saved = save_checkpoint(tmp_path, candidate.weights, candidate.card)
    assert saved.id == candidate.id
    assert same(load_checkpoint(tmp_path / saved.id), candidate)


def test_slides_without_labels_are_no_hindrance(disc_slides: Any, ground: Any, tiny_model: Any, brief: Any) -> None:
    slides = [*disc_slides, TrainingSlide(ground.slide, LabelPlan("two"))]
    assert fit(slides, ground.scheme, tiny_model, brief).is_finished


def test_a_plateau_on_the_hold_out_ends_the_training(
    judged_slides: Any, ground: Any, tiny_model: Any, brief: Any
) -> None:
    # A step size of zero changes nothing but running statistics; without gain the patience runs out.
    options = replace(brief, max_steps=500, evaluate_every=1, patience=3, learning_rate=0.0, average=0.999999)
    candidate = fit(judged_slides, ground.scheme, tiny_model, options)
    assert candidate.checkpoint.card.steps < 100
    assert candidate.is_finished


def shares(slides: Any, scheme: Any, model: Any, options: Any, **how: Any) -> list[float]:
    told: list[TrainingProgress] = []
    fit(slides, scheme, model, options, progress=told.append, **how)
    return [step.share for step in told]


@pytest.mark.parametrize("is_one", [True, False], ids=["one net", "two nets"])
def test_progress_ends_at_the_whole_by_steps(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any, is_one: bool
) -> None:
    model = replace(tiny_model, one_network=is_one, low_factor=2.0)
    found = shares(disc_slides, ground.scheme, model, brief)
    assert found == sorted(found) and found[-1] == pytest.approx(1.0)
    assert found[0] < 0.5


def test_progress_follows_the_time_where_that_ends_a_training(
    disc_slides: Any, ground: Any, tiny_model: Any, brief: Any
) -> None:
    ticks = itertools.count()
    options = replace(brief, max_steps=1000, max_seconds=8.0)
    found = shares(disc_slides, ground.scheme, tiny_model, options, clock=lambda: float(next(ticks)))
    assert len(found) < 20 and found == sorted(found) and found[-1] == 1.0
    assert found[1] >= 2 / 8
