"""Training steps per second, tiles streamed from the slide, beside a plain DataLoader over tiles cut beforehand.

Both make the very same batches (this is checked), both train the same net by the same loss and optimizer. What cutting
took, in time and on the disk, is not charged to the DataLoader: it is told beside it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from shapely.geometry import Point

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.coords import Region
from bridge.errors import BridgeError
from bridge.slides import open_slide, write_pyramid
from models.checkpoints import DesignName, NetRole
from models.data import (
    Augmentation,
    BatchMaker,
    TileDataset,
    TrainingSlide,
    TreeSampler,
    batches_ahead,
    index_slide,
)
from models.losses import SegmentationLoss
from models.nets import Net, NetOptions, Normalization, Normalize, choose_device, place
from models.training import PresetName, TrainingOptions, preset
from models.training.fit import net_card
from models.training.loop import LoopInputs, NetTraining, make_optimizer
from models.training.task import scores_of
from models.training.transfer import set_statistics_frozen, start_net
from models.training.weak_task import WeakTask
from scripts.bench.cut_tiles import Augmenting, Batch, CutTiles, cut, load
from scripts.bench.measuring import MIB, Row, Scale, in_turn, ratio_at_least

NAME = "training"
TITLE = "Training: tiles streamed from the slide, beside tiles cut beforehand"
LIBRARIES = ("torch", "numpy", "openslide-python", "monai", "pillow")
_MPP = 0.5
_SCHEME = ClassScheme({"Dark": (255, 0, 0), "Pale": (0, 0, 255)})
_CLASS_WEIGHTS = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Side of the slide; for each training its name, options, steps of a run; batches of the data side alone."""

    side: int
    discs: int
    trainings: tuple[tuple[str, TrainingOptions, int], ...]
    batches: int
    workers: tuple[int, ...]
    runs: int


def sizes_of(scale: Scale) -> Sizes:
    """Return what is measured at a scale."""
    default, fast = TrainingOptions(), preset(DesignName.DEEPZOOM, PresetName.FAST).training
    if scale is Scale.FULL:
        return Sizes(4096, 150, (("default", default, 5), ("fast preset", fast, 16)), 24, (0, 2), 2)
    unbent = replace(default.augmentation, warp_share=0.0)  # to load MONAI takes longer than all of this
    small = replace(default, tile_px=64, batch_size=2, augmentation=unbent)
    return Sizes(768, 12, (("small, nothing bent", small, 2),), 3, (0,), 1)


class UnlikeBatchesError(BridgeError):
    """Streamed batches and cut ones aren't the same: nothing would be compared."""


def rows(scale: Scale) -> Iterator[Row]:
    """Measure the data side alone, then whole steps."""
    sizes = sizes_of(scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_slide(paint_slide(folder / "slide.tif", sizes), mpp=(_MPP, _MPP)) as slide:
            taught = TrainingSlide(slide, plan_of(sizes))
            for title, options, steps in sizes.trainings:
                cuts = folder / title
                cuts.mkdir()
                bench = _Bench.cut(taught, options, max(steps, sizes.batches), cuts)
                for workers in sizes.workers:
                    yield from bench.rows(title, steps, workers, sizes, is_full=scale is Scale.FULL)


def plan_of(sizes: Sizes) -> LabelPlan:
    """Return discs of two classes, scattered over an area where all is labelled."""
    generator = np.random.default_rng(3)
    centres = generator.uniform(40, sizes.side - 40, (sizes.discs, 2))
    radii = generator.uniform(20, 120, sizes.discs)
    discs = (Point(*centre).buffer(radius) for centre, radius in zip(centres.tolist(), radii.tolist(), strict=True))
    shapes = tuple(LabelledShape(disc, 1 + number % 2) for number, disc in enumerate(discs))
    return LabelPlan("slide", shapes, (Region(0, 0, sizes.side, sizes.side).to_polygon(),))


def paint_slide(path: Path, sizes: Sizes) -> Path:
    """Write a pyramid of JPEG tiles, as scanners do, that has something to compress in each."""
    generator = np.random.default_rng(4)
    coarse = generator.normal(0, 25, (sizes.side // 8, sizes.side // 8, 3)).repeat(8, axis=0).repeat(8, axis=1)
    pixels = coarse + generator.integers(-10, 10, coarse.shape) + np.array([215, 170, 205])
    write_pyramid(path, pixels.clip(0, 255).astype(np.uint8), (_MPP, _MPP), quality=85)
    return path


@dataclass(frozen=True, slots=True)
class _Bench:
    """One training's data, streamed and cut."""

    taught: TrainingSlide
    sampler: TreeSampler
    options: TrainingOptions
    tiles: CutTiles
    note: str

    @classmethod
    def cut(cls, taught: TrainingSlide, options: TrainingOptions, steps: int, folder: Path) -> _Bench:
        """Cut the tiles of some steps."""
        index = index_slide(taught, _SCHEME, _MPP)
        sampler = TreeSampler([index], {}, tile_px=options.tile_px, options=options.sampling, seed=options.seed)
        dataset = TileDataset([taught], _SCHEME, _MPP)
        drawn = (sampler.batch(step, options.batch_size) for step in range(steps))
        began = time.perf_counter()
        size = cut([[dataset.read(spot.slide_key, spot.window) for spot in batch] for batch in drawn], folder)
        count, seconds = steps * options.batch_size, time.perf_counter() - began
        note = f"cutting {count:,} tiles took {seconds:.1f} s and {size / MIB:.0f} MiB beforehand"
        return cls(taught, sampler, options, CutTiles(folder, steps, options.batch_size), note)

    def maker(self, cache_mb: float) -> BatchMaker:
        """Return what makes our batches, with no tile read yet."""
        options = self.options
        dataset = TileDataset([self.taught], _SCHEME, _MPP, cache_mb=cache_mb)
        augmentation = Augmentation(options.augmentation)
        return BatchMaker(dataset, self.sampler, augmentation, batch_size=options.batch_size, seed=options.seed)

    def rows(self, title: str, steps: int, workers: int, sizes: Sizes, *, is_full: bool) -> Iterator[Row]:
        """Measure beside a DataLoader of so many workers; its processes run before the clock does."""
        options = self.options
        batches = load(self.tiles, options.batch_size, Augmenting(options.augmentation, options.seed), workers)
        self._check(next(batches))
        peer = f"torch DataLoader, {workers} workers, PNG tiles"
        work = f"{title}, batches of {options.batch_size} × {options.tile_px}²"
        yield self._data_row(f"no net, {work}, blocks kept", options.cache_mb, batches, peer, sizes, 0.12)
        yield self._data_row(f"no net, {work}, no block kept", 0.0, batches, peer, sizes)
        trainings = [self._training(steps) for _ in range(sizes.runs)]
        plain = [self._plain_steps(batches, steps) for _ in range(sizes.runs)]
        ours, theirs, _, _ = in_turn(lambda: trainings.pop()(), lambda: plain.pop()(), runs=sizes.runs)
        target = ratio_at_least(1.0) if is_full else None
        rates = ours.rate(steps, "steps"), theirs.rate(steps, "steps")
        yield Row(f"training, {work}", rates[0], peer, rates[1], target, 0.15, self.note)

    def _check(self, batch: Batch) -> None:
        if not all(torch.equal(ours, theirs) for ours, theirs in zip(self.maker(0).make(0), batch, strict=True)):
            raise UnlikeBatchesError("the batch of cut tiles isn't the one that is streamed")

    def _data_row(
        self, work: str, cache_mb: float, batches: Iterator[Batch], peer: str, sizes: Sizes, least: float | None = None
    ) -> Row:
        maker = self.maker(cache_mb)
        if cache_mb:
            _draw(maker, sizes.batches)
        ours, theirs, _, _ = in_turn(
            lambda: _draw(maker, sizes.batches), lambda: _exhaust(batches, sizes.batches), runs=sizes.runs + 1
        )
        rates = ours.rate(sizes.batches, "batches"), theirs.rate(sizes.batches, "batches")
        return Row(work, rates[0], peer, rates[1], least_ratio=least)

    def _training(self, steps: int) -> Callable[[], None]:
        """Return our own training, ready to run: no block is in memory yet."""
        options = replace(self.options, max_steps=steps, max_seconds=None, evaluate_every=steps + 1)
        net = self._net()
        loss = SegmentationLoss(_CLASS_WEIGHTS, options.dice_share, options.pooled_share)
        device = choose_device(options.device)
        task = WeakTask(self.maker(options.cache_mb), None, net_normalization(), loss, _CLASS_WEIGHTS, device)
        inputs = LoopInputs("high", net, task, None, options.freeze_statistics, "bench")
        training = NetTraining(inputs, options, max_seconds=None)

        def run() -> None:
            training.run(stop=lambda: False, progress=None, clock=time.monotonic)

        return run

    def _plain_steps(self, batches: Iterator[Batch], steps: int) -> Callable[[], None]:
        """Return the same steps as one writes them with torch alone."""
        net, device = self._net(), choose_device(self.options.device)
        loss = SegmentationLoss(_CLASS_WEIGHTS, self.options.dice_share, self.options.pooled_share)
        normalize, optimizer = Normalize(net_normalization()).to(device), make_optimizer(net, self.options)

        def run() -> None:
            set_statistics_frozen(net, is_frozen=self.options.freeze_statistics)
            for pixels, labels in islice(batches, steps):
                optimizer.zero_grad()
                total = loss(scores_of(net, normalize, pixels), labels.to(device))
                total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()

        return run

    def _net(self) -> Net:
        card = net_card(NetRole.HIGH, NetOptions(), _MPP, _SCHEME, self.options)
        return place(start_net(card, None, seed=0, weights_path=None), choose_device(self.options.device))


def net_normalization() -> Normalization:
    """Return that of the net that is trained."""
    return NetOptions().normalization


def _draw(maker: BatchMaker, count: int) -> None:
    with batches_ahead(maker, 0) as batches:
        _exhaust(batches, count)


def _exhaust(batches: Iterator[Batch], count: int) -> None:
    for _ in islice(batches, count):
        pass
