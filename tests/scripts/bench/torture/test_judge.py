"""Ledgers made by hand: what the referee must let pass, and what it must not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from scripts.bench.torture.counting import contested, our_counts, write_windows
from scripts.bench.torture.judge import Found, Verdict, judge
from scripts.bench.torture.memory import State, recalled

A, B, C = (f"\tTumor\th1-{number}\tshape{number}" for number in range(3))
ACCEPTED, PLAIN = "id\tTumor: Predicted\t\tshape9", "id\tTumor\t\tshape9"


def event(name: str, at: float, **facts: Any) -> dict[str, Any]:
    return {"event": name, "at": at, **facts}


def save(at: float, *state: str, acts: Sequence[dict[str, str]] = (), held: float = 0.0) -> list[dict[str, Any]]:
    return [event("begin", at, state=state, acts=acts), event("end", at + 0.1, held_seconds=held)]


def look(at: float, *everything: str, name: str = "open") -> list[dict[str, Any]]:
    return [event(name, at, everything=everything, humans=everything), event("shown", at, state=everything)]


def judged(
    *tool: Iterable[dict[str, Any]],
    ours: Sequence[dict[str, Any]] = (),
    found: Found | None = None,
    has_window: bool = False,
) -> Verdict:
    def locate(missing: State) -> Found:
        return found or Found()

    return judge([e for part in tool for e in part], ours, locate, longest_hold=0.5, has_window=has_window)


def test_everything_that_was_saved_is_there() -> None:
    verdict = judged(save(1, A, B), look(2, A, B))
    assert (verdict.lost, verdict.objects_checked, verdict.looks) == (0, 2, 1)


def test_object_that_is_gone_is_lost() -> None:
    assert judged(save(1, A, B), look(2, A)).lost == 1


def test_object_that_came_back_after_its_deletion_counts_as_lost_too() -> None:
    assert judged(save(1, A, B), save(2, A), look(3, A, B)).lost == 1


def test_loss_is_counted_even_if_a_later_save_hides_it() -> None:
    assert judged(save(1, A, B), look(2, A), save(3, A), look(4, A)).lost == 1


def test_accepted_prediction_may_have_become_plain_but_nothing_else() -> None:
    assert judged(save(1, ACCEPTED), look(2, PLAIN)).lost == 0
    assert judged(save(1, PLAIN), look(2, ACCEPTED)).lost == 1


@pytest.mark.parametrize("seen", [(A,), (A, B)])
def test_save_that_was_cut_may_have_happened_or_not(seen: tuple[str, ...]) -> None:
    cut = [event("begin", 2, state=(A, B), acts=())]
    assert judged(save(1, A), cut, look(3, *seen)).lost == 0


def test_half_of_a_save_that_was_cut_is_no_excuse() -> None:
    cut = [event("begin", 2, state=(B, C), acts=())]
    assert judged(save(1, A, B), cut, look(3, A, B)).lost == 0
    assert judged(save(1, A, B), cut, look(3, B, C)).lost == 0
    assert judged(save(1, A, B), cut, look(3, B)).lost == 1


def test_ledger_may_begin_within_a_save() -> None:
    ended = [event("end", 0.5, held_seconds=0), event("failed", 0.6, held_seconds=0)]
    assert recalled([*ended, *save(1, A)]).saved == {A}


def test_save_that_failed_never_was() -> None:
    failed = [event("begin", 2, state=(A, B), acts=()), event("failed", 2.1, held_seconds=0)]
    assert judged(save(1, A), failed, look(3, A)).lost == 0
    assert judged(save(1, A), failed, look(3, A, B)).lost == 1


def test_save_that_is_put_back_later_is_not_lost() -> None:
    verdict = judged(save(1, A), save(2, A, B), look(3, A), look(4, A, B, name="check"))
    assert (verdict.lost, verdict.put_back_later) == (0, 1)


def test_object_in_a_file_that_people_were_told_of_is_not_lost() -> None:
    verdict = judged(save(1, A, B), look(2, A), found=Found(kept={B}))
    assert (verdict.lost, verdict.kept) == (0, 1)


def test_loss_in_the_window_is_explained_only_without_exchange() -> None:
    ours = [event("staged", 1.05), event("write", 1.2, began=0.9, outcome="written", steps={})]
    tool = (save(1, A, B), look(2, A))
    assert judged(*tool, ours=ours, has_window=True).window_losses == 1
    assert judged(*tool, ours=ours).lost == 1


def test_loss_outside_of_the_window_is_never_explained() -> None:
    ours = [event("staged", 1.5), event("write", 1.6, began=1.4, outcome="written", steps={})]
    assert judged(save(1, A, B), look(2, A), ours=ours, has_window=True).lost == 1


def test_tool_that_held_the_file_too_long_is_named() -> None:
    assert judged(save(1, A, B, held=0.7), look(2, A)).held_losses == 1
    assert judged(save(1, A, B, held=0.3), look(2, A)).lost == 1


def test_write_that_was_killed_lasts_until_our_next_event() -> None:
    ours = [event("staged", 1.0), event("recovered", 3.0, began=2.5, outcomes=[], messages=[])]
    assert write_windows(ours) == [(1.0, 3.0), (2.5, 3.0)]


def test_deletion_that_nobody_made_is_false() -> None:
    ours = [event("outcomes", 3, deleted=["1 1 2 2", "5 5 6 6"])]
    acts = [{"kind": "delete", "place": "1 1 2 2", "now": "1 1 2 2"}]
    assert judged(save(1, A, acts=acts), ours=ours).false_deletions == 1


def test_deletion_after_the_count_does_not_excuse_it() -> None:
    ours = [event("outcomes", 3, deleted=["1 1 2 2"])]
    acts = [{"kind": "delete", "place": "1 1 2 2", "now": "1 1 2 2"}]
    assert judged(save(4, A, acts=acts), ours=ours).false_deletions == 1


def test_object_that_was_redrawn_and_then_deleted_was_deleted() -> None:
    ours = [event("outcomes", 3, deleted=["1 1 2 2"])]
    redrawn = {"kind": "correct", "place": "1 1 2 2", "now": "3 3 4 4"}
    deleted = {"kind": "delete", "place": "3 3 4 4", "now": "3 3 4 4"}
    assert judged(save(1, A, acts=[redrawn]), save(2, A, acts=[deleted]), ours=ours).false_deletions == 0
    assert judged(save(1, A, acts=[redrawn]), ours=ours).false_deletions == 1


def test_what_the_tool_cut_itself_is_its_own_loss() -> None:
    cut = [event("begin", 1.5, state=(A, B, C), acts=())]
    restored = [event("restored", 2, everything=(A,), humans=(A,)), event("shown", 2, state=(A,))]
    verdict = judged(save(1, A, B), cut, restored, look(3, A))
    assert (verdict.lost, verdict.own_losses, verdict.restored, verdict.unparsable) == (0, 1, 1, 0)
    assert judged(save(1, A, B), restored, look(3, A)).unparsable == 1, "nobody was saving: that was us"


def test_tool_that_is_killed_while_it_restores_a_file_has_lost_nothing_more() -> None:
    cut = [event("begin", 1.5, state=(A, B, C), acts=())]
    restored = event("restored", 2, everything=(A,), humans=(A,))  # noted before it is done; killed before it is shown
    assert judged(save(1, A, B), cut, [restored], look(3, A)).lost == 0, "done"
    assert judged(save(1, A, B), cut, [restored], look(3, A, B)).lost == 0, "not done"
    assert judged(save(1, A, B), cut, [restored], look(3, B)).lost == 1, "that is neither"


def test_file_that_cannot_be_parsed_at_rest_is_counted() -> None:
    assert judged(save(1, A), [event("unparsable", 2)]).unparsable == 1


def test_writes_are_contested_by_saves_that_overlap_them() -> None:
    ours = [event("write", at + 0.2, began=at, outcome="written", steps={}) for at in (0.5, 0.95, 1.05, 1.2, 3.0)]
    killed = [event("begin", 2.9, state=(), acts=()), event("open", 3.1)]
    assert contested([*save(1, A), *killed], ours) == 3


def test_conflict_that_ends_in_a_write_is_a_merge() -> None:
    def tried(outcome: str, **steps: float) -> dict[str, Any]:
        return event("write", 1, began=0, outcome=outcome, steps=steps)

    read = event("read", 1, overwritten=True, suspicious=False)
    counts = our_counts([read, tried("conflict", swapped=1.0), tried("written"), read, tried("conflict"), read])
    assert (counts["conflict"], counts["merged"], counts["taken back at once"]) == (2, 1, 1)
    assert counts["overwritten"] == 3


@pytest.mark.parametrize(("is_cut", "unparsable"), [(True, 0), (False, 1)])
def test_a_failed_save_explains_a_cut_file_only_after_a_cut_one(is_cut: bool, unparsable: int) -> None:
    cut, opened = [event("begin", 1.5, state=(A, B), acts=())], look(2, A)
    failed = [event("begin", 3, state=(A, B), acts=()), event("failed", 3.1, held_seconds=0.0, is_cut=is_cut)]
    restored = look(4, A, name="restored")
    verdict = judged(save(1, A), cut, opened, failed, restored, look(5, A))
    assert (verdict.unparsable, verdict.lost) == (unparsable, 0)
