"""Round things of the cortex, as geometry: live glomeruli with their nuclei, sclerosed ones, vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Polygon

from scripts.experiments.chance import CellField, Floats, Sites
from scripts.experiments.options import KidneyOptions, SlideOptions
from scripts.experiments.scene import Drawn, fits, sites_on_slide
from scripts.experiments.shapes import Blob, Ellipses, largest, polygons
from scripts.experiments.tissues import Material

GLOMERULUS, NUCLEUS = "Glomerulus", "Nucleus"
_SPACE, _TUFT = 0.955, 0.83  # of the capsule's radius
_CAPILLARY_UM = 11.0  # between capillaries
_VESSEL_UM = (20.0, 60.0)  # radii


@dataclass(frozen=True, slots=True, eq=False)
class Balls:
    """All round things of one slide, as drawn and as truth."""

    drawn: list[Drawn]
    truth: list[tuple[str, Polygon]]
    sclerosed: int
    vessels: int


@dataclass(frozen=True, slots=True)
class _Ball:
    x_um: float
    y_um: float
    radius_um: float
    number: int

    def blob(self, scale: float, wobble: float, seed: int, harmonics: int = 5) -> Blob:
        radius = self.radius_um * scale
        return Blob(self.x_um, self.y_um, radius, radius, wobble, seed, f"ball/{self.number}/{harmonics}", harmonics)


def place_balls(slide: SlideOptions, kidney: KidneyOptions, tissue: Blob) -> Balls:
    """Place and draw everything round on a slide."""
    largest = kidney.glomerulus_diameter_um * (1 + 2 * kidney.glomerulus_sd)
    sites = sites_on_slide(slide, "balls", kidney.cell_um, largest)
    relative = tissue.relative(sites.x_um, sites.y_um)
    sites = sites.where(relative > 1 - kidney.cortex_share)
    share = kidney.cell_um**2 / 1e6
    chance = sites.uniform(slide.seed, "balls/kind") / share  # in objects per mm²
    stop_live = kidney.glomeruli_per_mm2
    stop_dead = stop_live * (1 + kidney.sclerosed_share)
    live = _balls(sites.where(chance < stop_live), _diameters(kidney), slide, tissue)
    dead = _balls(sites.where((chance >= stop_live) & (chance < stop_dead)), _diameters(kidney, 0.85), slide, tissue)
    is_vessel = (chance >= stop_dead) & (chance < kidney.balls_per_mm2)
    wide = min(_VESSEL_UM[1], largest / 2)
    vessels = _balls(sites.where(is_vessel), (min(_VESSEL_UM[0], wide), wide), slide, tissue)
    balls = Balls([], [], len(dead), len(vessels))
    for ball in live:
        _draw_live(ball, balls, slide, kidney)
    for ball in dead:
        _draw_sclerosed(ball, balls, slide, kidney)
    for ball in vessels:
        _draw_vessel(ball, balls, slide)
    return balls


def _diameters(kidney: KidneyOptions, scale: float = 1.0) -> tuple[float, float]:
    """Return the smallest and largest radius: even chances between them have the sd that was asked for."""
    swing = min(np.sqrt(3) * kidney.glomerulus_sd, 0.6)
    middle = kidney.glomerulus_diameter_um / 2 * scale
    return middle * (1 - swing), middle * (1 + swing)


def _balls(sites: Sites, radii_um: tuple[float, float], slide: SlideOptions, tissue: Blob) -> list[_Ball]:
    radius = radii_um[0] + (radii_um[1] - radii_um[0]) * sites.uniform(slide.seed, "balls/size")
    kept = fits(sites, radius, tissue, slide)
    chosen, radius = sites.where(kept), radius[kept]
    numbers = (chosen.row * 100_003 + chosen.column).tolist()
    return [
        _Ball(*values)
        for values in zip(chosen.x_um.tolist(), chosen.y_um.tolist(), radius.tolist(), numbers, strict=True)
    ]


def _draw_live(ball: _Ball, balls: Balls, slide: SlideOptions, kidney: KidneyOptions) -> None:
    outline = ball.blob(0.93, 0.05, slide.seed).polygon(slide.mpp, 72)
    tuft = _draw_layers(ball, outline, _TUFT, Material.TUFT, balls, slide)
    _draw_dots(tuft, "capillaries", _CAPILLARY_UM, (1.8, 3.4), 0.75, Material.CAPILLARY, balls, slide)
    nuclei = _draw_dots(tuft, "tuft", kidney.nuclei_spacing_um, (2.2, 3.1), 0.85, Material.TUFT_NUCLEUS, balls, slide)
    balls.truth.append((GLOMERULUS, outline))
    balls.truth.extend((NUCLEUS, nucleus) for nucleus in nuclei)


def _draw_sclerosed(ball: _Ball, balls: Balls, slide: SlideOptions, kidney: KidneyOptions) -> None:
    likeness = kidney.likeness
    outline = ball.blob(0.93, 0.05, slide.seed).polygon(slide.mpp, 72)
    colored_live = (ball.number * 0.618034) % 1 < likeness
    scale = _SPACE - likeness * (_SPACE - _TUFT)
    material = Material.TUFT if colored_live else Material.SCLEROSIS
    tuft = _draw_layers(ball, outline, scale, material, balls, slide)
    _draw_dots(tuft, "capillaries", _CAPILLARY_UM, (1.8, 3.4), 0.75 * likeness, Material.CAPILLARY, balls, slide)
    kept = 0.12 + (0.85 - 0.12) * likeness
    _draw_dots(tuft, "tuft", kidney.nuclei_spacing_um, (2.2, 3.1), kept, Material.TUFT_NUCLEUS, balls, slide)


def _draw_layers(
    ball: _Ball, outline: Polygon, tuft_scale: float, material: Material, balls: Balls, slide: SlideOptions
) -> Polygon:
    """Draw capsule, space and tuft; return the tuft."""
    space = ball.blob(0.93 * _SPACE, 0.05, slide.seed).polygon(slide.mpp, 72)
    tuft = ball.blob(0.93 * tuft_scale, 0.1, slide.seed, 9).polygon(slide.mpp, 96)
    tuft = largest(tuft.intersection(space))
    for shape, painted in ((outline, Material.CAPSULE), (space, Material.BOWMAN_SPACE), (tuft, material)):
        balls.drawn.append((shape, int(painted)))
    return tuft


def _draw_dots(
    area: Polygon,
    stream: str,
    pitch_um: float,
    radii_um: tuple[float, float],
    kept: float,
    material: Material,
    balls: Balls,
    slide: SlideOptions,
) -> list[Polygon]:
    """Draw small ellipses that lie wholly inside an area; return them."""
    if area.is_empty:
        return []
    mpp, seed = slide.mpp, slide.seed
    left, top, right, bottom = (v * mpp for v in area.bounds)
    sites = CellField(seed, f"dots/{stream}", pitch_um, 0.2).sites(left, top, right, bottom)
    sites = sites.where(sites.uniform(seed, f"{stream}/kept") < kept)
    size: Floats = sites.uniform(seed, f"{stream}/size")
    turn = np.pi * sites.uniform(seed, f"{stream}/angle")
    look = Ellipses(radii_um[0] + (radii_um[1] - radii_um[0]) * size, 1.6 - 0.5 * size, turn)
    shapely.prepare(area)
    dots = [dot for dot in polygons(sites, look, mpp, seed) if shapely.contains_properly(area, dot)]
    balls.drawn.extend((dot, int(material)) for dot in dots)
    return dots


def _draw_vessel(ball: _Ball, balls: Balls, slide: SlideOptions) -> None:
    wall = ball.blob(0.9, 0.08, slide.seed).polygon(slide.mpp, 60)
    lumen = ball.blob(0.5, 0.15, slide.seed, 6).polygon(slide.mpp, 60)
    filled = Material.BLOOD if ball.number % 3 == 0 else Material.LUMEN
    balls.drawn.extend([(wall, int(Material.MUSCLE)), (lumen, int(filled))])
    _draw_dots(largest(wall.difference(lumen)), "wall", 9.0, (1.6, 2.2), 0.5, Material.NUCLEUS_CONNECTIVE, balls, slide)
