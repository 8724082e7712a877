import csv
import math

import pytest

from models.metrics import Spread
from scripts.tables import Table

TABLE = Table(
    ("setting", "F1", "slides", "time"),
    (
        ("easy, plain", Spread(0.9, 0.05, 3), 4, 1.25),
        ("hard", Spread(math.nan, math.nan, 0), 5, math.nan),
        ("single", Spread(0.5, math.nan, 1), 6, 2.0),
    ),
    digits=(("time", 1),),
)


def test_markdown_shows_spreads_with_their_digits_and_no_nan() -> None:
    assert TABLE.to_markdown().splitlines() == [
        "| setting | F1 | slides | time |",
        "| --- | ---: | ---: | ---: |",
        "| easy, plain | 0.900 ± 0.050 | 4 | 1.2 |",
        "| hard | – | 5 | – |",
        "| single | 0.500 | 6 | 2.0 |",
    ]


def test_csv_gives_mean_sd_and_count_columns_of_their_own() -> None:
    rows = list(csv.DictReader(TABLE.to_csv().splitlines()))

    assert rows[0] == {
        "setting": "easy, plain",
        "F1 mean": "0.9",
        "F1 sd": "0.05",
        "F1 n": "3",
        "slides": "4",
        "time": "1.25",
    }
    assert rows[1] == {"setting": "hard", "F1 mean": "", "F1 sd": "", "F1 n": "0", "slides": "5", "time": ""}


def test_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table(("a", "b"), (("x",),))


def test_csv_has_no_formula_in_it() -> None:
    table = Table(("slide", "gain"), (("=HYPERLINK(1)", -0.5), ("-case", math.nan)))
    assert list(csv.reader(table.to_csv().splitlines()))[1:] == [["'=HYPERLINK(1)", "-0.5"], ["'-case", ""]]
