import math
from collections.abc import Mapping

import pytest

from models.metrics import SlideScore
from scripts.experiments.comparisons.experiment import Reading, Result
from scripts.experiments.comparisons.hybrid_account import (
    PATCHES_SECONDS,
    REFINEMENT_SECONDS,
    Arm,
    draw_dice,
    numbers_of,
    read_order,
    score_table,
    scores_of,
)
from scripts.experiments.settings import SETTINGS, Claim
from scripts.units import Unit

OF_HYBRID = [s for s in SETTINGS if s.claim is Claim.HYBRID]
SLIDES = [("a", "1", -0.01), ("b", "2", 0.01), ("c", "3", 0.0)]


def result(stance: str, dice: Mapping[Arm, float], seed: int = 0) -> Result:
    numbers = {PATCHES_SECONDS: 9.0, REFINEMENT_SECONDS: 1.0}
    for arm, mean in dice.items():
        for slide, grade, apart in SLIDES:
            numbers |= numbers_of(arm, SlideScore(slide, grade, 1.0, mean, mean + apart))
    return Result(Unit(f"{stance}-{seed}", {"setting": f"hybrid-{stance}", "seed": seed}), numbers, 1.0)


def dice(otsu: float, unet: float, patches: float, hybrid: float) -> dict[Arm, float]:
    return {Arm.OTSU: otsu, Arm.UNET_LR: unet, Arm.PATCHWISE: patches, Arm.HYBRID: hybrid}


def read(stance: str, values: Mapping[Arm, float]) -> Reading:
    return read_order([result(stance, values), result(stance, values, 1)], OF_HYBRID)[0]


def test_scores_survive_as_numbers() -> None:
    score = SlideScore("hybrid-medium-512x512-s0-03", "3", math.nan, 0.25, 0.5)
    unit = Unit("u", {"setting": "hybrid-medium"})

    (found,) = scores_of([Result(unit, numbers_of(Arm.UNET_LR, score), 1.0)], "hybrid-medium", Arm.UNET_LR)

    assert (found.slide, found.group, found.precision, found.dice) == (score.slide, "3", 0.25, 0.5)
    assert math.isnan(found.recall)
    assert scores_of([Result(unit, numbers_of(Arm.UNET_LR, score), 1.0)], "hybrid-medium", Arm.OTSU) == []


@pytest.mark.parametrize(
    ("stance", "values", "claimed", "expected"),
    [
        ("favourable", dice(0.4, 0.7, 0.75, 0.85), True, True),
        ("favourable", dice(0.4, 0.7, 0.75, 0.76), True, False),
        ("favourable", dice(0.4, 0.9, 0.75, 0.85), False, False),
        ("favourable", dice(0.72, 0.7, 0.75, 0.85), False, False),
        ("medium", dice(0.4, 0.7, 0.75, 0.77), True, True),
        ("medium", dice(0.4, 0.7, 0.75, 0.95), True, False),
        ("adverse", dice(0.02, 0.3, 0.05, 0.2), False, True),
        ("adverse", dice(0.02, 0.1, 0.5, 0.6), True, False),
    ],
)
def test_order_is_held_against_claim_and_expectation(
    stance: str, values: dict[Arm, float], claimed: bool, expected: bool
) -> None:
    reading = read(stance, values)

    assert (reading.as_claimed, reading.as_expected) == (claimed, expected)


def test_evidence_names_order_gain_and_what_differs() -> None:
    said = read("favourable", dice(0.4, 0.75, 0.751, 0.85)).evidence

    assert "Otsu < UNet-LR < patch-wise < hybrid;" in said
    assert "+0.099 ± 0.000" in said
    assert "By seed, hybrid less UNet-LR: +0.100, +0.100." in said
    assert "UNet-LR and patch-wise may be alike" in said
    assert "patch-wise and hybrid differ (p < 0.001)" in said


def test_scores_that_do_not_vary_are_no_reason_to_fail() -> None:
    values = dice(0.0, 0.0, 0.0, 0.0)
    unit = Unit("u", {"setting": "hybrid-adverse", "seed": 0})
    numbers = {PATCHES_SECONDS: 1.0, REFINEMENT_SECONDS: 0.0}
    for arm in values:
        for slide, grade, _ in SLIDES:
            numbers |= numbers_of(arm, SlideScore(slide, grade, 0.0, math.nan, 0.0))

    reading = read_order([Result(unit, numbers, 1.0)], OF_HYBRID)[0]

    assert reading.as_claimed is False
    assert "Range test: none" in reading.evidence


def test_share_of_the_refinement_is_read_from_the_times() -> None:
    reading = read_order([result("medium", dice(0.1, 0.2, 0.3, 0.4))], OF_HYBRID)[-1]

    assert reading.as_claimed is False
    assert reading.evidence.startswith("10.0")


def test_table_has_a_row_per_design_and_dice_per_grade() -> None:
    rows = score_table([result("medium", dice(0.1, 0.2, 0.3, 0.4))]).to_markdown().splitlines()

    assert len(rows) == 2 + len(Arm)
    assert rows[5].startswith(
        "| medium | hybrid | 1.000 ± 0.000 | 0.400 ± 0.000 | 0.400 ± 0.010 | 0.390 | 0.410 | 0.400 |"
    )
    assert rows[5].endswith("0.933 ± 0.069 |")


def test_figure_has_a_cluster_per_setting() -> None:
    figure = draw_dice([result("medium", dice(0.1, 0.2, 0.3, 0.4)), result("adverse", dice(0.1, 0.2, 0.3, 0.4))])

    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["medium", "adverse"]
