"""A small picture of a slide on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bridge.slides import RgbPixels, open_slide


def thumbnail(path: Path, longest_px: int) -> RgbPixels:
    """Return the whole slide with its longer side at most so many pixels."""
    with open_slide(path) as slide:
        downsample = max(1.0, max(slide.pyramid.dimensions[0]) / longest_px)
        return np.asarray(slide.read_window(slide.pyramid.window_at(downsample)))
