"""``slidebridge new --transfer``: a project begins from what another has learned."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from learn_support import classroom
from typer.testing import Result

from bridge.errors import BridgeError, ProjectBusyError
from lab_support import RUNNER, SETTINGS, Lab, draw_slide, labelled
from models.checkpoints import (
    Card,
    Checkpoint,
    NetCard,
    NetRole,
    load_champion,
    load_checkpoint,
    load_transfer,
    save_checkpoint,
    with_role,
)
from models.nets import CENTRED, EncoderName, NetOptions, build_net
from scripts.config import Settings, load_settings
from scripts.doctor.facts import gather
from scripts.loop.learn import RunKind
from scripts.loop.training_run import design_of
from scripts.project import open_project, take_lease

SHORT_NIGHT = "\n[schedule]\nmax_steps = 1\n"
PLAIN = NetOptions(encoder=EncoderName.PLAIN, pretrained=False)


def make(folder: Path, names: tuple[str, ...], *, mpp: float = 1.0, options: NetOptions = PLAIN) -> Path:
    """Save a checkpoint of the labs' network, and return its folder."""
    card = Card("deepzoom", (NetCard(NetRole.HIGH, options, names, mpp, 64, CENTRED),), iteration=4)
    weights = build_net(options, len(names), seed=5).state_dict()
    saved = save_checkpoint(folder, with_role(weights, NetRole.HIGH), card)
    assert saved.path is not None
    return saved.path


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    return make(tmp_path / "elsewhere", ("Background", "Stroma", "Blob"))


def slides(folder: Path) -> Path:
    folder.mkdir()
    draw_slide(folder / "case.tif")
    return folder


def new(*arguments: object) -> Result:
    from scripts.cli import app

    return RUNNER.invoke(app, ["new", *(str(argument) for argument in arguments)])


def refused(done: Result) -> str:
    assert isinstance(done.exception, BridgeError), done.output
    return str(done.exception)


def champion_of(root: Path) -> Checkpoint:
    found = load_champion(root / ".slidebridge" / "checkpoints")
    assert found is not None
    return found


def test_a_new_project_takes_network_and_classes_from_the_checkpoint_and_predicts_at_once(
    tmp_path: Path, blob: Path
) -> None:
    root = slides(tmp_path / "study")
    done = new("--imagescope", root, "--transfer", blob)
    assert done.exit_code == 0, done.output
    assert "; classes: Stroma, Blob" in done.output
    project = open_project(root)
    assert (project.settings.model.encoder, project.settings.model.one_network) == ("plain", True)
    assert project.scheme.names == ("Background", "Stroma", "Blob")
    assert champion_of(root).card.iteration == 0
    passed = RUNNER.invoke(_app(), ["predict", "--project", str(root)])
    assert passed.exit_code == 0, passed.output
    assert (root / "case.xml").is_file()


@pytest.mark.parametrize("preset", ["fast", "paper"])
@pytest.mark.parametrize("design", ["deepzoom", "patchwise", "hybrid", "weak"])
def test_a_checkpoint_of_every_design_begins_a_project_of_that_design(tmp_path: Path, design: str, preset: str) -> None:
    given = {"model.design": design, "model.preset": preset, "model.encoder": "plain", "model.mpp": 0.5}
    theirs = load_settings(None, {}, given).settings
    source = make_design(tmp_path / "elsewhere", theirs)
    root = slides(tmp_path / "study")
    done = new("--imagescope", root, "--transfer", source)
    assert done.exit_code == 0, done.output
    ours = open_project(root).settings
    assert nets_of(ours) == nets_of(theirs)
    assert champion_of(root).card.design == design


@pytest.mark.parametrize("design", ["patchwise", "hybrid"])
@pytest.mark.parametrize(("side", "stride"), [(32, 32), (96, 32), (512, 64)])
def test_patches_smaller_than_the_usual_stride_are_taken_over(
    tmp_path: Path, design: str, side: int, stride: int
) -> None:
    given = {"model.design": design, "model.encoder": "plain", "model.mpp": 0.5}
    theirs = load_settings(None, {}, {**given, "model.patch_px": side, "model.patch_stride_px": stride}).settings
    source = make_design(tmp_path / "elsewhere", theirs)
    root = slides(tmp_path / "study")
    done = new("--imagescope", root, "--transfer", source)
    assert done.exit_code == 0, done.exception
    ours = open_project(root).settings.model
    assert (ours.patch_px, ours.patch_stride_px) == (side, stride)


def test_weights_that_were_taken_over_stand_in_for_a_file_of_them(tmp_path: Path) -> None:
    given = {"model.design": "weak", "model.encoder": "resnet18", "model.mpp": 0.5, "model.pretrained": False}
    source = make_design(tmp_path / "elsewhere", load_settings(None, {}, given).settings)
    root = slides(tmp_path / "study")
    assert new("--imagescope", root, "--transfer", source).exit_code == 0
    project = open_project(root)
    assert project.settings.model.pretrained and project.settings.model.encoder == "resnet18"
    assert gather(project, datetime.now(UTC)).model_problem is None
    (project.checkpoints / "transfer.json").unlink()
    assert "no ImageNet weights of encoder resnet18" in str(gather(project, datetime.now(UTC)).model_problem)


def nets_of(settings: Settings) -> dict[str, NetOptions]:
    model = design_of(settings).model  # type: ignore[attr-defined]
    values = {field.name: getattr(model, field.name) for field in fields(model)}
    return {name: value for name, value in values.items() if isinstance(value, NetOptions)}


def make_design(folder: Path, settings: Settings) -> Path:
    """Save a checkpoint of the nets of a design, as its training would name them."""
    model = design_of(settings).model  # type: ignore[attr-defined]
    names = ("Background", "Blob")
    nets = {
        "deepzoom": lambda: (
            (NetRole.HIGH, model.high, 0.5, 128),
            (NetRole.LOW, model.low, 0.5 * model.low_factor, 128),
        ),
        "weak": lambda: ((NetRole.HIGH, model.net, 0.5, 128),),
        "patchwise": lambda: ((NetRole.HIGH, model.net, 0.5, model.patches.patch_px),),
        "hybrid": lambda: (
            (NetRole.HIGH, model.net, 0.5, model.patches.patch_px),
            (NetRole.REFINEMENT, model.refinement, model.refine_mpp, model.refine_px),
        ),
    }[settings.model.design.value]()
    cards = tuple(NetCard(role, net, names, mpp, px, net.normalization) for role, net, mpp, px in nets)
    weights: dict[str, torch.Tensor] = {}
    for card in cards:
        weights |= with_role(build_net(card.options, len(names)).state_dict(), card.role)
    saved = save_checkpoint(folder, weights, Card(settings.model.design.value, cards))
    assert saved.path is not None
    return saved.path


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path, blob: Path) -> None:
    root = slides(tmp_path / "study")
    done = new("--imagescope", root, "--transfer", blob, "--dry-run", "--json")
    told = json.loads(done.output)["transfer"]
    assert told["shared"] == ["Stroma", "Blob"]
    assert [path.name for path in root.iterdir()] == ["case.tif"]


def test_another_project_s_champion_is_taken_over_and_the_first_training_goes_on_from_it(
    lab: Lab, new_lab: Callable[[str], Lab], caplog: pytest.LogCaptureFixture
) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        room.learn()
        champion = room.champion
    other = new_lab("other")
    other.write(labelled())
    done = new("--imagescope", other.root, "--transfer", lab.root)
    assert done.exit_code == 0, done.output
    assert "it predicts until a training is better" in done.output
    assert (other.root / "slidebridge.toml").read_text("utf-8") == SETTINGS, "a project that is there stays as it is"
    assert champion_of(other.root).card.parent == champion
    with classroom(other) as room, caplog.at_level(logging.WARNING):
        first = room.learn()
        runs = room.store.runs()
    assert first.iteration == 1
    assert runs[0].parent == champion_of_transfer(other.root)
    assert "another net or mpp" not in caplog.text


def champion_of_transfer(root: Path) -> str:
    found = load_transfer(root / ".slidebridge" / "checkpoints")
    assert found is not None
    return found.id


def test_the_nightly_training_begins_with_iteration_0_not_with_the_champion_nor_imagenet(lab: Lab, blob: Path) -> None:
    lab.write(labelled())
    lab.set(SHORT_NIGHT)
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("[train]\n", "[train]\nlearning_rate = 0\n"), "utf-8")
    assert new("--imagescope", lab.root, "--transfer", blob).exit_code == 0
    begun = champion_of_transfer(lab.root)
    with classroom(lab) as room:
        room.learn()
        room.learn(kind=RunKind.NIGHTLY, is_forced=True)
        runs = room.store.runs()
        trained = load_checkpoint(room.project.checkpoints / str(runs[-1].checkpoint_id))
    assert [run.parent for run in runs] == [begun, begun]
    before, after = load_checkpoint(blob).net_weights(NetRole.HIGH), trained.net_weights(NetRole.HIGH)
    assert torch.equal(before["encoder.stages.0.0.weight"], after["encoder.stages.0.0.weight"])
    assert torch.equal(before["head.weight"][2], after["head.weight"][1]), "Blob, by its name"


def test_from_scratch_means_from_iteration_0(lab: Lab, blob: Path) -> None:
    lab.write(labelled())
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("[train]\n", "[train]\nfrom_scratch = true\n"), "utf-8")
    new("--imagescope", lab.root, "--transfer", blob)
    with classroom(lab) as room:
        room.learn()
        room.learn(is_forced=True)
        assert {run.parent for run in room.store.runs()} == {champion_of_transfer(lab.root)}


def test_an_order_of_classes_that_was_changed_since_is_no_obstacle(lab: Lab, tmp_path: Path) -> None:
    both = make(tmp_path / "elsewhere", ("Background", "Blob", "Stroma"))
    lab.write(labelled())
    lab.set(SHORT_NIGHT)
    new("--imagescope", lab.root, "--transfer", both)
    path = lab.root / "slidebridge.toml"
    path.write_text(
        path.read_text("utf-8").replace('Blob = "#c80000"', 'Stroma = "#00c800"\nBlob = "#c80000"'), "utf-8"
    )
    with classroom(lab) as room:
        assert room.learn(kind=RunKind.NIGHTLY).iteration == 1


def test_damaged_transfer_weights_are_told_and_imagenet_s_stand_in(
    lab: Lab, blob: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab.write(labelled())
    lab.set(SHORT_NIGHT)
    new("--imagescope", lab.root, "--transfer", blob)
    damaged = lab.root / ".slidebridge" / "checkpoints" / champion_of_transfer(lab.root) / "card.json"
    damaged.write_text("{}", "utf-8")
    with classroom(lab) as room, caplog.at_level(logging.WARNING):
        assert room.learn(kind=RunKind.NIGHTLY).iteration == 1
        assert [run.parent for run in room.store.runs()] == [None]
    assert "ImageNet's weights, not those taken over" in caplog.text


def test_a_checkpoint_of_another_network_is_refused_with_what_to_set(lab: Lab, tmp_path: Path) -> None:
    coarse = make(tmp_path / "coarse", ("Background", "Blob"), mpp=2.0)
    words = refused(new("--imagescope", lab.root, "--transfer", coarse))
    assert "set [model] mpp = 2.0 (now 1.0), or take another" in words
    small = make(tmp_path / "small", ("Background", "Blob"), options=replace(PLAIN, decoder_channels=(8, 8)))
    assert "nets of another size" in refused(new("--imagescope", lab.root, "--transfer", small))
    assert not (lab.root / ".slidebridge").exists()
    study = slides(tmp_path / "study")
    assert "leave --mpp 1 out" in refused(new("--imagescope", study, "--transfer", coarse, "--mpp", 1))
    assert not (study / "slidebridge.toml").exists()


def test_what_is_no_checkpoint_is_one_line(lab: Lab, tmp_path: Path, blob: Path) -> None:
    hail = tmp_path / "hail"
    (hail / "MODELS" / "0").mkdir(parents=True)
    assert "TensorFlow" in refused(new("--imagescope", lab.root, "--transfer", hail))
    assert "neither a checkpoint's folder" in refused(new("--imagescope", lab.root, "--transfer", tmp_path / "gone"))
    untrained = slides(tmp_path / "untrained")
    new("--imagescope", untrained)
    assert "no model yet" in refused(new("--imagescope", lab.root, "--transfer", untrained))
    (blob / "weights.safetensors").write_bytes(b"cut")
    assert "damaged" in refused(new("--imagescope", lab.root, "--transfer", blob))
    assert not (lab.root / ".slidebridge").exists()


def test_a_project_that_another_process_has_is_left_alone(lab: Lab, blob: Path) -> None:
    lease = take_lease(open_project(lab.root), "watch")
    try:
        done = new("--imagescope", lab.root, "--transfer", blob)
    finally:
        lease.release()
    assert isinstance(done.exception, ProjectBusyError)
    assert not (lab.root / ".slidebridge" / "checkpoints").exists()


def test_a_qupath_project_made_from_nothing_begins_from_it(tmp_path: Path, blob: Path) -> None:
    slide = slides(tmp_path / "slides") / "case.tif"
    dry = new("--qupath-create", tmp_path / "study", slide, "--transfer", blob, "--dry-run")
    assert "would take over" in dry.output
    done = new("--qupath-create", tmp_path / "study", slide, "--transfer", blob)
    assert done.exit_code == 0, done.output
    assert champion_of(tmp_path / "study").card.class_names == ("Background", "Stroma", "Blob")


def _app() -> object:
    from scripts.cli import app

    return app
