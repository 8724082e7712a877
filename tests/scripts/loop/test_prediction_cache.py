"""What is kept of a slide's prediction comes back as it was, and never in place of another."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely.geometry.base import BaseGeometry

from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window
from models.active import Acquisition
from models.active.overview import Overview
from scripts.loop.prediction_cache import PredictionCache
from scripts.loop.slide_work import SlidePrediction

_SLIDE, _OTHER = "0" * 16, "1" * 16
_CHAMPION, _NEXT = "a" * 16, "b" * 16

numbers = st.floats(-1e6, 1e6, allow_nan=False, width=64)


@st.composite
def outlines(draw: st.DrawFn) -> BaseGeometry:
    x, y, width, height = draw(numbers), draw(numbers), draw(st.integers(1, 99)), draw(st.integers(1, 99))
    box = shapely.box(x, y, x + width, y + height)
    if draw(st.booleans()):
        return box
    hole = shapely.box(x + width / 4, y + height / 4, x + width / 2, y + height / 2)
    return draw(st.sampled_from([shapely.difference(box, hole), shapely.MultiPolygon([box])]))


@st.composite
def predictions(draw: st.DrawFn) -> SlidePrediction:
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    window = Window(0, 0, shape[1], shape[0], draw(st.floats(1, 999)))
    overview = None
    if draw(st.booleans()):
        names = draw(st.lists(st.text(max_size=8), min_size=1, max_size=4).map(tuple))
        values = st.floats(0, 1, width=32)
        planes = draw(hnp.arrays(np.float32, (len(names), *shape), elements=values))
        score = draw(hnp.arrays(np.float32, shape, elements=values))
        spread = draw(st.none() | hnp.arrays(np.float32, planes.shape, elements=values))
        overview = Overview(planes, score, window, names, draw(st.sampled_from(Acquisition)), spread)
    found = draw(
        st.lists(st.builds(Prediction, st.text(max_size=8), outlines(), st.none() | st.floats(0, 1)), max_size=5)
    )
    extent = Region(0, 0, draw(st.integers(1, 10**6)), draw(st.integers(1, 10**6)))
    colours = draw(st.none() | hnp.arrays(np.uint8, (*shape, 3)))
    note = draw(st.none() | st.text(max_size=8))
    tissue = draw(hnp.arrays(np.bool_, shape))
    return SlidePrediction(tuple(found), tissue, window, overview, extent, colours=colours, note=note)


def same_array(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second) and first.dtype == second.dtype


def same(first: SlidePrediction, second: SlidePrediction) -> bool:
    pair = (first.overview, second.overview)
    if pair[0] is not None and pair[1] is not None:
        is_same = (
            np.array_equal(pair[0].probabilities, pair[1].probabilities)
            and np.array_equal(pair[0].score, pair[1].score)
            and (pair[0].window, pair[0].names) == (pair[1].window, pair[1].names)
            and pair[0].probabilities.dtype == pair[1].probabilities.dtype
            and pair[0].acquisition is pair[1].acquisition
            and same_array(pair[0].spread, pair[1].spread)
        )
    else:
        is_same = pair == (None, None)
    outlines_of = [[shapely.to_wkb(p.geometry) for p in side.predictions] for side in (first, second)]
    said = [[(p.path_class, p.probability) for p in side.predictions] for side in (first, second)]
    return (
        is_same
        and outlines_of[0] == outlines_of[1]
        and said[0] == said[1]
        and np.array_equal(first.tissue, second.tissue)
        and first.tissue.dtype == second.tissue.dtype
        and (first.cells, first.extent, first.note) == (second.cells, second.extent, second.note)
        and same_array(first.colours, second.colours)
    )


def small(count: int = 1) -> SlidePrediction:
    found = tuple(Prediction("Blob", shapely.box(i, 0, i + 1, 1)) for i in range(count))
    return SlidePrediction(found, np.ones((2, 3), bool), Window(0, 0, 3, 2, 8.0), None, Region(0, 0, 24, 16))


def key(slide: str = _SLIDE, champion: str = _CHAMPION, rest: str = "c" * 16) -> str:
    return f"{slide}-{champion}-{rest}"


@given(predictions())
@settings(max_examples=60, deadline=None)
def test_what_is_kept_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, prediction: SlidePrediction) -> None:
    cache = PredictionCache(tmp_path_factory.mktemp("cache"))
    cache.save(key(), prediction)
    loaded = cache.load(key())
    assert loaded is not None and same(loaded, prediction)


def test_what_was_never_kept_is_none(tmp_path: Path) -> None:
    assert PredictionCache(tmp_path / "nowhere").load(key()) is None
    assert not (tmp_path / "nowhere").exists()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_none_and_goes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = PredictionCache(folder)
    cache.save(key(), small(3))
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
    damaged = data.draw(st.sampled_from([whole[:place], whole[:place] + changed + whole[place + 1 :]]))
    path.write_bytes(damaged)
    assert cache.load(key()) is None
    assert not path.exists()


def test_a_slide_has_one_file_and_leaves_the_others_alone(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path)
    cache.save(key(_OTHER), small())
    cache.save(key(), small(1))
    cache.save(key(champion=_NEXT), small(2))
    assert cache.load(key()) is None
    newer = cache.load(key(champion=_NEXT))
    assert newer is not None and len(newer.predictions) == 2
    assert cache.load(key(_OTHER)) is not None


def test_the_ones_not_used_for_longest_go_first(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path)
    slides = [f"{i:016x}" for i in range(4)]
    for i, slide in enumerate(slides):
        cache.save(key(slide), small())
        os.utime(next(tmp_path.glob(f"{slide}*")), (i + 1, i + 1))
    assert cache.load(key(slides[0])) is not None, "used again: the newest now"
    size = next(tmp_path.iterdir()).stat().st_size
    bounded = PredictionCache(tmp_path, most_bytes=3 * size)
    bounded.save(key("f" * 16), small())
    left = {path.name.split("-")[0] for path in tmp_path.iterdir()}
    assert left == {slides[0], slides[3], "f" * 16}


def test_one_too_large_is_not_kept(tmp_path: Path) -> None:
    cache = PredictionCache(tmp_path, most_bytes=2000)
    cache.save(key(), small(100))
    assert cache.load(key()) is None


def test_no_pickle_is_ever_loaded(tmp_path: Path) -> None:
    import hashlib
    import pickle

    data = pickle.dumps({"card": b"{}"})
    (tmp_path / f"{key()}.prediction").write_bytes(hashlib.sha256(data).digest() + data)
    assert PredictionCache(tmp_path).load(key()) is None
