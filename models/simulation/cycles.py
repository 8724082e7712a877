"""The paper's loop: select, reveal, train from scratch, judge, and again.

Qiu et al., "Adaptive region selection for active learning in whole slide image semantic segmentation" (MICCAI 2023),
sections 2.1 and 3.2. Slides are taken a subset at a time; the first boxes are random; validation slides are annotated
the same way.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.active import MapBox, SelectionMethod, SelectionVariant, acquisition_of, select_regions
from models.active.published import select_as_published
from models.active.sums import clipped
from models.metrics.cost import Price, drawing_price
from models.simulation.judging import judged, predicted_labels
from models.simulation.learner import Learned, Learner
from models.simulation.options import CycleOptions
from models.simulation.prices import BoxWork, look_again, outlines_of, work_on_box
from models.simulation.revealed import Revealed
from models.simulation.slide import SimulatedSlide
from models.simulation.split import split_slides
from models.simulation.step import CycleStep

logger = logging.getLogger(__name__)


def run_cycles(
    train: Sequence[SimulatedSlide],
    test: Sequence[SimulatedSlide],
    learner: Learner,
    options: CycleOptions,
    classes: Sequence[str],
    *,
    so_far: Sequence[CycleStep] = (),
) -> Iterator[CycleStep]:
    """Reveal boxes cycle by cycle, and say what each cycle's model can.

    A cycle selects ``k`` boxes on every slide of its subset by what the last cycle's model predicts there (at random
    in the first), reveals them, trains a model from scratch on all that is revealed and judges it on the test slides.
    It ends early when no subset has any place left.

    Parameters
    ----------
    train
        Slides that are annotated; some of them validate (`split_slides`). Keys are unique.
    test
        Slides that judge; other keys than those of ``train``.
    learner
        Knows all these slides by their keys.
    options
        The run.
    classes
        Names by label; the first is background.
    so_far
        Steps of this very run, from the first: it goes on behind them. What they contain is never made again but the
        last one's model, and the run ends as if it had never been interrupted.

    Yields
    ------
    CycleStep
        One per cycle, those of ``so_far`` not again.

    Raises
    ------
    ValueError
        ``so_far`` doesn't begin with the first cycle, or has gaps.
    TrainingDataError
        There is nothing to train on, or no test slide holds any class.
    """
    run = _Run(train, test, learner, options, classes)
    for step in so_far:
        run.replay(step)
    while run.next_cycle < options.cycles and not run.is_exhausted:
        yield run.step()


def full_annotation(
    train: Sequence[SimulatedSlide],
    test: Sequence[SimulatedSlide],
    learner: Learner,
    classes: Sequence[str],
    *,
    seed: int,
    options: CycleOptions | None = None,
) -> CycleStep:
    """Return what a model can that has seen everything: the level that runs are measured against.

    Its cost is that of drawing every slide as one box.

    Parameters
    ----------
    options
        The run that it is compared with, for its split and prices; the defaults of both if None.
    """
    options = options or CycleOptions(SelectionMethod.RANDOM, size=1, k=1, cycles=1, seed=seed)
    everything = Revealed.everything(train, split_slides(train, options.split))
    price = Price()
    for slide in train:
        price += drawing_price(slide.objects, (0, 0, slide.shape[1], slide.shape[0]), options.prices)
    scores = judged(everything.learn(learner, _seed(seed, 0)), test, classes)
    boxes = {slide.key: everything.boxes(slide.key) for slide in train}
    return CycleStep(
        0, everything.share, scores, _mean(scores), price.clicks, price.seconds, regions=len(train), boxes=boxes
    )


class _Run:
    """One run: what is revealed, what it has cost, and the last model."""

    def __init__(
        self,
        train: Sequence[SimulatedSlide],
        test: Sequence[SimulatedSlide],
        learner: Learner,
        options: CycleOptions,
        classes: Sequence[str],
    ) -> None:
        self._slides = {slide.key: slide for slide in train}
        self._test = test
        self._learner = learner
        self._options = options
        self._classes = classes
        self._split = split_slides(train, options.split)
        self._revealed = Revealed(train, self._split)
        self._last: CycleStep | None = None
        self._model: Learned | None = None
        self._idle = 0

    @property
    def next_cycle(self) -> int:
        """The cycle that `step` does."""
        return 0 if self._last is None else self._last.cycle + 1

    @property
    def is_exhausted(self) -> bool:
        """Whether the last cycles, one of each subset, found no place."""
        return self._idle >= len(self._split.subsets)

    def replay(self, step: CycleStep) -> None:
        """Take a step as done."""
        if step.cycle != self.next_cycle:
            raise ValueError(f"cycle {self.next_cycle} is missing among the steps so far: cycle {step.cycle} came")
        self._revealed.add(step.boxes, step.patch_labels)
        self._model = None
        self._note(step)

    def step(self) -> CycleStep:
        """Do the next cycle."""
        cycle = self.next_cycle
        done = {key: self._annotate(key, cycle) for key in self._split.subsets[cycle % len(self._split.subsets)]}
        boxes = {key: slide.boxes for key, slide in done.items() if slide.boxes}
        labels = {key: slide.patch_labels for key, slide in done.items() if slide.patch_labels}
        self._revealed.add(boxes, labels)
        self._model = self._revealed.learn(self._learner, _seed(self._options.seed, cycle))
        scores = judged(self._model, self._test, self._classes)
        work = [one for slide in done.values() for one in slide.work]
        last = self._last
        step = CycleStep(
            cycle,
            annotated_share=self._revealed.share,
            iou=scores,
            miou=_mean(scores),
            clicks=sum((one.price.clicks for one in work), start=last.clicks if last else 0),
            seconds=sum((one.price.seconds for one in work), start=last.seconds if last else 0.0),
            regions=len(work) + (last.regions if last else 0),
            boxes=boxes,
            patch_labels=labels,
            reasons={key: slide.reason for key, slide in done.items() if slide.reason is not None},
            corrected=sum(one.is_corrected for one in work) + (last.corrected if last else 0),
        )
        self._note(step)
        logger.debug(
            "cycle=%d annotated=%.4f miou=%.4f regions=%d", cycle, step.annotated_share, step.miou, step.regions
        )
        return step

    def _note(self, step: CycleStep) -> None:
        self._idle = 0 if step.boxes else self._idle + 1
        self._last = step

    def _annotate(self, key: str, cycle: int) -> _SlideWork:
        """Select boxes on one slide and label them."""
        slide, probabilities = self._slides[key], self._predicted(key)
        boxes, reason = self._select(slide, probabilities, cycle)
        actions = self._options.actions
        if key in self._split.validation:
            actions = replace(actions, patch_labels=False)
        predicted = None
        if probabilities is not None and actions.corrections:
            predicted = outlines_of(predicted_labels(probabilities), self._classes)
        work: list[BoxWork] = []
        for box in boxes:
            drawn = [other for other, one in zip(boxes, work, strict=False) if one.patch_label is None]
            is_again = self._revealed.is_covered(key, box, drawn)
            prices = self._options.prices
            work.append(look_again(prices) if is_again else work_on_box(slide, box, predicted, actions, prices))
        return _SlideWork(boxes, tuple(work), reason)

    def _predicted(self, key: str) -> NDArray[np.float32] | None:
        """Return what the last cycle's model says of a slide; None before there is one."""
        if self._last is None:
            return None
        if self._model is None:  # of a run that goes on: made again, as it was
            self._model = self._revealed.learn(self._learner, _seed(self._options.seed, self._last.cycle))
        return self._model.probabilities(key)

    def _select(
        self, slide: SimulatedSlide, probabilities: NDArray[np.float32] | None, cycle: int
    ) -> tuple[tuple[MapBox, ...], str | None]:
        """Return boxes inside the slide's grid, and why there are fewer than asked for."""
        options = self._options
        priority = np.zeros(slide.shape, np.float32)
        if probabilities is not None:
            priority = np.where(slide.tissue, acquisition_of(options.acquisition)(probabilities[None]), priority)
        taken = () if options.may_reselect else self._revealed.boxes(slide.key)
        generator = np.random.default_rng([options.seed, cycle, _number(slide.key)])
        is_paper = options.variant is SelectionVariant.PAPER
        select = select_regions if is_paper else select_as_published
        found = select(priority, slide.tissue, taken, options.selection(cycle), generator)
        # The published code's boxes may reach over the map's border; nobody annotates there.
        return tuple(clipped((scored.box for scored in found.boxes), slide.shape)), found.reason


@dataclass(frozen=True, slots=True)
class _SlideWork:
    """One slide's share of a cycle."""

    boxes: tuple[MapBox, ...]
    work: tuple[BoxWork, ...]
    reason: str | None

    @property
    def patch_labels(self) -> tuple[tuple[MapBox, int], ...]:
        """Boxes that were given one class."""
        pairs = zip(self.boxes, self.work, strict=True)
        return tuple((box, one.patch_label) for box, one in pairs if one.patch_label is not None)


def _mean(scores: Mapping[str, float]) -> float:
    return float(np.mean(list(scores.values())))


def _seed(seed: int, cycle: int) -> int:
    """Return a training's seed; of neighbouring cycles and seeds different."""
    return int(np.random.SeedSequence([seed, cycle]).generate_state(1)[0])


def _number(key: str) -> int:
    """Return a slide's own number, the same whatever the other slides are."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
