from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from scripts.csv_text import guarded
from scripts.loop.effort_times import MeasuredTime, read_times

KEYS = {"case 1": "k1", "case 2": "k2", "Müller, 3": "k3", "=1+1": "k4"}


def key_of(called: str) -> str:
    if called not in KEYS:
        raise ConfigError(f"no slide {called!r}")
    return KEYS[called]


def read(folder: Path, text: str, encoding: str = "utf-8") -> tuple[MeasuredTime, ...]:
    path = folder / "times.csv"
    path.write_bytes(text.encode(encoding))
    return read_times(path, key_of)


PLAIN = "slide,iteration,regions,seconds\ncase 1,0,32,1410\ncase 2,1,84,1260.5\n"
EXPECTED = (MeasuredTime("k1", 0, 32, 1410.0), MeasuredTime("k2", 1, 84, 1260.5))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";").replace(".", ","),
        PLAIN.replace("1260.5", '"1260,5"'),
        PLAIN.replace(",", ", ").replace("slide", "Slide ").upper().replace("CASE", "case"),
        "\n\n" + PLAIN.replace("\n", "\n\n") + " , , , \n",
        "seconds;note;slide;regions;iteration\n1410;tired;case 1;32;0\n1260,50;;case 2;84;1",
    ],
    ids=["plain", "windows", "semicolon", "tabs", "decimal comma", "quoted comma", "spaces", "empty lines", "order"],
)
def test_ways_to_write_the_same(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == EXPECTED


def test_excel_s_utf8_begins_with_a_mark(tmp_path: Path) -> None:
    assert read(tmp_path, PLAIN, "utf-8-sig") == EXPECTED


def test_slide_s_name_may_hold_the_separator(tmp_path: Path) -> None:
    (time,) = read(tmp_path, 'slide,iteration,regions,seconds\n"Müller, 3",0,1,9')
    assert time.slide_key == "k3"


@pytest.mark.parametrize("name", ["=1+1", guarded("=1+1")])
def test_name_that_spreadsheets_would_compute_is_known_guarded_or_not(tmp_path: Path, name: str) -> None:
    (time,) = read(tmp_path, f"slide,iteration,regions,seconds\n{name},0,1,9")
    assert time.slide_key == "k4"


@pytest.mark.parametrize(("text", "seconds"), [("0,125", 0.125), ("12,5", 12.5), (",5", 0.5), ("1234,567", 1234.567)])
def test_decimal_comma_that_can_be_nothing_else(tmp_path: Path, text: str, seconds: float) -> None:
    (time,) = read(tmp_path, f"slide;iteration;regions;seconds\n;0;1;{text}")
    assert time.seconds == seconds


def test_line_without_slide_is_the_whole_iteration(tmp_path: Path) -> None:
    found = read(tmp_path, "slide;iteration;regions;seconds\n;0;32;1410\ncase 1;1;5;50")
    assert [t.slide_key for t in found] == [None, "k1"]


HEAD = "slide;iteration;regions;seconds\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: it is empty; the first line names the columns"),
        ("slide;iteration;regions\n", "line 1: no column 'seconds'"),
        ("\nslide;slide;iteration;regions;seconds\n", "line 2: two columns 'slide'"),
        ("case 1;0;32;1410\n", "line 1: no column 'slide'"),
        (HEAD + "case 1;0;3;9\ncase 9;0;3;9", "line 3: no slide 'case 9'"),
        (HEAD + "case 1;-1;3;9", "line 2: iteration '-1' is no whole number"),
        (HEAD + "case 1;1.0;3;9", "line 2: iteration '1.0' is no whole number"),
        (HEAD + "case 1;²;3;9", "line 2: iteration '²' is no whole number"),
        (HEAD + "case 1;;3;9", "line 2: iteration '' is no whole number"),
        (HEAD + "case 1;0;0;9", "line 2: 0 regions take no time"),
        (HEAD + "case 1;0;3", "line 2: seconds '' is no number"),
        (HEAD.replace(";", ",") + "case 1,0,3,9,5", "line 2: 5 cells under 4 columns"),
        (HEAD + "case 1;0;3;nan", "line 2: seconds 'nan' is no number"),
        (HEAD + "case 1;0;3;-5", "line 2: seconds '-5' is no number"),
        (HEAD + "case 1;0;3;1:30", "line 2: seconds '1:30' is no number"),
        (HEAD + "case 1;0;3;1,234.5", "line 2: seconds '1,234.5' is no number"),
        (HEAD + "case 1;0;3;1,234", "line 2: seconds '1,234' can be read in two ways; write 1234 or 1.234"),
        (HEAD + "case 1;0;3;" + "9" * 400, "line 2: seconds '9"),
        (HEAD + "case 1;0;3;9\n;0;3;9", "line 3: iteration 0 is there as a whole (no slide) and by slides as well"),
        (HEAD + ";2;3;9\n;1;1;1\ncase 1;2;3;9", "line 4: iteration 2 is there as a whole"),
    ],
    ids=lambda text: repr(text)[-40:],
)
def test_bad_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'times.csv'}: {said}")
    assert "\n" not in str(caught.value)


def test_line_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 5: no slide"):
        read(tmp_path, f'{HEAD}\n"case 1";0;1;1\n\ncase 8;0;1;1')


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.csv: No such file.*--times names a CSV file"):
        read_times(tmp_path / "gone.csv", key_of)
    with pytest.raises(ConfigError, match="not UTF-8 text; save it as CSV UTF-8"):
        read(tmp_path, HEAD.replace("slide", "Gewebe für"), "latin-1")


@given(
    st.lists(
        st.tuples(st.sampled_from(list(KEYS)), st.integers(0, 99), st.integers(1, 9999), st.integers(0, 10**7)),
        max_size=6,
    ),
    st.sampled_from(";\t"),
    st.permutations(["slide", "iteration", "regions", "seconds"]),
    st.booleans(),
)
@settings(max_examples=40)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, int, int]],
    separator: str,
    order: list[str],
    has_comma: bool,
) -> None:
    lines = [separator.join(order)]
    for slide, iteration, regions, tenths in rows:
        seconds = f"{tenths / 10:.1f}".replace(".", "," if has_comma else ".")
        cells = {"slide": slide, "iteration": str(iteration), "regions": str(regions), "seconds": seconds}
        lines.append(separator.join(cells[name] for name in order))
    found = read(tmp_path_factory.mktemp("csv"), "\n".join(lines))
    assert found == tuple(MeasuredTime(KEYS[s], i, n, t / 10) for s, i, n, t in rows)
