"""Options out of range."""

from __future__ import annotations

from typing import Any

import pytest

from models.active import SelectionOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": -1},
        {"size": 0},
        {"min_tissue": 1.1},
        {"shape_step": 0},
        {"percentiles": (99, 98)},
        {"percentiles": (98, 101)},
        {"rounds": 0},
    ],
)
def test_values_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SelectionOptions(**wrong)
