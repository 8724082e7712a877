"""``doctor --store``: a sound project, and each way in which records and files can disagree, made on purpose."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shapely import box

from bridge.annotations import Edits, MachineObject, MachineRole
from bridge.export import write_edits
from bridge.store import Backups, JobKind
from bridge.store.lease import Lease
from lab_support import SETTINGS, Lab, draw_slide, labelled
from scripts.doctor.report import DoctorReport, Level
from scripts.doctor.store_checks import examine_store
from scripts.loop.pull import pull
from scripts.project import open_project, open_store

FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ROI = {
    "type": "Feature",
    "id": "33333333-3333-4333-8333-333333333333",
    "geometry": {"type": "Polygon", "coordinates": [[[20, 20], [180, 20], [180, 180], [20, 180], [20, 20]]]},
    "properties": {"objectType": "annotation", "classification": {"name": "ROI", "color": [0, 0, 0]}},
}


@dataclass(frozen=True)
class Bench:
    """A project with one slide that has two predictions of ours in its file, written and read."""

    root: Path
    file: Path

    @property
    def data(self) -> Path:
        return self.root / ".slidebridge"

    def pull(self) -> None:
        project = open_project(self.root)
        with open_store(project, is_dry_run=False) as store:
            pull(project, store, Backups(self.data / "backups"), datetime.now(UTC))

    def write(self, edits: Edits) -> None:
        project = open_project(self.root)
        (entry,) = project.source.slides()
        backups = Backups(self.data / "backups")
        with open_store(project, is_dry_run=False) as store:
            now = datetime.now(UTC)
            write_edits(project.source, entry, self.file.read_bytes(), edits, store, backups, iteration=1, now=now)

    def first(self) -> str:
        """Return what the file as it is now calls the first prediction: ImageScope has numbers only."""
        project = open_project(self.root)
        found = project.source.parse(self.file.read_bytes(), project.source.slides()[0])
        return next(a.object_id for a in found.annotations if a.is_ours and a.path_class == "Blob: Predicted")

    def tamper(self, statement: str) -> None:
        with closing(sqlite3.connect(self.data / "store.sqlite")) as database, database:
            database.execute(statement)

    def examine(self, after: timedelta = timedelta()) -> DoctorReport:
        return examine_store(self.root, now=datetime.now(UTC) + after)

    def problems(self, after: timedelta = timedelta()) -> list[str]:
        return [f"{f.check}: {f.text}" for f in self.examine(after).findings if f.level is Level.PROBLEM]


def prediction(object_id: str, x: int) -> MachineObject:
    return MachineObject(object_id, MachineRole.PREDICTION, "Blob: Predicted", box(x, 300, x + 20, 320), (200, 0, 0))


def in_imagescope(root: Path) -> Path:
    (root / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    Lab(root).write(labelled())
    return root / "case.xml"


def in_geojson(root: Path) -> Path:
    (root / "slidebridge.toml").write_text(SETTINGS.replace('"imagescope"', '"geojson"'), "utf-8")
    path = root / "case.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [ROI]}))
    return path


@pytest.fixture(params=[in_imagescope, in_geojson], ids=["imagescope", "geojson"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    make: Callable[[Path], Path] = request.param
    draw_slide(tmp_path / "case.tif")
    bench = Bench(tmp_path, make(tmp_path))
    bench.pull()
    bench.write(Edits("m1", add=(prediction(FIRST, 20), prediction(SECOND, 60))))
    return bench


def twice(bench: Bench) -> None:
    """Put a second copy of the first prediction into the file, as a write that was done twice would."""
    if bench.file.suffix == ".geojson":
        document = json.loads(bench.file.read_bytes())
        document["features"].append(document["features"][-1])
        bench.file.write_text(json.dumps(document))
        return
    text = bench.file.read_text("utf-8")
    end = text.rindex("</Regions>", 0, text.index('Name="SlideBridge"'))
    begin = text.rindex("<Region ", 0, end)
    bench.file.write_text(text[:end] + text[begin:end] + text[end:], "utf-8")


def test_sound_project_has_a_good_line_for_each_check(bench: Bench) -> None:
    report = bench.examine()
    assert {f.check: f.level for f in report.findings} == dict.fromkeys(
        ["database", "jobs", "writes", "predictions", "backups", "champion", "files"], Level.OK
    )
    bench.pull()
    assert not bench.examine().has_problems, "nor after our write was read"


def test_looking_changes_nothing(bench: Bench) -> None:
    before = {path: path.read_bytes() for path in bench.root.rglob("*") if path.is_file()}
    bench.examine()
    assert {path: path.read_bytes() for path in bench.root.rglob("*") if path.is_file()} == before


def test_project_without_store_is_sound(lab: Lab) -> None:
    assert not examine_store(lab.root).has_problems
    assert not (lab.root / ".slidebridge").exists()


def test_object_that_the_store_misses_in_the_file(bench: Bench) -> None:
    bench.write(Edits("m2", delete=frozenset([bench.first()])))
    assert bench.problems() == []
    bench.tamper(f"UPDATE objects SET is_open = 1 WHERE object_id = '{FIRST}'")
    (said,) = bench.problems()
    assert "1 object of ours is not in the file" in said


def test_object_in_the_file_that_the_store_took_out(bench: Bench) -> None:
    bench.tamper(f"UPDATE objects SET is_open = 0 WHERE object_id = '{FIRST}'")
    (said,) = bench.problems()
    assert "1 object that we took out is in the file" in said


def test_person_who_deleted_ours_since_is_in_their_right(bench: Bench) -> None:
    project = open_project(bench.root)
    (entry,) = project.source.slides()
    edited = project.source.apply(bench.file.read_bytes(), Edits("m1", delete=frozenset([bench.first()])), entry)
    bench.file.write_bytes(edited)
    report = bench.examine()
    assert not report.has_problems
    assert [f.text for f in report.findings if f.level is Level.WARNING] == ["case: saved since it was last read"]
    bench.pull()
    assert {f.level for f in bench.examine().findings} == {Level.OK}


def test_prediction_that_is_in_the_file_twice(bench: Bench) -> None:
    twice(bench)
    assert any("1 prediction is in the file twice" in said for said in bench.problems())


def test_predictions_that_the_store_knows_nothing_of(bench: Bench) -> None:
    (bench.data / "store.sqlite").rename(bench.root / "lost")
    bench.pull()
    (said,) = bench.problems()
    assert "2 predictions or boxes of ours that the store doesn't know" in said


def test_backup_that_is_gone(bench: Bench) -> None:
    for path in (bench.data / "backups").rglob("*"):
        if path.is_file():
            path.unlink()
    assert [said.partition(":")[0] for said in bench.problems()] == ["backups"]


def test_champion_that_is_not_whole(bench: Bench) -> None:
    (bench.data / "checkpoints").mkdir()
    (bench.data / "checkpoints" / "champion.json").write_text('{"id": "0123456789abcdef"}')
    assert [said.partition(":")[0] for said in bench.problems()] == ["champion"]


def test_job_that_runs_with_nobody_at_work(bench: Bench) -> None:
    with open_store(open_project(bench.root), is_dry_run=False) as store:
        now = datetime.now(UTC)
        store.start_job(store.ask_job(JobKind.TRAIN, None, "a", now).id, now)
    with Lease.take(bench.data, "watch"):
        assert bench.problems() == []
    with Lease.take(bench.data, "watch", host="elsewhere"):
        assert bench.problems() == [], "whoever it is there, we can't see them"
    (said,) = bench.problems()
    assert "job 1 (train) runs, and no slidebridge is at work" in said


def test_write_that_was_cut_short(bench: Bench) -> None:
    bench.tamper("UPDATE writes SET state = 'begun'")
    assert [said.partition(":")[0] for said in bench.problems(timedelta(hours=1))][:1] == ["writes"]


def test_damaged_database_ends_the_command_with_one(bench: Bench) -> None:
    size = (bench.data / "store.sqlite").stat().st_size
    with (bench.data / "store.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    result = Lab(bench.root).run("doctor", "--store")
    assert result.exit_code == 1
    assert "problem  database" in result.output and "restore it from a copy" in result.output
