"""A champion that predicts on a cluster: slides whole, some of them ahead, and a large one in parts by all workers.

Only predictions are made there. This process alone reads annotations, holds the store and writes people's files.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from bridge.coords import downsample_for
from bridge.errors import SlideError, SlideNotFoundError
from bridge.ingest import SlideReading
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask
from models.checkpoints import Checkpoint, DesignName
from models.inference import Stage, Stopwatch
from scripts.config import Settings
from scripts.executors import Cluster, LostWorkError, StopAskedError
from scripts.loop.drawing import earlier_in
from scripts.loop.slide_jobs import unlikeness_of
from scripts.loop.slide_work import Drawing, SlidePrediction, predict_slide
from scripts.loop.worker_side import (
    ChampionFacts,
    ChampionPlugin,
    Order,
    Rows,
    predict_rows,
    predict_whole,
    tell_facts,
)

logger = logging.getLogger(__name__)
_PARTS_PER_WORKER = 2  # so that one with much tissue holds nobody up
_AHEAD_PER_WORKER = 2  # slides asked for before it is their turn
_LEAST_BANDS = 4  # of a part: at each seam a row of tiles is seen twice


def files_of(settings: Settings, checkpoints: Path, champion_id: str) -> Mapping[str, bytes]:
    """Return the files, by their path below the folder, that a champion is loaded from somewhere else."""
    wanted = [checkpoints / name for name in (champion_id, *earlier_in(settings, checkpoints))]
    paths = [path for folder in wanted for path in folder.iterdir() if path.is_file()]
    paths += [path for path in checkpoints.glob("*.json") if path.is_file()]
    return {path.relative_to(checkpoints).as_posix(): path.read_bytes() for path in paths}


@dataclass(slots=True)
class ClusterChampion:
    """A champion on the workers of a cluster.

    Parameters
    ----------
    checkpoints
        Folder of champions.
    cluster
        Open; whoever opened it closes it.
    """

    champion: Checkpoint
    settings: Settings
    checkpoints: Path
    cluster: Cluster
    _name: str = ""
    _facts: ChampionFacts | None = None
    _ahead: dict[Order, Future[SlidePrediction | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give the champion to the workers."""
        files = files_of(self.settings, self.checkpoints, self.champion.id)
        self._name = self.cluster.own_name(self.champion.id)
        plugin = ChampionPlugin(self.settings, self.champion.id, files, self.cluster.slots_by_host())
        self.cluster.install(plugin, self._name)

    @property
    def runs_on(self) -> str:
        """What runs its nets."""
        return "a cluster" if self._facts is None else f"{self._facts.runs_on}, by a cluster"

    def ahead(self, coming: Sequence[SlideReading]) -> None:
        """Ask for slides before it is their turn; what was asked for and isn't among them is dropped.

        Parameters
        ----------
        coming
            All that will be asked for, in that order; large ones wait for their turn, where all workers do each.
        """
        orders = {order: reading for reading in coming if (order := _order_or_none(reading)) is not None}
        for order in self._ahead.keys() - orders.keys():
            self._ahead.pop(order).cancel()
        slots = self.cluster.slots()
        for order, reading in orders.items():
            if len(self._ahead) >= _AHEAD_PER_WORKER * slots:
                return
            if order not in self._ahead and (len(orders) >= slots or len(self.cuts(reading)) == 1):
                self._ahead[order] = self.ask_whole(order)

    def room_ahead(self) -> int:
        """Return how many slides it makes sense to name to `ahead`."""
        return _AHEAD_PER_WORKER * self.cluster.slots()

    def predict(self, settings: Settings, reading: SlideReading, stop: Callable[[], bool]) -> SlidePrediction | None:
        """Predict a slide; None when ``stop`` said so.

        Raises
        ------
        SlideError
            It is damaged somewhere, no worker finds it, or workers died at it again and again.
        ClusterGoneError
            Nobody is there to predict it.
        """
        order = _order_of(reading)
        try:
            asked = self._ahead.pop(order, None)
            if asked is None and len(cuts := self.cuts(reading)) > 1:
                return self._in_parts(settings, order, cuts, stop)
            return self.cluster.result(asked or self.ask_whole(order), stop)
        except StopAskedError:
            return None
        except LostWorkError as error:
            raise SlideError(f"slide {reading.entry.name} was not predicted: {error}") from error

    def close(self) -> None:
        """Stop what is under way, and have the workers forget the champion."""
        for future in self._ahead.values():
            future.cancel()
        self._ahead.clear()
        self.cluster.remove(self._name)

    def ask_whole(self, order: Order) -> Future[SlidePrediction | None]:
        """Ask for a slide, of one worker."""
        return self.cluster.executor.submit(predict_whole, self._name, order)

    def _in_parts(
        self, settings: Settings, order: Order, cuts: Sequence[tuple[int, int]], stop: Callable[[], bool]
    ) -> SlidePrediction | None:
        """Predict a slide in rows; its outlines are made here, and joined where rows meet."""
        facts = self._known()
        logger.info("a slide is predicted in parts slide=%s parts=%d", order.path.name, len(cuts))
        plain, *others = (_Parts(self, order, draw, cuts, stop) for draw in range(facts.predictions))
        return predict_slide(
            order.path,
            order.mpp,
            plain,
            facts.map_mpp,
            settings.predict,
            settings.propose,
            settings.tissue,
            drawing=Drawing(facts.acquisition, tuple(others), facts.note),
            measure=partial(unlikeness_of, self.champion),
            stop=stop,
        )

    def ask_rows(self, order: Order, draw: int, rows: tuple[int, int]) -> Future[Rows | None]:
        """Ask for some rows of a slide's map."""
        return self.cluster.executor.submit(predict_rows, self._name, order, draw, *rows)

    def _known(self) -> ChampionFacts:
        if self._facts is None:
            asked = self.cluster.executor.submit(tell_facts, self._name)
            self._facts = self.cluster.result(asked, lambda: False)
        return self._facts

    def cuts(self, reading: SlideReading) -> list[tuple[int, int]]:
        """Return the rows of a slide's map that one worker each is asked for; one range where nothing is gained."""
        facts, predict = self._known(), self.settings.predict
        rows = reading.pyramid.window_at(downsample_for(reading.mpp, facts.map_mpp)).height
        is_whole = self.champion.card.design == DesignName.HYBRID.value  # its heat map is made whole before any row
        step = max(1, round((predict.tile_px - predict.overlap_px) * facts.mpp / facts.map_mpp))
        parts = 1 if is_whole else min(_PARTS_PER_WORKER * self.cluster.slots(), rows // (_LEAST_BANDS * step))
        if parts <= 1:
            return [(0, rows)]
        height = math.ceil(rows / parts / step) * step
        return [(top, min(top + height, rows)) for top in range(0, rows, height)]


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Yields a slide's probabilities as workers predict them; called as `PredictorBands`."""

    champion: ClusterChampion
    order: Order
    draw: int
    cuts: Sequence[tuple[int, int]]
    stop: Callable[[], bool]

    def __call__(
        self, slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
        """Yield them top to bottom; closing it stops the workers."""
        cluster, waiting = self.champion.cluster, deque[Future[Rows | None]]()
        remaining = iter(self.cuts)
        try:
            self._ask(waiting, remaining, _PARTS_PER_WORKER * cluster.slots())
            while waiting:
                with watch.time(Stage.WAIT) if watch is not None else nullcontext():
                    rows = cluster.result(waiting[0], self.stop)
                waiting.popleft()
                self._ask(waiting, remaining, 1)
                if rows is None:
                    raise StopAskedError
                if watch is not None:
                    watch.add(rows.cost)
                for band in rows.bands:
                    yield band.whole()
        finally:
            for future in waiting:
                future.cancel()

    def _ask(self, waiting: deque[Future[Rows | None]], remaining: Iterator[tuple[int, int]], count: int) -> None:
        for rows in islice(remaining, max(1, count)):
            waiting.append(self.champion.ask_rows(self.order, self.draw, rows))


def _order_of(reading: SlideReading) -> Order:
    path = reading.slide_path
    try:
        stat = path.stat()
        return Order(path, stat.st_size, reading.mpp, stat.st_mtime_ns)
    except OSError as error:
        raise SlideNotFoundError(f"slide {path}: {error.strerror}; it was there when it was read") from error


def _order_or_none(reading: SlideReading) -> Order | None:
    try:
        return _order_of(reading)
    except SlideNotFoundError as error:  # told when it is its turn
        logger.debug("slide=%s is not asked for ahead: %s", reading.entry.name, error)
        return None
