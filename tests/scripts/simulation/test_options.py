from collections.abc import Mapping
from typing import Any

import pytest

from bridge.errors import ConfigError
from models.active import SelectionMethod
from scripts.simulation import SimulateOptions
from scripts.simulation.options import read_names, read_numbers, read_whole


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seeds": 0}, "--seeds must be 1 or more, not 0"),
        ({"cycles": -1}, "--cycles must be 1 or more"),
        ({"subsets": 0}, "--subsets must be 1 or more"),
        ({"ks": (1, 0)}, "--k must be 1 or more"),
        ({"cell_um": 0.0}, "--cell-um must be above 0"),
        ({"cell_um": float("nan")}, "--cell-um must be above 0"),
        ({"region_um": (10.0,)}, "--region-um 10 is less than a cell of 64 µm"),
        ({"region_um": (float("nan"),)}, "--region-um nan is less than a cell"),
        ({"region_um": (float("inf"),)}, "--region-um inf is no size"),
        ({"region_um": (128.0, 130.0)}, "--region-um 128, 130 are not different numbers of cells"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value)[:30],
)
def test_number_out_of_range_is_named(given: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SimulateOptions(**given)

    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_sizes_become_whole_cells() -> None:
    assert SimulateOptions(region_um=(500.0, 1000.0), cell_um=64.0).sizes == (8, 16)


def test_names_are_read_in_their_order() -> None:
    assert read_names("standard, random", "--methods", SelectionMethod) == (
        SelectionMethod.STANDARD,
        SelectionMethod.RANDOM,
    )
    assert read_numbers("500,1e3", "--region-um") == (500.0, 1000.0)
    assert read_whole("1,3", "--k") == (1, 3)


@pytest.mark.parametrize("text", ["best", "", "random,,standard", "random,random"])
def test_name_that_there_is_not_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--methods"):
        read_names(text, "--methods", SelectionMethod)


@pytest.mark.parametrize("text", ["", "a", "1,,2", "1,1", "1.5", "nan", "inf"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--k"):
        read_whole(text, "--k")
