"""Predictions kept beside the store: a slide that was predicted isn't predicted again because a label changed.

One file per slide, named ``<slide>-<champion>-<everything else>.prediction``::

    sha256 (32 bytes)   of all that follows
    safetensors         outlines as WKB, classes, cells with tissue, the overview, the slide's colours per cell

Nothing here is precious: what can't be read is predicted again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from shapely.errors import ShapelyError

from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window
from bridge.errors import SlideNotFoundError
from bridge.files import replace_whole
from bridge.ingest import SlideReading
from models.active import Acquisition
from models.active.overview import Overview
from models.inference import Unlikeness
from scripts.config import Settings
from scripts.loop.slide_work import SlidePrediction
from scripts.options import ProposeOptions

logger = logging.getLogger(__name__)

_FORMAT = 3  # 1: without how unlike the training slides it looks; 2: without colours, and of one score only
_SUFFIX = ".prediction"
_DIGEST_BYTES = 32
_MOST_BYTES = 2**30  # of one file; a slide that needs more is predicted anew each time
_MOST_BYTES_IN_ALL = 4 * 2**30


def key_of(reading: SlideReading, champion_id: str | None, settings: Settings, earlier: Sequence[str] = ()) -> str:
    """Name the prediction of a slide: by the slide, the champion, and whatever else decides it.

    Parameters
    ----------
    champion_id
        None before the first: where the tissue is, is worth keeping as well.
    earlier
        Champions before it that the scores compare it with (`scripts.loop.drawing.earlier_champions`).

    Raises
    ------
    SlideNotFoundError
        The slide's file is gone.
    """
    predict, model = settings.predict, settings.model
    hot_spots = (model.hot_spot_threshold, model.hot_spot_min_um2, model.hot_spot_padding_um)
    facts: tuple[object, ...] = (
        _FORMAT,
        str(reading.slide_path),
        _file_facts(reading.slide_path),
        reading.pyramid,
        (predict.tile_px, predict.overlap_px, predict.batch_size, predict.min_area_um2, predict.simplify_um),
        # The champion's design and working mpp are its card's, and so in its id.
        (model.one_network, *hot_spots, model.map_stride_px) if champion_id is not None else model.mpp,
        settings.propose.region_um,
        settings.tissue,
        _asked(settings.propose, earlier) if champion_id is not None else None,
    )
    return f"{_slide_part(reading.entry.key)}-{_champion_part(champion_id)}-{_short(repr(facts))}"


def _asked(propose: ProposeOptions, earlier: Sequence[str]) -> tuple[object, ...]:
    """Return what decides the scores."""
    match propose.scored_by:
        case Acquisition.BALD:
            return Acquisition.BALD.value, propose.draws
        case Acquisition.DISAGREEMENT:
            return Acquisition.DISAGREEMENT.value, propose.checkpoints, *earlier
        case acquisition:
            return (acquisition.value,)


class PredictionCache:
    """The kept predictions of a project. One process writes; a reader sees a whole file or none.

    Parameters
    ----------
    folder
        Where they lie; made when the first is kept.
    most_bytes
        Of all files together: the ones not used for longest go first.
    """

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES_IN_ALL) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def holds(self, key: str) -> bool:
        """Say whether a prediction is kept, without reading it."""
        return self._path(key).is_file()

    def load(self, key: str) -> SlidePrediction | None:
        """Return a kept prediction; None where there is none, or it is damaged (then it is dropped)."""
        path = self._path(key)
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ValueError("too large")
            prediction = _from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, ShapelyError) as error:
            logger.warning("a kept prediction is damaged and made anew file=%s error=%s", path.name, error)
            _drop(path)
            return None
        _touch(path)
        return prediction

    def save(self, key: str, prediction: SlidePrediction) -> None:
        """Keep a prediction in place of the slide's earlier one; a disk that won't have it costs time, not work."""
        data = _to_bytes(prediction)
        if len(data) > min(_MOST_BYTES, self._most_bytes):
            logger.info("a prediction is too large to be kept bytes=%d", len(data))
            return
        path = self._path(key)
        for earlier in self._files():
            if earlier != path and earlier.name.startswith(f"{key.split('-', 1)[0]}-"):
                _drop(earlier)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(path, data, is_shared=False)
        except OSError as error:
            logger.warning("a prediction is not kept: %s: %s", self._folder, error.strerror)
            return
        self._fit()

    def prune(self, slide_keys: Collection[str], champion_id: str | None) -> None:
        """Drop predictions of other champions, and of slides that aren't in the project any more.

        Parameters
        ----------
        slide_keys
            Of all slides of the project, readable now or not.
        """
        kept = {f"{_slide_part(key)}-{_champion_part(champion_id)}" for key in slide_keys}
        for path in self._files():
            if path.name.rsplit("-", 1)[0] not in kept:
                _drop(path)

    def _fit(self) -> None:
        sized = sorted(((_stat(path), path) for path in self._files()), reverse=True)
        total = 0
        for (_, size), path in sized:
            total += size
            if total > self._most_bytes:
                _drop(path)

    def _files(self) -> list[Path]:
        return list(self._folder.glob(f"*{_SUFFIX}"))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _slide_part(slide_key: str) -> str:
    return _short(slide_key)


def _champion_part(champion_id: str | None) -> str:
    return champion_id or "none"


def _file_facts(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise SlideNotFoundError(f"slide {path}: {error.strerror}; it was there when it was read") from error
    return stat.st_size, stat.st_mtime_ns


def _stat(path: Path) -> tuple[int, int]:
    """Return (when last used, bytes); zeros for a file that has just gone."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _touch(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:  # read-only, or gone: it only looks older than it is
        logger.debug("a kept prediction could not be touched file=%s error=%s", path.name, error)


def _drop(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # Windows: somebody reads it
        logger.warning("a kept prediction can't be removed file=%s error=%s", path.name, error.strerror)


def _to_bytes(prediction: SlidePrediction) -> bytes:
    found = prediction.predictions
    shapes = [shapely.to_wkb(p.geometry) for p in found]
    overview = prediction.overview
    card = {
        "classes": [p.path_class for p in found],
        "cells": _window_json(prediction.cells),
        "extent": list(prediction.extent.bounds),
        "names": list(overview.names) if overview is not None else None,
        "overview": _window_json(overview.window) if overview is not None else None,
        "unknown": [i for i, p in enumerate(found) if p.probability is None],
        "unlikeness": None if prediction.unlikeness is None else astuple(prediction.unlikeness),
        "acquisition": overview.acquisition.value if overview is not None else None,
        "note": prediction.note,
    }
    arrays: dict[str, NDArray[Any]] = {
        "card": np.frombuffer(json.dumps(card).encode(), np.uint8),
        "outlines": np.frombuffer(b"".join(shapes), np.uint8),
        "ends": np.cumsum([len(shape) for shape in shapes], dtype=np.int64),
        "probabilities": np.array([p.probability or 0.0 for p in found], np.float64),
        "tissue": prediction.tissue,
    }
    if overview is not None:
        arrays |= {"overview": overview.probabilities, "score": overview.score}
        arrays |= {"spread": overview.spread} if overview.spread is not None else {}
    arrays |= {"colours": prediction.colours} if prediction.colours is not None else {}
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return hashlib.sha256(data).digest() + data


def _from_bytes(data: bytes) -> SlidePrediction:
    digest, rest = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(rest).digest() != digest:
        raise ValueError("not what was written")
    arrays = load(rest)
    card = json.loads(arrays["card"].tobytes())
    left, top, right, bottom = card["extent"]
    cells, tissue = _window(card["cells"]), arrays["tissue"]
    if tissue.shape != cells.shape:
        raise ValueError(f"cells of shape {cells.shape} and tissue of shape {tissue.shape}")
    colours = arrays.get("colours")
    if colours is not None and colours.shape != (*cells.shape, 3):
        raise ValueError(f"cells of shape {cells.shape} and colours of shape {colours.shape}")
    return SlidePrediction(
        _predictions(arrays, card["classes"], set(card["unknown"])),
        tissue,
        cells,
        _overview(arrays, card) if card["names"] is not None else None,
        Region(left, top, right - left, bottom - top),
        None if card["unlikeness"] is None else _unlikeness(*card["unlikeness"]),
        colours,
        None if card["note"] is None else str(card["note"]),
    )


def _unlikeness(distance: float, tiles: int, training_slides: int) -> Unlikeness:
    return Unlikeness(float(distance), int(tiles), int(training_slides))


def _predictions(
    arrays: Mapping[str, NDArray[Any]], classes: Sequence[str], unknown: Collection[int]
) -> tuple[Prediction, ...]:
    outlines, ends = arrays["outlines"].tobytes(), arrays["ends"].tolist()
    starts = [0, *ends[:-1]]
    shapes = shapely.from_wkb([outlines[start:end] for start, end in zip(starts, ends, strict=bool(ends))])
    shares = arrays["probabilities"].tolist()
    return tuple(
        Prediction(name, shape, None if i in unknown else share)
        for i, (name, shape, share) in enumerate(zip(classes, shapes, shares, strict=True))
    )


def _overview(arrays: Mapping[str, NDArray[Any]], card: Mapping[str, Any]) -> Overview:
    window, names = _window(card["overview"]), tuple(card["names"])
    probabilities, score = arrays["overview"], arrays["score"]
    if probabilities.shape != (len(names), *window.shape) or score.shape != window.shape:
        raise ValueError(f"an overview of shape {probabilities.shape} for {len(names)} classes in {window.shape}")
    spread = arrays.get("spread")
    if spread is not None and spread.shape != probabilities.shape:
        raise ValueError(f"a spread of shape {spread.shape} for probabilities of shape {probabilities.shape}")
    return Overview(probabilities, score, window, names, Acquisition(card["acquisition"]), spread)


def _window_json(window: Window) -> list[float]:
    return [window.x, window.y, window.width, window.height, window.downsample]


def _window(data: Sequence[float]) -> Window:
    x, y, width, height, downsample = data
    return Window(int(x), int(y), int(width), int(height), float(downsample))
