from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.csv_text import csv_text, guarded, unguarded

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-case", "@SUM(A1)", "\t=1", "\r=1", "'=1"], ids=repr)
def test_text_that_a_spreadsheet_would_compute_is_shown_as_it_is(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "case 1", "2-b", "'s-Hertogenbosch", "é=", "1.5"], ids=repr)
def test_other_texts_stay(text: str) -> None:
    assert guarded(text) == text


@given(CELLS)
@example("''=x")
def test_a_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_numbers_keep_their_sign_and_all_digits() -> None:
    text = csv_text(["slide", "=gain"], [["-1", -1], ["b", -0.1], [None, 1e-17]], line_end="\r\n")
    assert text == "slide,'=gain\r\n'-1,-1\r\nb,-0.1\r\n,1e-17\r\n"


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
@example([("", "\r")])
def test_cells_come_back_through_a_reader_of_csv(rows: list[tuple[str, str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_text(["a", "b"], rows), newline="")))
    assert [tuple(map(unguarded, row)) for row in read[1:]] == rows
