"""``python -m scripts.packaging.licences``: the licences of all that comes with SlideBridge, as ``docs/licences.md``.

``--write`` renews the page; without it the page is compared. Either way: status 1 where a licence is unknown, or
doesn't go together with ours and nothing in ``licences.toml`` says what that means.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from scripts.packaging.closure import installed, needed
from scripts.packaging.spdx import as_spdx, objections

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path("docs/licences.md")
_STATED = Path(__file__).with_name("licences.toml")
_VENDORED = Path("scripts/web/vendor/vendored.toml")
_CLASSIFIER = "License :: "


@dataclass(frozen=True, slots=True)
class Package:
    """One package that is installed with SlideBridge.

    Parameters
    ----------
    name, version
        As an index writes the name; the version of ``constraints.txt``, empty where that has none.
    licence
        An SPDX expression; empty where it isn't known.
    extra
        What brings it; empty for every installation.
    note
        What is to be known of it beside.
    """

    name: str
    version: str
    licence: str
    extra: str
    note: str

    @property
    def fault(self) -> str:
        """What is to be looked into; empty for nothing."""
        if not self.licence:
            return f"{self.name}: its licence isn't known; read it, and state it in licences.toml"
        against = objections(self.licence)
        if against and not self.note:
            return f"{self.name}: {', '.join(sorted(against))} isn't known to go together with GPL-3.0-or-later"
        return ""


def packages(root: Path, stated: Mapping[str, Any]) -> Sequence[Package]:
    """Return all that comes with a checkout of SlideBridge, by name.

    Parameters
    ----------
    stated
        What ``licences.toml`` says.
    """
    pins = pinned(root / "constraints.txt")
    by_hand = {one["name"]: one["licence"] for one in stated["package"]}
    notes = {one["name"]: one["text"] for one in stated["noted"]}
    return tuple(
        Package(name, pins.get(name, ""), by_hand.get(name) or _told(name), extra, notes.get(name, ""))
        for name, extra in needed(root / "pyproject.toml").items()
    )


def pinned(constraints: Path) -> Mapping[str, str]:
    """Return the versions that a file of constraints holds, by names as an index writes them."""
    lines = (line.partition("==") for line in constraints.read_text("utf-8").splitlines() if "==" in line)
    return {canonicalize_name(name): version for name, _, version in lines}


def _told(name: str) -> str:
    found = installed(name)
    return "" if found is None else licence_of(found.metadata)


def licence_of(said: metadata.PackageMetadata) -> str:
    """Return what a package says of its licence, as an SPDX expression; empty where it can't be told."""
    if "License-Expression" in said:
        return str(said["License-Expression"])
    classifiers = (line.removeprefix(_CLASSIFIER) for line in said.get_all("Classifier") or ())
    names = [*(said.get_all("License") or ()), *(line.rpartition(" :: ")[2] for line in classifiers)]
    return next((found for name in names if (found := as_spdx(name)) is not None), "")


def page(found: Sequence[Package], stated: Mapping[str, Any], vendored: Mapping[str, Any]) -> str:
    """Return the page."""
    return "\n".join(("# Licences", "", *_introduction(), *_carried(vendored, stated), *_table(found), *_notes(found)))


def _introduction() -> Iterator[str]:
    yield "SlideBridge is free software under the GNU General Public License, version 3 or later (the file `LICENSE`);"
    yield "paquo, one of the packages that it is built on, asks for that licence. You may use it for any purpose; who"
    yield "passes it on, changed or not, passes on the sources under the same licence. What you make with it, models,"
    yield "annotations and reports, is yours."
    yield ""
    yield "This page is made by `make licences` from what the packages say of themselves. It is no legal advice."


def _carried(vendored: Mapping[str, Any], stated: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## In SlideBridge's own package", "", "| what | version | licence |", "|---|---|---|")
    for one in vendored["library"]:
        yield f"| [{one['name']}]({one['homepage']}) | {one['version']} | {one['licence']} |"
    yield from ("", "Their licences' texts lie beside them, in `scripts/web/vendor`.")
    yield from ("", "## Weights and data", "", "| what | where | licence |", "|---|---|---|")
    for one in stated["given"]:
        yield f"| {one['what']} | {one['where']} | {one['licence']} |"


def _table(found: Sequence[Package]) -> Iterator[str]:
    yield from ("", "## Packages that are installed with it", "")
    yield "Versions are those of `constraints.txt`. A name in the last column is of the extra that brings the package,"
    yield 'as in `pip install "slidebridge[dashboard]"`; where there is none, it is always installed.'
    yield "Libraries in other languages that a package's wheel holds are named by that wheel, in its own licence files."
    yield from ("", "| package | version | licence | extra |", "|---|---|---|---|")
    for one in found:
        licence = one.licence if not objections(one.licence) else f"{one.licence} (see below)"
        yield f"| {one.name} | {one.version or 'any'} | {licence} | {one.extra} |"


def _notes(found: Sequence[Package]) -> Iterator[str]:
    noted = [one for one in found if one.note]
    if noted:
        yield from ("", "## Worth knowing", "")
    yield from (f"* **{one.name}**. {one.note}" for one in noted)
    yield ""


def made(root: Path = ROOT) -> tuple[str, Sequence[str]]:
    """Return the page of a checkout, and what is to be looked into."""
    stated = tomllib.loads(_STATED.read_text("utf-8"))
    vendored = tomllib.loads((root / _VENDORED).read_text("utf-8"))
    found = packages(root, stated)
    return page(found, stated, vendored), [one.fault for one in found if one.fault]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write or compare the page; return 1 where it is old or a licence is to be looked into."""
    parser = argparse.ArgumentParser(prog="python -m scripts.packaging.licences", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} anew")
    asked = parser.parse_args(arguments)
    text, faults = made(root)
    print(*faults, sep="\n", end="\n" if faults else "")
    target = root / PAGE
    if asked.write:
        target.write_text(text, "utf-8")
        print(f"{PAGE} written")
    elif not target.is_file() or target.read_text("utf-8") != text:
        print(f"{PAGE} is not of these packages; make licences")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
