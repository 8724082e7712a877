"""The process that QuPath runs in: the only module that imports paquo. Started, never imported.

``python -m bridge.qupath.paquo_child`` takes one request on standard input and answers on what was its standard
output; everything that paquo, Java and QuPath print goes to standard error instead. When standard input ends, whoever
asked is gone, and so is this.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bridge.qupath.paquo_protocol import Message, Say, Task, encode

Java = Any  # an object of the Java machine; nothing tells its type
Speak = Callable[[Message], None]

_OLDEST = (0, 4)  # objects have no ids before
_NO_QUPATH = (
    "QuPath was not found; set PAQUO_QUPATH_DIR to the folder that it is installed in (the one with lib/app or app in"
    " it), or qupath_dir in .paquo.toml"
)


class _RefusedError(Exception):
    """What the caller gets told in these words."""


def main() -> None:
    """Answer one request, and end at once: a Java machine that lingers is nobody's."""
    request_line, speak = _take_pipes()
    try:
        _answer(json.loads(request_line), speak)
        speak({"say": Say.END.value})
    except _RefusedError as error:
        speak({"say": Say.ERROR.value, "text": str(error)})
    except BaseException as error:  # also Java's: whatever it is, one line goes up and the rest is printed
        traceback.print_exc()
        speak({"say": Say.ERROR.value, "text": f"QuPath failed: {type(error).__name__}: {error}"})
    sys.stderr.flush()
    os._exit(0)


def _take_pipes() -> tuple[bytes, Speak]:
    """Take both pipes away from everything else in this process."""
    channel = os.fdopen(os.dup(1), "wb", 2**16)
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), 0)
    line = requests.readline()

    def leave_with_the_caller() -> None:
        requests.read()
        os._exit(1)

    threading.Thread(target=leave_with_the_caller, daemon=True).start()

    def speak(message: Message) -> None:
        channel.write(encode(message))
        if message["say"] != Say.OBJECT.value:  # of those there may be a million, and "end" follows
            channel.flush()

    return line, speak


def _answer(request: Message, speak: Speak) -> None:
    place = _find()
    task = Task(request["task"])
    if task is Task.FIND:
        speak({"say": Say.ANSWER.value, "folder": place})
        return
    _check_version()
    {Task.READ: _read, Task.CREATE: _create, Task.RESAVE: _resave}[task](request, speak)


def _find() -> str:
    """Return where QuPath is, without starting it."""
    from paquo._config import settings, to_kwargs
    from paquo.jpype_backend import find_qupath

    try:
        return str(find_qupath(**to_kwargs(settings)).app_dir)
    except (ValueError, OSError) as error:
        given = settings.to_dict().get("QUPATH_DIR") or os.environ.get("PAQUO_QUPATH_DIR")
        raise _RefusedError(f"{_NO_QUPATH}; {given} is none" if given else _NO_QUPATH) from error


def _check_version() -> None:
    from paquo.java import qupath_version  # starts the Java machine

    found = None if qupath_version is None else tuple(qupath_version.version.release[:2])
    if found is None or found < _OLDEST:
        raise _RefusedError(f"QuPath {qupath_version} is too old; set PAQUO_QUPATH_DIR to one of 0.4 or newer")


# Reading


def _read(request: Message, speak: Speak) -> None:
    from paquo.projects import QuPathProject

    project = QuPathProject(request["project"], mode="r")
    entries = {entry.entry_id: entry for entry in project.images}
    for image in request["images"]:
        if image not in entries:
            raise _RefusedError(f"QuPath finds no image {image} in the project; list its slides again")
        _send_hierarchy(image, entries[image].hierarchy.java_object, speak)


def _send_hierarchy(image: str, hierarchy: Java, speak: Speak) -> int:
    """Send an image and its objects, parents first; return how many there are."""
    objects = list(_walk(hierarchy.getRootObject()))
    speak({"say": Say.IMAGE.value, "id": image, "n_objects": len(objects), "tma_grid": _grid(hierarchy.getTMAGrid())})
    describe = _Describer()
    for path_object in objects:
        speak({"say": Say.OBJECT.value, "object": describe(path_object)})
    return len(objects)


def _walk(root: Java) -> Iterator[Java]:
    work = list(reversed(list(root.getChildObjects())))
    while work:
        path_object = work.pop()
        yield path_object
        work += reversed(list(path_object.getChildObjects()))


def _grid(grid: Java) -> Message | None:
    if grid is None:
        return None
    width, height = int(grid.getGridWidth()), int(grid.getGridHeight())
    cores = [_text(grid.getTMACore(row, column).getID()) for row in range(height) for column in range(width)]
    return {"width": width, "height": height, "cores": cores}


class _Describer:
    """Makes the records that ``paquo_records`` describes."""

    def __init__(self) -> None:
        from paquo.java import PathCellObject, WKBWriter, compatibility

        self._cell = PathCellObject
        self._writer = WKBWriter(2)
        self._has_new_measurements = compatibility.supports_newer_measurements_interface

    def __call__(self, path_object: Java) -> Message:
        path_class, roi, parent = path_object.getPathClass(), path_object.getROI(), path_object.getParent()
        nucleus = path_object.getNucleusROI() if isinstance(path_object, self._cell) else None
        return {
            "id": _text(path_object.getID()),
            "type": _class_of(path_object),
            "name": _text(path_object.getName()),
            "path_class": None if path_class is None else _text(path_class),
            "color": None if path_class is None else _integer(path_class.getColor()),
            "object_color": _integer(path_object.getColor()),
            "probability": _number(path_object.getClassProbability()),
            "locked": bool(path_object.isLocked()),
            "parent": "root" if parent is None or parent.isRootObject() else _text(parent.getID()),
            "measurements": self._measurements(path_object.getMeasurementList()),
            "metadata": _metadata(path_object),
            "missing": bool(path_object.isMissing()) if hasattr(path_object, "isMissing") else False,
            **self._outline(roi),
            **self._nucleus(nucleus),
        }

    def _outline(self, roi: Java) -> Message:
        if roi is None:
            return {"roi": None, "plane": [-1, 0, 0], "wkb": None}
        geometry = roi.getGeometry()
        outline = {
            "roi": _class_of(roi),
            "plane": [int(roi.getC()), int(roi.getZ()), int(roi.getT())],
            "bounds": [
                _number(side)
                for side in (roi.getBoundsX(), roi.getBoundsY(), roi.getBoundsWidth(), roi.getBoundsHeight())
            ],
            "wkb": bytes(self._writer.write(geometry)).hex(),
        }
        if not _is_cleaned(roi):
            return outline
        return {**outline, "n_points": int(roi.getNumPoints()), "points": _points(roi)}

    def _nucleus(self, roi: Java) -> Message:
        if roi is None:
            return {"nucleus_wkb": None}
        wkb = bytes(self._writer.write(roi.getGeometry())).hex()
        return {"nucleus_wkb": wkb, "nucleus_points": _points(roi) if _is_cleaned(roi) else None}

    def _measurements(self, measurements: Java) -> dict[str, float | str]:
        get = measurements.get if self._has_new_measurements else measurements.getMeasurementValue
        return {_text(name) or "": _number(get(name)) for name in measurements.getMeasurementNames()}


def _class_of(thing: Java) -> str:
    return str(thing.getClass().getSimpleName())


def _is_cleaned(roi: Java) -> bool:
    """Say whether QuPath's geometry of a polygon has other vertices than the polygon."""
    return _class_of(roi) == "PolygonROI" and int(roi.getGeometry().getNumPoints()) != int(roi.getNumPoints()) + 1


def _points(roi: Java) -> list[float]:
    return [float(side) for point in roi.getAllPoints() for side in (point.getX(), point.getY())]


def _metadata(path_object: Java) -> dict[str, str] | None:
    if not hasattr(path_object, "getMetadata"):  # 0.4
        return None
    return {_text(e.getKey()) or "": _text(e.getValue()) or "" for e in path_object.getMetadata().entrySet()}


def _number(value: Java) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _integer(value: Java) -> int | None:
    return None if value is None else int(value)


def _text(value: Java) -> str | None:
    """Return a Java text, or what ``toString`` says; half of a character pair stays what it is."""
    if value is None:
        return None
    text = value.toString()
    try:
        return str(text)
    except UnicodeError:
        return "".join(chr(int(unit)) for unit in text.chars().toArray())


# Writing


def _create(request: Message, speak: Speak) -> None:
    from paquo.classes import QuPathPathClass
    from paquo.projects import QuPathProject

    project = QuPathProject(request["project"], mode="x")
    if request["classes"]:  # else QuPath's own stay
        project.path_classes = list(_classes(request["classes"], QuPathPathClass))
    for number, slide in enumerate(request["slides"], 1):
        speak({"say": Say.PROGRESS.value, "text": slide, "number": number})
        try:
            project.add_image(slide)
        except (OSError, RuntimeError) as error:
            raise _RefusedError(f"{slide}: QuPath can't open this slide ({error}); leave it out") from error
    project.save()
    speak({"say": Say.ANSWER.value, "images": [entry.entry_id for entry in project.images]})


def _classes(colors: Mapping[str, list[int]], make: Callable[..., Java]) -> Iterator[Java]:
    """Make the classes, each below its own parents; every level has a colour."""
    for name, color in colors.items():
        path_class = None
        parts = name.split(": ")
        for level, part in enumerate(parts):
            known = colors.get(": ".join(parts[: level + 1]), color)
            path_class = make(part, tuple(known), path_class)
        yield path_class


def _resave(request: Message, speak: Speak) -> None:
    """Load one image whole and save it; what QuPath read stands in the answer, to be compared with what it wrote."""
    from paquo.projects import QuPathProject

    project = QuPathProject(request["project"], mode="r+")
    entries = {entry.entry_id: entry for entry in project.images}
    entry = entries[request["image"]]
    before = _send_hierarchy(entry.entry_id, entry.java_object.readHierarchy(), speak)
    if entry.uri != request["slide_uri"]:
        project.update_image_paths(uri2uri={entry.uri: request["slide_uri"]})
    if not entry.is_readable():
        raise _RefusedError(f"QuPath can't reach the slide {request['slide_uri']}; nothing was saved")
    image_data = entry.java_object.readImageData()
    # A file that it can't read becomes a new image without objects, silently.
    loaded = sum(1 for _ in _walk(image_data.getHierarchy().getRootObject()))
    if loaded != before:
        raise _RefusedError(f"QuPath reads {before} objects in one way and {loaded} in another; nothing was saved")
    entry.java_object.saveImageData(image_data)


if __name__ == "__main__":
    main()
