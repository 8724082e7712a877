"""Results of experiments' units on disk: one JSON file each, whole or not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from scripts.experiments.comparisons.experiment import ExperimentOptions, Result
from scripts.units import KeptUnits, Unit, tell_damaged, versions


def surroundings(options: ExperimentOptions) -> Mapping[str, str]:
    """Return what results depend on beside inputs and code: versions, and how many threads there were."""
    return versions(options.threads)


class KeptResults:
    """The results of one experiment.

    Parameters
    ----------
    folder
        Its own; made when the first result is kept.
    around
        As `surroundings`: results made under others are not found.
    """

    def __init__(self, folder: Path, around: Mapping[str, str]) -> None:
        self._kept = KeptUnits(folder, around)

    def path(self, unit: Unit) -> Path:
        """Return where a unit's result lies, or will lie."""
        return self._kept.path(unit)

    def find(self, unit: Unit) -> Result | None:
        """Return a unit's result; None where it was never finished, or its file is damaged."""
        said = self._kept.find(unit)
        if said is None:
            return None
        try:
            numbers = {str(k): math.nan if v is None else float(v) for k, v in said["numbers"].items()}
            return Result(unit, numbers, float(said["seconds"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            tell_damaged(self.path(unit), error)
            return None

    def keep(self, result: Result) -> None:
        """Write a unit's result; a kill leaves it whole or not there."""
        numbers = {name: None if math.isnan(value) else value for name, value in result.numbers.items()}
        self._kept.keep(result.unit, {"numbers": numbers, "seconds": result.seconds})
