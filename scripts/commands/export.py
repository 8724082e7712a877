"""``slidebridge export``: the model for other programs, and people's labels as a data set."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.commands.common import AsJson, ProjectPath, print_json
from scripts.telling import tell

if TYPE_CHECKING:
    from scripts.exporting.dataset_request import ExportedDataset
    from scripts.exporting.handing_over import ModelRequest
    from scripts.exporting.outcome import ExportedModel
    from scripts.progress import Progress
    from scripts.project import Project

app = typer.Typer(
    no_args_is_help=True, help="Hand the model over to other programs, or your labels to other training programs."
)

Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder, outside of the project.")]
CheckpointId = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="ID", help="Another model of the project; its id's first digits do."),
]
Licence = Annotated[
    str | None, typer.Option("--licence", metavar="TEXT", help="Of the model: written into the export, as you say it.")
]
Replace = Annotated[bool, typer.Option("--force", help="Replace an export of the same kind that is there.")]
ForceModel = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace an export of the same kind that is there; hand over a model that needs slides stained alike.",
    ),
]


class TileFiles(StrEnum):
    """Formats of tiles; as ``scripts.exporting.dataset_request.TileFormat``."""

    PNG = "png"
    TIF = "tif"


@app.command("onnx")
def onnx(
    out: Out,
    checkpoint: CheckpointId = None,
    one_network: Annotated[
        bool,
        typer.Option("--one-network", help="Leave the coarse network out; the fine one then goes over all tissue."),
    ] = False,
    licence: Licence = None,
    project: ProjectPath = Path(),
    force: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Write the model's networks as ONNX: pixels in, probabilities out, for any program with ONNX Runtime.

    Each file is compared with the model on tiles of your slides before it is handed over.
    """
    from scripts.exporting.handing_over import ModelRequest
    from scripts.exporting.onnx_model import export_onnx_model

    export = partial(export_onnx_model, one_network=one_network)
    _hand_over(export, project, ModelRequest(out, checkpoint, licence, force), as_json=as_json)


@app.command("fast")
def fast(
    out: Out,
    checkpoint: CheckpointId = None,
    licence: Licence = None,
    project: ProjectPath = Path(),
    force: ForceModel = False,
    as_json: AsJson = False,
) -> None:
    """Write the model for FastPathology: a text pipeline (.fpl) and the network that it runs.

    The network is compared with the model on tiles of your slides before it is handed over.
    """
    from scripts.exporting.fast_model import export_fast
    from scripts.exporting.handing_over import ModelRequest

    _hand_over(export_fast, project, ModelRequest(out, checkpoint, licence, force), as_json=as_json)


@app.command("wsinfer")
def wsinfer(
    out: Out,
    checkpoint: CheckpointId = None,
    tile_px: Annotated[
        int | None,
        typer.Option(
            "--tile-px",
            help="Side of the tiles that get a class, pixels of the model.",
            show_default="as it was trained",
        ),
    ] = None,
    licence: Licence = None,
    project: ProjectPath = Path(),
    force: ForceModel = False,
    as_json: AsJson = False,
) -> None:
    """Write the model as a folder that QuPath's WSInfer extension, and WSInfer itself, load: one class per tile.

    The network is compared with the model on tiles of your slides before it is handed over.
    """
    from scripts.exporting.handing_over import ModelRequest
    from scripts.exporting.wsinfer_model import export_wsinfer

    export = partial(export_wsinfer, tile_px=tile_px)
    _hand_over(export, project, ModelRequest(out, checkpoint, licence, force), as_json=as_json)


@app.command("dataset")
def dataset(
    out: Out,
    tile_px: Annotated[int, typer.Option("--tile-px", help="Side of a tile, pixels of --mpp.")] = 512,
    mpp: Annotated[
        float | None, typer.Option(help="Micrometres per pixel.", show_default="the project's [model] mpp")
    ] = None,
    files: Annotated[TileFiles, typer.Option("--format", help="Of the tiles; both lose nothing.")] = TileFiles.PNG,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="One label mask (.tif, with reduced levels) per slide; no tiles, no pictures."),
    ] = False,
    project: ProjectPath = Path(),
    force: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Write what people labelled as tiles and label masks for nnU-Net, MONAI and others, and as GeoJSON.

    Only what people said is in it; where nobody said anything, pixels are marked to be ignored. What is held out in the
    project is apart. Exit status 1 if a slide had to be left out.
    """
    from datetime import UTC, datetime

    from scripts.exporting.dataset import export_dataset
    from scripts.exporting.dataset_request import DatasetRequest, TileFormat
    from scripts.progress import show_progress
    from scripts.project import open_project

    request = DatasetRequest(out, tile_px, mpp, TileFormat(files.value), whole, force)
    with show_progress(is_shown=not as_json) as progress:
        done = export_dataset(open_project(project), request, datetime.now(UTC), progress)
    _tell(done, as_json=as_json)
    if done.problems:
        raise typer.Exit(1)


def _hand_over(
    export: Callable[[Project, ModelRequest, Progress, Callable[[], float]], ExportedModel],
    project: Path,
    request: ModelRequest,
    *,
    as_json: bool,
) -> None:
    from scripts.progress import show_progress
    from scripts.project import open_project

    with show_progress(is_shown=not as_json) as progress:
        done = export(open_project(project), request, progress, perf_counter)
    _tell(done, as_json=as_json)


def _tell(done: ExportedModel | ExportedDataset, *, as_json: bool) -> None:
    if as_json:
        print_json(done.as_json())
    else:
        tell(done.lines())
