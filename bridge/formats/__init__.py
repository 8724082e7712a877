"""Annotation formats that are no source of their own: label masks, ASAP's XML, and the names of what we only recognize.

Here live the mask files (PNG, TIFF), ASAP's reader, and ``recognize``, which tells a person what a refused file is. The
formats that we watch and write into have rooms of their own (``imagescope``, ``qupath``). Arrays and paths in, arrays
out: rasterizing is ``bridge.raster``'s. May call ``bridge.annotations`` and ``bridge.errors``.
"""

from bridge.formats.asap import AsapFile, read_asap
from bridge.formats.label_mask import (
    MASK_SUFFIXES,
    OpenLabelMask,
    open_label_mask,
    write_label_mask,
)
from bridge.formats.mask_info import MaskInfo
from bridge.formats.recognize import HEAD_BYTES, AnnotationFormat, recognize, way_out

__all__ = [
    "HEAD_BYTES",
    "MASK_SUFFIXES",
    "AnnotationFormat",
    "AsapFile",
    "MaskInfo",
    "OpenLabelMask",
    "open_label_mask",
    "read_asap",
    "recognize",
    "way_out",
    "write_label_mask",
]
