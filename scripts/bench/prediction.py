"""Whole slides predicted on the CPU, beside the bare network and other programs with the same one.

A slide of tissue from edge to edge, 512² tiles that share 64 pixels, the U-Net of ``deepzoom``'s high-resolution pass
with four classes. Every program has all cores, the same weights and a process of its own; theirs get the network as
ONNX or TorchScript. What each makes of the slide is compared pixel by pixel with ours.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from scripts.bench.huge_slide import HugeSlide, write_huge_slide
from scripts.bench.measuring import MIB, Cost, Figure, Row, Scale, at_least, at_most, cost_of, in_child, ratio_at_least
from scripts.bench.networks import MPP, TILE_PX, NetworkFiles, write_networks
from scripts.bench.peers import PeerMissing, ask_peer
from scripts.bench.predicting import (
    OVERLAP_PX,
    Predicted,
    bare_onnxruntime,
    bare_torch,
    slide_to_bands,
    slide_to_outlines,
)

NAME = "prediction"
TITLE = "Whole slides predicted on the CPU"
LIBRARIES = ("numpy", "torch", "onnxruntime", "openslide-python", "openslide-bin", "pillow")
_MOST_MIB = 600
_LEAST_SHARE = 80
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tiles per side of the slide, and how often each work is done."""

    across: int
    runs: int
    forwards: int


SIZES = {Scale.FULL: Sizes(10, 3, 60), Scale.SMOKE: Sizes(2, 1, 4)}


@dataclass(frozen=True, slots=True)
class Ground:
    """What all of them work on."""

    scale: Scale
    slide: Path
    networks: NetworkFiles
    folder: Path

    @property
    def sizes(self) -> Sizes:
        """How much of everything."""
        return SIZES[self.scale]

    @property
    def tiles(self) -> int:
        """Ours; others may cut more."""
        return self.sizes.across**2

    @property
    def labels(self) -> Path:
        """Where ours lie."""
        return self.folder / "ours.npy"

    def rate(self, seconds: Figure) -> Figure:
        """Return our tiles per second."""
        return seconds.rate(self.tiles, "tiles")


@dataclass(frozen=True, slots=True)
class Ours:
    """What we took, run by run, and the labels that we found."""

    seconds: Figure
    peak: Figure
    last: Predicted
    labels: NDArray[np.uint8]


def rows(scale: Scale) -> Iterator[Row]:
    """Measure ours in turn with the bare network, then the others, each once."""
    with tempfile.TemporaryDirectory(prefix="slidebridge-") as scratch:
        yield from _rows(_ground(Path(scratch), scale))


def _rows(ground: Ground) -> Iterator[Row]:
    ours, forward = _beside_the_bare_network(ground)
    work, rate = f"slide file → bands, {ground.tiles} tiles of {TILE_PX}²", ground.rate(ours.seconds)
    bare = f"{os.cpu_count()} cores; theirs: no file, no glue"
    yield Row(work, rate, "ONNX Runtime, bare forward", forward, ratio_at_least(0.85), 0.4, bare)
    yield _network_share(ours.last)
    if ground.scale is Scale.SMOKE:
        return
    _, outlines = in_child(slide_to_outlines, ground.slide, ground.networks.checkpoint)
    to_outlines = f"slide file → outlines and scores for boxes, {ground.tiles} tiles"
    end = ground.rate(Figure.of([outlines.seconds]))
    yield Row(to_outlines, end, "ONNX Runtime, bare forward", forward, note=outlines.note)
    _, eager = in_child(bare_torch, ground.networks.checkpoint, ground.sizes.forwards)
    torch_rate = eager.rate(ground.sizes.forwards, "tiles")
    yield Row(work, rate, "torch eager, bare forward", torch_rate, ratio_at_least(1.0))
    yield Row("bare forward, ONNX Runtime", forward, "torch eager, bare forward", torch_rate)
    script = ground.networks.torchscript
    yield from _beside(ground, ours, work, "pyFAST", "fast", ground.networks.onnx)
    yield from _beside(ground, ours, work, "MONAI", "monai", script)
    yield from _beside(ground, ours, work, "TIAToolbox", "tiatoolbox", script)


def _ground(folder: Path, scale: Scale) -> Ground:
    sizes = SIZES[scale]
    side = sizes.across * (TILE_PX - OVERLAP_PX) + OVERLAP_PX
    slide = folder / "slide.tif"
    write_huge_slide(slide, HugeSlide(side, side, MPP))
    return Ground(scale, slide, _apart(scale, write_networks, folder, for_others=scale is Scale.FULL)[1], folder)


def _apart(scale: Scale, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[Cost, T]:
    """Do a work in a process of its own; the smoke run has no time to load torch again and again."""
    if scale is Scale.FULL:
        return in_child(work, *arguments, **named)
    return cost_of(lambda: work(*arguments, **named))


def _beside_the_bare_network(ground: Ground) -> tuple[Ours, Figure]:
    """Do both in turn, each time in a fresh process; who begins changes."""
    networks, count, scale = ground.networks, ground.sizes.forwards, ground.scale
    runs: list[tuple[Cost, Predicted]] = []
    forwards: list[float] = []
    for number in range(ground.sizes.runs):
        works: list[Callable[[], None]] = [
            lambda: runs.append(_apart(scale, slide_to_bands, ground.slide, networks.checkpoint, ground.labels)),
            lambda: forwards.append(_apart(scale, bare_onnxruntime, networks.own_onnx, count)[1].median),
        ]
        for work in works[:: -1 if number % 2 else 1]:
            work()
    ours = Ours(
        Figure.of([run.seconds for _, run in runs]),
        Figure.of([cost.peak_bytes / MIB for cost, _ in runs], "MiB"),
        runs[-1][1],
        np.load(ground.labels),
    )
    return ours, Figure.of(forwards).rate(count, "tiles")


def _network_share(run: Predicted) -> Row:
    share = Figure.of([100 * run.cost.network / run.seconds], "%")
    return Row(
        "slide file → bands: share of the time in the network",
        share,
        target=at_least(_LEAST_SHARE, "%"),
        note=f"mean of its threads; {run.note}",
    )


def _beside(ground: Ground, ours: Ours, work: str, peer: str, name: str, network: Path) -> Iterator[Row]:
    """Yield the speed and the memory beside one peer's, which predicts the slide once."""
    rate, labels = ground.rate(ours.seconds), ground.folder / f"{name}.npy"
    speed = Row(work, rate, peer, target=ratio_at_least(1.0))
    memory = Row("slide file → bands: memory of the process", ours.peak, peer, target=at_most(_MOST_MIB, "MiB"))
    try:
        (said,) = ask_peer(name, f"{name}_predict.py", ground.slide, network, TILE_PX, OVERLAP_PX, labels)
    except PeerMissing as error:
        missing = f"not measured: {error}"
        yield replace(speed, note=missing)
        yield replace(memory, note=missing)
        return
    same = 100 * _agreement(ours.labels, np.load(labels))
    note = f"{said['tiles']} tiles; same class as ours in {same:.1f} % of pixels"
    yield replace(speed, theirs=Figure.of([said["seconds"]]).rate(said["tiles"], "tiles"), note=note)
    yield replace(memory, theirs=Figure.of([said["peak_bytes"] / MIB], "MiB"))


def _agreement(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    """Return the share of equal labels; theirs may reach over the slide, or have an axis of one channel."""
    found = theirs.reshape(theirs.shape[:2])[: ours.shape[0], : ours.shape[1]]
    return float((ours[: found.shape[0], : found.shape[1]] == found).mean())
