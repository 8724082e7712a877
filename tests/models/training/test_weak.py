from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import torch
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, PatchLabel
from bridge.coords import Region, Window
from bridge.slides import Slide, TissueOptions, TissueRule, open_slide, tissue_mask
from models.checkpoints import NetRole, load_checkpoint, save_checkpoint
from models.data import AugmentationOptions, CentredOptions, TileDataset, TrainingSlide
from models.errors import TrainingDataError
from models.inference import DeepZoomPredictor, PredictionOptions
from models.nets import EncoderName, LabelHead, NetKind, NetOptions
from models.training import DeepZoom, ModelOptions, TrainingOptions, Weak, WeakOptions, WeakSteps
from models.training.transfer import continues, start_net
from models.training.weak import as_seen

SCHEME = ClassScheme({"Dark": (255, 0, 0), "Pale": (0, 0, 255)})
DARK, PALE = 1, 2
TINY = NetOptions(
    kind=NetKind.WEAK,
    encoder=EncoderName.PLAIN,
    encoder_channels=(8, 16),
    decoder_channels=(8, 8),
    pretrained=False,
)
TINY_UNET = replace(TINY, kind=NetKind.UNET, stem_channels=8, label_head=LabelHead.TABLE_A3)
WHOLE = TissueOptions(rule=TissueRule.WHOLE)
# Background and dark blocks in the upper half, where all is outlined; pale blocks in the lower, where nothing is.
DARK_BLOCKS = [(32, 16), (96, 48), (160, 16), (208, 80)]
PALE_BLOCKS = [(16, 144), (112, 176), (192, 144)]
SIDE = 40


@dataclass(frozen=True)
class Halves:
    """A slide of which only the dark blocks are outlined, and only the pale ones have patch labels."""

    path: Path
    slide: Slide

    @property
    def masks(self) -> LabelPlan:
        shapes = tuple(LabelledShape(_block(x, y), DARK) for x, y in DARK_BLOCKS)
        return LabelPlan("one", shapes, (shapely.box(0, 0, 256, 128),))

    @property
    def labels(self) -> LabelPlan:
        pale = tuple(PatchLabel(Region(x, y, SIDE, SIDE), PALE) for x, y in PALE_BLOCKS)
        dark = tuple(PatchLabel(Region(x, y, SIDE, SIDE), DARK) for x, y in DARK_BLOCKS)
        ground = tuple(PatchLabel(Region(x, 88, SIDE, SIDE), 0) for x in (0, 60, 140))
        return LabelPlan("one", patch_labels=(*pale, *dark, *ground))

    @property
    def both(self) -> LabelPlan:
        return replace(self.masks, patch_labels=self.labels.patch_labels)

    def training(self, plan: LabelPlan) -> list[TrainingSlide]:
        return [TrainingSlide(self.slide, plan)]


def _block(x: int, y: int) -> shapely.Polygon:
    return shapely.box(x, y, x + SIDE, y + SIDE)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Halves]:
    pixels = np.empty((256, 256, 3), np.float64)
    pixels[:] = (230, 190, 215)
    for places, color in ((DARK_BLOCKS, (70, 40, 120)), (PALE_BLOCKS, (150, 120, 235))):
        for x, y in places:
            pixels[y : y + SIDE, x : x + SIDE] = color
    pixels += np.random.default_rng(3).normal(0, 6, pixels.shape)
    path = tmp_path_factory.mktemp("slides") / "halves.png"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    with open_slide(path, mpp=(0.5, 0.5)) as slide:
        yield Halves(path, slide)


@pytest.fixture(scope="module")
def design() -> Weak:
    return Weak(WeakOptions(mpp=0.5, net=replace(TINY, label_head=LabelHead.MEAN)))


@pytest.fixture(scope="module")
def options() -> TrainingOptions:
    return TrainingOptions(
        max_steps=6,
        max_seconds=None,
        batch_size=8,
        tile_px=32,
        learning_rate=1e-2,
        encoder_share=1.0,
        weight_decay=0.0,
        evaluate_every=3,
        checkpoint_every=2,
        device="cpu",
        augmentation=replace(AugmentationOptions(), warp_share=0.0),
    )


def predicted(design: Any, checkpoint: Any, slide: Slide) -> np.ndarray:
    tissue = tissue_mask(slide, WHOLE)
    bands = design.predictor(checkpoint, device="cpu").predict(
        slide, tissue, PredictionOptions(tile_px=64, overlap_px=16, batch_size=4)
    )
    return np.concatenate([band.most_probable().labels for band in bands])


def share_of(labels: np.ndarray, label: int, places: list[tuple[int, int]]) -> float:
    return float(np.mean([(labels[y + 8 : y + 32, x + 8 : x + 32] == label).mean() for x, y in places]))


def same(first: Any, second: Any) -> bool:
    return first.weights.keys() == second.weights.keys() and all(
        torch.equal(first.weights[key], second.weights[key]) for key in first.weights
    )


def after(steps: int) -> Any:
    calls = iter(range(10_000))
    return lambda: next(calls) >= steps


def test_a_class_known_from_patch_labels_alone_is_found_in_the_mask(
    halves: Halves, design: Weak, options: TrainingOptions, tmp_path: Path
) -> None:
    options = replace(options, max_steps=60)
    candidate = design.fit(halves.training(halves.both), SCHEME, options)
    saved = save_checkpoint(tmp_path, candidate.checkpoint.weights, candidate.checkpoint.card)
    found = predicted(design, load_checkpoint(tmp_path / saved.id), halves.slide)
    assert share_of(found, PALE, PALE_BLOCKS) > 0.8
    assert share_of(found, DARK, DARK_BLOCKS) > 0.8
    assert (found[100:128] == 0).mean() > 0.8
    control = design.fit(halves.training(halves.masks), SCHEME, replace(options, max_steps=20)).checkpoint
    without = predicted(design, control, halves.slide)
    assert share_of(without, DARK, DARK_BLOCKS) > 0.8
    assert share_of(without, PALE, PALE_BLOCKS) < 0.1


def test_patch_labels_alone_paint_masks(halves: Halves, design: Weak, options: TrainingOptions) -> None:
    candidate = design.fit(halves.training(halves.labels), SCHEME, replace(options, max_steps=60))
    found = predicted(design, candidate.checkpoint, halves.slide)
    assert share_of(found, PALE, PALE_BLOCKS) > 0.8
    assert share_of(found, DARK, DARK_BLOCKS) > 0.8


def test_a_unet_with_a_label_head_learns_from_them_in_deepzoom(halves: Halves, options: TrainingOptions) -> None:
    net = replace(TINY_UNET, label_head=LabelHead.MEAN)
    design = DeepZoom(ModelOptions(mpp=0.5, one_network=True, high=net, label_share=0.5))
    quick = replace(options, max_steps=80, batch_size=12, learning_rate=2e-2)
    candidate = design.fit(halves.training(halves.both), SCHEME, quick)
    found = predicted(design, candidate.checkpoint, halves.slide)
    assert share_of(found, PALE, PALE_BLOCKS) > 0.8
    assert share_of(found, DARK, DARK_BLOCKS) > 0.8


def test_deepzoom_without_a_label_head_says_that_labels_are_unused(
    halves: Halves, options: TrainingOptions, caplog: pytest.LogCaptureFixture
) -> None:
    design = DeepZoom(ModelOptions(mpp=0.5, one_network=True, high=replace(TINY_UNET, label_head=None)))
    brief = replace(options, max_steps=2)
    with_labels = design.fit(halves.training(halves.both), SCHEME, brief).checkpoint
    assert "patch_labels=10" in caplog.text
    assert same(with_labels, design.fit(halves.training(halves.masks), SCHEME, brief).checkpoint)


def test_the_card_says_what_it_is(halves: Halves, design: Weak, options: TrainingOptions) -> None:
    card = design.fit(halves.training(halves.both), SCHEME, options).checkpoint.card
    assert (card.design, card.roles, card.tile_px) == ("weak", (NetRole.HIGH,), 32)
    assert card.net(NetRole.HIGH).options == design.model.net


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("masks", LabelHead.TABLE_A3),
        ("labels", LabelHead.MEAN),
        ("both", LabelHead.TABLE_A3),
        ("both", LabelHead.MAXIMUM),
    ],
)
def test_killed_and_gone_on_is_as_if_never_stopped(
    halves: Halves, options: TrainingOptions, tmp_path: Path, kind: str, head: LabelHead
) -> None:
    design = Weak(WeakOptions(mpp=0.5, net=replace(TINY, label_head=head)))
    slides = halves.training(getattr(halves, kind))

    def die_at_five(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        design.fit(slides, SCHEME, options, progress=die_at_five, resume_folder=tmp_path)
    steps: list[int] = []
    resumed = design.fit(slides, SCHEME, options, progress=lambda p: steps.append(p.step), resume_folder=tmp_path)
    assert steps == [5, 6]
    assert same(resumed.checkpoint, design.fit(slides, SCHEME, options).checkpoint)


def test_seed_decides_all(halves: Halves, design: Weak, options: TrainingOptions) -> None:
    slides = halves.training(halves.both)
    first, second = (design.fit(slides, SCHEME, options).checkpoint.id for _ in range(2))
    assert first == second
    assert design.fit(slides, SCHEME, replace(options, seed=1)).checkpoint.id != first


def test_a_state_of_other_lessons_is_not_taken_up(
    halves: Halves, design: Weak, options: TrainingOptions, tmp_path: Path
) -> None:
    slides = halves.training(halves.both)
    design.fit(slides, SCHEME, options, stop=after(4), resume_folder=tmp_path)
    other = Weak(replace(design.model, label_share=0.25))
    steps: list[int] = []
    other.fit(slides, SCHEME, options, progress=lambda p: steps.append(p.step), resume_folder=tmp_path)
    assert steps == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("how", ["joint", "centred"])
def test_other_lessons_give_other_weights(halves: Halves, design: Weak, options: TrainingOptions, how: str) -> None:
    changes = {"joint": {"steps": WeakSteps.JOINT}, "centred": {"centred": CentredOptions()}}[how]
    slides = halves.training(halves.both)
    other = Weak(replace(design.model, **changes)).fit(slides, SCHEME, options)
    assert other.is_finished
    assert not same(other.checkpoint, design.fit(slides, SCHEME, options).checkpoint)


def test_centred_tiles_give_way_where_only_background_is_outlined(
    halves: Halves, design: Weak, options: TrainingOptions
) -> None:
    plan = replace(halves.labels, complete=(shapely.box(0, 88, 256, 128),))
    centred = Weak(replace(design.model, centred=CentredOptions()))
    slides = halves.training(plan)
    assert same(centred.fit(slides, SCHEME, options).checkpoint, design.fit(slides, SCHEME, options).checkpoint)


def test_one_class_is_too_little(halves: Halves, design: Weak, options: TrainingOptions) -> None:
    plan = LabelPlan("one", patch_labels=halves.labels.patch_labels[:2])
    with pytest.raises(TrainingDataError, match="fewer than two labels"):
        design.fit(halves.training(plan), SCHEME, options)


def test_a_net_without_a_label_head_is_refused() -> None:
    with pytest.raises(ValueError, match="label head"):
        WeakOptions(net=replace(TINY_UNET, label_head=None))


def test_both_heads_keep_the_rows_of_classes_that_stay(halves: Halves, options: TrainingOptions) -> None:
    design = Weak(WeakOptions(mpp=0.5, net=TINY))
    parent = design.fit(halves.training(halves.both), SCHEME, options).checkpoint
    more = ClassScheme({"Dark": (255, 0, 0), "New": (1, 1, 1), "Pale": (0, 0, 255)})
    child = start_net(replace(parent.card.net(NetRole.HIGH), class_names=more.names), parent, seed=0).state_dict()
    fewer = ClassScheme({"Pale": (0, 0, 255)})
    grandchild = start_net(replace(parent.card.net(NetRole.HIGH), class_names=fewer.names), parent, seed=0).state_dict()
    weights = parent.net_weights(NetRole.HIGH)
    by_name = replace(parent.card.net(NetRole.HIGH), options=replace(TINY, label_head=LabelHead.TABLE_A3))
    assert all(
        torch.equal(tensor, weights[key]) for key, tensor in start_net(by_name, parent, seed=0).state_dict().items()
    )
    for key, axis in (("head.weight", 0), ("head.bias", 0), ("classifier.1.weight", 1), ("classifier.4.weight", 0)):
        old = weights[key].movedim(axis, 0)
        assert torch.equal(child[key].movedim(axis, 0)[[0, 1, 3]], old), key
        assert torch.equal(grandchild[key].movedim(axis, 0), old[[0, 2]]), key


def test_a_parent_without_the_head_goes_on_with_a_fresh_one(halves: Halves, options: TrainingOptions) -> None:
    plain = DeepZoom(ModelOptions(mpp=0.5, one_network=True, high=replace(TINY_UNET, label_head=None)))
    parent = plain.fit(halves.training(halves.masks), SCHEME, options).checkpoint
    with_head = replace(parent.card.net(NetRole.HIGH), options=TINY_UNET)
    net = start_net(with_head, parent, seed=0).state_dict()
    body = {key for key in net if not key.startswith("classifier.")}
    assert body == parent.net_weights(NetRole.HIGH).keys() != net.keys()
    assert all(torch.equal(net[key], parent.net_weights(NetRole.HIGH)[key]) for key in body)
    design = DeepZoom(ModelOptions(mpp=0.5, one_network=True, high=TINY_UNET))
    child = design.fit(halves.training(halves.both), SCHEME, options, parent=parent).checkpoint
    back = start_net(parent.card.net(NetRole.HIGH), child, seed=0).state_dict()
    assert back.keys() == parent.net_weights(NetRole.HIGH).keys()


@pytest.fixture(scope="module")
def dyed(design: Weak) -> Weak:
    return Weak(replace(design.model, normalize_stains=True))


def test_prediction_sees_the_very_pixels_of_training(
    halves: Halves, dyed: Weak, options: TrainingOptions, tmp_path: Path
) -> None:
    candidate = dyed.fit(halves.training(halves.both), SCHEME, options).checkpoint
    saved = load_checkpoint(save_checkpoint(tmp_path, candidate.weights, candidate.card).path)
    card = saved.card.net(NetRole.HIGH)
    assert card.stains is not None
    trained_on = TileDataset([as_seen(halves.training(halves.both)[0], card)], SCHEME, 0.5)
    window = Window(100, 30, 64, 64)
    predictor = dyed.predictor(saved, device="cpu")
    assert isinstance(predictor, DeepZoomPredictor)
    seen = predictor.high.seen(halves.slide).read_window(window)
    assert (seen == trained_on.read("one", window).pixels).all()
    assert (seen != halves.slide.read_window(window)).any()
    # Whole bands, single windows and the net on those pixels say the same.
    direct = predictor.high.probabilities(seen[None])[0]
    assert np.array_equal(predictor.predict_window(halves.slide, window, margin_px=0).probabilities, direct)
    whole = PredictionOptions(tile_px=256, overlap_px=0)
    (band,) = predictor.predict(halves.slide, tissue_mask(halves.slide, WHOLE), whole)
    everything = predictor.high.probabilities(predictor.high.seen(halves.slide).read_window(band.window)[None])[0]
    assert np.allclose(band.probabilities, everything, atol=1e-6)


def test_a_training_that_goes_on_keeps_its_parents_reference(
    halves: Halves, design: Weak, dyed: Weak, options: TrainingOptions
) -> None:
    slides = halves.training(halves.both)
    parent = dyed.fit(slides, SCHEME, options).checkpoint
    card = parent.card.net(NetRole.HIGH)
    assert card.stains is not None
    other = replace(card, stains=replace(card.stains, strengths=(0.5, 0.5)))
    moved = replace(parent, card=replace(parent.card, nets=(other,)))
    child = dyed.fit(slides, SCHEME, options, parent=moved).checkpoint.card.net(NetRole.HIGH)
    assert child.stains == other.stains
    plain = design.fit(slides, SCHEME, options).checkpoint
    assert plain.card.net(NetRole.HIGH).stains is None
    assert not continues(card, plain)
    assert continues(card, parent)


def test_the_reference_is_of_a_slide_that_trains(
    halves: Halves, dyed: Weak, options: TrainingOptions, tmp_path: Path
) -> None:
    path = tmp_path / "greenish.png"
    with Image.open(halves.path) as picture:
        Image.fromarray(np.asarray(picture)[..., [2, 0, 1]]).save(path)
    brief = replace(options, max_steps=1)
    training = halves.training(halves.both)
    with open_slide(path, mpp=(0.5, 0.5)) as other:
        judging = TrainingSlide(other, LabelPlan("a slide that is held out, and has no labels"))
        found = dyed.fit([judging, *training], SCHEME, brief).checkpoint.card.net(NetRole.HIGH).stains
    assert found == dyed.fit(training, SCHEME, brief).checkpoint.card.net(NetRole.HIGH).stains
