"""The checks on this machine: Python, libraries, devices, QuPath."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from bridge.errors import QuPathBackendError
from bridge.qupath.paquo_backend import PaquoOptions, QuPath
from scripts.doctor.report import Finding, ok, problem, warning

_OLDEST = (3, 11)
_LIBRARIES = ("numpy", "shapely", "torch", "openslide-python", "openslide-bin", "tifffile", "lxml", "paquo", "monai")
_SETTING = "PAQUO_QUPATH_DIR"


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Say whether the interpreter is new enough."""
    text = ".".join(map(str, version))
    if version < _OLDEST:
        return problem("python", text, "install 3.11 or newer")
    return ok("python", f"{text}, {sys.executable}")


def check_libraries(version_of: Callable[[str], str] = metadata.version) -> Finding:
    """Say whether the libraries are installed."""
    found, missing = [], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version_of(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return problem("libraries", f"missing: {', '.join(missing)}", "pip install --upgrade slidebridge")
    return ok("libraries", ", ".join(found))


def check_openslide() -> Finding:
    """Say whether OpenSlide's own library can be loaded."""
    try:
        import openslide

        return ok("openslide", f"version {openslide.__library_version__}")
    except (ImportError, OSError) as error:
        what = str(error).partition("\n")[0]
        return problem("openslide", f"can't be loaded ({what})", "pip install openslide-bin")


def check_device(asked: str = "auto") -> Finding:
    """Say whether the device that ``[train] device`` names is there; takes seconds, for torch is loaded."""
    try:
        from models.nets.device import choose_device

        found = choose_device(asked)
    except (ImportError, OSError) as error:
        return problem("device", f"torch can't be loaded ({error})", "pip install torch")
    except ValueError as error:
        return problem("device", str(error), "or set [train] device")
    if found.type == "cpu":
        return warning("device", "cpu only", "training takes minutes where a GPU takes seconds; it works all the same")
    return ok("device", str(found))


def check_qupath(options: PaquoOptions, environ: Mapping[str, str]) -> Finding:
    """Say whether QuPath is found; it is needed for some tasks only."""
    try:
        folder: Path = QuPath(options, environ).find()
    except QuPathBackendError as error:
        if environ.get(_SETTING):
            return problem("qupath", str(error))
        only = "needed for new --backend paquo and doctor --verify only"
        return ok("qupath", f"not found; {only}: set {_SETTING} to its folder")
    return ok("qupath", f"in {folder}")


def environment_findings(options: PaquoOptions, device: str, environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return what all checks on this machine find."""
    return (
        check_python(),
        check_libraries(),
        check_openslide(),
        check_device(device),
        check_qupath(options, environ),
    )
