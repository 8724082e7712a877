"""Deliveries cut short anywhere: whatever the person, the viewer and we do at once, nothing is lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from delivery_lab import (
    BOX,
    NOW,
    ONE,
    THEIRS,
    THREE,
    TWO,
    KilledError,
    Scene,
    dies_at,
    new_scene,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import box

from bridge.annotations import (
    PROPOSED,
    Annotation,
)
from bridge.annotations.roles import Role
from bridge.delivery import DeliveryFate, is_pending
from bridge.errors import WriteConflictError, WriteFailedError
from bridge.export import WriteStep, recover
from bridge.qupath import QuPathViewer
from bridge.store.records import WriteState
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath_viewer import HookedViewer, PullStep


@pytest.mark.parametrize("step", [WriteStep.COMPOSED, WriteStep.BACKED_UP, WriteStep.JOURNALLED, WriteStep.STAGED])
@pytest.mark.parametrize("is_taken", [False, True])
def test_our_death_at_any_step_costs_a_repeat(scene: Scene, step: WriteStep, is_taken: bool) -> None:
    scene.write("w1", ONE)
    qupath, before = scene.opened(), scene.file
    with pytest.raises(KilledError):
        scene.deliver("w2", TWO, on_step=dies_at(step))
    scene.restart()
    assert "w2" not in {write.marker for write in recover(scene.store, scene.backups, NOW).writes}
    assert scene.file == before
    assert is_pending(scene.store, scene.entry) == (step in (WriteStep.JOURNALLED, WriteStep.STAGED))
    if is_taken:
        qupath.pull()
    fate = scene.settle()
    if fate is DeliveryFate.SHOWN:
        qupath.save("1")
    elif fate is DeliveryFate.WAITING:
        qupath.quit()
        scene.wait()
        assert scene.settle() is DeliveryFate.WITHDRAWN
    scene.read()
    scene.write("w3", THREE)
    assert len(scene.ours()) == 1 and scene.ours() == scene.live()
    assert THEIRS in {a.object_id for a in scene.objects()}


@pytest.mark.parametrize("step", list(PullStep))
@pytest.mark.parametrize("is_restarted", [False, True])
def test_death_of_the_viewer_at_any_step_costs_a_repeat(scene: Scene, step: PullStep, is_restarted: bool) -> None:
    scene.write("w1", ONE)
    qupath = scene.opened()
    scene.deliver("w2", TWO)
    with pytest.raises(KilledError):
        qupath.pull(dies_at(step))
    scene.wait()
    if is_restarted:
        qupath = scene.opened()
        qupath.pull()
    fate = scene.settle()
    if is_restarted and step is PullStep.READ:
        assert fate is DeliveryFate.SHOWN, "the new one has taken it"
        qupath.save("1")
    else:
        assert fate is (DeliveryFate.WITHDRAWN if step is PullStep.READ else DeliveryFate.DROPPED)
    scene.read()
    scene.write("w3", THREE)
    assert scene.ours() == scene.live() == ["00000003"]


def test_folder_that_can_not_be_written_leaves_the_journal_closed(scene: Scene) -> None:
    scene.viewer = QuPathViewer(scene.entry.annotation_path)  # a file where a folder should be
    with pytest.raises(WriteFailedError):
        scene.deliver("w1", ONE)
    assert scene.store.write("w1").state is WriteState.ABANDONED


ACTS = (
    "deliver",
    "pull",
    "save",
    "draw",
    "delete",
    "edit",
    "accept",
    "close",
    "open",
    "sleep",
    "settle",
    "read",
    "restart",
)


def person_acts(scene: Scene, qupath: HookedViewer, act: str, number: int) -> None:
    """Do something in the open image, if it is open and has something to do it to."""
    if "1" not in qupath.images:
        return
    ours = sorted(key for key, a in qupath.objects("1").items() if a.path_class == "Tumor: Predicted")
    if act == "save":
        qupath.save("1")
    elif act == "draw":
        drawn = Annotation(f"bbbbbbbb-0000-4000-8000-{number:012d}", box(200, 10, 220, 30 + number), "Stroma")
        qupath.edit("1", Changes(add=(replace(drawn, color=(0, 200, 0)),)))
    elif ours and act == "delete":
        qupath.edit("1", Changes(remove=frozenset(ours[:1])))
    elif ours and act == "edit":
        qupath.edit("1", Changes(reshape={ours[-1]: box(10, 60, 30, 80 + number)}))
    elif ours and act == "accept":
        qupath.edit("1", Changes(reclass={ours[0]: "Tumor"}))


def anybody_acts(scene: Scene, qupath: HookedViewer, act: str, number: int) -> None:
    if act == "deliver":
        with suppress(WriteConflictError):
            scene.deliver(f"w{number}", ONE, TWO, BOX)
    elif act == "pull":
        qupath.pull()
    elif act == "close" and "1" in qupath.images:
        qupath.close("1")
    elif act == "open":
        qupath.open("1")
    elif act == "sleep":
        scene.wait()
    elif act == "settle":
        scene.settle()
    elif act == "read":
        scene.read()
    elif act == "restart":
        scene.restart()
        assert recover(scene.store, scene.backups, NOW).messages == ()
    else:
        person_acts(scene, qupath, act, number)


def human(annotations: list[Annotation]) -> set[tuple[str, str | None, bytes]]:
    """What is a person's: everything that isn't a prediction or proposal of ours as we made it."""
    return {
        (a.object_id, a.path_class, a.geometry.wkb)
        for a in annotations
        if not a.is_ours or a.path_class not in ("Tumor: Predicted", PROPOSED) or a.geometry not in (ONE, TWO, BOX)
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(ACTS), min_size=3, max_size=14))
def test_in_whatever_order_things_happen_nothing_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    with new_scene(tmp_path_factory.mktemp("acts")) as scene:
        qupath = scene.opened()
        for number, act in enumerate(acts):
            anybody_acts(scene, qupath, act, number)
            qupath.beat()
        drawn = human(scene.objects())
        qupath.quit()
        scene.wait()
        scene.settle()
        assert not is_pending(scene.store, scene.entry)
        scene.read()
        scene.write("last", ONE, TWO, BOX)
        kept = {object_id for object_id, _, _ in human(scene.objects())}
        assert kept >= {object_id for object_id, _, _ in drawn}
        assert THEIRS in kept
        last = [w.object_id for w in scene.store.live_objects(scene.entry.key) if w.write_marker == "last"]
        open_ones = {o.annotation.object_id for o in scene.read().objects if o.role in (Role.PREDICTION, Role.PROPOSAL)}
        assert open_ones == set(last), "ours, as written, are those of the last write and no others"
