"""Units of work whose results are kept by what they depend on: a run that was cut off goes on, a changed one is new.

One JSON file per unit, whole or not there; its name is a hash of the unit's inputs and of the versions it ran under.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bridge.files import replace_whole

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work, small enough to be lost when a run is killed.

    Parameters
    ----------
    name
        For people and file names: letters, digits, ``-`` and ``_``; unique within its run.
    inputs
        Everything that its numbers depend on beside code and library versions, in JSON's terms: numbers of the
        setting, seed, sizes, budgets, hashes of files read, and a version to raise when the code changes.
    """

    name: str
    inputs: Mapping[str, Any]  # whatever JSON can hold

    @property
    def key(self) -> str:
        """Hash of name and inputs, 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.name, self.inputs], sort_keys=True).encode()).hexdigest()[:16]


def versions(threads: int) -> Mapping[str, str]:
    """Return what results depend on beside inputs and code: versions, and how many threads there were."""
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": version("torch").partition("+")[0],
        "NumPy": version("numpy"),
        "threads": str(threads),
    }


class KeptUnits:
    """What was found by units: one JSON object each.

    Parameters
    ----------
    folder
        Their own; made when the first one is kept.
    around
        As `versions`: what was made under others is not found.
    """

    def __init__(self, folder: Path, around: Mapping[str, str]) -> None:
        self._folder = folder
        self._around = dict(around)

    def path(self, unit: Unit) -> Path:
        """Return where a unit's file lies, or will lie."""
        around = hashlib.sha256(json.dumps(self._around, sort_keys=True).encode()).hexdigest()[:8]
        return self._folder / f"{unit.name}-{unit.key}-{around}.json"

    def find(self, unit: Unit) -> Mapping[str, Any] | None:
        """Return what was kept of a unit; None where nothing was, or its file is damaged."""
        path = self.path(unit)
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            tell_damaged(path, error)
            return None
        if not isinstance(said, dict):
            tell_damaged(path, TypeError(f"a {type(said).__name__} where an object should be"))
            return None
        return said

    def keep(self, unit: Unit, found: Mapping[str, Any]) -> None:
        """Write what a unit found over what was there; a kill leaves the one or the other whole.

        Others may keep the same unit at this moment: two commands beside each other that have it in common.

        Raises
        ------
        ValueError
            A number that JSON hasn't: NaN or an infinity.
        """
        said = {"unit": unit.name, "inputs": unit.inputs, "surroundings": self._around, **found}
        path = self.path(unit)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, json.dumps(said, indent=2, allow_nan=False).encode())


def tell_damaged(path: Path, error: Exception) -> None:
    """Log that a kept file can't be used and its unit is run again."""
    logger.warning("a damaged result is made again: path=%s error=%s", path, error)
