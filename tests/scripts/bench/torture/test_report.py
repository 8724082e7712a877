"""A run that fails says why: every way to exit status 1 has a line of its own, and there is no other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from scripts.bench.torture.judge import Verdict
from scripts.bench.torture.options import Options, Tool
from scripts.bench.torture.referee import Result
from scripts.bench.torture.report import reasons, table, verdict_of

ASKED = Options(Tool.IMAGESCOPE, writes=12, kills=4)
GOOD = Result(ASKED, Verdict(), Counter(), 14, 9, Counter(tool=2, ours=3), (), 16, 5.0)
FAILED = {
    "lost": (replace(GOOD, verdict=Verdict(lost=3)), "3 drawings"),
    "unparsable": (replace(GOOD, verdict=Verdict(unparsable=2)), "2 times the file could not be read"),
    "false deletions": (replace(GOOD, verdict=Verdict(false_deletions=1)), "1 deletions"),
    "crash": (replace(GOOD, crashes=("ours ended with exit status 1",)), "ours ended with exit status 1"),
}
TOO_LITTLE = {
    "contested": (replace(GOOD, contested=11), "11 of 12 contested writes"),
    "tries": (replace(GOOD, tries=11), "11 tries"),
    "kills": (replace(GOOD, kills=Counter(tool=3)), "3 of 4 kills"),
}


def test_run_in_which_nothing_went_wrong_gives_no_reason() -> None:
    explained = Verdict(kept=2, in_backup=3, window_losses=4, held_losses=5, own_losses=6, restored=7)
    assert verdict_of(GOOD) == "ok"
    assert reasons(replace(GOOD, verdict=explained)) == ()


@pytest.mark.parametrize("name", FAILED)
def test_failure_is_named(name: str) -> None:
    result, said = FAILED[name]
    (reason,) = reasons(result)
    assert said in reason
    assert table([GOOD, result]).splitlines()[-1] == f"imagescope/exchange: FAILED: {reason}"


@pytest.mark.parametrize("name", TOO_LITTLE)
def test_run_that_came_too_short_says_by_how_much(name: str) -> None:
    result, said = TOO_LITTLE[name]
    (reason,) = reasons(result)
    assert "5 s" in reason and said in reason
    assert table([result]).splitlines()[-1] == f"imagescope/exchange: incomplete: {reason}"


def test_every_reason_is_given_when_there_are_several() -> None:
    result = replace(GOOD, verdict=Verdict(lost=1, unparsable=1), crashes=("one", "two"), contested=0)
    assert len(reasons(result)) == 5
