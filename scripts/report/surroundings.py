"""What a report was made with: versions, and the machine's kind; nothing that names a machine, person or folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from importlib import metadata

from scripts.config import Settings
from scripts.loop.costs import CostAccount
from scripts.version import program_version

_LIBRARIES = ("torch", "onnxruntime", "monai", "numpy", "shapely", "rasterio", "openslide-python", "openslide-bin")


def environment(
    settings: Settings, cost: CostAccount, version_of: Callable[[str], str] = metadata.version
) -> tuple[tuple[str, str], ...]:
    """Return (what, which), for the report's last table."""
    runs_on = sorted({one.runs_on for one in cost.costs if one.runs_on})
    return (
        ("SlideBridge", program_version() or "run from its sources"),
        ("Python", platform.python_version()),
        ("system", f"{_system()}, {platform.machine()}, {os.cpu_count()} cores"),
        ("libraries", ", ".join(_versions(version_of))),
        ("predictions were computed by", ", ".join(runs_on) or "nothing was predicted yet"),
        ("device for training", f"{settings.train.device} ([train] device)"),
        ("annotations come from", settings.source.kind.value),
        ("model", f"{settings.model.design.value}, {settings.model.encoder}, at {settings.model.mpp:g} µm a pixel"),
        ("classes", ", ".join(settings.classes.scheme().names)),
    )


def _system() -> str:
    """Return the system with its version; what a distribution or a lab adds to the kernel's name is left out."""
    return f"{platform.system()} {platform.release().partition('-')[0]}"


def _versions(version_of: Callable[[str], str]) -> Iterator[str]:
    for name in _LIBRARIES:
        try:
            yield f"{name} {version_of(name)}"
        except metadata.PackageNotFoundError:
            continue
