"""What a worker of a cluster does: it holds a champion, and predicts slides, or rows of one, as it is asked to.

Imports Dask: only where there is a cluster. What goes to a worker and back are plain values; the champion travels as
the files of its checkpoint, once, and is loaded once in each process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Self

import numpy as np
from distributed import Worker, WorkerPlugin, get_worker
from numpy.typing import NDArray

from bridge.annotations import SlideEntry
from bridge.coords import Window
from bridge.errors import BridgeError, SlideError, SlideNotFoundError
from bridge.ingest import locate_slide
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask, open_slide, tissue_mask
from models.active import Acquisition
from models.checkpoints import load_checkpoint
from models.inference import PredictionCost, Stopwatch
from scripts.config import Settings
from scripts.executors import cores_here, host_of, is_wanted
from scripts.loop.drawing import PredictorBands
from scripts.loop.slide_jobs import ChampionBands
from scripts.loop.slide_work import SlidePrediction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """A slide to be predicted.

    Parameters
    ----------
    path
        Where it lies on the machine that asks.
    size_bytes
        Of that file: another file of its name is not taken for it.
    mpp
        As decided on.
    modified_ns
        When the file was changed last, there: what was asked for before is no answer. Copies may have another time.
    """

    path: Path
    size_bytes: int
    mpp: tuple[float, float]
    modified_ns: int = 0


@dataclass(frozen=True, slots=True)
class ChampionFacts:
    """What the machine that asks has to know of a champion that it doesn't load.

    Parameters
    ----------
    mpp, map_mpp
        µm per pixel of the net's input, and of the bands.
    predictions
        How many the scores are made of, the plain one included.
    acquisition, note
        As of `Drawing`.
    runs_on
        As of the predictor.
    """

    mpp: float
    map_mpp: float
    predictions: int
    acquisition: Acquisition
    note: str | None
    runs_on: str


@dataclass(frozen=True, slots=True, eq=False)
class SparseMap:
    """A probability map without the pixels that are certain background: glass, and what nobody looked at closely.

    Parameters
    ----------
    is_told
        One bit for each pixel, row by row.
    values
        float32, (classes, told pixels).
    """

    window: Window
    names: tuple[str, ...]
    is_told: NDArray[np.uint8]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, band: ProbabilityMap) -> Self:
        """Return a map so; `whole` gives it back bit for bit."""
        first, *others = band.probabilities
        is_told = (first != 1) | np.any(others, axis=0) if others else np.ones(first.shape, np.bool_)
        return cls(band.window, band.names, np.packbits(is_told), band.probabilities[:, is_told])

    def whole(self) -> ProbabilityMap:
        """Return the map."""
        count = self.window.height * self.window.width
        is_told = np.unpackbits(self.is_told, count=count).astype(np.bool_).reshape(self.window.shape)
        values = np.zeros((len(self.names), *self.window.shape), np.float32)
        values[0] = 1
        values[:, is_told] = self.values
        return ProbabilityMap(values, self.window, self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of a slide's map, top to bottom, and what they cost."""

    bands: tuple[SparseMap, ...]
    cost: PredictionCost


class ChampionPlugin(WorkerPlugin):
    """A champion on a worker.

    Parameters
    ----------
    settings
        Of the project.
    champion_id
        Of the champion.
    files
        Path below the folder of checkpoints → content: the champion's, and those that its scores compare.
    slots_by_host
        How many pieces of work each machine does at once: its cores are shared out among them.
    """

    def __init__(
        self,
        settings: Settings,
        champion_id: str,
        files: Mapping[str, bytes],
        slots_by_host: Mapping[str, int],
    ) -> None:
        self._settings = settings
        self._champion_id = champion_id
        self._files = dict(files)
        self._slots_by_host = dict(slots_by_host)

    def setup(self, worker: Worker) -> None:
        """Begin on a worker."""
        slots = self._slots_by_host.get(host_of(worker.address), worker.state.nthreads)
        self._address = worker.address
        self._threads = max(1, cores_here() // max(1, slots))
        self._lock = threading.Lock()
        self._bands: ChampionBands | None = None
        self._held = _Held()

    def facts(self) -> ChampionFacts:
        """Return what is to be known of the champion."""
        bands = self._loaded()
        predictor, drawing = bands.predictor, bands.drawing
        return ChampionFacts(
            bands.champion.card.mpp,
            predictor.map_mpp,
            1 + len(drawing.others),
            drawing.acquisition,
            drawing.note,
            predictor.runs_on,
        )

    def predict(self, order: Order, stop: Callable[[], bool]) -> SlidePrediction | None:
        """Predict a slide whole; None when ``stop`` said so."""
        return self._loaded().predict_file(self._settings, self._found(order), order.mpp, stop)

    def rows(self, order: Order, draw: int, top: int, bottom: int, stop: Callable[[], bool]) -> Rows | None:
        """Predict the rows of a slide's map from ``top`` to before ``bottom``; None when ``stop`` said so.

        Parameters
        ----------
        draw
            Which of the predictions that scores are made of; 0 is the plain one.
        """
        loaded, watch = self._loaded(), Stopwatch(perf_counter)
        slide, tissue = self._held.open(self._found(order), order.mpp, self._settings)
        source = (PredictorBands(loaded.predictor, loaded.options), *loaded.drawing.others)[draw]
        assert isinstance(source, PredictorBands), "drawings are made of predictors"
        found: list[SparseMap] = []
        with closing(_bands_from(source, slide, tissue, top, watch)) as bands:
            for band in bands:
                if stop():
                    return None
                part = _between(band, top, bottom)
                if part is not None:
                    found.append(SparseMap.of(part))
                if band.window.bottom >= bottom:
                    break
        return Rows(tuple(found), watch.cost())

    def _loaded(self) -> ChampionBands:
        with self._lock:
            if self._bands is None:
                self._bands = self._load()
                self._files.clear()
            return self._bands

    def _load(self) -> ChampionBands:
        import torch

        torch.set_num_threads(self._threads)
        with TemporaryDirectory(prefix="slidebridge-") as name:
            checkpoints = Path(name)
            for below, content in self._files.items():
                path = checkpoints / below
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            champion = load_checkpoint(checkpoints / self._champion_id)
            bands = ChampionBands.load(self._settings, checkpoints, champion, threads=self._threads)
        logger.info("model loaded champion=%s threads=%d", self._champion_id, self._threads)
        return bands

    def _found(self, order: Order) -> Path:
        """Return where the slide is on this machine."""
        entry = SlideEntry(order.path.name, order.path.name, order.path, order.path)
        try:
            path = locate_slide(entry, self._settings.slides)
            size = path.stat().st_size
        except SlideNotFoundError as error:
            raise SlideNotFoundError(f"{error} (on worker {self._address})") from error
        except OSError as error:
            raise SlideError(f"slide {order.path.name} on worker {self._address}: {error.strerror}") from error
        if size != order.size_bytes:
            raise SlideError(
                f"slide {order.path.name} is another file on worker {self._address}: {path} has {size} bytes,"
                f" {order.size_bytes} where it was asked for"
            )
        return path


class _Held(threading.local):
    """The slide that a worker's thread was last at: its next rows will be asked for soon."""

    def __init__(self) -> None:
        self._key: tuple[Path, tuple[float, float], int, int] | None = None
        self._slide: Slide | None = None
        self._tissue: TissueMask | None = None

    def open(self, path: Path, mpp: tuple[float, float], settings: Settings) -> tuple[Slide, TissueMask]:
        found = path.stat()
        key = path, mpp, found.st_size, found.st_mtime_ns  # a slide may be replaced by another of its name
        if self._slide is None or self._tissue is None or self._key != key:
            self.close()
            self._slide = open_slide(path, mpp=mpp)
            self._tissue = tissue_mask(self._slide, settings.tissue)
            self._key = key
        return self._slide, self._tissue

    def close(self) -> None:
        if self._slide is not None:
            self._slide.close()
        self._key = self._slide = self._tissue = None


def tell_facts(name: str) -> ChampionFacts:
    """Return, on a worker, what is to be known of a champion that was installed under this name."""
    return _plugin(name).facts()


def predict_whole(name: str, order: Order) -> SlidePrediction | None:
    """Predict, on a worker, a whole slide."""
    return _plugin(name).predict(order, _is_unwanted)


def predict_rows(name: str, order: Order, draw: int, top: int, bottom: int) -> Rows | None:
    """Predict, on a worker, some rows of a slide."""
    return _plugin(name).rows(order, draw, top, bottom, _is_unwanted)


def _plugin(name: str) -> ChampionPlugin:
    plugin = get_worker().plugins.get(name)
    if not isinstance(plugin, ChampionPlugin):
        raise BridgeError(f"worker {get_worker().address} was never given the model; restart it")
    return plugin


def _is_unwanted() -> bool:
    return not is_wanted()


def _bands_from(
    source: PredictorBands, slide: Slide, tissue: TissueMask, top: int, watch: Stopwatch
) -> Generator[ProbabilityMap, None, None]:
    yield from source.predictor.predict(slide, tissue, source.options, first_row=top, watch=watch)


def _between(band: ProbabilityMap, top: int, bottom: int) -> ProbabilityMap | None:
    """Return the rows of a band that were asked for; None where there are none."""
    window = band.window
    first, last = max(window.y, top), min(window.bottom, bottom)
    return band.crop(replace(window, y=first, height=last - first)) if first < last else None
