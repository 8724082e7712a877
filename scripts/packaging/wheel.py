"""A built wheel, looked into without installing it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement


class PackageError(Exception):
    """What is to be looked at isn't there, or isn't what its name says."""


@dataclass(frozen=True)
class Wheel:
    """One wheel.

    Parameters
    ----------
    path
        The file.
    """

    path: Path

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """What is in it, by path; read once, checked by its sums."""
        with zipfile.ZipFile(self.path) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}

    @cached_property
    def info(self) -> str:
        """The folder of its metadata."""
        found = {name.partition("/")[0] for name in self.files if name.partition("/")[0].endswith(".dist-info")}
        if len(found) != 1:
            raise PackageError(f"{self.path}: {len(found)} folders of metadata where one should be")
        return found.pop()

    @cached_property
    def metadata(self) -> Message:
        """What it says of itself."""
        return BytesParser().parsebytes(self.files[f"{self.info}/METADATA"])

    @property
    def code(self) -> Mapping[str, bytes]:
        """Everything that isn't metadata."""
        return {name: data for name, data in self.files.items() if not name.startswith(f"{self.info}/")}

    def requirements(self, extras: Sequence[str] = ()) -> tuple[str, ...]:
        """Return what it needs, with what some extras need beside that; each without the marker that says so."""
        found = (Requirement(line) for line in self.metadata.get_all("Requires-Dist", ()))
        return tuple(_bare(one) for one in found if _holds(one, ("", *extras)))

    def requirement(self, extras: Sequence[str] = ()) -> str:
        """Return what to ask an installer for to get this file."""
        named = f"[{','.join(extras)}]" if extras else ""
        return f"{self.metadata['Name']}{named} @ {self.path.resolve().as_uri()}"


def _holds(requirement: Requirement, extras: Sequence[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def _bare(requirement: Requirement) -> str:
    return str(requirement).partition(";")[0].strip()


def find_wheel(place: Path) -> Wheel:
    """Return the wheel that a path names: the file, or the one in a folder.

    Raises
    ------
    PackageError
        There is none, or more than one.
    """
    return Wheel(_the_only(place, "slidebridge-*.whl", "wheel"))


def find_sdist(place: Path) -> Path:
    """Return the source archive in a folder.

    Raises
    ------
    PackageError
        There is none, or more than one.
    """
    return _the_only(place, "slidebridge-*.tar.gz", "source archive")


def _the_only(place: Path, pattern: str, what: str) -> Path:
    if place.is_file():
        return place
    found = sorted(place.glob(pattern))
    if len(found) != 1:
        raise PackageError(f"{place}: {len(found)} files named {pattern} where one {what} should be; run make packages")
    return found[0]
