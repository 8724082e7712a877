"""What two tests of GeoJSON compare objects by."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from bridge.annotations.objects import Annotation


def without_half_pairs(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="replace").decode()


def same_numbers(found: Any, wanted: dict[str, Any]) -> bool:
    expected = {without_half_pairs(name): float(value) for name, value in wanted.items()}
    return found.keys() == expected.keys() and all(
        found[name] == value or (math.isnan(found[name]) and math.isnan(value)) for name, value in expected.items()
    )


def comparable(annotation: Annotation) -> tuple[Any, ...]:
    """What ``==`` of annotations says, but NaN equals NaN."""
    numbers = {name: repr(value) for name, value in annotation.measurements.items()}
    return replace(annotation, measurements={}), numbers
