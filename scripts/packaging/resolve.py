"""``python -m scripts.packaging.resolve DIST``: on which systems and Pythons a wheel installs without a compiler.

Each system is asked for with each Python in three ways: with ``constraints.txt``, with the newest of everything, and
with the oldest that the requirements allow. Only wheels count. uv resolves, for it takes environment markers for what
they are on the system and the Python asked for; pip takes those of the machine that it runs on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from scripts.packaging.targets import LATER_PYTHONS, PYTHONS, SYSTEMS, System
from scripts.packaging.uv import Unresolved, Uv
from scripts.packaging.wheel import PackageError, Wheel, find_wheel
from scripts.progress import Progress, show_progress

_ROOT = Path(__file__).resolve().parents[2]
_EXTRAS = ("dashboard", "dask", "timm")


class Way(StrEnum):
    """Which versions are taken."""

    PINNED = "constraints.txt"
    NEWEST = "newest"
    OLDEST = "oldest allowed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: whether it installs there, and with which versions."""

    system: System
    python: str
    way: Way

    @property
    def is_promised(self) -> bool:
        """Whether a no is a fault, or only worth knowing."""
        return self.system.is_promised and self.python in PYTHONS


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it.

    Parameters
    ----------
    asked
        The question.
    packages
        What would be installed, as ``name==version``; empty where it can't be.
    lacking
        The requirements that can't be met by wheels, each with the reason; empty where all can.
    """

    asked: Asked
    packages: tuple[str, ...]
    lacking: tuple[tuple[str, str], ...] = ()

    @property
    def is_fault(self) -> bool:
        """Whether it is to be mended."""
        return self.asked.is_promised and not self.packages


def questions(pythons: Sequence[str] = (*PYTHONS, *LATER_PYTHONS)) -> Iterator[Asked]:
    """Yield every question, those of one system together."""
    for system in SYSTEMS:
        for python in pythons:
            for way in Way:
                yield Asked(system, python, way)


def answer(asked: Asked, wheel: Wheel, uv: Uv, constraints: Path) -> Answer:
    """Resolve the wheel with all its extras; where a promise fails, find out which of its requirements do.

    Parameters
    ----------
    constraints
        For `Way.PINNED`.
    """
    resolve = partial(uv.compile, options=_options(asked, constraints), oldest=asked.system.oldest)
    try:
        return Answer(asked, resolve(_asked_for(asked.way, wheel)))
    except Unresolved as whole:
        single = wheel.requirements(_EXTRAS) if asked.is_promised else ()  # some forty more questions
        lacking = tuple(_lacking(single, lambda one: resolve([one])))
        return Answer(asked, (), lacking or (("all together", whole.reason),))


def _asked_for(way: Way, wheel: Wheel) -> Sequence[str]:
    """Return what to resolve: the file itself; its requirements where the oldest of what is asked for is wanted."""
    return wheel.requirements(_EXTRAS) if way is Way.OLDEST else [wheel.requirement(_EXTRAS)]


def _lacking(requirements: Iterable[str], resolve: Callable[[str], object]) -> Iterator[tuple[str, str]]:
    for requirement in requirements:
        try:
            resolve(requirement)
        except Unresolved as error:
            yield requirement, error.reason


def _options(asked: Asked, constraints: Path) -> tuple[str, ...]:
    where = ("--python-platform", asked.system.platform, "--python-version", asked.python, "--only-binary", ":all:")
    match asked.way:
        case Way.PINNED:
            return (*where, "--constraint", str(constraints))
        case Way.NEWEST:
            return where
        case Way.OLDEST:
            return (*where, "--resolution", "lowest-direct")


def table(answers: Iterable[Answer]) -> Iterator[str]:
    """Yield a line per system and Python, then each requirement that can't be met somewhere, with where and why."""
    found = {(a.asked.system.name, a.asked.python, a.asked.way): a for a in answers}
    yield f"{'system':16}{'Python':8}" + "".join(f"{way:18}" for way in Way)
    for system, python in dict.fromkeys((system, python) for system, python, _ in found):
        cells = [_cell(found.get((system, python, way))) for way in Way]
        yield f"{system:16}{python:8}" + "".join(f"{cell:18}" for cell in cells).rstrip()
    yield from _reasons(found.values())


def _cell(found: Answer | None) -> str:
    if found is None:
        return "–"
    return f"{len(found.packages)} packages" if found.packages else "no, see below"


def _reasons(answers: Iterable[Answer]) -> Iterator[str]:
    places: dict[tuple[str, str], list[str]] = {}
    for found in answers:
        asked = found.asked
        for one in found.lacking:
            places.setdefault(one, []).append(f"{asked.system.name} with Python {asked.python} ({asked.way})")
    for (requirement, reason), where in places.items():
        yield f"\n{requirement}: {', '.join(where)}\n  {reason}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask everything; return 1 where a promise isn't kept."""
    parser = argparse.ArgumentParser(prog="python -m scripts.packaging.resolve", description=__doc__.partition("\n")[0])
    parser.add_argument("dist", type=Path, nargs="?", default=_ROOT / "dist", help="wheel, or the folder it lies in")
    parser.add_argument("--python", action="append", help="3.12 (default: all that are promised, and the next)")
    asked = parser.parse_args(arguments)
    try:
        wheel, uv = find_wheel(asked.dist), Uv.find()
    except PackageError as error:
        parser.exit(1, f"{error}\n")
    with show_progress(is_shown=True) as progress:
        found = _answers(wheel, uv, tuple(questions(asked.python or (*PYTHONS, *LATER_PYTHONS))), progress)
    print("\n".join(table(found)))
    promised = [one for one in found if one.asked.is_promised]
    faults = sum(one.is_fault for one in promised)
    print(f"\n{wheel.path.name}: installs in {len(promised) - faults} of {len(promised)} ways that are promised")
    return 1 if faults else 0


def _answers(wheel: Wheel, uv: Uv, asked: Sequence[Asked], progress: Progress) -> Sequence[Answer]:
    progress.start("resolving", len(asked))
    found = []
    for one in asked:
        found.append(answer(one, wheel, uv, _ROOT / "constraints.txt"))
        progress.advance(1, f"{one.system.name}, Python {one.python}")
    return found


if __name__ == "__main__":
    sys.exit(main())
