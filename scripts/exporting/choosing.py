"""Which model is exported: the one in use, or another of the project."""

from __future__ import annotations

import re

from models.checkpoints import Checkpoint, load_champion, load_checkpoint
from scripts.exporting.errors import ExportError
from scripts.project import Project

_DIGITS = re.compile(r"[0-9a-f]{1,16}")


def chosen_checkpoint(project: Project, wanted: str | None) -> Checkpoint:
    """Return the model in use, or the one whose id begins with some digits.

    Raises
    ------
    ExportError
        There is no model yet, none of that id, or several.
    CheckpointError
        It is damaged.
    """
    if wanted is not None:
        return load_checkpoint(project.checkpoints / _found(project, wanted))
    champion = load_champion(project.checkpoints)
    if champion is None:
        raise ExportError(f"{project.root}: there is no model yet; label a few boxes, and run `slidebridge train`")
    return champion


def _found(project: Project, wanted: str) -> str:
    folder = project.checkpoints
    known = sorted(p.name for p in folder.iterdir() if len(p.name) == 16) if folder.is_dir() else []
    known = [name for name in known if _DIGITS.fullmatch(name)]
    found = [name for name in known if name.startswith(wanted)] if _DIGITS.fullmatch(wanted) else []
    if len(found) == 1:
        return found[0]
    if found:
        raise ExportError(f"--checkpoint {wanted}: several models begin so: {', '.join(found)}; give more digits")
    there = f"there are {', '.join(known)}" if known else "there is none yet; run `slidebridge train`"
    raise ExportError(f"--checkpoint {wanted!r}: the project has no such model; {there}")
