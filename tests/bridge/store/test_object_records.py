from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from shapely import box

from bridge.annotations import Annotation, MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Fate, Outcome
from bridge.store import Store

Write = Callable[..., str]
Written = Callable[..., WrittenObject]


def left(item: WrittenObject, path_class: str = "Tumor") -> Annotation:
    return Annotation(item.object_id, box(0, 0, 20, 20), path_class, name="edited", is_ours=True)


def live(store: Store) -> list[str]:
    return [w.object_id for w in store.live_objects("s1")]


def ids(found: tuple[WrittenObject, ...]) -> list[str]:
    return [w.object_id for w in found]


@pytest.mark.parametrize(
    ("fate", "counted"),
    [(Fate.REJECTED, 1), (Fate.CLEARED, 1), (Fate.DECLINED, 1), (Fate.LABELLED, 1), (Fate.OVERWRITTEN, 0)],
)
def test_object_that_is_gone_closes(
    store: Store, now: datetime, write: Write, written: Written, fate: Fate, counted: int
) -> None:
    item = written("p1", MachineRole.PROPOSAL if fate in (Fate.DECLINED, Fate.LABELLED) else MachineRole.PREDICTION)
    write("w1", [item, written("p2")])
    for _ in range(2):
        store.record_outcomes("s1", [Outcome(item, fate), Outcome(written("p2"), Fate.OPEN)], "r1", now)
    assert live(store) == ["p2"]
    assert store.outcome_counts() == ({fate: 1} if counted else {})
    assert ids(store.rejected("s1")) == (["p1"] if fate is Fate.REJECTED else [])
    assert ids(store.declined("s1")) == (["p1"] if fate is Fate.DECLINED else [])


@pytest.mark.parametrize("fate", [Fate.ACCEPTED, Fate.CORRECTED])
def test_adopted_object_keeps_what_the_person_left_and_lives_until_promoted(
    store: Store, now: datetime, write: Write, written: Written, fate: Fate
) -> None:
    item = written("p1")
    write("w1", [item])
    store.record_outcomes("s1", [Outcome(item, fate, left(item, "Tumor: Predicted"), "Tumor")], "r1", now)
    (mine,) = store.live_objects("s1")
    assert (mine.path_class, mine.geometry) == (item.path_class, item.geometry)
    write("w2", closes=["p1"])
    assert live(store) == []
    (theirs,) = store.adopted("s1")
    assert (theirs.path_class, theirs.name, theirs.geometry.bounds) == ("Tumor", "edited", (0, 0, 20, 20))
    assert store.outcome_counts() == {fate: 1}


def test_patch_label_stays_live(store: Store, now: datetime, write: Write, written: Written) -> None:
    item = written("b1", MachineRole.PROPOSAL)
    write("w1", [item])
    store.record_outcomes("s1", [Outcome(item, Fate.PATCH_LABEL, left(item), "Tumor")], "r1", now)
    assert live(store) == ["b1"]
    assert store.adopted("s1") == ()
    store.record_outcomes("s1", [Outcome(item, Fate.DECLINED)], "r2", now)
    assert live(store) == []
    assert store.outcome_counts() == {Fate.DECLINED: 1}


def test_change_of_mind_counts_once(store: Store, now: datetime, write: Write, written: Written) -> None:
    item = written("p1")
    write("w1", [item])
    for fate in (Fate.ACCEPTED, Fate.OPEN, Fate.CORRECTED):
        store.record_outcomes("s1", [Outcome(item, fate, left(item), "Tumor")], "r", now)
    assert store.outcome_counts() == {Fate.CORRECTED: 1}
    store.record_outcomes("s1", [Outcome(item, Fate.OPEN, left(item), "Tumor")], "r", now)
    assert store.outcome_counts() == {}
    assert store.adopted("s1") == ()


def test_counts_belong_to_the_iteration_that_the_expert_saw(
    store: Store, now: datetime, write: Write, written: Written
) -> None:
    first, second = written("p1", iteration=1), written("p2", iteration=2)
    write("w1", [first, second])
    store.record_outcomes("s1", [Outcome(first, Fate.REJECTED), Outcome(second, Fate.REJECTED)], "r", now)
    assert store.outcome_counts(1) == store.outcome_counts(2) == {Fate.REJECTED: 1}
    assert store.outcome_counts() == {Fate.REJECTED: 2}
    assert store.outcome_counts(3) == {}


def test_added_by_hand_is_counted_once_a_revision(store: Store) -> None:
    store.record_added("s1", 1, 3, "r1")
    store.record_added("s1", 2, 4, "r1")  # a revision that comes back was counted before
    store.record_added("s1", 2, 1, "r2")
    store.record_added("s2", 1, 1, "r1")
    assert (store.added_count(1), store.added_count(2), store.added_count()) == (4, 1, 5)


def test_same_id_on_another_slide_is_another_object(
    store: Store, now: datetime, write: Write, written: Written
) -> None:
    write("w1", [written("p1")])
    write("w2", [written("p1")], slide="s2")
    store.record_outcomes("s2", [Outcome(written("p1"), Fate.REJECTED)], "r", now)
    assert live(store) == ["p1"]


@pytest.mark.parametrize("how", ["deleted by us", "promoted by us", "overwritten"])
def test_what_an_open_viewer_brings_back_is_live_again(
    store: Store, now: datetime, write: Write, written: Written, how: str
) -> None:
    item = written("p1")
    write("w1", [item])
    if how == "promoted by us":
        store.record_outcomes("s1", [Outcome(item, Fate.ACCEPTED, left(item), "Tumor")], "r", now)
    if how == "overwritten":
        store.record_outcomes("s1", [Outcome(item, Fate.OVERWRITTEN)], "r", now)
    write("w2", [written("p2")], closes=() if how == "overwritten" else ["p1"])
    assert ids(store.superseded("s1")) == ["p1"]
    gone = Outcome(item, Fate.REJECTED)  # it is not there: nothing happened to it
    store.record_outcomes("s1", [gone], "r", now)
    assert live(store) == ["p2"]
    assert store.rejected("s1") == ()
    store.record_outcomes("s1", [Outcome(item, Fate.ACCEPTED, left(item), "Tumor")], "r", now)
    assert live(store) == ["p1", "p2"]
    assert store.superseded("s1") == ()
    assert store.outcome_counts() == {Fate.ACCEPTED: 1}


def test_rejection_that_a_person_takes_back_is_none(
    store: Store, now: datetime, write: Write, written: Written
) -> None:
    item = written("p1")
    write("w1", [item])
    store.record_outcomes("s1", [Outcome(item, Fate.REJECTED)], "r", now)
    assert ids(store.superseded("s1")) == ["p1"]
    store.record_outcomes("s1", [Outcome(item, Fate.OPEN, left(item))], "r", now)
    assert live(store) == ["p1"]
    assert store.rejected("s1") == ()


def test_rejected_object_that_an_old_viewer_brings_back_stays_rejected_and_can_be_taken_out(
    store: Store, now: datetime, write: Write, written: Written
) -> None:
    item = written("p1")
    write("w1", [item])
    store.record_outcomes("s1", [Outcome(item, Fate.REJECTED)], "r", now)
    for _ in range(2):
        store.record_outcomes("s1", [Outcome(item, Fate.OPEN, left(item))], "r", now, is_stale=True)
        assert live(store) == ["p1"]
        assert ids(store.rejected("s1")) == ["p1"]
    write("w2", closes=["p1"])
    assert live(store) == []
    assert store.outcome_counts() == {Fate.REJECTED: 1}


def test_many_objects_at_once(store: Store, now: datetime, write: Write, written: Written) -> None:
    many = [written(f"p{i}") for i in range(3000)]
    write("w1", many)
    store.record_outcomes("s1", [Outcome(w, Fate.REJECTED) for w in many[::2]], "r", now)
    assert live(store) == [w.object_id for w in many[1::2]]
    write("w2", closes=[w.object_id for w in many[1::2]])
    assert live(store) == []


class Life(RuleBasedStateMachine):
    """Random lives of objects against a model of a few dictionaries."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(self.folder)
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.open_objects: dict[str, WrittenObject] = {}
        self.fates: dict[str, Fate] = {}
        self.number = 0

    def _begin(self, new: int, closes: list[str]) -> tuple[str, list[WrittenObject]]:
        self.number += 1
        marker = f"w{self.number}"
        items = [
            WrittenObject(
                f"{marker}-{i}", MachineRole.PREDICTION, "Tumor: Predicted", box(i, 0, i + 1, 1), None, self.number % 3
            )
            for i in range(new)
        ]
        self.store.begin_write(
            "s1",
            marker,
            base_revision=None,
            new_revision=marker,
            target=Path("/x"),
            temp_name="t",
            iteration=1,
            written=items,
            closes=closes,
            now=self.now,
        )
        return marker, items

    def _some_open(self, data: st.DataObject) -> list[str]:
        return data.draw(st.lists(st.sampled_from(sorted(self.open_objects)), unique=True)) if self.open_objects else []

    @rule(new=st.integers(0, 3), data=st.data(), end=st.sampled_from(["finish", "abandon", "finish, then abandon"]))
    def write(self, new: int, data: st.DataObject, end: str) -> None:
        closes = self._some_open(data)
        marker, items = self._begin(new, closes)
        if "finish" in end:
            self.store.finish_write(marker, self.now, displaced_since=self.now)
        if "abandon" in end:
            self.store.abandon_write(marker, "why", self.now)
            return
        self.store.settle_write(marker)
        for name in closes:
            del self.open_objects[name]
        self.open_objects |= {item.object_id: item for item in items}

    @rule(data=st.data(), fate=st.sampled_from([f for f in Fate if f is not Fate.PATCH_LABEL]), times=st.integers(1, 2))
    def save(self, data: st.DataObject, fate: Fate, times: int) -> None:
        names = self._some_open(data)
        stays = fate in (Fate.OPEN, Fate.ACCEPTED, Fate.CORRECTED)
        outcomes = [
            Outcome(self.open_objects[n], fate, left(self.open_objects[n]) if stays else None, "Tumor") for n in names
        ]
        for _ in range(times):
            self.store.record_outcomes("s1", outcomes, "r", self.now)
        for name in names:
            self.fates[name] = fate
            if not stays:
                del self.open_objects[name]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder)

    @invariant()
    def agrees(self) -> None:
        assert {w.object_id: replace(w, geometry=box(0, 0, 1, 1)) for w in self.store.live_objects("s1")} == {
            name: replace(w, geometry=box(0, 0, 1, 1)) for name, w in self.open_objects.items()
        }
        counted = Counter(f for f in self.fates.values() if f not in (Fate.OPEN, Fate.OVERWRITTEN))
        assert self.store.outcome_counts() == counted
        assert sum((Counter(self.store.outcome_counts(i)) for i in range(3)), Counter()) == counted
        adopted = {n for n, f in self.fates.items() if f in (Fate.ACCEPTED, Fate.CORRECTED)}
        assert set(ids(self.store.adopted("s1"))) == adopted
        assert set(ids(self.store.rejected("s1"))) == {n for n, f in self.fates.items() if f is Fate.REJECTED}

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
