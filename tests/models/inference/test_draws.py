"""Several predictions of one slide in step: the same rows of each; turned tiles say what turned slides say."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bridge.coords import Region, Window
from bridge.raster import ProbabilityMap
from bridge.slides import TissueOptions, TissueRule, open_slide
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.inference import (
    MOST_DRAWS,
    TURNS,
    DeepZoomPredictor,
    HotSpotOptions,
    PredictionOptions,
    Runtime,
    SlidePredictor,
    in_step,
    open_predictor,
    turned_draws,
)
from models.nets import EncoderName, NetKind, NetOptions, build_net

NAMES = ("Background", "Blob")
WIDTH = 3
SIDE = 128
WHOLE = TissueOptions(rule=TissueRule.WHOLE)


class Everywhere:
    def fraction(self, region: Region) -> float:
        return 1.0


class Stream:
    """A prediction in bands of some heights; it knows how far it was asked and whether it was closed."""

    def __init__(self, values: np.ndarray, heights: Sequence[int], width: int = WIDTH) -> None:
        self.values, self.heights, self.width = values, heights, width
        self.given = 0
        self.is_closed = False

    def bands(self) -> Generator[ProbabilityMap, None, None]:
        try:
            for height in self.heights:
                window = Window(0, self.given, self.width, height, 2.0)
                self.given += height
                yield ProbabilityMap(self.values[:, window.y : window.bottom], window, NAMES)
        finally:
            self.is_closed = True


def stream(seed: int, heights: Sequence[int], width: int = WIDTH) -> Stream:
    random = np.random.default_rng(seed)
    return Stream(random.random((2, sum(heights), width), np.float32), heights, width)


@st.composite
def cuts(draw: st.DrawFn) -> list[list[int]]:
    """Return the heights of the bands of some streams, of one sum."""
    rows = draw(st.integers(1, 12))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        edges = sorted({0, rows, *draw(st.lists(st.integers(0, rows), max_size=4))})
        found.append(np.diff(edges).tolist())
    return found


@given(cuts())
@settings(max_examples=60)
def test_each_stream_comes_whole_in_the_same_rows_and_none_runs_ahead(heights: list[list[int]]) -> None:
    streams = [stream(seed, cut) for seed, cut in enumerate(heights)]
    parts = []
    done = 0
    for bands in in_step([s.bands() for s in streams]):
        assert len({band.window for band in bands}) == 1
        assert all(s.given - done <= max(s.heights) for s in streams), "more than a band is held"
        done = bands[0].window.bottom
        parts.append(bands)
    for place, one in enumerate(streams):
        assert np.array_equal(np.concatenate([bands[place].probabilities for bands in parts], axis=1), one.values)
        assert one.is_closed


def test_leaving_early_closes_every_stream() -> None:
    streams = [stream(1, [2, 2]), stream(2, [3, 1])]
    steps = in_step([s.bands() for s in streams])
    next(steps)
    steps.close()
    assert all(s.is_closed for s in streams)


@pytest.mark.parametrize("other", [stream(1, [2]), stream(1, [2, 2], width=4)], ids=["shorter", "wider"])
def test_predictions_on_different_grids_are_refused(other: Stream) -> None:
    with pytest.raises(ValueError, match="different grids"):
        list(in_step([stream(0, [2, 2]).bands(), other.bands()]))


# ── designs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _net(role: NetRole, options: NetOptions, mpp: float, tile_px: int) -> tuple[NetCard, dict[str, torch.Tensor]]:
    weights = build_net(options, 2, seed=5).state_dict()
    louder = {name: value * (2.0 if value.ndim > 1 else 1.0) for name, value in weights.items()}
    return NetCard(role, options, NAMES, mpp, tile_px, options.normalization), with_role(louder, role)


UNET = NetOptions(
    encoder=EncoderName.PLAIN, encoder_channels=(4, 8), decoder_channels=(4, 4), stem_channels=4, pretrained=False
)
PATCH = NetOptions(
    kind=NetKind.PATCH, encoder=EncoderName.PLAIN, encoder_channels=(4, 8), decoder_channels=(1, 1), pretrained=False
)
REFINEMENT = NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(4, 6), pretrained=False, is_guided=True)
NETS = {
    "deepzoom": [(NetRole.HIGH, UNET, 0.5, SIDE), (NetRole.LOW, UNET, 1.0, SIDE // 2)],
    "weak": [(NetRole.HIGH, UNET, 0.5, SIDE)],
    "patchwise": [(NetRole.HIGH, PATCH, 0.5, 16)],
    "hybrid": [(NetRole.HIGH, PATCH, 0.5, 16), (NetRole.REFINEMENT, REFINEMENT, 1.0, SIDE // 2)],
}
OPTIONS = PredictionOptions(tile_px=SIDE, overlap_px=0, batch_size=1)


def predictor_of(design: str, runtime: Runtime = Runtime.TORCH, *, threshold: float = 0.0) -> SlidePredictor:
    nets = [_net(*net) for net in NETS[design]]
    weights = {name: value for _, named in nets for name, value in named.items()}
    checkpoint = Checkpoint.of(Card(design, tuple(card for card, _ in nets)), weights)
    spots = HotSpotOptions(threshold, min_area_um2=0.0, padding_um=0.0)  # at 0 all is hot
    return open_predictor(checkpoint, hot_spots=spots, tissue=WHOLE, device="cpu", runtime=runtime, threads=1)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Return a square picture that looks different from every side."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pixels = np.full((SIDE, SIDE, 3), (230, 190, 215), np.float64)
    for x, y, radius in ((30, 24, 14), (90, 40, 9), (60, 100, 20)):
        pixels[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = (90, 50, 130)
    pixels[:, :, 0] += np.random.default_rng(3).normal(0, 6, (SIDE, SIDE))
    return pixels.clip(0, 255).astype(np.uint8)


def predicted(predictor: SlidePredictor, pixels: np.ndarray, path: Path) -> np.ndarray:
    Image.fromarray(pixels).save(path)
    with open_slide(path, mpp=(0.5, 0.5)) as slide:
        bands = list(predictor.predict(slide, Everywhere(), OPTIONS))
    return np.concatenate([band.probabilities for band in bands], axis=1)


@pytest.mark.parametrize("design", sorted(NETS))
def test_turned_tiles_say_what_a_turned_slide_says(design: str, picture: np.ndarray, tmp_path: Path) -> None:
    predictor = predictor_of(design)
    plain = predicted(predictor, picture, tmp_path / "plain.png")
    turn, (_, turned) = TURNS[1], turned_draws(predictor, 2)
    found = predicted(turned, picture, tmp_path / "plain.png")
    laid = predicted(predictor, turn.turned(picture[None])[0], tmp_path / "turned.png")
    expected = turn.back(laid[None])[0]
    assert np.abs(found - expected).max() < 2e-2, "heat maps and reduced pixels are rounded"
    assert np.abs(found - plain).max() > 5 * np.abs(found - expected).max(), "seen another way it is another answer"


def test_the_coarse_pass_sees_turned_tiles_too(picture: np.ndarray, tmp_path: Path) -> None:
    coarse = predictor_of("deepzoom")
    low = predicted_low(coarse, picture, tmp_path)
    predictor = predictor_of("deepzoom", threshold=float(np.median(low)))
    turn, (_, turned) = TURNS[1], turned_draws(predictor, 2)
    plain, found = (predicted(one, picture, tmp_path / "plain.png")[0] == 1 for one in (predictor, turned))
    laid = predicted(predictor, turn.turned(picture[None])[0], tmp_path / "turned.png")
    expected = turn.back(laid[None])[0, 0] == 1
    assert 0.2 < plain.mean() < 0.8, "some is cold, some is hot"
    assert np.mean(found != expected) < 0.03, "what lies at the threshold"
    assert np.mean(found != plain) > 0.06


def predicted_low(predictor: SlidePredictor, pixels: np.ndarray, folder: Path) -> np.ndarray:
    assert isinstance(predictor, DeepZoomPredictor) and predictor.low is not None
    Image.fromarray(pixels).save(folder / "low.png")
    with open_slide(folder / "low.png", mpp=(0.5, 0.5)) as slide:
        window = slide.pyramid.window_at(2.0)
        return np.asarray(1 - predictor.low.predict_window(slide, window, margin_px=0).probabilities[0])


def test_onnx_turns_as_torch_does(picture: np.ndarray, tmp_path: Path) -> None:
    first, second = (
        predicted(turned_draws(predictor_of("deepzoom", runtime), 3)[2], picture, tmp_path / "plain.png")
        for runtime in (Runtime.TORCH, Runtime.ONNXRUNTIME)
    )
    assert np.abs(first - second).max() < 1e-3


def test_the_first_draw_is_the_predictor_itself_and_the_others_leave_it_alone(
    picture: np.ndarray, tmp_path: Path
) -> None:
    predictor = predictor_of("patchwise")
    before = predicted(predictor, picture, tmp_path / "plain.png")
    draws = turned_draws(predictor, MOST_DRAWS)
    assert draws[0] is predictor and len(draws) == 8
    predicted(draws[3], picture, tmp_path / "plain.png")
    assert np.array_equal(predicted(predictor, picture, tmp_path / "plain.png"), before)


@pytest.mark.parametrize("draws", [0, 9])
def test_there_are_one_to_eight_draws(draws: int) -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        turned_draws(predictor_of("patchwise"), draws)
