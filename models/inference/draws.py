"""Several predictions of one slide side by side, for scores that look at how they differ; memory stays that of bands.

The first prediction is the plain one, whose labels become outlines. The others are of the same model with every tile
flipped or turned (BALD over augmentations), or of earlier models (disagreement of checkpoints).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from bridge.raster import ProbabilityMap
from models.inference.slide_predictor import SlidePredictor
from models.inference.turns import TURNS

MOST_DRAWS = len(TURNS)


def turned_draws(predictor: SlidePredictor, draws: int) -> tuple[SlidePredictor, ...]:
    """Return so many predictors that see a slide in different ways: the given one first, then flipped and turned ones.

    Every net of a design sees its tiles turned: the coarse pass of ``deepzoom`` and the patches of ``hybrid`` as well,
    so that their doubt counts too. All share one set of weights; each costs one prediction of the slide.

    Raises
    ------
    ValueError
        Fewer than one, or more than the eight ways there are.
    """
    if not 1 <= draws <= MOST_DRAWS:
        raise ValueError(f"{draws} draws; there are 1 to {MOST_DRAWS} ways to turn a tile")
    return (predictor, *(predictor.turned(turn) for turn in TURNS[1:draws]))


def in_step(
    streams: Sequence[Generator[ProbabilityMap, None, None]],
) -> Generator[tuple[ProbabilityMap, ...], None, None]:
    """Yield what several predictions say of the same rows, top to bottom; closing it closes them.

    Bands of different height are cut where the shortest ends: no stream is more than one band ahead.

    Raises
    ------
    ValueError
        They are not of one slide on one grid, or of different classes.
    """
    with ExitStack() as stack:
        for stream in streams:
            stack.enter_context(closing(stream))
        heads = [next(stream, None) for stream in streams]
        while (bands := _all_or_none(heads)) is not None:
            bottom = min(band.window.bottom for band in bands)
            yield tuple(_rows(band, band.window.y, bottom) for band in bands)
            heads = [
                _rows(band, bottom, band.window.bottom) if bottom < band.window.bottom else next(stream, None)
                for band, stream in zip(bands, streams, strict=True)
            ]


def _all_or_none(heads: Sequence[ProbabilityMap | None]) -> list[ProbabilityMap] | None:
    bands = [head for head in heads if head is not None]
    if not bands:
        return None
    if len(bands) < len(heads) or len({_place(band) for band in bands}) > 1:
        raise ValueError(
            f"predictions of one slide lie on different grids: {[head and _place(head) for head in heads]}"
        )
    return bands


def _place(band: ProbabilityMap) -> tuple[int, int, int, float, tuple[str, ...]]:
    window = band.window
    return window.x, window.y, window.width, window.downsample, tuple(band.names)


def _rows(band: ProbabilityMap, top: int, bottom: int) -> ProbabilityMap:
    return band.crop(replace(band.window, y=top, height=bottom - top))
