from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import LabelPlan
from models.data import TrainingSlide
from models.training.folds import split_folds


def slides_of(ground: Any, patients: list[int]) -> list[TrainingSlide]:
    return [
        TrainingSlide(ground.slide, LabelPlan(f"slide {i}"), {"patient": f"p{p}"} if p else {})
        for i, p in enumerate(patients)
    ]


@given(patients=st.lists(st.integers(0, 5), max_size=12), count=st.integers(1, 5), seed=st.randoms())
@settings(max_examples=60, deadline=None)
def test_each_slide_is_in_one_fold_and_no_patient_in_two(
    ground: Any, patients: list[int], count: int, seed: Any
) -> None:
    slides = slides_of(ground, patients)
    folds = split_folds(slides, count, by="patient")
    assert sorted(slide.key for fold in folds for slide in fold) == sorted(slide.key for slide in slides)
    where: dict[str, set[int]] = {}
    for number, fold in enumerate(folds):
        assert fold
        for slide in fold:
            where.setdefault(slide.metadata.get("patient", slide.key), set()).add(number)
    assert all(len(numbers) == 1 for numbers in where.values())
    assert len(folds) == min(count, len(where))
    shuffled = list(slides)
    seed.shuffle(shuffled)
    again = split_folds(shuffled, count, by="patient")
    assert [[s.key for s in fold] for fold in again] == [[s.key for s in fold] for fold in folds]


def test_without_a_key_slides_are_dealt_out_evenly(ground: Any) -> None:
    folds = split_folds(slides_of(ground, [1] * 7), 3)
    assert sorted(len(fold) for fold in folds) == [2, 2, 3]
