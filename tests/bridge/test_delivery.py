"""Results into an image that a viewer has open: they appear there, and count once it is saved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from delivery_lab import (
    BOX,
    NOW,
    ONE,
    SCHEME,
    THEIRS,
    THREE,
    TWO,
    Scene,
    object_id,
)
from shapely import Polygon, box

from bridge.annotations import (
    PROPOSED,
)
from bridge.annotations.roles import Fate, Marker
from bridge.annotations.writing import compose_edits
from bridge.delivery import DeliveryFate, deliver_edits, is_pending
from bridge.errors import WriteConflictError
from bridge.export import WriteStep
from bridge.store.records import WriteKind
from scripts.bench.simulators.changes import Changes


def test_results_appear_in_the_open_image_and_count_once_it_is_saved(scene: Scene) -> None:
    qupath, before = scene.opened(), scene.file
    scene.deliver("w1", ONE, BOX)
    assert scene.settle() is DeliveryFate.WAITING
    assert qupath.pull() == 1
    assert scene.settle() is DeliveryFate.SHOWN and is_pending(scene.store, scene.entry)
    shown = qupath.objects("1")
    assert [shown[object_id(n)].path_class for n in (1, 2)] == ["Tumor: Predicted", PROPOSED]
    assert [shown[object_id(n)].is_locked for n in (1, 2)] == [False, True]
    assert shown[object_id(2)].name == "#1 unsure" and shown[object_id(1)].is_ours and qupath.marker("1") == "w1"
    assert scene.file == before and scene.live() == []
    qupath.save("1")
    assert scene.read().marker is Marker.NEWEST
    assert scene.ours() == scene.live() == ["00000001", "00000002"]
    assert scene.settle() is None and not list(qupath.folder.glob("inbox/*"))
    assert scene.store.write("w1").kind is WriteKind.DELIVERY


def test_nothing_is_concluded_from_the_file_while_results_wait_for_a_save(scene: Scene) -> None:
    scene.write("w1", ONE, TWO)
    qupath = scene.opened()
    scene.deliver("w2", THREE)
    qupath.pull()
    assert set(scene.fates().values()) == {Fate.OPEN}
    assert scene.live() == ["00000001", "00000002"]


def test_save_from_before_the_pull_is_judged_by_the_write_before(scene: Scene) -> None:
    scene.write("w1", ONE, TWO)
    qupath = scene.opened()
    scene.deliver("w2", THREE)
    qupath.edit("1", Changes(remove=frozenset({object_id(1)})))
    qupath.save("1")
    qupath.pull()
    assert scene.settle() is DeliveryFate.SHOWN
    assert scene.fates() == {"1": Fate.REJECTED, "2": Fate.OPEN}
    qupath.save("1")
    assert scene.fates() == {"3": Fate.OPEN}
    assert scene.store.outcome_counts() == {Fate.REJECTED: 1}


@pytest.mark.parametrize("is_seen", [True, False], ids=["saved later", "saved at once"])
def test_prediction_that_the_person_deleted_before_the_pull_counts_as_rejected(scene: Scene, is_seen: bool) -> None:
    scene.write("w1", ONE, TWO)
    qupath = scene.opened()
    qupath.edit("1", Changes(remove=frozenset({object_id(1)})))
    scene.deliver("w2", THREE)
    qupath.pull()
    if is_seen:
        scene.settle()
    qupath.save("1")
    assert scene.fates() == {"1": Fate.REJECTED, "3": Fate.OPEN}
    assert not list(qupath.folder.glob("inbox/*"))


def test_prediction_that_the_person_is_editing_is_left_alone(scene: Scene) -> None:
    scene.write("w1", ONE, TWO)
    qupath = scene.opened()
    edited = box(10, 10, 55, 40)
    qupath.edit("1", Changes(reshape={object_id(1): edited}, reclass={object_id(2): "Stroma"}))
    scene.deliver("w2", THREE)
    qupath.pull()
    scene.settle()
    qupath.save("1")
    assert scene.fates() == {"1": Fate.CORRECTED, "2": Fate.CORRECTED, "3": Fate.OPEN}
    assert next(a for a in scene.objects() if a.object_id == object_id(1)).geometry.equals(edited)


def test_accepted_prediction_becomes_plain_in_the_open_image(scene: Scene) -> None:
    scene.write("w1", ONE, TWO)
    qupath = scene.opened()
    qupath.edit("1", Changes(reclass={object_id(1): "Tumor", object_id(2): "Tumor"}))
    qupath.save("1")
    qupath.edit("1", Changes(reshape={object_id(2): box(60, 10, 99, 40)}))
    scene.deliver("w2", THREE)
    qupath.pull()
    shown = qupath.objects("1")
    assert (shown[object_id(1)].path_class, shown[object_id(1)].is_ours) == ("Tumor", False)
    assert shown[object_id(2)].is_ours, "it was changed since it was saved: the next save is to tell what it is"
    scene.settle()
    qupath.save("1")
    assert scene.fates() == {"2": Fate.CORRECTED, "3": Fate.OPEN}


def test_save_since_the_reading_is_a_conflict(scene: Scene) -> None:
    qupath = scene.opened()

    def save(step: WriteStep) -> None:
        if step is WriteStep.COMPOSED:
            qupath.edit("1", Changes(rename={THEIRS: "later"}))
            qupath.save("1")

    with pytest.raises(WriteConflictError, match="read it again"):
        scene.deliver("w1", ONE, on_step=save)
    assert qupath.pull() == 0 and not is_pending(scene.store, scene.entry)


def test_image_that_was_never_saved_takes_results_too(scene: Scene) -> None:
    scene.entry.annotation_path.unlink()
    qupath = scene.opened()
    scene.deliver("w1", ONE)
    qupath.pull()
    qupath.save("1")
    scene.read()
    assert scene.ours() == scene.live() == ["00000001"]


def test_delivery_is_in_the_frame_of_the_tool(scene: Scene) -> None:
    placed = replace(scene.entry, origin=(100, 50))
    edits = compose_edits(scene.read(), scene.made(box(110, 60, 140, 90)), SCHEME, "w1")
    qupath = scene.opened()
    deliver_edits(
        scene.viewer, scene.project, placed, scene.file, edits, scene.store, scene.backups, iteration=1, now=NOW
    )
    qupath.pull()
    assert qupath.objects("1")[object_id(1)].geometry.bounds == (10, 10, 40, 40)


def test_results_bear_the_id_of_their_model_in_the_open_image(scene: Scene) -> None:
    qupath = scene.opened()
    scene.deliver("w1", box(10, 10, 40, 40))
    qupath.pull()
    found = qupath.objects("1")[object_id(1)]
    assert found.metadata == {"slidebridge": "w1", "slidebridge.checkpoint": f"model of {object_id(1)}"}


def test_outline_with_hole_arrives_as_it_was_written(scene: Scene) -> None:
    holed = Polygon([(10, 10), (90.4, 12), (88, 90), (12, 86)], [[(30, 30), (50, 30), (50, 50), (30, 50)]])
    qupath = scene.opened()
    scene.deliver("w1", holed)
    qupath.pull()
    qupath.save("1")
    assert scene.fates() == {"1": Fate.OPEN}
