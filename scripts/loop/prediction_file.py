"""A slide's prediction as bytes that tell whether they are whole.

::

sha256 (32 bytes)   of all that follows
safetensors         outlines as WKB, classes, cells with tissue, the overview, the slide's colours per cell
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from shapely.errors import ShapelyError

from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window
from models.active import Acquisition
from models.active.overview import Overview
from models.inference import Unlikeness
from scripts.loop.slide_work import SlidePrediction

FORMAT = 3  # 1: without how unlike the training slides it looks; 2: without colours, and of one score only
_DIGEST_BYTES = 32


class UnreadablePredictionError(ValueError):
    """Bytes that hold no prediction."""


def to_bytes(prediction: SlidePrediction) -> bytes:
    """Return a prediction as a file's bytes; what it cost is not kept: it was paid once."""
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


def from_bytes(data: bytes) -> SlidePrediction:
    """Return what `to_bytes` was given.

    Raises
    ------
    UnreadablePredictionError
        The bytes are damaged, or something else.
    """
    try:
        return _from_bytes(data)
    except (ValueError, KeyError, TypeError, SafetensorError, ShapelyError) as error:
        raise UnreadablePredictionError(str(error)) from error


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
