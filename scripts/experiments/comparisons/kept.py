"""Results of units on disk: one JSON file each, whole or not there."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from scripts.experiments.comparisons.experiment import ExperimentOptions, Result, Unit

logger = logging.getLogger(__name__)


def surroundings(options: ExperimentOptions) -> Mapping[str, str]:
    """Return what results depend on beside inputs and code: versions, and how many threads there were."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__.partition("+")[0],
        "NumPy": np.__version__,
        "threads": str(options.threads),
    }


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
        self._folder = folder
        self._around = dict(around)

    def path(self, unit: Unit) -> Path:
        """Return where a unit's result lies, or will lie."""
        around = hashlib.sha256(json.dumps(self._around, sort_keys=True).encode()).hexdigest()[:8]
        return self._folder / f"{unit.name}-{unit.key}-{around}.json"

    def find(self, unit: Unit) -> Result | None:
        """Return a unit's result; None where it was never finished, or its file is damaged."""
        path = self.path(unit)
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            numbers = {str(k): math.nan if v is None else float(v) for k, v in said["numbers"].items()}
            return Result(unit, numbers, float(said["seconds"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("a damaged result is made again: path=%s error=%s", path, error)
            return None

    def keep(self, result: Result) -> None:
        """Write a unit's result; a kill leaves it whole or not there."""
        said = {
            "unit": result.unit.name,
            "inputs": result.unit.inputs,
            "surroundings": self._around,
            "numbers": {name: None if math.isnan(value) else value for name, value in result.numbers.items()},
            "seconds": result.seconds,
        }
        path = self.path(result.unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(said, file, indent=2, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
