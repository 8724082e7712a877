from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bridge.coords import Region, Window
from bridge.errors import SlideError
from bridge.slides import TissueMask
from models.inference import Passes, PredictionOptions, predict_bands, prediction_grid
from models.inference.tile_line import predicted_tiles


@dataclass
class BrightnessNet:
    """A one-layer net: the probability of the second class is the darkness of the pixel."""

    mpp: float = 0.5
    stride: int = 8
    names: tuple[str, ...] = ("Background", "Dark")
    batches: list[int] = field(default_factory=list)
    holds_memory: bool = False
    at_once: int = 1

    def give_back_memory(self) -> None:
        self.holds_memory = False

    def passes(self, tile_px: int, batch_size: int) -> Passes:
        return Passes(self.at_once, batch_size)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        self.batches.append(len(pixels))
        self.holds_memory = True
        dark = 1 - pixels[..., 0].astype(np.float32) / 255
        return np.stack([1 - dark, dark], axis=1)


class Everywhere:
    def fraction(self, region: Region) -> float:
        return 1.0


def darkness(slide: Any, window: Window) -> np.ndarray:
    return 1 - slide.read_window(window)[..., 0].astype(np.float32) / 255


@pytest.mark.parametrize(
    "options",
    [
        PredictionOptions(tile_px=64, overlap_px=16, batch_size=3, workers=2),
        PredictionOptions(tile_px=32, overlap_px=0, batch_size=1, workers=1),
        PredictionOptions(tile_px=500, overlap_px=64),
        PredictionOptions(tile_px=70, overlap_px=69, batch_size=4),
    ],
)
def test_bands_hold_each_pixel_of_the_slide_once(ground: Any, options: PredictionOptions) -> None:
    net = BrightnessNet()
    bands = list(predict_bands(ground.slide, net, Everywhere(), options))  # type: ignore[arg-type]
    assert [band.window.y for band in bands[1:]] == [band.window.bottom for band in bands[:-1]]
    whole = np.concatenate([band.probabilities for band in bands], axis=1)
    assert whole.shape == (2, 128, 192)
    assert np.allclose(whole[1], darkness(ground.slide, Window(0, 0, 192, 128)), atol=1e-5)
    assert max(net.batches) <= options.batch_size
    assert not net.holds_memory


def test_a_coarser_net_gets_a_coarser_grid(ground: Any) -> None:
    net = BrightnessNet(mpp=1.0)
    (band,) = predict_bands(ground.slide, net, Everywhere())  # type: ignore[arg-type]
    assert band.window == Window(0, 0, 96, 64, 2.0)
    assert np.allclose(band.probabilities[1], darkness(ground.slide, band.window), atol=1e-5)


def test_off_the_tissue_background_is_certain_and_nothing_is_read(ground: Any) -> None:
    left = np.zeros((2, 3), bool)
    left[:, 0] = True
    tissue = TissueMask(left, Window(0, 0, 3, 2, 64.0))
    net = BrightnessNet()
    options = PredictionOptions(tile_px=64, overlap_px=0, batch_size=1)
    bands = list(predict_bands(ground.slide, net, tissue, options))  # type: ignore[arg-type]
    whole = np.concatenate([band.probabilities for band in bands], axis=1)
    assert (whole[:, :, 64:] == np.array([1, 0])[:, None, None]).all()
    assert np.allclose(whole[1, :, :64], darkness(ground.slide, Window(0, 0, 64, 128)), atol=1e-5)
    assert sum(net.batches) == 2


def test_prediction_goes_on_from_any_band(ground: Any) -> None:
    options = PredictionOptions(tile_px=48, overlap_px=16, batch_size=2)
    net = BrightnessNet()
    grid = prediction_grid(ground.slide, net, options)  # type: ignore[arg-type]
    whole = list(predict_bands(ground.slide, net, Everywhere(), options))  # type: ignore[arg-type]
    assert [band.window for band in whole] == [grid.band(row) for row in range(grid.shape[0])]
    for first in range(1, len(whole)):
        rest = list(predict_bands(ground.slide, net, Everywhere(), options, first_band=first))  # type: ignore[arg-type]
        assert [band.window for band in rest] == [band.window for band in whole[first:]]
        for resumed, expected in zip(rest, whole[first:], strict=True):
            assert np.allclose(resumed.probabilities, expected.probabilities, atol=1e-6)


class CountingSlide:
    """Counts what was read."""

    def __init__(self, slide: Any, *, damaged_at: int | None = None) -> None:
        self.pyramid, self.path = slide.pyramid, slide.path
        self.reads = 0
        self._slide, self._damaged_at = slide, damaged_at

    def read_window(self, window: Window) -> np.ndarray:
        self.reads += 1
        if self.reads == self._damaged_at:
            raise SlideError("slide discs.png is damaged")
        return np.asarray(self._slide.read_window(window))


def test_reading_runs_ahead_by_a_few_batches_only(ground: Any) -> None:
    slide = CountingSlide(ground.slide)
    options = PredictionOptions(tile_px=8, overlap_px=0, batch_size=2, workers=2)
    bands = predict_bands(slide, BrightnessNet(), Everywhere(), options)  # type: ignore[arg-type]
    next(bands)  # one row of 24 tiles, out of 16 rows
    assert slide.reads <= 24 + 12
    bands.close()  # type: ignore[attr-defined]
    assert slide.reads <= 24 + 14


@dataclass
class WaitingNet(BrightnessNet):
    """Counts its passes and the results of them that are still alive; the first pass waits for the second if told."""

    is_turned_round: bool = False
    done: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    second: threading.Event = field(default_factory=threading.Event)
    alive: list[weakref.ref[np.ndarray]] = field(default_factory=list)
    most_alive: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        with self.lock:
            number = len(self.batches)
            result = super().probabilities(pixels)
            self.alive = [found for found in self.alive if found() is not None] + [weakref.ref(result)]
            self.most_alive = max(self.most_alive, len(self.alive))
        if self.is_turned_round and number == 0:
            assert self.second.wait(30)
        if number == 1:
            self.second.set()
        self.done.release()
        return result


@pytest.mark.parametrize("at_once", [1, 3])
def test_memory_holds_a_few_passes_whatever_the_slide(ground: Any, at_once: int) -> None:
    """While nobody takes any, so many are read and predicted and not one more; in the long run no more are alive."""
    slide, net = CountingSlide(ground.slide), WaitingNet(at_once=at_once)
    options = PredictionOptions(batch_size=2, workers=2)
    tiles = [Window(0, 0, 8, 8, 1.0)] * 200  # 100 passes
    most = 4 * at_once
    with predicted_tiles(slide, net, tiles, options) as results:  # type: ignore[arg-type]
        next(results)
        assert all(net.done.acquire(timeout=30) for _ in range(most))
        assert (slide.reads, len(net.batches)) == (2 * most, most)
        left = sum(len(windows) for windows, _ in results)
    assert (left, slide.reads) == (198, 200)
    assert net.most_alive <= most + 2  # the one that is taken, and the one that was taken before it


class CountedTiles(Sequence[Window]):
    """Makes tiles as they are asked for, as the patches of a slide are."""

    def __init__(self) -> None:
        self.made = 0

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        self.made += 1
        return Window(0, 0, 8, 8, 1.0)


def test_tiles_are_not_listed_before_their_turn(ground: Any) -> None:
    tiles = CountedTiles()
    with predicted_tiles(ground.slide, BrightnessNet(), tiles, PredictionOptions(batch_size=5)) as results:  # type: ignore[arg-type]
        next(results)
        assert tiles.made <= 26  # and one that tells their size
        assert sum(len(windows) for windows, _ in results) == 995


def test_passes_side_by_side_come_in_order(ground: Any) -> None:
    net = WaitingNet(at_once=2, is_turned_round=True)
    options = PredictionOptions(tile_px=32, overlap_px=8, batch_size=1)
    bands = list(predict_bands(ground.slide, net, Everywhere(), options))  # type: ignore[arg-type]
    alone = list(predict_bands(ground.slide, BrightnessNet(), Everywhere(), options))  # type: ignore[arg-type]
    for band, expected in zip(bands, alone, strict=True):
        assert band.window == expected.window
        assert np.array_equal(band.probabilities, expected.probabilities)


def test_threads_end_with_the_iterator(ground: Any) -> None:
    before = threading.active_count()
    options = PredictionOptions(tile_px=8, overlap_px=0)
    bands = predict_bands(ground.slide, BrightnessNet(), Everywhere(), options)  # type: ignore[arg-type]
    next(bands)
    assert threading.active_count() > before
    bands.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_damage_in_the_middle_is_raised(ground: Any) -> None:
    slide = CountingSlide(ground.slide, damaged_at=7)
    options = PredictionOptions(tile_px=32, overlap_px=0)
    with pytest.raises(SlideError, match="damaged"):
        list(predict_bands(slide, BrightnessNet(), Everywhere(), options))  # type: ignore[arg-type]


def test_progress_counts_the_wanted_tiles(ground: Any) -> None:
    told = []
    options = PredictionOptions(tile_px=64, overlap_px=0, batch_size=4)
    list(predict_bands(ground.slide, BrightnessNet(), Everywhere(), options, progress=told.append))  # type: ignore[arg-type]
    assert [(p.tiles, p.all_tiles) for p in told] == [(4, 6), (6, 6)]
