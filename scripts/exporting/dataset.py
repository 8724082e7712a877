"""``export dataset``: what people labelled, as files that other training programs read."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.annotations import BACKGROUND, IGNORE_LABEL, ClassScheme, Part, format_color
from bridge.annotations.roles import Role
from bridge.errors import BridgeError
from bridge.slides import open_slide
from bridge.store import Backups
from scripts.exporting.dataset_outlines import plan_geojson
from scripts.exporting.dataset_request import DatasetRequest, ExportedDataset, TileFormat
from scripts.exporting.dataset_slide import FIRST_CHANNEL, FOLDERS, Item, SlideWriter
from scripts.exporting.errors import ExportError
from scripts.exporting.folder import ExportKind, check_place, new_folder
from scripts.exporting.naming import file_names
from scripts.exporting.readme_dataset import dataset_readme
from scripts.gestures import answer_with_roi
from scripts.loop.pull import Pulled, SlideState, pull, suspicion
from scripts.naming.project_names import project_names
from scripts.naming.slide_names import SlideNames
from scripts.plain_words import counted
from scripts.progress import Progress, Renamed
from scripts.project import Project, open_store
from scripts.version import program_version

logger = logging.getLogger(__name__)
RECORD_NAME, README_NAME, OUTLINES = "dataset.json", "README.txt", "geojson"
_NNUNET = {"background", "ignore"}  # names of its own


@dataclass(slots=True, eq=False)
class _Gathered:
    """What was written so far."""

    items: dict[Part, list[Item]] = field(default_factory=lambda: {Part.TRAINING: [], Part.HOLD_OUT: []})
    slides: list[Mapping[str, object]] = field(default_factory=list)
    pixels: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def export_dataset(project: Project, request: DatasetRequest, now: datetime, progress: Progress) -> ExportedDataset:
    """Write label masks, pictures and outlines of everything that people labelled, and of nothing that a model said.

    Slides are read as they are now; held-out areas are a part of their own. A slide that can't be read is left out.

    Raises
    ------
    ExportError
        The folder is somebody's, or nothing is labelled.
    """
    check_place(request.out, ExportKind.DATASET, project, is_forced=request.is_forced)
    names = project_names(project, project.source.slides())
    pulled = _read(project, names, now, progress)
    labelled = [state for state in pulled.slides if state.plan.shapes or state.plan.complete]
    boxes_only = tuple(names.of(state.key) for state in pulled.slides if _has_boxes_only(state))
    if not labelled:
        raise _nothing_labelled(project, boxes_only)
    files = file_names((state.key, names.of(state.key)) for state in labelled)
    ignore = IGNORE_LABEL if request.is_whole else len(project.scheme.names)
    with new_folder(request.out, ExportKind.DATASET, project, is_forced=request.is_forced) as folder:
        mpp = request.mpp or project.settings.model.mpp
        writers = [SlideWriter(folder, files[s.key], s, project.scheme, request, ignore, mpp) for s in labelled]
        found = _write_all(writers, names, progress)
        if not any(found.items.values()):
            slides, why = counted(len(labelled), "labelled slide"), "; ".join(found.problems)
            raise ExportError(f"there is nothing to write of {slides}: {why}")
        record = _record(project.scheme, request, mpp, ignore, found)
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / RECORD_NAME).write_text(text + "\n", "utf-8", newline="\n")
        readme = dataset_readme(project.scheme, request, mpp, ignore, len(found.items[Part.HOLD_OUT]))
        (folder / README_NAME).write_text(readme, "utf-8", newline="\n")
    unread = [f"{names.of(p.entry.key)}: {names.hide(p.message)}" for p in pulled.problems]
    doubted = [names.hide(suspicion(state.reading)) for state in pulled.slides if state.is_suspicious]
    return ExportedDataset(
        request.out,
        len(found.items[Part.TRAINING]),
        len(found.items[Part.HOLD_OUT]),
        len(found.slides),
        {name: found.pixels[label] for label, name in enumerate(project.scheme.names)},
        request.is_whole,
        (*unread, *doubted, *found.problems),
        boxes_only,
    )


def _has_boxes_only(state: SlideState) -> bool:
    """Say whether all that people said of a slide is one class for a box each: no pixel of it has a label then."""
    is_drawn = state.plan.shapes or state.plan.complete
    return not is_drawn and bool(state.reading.reconciled.of(Role.PATCH_LABEL))


def _nothing_labelled(project: Project, boxes_only: Sequence[str]) -> ExportError:
    if not boxes_only:
        return ExportError(f"{project.root}: nothing is labelled yet; draw some annotations, and save them")
    answer = answer_with_roi(project.settings.source.kind)
    return ExportError(
        f"{project.root}: there are only boxes that were given one class each, which label no pixels, on"
        f" {', '.join(boxes_only)}; outline what is in some box, {answer}, and save"
    )


def _read(project: Project, names: SlideNames, now: datetime, progress: Progress) -> Pulled:
    shown = Renamed(progress, names.hide_note)
    shown.start("reading", len(project.source.slides()))
    with open_store(project, is_dry_run=True) as store:
        backups = Backups(project.data_folder / "backups")
        return pull(project, store, backups, now, advance=lambda name: shown.advance(note=name), is_dry_run=True)


def _write_all(writers: Sequence[SlideWriter], names: SlideNames, progress: Progress) -> _Gathered:
    found = _Gathered()
    progress.start("writing", sum(writer.count() for writer in writers))
    for writer in writers:
        try:
            items, pixels = _write_slide(writer, progress)
        except BridgeError as error:
            called, why = names.of(writer.state.key), names.hide(str(error))
            logger.warning("slide=%s is left out: %s", called, why)
            found.problems.append(f"{called}: {why}")
            _remove_slide(writer)
            continue
        if not items:
            found.problems.append(f"{names.of(writer.state.key)}: no pixel of it is labelled at this resolution")
            continue
        for part, item in items:
            found.items[part].append(item)
        found.pixels.update(pixels)
        found.slides.append(_slide_facts(writer, items))
    return found


def _write_slide(writer: SlideWriter, progress: Progress) -> tuple[list[tuple[Part, Item]], Counter[int]]:
    pixels: Counter[int] = Counter()
    state = writer.state
    with open_slide(state.reading.slide_path, mpp=state.reading.mpp) as slide:
        items = list(writer.write(slide, pixels, progress))
    if items:
        outlines = writer.folder / _outlines_of(writer)
        outlines.parent.mkdir(exist_ok=True)
        outlines.write_bytes(plan_geojson(state.plan, writer.scheme, writer.name))
    return items, pixels


def _remove_slide(writer: SlideWriter) -> None:
    """Remove what a damaged slide had given: half of a slide is no slide."""
    place = "" if writer.request.is_whole else rf"_x-?\d+_y-?\d+({FIRST_CHANNEL})?"
    own = re.compile(rf"{re.escape(writer.name)}{place}\.(png|tif)")
    for folder in (name for part in FOLDERS.values() for name in part):
        for path in (writer.folder / folder).glob("*"):
            if own.fullmatch(path.name):
                path.unlink()


def _outlines_of(writer: SlideWriter) -> str:
    return f"{OUTLINES}/{writer.name}.geojson"


def _slide_facts(writer: SlideWriter, items: Sequence[tuple[Part, Item]]) -> Mapping[str, object]:
    reading = writer.state.reading
    counts = Counter(part for part, _ in items)
    return {
        "slide": writer.name,
        "size": list(reading.pyramid.dimensions[0]),
        "mpp": list(reading.mpp),
        "downsample": writer.downsample,
        "geojson": _outlines_of(writer),
        "training": counts[Part.TRAINING],
        "hold_out": counts[Part.HOLD_OUT],
    }


def _record(
    scheme: ClassScheme, request: DatasetRequest, mpp: float, ignore: int, found: _Gathered
) -> Mapping[str, object]:
    """Return ``dataset.json``: what nnU-Net asks for, what MONAI's reader of data lists asks for, and the rest."""
    names = scheme.names
    colours = [format_color(scheme.colors[name]) if name in scheme.colors else None for name in names]
    pairs = zip(names, colours, strict=True)
    training = [item.as_json() for item in found.items[Part.TRAINING]]
    return {
        "program": f"SlideBridge {program_version()}".strip(),
        "description": "What people labelled on whole slides; nothing that a model said and nobody took over.",
        "classes": [{"index": i, "name": name, "colour": colour} for i, (name, colour) in enumerate(pairs)],
        "ignore_index": ignore,
        "mpp": mpp,
        **({} if request.is_whole else _for_nnunet(names, request.format, request.tile_px, ignore, len(training))),
        "pixels": {name: found.pixels[label] for label, name in enumerate(names)},
        "slides": found.slides,
        "training": training,
        "validation": [item.as_json() for item in found.items[Part.HOLD_OUT]],
    }


def _for_nnunet(
    names: Sequence[str], format_: TileFormat, tile_px: int, ignore: int, count: int
) -> Mapping[str, object]:
    labels = {_nnunet_name(name): label for label, name in enumerate(names) if name != BACKGROUND}
    return {
        "tile_px": tile_px,
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, **labels, "ignore": ignore},
        "numTraining": count,
        "file_ending": f".{format_.value}",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
    }


def _nnunet_name(name: str) -> str:
    """Return what a class is called where two names are nnU-Net's own."""
    return f"{name} (class)" if name in _NNUNET else name
