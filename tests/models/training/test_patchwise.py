from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import torch
from net_support import count_parameters
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, PatchLabel
from bridge.coords import Region
from bridge.slides import TissueOptions, TissueRule, open_slide, tissue_mask
from models.checkpoints import NetRole, load_checkpoint, save_checkpoint
from models.data import ClusterOptions, PatchOptions, SamplingOptions, TrainingSlide
from models.errors import CheckpointError, TrainingDataError
from models.inference import PatchwisePredictor, open_predictor
from models.nets import EncoderName, NetKind, NetOptions, build_encoder, build_net
from models.training import (
    ClusterSearch,
    Decision,
    Design,
    PatchLoss,
    Patchwise,
    PatchwiseOptions,
    TrainingOptions,
    evaluate,
    paper_patch_training,
    promote,
)

SIDE, COLUMNS, ROWS = 32, 10, 5
SCHEME = ClassScheme({"Tumor": (255, 0, 0)})
WHOLE = TissueOptions(rule=TissueRule.WHOLE)
IS_TUMOR = np.random.default_rng(5).random((ROWS, COLUMNS)) < 0.5
TINY = NetOptions(
    kind=NetKind.PATCH,
    encoder=EncoderName.PLAIN,
    encoder_channels=(8, 16),
    decoder_channels=(1, 1),
    pretrained=False,
)
MODEL = PatchwiseOptions(mpp=0.5, net=TINY, patches=PatchOptions(patch_px=SIDE, stride_px=SIDE), tissue=WHOLE)
WEIGHED = replace(
    MODEL, loss=PatchLoss.CWCE, clusters=ClusterSearch(ClusterOptions(count=3, restarts=2), batches=3, batch_size=8)
)
TRUTH = [LabelledShape(shapely.box(x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE), 1)
         for y, x in np.argwhere(IS_TUMOR).tolist()]  # fmt: skip
LEFT, RIGHT = shapely.box(0, 0, 7 * SIDE, ROWS * SIDE), shapely.box(7 * SIDE, 0, COLUMNS * SIDE, ROWS * SIDE)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Squares of tumour among stroma, told by their nuclei: dark dots, many or few."""
    generator = np.random.default_rng(8)
    pixels = generator.normal((225, 165, 205), 8, (ROWS * SIDE, COLUMNS * SIDE, 3))
    is_dot = generator.random(pixels.shape[:2]) < np.where(np.kron(IS_TUMOR, np.ones((SIDE, SIDE))) > 0, 0.3, 0.03)
    pixels[is_dot] = (90, 50, 130)
    path = tmp_path_factory.mktemp("slides") / "squares.png"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    with open_slide(path, mpp=(0.5, 0.5)) as opened:
        yield opened


@pytest.fixture(scope="module")
def judged(slide: Any) -> list[TrainingSlide]:
    return [TrainingSlide(slide, LabelPlan("one", tuple(TRUTH), (LEFT, RIGHT), hold_out=(RIGHT,)))]


@pytest.fixture(scope="module")
def options(brief: TrainingOptions) -> TrainingOptions:
    return replace(brief, batch_size=6)


@pytest.fixture(scope="module")
def learned(judged: Any, options: Any) -> Any:
    longer = replace(options, max_steps=60, batch_size=8, evaluate_every=10)
    return Patchwise(WEIGHED).fit(judged, SCHEME, longer, now="2024-05-01T00:00:00Z", iteration=2)


def same(first: Any, second: Any) -> bool:
    return all(torch.equal(first.weights[key], second.weights[key]) for key in first.weights)


def after(steps: int) -> Any:
    calls = iter(range(10_000))
    return lambda: next(calls) >= steps


def test_it_is_a_design_that_learns_and_its_card_says_so(learned: Any, judged: Any) -> None:
    design: Design = Patchwise(WEIGHED)
    scores = evaluate(design.predictor(learned.checkpoint, device="cpu"), judged, SCHEME)
    assert scores.pooled_dice > 0.9
    card = learned.checkpoint.card
    assert (card.design, card.roles, card.tile_px, card.iteration) == ("patchwise", (NetRole.HIGH,), SIDE, 2)
    losses = [entry.holdout_loss for entry in learned.history[NetRole.HIGH]]
    assert min(losses) < losses[0]


def test_a_checkpoint_survives_the_disk_and_is_opened_by_its_card(learned: Any, judged: Any, tmp_path: Path) -> None:
    saved = save_checkpoint(tmp_path, learned.checkpoint.weights, learned.checkpoint.card)
    predictor = open_predictor(load_checkpoint(tmp_path / saved.id), device="cpu")
    assert isinstance(predictor, PatchwisePredictor)
    assert predictor.map_mpp == 0.5 * SIDE
    assert evaluate(predictor, judged, SCHEME).pooled_dice > 0.9


def test_a_champion_of_patches_is_challenged_on_the_same_pixels_as_any(learned: Any, judged: Any, options: Any) -> None:
    untrained = Patchwise(MODEL).fit(judged, SCHEME, replace(options, max_steps=0))
    decision: Decision = promote(learned.checkpoint, untrained.checkpoint, judged, SCHEME)
    assert decision.promoted
    assert decision.candidate_scores is not None and decision.champion_scores is not None
    assert decision.candidate_scores.pixels == decision.champion_scores.pixels == 3 * ROWS * SIDE**2


def test_experts_patch_labels_alone_are_enough_to_learn(slide: Any, options: Any) -> None:
    # No mask anywhere: a class for some boxes, and Background for others, is all there is.
    boxes = [
        PatchLabel(Region(x * SIDE, y * SIDE, SIDE, SIDE), int(IS_TUMOR[y, x])) for y in range(ROWS) for x in range(7)
    ]
    slides = [TrainingSlide(slide, LabelPlan("one", patch_labels=tuple(boxes)))]
    candidate = Patchwise(MODEL).fit(slides, SCHEME, replace(options, max_steps=60, batch_size=8))
    predictor = Patchwise(MODEL).predictor(candidate.checkpoint, device="cpu")
    bands = predictor.predict(slide, tissue_mask(slide, WHOLE))
    tumor = np.concatenate([band.probabilities[1] for band in bands])
    assert tumor.shape == IS_TUMOR.shape
    assert ((tumor > 0.5) == IS_TUMOR)[:, 7:].mean() > 0.9  # where nothing was labelled


def test_patch_labels_join_masks(slide: Any, options: Any) -> None:
    # The masks show background only: without the expert's box there would be one label, and no training.
    rows, columns = np.nonzero(~IS_TUMOR)
    x, y = int(columns[0]) * SIDE, int(rows[0]) * SIDE
    plan = LabelPlan("one", complete=(shapely.box(x, y, x + SIDE, y + SIDE),))
    with pytest.raises(TrainingDataError, match=r"fewer than two labels.*patch of 32 px \(16 µm\)"):
        Patchwise(MODEL).fit([TrainingSlide(slide, plan)], SCHEME, options)
    plan = replace(plan, patch_labels=(PatchLabel(Region(0, 0, SIDE, SIDE), 1),))
    assert Patchwise(MODEL).fit([TrainingSlide(slide, plan)], SCHEME, options).is_finished


@pytest.mark.parametrize("model", [MODEL, WEIGHED], ids=["ce", "cwce"])
@pytest.mark.parametrize("stop_at", range(6))
def test_stopped_anywhere_it_ends_in_the_same_weights(
    judged: Any, options: Any, tmp_path: Path, model: PatchwiseOptions, stop_at: int
) -> None:
    whole = Patchwise(model).fit(judged, SCHEME, options)
    stopped = Patchwise(model).fit(judged, SCHEME, options, stop=after(stop_at), resume_folder=tmp_path)
    assert not stopped.is_finished
    assert stopped.checkpoint.card.steps == stop_at
    resumed = Patchwise(model).fit(judged, SCHEME, options, resume_folder=tmp_path)
    assert resumed.is_finished
    assert same(resumed.checkpoint, whole.checkpoint)
    assert resumed.checkpoint.id == whole.checkpoint.id
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("dies_at", [1, 3, 4])
def test_killed_anywhere_it_ends_in_the_same_weights(judged: Any, options: Any, tmp_path: Path, dies_at: int) -> None:
    def die(progress: Any) -> None:
        if progress.step == dies_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Patchwise(WEIGHED).fit(judged, SCHEME, options, progress=die, resume_folder=tmp_path)
    steps: list[int] = []
    resumed = Patchwise(WEIGHED).fit(
        judged, SCHEME, options, progress=lambda p: steps.append(p.step), resume_folder=tmp_path
    )
    # States are kept every second step; what came after the last one is done again.
    assert steps == list(range((dies_at - 1) // 2 * 2 + 1, 7))
    assert same(resumed.checkpoint, Patchwise(WEIGHED).fit(judged, SCHEME, options).checkpoint)


def test_a_state_of_another_loss_or_lattice_is_not_taken_up(judged: Any, options: Any, tmp_path: Path) -> None:
    Patchwise(MODEL).fit(judged, SCHEME, options, stop=after(4), resume_folder=tmp_path)
    for other in (WEIGHED, replace(MODEL, patches=PatchOptions(patch_px=SIDE, stride_px=16))):
        steps: list[int] = []
        Patchwise(other).fit(
            judged, SCHEME, options, progress=lambda p, s=steps: s.append(p.step), resume_folder=tmp_path
        )
        assert steps[0] == 1


def test_kinds_of_tissue_that_other_weights_told_are_not_taken_up(judged: Any, options: Any, tmp_path: Path) -> None:
    net = NetOptions(kind=NetKind.PATCH, encoder=EncoderName.RESNET18, decoder_channels=(1, 1, 1, 1))

    def trained(seed: int, folder: Path | None) -> Any:
        path = tmp_path / f"{seed}.pth"
        torch.manual_seed(seed)
        torch.save(build_encoder("resnet18", 4).state_dict(), path)
        design = Patchwise(replace(WEIGHED, net=net, weights_path=path))
        return design.fit(judged, SCHEME, replace(options, max_steps=2), resume_folder=folder, keep_state=True)

    folder = tmp_path / "state"
    trained(5, folder)
    assert same(trained(6, folder).checkpoint, trained(6, None).checkpoint)


def test_the_losses_lead_elsewhere_and_each_is_repeatable(judged: Any, options: Any) -> None:
    trained = {
        loss: Patchwise(replace(WEIGHED, loss=loss)).fit(judged, SCHEME, options).checkpoint for loss in PatchLoss
    }
    assert len({checkpoint.id for checkpoint in trained.values()}) == 3
    again = Patchwise(WEIGHED).fit(judged, SCHEME, options).checkpoint
    assert again.id == trained[PatchLoss.CWCE].id


def test_patches_are_seen_where_their_label_was_found_whatever_jitter_tiles_have(judged: Any, options: Any) -> None:
    first, second = (
        Patchwise(MODEL).fit(judged, SCHEME, replace(options, sampling=SamplingOptions(jitter=jitter))).checkpoint
        for jitter in (0.0, 1.0)
    )
    assert same(first, second)


def test_it_goes_on_from_a_parent(learned: Any, judged: Any, options: Any) -> None:
    child = Patchwise(WEIGHED).fit(judged, SCHEME, replace(options, max_steps=0), parent=learned.checkpoint)
    assert child.checkpoint.card.parent == learned.checkpoint.id
    assert same(child.checkpoint, learned.checkpoint)


def test_a_hold_out_without_gain_ends_the_training(judged: Any, options: Any) -> None:
    standing = replace(options, max_steps=500, evaluate_every=1, patience=3, learning_rate=0.0, average=0.999999)
    candidate = Patchwise(MODEL).fit(judged, SCHEME, standing)
    assert candidate.is_finished
    assert candidate.checkpoint.card.steps < 100


@pytest.mark.parametrize(
    ("net", "patch_px"),
    [(NetOptions(), 256), (replace(TINY, encoder_channels=(4,) * 3, decoder_channels=(1,) * 3), 36)],
)
def test_a_net_that_classifies_no_patches_is_refused(net: NetOptions, patch_px: int) -> None:
    with pytest.raises(ValueError, match=r"kind patch|multiple of"):
        PatchwiseOptions(net=net, patches=PatchOptions(patch_px=patch_px, stride_px=patch_px))


def test_a_batch_of_one_is_refused_in_words(judged: Any, options: Any) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        Patchwise(MODEL).fit(judged, SCHEME, replace(options, batch_size=1))


def test_the_papers_numbers_make_the_papers_net() -> None:
    model = PatchwiseOptions.paper(None, weighs_clusters=True)
    net = build_net(model.net, 2)
    running = sum(b.numel() for name, b in net.named_buffers() if "num_batches" not in name)
    assert count_parameters(net) + running == 2_386_686
    assert (model.loss, model.patches.stride_px, model.clusters.batches) == (PatchLoss.CWCE, 256, 100)
    training = paper_patch_training()
    assert training.sampling.tree == ("grade", "slide", "class")


def test_the_papers_net_needs_its_weights(judged: Any, options: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        Patchwise(PatchwiseOptions.paper(tmp_path / "absent.pth")).fit(judged, SCHEME, options)
