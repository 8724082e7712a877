"""Annotations → DST."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.annotations import Annotation, Rgb, TmaGrid
from bridge.errors import AnnotationFileError, BridgeError, ConfigError, WriteFailedError
from bridge.formats import AnnotationFormat, way_out
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import compose_imagescope
from bridge.qupath import compose_geojson, read_geojson, read_qpdata
from bridge.qupath.geojson_text import compress
from bridge.qupath.plain import append_annotations
from scripts.conversion.classes import ClassFile
from scripts.conversion.endpoints import Endpoint, EndpointKind, as_source, recognize_file, with_article
from scripts.conversion.losses import (
    IN_MASK,
    IN_XML,
    count_changed,
    count_joined,
    count_lost,
    merged_losses,
)
from scripts.conversion.mask_plan import MaskPlan, plan_mask
from scripts.conversion.mask_writing import refuse_picture, write_mask
from scripts.conversion.placing import find_site, put_in_place, refuse_blocked
from scripts.conversion.reading import Mpp, Size, count_off_slide, read_file
from scripts.plain_words import counted
from scripts.progress import Progress, Silent

_RELOAD = "if the image is open in QuPath, choose File > Reload data there before anything is saved"
_SQUARE = 0.01  # sides that differ less are called square
_NEST = "--nest keeps the hierarchy in GeoJSON; QuPath reads it, many other programs overlook nested objects"


@dataclass(frozen=True, slots=True)
class Written:
    """What went into the target, in the words of ``ConversionReport``."""

    written: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    has_grid: bool = False  # the TMA grid is there, too


@dataclass(frozen=True, slots=True)
class Writing:
    """Where to, and what must be known beside the annotations.

    Parameters
    ----------
    may_replace
        Go over a file that is there; in a QuPath image, append copies of objects that it has.
    nests_children
        In GeoJSON, put objects into their parents.
    size, mpp
        Of the slide's level 0, where known.
    tma_grid
        Over the TMA cores among the annotations.
    downsample
        Level-0 pixels per pixel of a mask.
    chosen, colors
        The classes that ``--classes`` names; those that the source lists.
    sleep
        Waits until a displaced file may be deleted.
    """

    target: Endpoint
    size: Size | None = None
    mpp: Mpp | None = None
    downsample: float = 1.0
    chosen: ClassFile | None = None
    colors: Mapping[str, Rgb] = field(default_factory=dict)
    may_replace: bool = False
    nests_children: bool = False
    is_dry_run: bool = False
    progress: Progress = field(default_factory=Silent)
    sleep: Callable[[float], None] = time.sleep
    tma_grid: TmaGrid | None = None

    def write(self, annotations: Sequence[Annotation]) -> Written:
        """Write annotations of people's; their frame is the target's.

        Raises
        ------
        BridgeError
            The target doesn't take them; what was there is as it was.
        """
        match self.target.kind:
            case EndpointKind.IMAGESCOPE:
                return self._write_xml(annotations)
            case EndpointKind.GEOJSON:
                return self._write_geojson(annotations)
            case EndpointKind.QUPATH:
                return self._write_image(annotations)
            case EndpointKind.MASK:
                return self._write_mask(annotations)
            case EndpointKind.ASAP:
                raise _read_only(self.target.path)

    def _write_xml(self, annotations: Sequence[Annotation]) -> Written:
        xml = compose_imagescope(annotations, self.mpp)
        back = read_imagescope(xml.data)
        if len(back) != xml.objects:
            raise _unfaithful(self.target.path, len(back), xml.objects)
        notes = self._put(xml.data)
        if xml.objects != len(xml.written):
            notes = (f"areas of several parts became several regions: {xml.objects} in all", *notes)
        notes = (*_one_scale(self.mpp), *notes)
        lost = merged_losses(xml.lost, count_lost(xml.written, IN_XML))
        return Written(len(xml.written), xml.left_out, lost, _by_class(xml.written), notes)

    def _write_geojson(self, annotations: Sequence[Annotation]) -> Written:
        composed = compose_geojson(annotations, nests_children=self.nests_children)
        written, data = composed.written, composed.data
        back = read_geojson(data)
        if len(back) != len(written):
            raise _unfaithful(self.target.path, len(back), len(written))
        lost = merged_losses(composed.lost, count_changed(written, back.annotations))
        notes = self._put(compress(data) if self.target.is_gzip else data)
        could_nest = "parent object" in lost and not self.nests_children
        notes = (_NEST, *notes) if could_nest else notes
        return Written(len(written), composed.left_out, lost, _by_class(back.annotations), notes)

    def _put(self, data: bytes) -> tuple[str, ...]:
        """Put a whole new file in place."""
        site = find_site(*as_source(self.target), self.sleep)
        base = read_file(site.target) if self.may_replace and site.target.exists() else None
        if base is not None:
            refuse_blocked(site)
        return () if self.is_dry_run else put_in_place(site, base, data)

    def _write_image(self, annotations: Sequence[Annotation]) -> Written:
        """Append to an image of a QuPath project."""
        source, entry = as_source(self.target)
        site = find_site(source, entry, self.sleep)
        refuse_blocked(site)
        base = read_file(site.target) if site.target.exists() else None
        try:
            empty_or_base = source.create(entry) if base is None else base
            appended = append_annotations(empty_or_base, annotations, tma_grid=self.tma_grid)
        except AnnotationFileError as error:
            raise error.at(entry.annotation_path) from error
        if appended.renamed and not self.may_replace:
            message = f"{appended.renamed} of the objects are in it already; --force appends copies of them"
            raise AnnotationFileError(message, path=entry.annotation_path)
        copies = (f"copies of objects that were there, with new ids: {appended.renamed}",) if appended.renamed else ()
        is_idle = self.is_dry_run or not appended.written
        notes = () if is_idle else (*put_in_place(site, base, appended.data), _RELOAD)
        changed = count_changed(appended.written, read_qpdata(appended.data).annotations)
        lost = merged_losses(appended.lost, changed)
        classes = _by_class(appended.written)
        return Written(
            len(appended.written), appended.left_out, lost, classes, (*copies, *notes), has_grid=appended.has_grid
        )

    def _write_mask(self, annotations: Sequence[Annotation]) -> Written:
        if self.size is None:
            raise ConfigError(f"{self.target.path}: a mask needs the size of its slide; give --slide PATH")
        plan = plan_mask(annotations, self.chosen, self.colors)
        off = count_off_slide(plan.written, (0, 0), self.size) or 0
        notes = plan.notes if self.is_dry_run else (*plan.notes, *self._burn(plan, self.size))
        small = sum(a.geometry.area < self.downsample**2 for a in plan.written)
        joined = _without_zeros({"own outline (it touches another of its class)": count_joined(plan.shapes)})
        return Written(
            len(plan.written) - off,
            _without_zeros({**plan.left_out, "off the slide": off}),
            {**count_lost(plan.written, IN_MASK), **joined},
            _by_class(plan.written),
            (*notes, *(_too_small(small))),
        )

    def _burn(self, plan: MaskPlan, size: Size) -> tuple[str, ...]:
        path = self.target.path
        try:
            return write_mask(path, plan, size, self.mpp, self.downsample, self.progress)
        except BridgeError:
            raise
        except OSError as error:
            raise WriteFailedError(f"{path}: {error.strerror or error}; nothing was written") from error


def check_target(target: Endpoint, *, may_replace: bool, makes_folder: bool = False) -> None:
    """Refuse a target that can't be written, or that is there already.

    Parameters
    ----------
    makes_folder
        A folder that isn't there will be made.

    Raises
    ------
    AnnotationFileError
        No folder, no such image, a file that is there without ``may_replace``, another tool's file, or a picture where
        a mask should go.
    """
    if target.kind is EndpointKind.ASAP:
        raise _read_only(target.path)
    if target.kind is EndpointKind.QUPATH:
        as_source(target)
        return
    path = target.path
    if not path.parent.is_dir() and not makes_folder:
        raise AnnotationFileError(f"there is no folder {path.parent}; make it first", path=path)
    if not path.exists():
        return
    if not may_replace:
        kept = "" if target.kind is EndpointKind.MASK else " (the file as it is goes to the backups)"
        raise AnnotationFileError(f"is there already; --force replaces it{kept}, or choose another name", path=path)
    if target.kind is EndpointKind.MASK:
        refuse_picture(path)
    else:
        _refuse_foreign(path)


def _one_scale(mpp: Mpp | None) -> tuple[str, ...]:
    """Say that pixels are not square, which ImageScope's files can't."""
    if mpp is None or math.isclose(*mpp, rel_tol=_SQUARE):
        return ()
    mean = math.sqrt(mpp[0] * mpp[1])
    return (f"pixels are {mpp[0]:g} × {mpp[1]:g} µm; ImageScope has one number, so {mean:g}: lengths are off",)


def _refuse_foreign(path: Path) -> None:
    found = recognize_file(path)
    if found is AnnotationFormat.ASAP or (found is not None and way_out(found) is not None):
        message = f"is {with_article(found)} and stays, for we don't write that; choose another name for DST"
        raise AnnotationFileError(message, path=path)


def _read_only(path: Path) -> AnnotationFileError:
    return AnnotationFileError("ASAP's XML is read only; write .xml (ImageScope), .geojson or a mask", path=path)


def _by_class(annotations: Sequence[Annotation]) -> Mapping[str, int]:
    return dict(Counter(a.path_class or "" for a in annotations))


def _without_zeros(counts: Mapping[str, int]) -> Mapping[str, int]:
    return {what: count for what, count in counts.items() if count}


def _unfaithful(path: Path, found: int, expected: int) -> WriteFailedError:
    return WriteFailedError(
        f"{path}: the new file would read back as {found} objects instead of {expected};"
        " nothing was written, please report it"
    )


def _too_small(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{counted(count, 'object is', 'objects are')} smaller than a mask pixel and may be missing",)
