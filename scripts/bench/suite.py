"""The benches by name, and what comes of running one."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from bridge.errors import BridgeError
from scripts.bench.rows import Row, Scale, Scaling

BENCHES = {
    "starting": "scripts.bench.starting",
    "raster": "scripts.bench.raster",
    "outlines": "scripts.bench.outlines",
    "selection": "scripts.bench.selection",
    "codecs": "scripts.bench.codecs",
    "objects": "scripts.bench.objects",
    "reading": "scripts.bench.reading",
    "prediction": "scripts.bench.prediction",
    "training": "scripts.bench.training",
    "ddp": "scripts.bench.ddp",
    "scale_slides": "scripts.bench.scale_slides",
    "scale_projects": "scripts.bench.scale_projects",
    "latency": "scripts.bench.daemon.latency",
}
"""Modules by name, in the order of the page; imported only when asked for, so that a broken one breaks no other."""

Entry = Row | Scaling


class Bench(Protocol):
    """What a bench module has."""

    NAME: str
    TITLE: str

    def rows(self, scale: Scale) -> Iterator[Entry]:
        """Measure; yield every row as soon as it is there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a bench brought.

    Parameters
    ----------
    error
        Why it broke off, with the rows before that in ``entries``; None if it didn't.
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
    seconds: float
    error: Exception | None = None


class UnknownBenchError(BridgeError, LookupError):
    """There is no bench of this name."""

    @classmethod
    def of(cls, name: str) -> UnknownBenchError:
        """Return the error with the names that there are."""
        return cls(f"no bench {name!r}; there are {', '.join(BENCHES)}")


def run_bench(name: str, scale: Scale, tell: Callable[[Entry], None] = lambda entry: None) -> Outcome:
    """Run one bench and tell each row as it comes; whatever is raised is in the outcome.

    Raises
    ------
    UnknownBenchError
        There is none of this name.
    """
    if name not in BENCHES:
        raise UnknownBenchError.of(name)
    began, title, entries = time.perf_counter(), name, list[Entry]()
    try:
        bench: Bench = _imported(BENCHES[name])
        title = bench.TITLE
        _set_modules_aside()
        for entry in bench.rows(scale):
            entries.append(entry)
            tell(entry)
    except Exception as error:  # whatever one bench meets, the others go on
        return Outcome(name, title, tuple(entries), time.perf_counter() - began, error)
    return Outcome(name, title, tuple(entries), time.perf_counter() - began)


def _set_modules_aside() -> None:
    """Have the collector leave alone what is loaded: to look through all of it before each run takes longest of all."""
    gc.collect()
    gc.freeze()


def libraries_of(name: str) -> tuple[str, ...]:
    """Return the libraries whose versions a bench's figures rest on, its ``LIBRARIES``; empty if it names none."""
    return tuple(getattr(_imported(BENCHES[name]), "LIBRARIES", ()))


def _imported(module: str) -> Bench:
    return importlib.import_module(module)
