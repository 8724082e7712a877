"""Results that a viewer has, or should have: shown, saved, dropped, withdrawn, or replaced by newer ones."""

from __future__ import annotations

import logging

import pytest
from delivery_lab import (
    BOX,
    HOST,
    ONE,
    THEIRS,
    THREE,
    TWO,
    Scene,
)

from bridge.annotations.roles import Fate, Marker, Role
from bridge.delivery import DeliveryFate, is_pending
from bridge.errors import StoreError, WriteConflictError
from bridge.qupath import QuPathViewer
from bridge.store.records import WriteState
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath_viewer import PullStep


def test_image_closed_before_anybody_took_the_results_is_as_it_was(scene: Scene) -> None:
    scene.write("w1", ONE)
    qupath = scene.opened()
    scene.deliver("w2", TWO)
    qupath.close("1")
    qupath.beat()
    assert scene.settle() is DeliveryFate.WITHDRAWN
    assert not is_pending(scene.store, scene.entry) and scene.live() == ["00000001"]
    assert scene.store.write("w2").state is WriteState.ABANDONED
    qupath.open("1")
    assert qupath.pull() == 0
    scene.write("w3", THREE)
    assert scene.ours() == scene.live() == ["00000003"]


def test_image_closed_without_saving_gets_the_results_by_its_file(scene: Scene) -> None:
    scene.write("w1", ONE)
    qupath = scene.opened()
    scene.deliver("w2", TWO)
    qupath.pull()
    qupath.close("1")
    qupath.beat()
    assert scene.settle() is DeliveryFate.DROPPED
    assert scene.fates() == {"1": Fate.OPEN, "2": Fate.OVERWRITTEN}
    scene.write("w3", THREE)
    assert scene.ours() == scene.live() == ["00000003"]


def test_viewer_that_had_been_asleep_saves_results_that_are_still_known_for_ours(scene: Scene) -> None:
    scene.write("w1", ONE)
    qupath = scene.opened()
    scene.deliver("w2", TWO, BOX)
    qupath.pull()
    scene.wait()
    assert scene.settle() is DeliveryFate.DROPPED
    scene.read()
    scene.write("w3", THREE)
    qupath.save("1")
    read = scene.read()
    assert read.marker is Marker.STALE
    assert not [o for o in read.of(Role.OTHER) if o.annotation.is_ours]
    scene.write("w4", THREE)
    assert len(scene.ours()) == 1 and scene.ours() == scene.live()


def test_image_saved_and_closed_at_once_counts_as_saved(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    qupath.pull()
    qupath.save("1")
    qupath.quit()
    scene.wait()
    assert scene.settle() is DeliveryFate.SAVED
    assert scene.fates() == {"1": Fate.OPEN}


def test_image_reopened_from_disk_at_once_has_let_the_results_go(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    qupath.pull()
    qupath.open("1")
    qupath.beat()
    assert scene.settle() is DeliveryFate.DROPPED
    scene.deliver("w2", ONE)
    qupath.pull()
    qupath.save("1")
    scene.read()
    assert scene.ours() == scene.live() == ["00000002"]


def test_results_on_their_way_into_the_viewer_are_not_taken_for_dropped(scene: Scene) -> None:
    qupath, fates = scene.opened(), []
    scene.deliver("w1", ONE)
    qupath.pull(lambda step: fates.append(scene.settle()))
    assert fates == [DeliveryFate.WAITING, *[DeliveryFate.SHOWN] * 4]
    qupath.save("1")
    assert scene.fates() == {"1": Fate.OPEN}


def test_results_taken_in_the_moment_of_withdrawing_are_not_withdrawn(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    scene.wait()  # it was asleep

    class WakingViewer(QuPathViewer):
        def withdraw(self, slide_key: str, marker: str) -> bool:
            qupath.pull()
            return super().withdraw(slide_key, marker)

    scene.viewer = WakingViewer(scene.project.root, host=HOST, is_running=lambda pid: True)
    scene.wait()
    assert scene.settle() is DeliveryFate.SHOWN
    assert scene.settle() is DeliveryFate.SHOWN
    qupath.save("1")
    assert scene.fates() == {"1": Fate.OPEN}


def test_delivery_is_not_judged_while_a_save_is_going_on(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    qupath.pull()
    saving = scene.entry.annotation_path.with_name("data.qpdata.bkp")
    saving.write_bytes(b"")
    qupath.close("1")
    qupath.beat()
    assert scene.settle() is DeliveryFate.SHOWN
    saving.unlink()
    assert scene.settle() is DeliveryFate.DROPPED


def test_results_that_came_to_nothing_are_asked_for_again(scene: Scene) -> None:
    qupath = scene.opened()
    scene.store.record_predicted("1", "champion")
    scene.deliver("w1", ONE)
    qupath.quit()
    scene.wait()
    assert scene.settle() is DeliveryFate.WITHDRAWN
    assert scene.store.predicted_with("1") is None


def test_newer_results_replace_those_that_nobody_took(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    scene.deliver("w2", TWO)
    assert qupath.pull() == 1
    qupath.save("1")
    scene.read()
    assert scene.ours() == scene.live() == ["00000002"]


def test_newer_results_wait_while_others_are_shown_and_not_saved(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    qupath.pull()
    with pytest.raises(WriteConflictError, match="aren't saved yet"):
        scene.deliver("w2", TWO)
    with pytest.raises(StoreError, match="wait in the viewer"):
        scene.write("w3", TWO)


def test_another_image_opened_meanwhile_leaves_the_results_where_they_are(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", ONE)

    def switch(step: PullStep) -> None:
        if step is PullStep.READ:
            qupath.close("1")
            qupath.open("2")

    assert qupath.pull(switch) == 0
    assert qupath.objects("2") == {}
    qupath.beat()
    assert scene.settle() is DeliveryFate.WITHDRAWN


def test_one_of_two_viewers_takes_the_results_and_the_other_saves_over_nothing_of_a_persons(scene: Scene) -> None:
    first, second = scene.opened(), scene.opened()
    scene.deliver("w1", ONE)
    assert first.pull() + second.pull() == 1
    second.edit("1", Changes(rename={THEIRS: "second"}))
    second.save("1")
    assert scene.settle() is DeliveryFate.SHOWN
    assert [a.name for a in scene.objects()] == ["second"]
    first.save("1")
    scene.read()
    assert scene.ours() == scene.live() == ["00000001"]


def test_viewer_that_can_not_show_results_gets_them_by_the_file_when_it_is_closed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    qupath = scene.opened(fails=True)
    scene.deliver("w1", ONE)
    qupath.pull()
    assert scene.settle() is DeliveryFate.DROPPED
    assert "could not show our results: the simulated script fails" in caplog.text
    scene.deliver("w2", ONE)
    assert qupath.pull() == 0
    assert scene.settle() is DeliveryFate.WAITING
    qupath.quit()
    scene.wait()
    assert scene.settle() is DeliveryFate.WITHDRAWN
    scene.write("w3", ONE)
    assert len(scene.ours()) == 1 and scene.ours() == scene.live()
