"""Where the patches of each class lie on a slide, by H2G-Net's rules; positions only, no pixels.

Pedersen et al., "H2G-Net", 2022, section 2.2: a patch counts if more than 25 % of it is tissue; it is tumour if more
than 25 % of it is tumour, non-tumour if nothing of it is, and dropped in between. With several classes a patch is of
the one with the largest share. Where labels cover ROIs only, what is not labelled might be anything: a class's share is
then a lower bound, and more the rule doesn't ask for; a background patch must be labelled so far that the rest could
not make it a patch of a class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window
from bridge.raster import PlanRaster
from bridge.slides import TissueMask, tissue_mask
from models.data.expert_patches import expert_patches
from models.data.index import Positions, SlideIndex
from models.data.patch_ground import PatchGround, PatchOptions, PatchSet
from models.data.slides import TrainingSlide

_BLOCK_PX = 1024  # working pixels per burn, about: bounds memory
_ROUNDING_PX = 0.05  # what the tissue of a patch may be off, in pixels: shares of mask pixels are floats
_NO_AREAS = np.zeros((0, 4))  # a patch stays where it is: no area moves it


def index_patches(
    slide: TrainingSlide,
    scheme: ClassScheme,
    mpp: float,
    options: PatchOptions | None = None,
    part: Part = Part.TRAINING,
    *,
    tissue: TissueMask | None = None,
) -> SlideIndex:
    """Find the patches of each class, those of masks and those that experts' patch labels give.

    A lattice begins at the slide's origin; its patches lie wholly on the slide, unless the slide is smaller than one.
    An expert's box gives the patches inside it, on a lattice of its own; one that is smaller than a patch gives the
    patch around its centre. What holds too little tissue is left out, but one patch of a box always stays.

    Parameters
    ----------
    slide
        With its plan.
    scheme
        What the labels mean.
    mpp
        Working µm per pixel.
    options
        Size, stride, rules.
    part
        Training patches keep clear of held-out areas: a patch's label is said of all its pixels. Held-out ones are told
        by what is labelled there; experts' patch labels never judge.
    tissue
        Found on the slide if None.

    Returns
    -------
    SlideIndex
        Positions are the patches' centres, ``start + patch_px // 2``, for a `TreeSampler` of ``tile_px = patch_px`` and
        without jitter.

    Raises
    ------
    MissingResolutionError
        The slide has no mpp.
    UnknownPathClassError
        A plan made with another scheme.
    SlideError
        The slide can't be read.
    """
    options = options or PatchOptions()
    downsample = slide.downsample(mpp)
    extent = slide.slide.pyramid.window_at(downsample)
    if slide.plan.is_empty:
        return SlideIndex(slide.key, extent, {}, {}, {}, _NO_AREAS)
    ground = PatchGround(extent, tissue if tissue is not None else tissue_mask(slide.slide), options)
    found = _of_masks(PlanRaster(slide.plan, scheme, downsample, part), ground, len(scheme.names))
    if part is Part.TRAINING:
        found = found.where(~ground.overlapping(found, slide.plan.hold_out))
        found = PatchSet.joined([found, *expert_patches(slide.plan, scheme, ground)])
    return _to_index(slide, ground, found)


def _of_masks(raster: PlanRaster, ground: PatchGround, n_labels: int) -> PatchSet:
    """Return the patches of the lattice whose class the slide's masks tell."""
    options, cells, whole = ground.options, ground.cells, ground.pixels_on_slide
    areas = ground.sum_cells(_count_labels(raster, ground, n_labels))
    tissue = ground.sum_cells(ground.tissue.coverage(cells)) * options.stride_px**2
    labels = _labels_of(areas, whole, options)
    labels[tissue <= options.min_tissue * whole + _ROUNDING_PX] = IGNORE_LABEL
    rows, columns = np.nonzero(labels != IGNORE_LABEL)
    return PatchSet(np.column_stack((columns, rows)) * options.stride_px, labels[rows, columns])


def _count_labels(raster: PlanRaster, ground: PatchGround, n_labels: int) -> NDArray[np.int32]:
    """Return the pixels of each label in each cell, shape (labels, rows, columns)."""
    stride, extent, cells = ground.options.stride_px, ground.extent, ground.cells
    counts = np.zeros((n_labels, *cells.shape), np.int32)
    pixels = Window(0, 0, cells.width * stride, cells.height * stride, extent.downsample)
    for block in raster.tiles(stride * max(1, _BLOCK_PX // stride)):
        inside = block.intersection(pixels)
        if inside is not None:
            labels = raster.burn(inside).labels
            labels[max(0, extent.bottom - inside.y) :] = IGNORE_LABEL  # what lies off the slide is nothing's
            labels[:, max(0, extent.right - inside.x) :] = IGNORE_LABEL
            top, left = inside.y // stride, inside.x // stride
            found = _count_in_cells(labels, n_labels, stride)
            counts[:, top : top + found.shape[1], left : left + found.shape[2]] = found
    return counts


def _count_in_cells(labels: NDArray[np.uint8], n_labels: int, stride: int) -> NDArray[np.int32]:
    rows, columns = labels.shape[0] // stride, labels.shape[1] // stride
    counts = np.zeros((n_labels, rows, columns), np.int32)
    for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[:n_labels]).tolist():
        counts[label] = (labels == label).reshape(rows, stride, columns, stride).sum(axis=(1, 3))
    return counts


def _labels_of(areas: NDArray[np.float64], whole: int, options: PatchOptions) -> NDArray[np.int64]:
    """Return the label of each patch from the pixels of each class in it, (labels, rows, columns); 255 drops it."""
    classes = areas[1:]
    labels = np.full(areas.shape[1:], IGNORE_LABEL, np.int64)
    labels[(classes.sum(axis=0) == 0) & (areas[0] >= options.min_labelled * whole) & (areas[0] > 0)] = 0
    if len(classes):
        is_class = classes.max(axis=0) > options.min_class * whole
        labels[is_class] = 1 + classes.argmax(axis=0)[is_class]
    return labels


def _to_index(slide: TrainingSlide, ground: PatchGround, patches: PatchSet) -> SlideIndex:
    centres = patches.starts + ground.options.patch_px // 2
    is_fresh = ground.overlapping(patches, slide.plan.emphasis)
    positions = _by_label(centres, patches.labels)
    return SlideIndex(
        slide_key=slide.key,
        extent=ground.extent,
        positions=positions,
        pixel_counts={label: len(points) * ground.options.patch_px**2 for label, points in positions.items()},
        fresh=_by_label(centres[is_fresh], patches.labels[is_fresh]),
        areas=_NO_AREAS,
    )


def _by_label(points: Positions, labels: NDArray[np.int64]) -> dict[int, Positions]:
    return {label: points[labels == label] for label in np.unique(labels).tolist()}
