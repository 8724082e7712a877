"""Results into an image that a viewer has open: whatever the person, the viewer and we do at once, nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qupath_lab import new_project
from shapely import Polygon, box
from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    PROPOSED,
    Annotation,
    ClassScheme,
    LabelOptions,
    MachineObject,
    MachineRole,
    SlideEntry,
)
from bridge.annotations.roles import Fate, Marker, Reconciliation, Role, reconcile
from bridge.annotations.writing import compose_edits
from bridge.delivery import DeliveryFate, commit_delivery, deliver_edits, is_pending, settle_deliveries
from bridge.errors import StoreError, WriteConflictError, WriteFailedError
from bridge.export import WriteResult, WriteStep, recover, write_edits
from bridge.qupath import QuPathProject, QuPathViewer
from bridge.qupath.plain import append_annotations
from bridge.store import Backups, Store
from bridge.store.records import WriteKind, WriteState
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath_viewer import HookedViewer, PullStep

NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)
SCHEME = ClassScheme({"Tumor": (200, 0, 0), "Stroma": (0, 200, 0)})
THEIRS = "aaaaaaaa-0000-4000-8000-000000000000"
HOST = "pathology"
ONE, TWO, THREE = box(10, 10, 40, 40), box(60, 10, 90, 40), box(110, 10, 140, 40)
BOX = box(150, 100, 200, 150)


class KilledError(Exception):
    """The process ends here."""


def dies_at(step: object) -> Callable[[object], None]:
    def on_step(now: object) -> None:
        if now is step:
            raise KilledError

    return on_step


@dataclass
class Scene:
    """A project of two images, the store, and the viewers that have it open."""

    project: QuPathProject
    store: Store
    backups: Backups
    clock: float = 0.0
    viewer: QuPathViewer = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.restart()

    @property
    def entry(self) -> SlideEntry:
        return self.project.slides()[0]

    @property
    def file(self) -> bytes | None:
        path = self.entry.annotation_path
        return path.read_bytes() if path.exists() else None

    def restart(self) -> None:
        self.viewer = QuPathViewer(self.project.root, host=HOST, is_running=lambda pid: pid > 0)
        self.viewer.prepare()

    def opened(self, entry: str | None = None, **more: object) -> HookedViewer:
        """A QuPath with the first image open that says so."""
        qupath = HookedViewer(self.project.path, host=HOST, **more)  # type: ignore[arg-type]  # the fields of the class
        qupath.open(self.entry.key if entry is None else entry)
        qupath.beat()
        return qupath

    def wait(self, seconds: float = 60.0) -> None:
        """Let time pass: viewers that don't beat again are gone."""
        self.viewer.open_slides(self.clock)
        self.clock += seconds

    def read(self) -> Reconciliation:
        """Do as a pull does."""
        data, key = self.file, self.entry.key
        commit_delivery(self.project, self.entry, data, self.store, NOW, viewer=self.viewer)
        found = self.project.parse(self.project.create(self.entry) if data is None else data, self.entry)
        read = reconcile(
            found,
            self.store.live_objects(key),
            self.store.newest_marker(key),
            SCHEME,
            LabelOptions(),
            adopted=self.store.adopted(key),
            former=self.store.superseded(key),
        )
        self.store.record_outcomes(key, read.outcomes, "r", NOW, is_stale=read.marker is Marker.STALE)
        return read

    def made(self, *shapes: BaseGeometry) -> tuple[MachineObject, ...]:
        return tuple(self._object(shape, next(self.numbers)) for shape in shapes)

    def _object(self, shape: BaseGeometry, number: int) -> MachineObject:
        name = f"{number:08x}-0000-4000-8000-000000000000"
        if shape is BOX:
            return MachineObject(name, MachineRole.PROPOSAL, PROPOSED, shape, (255, 200, 0), name="#1 unsure")
        return MachineObject(
            name, MachineRole.PREDICTION, "Tumor: Predicted", shape, (200, 0, 0), checkpoint=f"model of {name}"
        )

    def write(self, marker: str, *shapes: BaseGeometry) -> WriteResult:
        """Write into the file, as for an image that nobody has open."""
        edits = compose_edits(self.read(), self.made(*shapes), SCHEME, marker)
        return write_edits(
            self.project,
            self.entry,
            self.file,
            edits,
            self.store,
            self.backups,
            iteration=1,
            now=NOW,
            sleep=lambda s: None,
        )

    def deliver(
        self, marker: str, *shapes: BaseGeometry, on_step: Callable[[WriteStep], None] = lambda s: None
    ) -> WriteResult:
        """Offer to the viewer."""
        edits = compose_edits(self.read(), self.made(*shapes), SCHEME, marker)
        return deliver_edits(
            self.viewer,
            self.project,
            self.entry,
            self.file,
            edits,
            self.store,
            self.backups,
            iteration=2,
            now=NOW,
            on_step=on_step,
        )

    def settle(self) -> DeliveryFate | None:
        entries = self.project.slides()
        found = settle_deliveries(self.viewer, self.project, entries, self.store, now=NOW, clock=self.clock)
        return found[0].fate if found else None

    def objects(self) -> list[Annotation]:
        data = self.file
        return [] if data is None else list(self.project.parse(data, self.entry).annotations)

    def ours(self) -> list[str]:
        return sorted(a.object_id[:8] for a in self.objects() if a.is_ours)

    def live(self) -> list[str]:
        return sorted(w.object_id[:8] for w in self.store.live_objects(self.entry.key))

    def fates(self) -> dict[str, Fate]:
        return {o.written.object_id[:8].lstrip("0"): o.fate for o in self.read().outcomes}


@contextmanager
def new_scene(folder: Path) -> Iterator[Scene]:
    project = new_project(folder, "a.png", "b.png")
    entry = project.slides()[0]
    drawn = Annotation(THEIRS, box(5, 100, 45, 150), "Stroma", name="mine", color=(0, 200, 0))
    entry.annotation_path.write_bytes(append_annotations(project.create(entry), [drawn]).data)
    with Store.open(folder / "store") as store:
        yield Scene(project, store, Backups(folder / "backups"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with new_scene(tmp_path) as scene:
        yield scene


def object_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


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
