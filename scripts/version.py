"""Which SlideBridge this is: the version that was recorded when it was installed.

It comes from git's tags: ``1.2.0`` is a release; ``1.2.1.dev3+g1a2b3c4`` is three commits after it, at commit
``1a2b3c4`` (``.d20260131`` behind: with changes that were in no commit). An editable installation goes on saying what
it was installed from, until it is installed anew.
"""

from __future__ import annotations

from importlib import metadata

PACKAGE = "slidebridge"


def program_version() -> str:
    """Return the version of this SlideBridge; empty where it is run from its sources and not installed."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return ""


def is_release(version: str) -> bool:
    """Return whether a package index can have this version; what stands between releases it hasn't.

    Examples
    --------
    >>> is_release("1.2.0"), is_release("1.3.0rc1"), is_release("1.2.1.dev3+g1a2b3c4"), is_release("")
    (True, True, False, False)
    """
    return bool(version) and "+" not in version and ".dev" not in version
