"""The two tools behind one face: how a file is opened, changed, saved and judged whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bridge.annotations import AnnotationSet
from bridge.errors import AnnotationFileError
from bridge.imagescope import read_imagescope
from bridge.qupath import read_qpdata
from scripts.bench.simulators import imagescope_editor, qupath
from scripts.bench.simulators.changes import Changes, Pause
from scripts.bench.simulators.imagescope import resave
from scripts.bench.torture.options import Tool

_FAILED_SHARE = 0.03  # of QuPath's saves: the disk refuses, and the .bkp is moved back
_MARKER_SHARE = 0.7  # of ImageScope's saves: by a version that keeps attributes of layers
_HELD_SHARE = 0.4  # of ImageScope's saves: the file is opened some time before it is truncated


@dataclass(frozen=True, slots=True)
class Saved:
    """How a save went: whether it succeeded, and how long the file was held open before it was changed."""

    is_done: bool = True
    held_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulator:
    """What a tool does with a file.

    Parameters
    ----------
    open
        Path → bytes of what it shows; None where it can't open the file.
    edit
        Bytes and changes → bytes in its memory.
    save
        Path, bytes in memory, chance, what to call during pauses and while the file is held open → how it went.
    parse
        Bytes → objects, by the product's reader.
    """

    open: Callable[[Path], bytes | None]
    edit: Callable[[bytes, Changes], bytes]
    save: Callable[[Path, bytes, Random, Pause, Pause], Saved]
    parse: Callable[[bytes], AnnotationSet]


def simulator_of(tool: Tool) -> Simulator:
    """Return the simulator of a tool."""
    if tool is Tool.QUPATH:
        return Simulator(qupath.open_image, qupath.edit_image, _save_qupath, read_qpdata)
    return Simulator(imagescope_editor.open_xml, imagescope_editor.edit_xml, _save_imagescope, read_imagescope)


def _save_qupath(path: Path, data: bytes, random: Random, pause: Pause, hold: Pause) -> Saved:
    count = random.randint(1, 6)
    fails_after = random.randrange(count) if random.random() < _FAILED_SHARE else None
    return Saved(qupath.save_image(path, data, count=count, pause=pause, fails_after=fails_after))


def _save_imagescope(path: Path, data: bytes, random: Random, pause: Pause, hold: Pause) -> Saved:
    whole = resave(data, keep_marker=random.random() < _MARKER_SHARE)
    first = hold if random.random() < _HELD_SHARE else None
    return Saved(
        held_seconds=imagescope_editor.save_xml(path, whole, count=random.randint(1, 6), pause=pause, hold=first)
    )


def whole_version(tool: Tool, path: Path) -> bytes | None:
    """Return what can be read at a file's name: for QuPath also the ``.bkp`` of a save that was cut; None: nothing."""
    simulator = simulator_of(tool)
    data = simulator.open(path)
    if data is None:
        return None
    try:
        simulator.parse(data)
    except AnnotationFileError:
        return None
    return data
