"""Shapes → arrays and back, pure: no file, clock or tool.

Lives here: the raster rule (``ShapeIndex``), masks of annotations and of label plans, polygons of masks, tiles cut and
glued. Doesn't: reading pixels (``bridge.slides``), whatever knows torch. May call ``bridge.annotations``,
``bridge.coords`` and ``bridge.errors``.
"""

from bridge.raster.blend import BandBlender, TileGrid, blend_weights
from bridge.raster.masks import LabelMask, ProbabilityMap
from bridge.raster.plan_raster import PlanRaster
from bridge.raster.rasterize import rasterize
from bridge.raster.shape_index import ShapeIndex
from bridge.raster.simplify import changed_pixels, simplify_outlines
from bridge.raster.vectorize import vectorize, vectorize_bands

__all__ = [
    "BandBlender",
    "LabelMask",
    "PlanRaster",
    "ProbabilityMap",
    "ShapeIndex",
    "TileGrid",
    "blend_weights",
    "changed_pixels",
    "rasterize",
    "simplify_outlines",
    "vectorize",
    "vectorize_bands",
]
