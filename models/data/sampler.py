"""The sampler: says *where* the tiles of a batch lie, drawn down a tree with even chances at each stage.

The tree is H2G-Net's: uniform over groups, then over the slides of the group, then over the classes of the slide, then
over the positions of the class; rare classes and small slides are so seen as often as common and large ones. Each batch
is drawn with a generator made of (seed, step): a batch depends on nothing drawn before, so that reading ahead and
resuming change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from models.data.index import SlideIndex
from models.data.tree import ReplayTrees

SLIDE_STAGE, CLASS_STAGE = "slide", "class"


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How tiles are drawn (``[sampling]``).

    Parameters
    ----------
    tree
        Stages, drawn uniformly one after another: ``"slide"``, ``"class"``, or a key of the slides' metadata.
    replay
        Share of a batch that is drawn from all that is labelled; the rest is drawn from what is new or corrected.
        Without anything new all is drawn from all.
    jitter
        How far a tile's centre may lie from the drawn position, as a share of half its side.
    """

    tree: tuple[str, ...] = (SLIDE_STAGE, CLASS_STAGE)
    replay: float = 0.5
    jitter: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.replay <= 1 or not 0 <= self.jitter <= 1:
            raise ValueError(f"replay and jitter are shares of 1, got {self.replay} and {self.jitter}")


@dataclass(frozen=True, slots=True)
class TileSpot:
    """Where one tile lies, and what label it was drawn for: that of a patch, of some pixels of any other tile."""

    slide_key: str
    window: Window
    label: int


class Indexed(Protocol):
    """What is known of one slide: where its labels lie."""

    @property
    def slide_key(self) -> str:
        """The slide."""
        ...


X = TypeVar("X", bound=Indexed)


@dataclass(frozen=True, slots=True, eq=False)
class Places(Generic[X]):
    """The places of one label on one slide: a leaf of the sampling tree.

    Parameters
    ----------
    index
        Of the slide.
    label
        Of all these places.
    metadata
        The slide's, for the stages of the tree that are neither slide nor class.
    rows
        One per place.
    """

    index: X
    label: int
    metadata: Mapping[str, str]
    rows: NDArray[Any]  # Any: positions are whole pixels, boxes are not

    @classmethod
    def of(
        cls, slides: Iterable[tuple[X, Mapping[int, NDArray[Any]]]], metadata: Mapping[str, Mapping[str, str]]
    ) -> list[Places[X]]:
        """Return the leaves of some slides' labels; ``metadata`` by slide key."""
        return [cls(i, k, metadata.get(i.slide_key, {}), rows) for i, labels in slides for k, rows in labels.items()]

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.rows)

    def value(self, stage: str) -> str:
        """Return what they are called at a stage of the tree."""
        if stage == SLIDE_STAGE:
            return self.index.slide_key
        return str(self.label) if stage == CLASS_STAGE else self.metadata.get(stage, "")


class TreeSampler:
    """Draws the windows of each batch.

    Parameters
    ----------
    indices
        One per slide.
    metadata
        Slide key → metadata, for the stages of the tree that are neither slide nor class.
    tile_px
        Side of the windows, in working pixels.
    options
        The tree, replay and jitter.
    seed
        Same seed and step, same windows.

    Raises
    ------
    ValueError
        Nothing is labelled on any slide.
    """

    def __init__(
        self,
        indices: Sequence[SlideIndex],
        metadata: Mapping[str, Mapping[str, str]],
        *,
        tile_px: int,
        options: SamplingOptions | None = None,
        seed: int = 0,
    ) -> None:
        self._options = options or SamplingOptions()
        self._tile_px = tile_px
        self._seed = seed
        old = Places.of(((i, i.positions) for i in indices), metadata)
        new = Places.of(((i, i.fresh) for i in indices), metadata)
        if not old:
            raise ValueError("nothing is labelled on any slide")
        self._trees = ReplayTrees.grow(old, new, self._options.tree, self._options.replay)

    def generator(self, step: int) -> np.random.Generator:
        """Return the generator of one step, at its start."""
        return np.random.default_rng((self._seed, step))

    def batch(self, step: int, size: int) -> list[TileSpot]:
        """Return the windows of one batch: first those of everything, then those of what is new."""
        generator = self.generator(step)
        return [self._spot(tree.draw(generator), generator) for tree in self._trees.of_batch(size)]

    def _spot(self, leaf: Places[SlideIndex], generator: np.random.Generator) -> TileSpot:
        point = leaf.rows[generator.integers(leaf.size)]
        reach = int(self._tile_px / 2 * self._options.jitter)
        centre = point + generator.integers(-reach, reach + 1, 2)
        left, top, right, bottom = _area_around(leaf.index, point)
        x = _settle(int(centre[0]) - self._tile_px // 2, left, right, self._tile_px)
        y = _settle(int(centre[1]) - self._tile_px // 2, top, bottom, self._tile_px)
        window = Window(x, y, self._tile_px, self._tile_px, leaf.index.extent.downsample)
        return TileSpot(leaf.index.slide_key, window, leaf.label)


def _area_around(index: SlideIndex, point: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the bounds that a tile there is kept to: of the largest labelled area that holds the point."""
    areas = index.areas
    x, y = point
    holding = areas[(areas[:, 0] <= x) & (x < areas[:, 2]) & (areas[:, 1] <= y) & (y < areas[:, 3])]
    slide = np.array((index.extent.x, index.extent.y, index.extent.right, index.extent.bottom), np.float64)
    if not len(holding):
        return slide
    largest = holding[np.argmax((holding[:, 2] - holding[:, 0]) * (holding[:, 3] - holding[:, 1]))]
    return np.concatenate((np.maximum(largest[:2], slide[:2]), np.minimum(largest[2:], slide[2:])))


def _settle(start: int, low: float, high: float, size: int) -> int:
    """Shift a side of a tile into the labelled area, or over it where the area is the smaller one."""
    ends = int(np.ceil(low)), int(np.floor(high)) - size
    return min(max(start, min(ends)), max(ends))
