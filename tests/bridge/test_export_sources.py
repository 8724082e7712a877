"""The safe write through the real formats: ours go in, change and go out, what a person drew stays."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shapely import Polygon, box

from bridge.annotations import (
    PROPOSED,
    AnnotationSet,
    ClassScheme,
    Edits,
    LabelOptions,
    MachineObject,
    MachineRole,
    SlideEntry,
    Source,
)
from bridge.annotations.ownership import is_as_written, match_written
from bridge.annotations.roles import Role, reconcile
from bridge.annotations.writing import compose_edits
from bridge.errors import AnnotationFileError, WriteConflictError
from bridge.export import WriteStep, finish_displaced, recover, restore_version, write_edits
from bridge.imagescope import ImageScopeFolder
from bridge.qupath import GeoJSONFolder, NewImage, QuPathProject, create_project
from bridge.store import Backups, Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
SCHEME = ClassScheme({"Tumor": (200, 0, 0), "Stroma": (0, 200, 0)})
IDS = [f"00000000-0000-4000-8000-{i:012d}" for i in range(10)]
HOLED = Polygon([(10, 10), (90.4, 12), (88, 90), (12, 86)], [[(30, 30), (50, 30), (50, 50), (30, 50)]])


def prediction(number: int, geometry: Polygon) -> MachineObject:
    return MachineObject(
        IDS[number], MachineRole.PREDICTION, "Tumor: Predicted", geometry, (200, 0, 0), probability=0.75
    )


def proposal(number: int, geometry: Polygon) -> MachineObject:
    return MachineObject(IDS[number], MachineRole.PROPOSAL, PROPOSED, geometry, (255, 200, 0), name="1 · least sure")


FIRST = (
    prediction(0, HOLED),
    prediction(1, box(200, 200, 260, 250)),
    proposal(2, box(300, 300, 400, 400)),
)


def imagescope(root: Path) -> Source:
    (root / "s1.svs").touch()
    (root / "s1.xml").write_bytes(
        b'<Annotations MicronsPerPixel="0.5"><Annotation Id="1" Name="Stroma" LineColor="65280"><Regions>'
        b'<Region Id="1" Type="0" Text="mine"><Vertices><Vertex X="500" Y="500"/><Vertex X="560.5" Y="500"/>'
        b'<Vertex X="560" Y="580"/></Vertices></Region></Regions></Annotation></Annotations>'
    )
    return ImageScopeFolder(root)


def geojson(root: Path, *, packed: bool = False) -> Source:
    (root / "s1.svs").touch()
    text = (
        b'{"type":"FeatureCollection","features":[{"type":"Feature","id":"7a0c8d2e-0f5c-4c52-9d4c-6c1f2a1d9b10",'
        b'"geometry":{"type":"Polygon","coordinates":[[[500,500],[560.5,500],[560,580],[500,500]]]},"properties":'
        b'{"objectType":"annotation","name":"mine","classification":{"name":"Stroma","color":[0,200,0]}}}]}'
    )
    (root / ("s1.geojson.gz" if packed else "s1.geojson")).write_bytes(gzip.compress(text) if packed else text)
    return GeoJSONFolder(root)


def packed_geojson(root: Path) -> Source:
    return geojson(root, packed=True)


def qupath(root: Path) -> Source:
    image = NewImage(
        root / "s1.svs", "s1", 1000, 1000, ((1000, 1000),), (0.5, 0.5), 20.0, (256, 256), is_openslide=True
    )
    project = create_project(root / "project", [image], {}, now=NOW)
    entry = project.slides()[0]
    # What a person draws comes in by the same door, then loses our identity: promoted.
    drawn = replace(prediction(9, Polygon([(500, 500), (560.5, 500), (560, 580)])), path_class="Stroma: Predicted")
    data = project.apply(project.create(entry), Edits("seed", add=(drawn,)), entry)
    data = project.apply(data, Edits("", promote={IDS[9]: ("Stroma", (0, 200, 0))}), entry)
    entry.annotation_path.write_bytes(data)
    return project


@pytest.fixture(params=[imagescope, geojson, packed_geojson, qupath], ids=lambda f: f.__name__)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    root: Path = tmp_path / "slides"
    root.mkdir()
    made: Source = request.param(root)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "backups")


def humans(found: AnnotationSet) -> Counter[tuple[str | None, str | None, bytes]]:
    return Counter((a.path_class, a.name, a.geometry.wkb) for a in found.annotations if not a.is_ours)


def test_predictions_and_proposals_go_through_their_life(source: Source, store: Store, backups: Backups) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    base = entry.annotation_path.read_bytes()
    drawn = humans(source.parse(base, entry))
    assert drawn

    first = write_edits(source, entry, base, Edits("w1", add=FIRST), store, backups, iteration=1, now=NOW)
    data = entry.annotation_path.read_bytes()
    assert humans(source.parse(data, entry)) == drawn
    assert [w.object_id for w in first.written] == IDS[:3]
    assert finish_displaced("w1", store, backups, LATER)

    def reconciled(data: bytes):
        live, marker = store.live_objects(entry.key), store.newest_marker(entry.key)
        return reconcile(
            source.parse(data, entry), live, marker, SCHEME, LabelOptions(), adopted=store.adopted(entry.key)
        )

    before = reconciled(data)
    assert len(before.of(Role.PREDICTION)) == 2
    assert len(before.of(Role.PROPOSAL)) == 1

    # The person accepts one prediction: by an ROI over it, seen in the objects alone.
    accepted = replace(
        before,
        outcomes=tuple(
            replace(o, fate=type(o.fate).ACCEPTED, path_class="Tumor") if o.written.object_id == IDS[1] else o
            for o in before.outcomes
        ),
        objects=tuple(
            replace(o, role=Role.ANNOTATION) if o.annotation is before.outcomes[1].annotation else o
            for o in before.objects
        ),
    )
    store.record_outcomes(entry.key, accepted.outcomes, first.revision, NOW)
    edits = compose_edits(accepted, [prediction(3, box(600, 100, 650, 150))], SCHEME, "w2")
    second = write_edits(source, entry, data, edits, store, backups, iteration=2, now=NOW)
    assert second.closed == set(IDS[:3])
    data = entry.annotation_path.read_bytes()
    after = reconciled(data)
    assert [w.object_id for w in store.live_objects(entry.key)] == [IDS[3]]
    assert len(after.of(Role.PREDICTION)) == 1
    assert sorted(o.path_class or "" for o in after.of(Role.ANNOTATION)) == ["Stroma", "Tumor"]
    assert [o.began_as_prediction for o in sorted(after.of(Role.ANNOTATION), key=lambda o: o.path_class or "")] == [
        False,
        True,
    ]


def test_first_file(source: Source, store: Store, backups: Backups) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    entry.annotation_path.unlink()
    entry = replace(source.slides()[0], is_placed=True)
    write_edits(source, entry, None, Edits("w1", add=FIRST), store, backups, iteration=1, now=NOW)
    assert len(source.parse(entry.annotation_path.read_bytes(), entry)) == 3
    assert source.blocker(entry) is None


def test_blocker_is_a_clause_without_the_files_name(source: Source) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    path = entry.annotation_path
    whole = path.read_bytes()
    assert source.blocker(entry) is None
    for left in (b"", whole[:40], whole[: len(whole) // 2]):
        path.write_bytes(left)
        said = source.blocker(entry)
        if said is None:  # a cut that happens to end as a whole file does: parsing tells
            with pytest.raises(AnnotationFileError):
                source.parse(left, entry)
        else:
            assert path.name not in said.replace(f"{path.name}.bkp", "") and str(path.parent) not in said
            assert "\n" not in said and not said.endswith(".")
    path.unlink()
    assert source.blocker(entry) is None


def test_version_is_restored_and_what_is_ours_in_it_known_again(source: Source, store: Store, backups: Backups) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    original = entry.annotation_path.read_bytes()
    write_edits(source, entry, original, Edits("w1", add=FIRST), store, backups, iteration=1, now=NOW)
    first = entry.annotation_path.read_bytes()
    second = write_edits(
        source, entry, first, Edits("w2", add=(prediction(5, box(0, 0, 50, 50)),)), store, backups, iteration=1, now=NOW
    )
    assert second.closed == frozenset()

    def restore(version: bytes, marker: str) -> None:
        base = entry.annotation_path.read_bytes()
        restore_version(source, entry, base, version, store, backups, marker=marker, now=NOW)
        assert entry.annotation_path.read_bytes() == version
        assert backups.load(hashlib.sha256(base).hexdigest()) == base
        live, newest, former = (get(entry.key) for get in (store.live_objects, store.newest_marker, store.superseded))
        found = source.parse(version, entry)
        outcomes = reconcile(found, live, newest, SCHEME, LabelOptions(), former=former).outcomes
        assert not [o for o in outcomes if o.annotation is None], "nothing counts as deleted"
        store.record_outcomes(entry.key, outcomes, "r", NOW)

    restore(first, "restore-1")
    assert {w.object_id for w in store.live_objects(entry.key)} == set(IDS[:3])
    assert store.newest_marker(entry.key) == "w1"
    restore(original, "restore-2")
    assert store.live_objects(entry.key) == ()
    restore(first, "restore-3")
    assert {w.object_id for w in store.live_objects(entry.key)} == set(IDS[:3])
    assert store.outcome_counts() == {}


def test_version_that_is_not_whole_is_not_restored(source: Source, store: Store, backups: Backups) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    base = entry.annotation_path.read_bytes()
    with pytest.raises(AnnotationFileError):
        restore_version(source, entry, base, base[:-9], store, backups, marker="r1", now=NOW)
    assert entry.annotation_path.read_bytes() == base
    assert store.unfinished_writes() == ()


def test_save_in_place_in_between(source: Source, tmp_path: Path, backups: Backups) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    base = entry.annotation_path.read_bytes()
    saved = source.apply(base, Edits("other"), entry)
    assert saved != base
    for number, step in enumerate(WriteStep):
        entry.annotation_path.write_bytes(base)

        def save(reached: WriteStep, step: WriteStep = step) -> None:
            if reached is step:
                entry.annotation_path.write_bytes(saved)

        with Store.open(tmp_path / f"store{number}") as store:
            with suppress(WriteConflictError):
                edits = Edits("w1", add=FIRST)
                write_edits(source, entry, base, edits, store, backups, iteration=1, now=NOW, on_step=save)
            recover(store, backups, LATER, resolve=lambda key: (source, entry))
        assert entry.annotation_path.read_bytes() == saved
    names = {p.name for p in entry.annotation_path.parent.iterdir()}
    assert not {name for name in names if name.startswith(".slidebridge")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="faults are injected into forked children")
@pytest.mark.parametrize("step", [WriteStep.JOURNALLED, WriteStep.STAGED, WriteStep.SWAPPED, WriteStep.FINISHED])
def test_killed(source: Source, tmp_path: Path, backups: Backups, step: WriteStep) -> None:
    entry = replace(source.slides()[0], is_placed=True)
    base = entry.annotation_path.read_bytes()
    Store.open(tmp_path / "store").close()

    def die(reached: WriteStep) -> None:
        if reached is step:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            with Store.open(tmp_path / "store") as store:
                edits = Edits("w1", add=FIRST)
                write_edits(source, entry, base, edits, store, backups, iteration=1, now=NOW, on_step=die)
        finally:
            os._exit(70)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with Store.open(tmp_path / "store") as store:
        for seconds in (0, 2):
            recover(store, backups, LATER + timedelta(seconds=seconds), resolve=lambda key: (source, entry))
        data = entry.annotation_path.read_bytes()
        is_new = source.parse(data, entry).write_marker == "w1"
        assert is_new == (step in (WriteStep.SWAPPED, WriteStep.FINISHED))
        assert is_new or data == base
        assert len(store.live_objects(entry.key)) == (3 if is_new else 0)
        edits = Edits("w2", add=(prediction(5, box(0, 0, 50, 50)),))
        write_edits(source, entry, data, edits, store, backups, iteration=1, now=NOW)
    hidden = [p.name for p in entry.annotation_path.parent.iterdir() if p.name.startswith(".slidebridge")]
    assert hidden == [".slidebridge-w2.tmp"]


def real_imagescope(shared: Path, root: Path) -> Iterator[tuple[Source, SlideEntry]]:
    for path in sorted((shared / "aperio_xml").rglob("*.xml")):
        folder = root / path.parent.name / path.stem
        folder.mkdir(parents=True)
        shutil.copy(path, folder / path.name)
        (folder / f"{path.stem}.svs").touch()
        source = ImageScopeFolder(folder)
        yield source, source.slides()[0]


def real_qupath(shared: Path, root: Path) -> Iterator[tuple[Source, SlideEntry]]:
    for path in sorted((shared / "qupath_projects").glob("*_0*/project.qpproj")):
        shutil.copytree(path.parent, root / path.parent.name)
        source = QuPathProject(root / path.parent.name / path.name)
        for entry in source.slides():
            if entry.annotation_path.exists() and source.blocker(entry) is None:
                yield source, replace(entry, is_placed=True)


def real_geojson(shared: Path, root: Path) -> Iterator[tuple[Source, SlideEntry]]:
    for path in sorted((shared / "qupath_projects" / "expected").glob("*.geojson")):
        folder = root / path.stem
        folder.mkdir()
        shutil.copy(path, folder / "s1.geojson")
        (folder / "s1.svs").touch()
        source = GeoJSONFolder(folder)
        yield source, source.slides()[0]


@pytest.mark.parametrize("files", [real_imagescope, real_qupath, real_geojson], ids=lambda f: f.__name__)
def test_real_files_take_ours_and_give_them_back(
    shared_data: Path,
    tmp_path: Path,
    backups: Backups,
    files: Callable[[Path, Path], Iterator[tuple[Source, SlideEntry]]],
) -> None:
    count = 0
    for source, entry in files(shared_data, tmp_path):
        count += 1
        base = entry.annotation_path.read_bytes()
        drawn = humans(source.parse(base, entry))
        with Store.open(tmp_path / f"store{count}") as store:
            edits = Edits("w1", add=FIRST)
            first = write_edits(source, entry, base, edits, store, backups, iteration=1, now=NOW)
            assert [w.object_id for w in first.written] == IDS[:3]
            assert first.warnings == ()
            data = entry.annotation_path.read_bytes()
            live = store.live_objects(entry.key)
            found = match_written(source.parse(data, entry).annotations, live)
            assert all(is_as_written(found[w.object_id], w) for w in live)
            edits = Edits("w2", delete=frozenset(a.object_id for a in found.values()))
            write_edits(source, entry, data, edits, store, backups, iteration=1, now=NOW)
            assert store.live_objects(entry.key) == ()
        assert humans(source.parse(entry.annotation_path.read_bytes(), entry)) == drawn
    assert count > 3
