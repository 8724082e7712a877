"""How prediction grows with a slide: with its tissue, with its objects, and what memory the largest slides take.

Slides are generated (`scripts.bench.huge_slide`): 100,000² px at 0.25 µm. Each is predicted in a process of its own as
the loop does it (`predict_slide`: tissue, bands, network, gluing, outlines, cells for boxes). Nets are small but for
one row: what is to be seen is everything beside the network, which is linear in tiles. ``python -m scripts.bench
scale_slides``; SlideBridge alone: nobody else's tool does the same work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import ParamSpec, TypeVar

from bridge.annotations import ClassScheme
from bridge.annotations.roles import Marker, Reconciliation
from bridge.annotations.writing import WriteOptions, choose_predictions, compose_edits
from bridge.imagescope import apply_edits
from bridge.imagescope.plain import write_imagescope
from bridge.slides import TissueOptions
from models.checkpoints import DesignName
from models.inference import PredictionOptions, open_predictor
from scripts.bench.drawn_map import DrawnMap
from scripts.bench.huge_slide import SIDE, HugeSlide, write_huge_slide
from scripts.bench.measuring import Cost, Figure, Row, Scale, Scaling, at_most, cost_of, in_child, timed
from scripts.bench.save_to_predictions import save_to_predictions
from scripts.bench.small_models import NAMES, small_checkpoint
from scripts.loop.drawing import PredictorBands
from scripts.loop.prediction_cache import PredictionCache
from scripts.loop.slide_work import SlidePrediction, predict_slide
from scripts.options import PredictOptions, ProposeOptions

P = ParamSpec("P")
T = TypeVar("T")
NAME = "scale_slides"
TITLE = "One huge slide"
MOST_MIB = 3072.0
_MPP = 0.25
_SMOKE_SIDE = 4_096
_AREAS = (1, 4, 16)  # of tissue, relative
_STRIDE_PX = 16  # of patchwise's map: a fine one
_MOST_EXPONENT = 1.15
_SMOKE_EXPONENT = 1.6  # small sizes on a busy machine


@dataclass(frozen=True, slots=True)
class Work:
    """One prediction of a whole slide.

    Parameters
    ----------
    share
        Of the slide's area that is tissue.
    region_um
        Side of the boxes to be proposed: the smaller, the more cells a slide has.
    """

    design: DesignName
    mpp: float
    share: float
    side: int
    region_um: float = 500.0
    one_network: bool = True
    is_default: bool = False

    @property
    def text(self) -> str:
        """What is measured, for the table."""
        passes = "" if self.design is not DesignName.DEEPZOOM else ", one pass" if self.one_network else ", two passes"
        net = ", default net" if self.is_default else ""
        boxes = "" if self.region_um == 500 else f", boxes of {self.region_um:g} µm"
        return f"{self.design.value}{passes}{net}, {self.side:,}² px at {self.mpp:g} µm, {self.share:.1%} tissue{boxes}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a prediction brought, its seconds, and those of all processors together."""

    outlines: int
    tiles: int
    seconds: float
    processor_seconds: float


def rows(scale: Scale) -> Iterator[Row | Scaling]:
    """Measure memory of every design, growth with tissue and with objects."""
    with tempfile.TemporaryDirectory() as folder:
        for work in _memory_works(scale):
            yield _memory(work, scale, Path(folder))
        yield _growth_with_tissue(scale, Path(folder))
        yield from _growth_with_objects(scale, Path(folder))
    if scale is Scale.FULL:
        yield save_to_predictions()


def _memory_works(scale: Scale) -> Iterator[Work]:
    """Yield what memory is measured of: nothing in the smoke run, which judges none."""
    if scale is Scale.SMOKE:
        return
    plain = Work(DesignName.DEEPZOOM, 1.0, 0.5, SIDE)
    yield plain
    yield replace(plain, mpp=0.5, share=0.03)
    yield replace(plain, share=0.02, is_default=True)
    yield replace(plain, share=0.03, one_network=False)
    yield replace(plain, share=0.01, design=DesignName.PATCHWISE)
    yield replace(plain, share=0.03, design=DesignName.HYBRID)
    yield replace(plain, share=0.03, design=DesignName.WEAK)
    yield replace(plain, share=0.02, region_um=50.0)


def _run(scale: Scale, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[Cost, T]:
    """Do a work in a process of its own; the smoke run has no time to start any, and warms this one up."""
    if scale is Scale.SMOKE:
        return cost_of(lambda: work(*arguments, **named))
    return in_child(work, *arguments, **named)


def _memory(work: Work, scale: Scale, folder: Path) -> Row:
    cost, found = _run(scale, predict_work, work, _slide(folder, work.side, work.share))
    note = f"{found.tiles:,} tiles, {found.outlines:,} outlines, {found.seconds:.0f} s; peak of the whole process"
    return Row(work.text, cost.peak, target=at_most(MOST_MIB, "MiB"), note=note)


def _growth_with_tissue(scale: Scale, folder: Path) -> Scaling:
    """Measure ×1, ×4 and ×16 tissue on one size of slide; what an empty one takes is taken off, and told."""
    side = SIDE if scale is Scale.FULL else _SMOKE_SIDE
    areas, mpp = (_AREAS, 1.0) if scale is Scale.FULL else (_AREAS[::2], 0.5)  # finer: more tiles than one
    works = [Work(DesignName.DEEPZOOM, mpp, area / 64, side) for area in (0, *areas)]
    if scale is Scale.SMOKE:
        _run(scale, predict_work, works[1], _slide(folder, side, works[1].share))
    empty, *seconds = [
        _run(scale, predict_work, work, _slide(folder, side, work.share))[1].processor_seconds for work in works
    ]
    return Scaling(
        f"deepzoom, one pass, {side:,}² px at {mpp:g} µm, 1.6 % tissue and more of it",
        tuple(float(area) for area in areas),
        tuple(Figure.of([max(value - empty, 1e-3)]) for value in seconds),
        "× tissue",
        _SMOKE_EXPONENT if scale is Scale.SMOKE else _MOST_EXPONENT,
        f"processor time; the same slide without tissue takes {empty:.1f} s, which are taken off",
    )


def _growth_with_objects(scale: Scale, folder: Path) -> Iterator[Scaling]:
    numbers = (1_000, 10_000, 100_000) if scale is Scale.FULL else (500, 2_000)
    found = [_run(scale, work_of_objects, number, folder) for number in numbers]
    for place, work in enumerate(_OBJECT_WORKS):
        yield Scaling(
            work,
            tuple(float(number) for number in numbers),
            tuple(Figure.of([steps[place]]) for _, steps in found),
            "objects",
            _SMOKE_EXPONENT if scale is Scale.SMOKE else _MOST_EXPONENT,
            _peaks(found) if place == 0 else "",
        )


_OBJECT_WORKS = (
    "objects of a map → outlines, simplified",
    "outlines → what is written, edits made in annotations.xml",
    "outlines kept and loaded again (prediction cache)",
)


def _peaks(found: list[tuple[Cost, tuple[float, ...]]]) -> str:
    return "processor time; peak memory of the process " + ", ".join(str(cost.peak) for cost, _ in found)


def predict_work(work: Work, path: Path) -> Found:
    """Predict a slide whole, as the loop does."""
    checkpoint = small_checkpoint(work.design, work.mpp, is_default=work.is_default)
    predictor = open_predictor(
        checkpoint,
        one_network=work.one_network,
        stride_px=_STRIDE_PX if work.design is DesignName.PATCHWISE else None,
        device="cpu",
    )
    predict = PredictOptions()
    options = PredictionOptions(predict.tile_px, predict.overlap_px, predict.batch_size, predict.workers)
    spent = process_time()
    seconds, found = timed(
        lambda: predict_slide(
            path,
            (_MPP, _MPP),
            PredictorBands(predictor, options),
            predictor.map_mpp,
            predict,
            ProposeOptions(region_um=work.region_um),
            TissueOptions(),
        )
    )
    assert found is not None and found.cost is not None, "nobody stops it"
    return Found(len(found.predictions), found.cost.tiles, seconds, process_time() - spent)


def work_of_objects(number: int, folder: Path) -> tuple[float, ...]:
    """Take so many objects from a map into a file, and into the cache and back; return the seconds of each."""
    drawn = DrawnMap(number)
    side = -(-drawn.side // 32) * 32
    path = folder / f"objects-{number}.tif"
    write_huge_slide(path, HugeSlide(side, side))
    outlining, found = timed(
        lambda: predict_slide(
            path,
            (_MPP, _MPP),
            drawn,
            _MPP * drawn.downsample,
            PredictOptions(),
            ProposeOptions(),
            TissueOptions(),
        ),
        process_time,
    )
    assert found is not None and len(found.predictions) >= number, "nobody stops it, and every object is found"
    cache = PredictionCache(folder / "predictions")
    writing, _ = timed(lambda: _written(found), process_time)
    saving, _ = timed(lambda: _keep(cache, str(number), found), process_time)
    loading, _ = timed(lambda: cache.load(str(number)), process_time)
    return outlining, writing, saving + loading


def _keep(cache: PredictionCache, key: str, found: SlidePrediction) -> None:
    cache.save(key, found)


def _written(found: SlidePrediction) -> bytes:
    scheme = ClassScheme(dict.fromkeys(NAMES[1:], (200, 0, 0)))
    people = Reconciliation((), (), Marker.NEWEST)
    ids = [f"00000000-0000-4000-8000-{place:012d}" for place in range(len(found.predictions))]
    chosen, _ = choose_predictions(
        found.predictions, people, (), (), WriteOptions(), object_ids=ids, scheme=scheme, checkpoint="bench"
    )
    return apply_edits(write_imagescope((), (_MPP, _MPP)), compose_edits(people, chosen, scheme, "bench"))


def _slide(folder: Path, side: int, share: float) -> Path:
    """Make a slide once; return it."""
    path = folder / f"{side}-{share:g}.tif"
    if not path.exists():
        write_huge_slide(path, HugeSlide(round(side * share**0.5), side))
    return path
