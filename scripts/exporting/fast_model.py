"""``export fast``: a model for FastPathology, as a text pipeline and the network that it runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import NetRole
from models.inference import InputForm, export_onnx, with_facts
from models.nets import NetKind
from scripts.exporting.errors import ExportError
from scripts.exporting.facts import ModelFacts, facts_of, stain_notes
from scripts.exporting.fast_pipeline import FastPipeline, fits, fitting_overlap
from scripts.exporting.folder import ExportKind, check_place, new_folder
from scripts.exporting.handing_over import (
    README_NAME,
    Handover,
    ModelRequest,
    file_list,
    handover,
    onnx_answer,
    sha256_of_bytes,
    write_card,
    write_text,
)
from scripts.exporting.outcome import ExportedModel, ExportedNetwork
from scripts.exporting.readme_fast import fast_readme
from scripts.options import PredictOptions
from scripts.progress import Progress
from scripts.project import Project

_OVERLAP_SHARE = 8  # neighbouring tiles of a refinement share one eighth, as SlideBridge's own do
_RGB = 3


def export_fast(
    project: Project, request: ModelRequest, progress: Progress, clock: Callable[[], float]
) -> ExportedModel:
    """Write a folder with ``pipelines/NAME.fpl`` and ``models/NAME.onnx``, as FastPathology has them.

    Raises
    ------
    ExportError
        As for ONNX; or the model was trained on slides whose stain was matched, which FAST can't do, and nobody forces
        it; or FAST has no tiles of its size.
    """
    check_place(request.out, ExportKind.FAST, project, is_forced=request.is_forced)
    with handover(project, request, progress, clock) as work:
        facts, notes = _network_for_fast(work, request)
        progress.start("exporting", 1)
        name = f"slidebridge-{work.checkpoint.id[:8]}"
        pipeline = _pipeline(facts, f"{name}.onnx", project.settings.predict)
        with new_folder(request.out, ExportKind.FAST, project, is_forced=request.is_forced) as folder:
            for part in ("models", "pipelines"):
                (folder / part).mkdir()
            model = with_facts(
                export_onnx(work.checkpoint, facts.role, tile_px=pipeline.tile_px, form=InputForm.PLANES),
                facts.as_properties(_layout(facts, pipeline)),
            )
            (folder / "models" / pipeline.model_file).write_bytes(model)
            (folder / "pipelines" / f"{name}.fpl").write_text(pipeline.text(), "utf-8", newline="\n")
            network = _checked(work, facts, pipeline, model)
            about = {"networks": [network.as_json()], "pipeline": f"pipelines/{name}.fpl", "notes": list(notes)}
            write_card(folder, work.checkpoint, facts.licence, about)
            write_text(folder / README_NAME, fast_readme(facts, pipeline, f"{name}.fpl", notes))
            files = file_list(folder)
        progress.advance()
    next_step = "copy pipelines/ and models/ into `fastpathology` in your home folder, and start FastPathology"
    return ExportedModel(request.out, work.checkpoint.id, (network,), notes, next_step, files)


def _network_for_fast(work: Handover, request: ModelRequest) -> tuple[ModelFacts, tuple[str, ...]]:
    """Return the network that FAST runs, and what of the model it leaves out."""
    every = facts_of(work.checkpoint, work.project.scheme, licence=request.licence)
    chosen = next(one for one in every if one.role is NetRole.HIGH)
    notes = [*stain_notes(work.checkpoint.card, chosen.role, "FAST", is_forced=request.is_forced)]
    notes += [
        f"FAST runs the network {chosen.title!r} over all tissue; {other.title!r}, which {other.purpose}, is left out"
        for other in every
        if other is not chosen
    ]
    notes.append("FAST finds tissue by its own rule and blends no tiles, so a few pixels at tiles' edges may differ")
    if chosen.says_one_class and not fits(chosen.card.tile_px):
        raise ExportError(
            f"FAST cuts no tiles of {chosen.card.tile_px} px; train with [model] patch_px a multiple of 16"
        )
    return chosen, tuple(notes)


def _pipeline(facts: ModelFacts, model_file: str, predict: PredictOptions) -> FastPipeline:
    tile_px, overlap_px = predict.tile_px, predict.overlap_px
    if facts.says_one_class:
        tile_px, overlap_px = facts.card.tile_px, 0
    elif facts.card.options.kind is NetKind.REFINEMENT:
        tile_px = facts.card.tile_px
        overlap_px = tile_px // _OVERLAP_SHARE
    tile_px = -(-tile_px // (step := max(16, facts.stride))) * step  # FAST's multiple, and the network's
    described = f"Made by SlideBridge from model {facts.checkpoint_id}. It {facts.purpose}."
    return FastPipeline(
        f"SlideBridge {facts.checkpoint_id[:8]}",
        described,
        facts.classes,
        facts.colours,
        model_file,
        facts.card.mpp,
        tile_px,
        overlap_px if facts.says_one_class else fitting_overlap(tile_px, overlap_px),
        facts.says_one_class,
    )


def _layout(facts: ModelFacts, pipeline: FastPipeline) -> dict[str, str]:
    side = pipeline.tile_px
    out = "(n, classes)" if facts.says_one_class else f"(n, classes, {side}, {side})"
    return {
        "input_layout": f"pixels: float32 (n, {_RGB}, {side}, {side}), red, green, blue, 0 to 255, not normalized",
        "output_layout": f"probabilities: float32 {out}, in the order of the classes, summing to 1",
    }


def _checked(work: Handover, facts: ModelFacts, pipeline: FastPipeline, model: bytes) -> ExportedNetwork:
    net = work.network(facts)
    tiles = work.tiles(net, pipeline.tile_px)
    copy = onnx_answer(model, _as_planes)
    check = work.checked(facts, "the ONNX file", copy, net.probabilities, tiles)
    check = work.with_speed(check, copy, net.probabilities, tiles)
    return ExportedNetwork(facts, f"models/{pipeline.model_file}", sha256_of_bytes(model), check, "ONNX Runtime")


def _as_planes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2).astype(np.float32))
