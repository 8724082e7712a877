"""QuPath without QuPath: projects, ``data.qpdata`` files and GeoJSON, read and written natively.

Here live the codec of Java serialization streams, QuPath's objects on top of it, the project file, and QuPath's dialect
of GeoJSON. Nothing here opens a slide or writes a file but those of a new project and what an open QuPath is
left (``viewer``), and only ``paquo_backend`` starts the user's own QuPath, in a child process; ``bridge.export`` does
the writing. May call ``bridge.annotations``, ``bridge.coords`` and ``bridge.errors`` only.
"""

from bridge.qupath.edit import apply_edits
from bridge.qupath.geojson import compose_geojson, read_geojson, write_geojson
from bridge.qupath.geojson_folder import GeoJSONFolder
from bridge.qupath.new_project import NewImage, create_project, merged_classes
from bridge.qupath.project import QuPathProject
from bridge.qupath.read import read_qpdata
from bridge.qupath.viewer import QuPathViewer

__all__ = [
    "GeoJSONFolder",
    "NewImage",
    "QuPathProject",
    "QuPathViewer",
    "apply_edits",
    "compose_geojson",
    "create_project",
    "merged_classes",
    "read_geojson",
    "read_qpdata",
    "write_geojson",
]
