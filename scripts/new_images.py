"""What a new QuPath project must know of each slide: ``new --qupath-create DIR SLIDE…``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bridge.coords import Region
from bridge.errors import ConfigError, UnsupportedSlideError
from bridge.qupath import GeoJSONFolder, NewImage
from bridge.qupath.new_project import level_downsample
from bridge.slide_files import DICOM_SUFFIX, one_file_per_slide, read_dicom_head
from bridge.slides import Slide, open_slide, stated_bounds, thumbnail_jpeg
from bridge.slides.picture import PLAIN

_TILE_SIDES = ("openslide.level[0].tile-width", "openslide.level[0].tile-height")
_POWER = "openslide.objective-power"
_DEFAULT_TILE = 256  # what QuPath takes where OpenSlide doesn't say


def new_images(given: Sequence[Path]) -> tuple[NewImage, ...]:
    """Look at the slides of a new project.

    Parameters
    ----------
    given
        Slide files, or folders of them; a DICOM series and a file that is given twice count once.

    Returns
    -------
    tuple of NewImage
        In the order given, their names all different.

    Raises
    ------
    ConfigError
        Nothing was given, or a folder holds no slide.
    SlideError
        A slide isn't there, can't be opened, or opens but can't be read.
    """
    return _named_apart([new_image(path) for path in slide_files(given)])


def slide_files(given: Sequence[Path]) -> tuple[Path, ...]:
    """Return the slide files that were meant: those in folders that were given, one per DICOM series, none twice.

    Raises
    ------
    ConfigError
        Nothing was given, a folder holds no slide, or a DICOM file that was named is none.
    """
    paths = list(dict.fromkeys(path.resolve() for path in _files(given)))
    if not paths:
        raise ConfigError("--qupath-create needs at least one slide: slidebridge new --qupath-create DIR SLIDE…")
    _refuse_other_dicom(given)
    return tuple(one_file_per_slide(paths, lambda _: None))


def _refuse_other_dicom(given: Sequence[Path]) -> None:
    """Refuse a DICOM file that was named as a slide, and holds none: it must not be missing without a word."""
    for path in given:
        head = read_dicom_head(path) if path.suffix.lower() == DICOM_SUFFIX and path.is_file() else None
        if head is not None and not head.is_slide:
            raise ConfigError(f"{path}: this DICOM file holds no slide (annotations, for one); leave it out")


def _files(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if not path.is_dir():
            yield path
            continue
        entries = GeoJSONFolder(path).slides()
        if not entries:
            raise ConfigError(f"{path}: no slide lies in this folder; name the slides, or the folder that holds them")
        yield from (entry.slide_path for entry in entries)


def new_image(path: Path) -> NewImage:
    """Return what a new QuPath project must know of a slide, as QuPath would note it.

    Raises
    ------
    SlideError
        It can't be opened, or not be read.
    """
    try:
        slide = open_slide(path)
    except UnsupportedSlideError as error:
        message = f"{error}. If QuPath itself opens it, let QuPath make the project: add --backend paquo"
        raise UnsupportedSlideError(message) from error
    with slide:
        return _describe(path, slide)


def _describe(path: Path, slide: Slide) -> NewImage:
    properties, pyramid = slide.properties, slide.pyramid
    is_openslide = "openslide.vendor" in properties
    shown = stated_bounds(properties) or pyramid.bounds
    power = _number(properties.get(_POWER))
    tile = [int(_number(properties.get(key)) or _DEFAULT_TILE) for key in _TILE_SIDES]
    return NewImage(
        path=path.resolve(),
        name=path.name,
        width=shown.width,
        height=shown.height,
        levels=_levels(slide, shown),
        mpp=pyramid.mpp,
        magnification=power,
        tile=(tile[0], tile[1]) if is_openslide else pyramid.dimensions[0],
        is_openslide=is_openslide,
        thumbnail=thumbnail_jpeg(slide, shown),
        is_described=is_openslide or properties.get(PLAIN) == "true",
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:  # absent, or no number: QuPath doesn't believe it either
        return None
    return value if 0 < value < float("inf") else None


def _levels(slide: Slide, shown: Region) -> tuple[tuple[int, int], ...]:
    """Return the size of every level of the part that is shown: cut off where it isn't whole, as QuPath does."""
    dimensions = slide.pyramid.dimensions
    if (shown.width, shown.height) == dimensions[0]:
        return dimensions
    factors = [level_downsample(dimensions[0], level) for level in dimensions]
    return tuple((max(1, int(shown.width / f)), max(1, int(shown.height / f))) for f in factors)


def _named_apart(images: Sequence[NewImage]) -> tuple[NewImage, ...]:
    """Return the images with the folder after names that several have, and a number where that isn't enough."""
    shared = Counter(image.name for image in images)
    names = [i.name if shared[i.name] == 1 else f"{i.name} ({i.path.parent.name})" for i in images]
    again = Counter(names)
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name] += 1
        if again[name] > 1:
            names[place] = f"{name} {seen[name]}"
    return tuple(replace(image, name=name) for image, name in zip(images, names, strict=True))
