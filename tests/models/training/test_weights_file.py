"""What a training does about ImageNet weights that no wheel has."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bridge.slides import TissueOptions, TissueRule
from models.checkpoints import NetRole
from models.data import PatchOptions, TrainingSlide
from models.errors import CheckpointError
from models.nets import EncoderName, NetKind, NetOptions, build_encoder
from models.training import Hybrid, HybridOptions, ModelOptions, fit

RESNET = NetOptions(encoder=EncoderName.RESNET18, decoder_channels=(4, 4), stem_channels=4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.manual_seed(5)
    torch.save(build_encoder("resnet18", 2).state_dict(), path)
    return path


@pytest.fixture
def model(tiny_model: ModelOptions) -> ModelOptions:
    """The low net's encoder needs a file, and its turn would come last."""
    return replace(tiny_model, one_network=False, low_factor=2.0, low=RESNET)


def test_a_missing_file_is_told_before_any_net_is_trained(
    disc_slides: Any, ground: Any, model: ModelOptions, brief: Any
) -> None:
    steps: list[int] = []
    with pytest.raises(CheckpointError, match=r"no ImageNet weights of resnet18 .* --weights FILE"):
        fit(disc_slides, ground.scheme, model, brief, progress=lambda told: steps.append(told.step))
    assert not steps


def test_the_file_is_what_training_begins_with_and_the_card_names_it(
    disc_slides: Any, ground: Any, model: ModelOptions, brief: Any, weights: Path, tmp_path: Path
) -> None:
    named = replace(model, weights_path=weights)
    still = replace(brief, max_steps=1, learning_rate=0.0, average=0.0)
    found = fit(disc_slides, ground.scheme, named, still).checkpoint
    begun = found.net_weights(NetRole.LOW)["encoder.conv1.weight"]
    assert torch.equal(begun, torch.load(weights)["conv1.weight"])
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found.card.versions["weights_file_sha256"] == digest
    child = fit(disc_slides, ground.scheme, model, still, parent=found).checkpoint  # needs no file, and remembers it
    assert child.card.versions["weights_file_sha256"] == digest


def test_what_was_begun_with_another_file_is_not_gone_on_with(
    disc_slides: Any, ground: Any, brief: Any, weights: Path, tmp_path: Path
) -> None:
    def trained(path: Path, folder: Path | None, stop_after: int | None = None) -> Any:
        asked = iter(range(100))
        stop = (lambda: next(asked) >= stop_after) if stop_after is not None else (lambda: False)
        model = ModelOptions(mpp=0.5, one_network=True, high=RESNET, weights_path=path)
        return fit(disc_slides, ground.scheme, model, replace(brief, max_steps=3), resume_folder=folder, stop=stop)

    other = tmp_path / "other.pth"
    torch.manual_seed(6)
    torch.save(build_encoder("resnet18", 2).state_dict(), other)
    folder = tmp_path / "state"
    assert not trained(weights, folder, 2).is_finished
    assert trained(other, folder).checkpoint.id == trained(other, None).checkpoint.id


def test_a_random_start_goes_through(disc_slides: Any, ground: Any, model: ModelOptions, brief: Any) -> None:
    random = replace(model, low=replace(RESNET, pretrained=False))
    found = fit(disc_slides, ground.scheme, random, replace(brief, max_steps=1))
    assert found.is_finished
    assert "weights_file_sha256" not in found.checkpoint.card.versions


def test_a_champion_may_be_gone_on_with_though_its_weights_would_begin_elsewhere_today(
    disc_slides: Any, ground: Any, model: ModelOptions, brief: Any, weights: Path
) -> None:
    still = replace(brief, max_steps=1, learning_rate=0.0, average=0.0)
    parent = fit(disc_slides, ground.scheme, replace(model, weights_path=weights), still).checkpoint
    today = replace(model, low=replace(RESNET, pretrained=False))
    child = fit(disc_slides, ground.scheme, today, still, parent=parent).checkpoint
    name = "encoder.conv1.weight"
    assert torch.equal(child.net_weights(NetRole.LOW)[name], parent.net_weights(NetRole.LOW)[name])


def test_fold_classifiers_ask_for_the_file_before_the_final_one_is_trained(
    ground: Any, brief: Any, weights: Path
) -> None:
    plan = ground.plan()
    slides = [TrainingSlide(ground.slide, replace(plan, slide_key=key)) for key in "ab"]
    model = HybridOptions(
        mpp=0.5,
        net=NetOptions(kind=NetKind.PATCH, encoder=EncoderName.RESNET18, decoder_channels=(1, 1)),
        patches=PatchOptions(patch_px=16, stride_px=16),
        tissue=TissueOptions(rule=TissueRule.WHOLE),
        refinement=NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(4, 6), pretrained=False),
        refine_mpp=1.0,
        refine_px=32,
        weights_path=weights,
    )
    short = replace(brief, max_steps=1)
    parent = Hybrid(model).fit(slides, ground.scheme, short).checkpoint
    assert parent.card.data_hashes.keys() == {"a", "b"}
    steps: list[int] = []
    forgotten = Hybrid(replace(model, weights_path=None))
    with pytest.raises(CheckpointError, match=r"--weights FILE"):
        forgotten.fit(slides, ground.scheme, short, parent=parent, progress=lambda told: steps.append(told.step))
    assert not steps
    alone = Hybrid(replace(model, weights_path=None, folds=1))  # goes on from the parent, and needs no file
    assert alone.fit(slides, ground.scheme, short, parent=parent).is_finished
