"""Pictures to look at: an overlay per round, and the learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw

from bridge.annotations import Annotation
from scripts.demo.material import CLASSES, TEST_FROM_X

_ROI = (0, 0, 0)
_PROPOSED = (255, 220, 0)


def save_overlay(path: Path, pixels: np.ndarray, annotations: Sequence[Annotation]) -> None:
    """Draw what is in the file: outlines by class (predictions thin, people's thick), ROIs black, proposals yellow.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3).
    annotations
        Level-0 pixels of the same picture.
    """
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for annotation in annotations:
        name = (annotation.path_class or "").removesuffix(": Predicted")
        is_roi = "ROI" in (name, annotation.name)
        color = _ROI if is_roi else _PROPOSED if name == "Proposed" else CLASSES.get(name)
        if color is None:
            continue
        is_prediction = (annotation.path_class or "").endswith(": Predicted")
        width = 5 if is_roi or name == "Proposed" else 1 if is_prediction else 3
        for part in shapely.get_parts(annotation.geometry):
            for ring in shapely.get_rings(part):
                draw.line([tuple(p) for p in shapely.get_coordinates(ring)], fill=color, width=width)
    draw.line([(TEST_FROM_X, 0), (TEST_FROM_X, picture.height)], fill=(255, 255, 255), width=4)
    picture.save(path, optimize=True)


def save_curve(path: Path, rounds: Sequence[Mapping[str, object]], otsu: float) -> None:
    """Draw pooled and per-class Dice against the labelled share of the picture, with Otsu as a line."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    area = [100 * float(str(r["labelled_fraction"])) for r in rounds]
    axes.plot(area, [float(str(r["dice"])) for r in rounds], "o-", color="black", linewidth=2, label="all nuclei")
    for name, (red, green, blue) in CLASSES.items():
        per_class = [r["dice_per_class"] for r in rounds]
        values = [float(row[name]) for row in per_class if isinstance(row, Mapping)]
        axes.plot(area, values, "o-", color=(red / 255, green / 255, blue / 255), label=name, alpha=0.8)
    axes.axhline(otsu, color="grey", linestyle="--", label="Otsu, all nuclei")
    axes.set_xlabel("labelled area, % of the picture")
    axes.set_ylabel("Dice on the unlabelled third")
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
