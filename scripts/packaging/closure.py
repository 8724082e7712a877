"""Which packages come with SlideBridge: what it needs, what that needs, on every system and Python that it is for."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.packaging.targets import PYTHONS, SYSTEMS

RUNTIME_EXTRAS = ("dashboard", "dask", "timm")
_GPU = ("nvidia-", "cuda-", "triton")  # what torch's wheel brings or not, by the index that it comes from


def installed(name: str) -> metadata.Distribution | None:
    """Return what is installed under a name; None for nothing."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def needed(project: Path) -> Mapping[str, str]:
    """Return all packages that come with a project, each with the extra that brings it: empty for all installations.

    Parameters
    ----------
    project
        Its ``pyproject.toml``.
    """
    said = tomllib.loads(project.read_text("utf-8"))["project"]
    found = dict.fromkeys(closure(said["dependencies"], installed), "")
    for extra in RUNTIME_EXTRAS:
        for name in closure(said["optional-dependencies"][extra], installed):
            found.setdefault(name, extra)
    return dict(sorted(found.items()))


def closure(
    requirements: Iterable[str],
    find: Callable[[str], metadata.Distribution | None],
    environments: Sequence[Mapping[str, str]] | None = None,
) -> frozenset[str]:
    """Return the names of what requirements bring, themselves included, as a package index writes them.

    Parameters
    ----------
    find
        Returns what is installed under a name; what isn't brings nothing more.
    environments
        Systems and Pythons; None for all that SlideBridge is for. One that needs a package is enough.
    """
    around = _environments() if environments is None else environments
    waiting = [Requirement(line) for line in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        asked = waiting.pop()
        name, extras = canonicalize_name(asked.name), frozenset(asked.extras)
        if (name, extras) in seen or name.startswith(_GPU):
            continue
        seen.add((name, extras))
        found = find(name)
        lines = (found.requires or ()) if found is not None else ()
        waiting += [one for line in lines if _is_needed(one := Requirement(line), extras, around)]
    return frozenset(name for name, _ in seen)


def _is_needed(requirement: Requirement, extras: Iterable[str], environments: Sequence[Mapping[str, str]]) -> bool:
    marker = requirement.marker
    if marker is None:
        return True
    return any(marker.evaluate({**one, "extra": extra}) for one in environments for extra in ("", *extras))


def _environments() -> Sequence[Mapping[str, str]]:
    here = {name: str(value) for name, value in default_environment().items()}
    return [
        {**here, **dict(system.markers), "python_version": python, "python_full_version": f"{python}.0"}
        for system, python in itertools.product(SYSTEMS, PYTHONS)
    ]
