"""What annotation cost, iteration by iteration, and what the predictions saved; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.metrics import EffortFit, Spread, TimePoint, fit_effort
from scripts.loop.effort_saves import LeftOut, SavedWork
from scripts.loop.effort_times import MeasuredTime
from scripts.loop.effort_work import Place, Time, Work

_NO_TIME = "for minutes per region, save twice or more while SlideBridge watches, or give --times FILE.csv"


_LEAST_SECONDS = 1.0  # for a region without predictions: nobody outlines faster, so they were brought in by a program


@dataclass(frozen=True, slots=True)
class SlideEffort:
    """One slide in one iteration.

    Parameters
    ----------
    slide_key
        None where an iteration was measured as a whole.
    start, regions
        Regions annotated before, and here.
    timed_regions, seconds
        Those whose time is known, and it; a slide may have neither.
    is_measured
        With a stopwatch; else from saves.
    """

    slide_key: str | None
    iteration: int
    start: int
    regions: int
    timed_regions: int
    seconds: float
    is_measured: bool

    @property
    def end(self) -> int:
        """Regions annotated after these."""
        return self.start + self.regions

    @property
    def seconds_per_region(self) -> float | None:
        """Annotation time per region; None where it isn't known."""
        return self.seconds / self.timed_regions if self.timed_regions else None


@dataclass(frozen=True, slots=True)
class IterationEffort:
    """One iteration: all that was done while its predictions were seen; 0 is without any.

    A hold-out, or a slide that is new, is annotated without predictions however far the loop is: that is iteration 0.

    Parameters
    ----------
    work
        What the person did, by outcome.
    slides
        In the order of their first saves; those that were only measured come last.
    box_seconds
        Time of saves that brought answers to boxes only.
    """

    iteration: int
    work: Work
    slides: tuple[SlideEffort, ...]
    box_seconds: float = 0.0

    @property
    def regions(self) -> int:
        """Regions annotated."""
        return sum(slide.regions for slide in self.slides)

    @property
    def timed_regions(self) -> int:
        """Those whose time is known."""
        return sum(slide.timed_regions for slide in self.slides)

    @property
    def seconds(self) -> float:
        """Their time."""
        return sum(slide.seconds for slide in self.slides)

    @property
    def seconds_per_region(self) -> float | None:
        """Annotation time per region; None where it isn't known."""
        return self.seconds / self.timed_regions if self.timed_regions else None

    @property
    def by_slide(self) -> Spread:
        """Mean and sd over slides of their time per region."""
        return Spread.of([s.seconds_per_region for s in self.slides if s.seconds_per_region is not None])

    @property
    def is_measured(self) -> bool:
        """Whether any of the time is a stopwatch's."""
        return any(slide.is_measured for slide in self.slides)


@dataclass(frozen=True, slots=True)
class Account:
    """The effort of a project.

    Parameters
    ----------
    iterations
        In order.
    fit
        The model of H-AI-L; None where ``missing`` says what it lacks.
    left_out
        What the saves don't tell.
    """

    iterations: tuple[IterationEffort, ...] = ()
    fit: EffortFit | None = None
    missing: str | None = None
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def work(self) -> Work:
        """Of all iterations."""
        return sum((iteration.work for iteration in self.iterations), Work())

    @property
    def regions(self) -> int:
        """R."""
        return sum(iteration.regions for iteration in self.iterations)

    @property
    def baseline_seconds(self) -> float | None:
        """Time per region without predictions: iteration 0; None where it isn't known, or nothing."""
        first = next((i for i in self.iterations if i.iteration == 0), None)
        return None if first is None else first.seconds_per_region or None

    @property
    def is_too_quick(self) -> bool:
        """Whether the saves before the first training are too close together to be a person's work: no time is told."""
        first = next((i for i in self.iterations if i.iteration == 0), None)
        baseline = self.baseline_seconds
        return first is not None and not first.is_measured and baseline is not None and baseline < _LEAST_SECONDS

    def normalized(self, seconds_per_region: float | None) -> float | None:
        """Return A: a time per region by that without predictions."""
        baseline = self.baseline_seconds
        return None if baseline is None or seconds_per_region is None else seconds_per_region / baseline

    @property
    def model_minutes(self) -> float | None:
        """Minutes saved over all regions, as the fitted curve has it."""
        baseline = self.baseline_seconds
        if self.fit is None or baseline is None:
            return None
        return (self.fit.curve.baseline - self.fit.curve.normalized_time) * baseline / 60

    @property
    def counted_minutes(self) -> float | None:
        """Minutes saved over the regions whose time is known, without a model; below 0 where it took longer."""
        baseline = self.baseline_seconds
        if self.fit is None or baseline is None:
            return None
        return sum(baseline * i.timed_regions - i.seconds for i in self.iterations) / 60


def account(saved: SavedWork, measured: Sequence[MeasuredTime] = ()) -> Account:
    """Return the effort that saves and a stopwatch tell; measured times take the place of those from saves.

    Parameters
    ----------
    measured
        Where a line names a slide, for that slide in that iteration; else for the whole iteration.
    """
    numbers = sorted({iteration for _, iteration in saved.work} | {time.iteration for time in measured})
    iterations, start = [], 0
    for number in numbers:
        of_it = tuple(m for m in measured if m.iteration == number)
        found = _iteration(saved, of_it, number, start)
        iterations.append(found)
        start += found.regions
    known = Account(tuple(iterations), left_out=saved.left_out)
    missing = _missing(known)
    if missing is not None:
        return Account(known.iterations, None, missing, saved.left_out)
    return Account(known.iterations, fit_effort(list(_points(known)), known.regions), None, saved.left_out)


def _iteration(saved: SavedWork, measured: Sequence[MeasuredTime], number: int, start: int) -> IterationEffort:
    work = {place: done for place, done in saved.work.items() if place[1] == number}
    box_seconds = sum(time.box_seconds for place, time in saved.times.items() if place in work)
    slides = []
    for slide_key, regions, time, is_measured in _slides(work, saved.times, measured, number):
        slides.append(SlideEffort(slide_key, number, start, regions, time.regions, time.seconds, is_measured))
        start += regions
    return IterationEffort(number, sum(work.values(), Work()), tuple(slides), box_seconds)


def _slides(
    work: Mapping[Place, Work], times: Mapping[Place, Time], measured: Sequence[MeasuredTime], number: int
) -> Iterator[tuple[str | None, int, Time, bool]]:
    stopped: dict[str | None, Time] = {}
    for line in measured:
        stopped[line.slide_key] = stopped.get(line.slide_key, Time()) + Time(line.regions, line.seconds)
    if None in stopped:
        time = stopped[None]
        yield None, max(time.regions, sum(done.regions for done in work.values())), time, True
        return
    for place, done in work.items():
        time = stopped.pop(place[0], times.get(place, Time()))
        yield place[0], max(time.regions, done.regions), time, place[0] in {line.slide_key for line in measured}
    for slide_key, time in stopped.items():
        yield slide_key, time.regions, time, True


def _points(known: Account) -> Iterator[TimePoint]:
    for iteration in known.iterations:
        for slide in iteration.slides:
            time = known.normalized(slide.seconds_per_region)
            if time is not None and math.isfinite(time):
                yield TimePoint(slide.start, slide.end, time, slide.timed_regions)


def _missing(known: Account) -> str | None:
    """Return, in one line, what is still needed for the model; None for nothing."""
    if not known.iterations or not known.regions:
        return "nothing is annotated yet: annotate, save, and let SlideBridge read it (`slidebridge watch`, or `sync`)"
    if all(i.iteration == 0 for i in known.iterations):
        return "no predictions have been answered yet: train, and correct what is predicted"
    if known.baseline_seconds is None:
        return f"the time per region without predictions (before the first training) isn't known; {_NO_TIME}"
    if not any(i.timed_regions for i in known.iterations if i.iteration > 0):
        return f"the time per region with predictions isn't known; {_NO_TIME}"
    return None
