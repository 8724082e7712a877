"""What an experiment is: units that are run once each, and what their numbers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from models.metrics import Spread
from scripts.experiments.settings import Setting
from scripts.tables import Table
from scripts.units import Unit

Numbers = Mapping[str, float]
"""What a unit found, by name; NaN for what it could not have (the precision of no prediction)."""


@dataclass(frozen=True, slots=True)
class ExperimentOptions:
    """How an experiment is run.

    Parameters
    ----------
    folder
        Of generated slides, states of trainings and results; may be kept and used again.
    data
        Folder of real pictures; None or absent: generated ones are taken in their place, and the section says so.
    seeds
        Repetitions, each with its own slides, weights and batches: seeds 0, 1, ….
    full
        The long form; the short one takes at most 30 minutes on two cores.
    threads
        Of torch and ONNX Runtime. Times depend on it, and the last digits of trained weights.
    """

    folder: Path
    data: Path | None = None
    seeds: int = 3
    full: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.threads < 1:
            raise ValueError(f"seeds and threads must be 1 or more, got {self.seeds} and {self.threads}")


@dataclass(frozen=True, slots=True)
class Result:
    """What a unit found.

    Parameters
    ----------
    unit
        Which.
    numbers
        By name.
    seconds
        Wall time of the run that made them.
    """

    unit: Unit
    numbers: Numbers
    seconds: float

    def has(self, **inputs: object) -> bool:
        """Say whether the unit has these inputs."""
        return all(self.unit.inputs.get(name) == value for name, value in inputs.items())


@dataclass(frozen=True, slots=True)
class Reading:
    """What the numbers say of a claim; computed from them, never written by hand.

    Parameters
    ----------
    subject
        On what: a setting, a share of masks.
    as_claimed
        Whether the paper's claim holds there; None where the numbers don't allow to say.
    evidence
        The numbers that decide, in words, with what they were held against.
    as_expected
        Whether it went as the setting said it would, before any method was run; None where nothing was written down.
    """

    subject: str
    as_claimed: bool | None
    evidence: str
    as_expected: bool | None = None

    def __str__(self) -> str:
        claimed = {True: "as claimed", False: "not as claimed", None: "not to be judged"}[self.as_claimed]
        expected = {True: "; as expected", False: "; not as expected", None: ""}[self.as_expected]
        return f"**{self.subject}: {claimed}{expected}.** {self.evidence}"


class Experiment(Protocol):
    """One comparison; made from `ExperimentOptions` by the registry."""

    @property
    def name(self) -> str:
        """As the command and the files call it."""
        ...

    @property
    def title(self) -> str:
        """Heading of its section."""
        ...

    @property
    def account(self) -> str:
        """What is compared, on what, with which budget, and how the numbers are defined: Markdown, some paragraphs."""
        ...

    @property
    def settings(self) -> Sequence[Setting]:
        """Those that judge it, shown with stance and expectation; empty where it runs on real pictures only."""
        ...

    @property
    def is_timed(self) -> bool:
        """Whether times are among its numbers: then its units run one after another, with the machine to themselves."""
        ...

    def units(self) -> Sequence[Unit]:
        """Return all work, in the order of running; the same each time for the same options."""
        ...

    def run(self, unit: Unit) -> Numbers:
        """Do one unit's work; its numbers depend on its inputs alone (times apart)."""
        ...

    def table(self, results: Sequence[Result]) -> Table:
        """Return means ± sd over seeds."""
        ...

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw the one picture, a ``matplotlib.figure.Figure`` (see `figures.new_figure`)."""
        ...

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Hold the numbers against what was claimed."""
        ...


def spread_of(results: Sequence[Result], number: str, **inputs: object) -> Spread:
    """Return mean ± sd of one number over the units with these inputs; units without the number don't count."""
    return Spread.of(r.numbers[number] for r in results if r.has(**inputs) and number in r.numbers)
