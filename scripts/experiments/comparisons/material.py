"""What experiments learn from and are judged on: generated slides, written once, with their truth as labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import shapely

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.slides import open_slide
from models.data import TrainingSlide
from scripts.experiments.painting import COLORS, GeneratedSlide
from scripts.experiments.settings import Setting
from scripts.experiments.writing import write_slide

_PLAN_VERSION = 1  # version of what `plan_of` makes; part of every unit's inputs


def scheme_of(classes: Sequence[str]) -> ClassScheme:
    """Return the scheme of some of the generator's classes, later ones on top."""
    return ClassScheme({name: COLORS[name] for name in classes}, priority=tuple(classes))


def plan_of(generated: GeneratedSlide, key: str, scheme: ClassScheme) -> LabelPlan:
    """Return a plan by which the whole slide is labelled; truth of classes that the scheme lacks is left out."""
    shapes = tuple(
        LabelledShape(annotation.geometry, scheme.label(annotation.path_class))
        for annotation in generated.truth.annotations
        if annotation.path_class is not None and annotation.path_class in scheme.colors
    )
    bounds = generated.bounds
    return LabelPlan(key, shapes, complete=(shapely.box(0, 0, bounds.width, bounds.height),))


def resized(setting: Setting, side_px: int) -> Setting:
    """Return the setting with square slides of another size, all else as it was written down."""
    return replace(setting, slide=replace(setting.slide, width_px=side_px, height_px=side_px))


def described(setting: Setting) -> Mapping[str, Any]:
    """Return the numbers of a setting, in JSON's terms: part of a unit's inputs."""
    return {
        "name": setting.name,
        "slide": asdict(setting.slide),
        "scene": asdict(setting.scene),
        "centers": list(setting.centers),
        "plan": _PLAN_VERSION,
    }


def slide_key(setting: Setting, number: int, seed: int) -> str:
    """Return what a slide of a setting is called, within a plan and on disk."""
    return f"{setting.name}-{setting.slide.width_px}x{setting.slide.height_px}-s{seed}-{number:02d}"


def folder_of(setting: Setting, folder: Path) -> Path:
    """Return where, in the experiments' folder, the slides of a setting lie."""
    return folder / "slides" / setting.name


@contextmanager
def opened_slides(
    setting: Setting, numbers: Sequence[int], seed: int, folder: Path, scheme: ClassScheme
) -> Iterator[list[TrainingSlide]]:
    """Give slides of a setting, open and wholly labelled; written at the first use and kept in the folder.

    Parameters
    ----------
    setting
        Its slides; `resized` for other sizes.
    numbers
        Which of them, from 0.
    seed
        Draws them.
    folder
        Of all generated slides.
    scheme
        Of the labels.
    """
    every = setting.slides(max(numbers) + 1, seed)
    with ExitStack() as stack:
        slides = []
        for number in numbers:
            generated = every[number]
            options = generated.options
            key = slide_key(setting, number, seed)
            written = write_slide(generated, folder_of(setting, folder), key)
            slide = stack.enter_context(open_slide(written.slide))
            metadata = {"center": options.center, **{k: str(v) for k, v in generated.scene.facts.items()}}
            slides.append(TrainingSlide(slide, plan_of(generated, key, scheme), metadata))
        yield slides
