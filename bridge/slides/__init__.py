"""Slides and pictures: finding, opening, reading at any downsample, mpp, tissue, and writing a pyramid.

Nothing here knows annotations or projects. May call ``bridge.coords`` and ``bridge.errors`` only. OpenSlide and
tifffile are loaded when the first file is opened.
"""

from bridge.slides.base import RgbPixels, Slide
from bridge.slides.frame import stated_bounds, tool_corner
from bridge.slides.locate import SearchRules, find_slide
from bridge.slides.opening import open_slide
from bridge.slides.pyramid_tiff import TiffCompression, write_pyramid
from bridge.slides.resolution import Resolution, choose_mpp
from bridge.slides.thumbnail import thumbnail_jpeg
from bridge.slides.tissue import TissueMask, TissueOptions, tissue_mask
from bridge.slides.tissue_rules import TissueRule

__all__ = [
    "Resolution",
    "RgbPixels",
    "SearchRules",
    "Slide",
    "TiffCompression",
    "TissueMask",
    "TissueOptions",
    "TissueRule",
    "choose_mpp",
    "find_slide",
    "open_slide",
    "stated_bounds",
    "thumbnail_jpeg",
    "tissue_mask",
    "tool_corner",
    "write_pyramid",
]
