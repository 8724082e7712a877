"""Small trainings that a test does in this process, and ``torchrun`` in several: the same functions for both.

Imported by tests as ``ranked_trainings`` (``pythonpath`` in pyproject.toml); run by ``torchrun`` as a program.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import shapely
import torch
from net_support import TINY
from PIL import Image
from torch import Tensor

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, PatchLabel
from bridge.coords import Region
from bridge.errors import BridgeError
from bridge.slides import TissueOptions, TissueRule, open_slide
from models.data import AugmentationOptions, ClusterOptions, PatchOptions, StainJitterOptions, TrainingSlide
from models.errors import DamagedSlideError
from models.losses import SegmentationLoss
from models.nets import BatchRenorm2d, Net, NetKind, NetOptions
from models.training import (
    Candidate,
    ClusterSearch,
    DeepZoom,
    Design,
    Hybrid,
    HybridOptions,
    ModelOptions,
    PatchLoss,
    Patchwise,
    PatchwiseOptions,
    Ranks,
    RefinementBatches,
    TrainingOptions,
    Weak,
    WeakOptions,
    WeakSteps,
)
from models.training.ranks import gathered
from models.training.shared_net import SharedNet

SIDE = 160
SCHEME = ClassScheme({"Dark": (255, 0, 0), "Pale": (0, 0, 255)})
DISCS = [(x, y, 1 + (x // 32 + y // 32) % 2) for x in range(16, SIDE, 32) for y in range(16, SIDE, 32)]
WHOLE = TissueOptions(rule=TissueRule.WHOLE)
PATCH = replace(TINY, kind=NetKind.PATCH, decoder_channels=(1, 1), stem_channels=TINY.stem_channels)
OPTIONS = TrainingOptions(
    max_steps=6,
    max_seconds=None,
    batch_size=3,
    tile_px=32,
    learning_rate=1e-2,
    evaluate_every=1,
    checkpoint_every=2,
    patience=100,
    device="cpu",
)
PATCHES = PatchwiseOptions(
    mpp=0.5,
    net=PATCH,
    patches=PatchOptions(patch_px=16, stride_px=8),
    tissue=WHOLE,
    loss=PatchLoss.CWCE,
    clusters=ClusterSearch(ClusterOptions(count=3, restarts=2), batches=2, batch_size=8),
)
GUIDED = HybridOptions(
    mpp=0.5,
    net=PATCH,
    patches=PatchOptions(patch_px=16, stride_px=8),
    tissue=WHOLE,
    refinement=NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(8, 16), pretrained=False),
    refine_mpp=1.0,
    refine_px=64,
    batches=RefinementBatches(3, 2, replace(AugmentationOptions.none(), flips=True), StainJitterOptions(share=0.5)),
    folds=1,
)
LABELLED = replace(TINY, kind=NetKind.WEAK)
DESIGNS: dict[str, Design] = {
    "deepzoom": DeepZoom(ModelOptions(mpp=0.5, one_network=True, high=TINY, low=TINY)),
    "weak": Weak(WeakOptions(mpp=0.5, net=LABELLED)),
    "weak at once": Weak(WeakOptions(mpp=0.5, net=LABELLED, steps=WeakSteps.JOINT)),
    "patchwise": Patchwise(PATCHES),
    "refinement": Hybrid(replace(GUIDED, is_guided=False)),
    "hybrid": Hybrid(GUIDED),
}


BATCHES = {"patchwise": 13, "hybrid": 13}
"""Tiles of a step where they aren't `OPTIONS`': one number per patch is normalized, and by few rounding grows."""


@dataclass(frozen=True)
class Trained:
    """What a training came to: the loss of each step by net, and the weights."""

    losses: dict[str, list[float]]
    weights: dict[str, Tensor]


def paint(path: Path) -> None:
    """Write the picture that all trainings learn from: dark and pale discs."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    pixels = np.full((SIDE, SIDE, 3), (230, 190, 215), np.float64)
    for x, y, label in DISCS:
        pixels[(columns - x) ** 2 + (rows - y) ** 2 < 81] = (70, 40, 120) if label == 1 else (150, 120, 235)
    noise = np.random.default_rng(3).normal(0, 6, pixels.shape)
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(path)


def plan() -> LabelPlan:
    """Return what is labelled: masks and patch labels on the left, a box that judges on the right."""
    boxes = shapely.box(0, 0, 112, SIDE), shapely.box(120, 0, SIDE, SIDE)
    discs = [(shapely.Point(x, y).buffer(9), label) for x, y, label in DISCS]
    shapes = tuple(LabelledShape(disc, label) for disc, label in discs if any(box.contains(disc) for box in boxes))
    patches = tuple(PatchLabel(Region(x, y, 40, 40), label) for x, y, label in ((4, 4, 1), (50, 4, 2), (4, 100, 0)))
    return LabelPlan("one", shapes, boxes, hold_out=boxes[1:], patch_labels=patches)


def train(picture: Path, name: str, ranks: Ranks, **how: object) -> Candidate:
    """Do one training, alone or with others; ``how`` as `Design.fit` takes it."""
    options = replace(OPTIONS, batch_size=BATCHES.get(name, OPTIONS.batch_size))
    with open_slide(picture, mpp=(0.5, 0.5)) as slide:
        return DESIGNS[name].fit([TrainingSlide(slide, plan())], SCHEME, options, ranks=ranks, **how)  # type: ignore[arg-type]


def trained(candidate: Candidate) -> Trained:
    """Return what a candidate's training came to."""
    losses = {role.value: [entry.loss for entry in entries] for role, entries in candidate.history.items()}
    return Trained(losses, dict(candidate.checkpoint.weights))


@contextmanager
def nothing_dropped() -> Iterator[None]:
    """Leave dropout out within the block: what it drops depends on who trains a tile."""
    kinds = torch.nn.Dropout, torch.nn.Dropout2d
    before = [kind.forward for kind in kinds]
    for kind in kinds:
        kind.forward = lambda self, values: values  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for kind, forward in zip(kinds, before, strict=True):
            kind.forward = forward  # type: ignore[method-assign]


def after(asks: int) -> Callable[[], bool]:
    """Return what says stop when it was asked so many times."""
    calls = iter(range(10_000))
    return lambda: next(calls) >= asks


def failing_after(asks: int) -> Callable[[], bool]:
    """Return what fails when it was asked so many times, as if a slide could not be read."""
    is_over = after(asks)

    def ask() -> bool:
        if is_over():
            raise DamagedSlideError("a block is damaged", "one")
        return False

    return ask


def killed_after(asks: int) -> Callable[[], bool]:
    """Return what ends the process when it was asked so many times, without a word."""
    is_over = after(asks)

    def ask() -> bool:
        if is_over():
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return False

    return ask


def torchrun(*arguments: str, count: int = 2) -> list[str]:
    """Return the command that starts a program in some processes of this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [*launcher, *arguments]


def run_together(*arguments: str, count: int = 2) -> subprocess.CompletedProcess[str]:
    """Run this file in some processes; see `main` for the arguments."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = torchrun(__file__, *arguments, count=count)
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def read(folder: Path, name: str, rank: int = 0) -> Trained:
    """Return what a process wrote of a training."""
    losses = json.loads((folder / f"{name}-{rank}.json").read_text())
    return Trained(losses, safetensors.torch.load_file(folder / f"{name}-{rank}.safetensors"))


def _write(folder: Path, name: str, rank: int, found: Trained) -> None:
    (folder / f"{name}-{rank}.json").write_text(json.dumps(found.losses))
    weights = {key: tensor.contiguous() for key, tensor in found.weights.items()}
    safetensors.torch.save_file(weights, folder / f"{name}-{rank}.safetensors")


def _all_designs(folder: Path, ranks: Ranks) -> None:
    with nothing_dropped():
        for name in DESIGNS:
            found = ranks.together(lambda name=name: train(folder / "discs.png", name, ranks))
            _write(folder, name, ranks.rank, trained(found))


class _Normalizing(Net):
    """Both kinds of normalization that know a batch, and a score for each of three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 5, 3, padding=1),
            torch.nn.BatchNorm2d(5),
            torch.nn.ReLU(),
            torch.nn.Conv2d(5, 4, 3),
            BatchRenorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Conv2d(4, 3, 1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.body(pixels)
        return scores


def _arithmetic(folder: Path, ranks: Ranks) -> None:
    """Compare, in double precision, one backward pass of a shared batch with that of the whole; some have no tile."""
    generator = torch.Generator().manual_seed(0)
    loss = SegmentationLoss((1.0, 2.0, 0.5))
    worst = 0.0
    for tiles in (5, 2, 1):
        pixels = torch.rand(tiles, 3, 9, 9, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, 3, (tiles, 7, 7), generator=generator)
        labels[torch.rand(tiles, 7, 7, generator=generator) < 0.4] = 255
        torch.manual_seed(1)
        alone = _Normalizing().double()
        together = copy.deepcopy(alone)
        loss(alone(pixels), labels).backward()
        mine = ranks.share.portion(tiles).rows
        shared = SharedNet(together, ranks)
        loss(*gathered(ranks, shared(pixels[mine]), labels[mine])).backward()
        for (name, one), (_, other) in zip(alone.state_dict().items(), together.state_dict().items(), strict=True):
            assert torch.allclose(one, other, atol=1e-12), (tiles, name)
        pairs = zip(alone.parameters(), together.parameters(), strict=True)
        worst = max(worst, *(float((one.grad - other.grad).abs().max()) for one, other in pairs))  # type: ignore[operator]
    (folder / f"arithmetic-{ranks.rank}").write_text(repr(worst))


def _stopped_by_another(folder: Path, ranks: Ranks) -> None:
    """Stop on the word of the last process; the first keeps the state, as one process alone would."""
    stop = after(3) if ranks.rank == ranks.count - 1 else lambda: False
    kept = folder / "state" if ranks.is_first else None
    found = train(folder / "discs.png", "deepzoom", ranks, stop=stop, resume_folder=kept)
    (folder / f"stopped-{ranks.rank}").write_text(f"{found.is_finished} {found.checkpoint.card.steps}")


def _resumed(folder: Path, ranks: Ranks) -> None:
    """Go on with what a process alone has kept: only the first one sees it."""
    kept = folder / "alone" if ranks.is_first else None
    _write(folder, "resumed", ranks.rank, trained(train(folder / "discs.png", "deepzoom", ranks, resume_folder=kept)))


def _failing(folder: Path, ranks: Ranks) -> None:
    """Fail in the last process alone, then train on: each notes what ended the first training."""
    stop = failing_after(2) if ranks.rank == ranks.count - 1 else lambda: False
    try:
        ranks.together(lambda: train(folder / "discs.png", "deepzoom", ranks, stop=stop))
    except BridgeError as error:
        key = error.slide_key if isinstance(error, DamagedSlideError) else None
        (folder / f"failed-{ranks.rank}").write_text(f"{type(error).__name__} {key} {error}")
    _write(folder, "after", ranks.rank, trained(train(folder / "discs.png", "deepzoom", ranks)))


def _killed(folder: Path, ranks: Ranks) -> None:
    """Lose the last process in the middle; the first says so."""
    stop = killed_after(4) if ranks.rank == ranks.count - 1 else lambda: False
    kept = folder / "killed" if ranks.is_first else None
    if ranks.is_first:  # torchrun asks the others to end as soon as it sees one dead, before they may have seen it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        ranks.together(lambda: train(folder / "discs.png", "deepzoom", ranks, stop=stop, resume_folder=kept))
    except BridgeError as error:
        (folder / "lost").write_text(f"{type(error).__name__}: {error}")
        raise


STORIES = {
    "arithmetic": _arithmetic,
    "designs": _all_designs,
    "stopped": _stopped_by_another,
    "resumed": _resumed,
    "failing": _failing,
    "killed": _killed,
}


def main(folder: Path, stories: Sequence[str]) -> None:
    """Do some stories one after another, each in all processes."""
    from scripts.processes import Launch, open_ranks

    launch = Launch.read()
    assert launch is not None, "run by torchrun"
    with open_ranks(launch) as ranks:
        for story in stories:
            STORIES[story](folder, ranks)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2:])
