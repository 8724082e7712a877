"""Designs and presets in the settings: their words are the models' words, their numbers the models' numbers."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ConfigError
from models import checkpoints, nets, training
from models.nets import EncoderName, MonaiName, Published, parse_encoder, published
from scripts import options
from scripts.config import LoadedSettings, load_settings
from scripts.loop.training_run import RunKind, design_of, training_options
from scripts.options import ENCODERS, WHOLE_NETS, Design, Preset

EVERY = [(design, preset) for design in Design for preset in Preset]


def values_of(kind: type[Enum]) -> set[str]:
    return {member.value for member in kind}


def load(given: dict[str, object], tmp_path: Path | None = None, text: str = "") -> LoadedSettings:
    if tmp_path is None:
        return load_settings(None, {}, given)
    path = tmp_path / "slidebridge.toml"
    path.write_text(text, "utf-8")
    return load_settings(path, {}, given)


def test_words_are_those_of_the_models() -> None:
    assert values_of(Design) == values_of(checkpoints.DesignName)
    assert values_of(Preset) == values_of(training.PresetName)
    assert values_of(options.PatchLoss) == values_of(training.PatchLoss)
    assert values_of(options.LabelHead) - {"none"} == values_of(nets.LabelHead)
    assert set(ENCODERS) == values_of(EncoderName)
    assert set(WHOLE_NETS) == values_of(MonaiName)


@pytest.mark.parametrize(("design", "preset"), EVERY)
def test_settings_of_a_preset_are_the_models_preset(design: Design, preset: Preset, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    given: dict[str, object] = {"model.design": design.value, "model.preset": preset.value}
    if preset is Preset.PAPER:
        given["model.weights"] = weights
    settings = load(given).settings
    wanted = training.preset(checkpoints.DesignName(design.value), training.PresetName(preset.value))
    # A paper's training takes its steps; the settings can't say "no limit", and say a week and a half.
    seconds = wanted.training.max_seconds or 1e6
    tissue_free = replace(wanted.training, max_seconds=seconds)
    made = training_options(settings)
    assert replace(made, sampling=replace(made.sampling, jitter=wanted.training.sampling.jitter)) == tissue_free
    ours: Any = design_of(settings)
    theirs: Any = wanted.design
    if preset is Preset.PAPER:
        theirs = replace(theirs, model=replace(theirs.model, weights_path=weights))
    assert type(ours) is type(theirs)
    assert with_pretrained(ours) == with_pretrained(theirs)


def with_pretrained(design: Any) -> Any:
    """Return a design whose patch classifier counts as pretrained: the paper's is, once its file is named."""
    if not isinstance(design, training.Patchwise | training.Hybrid):
        return design
    return replace(design, model=replace(design.model, net=replace(design.model.net, pretrained=True)))


def test_nightly_trainings_of_a_paper_take_its_steps() -> None:
    settings = load({"model.design": "patchwise", "model.preset": "paper"}).settings
    assert training_options(settings, RunKind.NIGHTLY).max_steps == 50_000


def test_what_is_set_goes_over_the_preset_and_says_where_it_came_from(tmp_path: Path) -> None:
    text = "[model]\ndesign = 'weak'\npreset = 'paper'\n[train]\nbatch_size = 7\n"
    loaded = load({}, tmp_path, text)
    rows = {name: (value, origin) for name, value, origin in loaded.rows()}
    assert rows["train.batch_size"] == (7, str(tmp_path / "slidebridge.toml"))
    assert rows["train.learning_rate"] == (1e-4, "preset paper of weak")
    assert rows["model.mpp"] == (8.0, "preset paper of weak")
    assert rows["train.seed"] == (0, "default")


def test_a_papers_encoder_waits_for_its_weights(tmp_path: Path) -> None:
    without = load({"model.design": "weak", "model.preset": "paper"}).settings
    assert without.model.encoder == "efficientnet_lite0", "its weights come along: it stands in"
    named = load({"model.design": "weak", "model.preset": "paper", "model.weights": tmp_path / "r.pth"}).settings
    assert named.model.encoder == "resnet18"


@pytest.mark.parametrize("encoder", [*ENCODERS, *WHOLE_NETS, "timm/resnet34"])
def test_encoders_are_taken_by_name(encoder: str) -> None:
    design: Any = design_of(load({"model.encoder": encoder}).settings)
    for net in (design.model.high, design.model.low):
        assert net.encoder == parse_encoder(encoder)
        assert net.pretrained == (published(net) is not Published.NOBODY)
    bare: Any = design_of(load({"model.encoder": encoder, "model.pretrained": False}).settings)
    assert not bare.model.high.pretrained


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model.design": "weak", "model.one_network": True}, 'one_network is of design "deepzoom", not "weak"'),
        ({"model.design": "weak", "model.label_head": "none"}, "needs its label_head"),
        ({"model.design": "hybrid", "model.label_head": "maximum"}, 'label_head is of design "deepzoom" or "weak"'),
        ({"model.design": "hybrid", "train.tile_px": 64}, "[model] patch_px"),
        ({"model.design": "hybrid", "model.map_stride_px": 64}, 'of design "patchwise", not "hybrid"'),
        ({"model.refine_mpp": 4.0}, 'refine_mpp is of design "hybrid", not "deepzoom"'),
        ({"model.design": "patchwise", "model.patch_px": 100, "model.patch_stride_px": 50}, "multiple of 32"),
        ({"model.design": "patchwise", "model.patch_px": 64, "model.patch_stride_px": 128}, "more than a patch"),
        ({"model.design": "patchwise", "model.map_stride_px": 512}, "more than a patch"),
        ({"model.design": "weak", "model.encoder": "monai/BasicUNet"}, "whole net"),
        ({"model.encoder": "monai/BasicUNet", "model.label_head": "mean"}, "without a label_head"),
        ({"model.encoder": "resnet19"}, "'resnet19' is unknown; write efficientnet_lite0"),
        ({"model.weights": "w.pth", "model.pretrained": False}, "take one of the two out"),
        ({"model.design": "h2g"}, "[model] design"),
        ({"model.preset": "slow"}, "[model] preset"),
        ({"model.hot_spot_threshold": 1.5}, "hot_spot_threshold must be 0 to 1"),
    ],
)
def test_contradictions_are_answered_in_one_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(given)
    assert said in str(caught.value)
    assert "command line" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_design_left_at_its_default_is_no_contradiction() -> None:
    assert load({"model.design": "weak", "model.one_network": False}).settings.model.design is Design.WEAK
