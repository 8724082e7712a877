import math

import pytest

from models.data.weak_subsets import WeakSetting
from scripts.experiments.comparisons.experiment import Result
from scripts.experiments.comparisons.weak_account import draw_gains, f1_table, gain, read_gains
from scripts.experiments.settings import SETTINGS, Claim
from scripts.units import Unit

S, REST, ALL = WeakSetting
SETTINGS_OF_WEAK = [s for s in SETTINGS if s.claim is Claim.WEAK]
TILES = {"tiles mask": 20.0, "tiles other": 1.0, "tiles label": 30.0, "tiles label Tumor": 30.0}


def result(name: str, percent: float, arm: WeakSetting, seed: int, macro: float) -> Result:
    unit = Unit(
        f"{name}-{percent}-{arm.name}-{seed}", {"set": name, "percent": percent, "arm": arm.value, "seed": seed}
    )
    scores = {"macro_f1": macro, "micro_f1": macro + 0.1, "weighted_f1": macro, "masks": 3.0, "labels": 9.0}
    return Result(unit, {**scores, **TILES}, 1.0)


def results(name: str, gains: dict[float, tuple[float, float]]) -> list[Result]:
    """Gains of both arms with labels at two seeds; S differs between seeds by far more."""
    made = []
    for percent, by_seed in gains.items():
        for seed, more in enumerate(by_seed):
            base = 0.3 + 0.4 * seed
            made += [result(name, percent, arm, seed, base + (0 if arm is S else more)) for arm in WeakSetting]
    return made


def test_gain_is_paired_by_seed() -> None:
    found = gain(results("nuclei", {2.5: (0.1, 0.12)}), "macro_f1", "nuclei", 2.5, ALL)

    assert (found.mean, found.count) == (pytest.approx(0.11), 2)
    assert found.sd == pytest.approx(0.02 / math.sqrt(2))


def test_seed_that_lacks_an_arm_is_no_gain() -> None:
    made = results("nuclei", {2.5: (0.1, 0.12)})[:-1]  # S+C* of the second seed isn't done

    assert gain(made, "macro_f1", "nuclei", 2.5, ALL).count == 1


def test_table_has_a_row_per_share_and_arm() -> None:
    rows = f1_table(results("nuclei", {2.5: (0.1, 0.12), 10.0: (0.0, 0.0)})).to_markdown().splitlines()

    assert len(rows) == 2 + 6
    assert rows[2].startswith("| nuclei | 2.5 | S | 3 | 9 | 0.500 ± 0.283 | – |")
    assert "| S+C* | 3 | 9 | 0.610 ± 0.297 | 0.110 ± 0.014 |" in rows[4]


@pytest.mark.parametrize(
    ("stance", "gains", "claimed", "expected"),
    [
        ("favourable", {2.5: (0.10, 0.12), 10.0: (0.03, 0.04)}, True, True),
        ("favourable", {2.5: (0.10, 0.12), 10.0: (0.20, 0.22)}, True, False),
        ("favourable", {2.5: (0.10, -0.12), 10.0: (0.00, 0.01)}, False, False),
        ("medium", {2.5: (0.00, 0.05), 10.0: (0.01, -0.01)}, False, True),
        ("medium", {2.5: (0.10, 0.11), 10.0: (0.10, 0.11)}, True, False),
        ("adverse", {2.5: (-0.1, -0.2), 10.0: (0.01, -0.01)}, False, True),
        ("adverse", {2.5: (0.10, 0.12), 10.0: (0.01, -0.01)}, False, False),
    ],
)
def test_gains_are_held_against_claim_and_expectation(
    stance: str, gains: dict[float, tuple[float, float]], claimed: bool, expected: bool
) -> None:
    (reading,) = read_gains(results(f"weak-{stance}", gains), SETTINGS_OF_WEAK)

    assert (reading.as_claimed, reading.as_expected) == (claimed, expected)
    assert "20 with a mask" in reading.evidence


def test_one_seed_decides_nothing_and_real_pictures_expect_nothing() -> None:
    (one,) = read_gains(results("nuclei", {2.5: (0.1, 0.12)})[:3], SETTINGS_OF_WEAK)
    (two,) = read_gains(results("nuclei", {2.5: (0.1, 0.12)}), SETTINGS_OF_WEAK)

    assert (one.as_claimed, two.as_claimed, two.as_expected) == (None, True, None)


def test_figure_has_a_bar_per_arm_with_labels() -> None:
    figure = draw_gains(results("nuclei", {2.5: (0.1, 0.12), 10.0: (0.0, 0.01)}))

    assert sorted(text.get_text() for text in figure.axes[0].get_legend().get_texts()) == ["S+C", "S+C*"]
