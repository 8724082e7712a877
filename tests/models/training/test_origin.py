"""A candidate's card says what its tiles look like and which saves it learned from; a resumed one says the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.annotations import LabelPlan, PatchLabel
from bridge.coords import Region
from models.checkpoints import NetRole, SlideLineage
from models.data import TrainingSlide
from models.training import fit
from models.training.origin import lineage


def test_the_card_has_the_saves_and_the_look(judged_slides: Any, ground: Any, tiny_model: Any, brief: Any) -> None:
    slides = [replace(judged_slides[0], revision="ab" * 32)]
    card = fit(slides, ground.scheme, tiny_model, brief).checkpoint.card
    inside = sum(ground.training_box.contains(disc.geometry) for disc in ground.discs)
    assert card.lineage == {"one": SlideLineage("ab" * 32, inside, 1, 0)}
    assert card.statistics is not None
    assert (card.statistics.mpp, card.statistics.slides) == (card.mpp, 1)
    assert card.statistics.tile_px <= card.net(NetRole.HIGH).tile_px


def test_a_resumed_training_says_the_same(
    judged_slides: Any, ground: Any, tiny_model: Any, brief: Any, tmp_path: Path
) -> None:
    whole = fit(judged_slides, ground.scheme, tiny_model, brief)
    calls = iter(range(100))
    stopped = fit(
        judged_slides, ground.scheme, tiny_model, brief, stop=lambda: next(calls) >= 4, resume_folder=tmp_path
    )
    assert stopped.checkpoint.card.statistics is None
    resumed = fit(judged_slides, ground.scheme, tiny_model, brief, resume_folder=tmp_path)
    assert resumed.checkpoint.id == whole.checkpoint.id
    assert resumed.checkpoint.card == whole.checkpoint.card


def test_what_only_judges_counts_for_nothing(ground: Any) -> None:
    plan = ground.plan(hold_out=True)
    held = replace(plan, hold_out=plan.complete)
    patches = (PatchLabel(Region(0, 0, 9, 9), 1),) * 2
    slides = [
        TrainingSlide(ground.slide, held, revision="a"),
        TrainingSlide(ground.slide, LabelPlan("labels", patch_labels=patches)),
    ]
    assert lineage(slides) == {"one": SlideLineage("a", 0, 0, 0), "labels": SlideLineage("", 0, 0, 2)}
