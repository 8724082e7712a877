from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from bridge.coords import Region, Window
from bridge.errors import SlideError
from bridge.raster import vectorize_bands
from bridge.slides import TissueMask
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.inference import PatchwisePredictor, PredictionOptions, Runtime, export_onnx, open_predictor
from models.nets import CENTRED, EncoderName, NetKind, NetOptions, build_net

NET = NetOptions(
    kind=NetKind.PATCH,
    encoder=EncoderName.PLAIN,
    encoder_channels=(8, 8),
    decoder_channels=(1, 1),
    pretrained=False,
)
NAMES = ("Background", "Dark", "Pale")
PATCH_PX = 32
WIDTH, HEIGHT = 192, 128
OPTIONS = PredictionOptions(tile_px=64, batch_size=2, workers=2)


class Everywhere:
    def fraction(self, region: Region) -> float:
        return 1.0


def checkpoint_of(mpp: float = 0.5, patch_px: int = PATCH_PX) -> Checkpoint:
    weights = build_net(NET, 3, seed=17).state_dict()
    weights["head.6.weight"] = 40 * weights["head.6.weight"]  # untrained, it would say the same of everything
    card = Card("patchwise", (NetCard(NetRole.HIGH, NET, NAMES, mpp, patch_px, CENTRED),))
    return Checkpoint.of(card, with_role(weights, NetRole.HIGH))


@pytest.fixture(scope="module")
def make() -> Callable[..., PatchwisePredictor]:
    def predictor(stride_px: int | None = None, runtime: Runtime = Runtime.TORCH, **card: Any) -> PatchwisePredictor:
        return PatchwisePredictor(checkpoint_of(**card), stride_px=stride_px, device="cpu", runtime=runtime, threads=1)

    return predictor


def whole_map(predictor: PatchwisePredictor, slide: Any, tissue: Any = None, **how: Any) -> np.ndarray:
    bands = predictor.predict(slide, tissue or Everywhere(), OPTIONS, **how)
    return np.concatenate([band.probabilities for band in bands], axis=1)


def one_by_one(predictor: PatchwisePredictor, slide: Any, stride: int, downsample: float = 1.0) -> np.ndarray:
    """Say of each patch alone what it is: the map, without any of the machinery."""
    columns, rows = (-(-int(side / downsample) // stride) for side in (WIDTH, HEIGHT))
    result = np.zeros((3, rows, columns), np.float32)
    ahead = (PATCH_PX - stride) // 2
    for row in range(rows):
        for column in range(columns):
            at = Window(column * stride - ahead, row * stride - ahead, PATCH_PX, PATCH_PX, downsample)
            result[:, row, column] = predictor.net.probabilities(slide.read_window(at)[None])[0]
    return result


@pytest.mark.parametrize("stride", [32, 16, 8, 24])
@pytest.mark.parametrize("runtime", [Runtime.TORCH, Runtime.ONNXRUNTIME])
def test_the_map_is_what_each_patch_says_alone(
    ground: Any, make: Callable[..., PatchwisePredictor], stride: int, runtime: Runtime
) -> None:
    predictor = make(stride, runtime)
    found = whole_map(predictor, ground.slide)
    assert found.std() > 0.05
    assert np.allclose(found, one_by_one(predictor, ground.slide, stride), atol=1e-5)


def test_both_runtimes_say_the_same(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    torch_map, onnx_map = (
        whole_map(make(16, runtime), ground.slide) for runtime in (Runtime.TORCH, Runtime.ONNXRUNTIME)
    )
    assert np.allclose(torch_map, onnx_map, atol=1e-4)


def test_a_coarser_working_resolution_reads_a_coarser_slide(
    ground: Any, make: Callable[..., PatchwisePredictor]
) -> None:
    predictor = make(mpp=1.0)
    (*_, last) = predictor.predict(ground.slide, Everywhere(), OPTIONS)
    assert last.window == Window(0, 1, 3, 1, 64.0)
    expected = one_by_one(predictor, ground.slide, 32, downsample=2.0)
    assert np.allclose(whole_map(predictor, ground.slide), expected, atol=1e-5)


def test_bands_lie_on_the_grid_of_map_mpp(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    predictor = make(24)
    assert predictor.map_mpp == 12.0
    bands = list(predictor.predict(ground.slide, Everywhere(), OPTIONS))
    assert [band.window for band in bands] == [Window(0, row, 8, 1, 24.0) for row in range(6)]
    assert all(np.allclose(band.probabilities.sum(axis=0), 1, atol=1e-5) for band in bands)


def test_on_a_slide_that_is_coarser_than_the_net_patches_overlap_and_the_map_still_covers_it(
    ground: Any, make: Callable[..., PatchwisePredictor]
) -> None:
    # Of 0.5 µm the slide is; patches are wanted at 0.25: they are seen at 0.5, a map pixel is 8 µm as asked for.
    predictor = make(mpp=0.25)
    found = whole_map(predictor, ground.slide)
    assert found.shape == (3, 8, 12)
    alone = predictor.net.probabilities(ground.slide.read_window(Window(8, 24, 32, 32))[None])[0]
    assert np.allclose(found[:, 2, 1], alone, atol=1e-5)
    window = predictor.predict_window(ground.slide, Window(0, 0, WIDTH, HEIGHT))
    assert np.allclose(window.probabilities, found.repeat(16, axis=1).repeat(16, axis=2), atol=1e-5)


def test_off_the_tissue_background_is_certain_and_nothing_is_read(
    ground: Any, make: Callable[..., PatchwisePredictor]
) -> None:
    mask = np.zeros((4, 6), bool)
    mask[1, 2] = mask[3, 5] = True
    told: list[int] = []
    found = whole_map(
        make(), ground.slide, TissueMask(mask, Window(0, 0, 6, 4, 32.0)), progress=lambda p: told.append(p.all_tiles)
    )
    assert set(told) == {2}
    assert (found[:, ~mask] == np.array([1, 0, 0])[:, None]).all()
    everywhere = whole_map(make(), ground.slide)
    assert np.allclose(found[:, mask], everywhere[:, mask], atol=1e-5)


def test_a_least_share_of_tissue_is_of_the_part_on_the_slide(
    ground: Any, make: Callable[..., PatchwisePredictor]
) -> None:
    mask = np.ones((8, 12), bool)
    mask[:, 0] = False  # half of the first column of patches, of 32 px
    tissue = TissueMask(mask, Window(0, 0, 12, 8, 16.0))
    options = PredictionOptions(tile_px=64, batch_size=2, workers=1, min_fraction=0.6)
    bands = make(28).predict(ground.slide, tissue, options)
    found = np.concatenate([band.probabilities for band in bands], axis=1)
    assert (found[0, :, 0] == 1).all()
    assert (found[0, :, -1] < 1).all()  # 24 of its 28 columns are on the slide


def test_prediction_goes_on_from_any_band(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    predictor = make(16)
    whole = whole_map(predictor, ground.slide)
    for first in (1, 5, 7):
        assert np.allclose(whole_map(predictor, ground.slide, first_band=first), whole[:, first:], atol=1e-6)


@pytest.mark.parametrize("stride", [32, 16])
def test_a_window_is_the_crop_of_the_whole(ground: Any, make: Callable[..., PatchwisePredictor], stride: int) -> None:
    predictor = make(stride)
    whole = predictor.predict_window(ground.slide, Window(0, 0, WIDTH, HEIGHT))
    expected = whole_map(predictor, ground.slide).repeat(stride, axis=1).repeat(stride, axis=2)
    assert np.allclose(whole.probabilities, expected, atol=1e-5)
    for window in (Window(0, 0, 32, 32), Window(13, 41, 50, 7), Window(191, 127, 1, 1), Window(30, 30, 3, 3)):
        part = predictor.predict_window(ground.slide, window, margin_px=5)
        assert part.window == window
        assert np.allclose(part.probabilities, whole.crop(window).probabilities, atol=1e-5)


def test_a_window_may_reach_off_the_slide(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    predictor = make()
    part = predictor.predict_window(ground.slide, Window(180, 120, 40, 40))
    inside = predictor.predict_window(ground.slide, Window(180, 120, 12, 8))
    assert np.allclose(part.probabilities[:, :8, :12], inside.probabilities, atol=1e-5)
    assert np.allclose(part.probabilities.sum(axis=0), 1, atol=1e-5)


def test_bands_become_outlines_of_whole_patches(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    bands = list(make().predict(ground.slide, Everywhere(), OPTIONS))
    labels = np.concatenate([band.most_probable().labels for band in bands])
    found = list(vectorize_bands(band.most_probable() for band in bands))
    assert 0 < np.count_nonzero(labels) < labels.size
    assert sum(outline.area for _, outline in found) == np.count_nonzero(labels) * PATCH_PX**2


def test_batches_hold_as_many_pixels_as_those_of_tiles(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    predictor = make()
    sizes = []
    probabilities = predictor.net.probabilities
    predictor.net.probabilities = lambda pixels: sizes.append(len(pixels)) or probabilities(pixels)  # type: ignore
    whole_map(predictor, ground.slide)
    assert sizes == [8, 8, 8]  # two tiles of 64 px are eight patches of 32


class DamagedSlide:
    def __init__(self, slide: Any) -> None:
        self.pyramid, self.path = slide.pyramid, slide.path

    def read_window(self, window: Window) -> np.ndarray:
        raise SlideError("slide discs.png is damaged")


def test_damage_is_raised_and_threads_end(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    before = threading.active_count()
    with pytest.raises(SlideError, match="damaged"):
        list(make().predict(DamagedSlide(ground.slide), Everywhere(), OPTIONS))  # type: ignore[arg-type]
    bands = make(8).predict(ground.slide, Everywhere(), OPTIONS)
    next(bands)
    bands.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.parametrize("stride", [0, 33])
def test_a_stride_that_misses_something_is_refused(make: Callable[..., PatchwisePredictor], stride: int) -> None:
    with pytest.raises(ValueError, match="set 1 to 32"):
        make(stride)


def test_the_graph_has_a_number_a_class_and_any_number_of_patches() -> None:
    graph = onnx.load_from_string(export_onnx(checkpoint_of()))
    onnx.checker.check_model(graph)
    (output,) = graph.graph.output
    assert [d.dim_param or d.dim_value for d in output.type.tensor_type.shape.dim] == ["n", 3]


def test_the_card_opens_it_with_the_stride_asked_for() -> None:
    predictor = open_predictor(checkpoint_of(), stride_px=16, device="cpu", runtime=Runtime.TORCH)
    assert isinstance(predictor, PatchwisePredictor)
    assert (predictor.mpp, predictor.map_mpp, predictor.names) == (0.5, 8.0, NAMES)


class Counted:
    """Tissue that counts how often it is asked about a single place."""

    def __init__(self, tissue: TissueMask) -> None:
        self.tissue, self.count = tissue, 0

    def fraction(self, region: Region) -> float:
        self.count += 1
        return self.tissue.fraction(region)

    def coverage(self, window: Window) -> np.ndarray:
        return self.tissue.coverage(window)


@pytest.mark.parametrize("downsample", [8.0, 10.7, 32.0])
@pytest.mark.parametrize("stride", [5, 32])
def test_looking_for_tissue_in_rows_finds_what_asking_everywhere_finds(
    ground: Any, make: Callable[..., PatchwisePredictor], stride: int, downsample: float
) -> None:
    slide = ground.slide
    window = slide.pyramid.window_at(downsample)
    mask = np.random.default_rng(int(downsample)).random(window.shape) < 0.1
    mask[0, -1] = mask[-1, 0] = True  # the slide's edges
    rows = Counted(TissueMask(mask, window))

    class Asked:
        def fraction(self, region: Region) -> float:
            return rows.tissue.fraction(region)

    predictor = make(stride_px=stride)
    assert np.array_equal(whole_map(predictor, slide, rows), whole_map(predictor, slide, Asked()))


def test_a_place_without_tissue_nearby_is_not_asked_about(ground: Any, make: Callable[..., PatchwisePredictor]) -> None:
    slide = ground.slide
    mask = np.zeros((HEIGHT // 8, WIDTH // 8), np.bool_)
    mask[3, 3] = True
    tissue = Counted(TissueMask(mask, slide.pyramid.window_at(8.0)))
    whole_map(make(stride_px=4), slide, tissue)
    assert 0 < tissue.count <= 4 * 4, "two map pixels and a neighbour on each side"
