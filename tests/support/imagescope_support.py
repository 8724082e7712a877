"""What of ours can be taken out of an ImageScope file again, and what an outline is on whole pixels: for the laws.

Imported by tests as ``imagescope_support`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from bridge.imagescope.document import parse_document
from bridge.imagescope.emit import _rings
from bridge.imagescope.holes import polygon_with_holes
from bridge.imagescope.splice import Splice, apply_splices
from bridge.imagescope.write import _cut_markers, _packed, _was_self_closed, cut_layer, is_ours


def whole_pixel_parts(geometry: BaseGeometry) -> tuple[BaseGeometry, ...]:
    """Return what a geometry is read back as: one annotation per polygon, on whole pixels, holes cut out."""
    parts = []
    for shell, *holes in _rings(geometry):
        outline = Polygon(shell)
        parts.append(polygon_with_holes(outline, [Polygon(hole) for hole in holes])[0] if holes else outline)
    return tuple(parts)


def remove_ours(data: bytes) -> bytes:
    """Return the file without our layers; the original bytes where nothing but ``apply_edits`` has added to it."""
    document = parse_document(data)
    splices = [cut_layer(document, layer) for layer in document.layers if is_ours(layer)]
    splices += _cut_markers(document)
    root = document.root
    if _was_self_closed(document) and not apply_splices(document.body, splices, root.open_end, root.close).strip():
        splices = [Splice(root.open_end - 1, root.end, b"/>")]
    return _packed(document, apply_splices(document.body, splices))
