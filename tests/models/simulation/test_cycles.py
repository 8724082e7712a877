from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from models.active import Acquisition, MapBox, SelectionMethod, SelectionVariant
from models.simulation import (
    Actions,
    CycleOptions,
    CycleStep,
    FrozenHead,
    HeadOptions,
    SimulatedSlide,
    annotated_share,
    full_annotation,
    run_cycles,
    split_slides,
)
from models.simulation.area import cells_in

Slides = list[SimulatedSlide]
CLASSES = ("Background", "Tumor")
OPTIONS = CycleOptions(SelectionMethod.ADAPTIVE, size=5, k=2, cycles=7, seed=1)
METHODS = pytest.mark.parametrize("method", list(SelectionMethod), ids=lambda method: method.value)


def _overlap(a: MapBox, b: MapBox) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def _by_slide(steps: Sequence[CycleStep]) -> dict[str, list[MapBox]]:
    found: dict[str, list[MapBox]] = {}
    for step in steps:
        for key, boxes in step.boxes.items():
            found.setdefault(key, []).extend(boxes)
    return found


@METHODS
def test_each_cycle_annotates_new_places_on_its_own_subset(
    method: SelectionMethod, train: Slides, test_slides: Slides, head: FrozenHead
) -> None:
    steps = list(run_cycles(train, test_slides, head, replace(OPTIONS, method=method), CLASSES))
    subsets = split_slides(train, OPTIONS.split).subsets
    assert [step.cycle for step in steps] == list(range(7))
    for step in steps:
        assert set(step.boxes) <= set(subsets[step.cycle % 5])
        assert set(step.reasons) >= {key for key in subsets[step.cycle % 5] if len(step.boxes.get(key, ())) < 2}
    slides = {slide.key: slide for slide in train}
    for key, boxes in _by_slide(steps).items():
        assert not any(_overlap(a, b) for a, b in combinations(boxes, 2))
        for box in boxes:
            assert slides[key].tissue[box.y : box.y + box.height, box.x : box.x + box.width].mean() >= 0.1


@METHODS
def test_what_is_annotated_grows_and_is_the_union_of_all_boxes(
    method: SelectionMethod, train: Slides, test_slides: Slides, head: FrozenHead
) -> None:
    steps = list(run_cycles(train, test_slides, head, replace(OPTIONS, method=method, cycles=6), CLASSES))
    for i, step in enumerate(steps):
        boxes = _by_slide(steps[: i + 1])
        covered = sum((cells_in(boxes.get(s.key, ()), s.shape) & s.tissue).sum() for s in train)
        assert step.annotated_share == pytest.approx(covered / sum(s.tissue.sum() for s in train))
        assert step.annotated_share == annotated_share(train, boxes)
        assert step.regions == sum(map(len, boxes.values()))
    for before, after in pairwise(steps):
        assert after.annotated_share > before.annotated_share
        assert after.clicks > before.clicks
        assert after.seconds > before.seconds


@METHODS
@pytest.mark.parametrize("done", [1, 4])
def test_a_run_that_goes_on_ends_as_one_that_was_never_interrupted(
    method: SelectionMethod, done: int, train: Slides, test_slides: Slides, head: FrozenHead
) -> None:
    options = replace(OPTIONS, method=method, cycles=6, actions=Actions(corrections=True, patch_labels=True))
    whole = list(run_cycles(train, test_slides, head, options, CLASSES))
    so_far = [CycleStep.from_data(step.to_data()) for step in whole[:done]]
    assert [*so_far, *run_cycles(train, test_slides, head, options, CLASSES, so_far=so_far)] == whole


def test_the_order_of_the_slides_changes_nothing(train: Slides, test_slides: Slides, head: FrozenHead) -> None:
    options = replace(OPTIONS, cycles=1)
    (one,) = run_cycles(train, test_slides, head, options, CLASSES)
    (other,) = run_cycles(train[::-1], test_slides, head, options, CLASSES)
    assert one.boxes == other.boxes


def test_all_methods_of_a_seed_begin_with_the_same_random_boxes(
    train: Slides, test_slides: Slides, head: FrozenHead
) -> None:
    first = [
        next(iter(run_cycles(train, test_slides, head, replace(OPTIONS, method=method, seed=seed), CLASSES))).boxes
        for method, seed in [(SelectionMethod.RANDOM, 1), (SelectionMethod.ADAPTIVE, 1), (SelectionMethod.ADAPTIVE, 2)]
    ]
    assert first[0] == first[1] != first[2]
    assert {(box.width, box.height) for boxes in first[0].values() for box in boxes} == {(5, 5)}


def test_random_may_last_for_the_first_turn_of_all_subsets(
    train: Slides, test_slides: Slides, head: FrozenHead
) -> None:
    options = replace(OPTIONS, first_random=5, cycles=6)
    *turn, last = run_cycles(train, test_slides, head, options, CLASSES)
    sizes = {(box.width, box.height) for boxes in _by_slide(turn).values() for box in boxes}
    assert sizes == {(5, 5)}
    assert {(box.width, box.height) for boxes in last.boxes.values() for box in boxes} != {(5, 5)}


def test_steps_that_miss_one_are_refused(train: Slides, test_slides: Slides, head: FrozenHead) -> None:
    steps = list(run_cycles(train, test_slides, head, replace(OPTIONS, cycles=2), CLASSES))
    with pytest.raises(ValueError, match="cycle 0 is missing"):
        next(run_cycles(train, test_slides, head, OPTIONS, CLASSES, so_far=steps[1:]))


def test_a_run_ends_when_no_subset_has_a_place_left(train: Slides, test_slides: Slides, head: FrozenHead) -> None:
    options = replace(OPTIONS, method=SelectionMethod.STANDARD, size=20, k=3, cycles=30)
    steps = list(run_cycles(train, test_slides, head, options, CLASSES))
    assert 5 < len(steps) < 30
    assert not any(step.boxes for step in steps[-5:])
    assert not list(run_cycles(train, test_slides, head, options, CLASSES, so_far=steps))


def test_with_reselection_boxes_may_come_again_and_annotate_nothing_new(
    train: Slides, test_slides: Slides, head: FrozenHead
) -> None:
    options = replace(OPTIONS, method=SelectionMethod.STANDARD, size=12, k=2, cycles=12, may_reselect=True)
    steps = list(run_cycles(train, test_slides, head, options, CLASSES))
    assert any(_overlap(a, b) for boxes in _by_slide(steps).values() for a, b in combinations(boxes, 2))
    assert steps[-1].annotated_share == annotated_share(train, _by_slide(steps))
    assert steps[-1].regions > sum(len(boxes) for boxes in steps[0].boxes.values())


def test_the_published_code_is_an_option(train: Slides, test_slides: Slides, head: FrozenHead) -> None:
    options = replace(OPTIONS, method=SelectionMethod.STANDARD, cycles=3)
    paper, code = (
        _by_slide(list(run_cycles(train, test_slides, head, replace(options, variant=variant), CLASSES)))
        for variant in SelectionVariant
    )
    assert paper != code
    for slide in train:
        for box in code.get(slide.key, ()):
            assert box.x >= 0 and box.y >= 0
            assert box.x + box.width <= slide.shape[1] and box.y + box.height <= slide.shape[0]


@dataclass(frozen=True)
class _Truth:
    """Knows everything, or doubts everything; notes what it was shown."""

    slides: Mapping[str, SimulatedSlide]
    shown: list[tuple[set[str], set[str], dict[str, Sequence[tuple[MapBox, int]]]]] = field(default_factory=list)

    def learn(
        self,
        revealed: Mapping[str, NDArray[np.uint8]],
        validation: Mapping[str, NDArray[np.uint8]],
        patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
        *,
        seed: int,
    ) -> _Truth:
        self.shown.append(
            (
                {key for key, times in revealed.items() if times.any()},
                {key for key, times in validation.items() if times.any()},
                dict(patch_labels),
            )
        )
        return self

    def probabilities(self, key: str) -> NDArray[np.float32]:
        positive = np.where(self.slides[key].labels == 1, 0.9, 0.1).astype(np.float32)
        return np.stack([1 - positive, positive])


def _truth(*slides: SimulatedSlide) -> _Truth:
    return _Truth({slide.key: slide for slide in slides})


def test_validation_slides_are_annotated_alike_and_shown_apart(train: Slides, test_slides: Slides) -> None:
    learner = _truth(*train, *test_slides)
    list(run_cycles(train, test_slides, learner, replace(OPTIONS, cycles=5), CLASSES))
    validation = split_slides(train, OPTIONS.split).validation
    revealed, judging, _ = learner.shown[-1]
    assert judging == validation
    assert revealed == {slide.key for slide in train} - validation


def test_a_model_that_is_right_is_corrected_for_less_than_drawing(train: Slides, test_slides: Slides) -> None:
    learner = _truth(*train, *test_slides)
    drawn, corrected = (
        list(run_cycles(train, test_slides, learner, replace(OPTIONS, actions=actions), CLASSES))
        for actions in (Actions(), Actions(corrections=True))
    )
    assert [step.boxes for step in drawn] == [step.boxes for step in corrected]
    assert corrected[0].clicks == drawn[0].clicks, "before there is a model all is drawn"
    assert corrected[-1].clicks < drawn[-1].clicks
    assert corrected[-1].corrected == corrected[-1].regions - corrected[0].regions
    assert corrected[-1].miou == 1.0


def test_patch_labels_are_given_to_training_slides_alone(train: Slides, test_slides: Slides) -> None:
    learner = _truth(*train, *test_slides)
    options = replace(OPTIONS, method=SelectionMethod.RANDOM, size=2, k=8, actions=Actions(patch_labels=True))
    steps = list(run_cycles(train, test_slides, learner, options, CLASSES))
    validation = split_slides(train, OPTIONS.split).validation
    given = [key for step in steps for key in step.patch_labels]
    assert given
    assert not set(given) & validation
    assert (
        steps[-1].clicks
        < list(run_cycles(train, test_slides, learner, replace(options, actions=Actions()), CLASSES))[-1].clicks
    )
    slides = {slide.key: slide for slide in train}
    for step in steps:
        for key, labels in step.patch_labels.items():
            for box, label in labels:
                assert box in step.boxes[key]
                window = (slice(box.y, box.y + box.height), slice(box.x, box.x + box.width))
                held = slides[key].labels[window][slides[key].tissue[window]]
                assert (held == label).mean() >= 0.9


def test_full_annotation_reveals_everything(train: Slides, test_slides: Slides, head: FrozenHead) -> None:
    step = full_annotation(train, test_slides, head, CLASSES, seed=0)
    assert step.annotated_share == 1.0
    assert step.regions == len(train)
    assert step == full_annotation(train, test_slides, head, CLASSES, seed=0)
    learner = _truth(*train, *test_slides)
    full_annotation(train, test_slides, learner, CLASSES, seed=0, options=OPTIONS)
    assert learner.shown[0][1] == split_slides(train, OPTIONS.split).validation


def _with_decoy(key: str, seed: int, decoy: int) -> SimulatedSlide:
    """Return a slide a third of which is tumour, with a square of what looks halfway like it and isn't."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((32, 32), np.uint8)
    labels[:, :10] = 1
    y, x = generator.integers(0, 32 - decoy), generator.integers(12, 32 - decoy)
    features = generator.normal(0, 0.3, (32, 32, 3)).astype(np.float32)
    features[..., 0] += 2 * labels
    features[y : y + decoy, x : x + decoy, 0] += 1.2
    features[y : y + decoy, x : x + decoy, 1] += 2
    return SimulatedSlide(key, "", features, labels, labels, np.ones((32, 32), np.bool_))


def test_where_what_is_hard_is_rare_asking_for_what_is_uncertain_beats_chance() -> None:
    slides = [_with_decoy(f"{i}", i, 3) for i in range(10)]
    judges = [_with_decoy(f"test {i}", 100 + i, 14) for i in range(3)]
    head = FrozenHead([*slides, *judges], 2, HeadOptions(hidden=16, steps=60, batch_size=64, learning_rate=2e-2))
    miou: dict[SelectionMethod, float] = {}
    for method in (SelectionMethod.RANDOM, SelectionMethod.STANDARD):  # boxes of one size
        runs = [list(run_cycles(slides, judges, head, CycleOptions(method, 5, 1, 6, s), CLASSES)) for s in range(3)]
        miou[method] = float(np.mean([step.miou for run in runs for step in run[2:]]))
    assert miou[SelectionMethod.STANDARD] > miou[SelectionMethod.RANDOM] + 0.03


@pytest.mark.parametrize(
    "wrong",
    [{"acquisition": Acquisition.BALD}, {"cycles": 0}, {"k": 0}, {"first_random": 0}, {"min_tissue": 2.0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_options_that_make_no_run_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="simulation"):
        replace(OPTIONS, **wrong)  # type: ignore[arg-type]
