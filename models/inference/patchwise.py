"""Patch by patch: one pixel of the map is what a patch classifier says of the patch around it.

Pedersen et al., "H2G-Net", 2022, section 2.5: patches side by side over the tissue, stitched to a heat map. With a
stride finer than the patch each map pixel has a patch of its own, centred on it, and neighbouring patches overlap.
"""

from __future__ import annotations

import copy
import math
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, Self, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.checkpoints import Checkpoint
from models.data import slide_downsample
from models.inference.bands import Area, PredictionProgress
from models.inference.cost import Stopwatch
from models.inference.predictor import Predictor, Runtime
from models.inference.tile_line import PredictionOptions, predicted_tiles
from models.inference.turns import Turn

_AT_ONCE = 16  # patches of a window in one forward pass
_EPSILON = 1e-6  # pixels
_ROWS_AT_ONCE = 64  # of the map, looked through for tissue


class PatchwisePredictor:
    """The high net of a checkpoint, a patch classifier, run over slides.

    Parameters
    ----------
    checkpoint
        Its high net is a patch classifier; of ``patchwise`` or ``hybrid``.
    stride_px
        Working pixels per pixel of the map, at most a patch; a patch (H2G-Net) if None. The cost grows with its
        inverse square.
    device, runtime, threads
        As `Predictor`.

    Raises
    ------
    CheckpointError
        Weights that don't fit their card.
    ValueError
        The stride is not positive, or larger than the patch: something would never be seen.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        stride_px: int | None = None,
        device: str = "auto",
        runtime: Runtime = Runtime.AUTO,
        threads: int = 0,
    ) -> None:
        self.net = Predictor(checkpoint, device=device, runtime=runtime, threads=threads)
        self.checkpoint_id, self.names = checkpoint.id, self.net.names
        self.mpp = self.net.mpp  # of the patches, and of `predict_window`
        self.patch_px = self.net.card.tile_px
        self.stride_px = self.patch_px if stride_px is None else stride_px
        if not 1 <= self.stride_px <= self.patch_px:
            raise ValueError(f"a stride of {stride_px} px and patches of {self.patch_px} px; set 1 to {self.patch_px}")
        self.map_mpp = self.mpp * self.stride_px
        self.runs_on = self.net.runs_on

    def predict(
        self,
        slide: Slide,
        tissue: Area,
        options: PredictionOptions | None = None,
        *,
        first_band: int = 0,
        first_row: int = 0,
        progress: Callable[[PredictionProgress], None] | None = None,
        watch: Stopwatch | None = None,
    ) -> Iterator[ProbabilityMap]:
        """Yield a slide's probabilities in bands of its full width, one row of the map each.

        Parameters
        ----------
        slide
            Open, of known mpp.
        tissue
            Where to predict: map pixels without any, or with less than ``min_fraction``, are certain background.
        options
            Batches hold as many pixels as ``batch_size`` tiles of ``tile_px``; patches are not blended.
        first_band
            Row of the map where a resumed prediction goes on.
        first_row
            The same: a band is one row of the map.
        progress
            Called after each batch.
        watch
            Told what each stage takes.

        Raises
        ------
        MissingResolutionError
            Nobody knows the slide's mpp.
        SlideError
            The slide is damaged somewhere.
        """
        options = options or PredictionOptions()
        grid, first_band = self._grid(slide), max(first_band, first_row)
        wanted = _Places.of(grid, first_band, slide, tissue, options)
        with closing(self._run(slide, grid, wanted, options, progress, watch)) as results:
            row, values = first_band, self._background(grid)
            for cell, probabilities in results:
                while row < cell.y:
                    yield ProbabilityMap(values, grid.row(row), self.names)
                    row, values = row + 1, self._background(grid)
                values[:, 0, cell.x] = probabilities
            for rest in range(row, grid.extent.height):
                yield ProbabilityMap(values, grid.row(rest), self.names)
                values = self._background(grid)

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window on the slide's grid of ``mpp``: each pixel has what its map pixel has.

        Nothing is taken for background unseen. Patches that reach out of the window are read whole, so that
        ``margin_px``, which other designs need, changes nothing.

        Raises
        ------
        SlideError
            The slide is damaged there.
        """
        grid = self._grid(slide)
        rows = grid.map_pixels(window.y, window.bottom, grid.extent.height)
        columns = grid.map_pixels(window.x, window.right, grid.extent.width)
        inner = Window(
            int(columns[0]),
            int(rows[0]),
            int(columns[-1] - columns[0]) + 1,
            int(rows[-1] - rows[0]) + 1,
            grid.extent.downsample,
        )
        values = self._values(slide, [grid.patch_of(cell) for cell in inner.tiles(1)])
        planes = values.T.reshape(len(self.names), *inner.shape)
        result = planes[:, (rows - inner.y)[:, None], (columns - inner.x)[None]]
        return ProbabilityMap(np.ascontiguousarray(result), window, self.names)

    def turned(self, turn: Turn) -> Self:
        """Return the same predictor seeing each patch turned."""
        other = copy.copy(self)
        other.net = self.net.turned(turn)
        return other

    def _grid(self, slide: Slide) -> _MapGrid:
        extent = slide.pyramid.window_at(slide_downsample(slide, self.map_mpp))
        return _MapGrid(extent, slide_downsample(slide, self.mpp), self.patch_px)

    def _background(self, grid: _MapGrid) -> NDArray[np.float32]:
        values = np.zeros((len(self.names), 1, grid.extent.width), np.float32)
        values[0] = 1
        return values

    def _run(
        self,
        slide: Slide,
        grid: _MapGrid,
        wanted: _Places,
        options: PredictionOptions,
        progress: Callable[[PredictionProgress], None] | None,
        watch: Stopwatch | None,
    ) -> Generator[tuple[Window, NDArray[np.float32]], None, None]:
        """Yield the probabilities of map pixels, in order."""
        per_batch = max(1, options.batch_size * options.tile_px**2 // self.patch_px**2)
        patches, cells = replace(wanted, shown=grid.patch_of), iter(wanted)
        done = 0
        with predicted_tiles(slide, self.net, patches, replace(options, batch_size=per_batch), watch) as results:
            for windows, values in results:
                yield from zip(islice(cells, len(windows)), values, strict=True)
                done += len(windows)
                if progress is not None:
                    progress(PredictionProgress(done, len(wanted)))

    def _values(self, slide: Slide, patches: Sequence[Window]) -> NDArray[np.float32]:
        """Return the probabilities of some patches, (n, classes)."""
        parts = []
        for first in range(0, len(patches), _AT_ONCE):
            pixels = np.stack([slide.read_window(patch) for patch in patches[first : first + _AT_ONCE]])
            parts.append(self.net.probabilities(pixels))
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _MapGrid:
    """The map of one slide and the patch of each of its pixels.

    Parameters
    ----------
    extent
        The slide on the grid of the map.
    downsample
        Of the patches.
    patch_px
        Their side.
    """

    extent: Window
    downsample: float
    patch_px: int

    @property
    def stride(self) -> float:
        """Working pixels per map pixel; a fraction on slides that are coarser than the working mpp."""
        return self.extent.downsample / self.downsample

    def row(self, row: int) -> Window:
        """Return a row of the map."""
        return replace(self.extent, y=row, height=1)

    def cell(self, x: int, y: int) -> Window:
        """Return one pixel of the map."""
        return Window(x, y, 1, 1, self.extent.downsample)

    def patch_of(self, cell: Window) -> Window:
        """Return the patch around the centre of a map pixel; with a stride of a patch they are one."""
        x, y = (math.floor((i + 0.5) * self.stride - self.patch_px / 2 + _EPSILON) for i in (cell.x, cell.y))
        return Window(x, y, self.patch_px, self.patch_px, self.downsample)

    def map_pixels(self, start: int, stop: int, count: int) -> NDArray[np.int64]:
        """Return the map pixel under the centre of each working pixel; the nearest one off the slide."""
        places = np.floor((np.arange(start, stop) + 0.5) / self.stride)
        return np.asarray(places.clip(0, count - 1), np.int64)


@runtime_checkable
class _Coverage(Protocol):
    """An area that can say of many pixels at once whether there is any of it: no share where there is none nearby."""

    def coverage(self, window: Window) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class _Places(Sequence[Window]):
    """Some pixels of a map, row by row, as numbers: a slide may have millions.

    Parameters
    ----------
    x, y
        int32, of each.
    shown
        What stands for a pixel: itself, or its patch.
    """

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    cell: Callable[[int, int], Window]
    shown: Callable[[Window], Window]

    @classmethod
    def of(cls, grid: _MapGrid, first_row: int, slide: Slide, tissue: Area, options: PredictionOptions) -> _Places:
        """Find the pixels that are to be predicted."""
        x, y = array("i"), array("i")
        for row, column in _candidates(grid, first_row, tissue):
            if _is_wanted(grid.cell(column, row), slide, tissue, options):
                x.append(column)
                y.append(row)
        return cls(np.array(x, np.int32), np.array(y, np.int32), grid.cell, lambda cell: cell)

    def __len__(self) -> int:
        return len(self.x)

    @overload
    def __getitem__(self, place: int) -> Window: ...
    @overload
    def __getitem__(self, place: slice) -> list[Window]: ...
    def __getitem__(self, place: int | slice) -> Window | list[Window]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        return self.shown(self.cell(int(self.x[place]), int(self.y[place])))


def _candidates(grid: _MapGrid, first_row: int, tissue: Area) -> Iterator[tuple[int, int]]:
    """Yield (row, column) of the pixels that have tissue or a neighbour with some; all where the area can't tell."""
    extent = grid.extent
    for top in range(first_row, extent.height, _ROWS_AT_ONCE):
        rows = min(_ROWS_AT_ONCE, extent.height - top)
        near = np.ones((rows, extent.width), np.bool_)
        if isinstance(tissue, _Coverage):
            around = Window(extent.x - 1, top - 1, extent.width + 2, rows + 2, extent.downsample)
            some = tissue.coverage(around) > 0
            some = some[:-2] | some[1:-1] | some[2:]
            near = some[:, :-2] | some[:, 1:-1] | some[:, 2:]
        for row, column in np.argwhere(near).tolist():
            yield top + row, extent.x + column


def _is_wanted(cell: Window, slide: Slide, tissue: Area, options: PredictionOptions) -> bool:
    # Of the part on the slide: what reaches over the border is no glass.
    inside = cell.to_region().intersection(slide.pyramid.bounds)
    share = 0.0 if inside is None else tissue.fraction(inside)
    return share > 0 and share >= options.min_fraction
