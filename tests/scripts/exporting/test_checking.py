from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scripts.exporting.checking import BATCH_SIZES, LIMIT, Check, at_most, compare, measure, refuse_untrue
from scripts.exporting.errors import ExportError

TILES = np.random.default_rng(0).integers(0, 256, (4, 2, 2, 3), np.uint8)


def network(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(pixels[..., 0] / 255, np.float32)


def test_a_true_copy_differs_by_nothing_and_sees_every_tile_in_batches_of_every_size() -> None:
    seen: list[NDArray[np.uint8]] = []

    def copy(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(pixels)
        return network(pixels)

    check = compare(copy, network, TILES, slides=1)
    assert check.largest_difference == 0
    assert {len(batch) for batch in seen} == set(BATCH_SIZES)
    for size in BATCH_SIZES:
        shown = {tile.tobytes() for batch in seen if len(batch) == size for tile in batch}
        assert shown == {tile.tobytes() for tile in TILES}


def test_one_wrong_pixel_of_one_tile_is_found() -> None:
    def copy(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = network(pixels)
        found[(pixels == TILES[2]).all(axis=(1, 2, 3)), 1, 1] += 0.002
        return found

    check = compare(copy, network, TILES, slides=1)
    assert check.largest_difference == pytest.approx(0.002, rel=1e-3)
    with pytest.raises(ExportError, match="nothing was"):
        refuse_untrue(check, "the copy")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_number_is_no_agreement(bad: float) -> None:
    check = compare(lambda pixels: network(pixels) * np.float32(bad), network, TILES, slides=1)
    with pytest.raises(ExportError):
        refuse_untrue(check, "the copy")


def test_answer_of_another_shape_is_refused() -> None:
    with pytest.raises(ExportError):
        refuse_untrue(compare(lambda pixels: network(pixels)[:, :1], network, TILES, slides=1), "the copy")


@given(st.floats(0, 1), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_what_is_said_to_be_the_most_is_never_less(value: float, digits: int) -> None:
    said = float(at_most(value, digits))
    assert value <= said <= value * (1 + 10 ** (1 - digits)) * (1 + 1e-12) + 1e-320


def test_the_most_is_told_rounded_up() -> None:
    assert "differs by 2e-07 at most" in Check(1.1e-07, 4, 1, BATCH_SIZES).line("ONNX Runtime")
    with pytest.raises(ExportError, match=r"differs from the model by 0\.00011, more than 0\.0001"):
        refuse_untrue(Check(LIMIT * 1.001, 4, 1, BATCH_SIZES), "the copy")


def test_speed_is_that_of_the_quickest_runs_by_the_clock_that_is_given() -> None:
    now, busy = 0.0, iter((5.0, 0.0, 0.0, 3.0) * 10)

    def taking(seconds: float, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        nonlocal now
        now += seconds + next(busy)
        return network(pixels)

    seconds, torch_seconds = measure(lambda p: taking(0.1, p), lambda p: taking(0.4, p), TILES[0], lambda: now)
    check = Check(0.0, 4, 1, BATCH_SIZES, seconds, torch_seconds)
    assert check.speed == pytest.approx(4)
    assert "4.0 times as quick as torch" in check.line("ONNX Runtime")
