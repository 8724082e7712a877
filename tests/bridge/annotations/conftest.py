"""Two stand-ins for viewers, so that every gesture is tested as QuPath saves it and as ImageScope does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    Annotation,
    AnnotationSet,
    ClassScheme,
    LabelOptions,
    Layer,
    MachineRole,
    ObjectKind,
    Shape,
    plain_class,
    predicted_class,
)
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Reconciliation, reconcile

NEWEST = "write-2"
_RED = (255, 0, 0)


@dataclass(frozen=True)
class QuPath:
    """UUIDs that stay, a metadata key, float32 numbers, rings that start elsewhere."""

    ids: itertools.count[int] = field(default_factory=itertools.count)

    def show(self, written: WrittenObject, marker: str = NEWEST) -> Annotation:
        """An object of ours as the viewer holds it."""
        is_box = written.role is MachineRole.PROPOSAL
        return Annotation(
            written.object_id,
            written.geometry,
            written.path_class,
            Shape.RECTANGLE if is_box else Shape.POLYGON,
            ObjectKind.ANNOTATION if written.is_editable else ObjectKind.DETECTION,
            written.name,
            is_ours=True,
            is_locked=is_box,
            metadata={"slidebridge": marker},
        )

    def draw(self, geometry: BaseGeometry, path_class: str | None, **more: Any) -> Annotation:
        return Annotation(f"human-{next(self.ids)}", geometry, path_class, **more)

    def name(self, shown: Annotation, path_class: str) -> Annotation:
        return replace(shown, path_class=path_class)

    def accept(self, shown: Annotation) -> Annotation:
        return replace(shown, path_class=plain_class(shown.path_class or ""))

    def paste(self, shown: Annotation) -> Annotation:
        return replace(shown, object_id=f"human-{next(self.ids)}", is_ours=False, metadata={})

    def save(self, annotations: Iterable[Annotation], marker: str | None = NEWEST) -> AnnotationSet:
        return AnnotationSet(tuple(_redrawn(a, np.float32) for a in annotations), write_marker=marker)


@dataclass(frozen=True)
class ImageScope:
    """Layers, places for ids, whole pixels, rings that start elsewhere; ours are known by layer and outline alone."""

    def show(self, written: WrittenObject, marker: str = NEWEST) -> Annotation:
        shape = Shape.RECTANGLE if written.role is MachineRole.PROPOSAL else Shape.POLYGON
        return self._region(written.geometry, written.path_class, shape=shape, name=written.name, is_ours=True)

    def draw(self, geometry: BaseGeometry, path_class: str | None, **more: Any) -> Annotation:
        return self._region(geometry, path_class, **more)

    def name(self, shown: Annotation, path_class: str) -> Annotation:
        return replace(shown, name=path_class)

    def accept(self, shown: Annotation) -> Annotation:
        return replace(shown, name="ok")

    def paste(self, shown: Annotation) -> Annotation:
        return shown

    def save(self, annotations: Iterable[Annotation], marker: str | None = NEWEST) -> AnnotationSet:
        numbered = (replace(a, object_id=f"L0R{place}") for place, a in enumerate(annotations))
        return AnnotationSet(tuple(_redrawn(a, np.round) for a in numbered), write_marker=marker)

    def _region(self, geometry: BaseGeometry, path_class: str | None, **more: Any) -> Annotation:
        base = plain_class(path_class or "")
        layer = Layer(f"{base} (predicted)" if base else path_class or "", "7", _RED)
        return Annotation("unsaved", geometry, path_class, layer=layer, color=_RED, **more)


Tool = QuPath | ImageScope


def _redrawn(annotation: Annotation, rounded: Callable[[Any], Any]) -> Annotation:
    if annotation.geometry.is_empty:
        return annotation
    shape = shapely.transform(annotation.geometry, lambda xy: rounded(xy).astype(float))
    return replace(annotation, geometry=shapely.reverse(shape) if shape.geom_type == "Polygon" else shape)


@pytest.fixture(scope="session", params=[QuPath, ImageScope], ids=["qupath", "imagescope"])
def tool(request: pytest.FixtureRequest) -> Tool:
    """A viewer: show, draw, name, accept, paste, save."""
    made: Tool = request.param()
    return made


@pytest.fixture(scope="session")
def qupath() -> QuPath:
    return QuPath()


@pytest.fixture(scope="session")
def imagescope() -> ImageScope:
    return ImageScope()


@pytest.fixture(scope="session")
def scheme() -> ClassScheme:
    return ClassScheme({"Tumor": _RED, "Stroma": (0, 255, 0), "Tumor: In situ": (0, 0, 255)})


@dataclass(frozen=True)
class Ours:
    """Makes what the store remembers of our writes."""

    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def prediction(self, geometry: BaseGeometry, path_class: str = "Tumor", **more: Any) -> WrittenObject:
        name = f"ours-{next(self.numbers)}"
        return WrittenObject(name, MachineRole.PREDICTION, predicted_class(path_class), geometry, **more)

    def proposal(self, geometry: BaseGeometry, name: str = "#1 uncertain Tumor, 0.41") -> WrittenObject:
        return WrittenObject(f"ours-{next(self.numbers)}", MachineRole.PROPOSAL, "Proposed", geometry, name)


@pytest.fixture(scope="session")
def ours() -> Ours:
    return Ours()


@dataclass(frozen=True)
class Reading:
    """Reconciles what a viewer saved, by default after our newest write."""

    scheme: ClassScheme

    def __call__(
        self,
        found: AnnotationSet,
        written: Sequence[WrittenObject],
        *,
        options: LabelOptions | None = None,
        adopted: Sequence[WrittenObject] = (),
        former: Sequence[WrittenObject] = (),
    ) -> Reconciliation:
        options = options or LabelOptions()
        return reconcile(found, written, NEWEST, self.scheme, options, adopted=adopted, former=former)


@pytest.fixture(scope="session")
def read(scheme: ClassScheme) -> Reading:
    return Reading(scheme)
