"""Whether ``bridge`` and ``models`` are ours: other people's folders have such names, too."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

_ROOMS = ("bridge", "models")


def stranger(find: Callable[[str], ModuleSpec | None] = find_spec) -> str | None:
    """Say in one line which package of another's Python would load in place of one of ours; None where all are ours.

    A folder ``models`` in ``PYTHONPATH``, or one that another package put beside ours, comes first and would end in a
    traceback about modules that nobody knows. Nothing is imported to find out.
    """
    ours = Path(__file__).resolve().parents[1]
    for name in _ROOMS:
        spec = find(name)
        if spec is None:
            return f"the package {name} is missing from {ours}: the installation is not whole; install SlideBridge anew"
        found = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
        if Path(found).resolve().parent.parent != ours:
            return (
                f"another package named {name} is found before SlideBridge's: {found}; take its folder out of"
                " PYTHONPATH, or install SlideBridge into an environment of its own (pipx install slidebridge)"
            )
    return None
