"""What all exports of a model have in common: the model, its slides, its true answers, and the files beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.store import Store
from models.checkpoints import Checkpoint
from models.inference import Predictor, Runtime, open_session
from scripts.exporting.checking import Answer, Check, compare, measure, refuse_untrue
from scripts.exporting.choosing import chosen_checkpoint
from scripts.exporting.facts import ModelFacts
from scripts.exporting.folder import MARKER
from scripts.exporting.tiles import RealTiles, real_tiles
from scripts.progress import Progress
from scripts.project import Project, open_store
from scripts.version import program_version

CARD_NAME = "card.json"
README_NAME = "README.txt"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What an export of a model is asked for.

    Parameters
    ----------
    out
        A new folder, or an empty one.
    checkpoint
        The id's first digits; None for the model in use.
    licence
        Of the weights, in the user's words.
    is_forced
        Replace an export that is there; hand over what another program can't use as SlideBridge does.
    """

    out: Path
    checkpoint: str | None = None
    licence: str | None = None
    is_forced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Handover:
    """A model about to be exported, with its project open for reading."""

    project: Project
    store: Store
    checkpoint: Checkpoint
    progress: Progress
    clock: Callable[[], float]

    def checked(self, facts: ModelFacts, what: str, copy: Answer, network: Answer, tiles: RealTiles) -> Check:
        """Compare a copy with its network on real tiles.

        Raises
        ------
        ExportError
            It differs.
        """
        check = compare(copy, network, tiles.pixels, tiles.slides)
        refuse_untrue(check, f"{what} ({facts.title})")
        return check

    def with_speed(self, check: Check, copy: Answer, network: Answer, tiles: RealTiles) -> Check:
        """Return a check that knows how quick the copy is, too; on one core each: torch waits long for busy ones."""
        with _one_torch_thread():
            seconds, torch_seconds = measure(copy, network, tiles.pixels[0], self.clock)
        return Check(check.largest_difference, check.tiles, check.slides, check.batch_sizes, seconds, torch_seconds)

    def network(self, facts: ModelFacts) -> Predictor:
        """Return one network as SlideBridge itself runs it, by torch."""
        return Predictor(self.checkpoint, role=facts.role, device="cpu", runtime=Runtime.TORCH)

    def tiles(self, net: Predictor, tile_px: int) -> RealTiles:
        """Read tiles of the project's slides."""
        return real_tiles(self.project, self.store, net, tile_px)


@contextmanager
def handover(
    project: Project, request: ModelRequest, progress: Progress, clock: Callable[[], float]
) -> Iterator[Handover]:
    """Open what an export of a model needs; nothing of the project is written to.

    Raises
    ------
    ExportError
        There is no such model.
    """
    checkpoint = chosen_checkpoint(project, request.checkpoint)
    with open_store(project, is_dry_run=True) as store:
        yield Handover(project, store, checkpoint, progress, clock)


def onnx_answer(model: bytes, feed: Callable[[NDArray[np.uint8]], NDArray[np.generic]]) -> Answer:
    """Return what an ONNX model answers to tiles, by ONNX Runtime with one thread.

    Parameters
    ----------
    feed
        Tiles as the model takes them.
    """
    session = open_session(model, threads=1)
    (name,) = (found.name for found in session.get_inputs())

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        (found,) = session.run(None, {name: feed(pixels)})
        return np.asarray(found, np.float32)

    return answer


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def write_card(folder: Path, checkpoint: Checkpoint, licence: str, facts: Mapping[str, object]) -> None:
    """Write the card beside a model: who made it, of what, and what the export says of itself."""
    card = {
        "program": f"SlideBridge {program_version()}".strip(),
        "checkpoint": checkpoint.id,
        "design": checkpoint.card.design,
        "iteration": checkpoint.card.iteration,
        "created": checkpoint.card.created,
        "metrics": dict(sorted(checkpoint.card.metrics.items())),
        "licence": licence,
        **facts,
    }
    text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / CARD_NAME).write_text(text + "\n", "utf-8", newline="\n")


def write_text(path: Path, text: str) -> None:
    """Write a text for people."""
    path.write_text(text.strip("\n") + "\n", "utf-8", newline="\n")


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def file_list(folder: Path) -> tuple[str, ...]:
    """Return the files in a folder, with ``/`` between folders; without our mark."""
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MARKER)
    return tuple(sorted(found))
