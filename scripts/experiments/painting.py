"""A generated slide: pixels of any region, block by block, and its truth."""

from __future__ import annotations

import math
import uuid
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from bridge.annotations import Annotation, AnnotationSet, Shape
from bridge.coords import Region, Window
from bridge.slides import RgbPixels
from scripts.experiments.chance import SmoothField, key_of, normal
from scripts.experiments.frame import Frame
from scripts.experiments.kidney import Kidney
from scripts.experiments.look import draw_look
from scripts.experiments.lymph import LymphNode
from scripts.experiments.options import KidneyOptions, SceneOptions, SlideOptions, TumourOptions
from scripts.experiments.scene import Ground, Scene
from scripts.experiments.tissues import Material, palette
from scripts.experiments.tumour import Tumour

BLOCK_PX = 512
_MARGIN_UM = 11.0  # nuclei reach this far into a block from their middle outside
_BLUR_UM = 0.28  # sd of the optics' blur
_RIM_UM = 1.0  # over which chromatin is denser at a nucleus' border
_MEDIUM_UM, _COARSE_UM = 1.2, 5.0  # pitch of the two smooth bands, as measured
COLORS = {
    "Glomerulus": (0, 160, 0),
    "Nucleus": (0, 80, 255),
    "Tumor": (200, 0, 0),
    "In situ": (230, 130, 0),
    "Lymphocytes": (120, 60, 200),
}


class GeneratedSlide:
    """A slide that exists only as options: pixels are made when they are read.

    Level 0 is cut into blocks of 512 pixels on one global grid, each made alone; what region is read is put together
    from them, so that a pixel never depends on the region asked for.
    """

    def __init__(self, slide: SlideOptions, scene: SceneOptions) -> None:
        self.options = slide
        self.scene_options = scene
        self._scene = _scene(slide, scene)
        self._look = draw_look(slide)
        self._tissue = shapely.buffer(self._scene.tissue, _MARGIN_UM / slide.mpp)
        shapely.prepare(self._tissue)

    @property
    def bounds(self) -> Region:
        """The whole slide."""
        return Region(0, 0, self.options.width_px, self.options.height_px)

    @property
    def scene(self) -> Scene:
        """The tissue: its outline, truth and facts."""
        return self._scene

    @cached_property
    def truth(self) -> AnnotationSet:
        """Every object of the truth, in level-0 pixels; ids depend on options and position only."""
        return AnnotationSet(tuple(_annotation(*item, i) for i, item in enumerate(self._scene.truth)))

    def read(self, region: Region) -> RgbPixels:
        """Return the pixels of a region inside the slide.

        Raises
        ------
        ValueError
            The region reaches beyond the slide.
        """
        if not self.bounds.contains(region):
            raise ValueError(f"{region} reaches beyond the slide of {self.bounds.width} x {self.bounds.height} pixels")
        pixels = np.empty((region.height, region.width, 3), dtype=np.uint8)
        for row in range(region.y // BLOCK_PX, -(-region.bottom // BLOCK_PX)):
            for column in range(region.x // BLOCK_PX, -(-region.right // BLOCK_PX)):
                block = Region(column * BLOCK_PX, row * BLOCK_PX, BLOCK_PX, BLOCK_PX)
                shared = block.intersection(region)
                if shared is not None:
                    pixels[_slices(shared, region)] = self.block(column, row)[_slices(shared, block)]
        return pixels

    def block(self, column: int, row: int) -> RgbPixels:
        """Return one block of 512 x 512 pixels; at the slide's right and lower border it goes on beyond."""
        frame = self._frame(column, row, 0)
        ink = self._scene.ink(frame)
        if not shapely.intersects(self._tissue, shapely.box(*frame.window.bounds)):
            return self._look.render(np.zeros((BLOCK_PX, BLOCK_PX, 2), dtype=np.float32), ink, frame)
        wide = self._frame(column, row, self._margin)
        densities = _densities(self._scene.ground(wide), wide, self.options.seed)
        return self._look.render(densities[self._inner], ink, frame)

    def materials(self, column: int, row: int) -> NDArray[np.uint8]:
        """Return what a block shows, as ``Material`` numbers: for tests and figures, never a truth."""
        return self._scene.ground(self._frame(column, row, self._margin)).materials[self._inner]

    @property
    def _margin(self) -> int:
        return math.ceil(_MARGIN_UM / self.options.mpp) + 4

    @property
    def _inner(self) -> tuple[slice, slice]:
        return (slice(self._margin, self._margin + BLOCK_PX),) * 2

    def _frame(self, column: int, row: int, margin: int) -> Frame:
        side = BLOCK_PX + 2 * margin
        return Frame(Window(column * BLOCK_PX - margin, row * BLOCK_PX - margin, side, side), self.options.mpp)


def _scene(slide: SlideOptions, scene: SceneOptions) -> Scene:
    if isinstance(scene, KidneyOptions):
        return Kidney(slide, scene)
    return Tumour(slide, scene) if isinstance(scene, TumourOptions) else LymphNode(slide, scene)


def _densities(ground: Ground, frame: Frame, seed: int) -> NDArray[np.float32]:
    """Return stain densities, (height, width, 2): each material's mean and texture, then folds, chromatin and blur."""
    colors = palette()
    noise = [_texture(stain, ground, frame, seed) for stain in ("hematoxylin", "eosin")]
    spread, mean = colors.spread[ground.materials], colors.mean[ground.materials]
    gain = ground.gain * _chromatin(ground.materials, frame.mpp)
    hematoxylin = mean[..., 0] + spread[..., 0, 0] * noise[0]
    eosin = mean[..., 1] + spread[..., 1, 0] * noise[0] + spread[..., 1, 1] * noise[1]
    sharp = [np.clip(density, 0, None) * gain for density in (hematoxylin, eosin)]
    sigma = max(_BLUR_UM / frame.mpp, 0.4)
    return np.stack([ndimage.gaussian_filter(density, sigma, truncate=3.0) for density in sharp], axis=-1)


def _texture(stain: str, ground: Ground, frame: Frame, seed: int) -> NDArray[np.float32]:
    bands = palette().bands[ground.materials]
    fine = normal(key_of(seed, f"{stain}/fine"), frame.columns[None, :], frame.rows[:, None])
    medium = SmoothField(key_of(seed, f"{stain}/medium"), _MEDIUM_UM).grid(frame.xs_um, frame.ys_um)
    coarse = SmoothField(key_of(seed, f"{stain}/coarse"), _COARSE_UM).grid(frame.xs_um, frame.ys_um)
    return np.asarray(bands[..., 0] * fine + bands[..., 1] * medium + bands[..., 2] * coarse)


def _chromatin(materials: NDArray[np.uint8], mpp: float) -> NDArray[np.float32]:
    """Return a factor that makes the rim of large nuclei darker than their inside, as in vesicular nuclei."""
    large = np.isin(materials, (Material.NUCLEUS_NEOPLASTIC, Material.NUCLEUS_EPITHELIAL)).astype(np.float32)
    inside = ndimage.gaussian_filter(large, max(_RIM_UM / mpp, 0.4), truncate=3.0)
    return np.asarray(1 + large * 0.75 * (0.72 - inside), dtype=np.float32)


def _annotation(path_class: str, outline: shapely.Polygon, position: int) -> Annotation:
    shape = Shape.GEOMETRY if outline.interiors else Shape.POLYGON
    object_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{position}/{path_class}/{outline.wkt}"))
    return Annotation(object_id, outline, path_class, shape, color=COLORS[path_class])


def _slices(inner: Region, outer: Region) -> tuple[slice, slice]:
    return (
        slice(inner.y - outer.y, inner.bottom - outer.y),
        slice(inner.x - outer.x, inner.right - outer.x),
    )
