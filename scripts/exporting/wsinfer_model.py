"""``export wsinfer``: a model folder that WSInfer, and QuPath's WSInfer extension, load as one of the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoints import NetRole
from models.inference import export_torchscript, has_taught_label_head, load_torchscript, tile_classifier
from models.nets import Normalize, UNet, WeakNet
from scripts.exporting.checking import Answer
from scripts.exporting.errors import ExportError
from scripts.exporting.facts import ModelFacts, facts_of, stain_notes
from scripts.exporting.folder import ExportKind, check_place, new_folder
from scripts.exporting.handing_over import (
    Handover,
    ModelRequest,
    file_list,
    handover,
    sha256_of_bytes,
    write_card,
    write_text,
)
from scripts.exporting.outcome import ExportedModel, ExportedNetwork
from scripts.exporting.readme_wsinfer import wsinfer_readme
from scripts.progress import Progress
from scripts.project import Project

MODEL_NAME, CONFIG_NAME = "torchscript_model.pt", "config.json"
_SPEC_VERSION = "1.0"
_LEAST_PX = 16


def export_wsinfer(
    project: Project,
    request: ModelRequest,
    progress: Progress,
    clock: Callable[[], float],
    *,
    tile_px: int | None = None,
) -> ExportedModel:
    """Write ``torchscript_model.pt``, ``config.json`` and ``README.md``.

    Parameters
    ----------
    tile_px
        Side of the tiles that get a class; None: of those that the model was trained on. A patch classifier's is fixed.

    Raises
    ------
    ExportError
        As for FAST; or the tiles aren't the model's.
    """
    check_place(request.out, ExportKind.WSINFER, project, is_forced=request.is_forced)
    with handover(project, request, progress, clock) as work:
        facts = _classifying(work, request)
        side = _side(facts, tile_px)
        notes = _notes(work, facts, request)
        progress.start("exporting", 1)
        with new_folder(request.out, ExportKind.WSINFER, project, is_forced=request.is_forced) as folder:
            script = export_torchscript(tile_classifier(work.checkpoint), side)
            (folder / MODEL_NAME).write_bytes(script)
            config = json.dumps(wsinfer_config(facts, side), indent=2, ensure_ascii=False)
            (folder / CONFIG_NAME).write_text(config + "\n", "utf-8", newline="\n")
            network = _checked(work, facts, side, script)
            write_card(folder, work.checkpoint, facts.licence, {"networks": [network.as_json()], "notes": list(notes)})
            write_text(folder / "README.md", wsinfer_readme(facts, side, request.out.name, notes))
            files = file_list(folder)
        progress.advance()
    next_step = (
        f"for QuPath copy the folder into `wsinfer/user` of QuPath's user directory; it is called {request.out.name} in"
        " Extensions > WSInfer then"
    )
    return ExportedModel(request.out, work.checkpoint.id, (network,), notes, next_step, files)


def wsinfer_config(facts: ModelFacts, tile_px: int) -> dict[str, object]:
    """Return what ``config.json`` says, in the schema 1.0 of WSInfer's model zoo.

    The network's own normalization is inside the network: nothing is left to a reader but to bring a tile to its side
    (``Resize``) and its pixels to 0 to 1 (``ToTensor``), which WSInfer and QuPath do alike.
    """
    return {
        "spec_version": _SPEC_VERSION,
        "architecture": facts.card.options.encoder.value,
        "num_classes": len(facts.classes),
        "class_names": list(facts.classes),
        "patch_size_pixels": tile_px,
        "spacing_um_px": facts.card.mpp,
        "transform": [{"name": "Resize", "arguments": {"size": tile_px}}, {"name": "ToTensor"}],
    }


def _classifying(work: Handover, request: ModelRequest) -> ModelFacts:
    every = facts_of(work.checkpoint, work.project.scheme, licence=request.licence)
    return next(one for one in every if one.role is NetRole.HIGH)


def _side(facts: ModelFacts, asked: int | None) -> int:
    own = facts.card.tile_px
    if asked is None or asked == own:
        return own
    if facts.says_one_class:
        raise ExportError(f"--tile-px {asked}: the model says one class for tiles of {own} px, and of no others")
    if asked < _LEAST_PX or asked % facts.stride:
        raise ExportError(
            f"--tile-px {asked}: the model takes tiles of multiples of {facts.stride} px, {_LEAST_PX} at least"
        )
    return asked


def _notes(work: Handover, facts: ModelFacts, request: ModelRequest) -> tuple[str, ...]:
    notes = [*stain_notes(work.checkpoint.card, facts.role, "WSInfer", is_forced=request.is_forced)]
    if facts.says_one_class:
        notes.append("a tile's class is what the model says of the tile")
    elif has_taught_label_head(work.checkpoint):
        notes.append("a tile's class is what the model infers from its pixels, as your patch labels taught it")
    else:
        notes.append(
            "the model says a class for every pixel, WSInfer wants one per tile: a tile's probabilities are the mean of"
            " its pixels'"
        )
    return tuple(notes)


def _checked(work: Handover, facts: ModelFacts, side: int, script: bytes) -> ExportedNetwork:
    net = work.network(facts)
    tiles = work.tiles(net, side)
    copy = as_readers_do(script)
    network = _expected(work, facts, net.probabilities)
    check = work.checked(facts, "the TorchScript file", copy, network, tiles)
    check = work.with_speed(check, copy, network, tiles)
    return ExportedNetwork(facts, MODEL_NAME, sha256_of_bytes(script), check, "TorchScript")


def as_readers_do(script: bytes) -> Answer:
    """Return what WSInfer's readers make of tiles: pixels to 0 to 1, channels first, softmax of what comes back."""
    module = load_torchscript(script)

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            return np.asarray(module(planes).softmax(dim=1).numpy(), np.float32)

    return answer


def _expected(work: Handover, facts: ModelFacts, probabilities: Answer) -> Answer:
    """Return what the model itself says of tiles, by the way that SlideBridge predicts where there is one."""
    if has_taught_label_head(work.checkpoint):
        net, normalize = work.checkpoint.build(), Normalize(facts.card.normalization)
        assert isinstance(net, UNet | WeakNet), "no other has a label head"

        def from_label_head(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode():
                seen = normalize(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
                return np.asarray(net.classify(seen).softmax(dim=1).numpy(), np.float32)

        return from_label_head
    if facts.says_one_class:
        return probabilities
    return lambda pixels: np.asarray(probabilities(pixels).mean(axis=(2, 3)), np.float32)
