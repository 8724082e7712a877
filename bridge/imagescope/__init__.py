"""The ImageScope room: Aperio ImageScope's XML, a folder of slides with such files beside them, an H-AI-L project.

Here lives what the format means, how its layers stand for classes, and how our layers go in and out without a byte of
anybody else's changing. Not here: reading slides, writing to disk, whether an object of ours is still as we wrote it.
May call ``bridge.annotations``, ``bridge.coords`` and ``bridge.errors``; no sibling adapter.
"""

from bridge.imagescope.folder import ImageScopeFolder
from bridge.imagescope.hail import MAX_CLASS, LayerClass
from bridge.imagescope.hail_folder import HailFolder
from bridge.imagescope.read import read_imagescope
from bridge.imagescope.write import apply_edits, create_imagescope

__all__ = [
    "MAX_CLASS",
    "HailFolder",
    "ImageScopeFolder",
    "LayerClass",
    "apply_edits",
    "create_imagescope",
    "read_imagescope",
]
