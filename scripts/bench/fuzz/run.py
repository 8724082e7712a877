"""Inputs by number: every one can be made again from codec, seed and number."""

from __future__ import annotations

import logging
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.fuzz.byte_mutation import Mutator, mutate_bytes, splice
from scripts.bench.fuzz.json_mutation import mutate_json
from scripts.bench.fuzz.laws import Check, laws_of
from scripts.bench.fuzz.stream_mutation import mutate_stream
from scripts.bench.fuzz.xml_mutation import mutate_xml

STRUCTURED: Mapping[str, Mutator] = {
    "xml": mutate_xml,
    "geojson": mutate_json,
    "qpdata": mutate_stream,
    "qpproj": mutate_json,
}
SLOW_SECONDS = 1.0  # for reading, writing to, and reading again
MAX_INPUT = 300_000  # bytes; repeats of repeats are cut there


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that breaks a law, or takes too long."""

    codec: str
    number: int
    what: str
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Tally:
    """What became of a run of inputs.

    Parameters
    ----------
    verdicts
        How many inputs by ``Verdict.value``.
    slowest
        Processor seconds of the slowest input, its number, and its size in bytes.
    peak_mib
        Most memory that a process had in use, beyond what it had before its first input.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    slowest: tuple[float, int, int] = (0.0, -1, 0)
    peak_mib: float = 0.0

    @property
    def inputs(self) -> int:
        """How many inputs were tried."""
        return self.verdicts.total()

    def add(self, other: Tally) -> None:
        """Take in another run of the same codec."""
        self.verdicts += other.verdicts
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.peak_mib = max(self.peak_mib, other.peak_mib)


def make_input(codec: str, seeds: Sequence[bytes], number: int, seed: int = 0) -> bytes:
    """Return one input; the same arguments give the same bytes."""
    chance = random.Random(f"{codec}/{seed}/{number}")
    data = chance.choice(seeds)
    draw = chance.random()
    if draw < 0.03:
        return splice(data, chance.choice(seeds), chance)
    if draw < 0.55:
        data = STRUCTURED[codec](data, chance)
    if not 0.1 < draw < 0.5:
        data = mutate_bytes(data, chance)
    return data[:MAX_INPUT]


def fuzz(
    codec: str, seeds: Sequence[bytes], numbers: range, *, seed: int = 0, began: Callable[[int], None] = lambda _: None
) -> Tally:
    """Try a range of inputs, one after another, in this process.

    Parameters
    ----------
    began
        Told each number before its input is tried, so that somebody else can say which one hangs.
    """
    tally = Tally()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="slidebridge-fuzz-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("error")
        with laws_of(codec, Path(scratch)) as check:
            at_start = _peak_mib()
            for number in numbers:
                began(number)
                _try(check, codec, make_input(codec, seeds, number, seed), number, tally)
        tally.peak_mib = max(0.0, _peak_mib() - at_start)
    logging.disable(logging.NOTSET)
    return tally


def _try(check: Check, codec: str, data: bytes, number: int, tally: Tally) -> None:
    before = time.process_time()
    try:
        verdict = check(data, number).value
    except Exception as error:  # whatever comes is what we are looking for; it is reported, every one
        verdict = "broken"
        what = "".join(traceback.format_exception_only(error)).strip()
        tally.failures.append(Failure(codec, number, f"{what} ({_place_of(error)})", data))
    seconds = time.process_time() - before
    tally.verdicts[verdict] += 1
    tally.slowest = max(tally.slowest, (seconds, number, len(data)))
    if seconds > SLOW_SECONDS:
        tally.failures.append(Failure(codec, number, f"took {seconds:.1f} s for {len(data)} bytes", data))


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "bridge" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _peak_mib() -> float:
    if sys.platform == "win32":  # Windows has no getrusage
        return 0.0
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
