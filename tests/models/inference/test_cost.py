from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from bridge.coords import Region, Window
from models.inference import Passes, PredictionOptions, Stage, Stopwatch, predict_bands


class HandClock:
    """Shows what it is set to; each thread has its own hands."""

    def __init__(self) -> None:
        self._hands = threading.local()

    def __call__(self) -> float:
        return getattr(self._hands, "now", 0.0)

    def move(self, seconds: float) -> None:
        self._hands.now = self() + seconds


def test_an_outer_stage_stands_still_while_an_inner_one_runs() -> None:
    clock = HandClock()
    watch = Stopwatch(clock)
    with watch.time(Stage.VECTORIZE):
        clock.move(1)
        with watch.time(Stage.STITCH):
            clock.move(10)
            with watch.time(Stage.WAIT):
                clock.move(100)
            clock.move(1000)
        clock.move(10_000)
    clock.move(100_000)
    cost = watch.cost()
    assert (cost.vectorize, cost.stitch, cost.wall) == (10_001, 1010, 111_111)
    assert (cost.read, cost.network, cost.waited_for_read, cost.tiles) == (0, 0, 0, 0)


def test_an_error_inside_ends_its_stage() -> None:
    clock = HandClock()
    watch = Stopwatch(clock)
    with watch.time(Stage.STITCH):
        with pytest.raises(OSError, match="damaged"), watch.time(Stage.READ):
            clock.move(2)
            raise OSError("damaged")
        clock.move(3)
    assert (watch.cost().read, watch.cost().stitch) == (2, 3)


def test_threads_side_by_side_are_one_second_a_second() -> None:
    clock = HandClock()
    watch = Stopwatch(clock)

    def work() -> None:
        with watch.time(Stage.NETWORK, side_by_side=2):
            clock.move(6)
        with watch.time(Stage.READ):
            clock.move(4)
        watch.count_tiles(3)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cost = watch.cost()
    assert (cost.network, cost.read, cost.tiles) == (6, 8, 6)


class Everywhere:
    def fraction(self, region: Region) -> float:
        return 1.0


class TickingSlide:
    """A tile takes one second to read."""

    def __init__(self, slide: Any, clock: HandClock) -> None:
        self.pyramid, self._slide, self._clock = slide.pyramid, slide, clock

    def read_window(self, window: Window) -> np.ndarray:
        self._clock.move(1)
        return np.asarray(self._slide.read_window(window))


class TickingNet:
    """A pass takes ten seconds."""

    names, mpp, stride = ("Background", "Dark"), 0.5, 8

    def __init__(self, clock: HandClock, at_once: int) -> None:
        self._clock, self._at_once = clock, at_once

    def passes(self, tile_px: int, batch_size: int) -> Passes:
        return Passes(self._at_once, batch_size)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        self._clock.move(10)
        dark = 1 - pixels[..., 0].astype(np.float32) / 255
        return np.stack([1 - dark, dark], axis=1)

    def give_back_memory(self) -> None:
        pass


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_prediction_tells_what_reading_and_the_network_took(ground: Any, at_once: int) -> None:
    clock = HandClock()
    watch = Stopwatch(clock)
    slide, net = TickingSlide(ground.slide, clock), TickingNet(clock, at_once)
    options = PredictionOptions(tile_px=32, overlap_px=0, batch_size=4, workers=2)  # 4 × 6 tiles, 6 passes
    for _ in predict_bands(slide, net, Everywhere(), options, watch=watch):  # type: ignore[arg-type]
        clock.move(5)  # of whoever takes the bands: not ours
    cost = watch.cost()
    assert (cost.tiles, cost.read, cost.network) == (24, 24, 60 / at_once)
    assert (cost.stitch, cost.vectorize, cost.wall) == (0, 0, 4 * 5)
