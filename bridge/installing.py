"""The commands that mend an installation, for pip and for pipx: an instruction names both."""

from __future__ import annotations

from collections.abc import Sequence


def how_to_add(extra: str, packages: Sequence[str]) -> str:
    """Return how an extra is installed.

    Parameters
    ----------
    packages
        What it consists of.

    Examples
    --------
    >>> how_to_add("timm", ["timm"])
    'pip install "slidebridge[timm]"; where pipx installed SlideBridge, pipx inject slidebridge timm'
    """
    return _both(f'pip install "slidebridge[{extra}]"', f"pipx inject slidebridge {' '.join(packages)}")


def how_to_update() -> str:
    """Return how SlideBridge itself is brought up to date.

    Examples
    --------
    >>> how_to_update()
    'pip install --upgrade slidebridge; where pipx installed SlideBridge, pipx upgrade slidebridge'
    """
    return _both("pip install --upgrade slidebridge", "pipx upgrade slidebridge")


def _both(pip: str, pipx: str) -> str:
    return f"{pip}; where pipx installed SlideBridge, {pipx}"
