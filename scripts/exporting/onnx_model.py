"""``export onnx``: every network of a model as an ONNX file that any program with ONNX Runtime can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.inference import export_onnx, with_facts
from scripts.exporting.facts import ModelFacts, facts_of, stain_note
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
from scripts.exporting.readme_onnx import onnx_readme
from scripts.progress import Progress
from scripts.project import Project

RUNTIME = "ONNX Runtime"


def export_onnx_model(
    project: Project,
    request: ModelRequest,
    progress: Progress,
    clock: Callable[[], float],
    *,
    one_network: bool = False,
) -> ExportedModel:
    """Write every network of a model as ONNX, each checked against the model itself.

    Parameters
    ----------
    one_network
        Leave the coarse network of ``deepzoom`` out.

    Raises
    ------
    ExportError
        The folder is somebody's, there is no model, no slide can be read, or a copy isn't true.
    """
    check_place(request.out, ExportKind.ONNX, project, is_forced=request.is_forced)
    with handover(project, request, progress, clock) as work:
        card = work.checkpoint.card
        facts = facts_of(work.checkpoint, project.scheme, licence=request.licence, one_network=one_network)
        progress.start("exporting", len(facts))
        with new_folder(request.out, ExportKind.ONNX, project, is_forced=request.is_forced) as folder:
            networks = tuple(_export(work, one, folder) for one in facts)
            note = stain_note(card, [one.role for one in facts])
            notes = () if note is None else (note,)
            about = {"networks": [network.as_json() for network in networks], "notes": list(notes)}
            write_card(folder, work.checkpoint, facts[0].licence, about)
            write_text(folder / README_NAME, onnx_readme(work.checkpoint, networks, notes))
            files = file_list(folder)
    return ExportedModel(
        request.out, work.checkpoint.id, networks, notes, f"how to use it is in {request.out / README_NAME}", files
    )


def layout_of(facts: ModelFacts) -> dict[str, str]:
    """Return the input and the output of a network in words."""
    colours = "red, green, blue" + (", heat map" if facts.channels > 3 else "")
    out = "(n, classes)" if facts.says_one_class else "(n, classes, height, width)"
    return {
        "input_layout": f"pixels: uint8 (n, height, width, {facts.channels}), {colours}, 0 to 255, not normalized;"
        f" height and width multiples of {facts.stride}, as many tiles at a time as you like",
        "output_layout": f"probabilities: float32 {out}, in the order of the classes, summing to 1",
    }


def _export(work: Handover, facts: ModelFacts, folder: Path) -> ExportedNetwork:
    model = with_facts(export_onnx(work.checkpoint, facts.role), facts.as_properties(layout_of(facts)))
    net = work.network(facts)
    tiles = work.tiles(net, facts.card.tile_px)
    copy = onnx_answer(model, lambda pixels: pixels)
    check = work.checked(facts, "the ONNX file", copy, net.probabilities, tiles)
    check = work.with_speed(check, copy, net.probabilities, tiles)
    name = f"{facts.title}.onnx"
    (folder / name).write_bytes(model)
    work.progress.advance(note=facts.title)
    return ExportedNetwork(facts, name, sha256_of_bytes(model), check, RUNTIME)
