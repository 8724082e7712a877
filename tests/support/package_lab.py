"""Wheels made of a few lines, for the checks of packages."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def make_wheel(
    folder: Path, name: str, version: str, tag: str = "py3-none-any", *, requires: Sequence[str] = ()
) -> Path:
    """Write a wheel without any code, that an installer takes for one."""
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    info = f"{name}-{version}.dist-info"
    return pack(
        folder / f"{name}-{version}-{tag}.whl",
        {
            f"{info}/METADATA": "\n".join(lines) + "\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{info}/RECORD": "",
        },
    )


def pack(path: Path, files: Mapping[str, str]) -> Path:
    """Write an archive of files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path
