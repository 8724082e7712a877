from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import torch

from bridge.annotations import LabelPlan
from bridge.slides import TissueOptions, TissueRule, tissue_mask
from models.checkpoints import Checkpoint, NetRole, load_checkpoint, save_checkpoint
from models.data import AugmentationOptions, PatchOptions, StainJitterOptions, TrainingSlide
from models.inference import PatchwisePredictor, PredictionOptions
from models.nets import EncoderName, NetKind, NetOptions
from models.training import Hybrid, HybridOptions, PatchwiseOptions, RefinementBatches, evaluate, forget_state, hybrid
from models.training.heat_maps import HeatMapMaker

pytestmark = pytest.mark.heavy
WHOLE = TissueOptions(rule=TissueRule.WHOLE)
PATCH_NET = NetOptions(
    kind=NetKind.PATCH,
    encoder=EncoderName.PLAIN,
    encoder_channels=(8, 16),
    decoder_channels=(1, 1),
    pretrained=False,
)
MODEL = HybridOptions(
    mpp=0.5,
    net=PATCH_NET,
    patches=PatchOptions(patch_px=16, stride_px=8),
    tissue=WHOLE,
    refinement=NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(8, 16), pretrained=False),
    refine_mpp=1.0,
    refine_px=64,
    refine_rate=1e-2,
    batches=RefinementBatches(2, 2, replace(AugmentationOptions.none(), flips=True), StainJitterOptions(share=0.5)),
    folds=2,
)


@pytest.fixture(scope="module")
def slides(ground: Any) -> list[TrainingSlide]:
    """One picture under three names, each labelled in another box; a part of one is held out."""
    widths = {"a": 128, "b": 96, "c": 112}
    slides = []
    for key, width in widths.items():
        plan, box = ground.plan(hold_out=key == "a"), shapely.box(0, 0, width, 128)
        shapes = tuple(shape for shape in plan.shapes if key == "a" or box.contains(shape.geometry))
        complete = (box, *plan.complete[1:])
        slides.append(TrainingSlide(ground.slide, replace(plan, slide_key=key, shapes=shapes, complete=complete)))
    return slides


@pytest.fixture(scope="module")
def quick(brief: Any) -> Any:
    return replace(brief, max_steps=3, batch_size=4, checkpoint_every=2, evaluate_every=2)


@pytest.fixture(scope="module")
def candidate(slides: Any, ground: Any, brief: Any) -> Any:
    options = replace(brief, max_steps=40, batch_size=8, evaluate_every=20)
    return Hybrid(MODEL).fit(slides, ground.scheme, options)


def after(asks: int) -> Callable[[], bool]:
    calls = iter(range(10_000))
    return lambda: next(calls) >= asks


def same(first: Any, second: Any) -> bool:
    return first.weights.keys() == second.weights.keys() and all(
        torch.equal(first.weights[key], second.weights[key]) for key in first.weights
    )


def test_the_mask_is_finer_than_the_patches_and_better(candidate: Any, slides: Any, ground: Any) -> None:
    patchwise = evaluate(PatchwisePredictor(candidate.checkpoint, device="cpu"), slides, ground.scheme)
    refined = evaluate(Hybrid(MODEL).predictor(candidate.checkpoint, device="cpu"), slides, ground.scheme)
    assert refined.pooled_dice > patchwise.pooled_dice + 0.1
    assert refined.pooled_dice > 0.75


def test_the_card_tells_both_nets(candidate: Any) -> None:
    card = candidate.checkpoint.card
    assert card.design == "hybrid"
    assert card.roles == (NetRole.HIGH, NetRole.REFINEMENT)
    assert (card.mpp, card.net(NetRole.REFINEMENT).mpp) == (0.5, 1.0)
    assert len(card.net(NetRole.REFINEMENT).normalization.mean) == 4
    assert set(candidate.history) == {NetRole.HIGH, NetRole.REFINEMENT}


def test_no_training_slides_heat_map_comes_from_a_net_that_saw_it(
    slides: Any, ground: Any, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[str]] = {}  # classifier → slides it trained on
    made: list[tuple[str, str]] = []
    train, of = hybrid.train_patches, HeatMapMaker.of

    def noting(run: Any, *arguments: Any, **more: Any) -> Any:
        card, net = train(run, *arguments, **more)
        seen[digest(net.weights)] = {slide.key for slide in run.slides}
        assert run.parent is None
        return card, net

    def spying(maker: HeatMapMaker, slide: TrainingSlide) -> Any:
        made.append((slide.key, digest(maker._classifier.net_weights(NetRole.HIGH))))
        return of(maker, slide)

    monkeypatch.setattr(hybrid, "train_patches", noting)
    monkeypatch.setattr(HeatMapMaker, "of", spying)
    Hybrid(MODEL).fit(slides, ground.scheme, quick)
    assert sorted(len(keys) for keys in seen.values()) == [1, 2, 3]
    final = next(name for name, keys in seen.items() if len(keys) == 3)
    trained_with = [(key, name) for key, name in made if name != final]
    assert sorted(key for key, _ in trained_with) == ["a", "b", "c"]
    assert all(key not in seen[name] for key, name in trained_with)
    assert [key for key, name in made if name == final] == ["a"]  # the one that judges


def digest(weights: Any) -> str:
    return str(hash(b"".join(weights[key].numpy().tobytes() for key in sorted(weights))))


def test_fold_classifiers_begin_with_a_parent_only_if_it_never_saw_the_slides(
    candidate: Any, slides: Any, ground: Any, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents: dict[str, Any] = {}
    train = hybrid.train_patches

    def noting(run: Any, *arguments: Any, name: str = "", **more: Any) -> Any:
        parents[name] = run.parent
        return train(run, *arguments, name=name, **more)

    monkeypatch.setattr(hybrid, "train_patches", noting)
    child = Hybrid(MODEL).fit(slides, ground.scheme, quick, parent=candidate.checkpoint)
    assert parents == {"": candidate.checkpoint, "fold-0": None, "fold-1": None}
    assert child.checkpoint.card.parent == candidate.checkpoint.id
    for hashes in ({"b": ""}, {"elsewhere": ""}):
        card = replace(candidate.checkpoint.card, iteration=0, data_hashes=hashes)
        foreign = Checkpoint.of(card, candidate.checkpoint.weights)
        Hybrid(MODEL).fit(slides, ground.scheme, replace(quick, max_steps=1), parent=foreign)
        assert parents == {"": foreign} | dict.fromkeys(("fold-0", "fold-1"), None if "b" in hashes else foreign)


@pytest.mark.parametrize("asks", [2, 6, 10, 14])
def test_a_stopped_training_goes_on_where_it_was(
    asks: int, slides: Any, ground: Any, quick: Any, unbroken: Any, tmp_path: Path
) -> None:
    stopped = Hybrid(MODEL).fit(slides, ground.scheme, quick, stop=after(asks), resume_folder=tmp_path)
    assert not stopped.is_finished
    assert stopped.checkpoint.card.roles == (NetRole.HIGH, NetRole.REFINEMENT)
    resumed = Hybrid(MODEL).fit(slides, ground.scheme, quick, resume_folder=tmp_path)
    assert resumed.is_finished
    assert same(resumed.checkpoint, unbroken.checkpoint)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.fixture(scope="module")
def unbroken(slides: Any, ground: Any, quick: Any) -> Any:
    return Hybrid(MODEL).fit(slides, ground.scheme, quick)


def test_kept_state_holds_all_parts_and_is_forgotten(
    slides: Any, ground: Any, quick: Any, unbroken: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Hybrid(MODEL).fit(slides, ground.scheme, quick, resume_folder=tmp_path, keep_state=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"high", "fold-0", "fold-1", "refinement"} <= names
    assert sum(name.startswith("heat-") for name in names) == 4

    def refuse(*_: Any) -> Any:
        raise AssertionError("a kept heat map is made again")

    monkeypatch.setattr(HeatMapMaker, "_made", refuse)
    again = Hybrid(MODEL).fit(slides, ground.scheme, quick, resume_folder=tmp_path, keep_state=True)
    assert same(first.checkpoint, unbroken.checkpoint)
    assert again.checkpoint.id == first.checkpoint.id
    forget_state(tmp_path)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_damaged_heat_map_is_made_anew(slides: Any, ground: Any, quick: Any, unbroken: Any, tmp_path: Path) -> None:
    Hybrid(MODEL).fit(slides, ground.scheme, quick, resume_folder=tmp_path, keep_state=True)
    for path in tmp_path.glob("heat-*/*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    again = Hybrid(MODEL).fit(slides, ground.scheme, quick, resume_folder=tmp_path)
    assert same(again.checkpoint, unbroken.checkpoint)


def test_a_single_slide_is_said_to_be_too_few(
    slides: Any, ground: Any, quick: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert Hybrid(MODEL).fit(slides[1:2], ground.scheme, quick).is_finished
    assert "label a second slide" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        Hybrid(replace(MODEL, folds=1)).fit(slides[1:2], ground.scheme, quick)
    assert "second slide" not in caplog.text


def test_slides_without_which_nothing_can_be_learned_are_said(
    slides: Any, ground: Any, quick: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bare = replace(slides[1], plan=LabelPlan("bare", complete=(shapely.box(128, 0, 136, 128),)))
    with caplog.at_level(logging.WARNING):
        assert Hybrid(MODEL).fit([slides[2], bare], ground.scheme, quick).is_finished
    assert "without them there are fewer than two labels" in caplog.text
    assert caplog.text.count("too good") == 1


def test_what_the_refinement_is_told_reaches_it_and_it_alone(
    slides: Any, ground: Any, quick: Any, unbroken: Any
) -> None:
    before = unbroken.checkpoint
    for change in ({"momentum": 0.5}, {"refine_rate": 3e-2}, {"batches": replace(MODEL.batches, accumulation=1)}):
        after_change = Hybrid(replace(MODEL, **change)).fit(slides, ground.scheme, quick).checkpoint
        for role, is_same in ((NetRole.HIGH, True), (NetRole.REFINEMENT, False)):
            first, second = before.net_weights(role), after_change.net_weights(role)
            assert all(torch.equal(first[key], second[key]) for key in first) is is_same


def test_time_is_shared_among_the_parts(slides: Any, ground: Any, quick: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []
    train = hybrid.train_patches

    def noting(*arguments: Any, max_seconds: float | None, **more: Any) -> Any:
        given.append(max_seconds)
        return train(*arguments, max_seconds=max_seconds, **more)

    monkeypatch.setattr(hybrid, "train_patches", noting)
    Hybrid(MODEL).fit(slides, ground.scheme, replace(quick, max_seconds=3000.0), clock=lambda: 0.0)
    assert given == [600.0] * 3


def test_the_refinement_alone_is_a_baseline(slides: Any, ground: Any, brief: Any, tmp_path: Path) -> None:
    alone = Hybrid(replace(MODEL, is_guided=False))
    found = alone.fit(slides, ground.scheme, replace(brief, max_steps=40, evaluate_every=20), resume_folder=tmp_path)
    card = found.checkpoint.card
    assert card.roles == (NetRole.HIGH,)
    assert len(card.net(NetRole.HIGH).normalization.mean) == 3
    saved = save_checkpoint(tmp_path, found.checkpoint.weights, card)
    predictor = alone.predictor(load_checkpoint(tmp_path / saved.id), device="cpu")
    assert predictor.mpp == predictor.map_mpp == 1.0
    assert evaluate(predictor, slides, ground.scheme).pooled_dice > 0.75
    bands = list(predictor.predict(ground.slide, tissue_mask(ground.slide, WHOLE), PredictionOptions(batch_size=2)))
    assert np.concatenate([band.probabilities for band in bands], axis=1).shape == (3, 64, 96)


@pytest.mark.parametrize(
    "wrong", [{"folds": 0}, {"momentum": 0.0}, {"refine_mpp": 0.0}, {"refinement": PATCH_NET}, {"net": NetOptions()}]
)
def test_options_that_make_no_design_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"positive|kind"):
        replace(MODEL, **wrong)


def test_the_papers_classifier_is_patchwises() -> None:
    assert HybridOptions.paper(None).patchwise() == PatchwiseOptions.paper(None)
