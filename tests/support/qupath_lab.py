"""A small QuPath project, and a QuPath to ask where there is none (see ``qupath_stand_in``).

Imported by tests as ``qupath_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from bridge.qupath.new_project import NewImage, create_project
from bridge.qupath.paquo_backend import PaquoOptions, QuPath
from bridge.qupath.project import QuPathProject

STAND_IN = Path(__file__).with_name("qupath_stand_in")
CLASSES = {"Tumor": (200, 0, 0), "Tumor: Positive": (255, 80, 80)}


def draw_picture(path: Path) -> Path:
    """Write a flat picture of 300 × 200 pixels."""
    Image.fromarray(np.full((200, 300, 3), 230, np.uint8)).save(path)
    return path


def new_project(folder: Path, *names: str) -> QuPathProject:
    """Make a project of pictures beside each other; nothing is saved in it yet."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [
        NewImage(
            draw_picture(folder / name), name, 300, 200, ((300, 200),), (0.5, 0.5), None, (300, 200), is_openslide=False
        )
        for name in names or ("a.png",)
    ]
    return create_project(folder / "project", images, CLASSES, now=datetime(2030, 1, 2, tzinfo=UTC))


def save_first(project: QuPathProject, data: bytes) -> Path:
    """Give the first image its ``data.qpdata``."""
    path = project.slides()[0].annotation_path
    path.write_bytes(data)
    return path


def stand_in(behaviour: str = "", seconds: float = 60.0, **environ: str) -> QuPath:
    """Return a QuPath that is none, but goes the whole way through the child process."""
    given = {
        **os.environ,
        "PYTHONPATH": str(STAND_IN),
        "PAQUO_QUPATH_DIR": "/QuPath",
        "STAND_IN": behaviour,
        **environ,
    }
    return QuPath(PaquoOptions(timeout_seconds=seconds, per_image_seconds=0.0), given)
