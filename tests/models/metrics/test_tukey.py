from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import studentized_range, tukey_hsd

from models.metrics import PairDifference, tukey_range_test

# Montgomery and Runger, "Applied statistics and probability for engineers", tensile strength by hardwood concentration.
HARDWOOD = {
    "5 %": [7, 8, 15, 11, 9, 10],
    "10 %": [12, 17, 13, 18, 19, 15],
    "15 %": [14, 18, 19, 17, 16, 18],
    "20 %": [19, 25, 22, 23, 18, 20],
}
HARDWOOD_INTERVALS = {
    ("5 %", "10 %"): (-9.791, -1.542),
    ("5 %", "15 %"): (-11.124, -2.876),
    ("5 %", "20 %"): (-15.291, -7.042),
    ("10 %", "15 %"): (-5.458, 2.791),
    ("10 %", "20 %"): (-9.624, -1.376),
    ("15 %", "20 %"): (-8.291, -0.042),
}
# R's PlantGrowth (Dobson 1983) and its TukeyHSD(aov(weight ~ group)).
PLANTS = {
    "ctrl": [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
    "trt1": [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
    "trt2": [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
}
UNEQUAL = {"a": [1.0, 2.0, 4.0], "b": [2.5, 3.0, 5.0, 7.0, 6.0], "c": [0.0, 1.5]}


def pairs(table: tuple[PairDifference, ...]) -> dict[tuple[str, str], PairDifference]:
    return {(row.first, row.second): row for row in table}


def test_textbook_intervals_of_hardwood() -> None:
    rows = pairs(tukey_range_test(HARDWOOD))
    assert list(rows) == list(HARDWOOD_INTERVALS)
    for pair, (low, high) in HARDWOOD_INTERVALS.items():
        assert (rows[pair].low, rows[pair].high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
        assert (rows[pair].p < 0.05) == (low > 0 or high < 0)


def test_r_of_plant_growth() -> None:
    rows = pairs(tukey_range_test(PLANTS))
    row = rows["trt1", "trt2"]
    assert (row.difference, row.low, row.high) == pytest.approx((-0.865, -1.5562161, -0.1737839), abs=1e-5)
    assert row.p == pytest.approx(0.0120064, abs=1e-5)
    assert rows["ctrl", "trt1"].p == pytest.approx(0.3908711, abs=1e-5)
    assert rows["ctrl", "trt2"].p == pytest.approx(0.1979960, abs=1e-5)


@pytest.mark.parametrize("samples", [HARDWOOD, PLANTS, UNEQUAL])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_it_is_the_studentized_range_of_pooled_variance(samples: dict[str, list[float]], confidence: float) -> None:
    count = len(samples)
    freedom = sum(len(values) for values in samples.values()) - count
    pooled = sum(float(np.var(values)) * len(values) for values in samples.values()) / freedom
    for row in tukey_range_test(samples, confidence=confidence):
        first, second = samples[row.first], samples[row.second]
        error = math.sqrt(pooled / 2 * (1 / len(first) + 1 / len(second)))
        reach = float(studentized_range.ppf(confidence, count, freedom)) * error
        difference = float(np.mean(first) - np.mean(second))
        assert row.difference == pytest.approx(difference)
        assert (row.low, row.high) == pytest.approx((difference - reach, difference + reach), rel=1e-4)
        assert row.p == pytest.approx(float(studentized_range.sf(abs(difference) / error, count, freedom)), abs=1e-6)


def test_rows_are_scipys_by_name() -> None:
    result = tukey_hsd(*UNEQUAL.values())
    names = list(UNEQUAL)
    for row in tukey_range_test(UNEQUAL):
        cell = names.index(row.first), names.index(row.second)
        assert (row.difference, row.p) == (result.statistic[cell], result.pvalue[cell])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({"a": [1.0, 2.0]}, "at least two designs"),
        ({"a": [1.0, 2.0], "b": [1.0]}, "'b'"),
        ({"a": [1.0, math.nan], "b": [1.0, 2.0]}, "'a'"),
        ({"a": [1.0, 1.0], "b": [2.0, 2.0]}, "vary"),
    ],
)
def test_what_cannot_be_tested_is_refused(samples: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tukey_range_test(samples)
