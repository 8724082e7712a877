"""Training steps per second of two processes that ``torchrun`` started, beside one process with the same cores.

On two cores there is nothing to gain: one process uses both already. What is measured is what sharing costs, and how
far the loss of any step lies from that of one process. At smoke scale nothing is measured: four processes that load
torch take longer than other benches, and no ratio is guarded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from bridge.annotations import ClassScheme
from bridge.slides import open_slide
from models.data import TrainingSlide
from models.training import DeepZoom, ModelOptions, Ranks, TrainingOptions, TrainingProgress
from scripts.bench.measuring import Figure, Row, Scale
from scripts.bench.training import Sizes, paint_slide, plan_of
from scripts.processes import Launch, open_ranks

NAME = "ddp"
TITLE = "Training in two processes, beside one with the same cores"
LIBRARIES = ("torch", "numpy", "openslide-python", "monai")
_MPP, _SCHEME = 0.5, ClassScheme({"Dark": (255, 0, 0), "Pale": (0, 0, 255)})
_PROCESSES, _STEPS, _RUNS = 2, 20, 2
_SIZES = Sizes(2048, 60, (), 0, (), 1)
_WARM_UP = 3  # steps that allocate and tune


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went: steps per second once it was warm, and the loss of each step."""

    rate: float
    losses: tuple[float, ...]


def rows(scale: Scale) -> Iterator[Row]:
    """Measure both in turn, each in processes of its own."""
    if scale is Scale.FULL:
        yield from _measured()


def _measured() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        picture = paint_slide(Path(name, "slide.tif"), _SIZES)
        courses: tuple[list[Course], list[Course]] = ([], [])
        for _ in range(_RUNS):
            for count, found in zip((_PROCESSES, 1), courses, strict=True):
                found.append(_course(picture, count))
    ours, theirs = (Figure.of([course.rate for course in found], "steps/s") for found in courses)
    pairs = zip(courses[0][0].losses, courses[1][0].losses, strict=True)
    apart = max(abs(one - other) for one, other in pairs)
    note = f"losses of {_STEPS} steps differ by {apart:.1g} at most"
    options = _options()
    cores = f"{_PROCESSES} processes × {_cores(_PROCESSES)} threads"
    work = f"a step of {options.batch_size} × {options.tile_px}², {cores}"
    yield Row(work, ours, f"1 process × {_cores(1)} threads", theirs, note=note)


def _course(picture: Path, count: int) -> Course:
    """Train in new processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    command = [sys.executable, *launcher, "-m", "scripts.bench.ddp", str(picture)]
    environ = {**os.environ, "OMP_NUM_THREADS": str(_cores(count))}
    ended = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(ended.stdout)
    return Course(found["rate"], tuple(found["losses"]))


def _cores(count: int) -> int:
    """Return the threads that each of some processes has."""
    return max(1, (os.cpu_count() or 1) // count)


def _options() -> TrainingOptions:
    return TrainingOptions(
        max_steps=_STEPS,
        max_seconds=None,
        batch_size=8,
        tile_px=256,
        evaluate_every=1,
        checkpoint_every=_STEPS + 1,
        device="cpu",
    )


def train(picture: Path, ranks: Ranks) -> Course:
    """Train, alone or with others."""
    ends: list[float] = []

    def note(progress: TrainingProgress) -> None:
        ends.append(time.perf_counter())

    with open_slide(picture, mpp=(_MPP, _MPP)) as slide:
        candidate = DeepZoom(ModelOptions(mpp=_MPP, one_network=True)).fit(
            [TrainingSlide(slide, plan_of(_SIZES))], _SCHEME, _options(), progress=note, ranks=ranks
        )
    (history,) = candidate.history.values()
    rate = (_STEPS - _WARM_UP) / (ends[-1] - ends[_WARM_UP - 1])
    return Course(rate, tuple(entry.loss for entry in history))


def _main(picture: Path) -> None:
    launch = Launch.read()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with ExitStack() as stack:
        ranks = Ranks() if launch is None else stack.enter_context(open_ranks(launch))
        course = train(picture, ranks)
        if ranks.is_first:
            sys.stdout.write(json.dumps({"rate": course.rate, "losses": course.losses}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
