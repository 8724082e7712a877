"""Finding QuPath."""

from pathlib import Path
from types import SimpleNamespace


def find_qupath(*, qupath_dir):
    return SimpleNamespace(app_dir=Path(qupath_dir) / "lib" / "app")
