"""Counted nouns: one of a thing is never told in the plural, whoever tells it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations.writing import WriteSummary
from bridge.store import CostRecord
from bridge.store.write_overview import LastWrite
from lab_support import Lab, labelled
from scripts.loop.costs import CostAccount, Waiting
from scripts.loop.learn import Learned
from scripts.loop.pass_result import PassResult
from scripts.loop.pull import Pulled
from scripts.loop.push import Pushed, SlidePushed
from scripts.loop.status_slides import SlideStatus, slide_lines
from scripts.plain_words import counted

_NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_ONE_THING = re.compile(r"(?<![\d.,:-])1 [a-z]+")
_ONE_IN_THE_PLURAL = re.compile(r"(?<![\d.,:-])1 [a-z]{2,}s\b")


@given(count=st.integers(0, 10**9), noun=st.from_regex(r"[a-z]{2,12}", fullmatch=True))
def test_a_number_goes_with_its_noun(count: int, noun: str) -> None:
    number, _, named = counted(count, noun).partition(" ")
    assert int(number.replace(",", "")) == count
    assert named == (noun if count == 1 else f"{noun}s")
    assert counted(count, noun, "several things").endswith(noun if count == 1 else "several things")


def _pass(count: int) -> list[str]:
    pushed = SlidePushed("a", WriteSummary(count, 0, 0, 0, 0), (), 0, "why")
    return PassResult(Pulled((), (), ()), Learned(1, True, "as judged", steps=count), Pushed((pushed,), ())).lines()


def _status(count: int) -> list[str]:
    return slide_lines([SlideStatus("a", {}, "as read", LastWrite("a", "m", _NOW, 1, count, count))], _NOW)


def _costs(count: int) -> list[str]:
    cost = CostRecord("a", "c", _NOW, 10.0, 4.0, 8.0, 0.5, 0.25, 1.0, count, 20e6, "cpu")
    found = CostAccount([cost], Waiting(count, 3.0))
    return [found.line() or "", found.details() or ""]


@pytest.mark.parametrize("tell", [_pass, _status, _costs], ids=["pass", "status", "costs"])
def test_one_is_told_as_one_and_more_as_more(tell: Callable[[int], list[str]]) -> None:
    one, two = "\n".join(tell(1)), "\n".join(tell(2))
    assert not _ONE_IN_THE_PLURAL.search(one)
    assert _ONE_THING.search(one) and re.search(r"(?<![\d.,:-])2 [a-z]+s\b", two)


def test_commands_tell_one_as_one(lab: Lab) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("k = 3", "k = 1"), "utf-8")
    assert "case: 1 proposal written" in lab.run("sync").output
    told = lab.run("status").stdout
    assert "case: 1 proposal;" in told and " ago): 1 proposal\n" in told
    (box, *_), rois = (labelled()[name] for name in ("Blob", "ROI"))
    lab.write({"Blob": [box], "ROI": rois[:1]})
    assert "case: 1 annotation, 1 ROI" in lab.run("status").stdout
