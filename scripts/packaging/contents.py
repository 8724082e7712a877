"""``python -m scripts.packaging.contents DIST``: what is in wheel and source archive, and what must not be."""

from __future__ import annotations

import argparse
import fnmatch
import re
import subprocess
import sys
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from packaging.version import InvalidVersion, Version

from scripts.packaging.targets import PYTHONS
from scripts.packaging.wheel import PackageError, Wheel, find_sdist, find_wheel

_ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bridge", "models", "scripts")
LEFT_OUT = ("scripts/bench", "scripts/experiments", "scripts/packaging", "scripts/docs")
"""Of the rooms: what only this project's own work needs."""
HOOKS = ("hooks", "scripts/hook_templates")
"""Where the files for other programs lie in the repository, and in the wheel."""
NEEDED = (
    "LICENSE in its metadata: *.dist-info/licenses/LICENSE",
    "the settings' defaults: scripts/defaults.toml",
    "the store's migrations: bridge/store/migrations/versions/*.py",
    "the start of a new migration: bridge/store/migrations/script.py.mako",
    "QuPath's script: scripts/hook_templates/qupath/*.groovy",
    "Linux' units: scripts/hook_templates/systemd/*.service",
    "Windows' tasks: scripts/hook_templates/windows/*.xml",
    "macOS' agents: scripts/hook_templates/launchd/*.plist",
    "cron's line: scripts/hook_templates/cron/*.cron",
    "the look of the pages: scripts/web/assets/*.css",
    "what moves on the pages: scripts/web/assets/*.js",
    "the slide viewer: scripts/web/vendor/openseadragon*.js",
    "the curves: scripts/web/vendor/uPlot*.js",
    "the report's page: scripts/report/templates/*",
    "the dashboard's pages: scripts/dashboard/templates/*",
)
_SHOWN = 8  # names of files at most, of a list that may be long
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def wheel_faults(wheel: Wheel, sources: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a wheel.

    Parameters
    ----------
    sources
        Paths of the files that it was to be made of, from the repository's root.
    """
    packed, wanted = set(wheel.code), {path for name in sources if (path := packed_as(name)) is not None}
    yield from (f"lacks {name}" for name in sorted(wanted - packed))
    yield from (f"has {name}, which it shouldn't" for name in sorted(packed - wanted))
    for line in NEEDED:
        what, _, pattern = line.partition(": ")
        if not any(fnmatch.fnmatchcase(name, pattern) for name in wheel.files):
            yield f"lacks {what}: nothing is named {pattern}"
    if not wheel.path.name.endswith("-py3-none-any.whl"):
        yield "is for one kind of machine; it has no code of its own that needs a compiler"
    yield from _metadata_faults(wheel)


def packed_as(name: str) -> str | None:
    """Return where a file of the repository lies in the wheel; None where it is left out.

    Examples
    --------
    >>> packed_as("hooks/cron/slidebridge.cron"), packed_as("scripts/bench/rows.py"), packed_as("bridge/coords.py")
    ('scripts/hook_templates/cron/slidebridge.cron', None, 'bridge/coords.py')
    """
    path = PurePosixPath(name)
    if path.parts[0] == HOOKS[0]:
        return str(PurePosixPath(HOOKS[1], *path.parts[1:]))
    is_left_out = any(path.is_relative_to(folder) for folder in LEFT_OUT)
    return name if path.parts[0] in ROOMS and not is_left_out else None


def _metadata_faults(wheel: Wheel) -> Iterator[str]:
    said = wheel.metadata
    try:
        Version(said["Version"])
    except InvalidVersion:
        yield f"has the version {said['Version']!r}, which is none"
    if "GPL-3.0-or-later" not in str(said["License-Expression"]).split():
        yield f"says of its licence: {said['License-Expression']}"
    if said["Description-Content-Type"] != "text/markdown":
        yield f"says that its README is {said['Description-Content-Type']}"
    classifiers = said.get_all("Classifier", ())
    yield from (
        f"has no classifier of Python {python}"
        for python in PYTHONS
        if f"Programming Language :: Python :: {python}" not in classifiers
    )
    started = wheel.files.get(f"{wheel.info}/entry_points.txt", b"").decode()
    if "slidebridge = scripts.cli:main" not in started.splitlines():
        yield "doesn't install the program slidebridge"


def readme_faults(readme: str, sources: Collection[str]) -> Iterator[str]:
    """Yield what of a README leads nowhere for somebody who has only the package: links to files that aren't in it."""
    for target in _LINK.findall(readme):
        path = target.partition("#")[0]
        is_there = path in sources or any(name.startswith(f"{path.rstrip('/')}/") for name in sources)
        if path and "://" not in target and not is_there:
            yield f"README links to {path}, which is in no package"
    if readme.count("```") % 2:
        yield "README has a block of code without an end"


def sdist_faults(sources: Collection[str], tracked: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a source archive.

    Parameters
    ----------
    sources
        Paths in it.
    tracked
        Paths that git knows; empty where there is no git.
    """
    wanted = ("LICENSE", "README.md", "CHANGELOG.md", "constraints.txt", "pyproject.toml", "Makefile")
    yield from (f"lacks {name}" for name in wanted if name not in sources)
    rooms = (*ROOMS, HOOKS[0], "tests", "docs")
    missing = (name for name in tracked if name.partition("/")[0] in rooms and name not in sources)
    yield from (f"lacks {name}, which is in git" for name in sorted(missing))


def read_sdist(path: Path) -> Mapping[str, bytes]:
    """Return the files of a source archive by their paths from its root."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            data = archive.extractfile(member) if member.isfile() else None
            if data is not None:
                found[member.name.partition("/")[2]] = data.read()
    return found


def foreign_paths(files: Mapping[str, bytes], root: Path = _ROOT) -> Iterator[str]:
    """Yield the files that name the folder they were built in: of no use elsewhere, and nobody's business."""
    yield from (f"{name} names the folder {root}" for name, data in files.items() if str(root).encode() in data)


def tracked_files(root: Path) -> frozenset[str]:
    """Return what git knows below a folder and the folder still has; nothing where there is no git."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return frozenset()
    names = done.stdout.decode().split("\0") if done.returncode == 0 else []
    return frozenset(name for name in names if name and (root / name).is_file())


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at both; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m scripts.packaging.contents", description=__doc__)
    parser.add_argument("dist", type=Path, nargs="?", default=_ROOT / "dist", help="folder of wheel and source archive")
    asked = parser.parse_args(arguments)
    try:
        wheel, sdist = find_wheel(asked.dist), find_sdist(asked.dist)
        sources = read_sdist(sdist)
        return _told(wheel, sdist, sources)
    except PackageError as error:
        parser.exit(1, f"{error}\n")


def _told(wheel: Wheel, sdist: Path, sources: Mapping[str, bytes]) -> int:
    tracked = tracked_files(_ROOT)
    faults = {
        wheel.path.name: (
            *wheel_faults(wheel, sources),
            *readme_faults(str(wheel.metadata.get_payload()), sources),
            *foreign_paths(wheel.files),
        ),
        sdist.name: (*sdist_faults(sources, tracked), *foreign_paths(sources)),
    }
    for name, found in faults.items():
        print(f"{name}: {'as it should be' if not found else ''}".rstrip(), *found, sep="\n  ")
    sizes = f"{len(wheel.files)} files in the wheel, {len(sources)} in the source archive"
    print(f"version {wheel.metadata['Version']}: {sizes}")
    _tell_untracked(sources, tracked)
    return 1 if any(faults.values()) else 0


def _tell_untracked(sources: Iterable[str], tracked: Collection[str]) -> None:
    untracked = sorted(name for name in sources if tracked and name not in tracked and name != "PKG-INFO")
    if untracked:
        shown = ", ".join(untracked[:_SHOWN]) + (", …" if len(untracked) > _SHOWN else "")
        print(f"packed though not in git, {len(untracked)} files; look at them before a release: {shown}")


if __name__ == "__main__":
    sys.exit(main())
