"""What ``slidebridge simulate`` is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from bridge.errors import ConfigError
from models.active import SelectionMethod, SelectionVariant
from scripts.simulation.arms import ActionSet

CELL_UM = 64.0
"""The paper's patch of 256 pixels of 0.25 µm."""
_STEPS, _FULL_STEPS = (1, 2), (1, 2, 3)  # of the project's box: the paper's l are 4096, 8192 and 12288
_KS, _FULL_KS = (1, 3), (1, 3, 5)
E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """A simulation on a project's fully annotated slides.

    Parameters
    ----------
    methods
        How boxes are selected.
    region_um
        l: sides of a box, µm; each becomes whole cells.
    ks
        Boxes per slide and cycle.
    actions
        What the simulated expert may do.
    seeds
        Repetitions: seeds 0, 1, ….
    cycles
        At most.
    subsets
        Slides are annotated a subset at a time.
    cell_um
        Side of a cell.
    variant
        The paper's text, or the published code.
    is_full
        Train the whole network each time, not a head on what a frozen encoder sees.

    Raises
    ------
    ConfigError
        A number is out of its range, or two sizes become the same number of cells.
    """

    methods: tuple[SelectionMethod, ...] = tuple(SelectionMethod)
    region_um: tuple[float, ...] = (500.0, 1000.0)
    ks: tuple[int, ...] = _KS
    actions: tuple[ActionSet, ...] = (ActionSet.DRAW,)
    seeds: int = 3
    cycles: int = 10
    subsets: int = 5
    cell_um: float = CELL_UM
    variant: SelectionVariant = SelectionVariant.PAPER
    is_full: bool = False

    def __post_init__(self) -> None:
        for name, least in (("seeds", self.seeds), ("cycles", self.cycles), ("subsets", self.subsets)):
            if least < 1:
                raise ConfigError(f"--{name} must be 1 or more, not {least}")
        if not self.ks or min(self.ks) < 1:
            raise ConfigError(f"--k must be 1 or more each, not {', '.join(map(str, self.ks)) or 'nothing'}")
        if not 0 < self.cell_um < math.inf:
            raise ConfigError(f"--cell-um must be above 0 µm, not {self.cell_um:g}")
        if len(set(self.sizes)) < len(self.region_um):
            said = ", ".join(f"{um:g}" for um in self.region_um)
            raise ConfigError(f"--region-um {said} are not different numbers of cells of {self.cell_um:g} µm")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of a box in cells.

        Raises
        ------
        ConfigError
            A side is less than a cell.
        """
        for um in self.region_um:
            if math.isinf(um):
                raise ConfigError(f"--region-um {um:g} is no size")
            if not um >= self.cell_um:
                raise ConfigError(f"--region-um {um:g} is less than a cell of {self.cell_um:g} µm; see --cell-um")
        return tuple(round(um / self.cell_um) for um in self.region_um)


def default_steps(region_um: float, *, is_full: bool) -> tuple[float, ...]:
    """Return sides of a box in µm, from that of the project's proposals: two, or the paper's three."""
    return tuple(region_um * factor for factor in (_FULL_STEPS if is_full else _STEPS))


def default_ks(*, is_full: bool) -> tuple[int, ...]:
    """Return boxes per slide and cycle: two numbers, or the paper's three."""
    return _FULL_KS if is_full else _KS


def read_numbers(text: str, option: str) -> tuple[float, ...]:
    """Read numbers with commas between them.

    Raises
    ------
    ConfigError
        One is no number, or is there twice.
    """
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"{option} {text!r} must be numbers with commas between them: 500,1000") from error
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"{option} {text!r} names a number twice")
    return numbers


def read_whole(text: str, option: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them; errors as `read_numbers`."""
    numbers = read_numbers(text, option)
    if not all(number.is_integer() for number in numbers):
        raise ConfigError(f"{option} {text!r} must be whole numbers")
    return tuple(int(number) for number in numbers)


def read_names(text: str, option: str, kind: type[E]) -> tuple[E, ...]:
    """Read names of an enum with commas between them, in the order in which they were said.

    Raises
    ------
    ConfigError
        A name that there isn't, or one twice.
    """
    known = {member.value: member for member in kind}
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{option} has no {unknown[0]!r}; there are {', '.join(known)}")
    if len(set(names)) < len(names):
        raise ConfigError(f"{option} {text!r} names one twice")
    return tuple(known[name] for name in names)


def read_name(text: str, option: str, kind: type[E]) -> E:
    """Read one name of an enum; errors as `read_names`."""
    names = read_names(text, option, kind)
    if len(names) > 1:
        raise ConfigError(f"{option} takes one of {', '.join(member.value for member in kind)}, not {text!r}")
    return names[0]
