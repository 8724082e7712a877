"""Tiles: every pixel of a slide once, just as the slide has it; numbers that name none are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from dashboard_lab import Board
from hypothesis import given
from hypothesis import strategies as st
from openslide import OpenSlide
from openslide.deepzoom import DeepZoomGenerator
from PIL import Image

from bridge.slides import open_slide, write_pyramid
from scripts.dashboard.slide_handles import SlideHandles
from scripts.dashboard.tiles import OVERLAP_PX, TILE_PX, NoSuchTileError, TileCache, TileGrid, Tiles


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide of several tiles, smooth enough for JPEG to keep it."""
    rows, columns = np.mgrid[:700, :1300]
    pixels = np.stack([columns / 1300 * 255, rows / 700 * 255, (rows + columns) / 2000 * 255], axis=-1)
    path = tmp_path_factory.mktemp("slides") / "smooth.tif"
    write_pyramid(path, pixels.astype(np.uint8), (0.5, 0.5))
    return path


@pytest.fixture
def tiles() -> Tiles:
    return Tiles(SlideHandles(Clock()))


@given(st.integers(1, 200_000), st.integers(1, 200_000), st.data())
def test_tiles_cover_every_level_once(width: int, height: int, data: st.DataObject) -> None:
    grid = TileGrid(width, height)
    level = data.draw(st.integers(grid.first_level, grid.top_level))
    downsample = 2 ** (grid.top_level - level)
    x, y = (data.draw(st.integers(0, -(-side // downsample) - 1)) for side in (width, height))
    window = grid.window(level, x // TILE_PX, y // TILE_PX)
    assert window.x <= x < window.right and window.y <= y < window.bottom
    assert window.right <= -(-width // downsample) and window.bottom <= -(-height // downsample)
    assert max(window.width, window.height) <= TILE_PX + 2 * OVERLAP_PX
    assert window.downsample == downsample


@given(st.integers(1, 200_000), st.integers(1, 200_000))
def test_the_first_level_is_the_largest_of_one_tile(width: int, height: int) -> None:
    grid = TileGrid(width, height)
    first = grid.window(grid.first_level, 0, 0)
    assert (first.width, first.height) == tuple(-(-side // int(first.downsample)) for side in (width, height))
    if grid.first_level < grid.top_level:
        assert max(width, height) > TILE_PX * first.downsample / 2


def test_tiles_have_the_slides_own_pixels(slide: Path, tiles: Tiles) -> None:
    grid = tiles.grid(slide)
    with open_slide(slide) as opened:
        for level, column, row in [(grid.top_level, 1, 1), (grid.top_level, 2, 0), (grid.top_level - 1, 1, 0)]:
            seen = np.asarray(Image.open(io.BytesIO(tiles.jpeg(slide, level, column, row))), np.int64)
            there = opened.read_window(grid.window(level, column, row)).astype(np.int64)
            assert seen.shape == there.shape
            assert np.abs(seen - there).max() <= 6, "JPEG of a smooth picture"


def test_tiles_lie_where_openslides_own_deep_zoom_has_them(slide: Path, tiles: Tiles) -> None:
    grid = tiles.grid(slide)
    with OpenSlide(slide) as opened:
        theirs = DeepZoomGenerator(opened, tile_size=TILE_PX, overlap=OVERLAP_PX)
        assert theirs.level_count - 1 == grid.top_level
        for level in range(grid.first_level, grid.top_level + 1):
            columns, rows = theirs.level_tiles[level]
            ours = Image.open(io.BytesIO(tiles.jpeg(slide, level, columns - 1, rows - 1)))
            their = theirs.get_tile(level, (columns - 1, rows - 1))
            assert ours.size == their.size
            difference = np.asarray(ours, np.int64) - np.asarray(their.convert("RGB"), np.int64)
            assert np.abs(difference)[:-1, :-1].mean() <= 3, f"level {level}"


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (99, 0, 0), (11, 3, 0), (11, 0, 2), (11, -1, 0), (0, 0, 0)])
def test_tiles_that_a_slide_has_not_are_refused(slide: Path, tiles: Tiles, numbers: tuple[int, int, int]) -> None:
    with pytest.raises(NoSuchTileError):
        tiles.jpeg(slide, *numbers)


ODD = {
    "huge": "99999999999999999999/0/0",
    "endless": f"{'9' * 5000}/0/0",
    "negative": "-1/0/0",
    "float": "9/1e3/0",
    "hex": "9/0/0x1",
    "other digits": "9/٣/0",
    "up": "../../etc/passwd",
    "up, encoded": "%2e%2e/%2e%2e/passwd",
    "slash": "9/0/..%2f..%2fslidebridge.toml",
    "nul": "9/0/%00",
}


@pytest.mark.parametrize("address", ODD.values(), ids=ODD)
def test_odd_tile_addresses_find_nothing(board: Board, address: str) -> None:
    assert board.client.get(f"{board.slide()}/tiles/9/0/0.jpg").status_code == 200
    answer = board.client.get(f"{board.slide()}/tiles/{address}.jpg")
    assert answer.status_code == 404
    assert "toml" not in answer.text


@pytest.mark.parametrize("name", ["../page.css", "..%2fpage.css", "%2e%2e%2fapp.py", "app.py", "vendored.toml", ""])
def test_only_named_files_are_served(board: Board, name: str) -> None:
    assert board.client.get(f"/static/{name}").status_code == 404


def test_a_tile_comes_as_jpeg_and_is_not_kept_by_the_browser(board: Board) -> None:
    answer = board.client.get(f"{board.slide()}/tiles/9/0/0.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert Image.open(io.BytesIO(answer.content)).size == (384, 384)


def test_a_thumbnail_is_the_slide_and_small(board: Board) -> None:
    answer = board.client.get(f"{board.slide()}/thumbnail.jpg")
    assert Image.open(io.BytesIO(answer.content)).size == (160, 160)


def test_the_cache_forgets_what_was_not_asked_for_longest() -> None:
    cache = TileCache(most_bytes=100)
    keys = [(("slide", 1, 1), 0, n, 0) for n in range(4)]
    for key in keys[:3]:
        cache.put(key, bytes(33))
    cache.get(keys[0])
    cache.put(keys[3], bytes(33))
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    cache.put(keys[0], bytes(10))
    assert cache.size == 76
    cache.put(keys[1], bytes(1000))
    assert cache.size <= 100


def test_slides_are_opened_once_and_closed_when_nobody_looks(slide: Path, tmp_path: Path) -> None:
    clock = Clock()
    handles = SlideHandles(clock, most=2, idle_seconds=60)
    with handles.lent(slide) as first, handles.lent(slide) as again:
        assert first is again
        clock.seconds = 1000
        handles.close_idle()
        assert len(handles) == 1, "it is lent"
    handles.close_idle()
    assert len(handles) == 1
    clock.seconds += 61
    handles.close_idle()
    assert len(handles) == 0


def test_no_more_slides_stay_open_than_are_allowed(slide: Path, tmp_path: Path) -> None:
    handles = SlideHandles(Clock(), most=2)
    for number in range(4):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(slide.read_bytes())
        with handles.lent(path):
            pass
    assert len(handles) == 2
    handles.close()
    assert len(handles) == 0


def test_a_slide_that_was_replaced_shows_its_new_pixels(slide: Path, tiles: Tiles, tmp_path: Path) -> None:
    path = tmp_path / "replaced.tif"
    path.write_bytes(slide.read_bytes())
    top = tiles.grid(path).top_level
    before = tiles.jpeg(path, top, 0, 0)
    assert tiles.jpeg(path, top, 0, 0) is before, "kept"
    write_pyramid(path, np.full((900, 900, 3), 40, np.uint8), (0.5, 0.5))
    assert tiles.grid(path) == TileGrid(900, 900)
    assert np.asarray(Image.open(io.BytesIO(tiles.jpeg(path, tiles.grid(path).top_level, 0, 0)))).max() < 60
