"""Where each file of a folder or image of a project goes, and which slide it belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import ConfigError
from bridge.slide_files import SLIDE_SUFFIXES
from scripts.conversion.endpoints import Endpoint, EndpointKind
from scripts.conversion.finding import Found, Job, entries_of, find_sources, image_stem, stem_of


class TargetFormat(Enum):
    """What ``--to`` takes; the value is the suffix."""

    XML = ".xml"
    GEOJSON = ".geojson"
    GEOJSON_GZ = ".geojson.gz"
    PNG = ".png"
    TIF = ".tif"


_NAMES = {**{x.value.lstrip("."): x for x in TargetFormat}, "mask": TargetFormat.TIF, "imagescope": TargetFormat.XML}


def parse_target_format(text: str | None) -> TargetFormat | None:
    """Return the format that ``--to`` names.

    Raises
    ------
    ConfigError
        None of ours, or one that is only read.
    """
    if text is None:
        return None
    name = text.lower().lstrip(".")
    if name in _NAMES:
        return _NAMES[name]
    listed = ", ".join(_NAMES)
    if name == "asap":
        raise ConfigError(f"--to {text}: ASAP's XML is read only; --to takes {listed}")
    raise ConfigError(f"--to {text}: no format that we write; --to takes {listed}")


def is_many(source: str, target: str) -> bool:
    """Say whether SRC or DST names a folder or a whole project; a project into one file is a question, not many.

    Examples
    --------
    >>> is_many("project.qpproj", "out/"), is_many("project.qpproj#1", "a.xml"), is_many("project.qpproj", "a.xml")
    (True, False, False)
    """
    is_file = target.lower().endswith(tuple(x.value for x in TargetFormat)) and not _is_whole(target)
    return _is_whole(target) or (_is_whole(source) and not (source.lower().endswith(".qpproj") and is_file))


def _is_whole(text: str) -> bool:
    return text.lower().endswith(".qpproj") or Path(text).is_dir() or text.endswith(("/", os.sep))


def plan_jobs(
    source: str, target: str, to: TargetFormat | None, slides: Path | None = None, only: EndpointKind | None = None
) -> tuple[Job, ...]:
    """Return one job for every file below a folder, or every image of a project.

    Parameters
    ----------
    source
        A folder, a ``project.qpproj``, or one file or image.
    target
        A folder, with ``to``; or a ``project.qpproj``: each file goes to the image of its name.
    slides
        Folder in which slides are looked for by name; a file is every job's slide. None: beside each source.
    only
        Take only files of this kind; label masks without class names and colours are taken only so.

    Raises
    ------
    BridgeError
        There is no such folder or project, or ``to`` is missing or too much.
    """
    found = list(find_sources(source, target, only))
    is_into_project = target.lower().endswith(".qpproj")
    if is_into_project and to is not None:
        raise ConfigError(f"{target} is a project; --to is for folders")
    if not is_into_project and to is None:
        raise ConfigError(f"which format? Say --to {'|'.join(_NAMES)}")
    if not is_into_project and Path(target).is_file():
        raise ConfigError(f"{target} is a file; many files go into a folder, or a project.qpproj")
    if slides is not None and not slides.exists():
        raise ConfigError(f"{slides}: there is no such slide or folder of slides")
    placed = _into_project(found, Path(target)) if is_into_project else _into_folder(found, Path(target), to)
    return tuple(_with_slide(job, stem, slides) for job, stem in placed)


def _into_folder(found: Sequence[Found], target: Path, to: TargetFormat | None) -> Iterator[tuple[Job, str]]:
    assert to is not None, "checked before"
    taken: dict[str, str] = {}
    for one in found:
        job = one.job
        if job.read_from is None:
            yield job, one.stem.name
            continue
        path = target / one.stem.parent / f"{one.stem.name}{to.value}"
        other = taken.setdefault(str(path).casefold(), job.source)
        if other is not job.source:
            yield Job(job.source, error=f"{path.name} comes from {other} already; convert this one by itself"), ""
            continue
        kind = {TargetFormat.XML: EndpointKind.IMAGESCOPE, TargetFormat.PNG: EndpointKind.MASK}.get(to)
        kind = kind or (EndpointKind.MASK if to is TargetFormat.TIF else EndpointKind.GEOJSON)
        yield Job(job.source, job.read_from, Endpoint(path, kind)), one.stem.name


def _into_project(found: Sequence[Found], path: Path) -> Iterator[tuple[Job, str]]:
    entries = entries_of(path)
    by_name: dict[str, list[SlideEntry]] = {}
    for entry in entries:
        for stem in {image_stem(entry.name), stem_of(entry.slide_path.name)}:
            by_name.setdefault(stem.casefold(), []).append(entry)
    for one in found:
        job, stem = one.job, one.stem.name
        if job.read_from is None:
            yield job, stem
            continue
        matching = by_name.get(stem.casefold(), [])
        if len(matching) == 1:
            yield Job(job.source, job.read_from, Endpoint(path, EndpointKind.QUPATH, matching[0].key)), stem
            continue
        ids = ", ".join(f"#{entry.key}" for entry in matching)
        said = f"images {ids} of {path.name} have this name; name one as DST" if matching else ""
        yield Job(job.source, error=said or f"no image of {path.name} is called {stem!r}; name one as DST"), stem


def _with_slide(job: Job, stem: str, slides: Path | None) -> Job:
    if job.read_from is None or job.write_to is None:
        return job
    if slides is not None and slides.is_file():
        return Job(job.source, job.read_from, job.write_to, slides)
    is_image = job.read_from.kind is EndpointKind.QUPATH
    if slides is None and is_image:  # the project knows its slide
        return job
    folder = job.read_from.path.parent if slides is None else slides
    taken = {job.read_from.path, job.write_to.path}
    places = (folder / f"{stem}{suffix}" for suffix in SLIDE_SUFFIXES)
    slide = next((place for place in places if place.is_file() and place not in taken), None)
    return Job(job.source, job.read_from, job.write_to, slide)
