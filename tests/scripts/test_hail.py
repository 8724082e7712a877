"""The loop on an H-AI-L project: read and continued, and nothing of it written but the predictions."""

from __future__ import annotations

import re
import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from PIL import Image

from bridge.annotations import Edits
from bridge.annotations.labels import WHOLE_SLIDE
from bridge.errors import WriteFailedError
from bridge.export import WriteStep, restore_version, write_edits
from bridge.imagescope import read_imagescope
from bridge.imagescope.hail import list_layers
from bridge.store import Backups, Store
from hail_lab import QUICK, HailLab, every_blob, hail_xml, make_hail
from lab_support import RUNNER, draw_slide
from scripts.cli import app
from scripts.loop.planning import make_plans
from scripts.loop.pull import pull
from scripts.project import Project, find_entry, open_project, open_store


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> HailLab:
    """A project after its first pass: one training, one slide predicted. Tests only read it."""
    lab = make_hail(tmp_path_factory.mktemp("hail"))
    before = lab.fingerprint()
    done = lab.run("sync")
    assert done.exit_code == 0, done.output
    assert lab.fingerprint() == before
    return lab


@pytest.fixture
def lab(synced: HailLab, tmp_path: Path) -> HailLab:
    """The same in a copy of one's own, at its own place: as when somebody moves a project."""
    shutil.copytree(synced.root, tmp_path / "moved")
    return HailLab(tmp_path / "moved")


def counted(lab: HailLab) -> str:
    done = lab.run("status")
    assert done.exit_code == 0, done.output
    return next(line for line in done.output.splitlines() if line.startswith("so far: "))


def parts_of(project: Project) -> dict[str, str]:
    with open_store(project, is_dry_run=True) as store:
        return {slide.key: part for slide in store.slides() for _, part in store.parts(slide.key).items()}


def test_new_writes_a_rule_for_every_layer_and_whole_slides_count(tmp_path: Path) -> None:
    lab = HailLab(tmp_path)
    lab.add("TRAINING_data/0", "first", 1, is_labelled=True)
    xml = tmp_path / "TRAINING_data" / "0" / "first.xml"
    xml.write_bytes(hail_xml({1: every_blob(1), 2: [], 3: []}, {2: "Sclerotic"}))

    done = RUNNER.invoke(app, ["new", "--hail", str(tmp_path)])
    assert done.exit_code == 0, done.output

    told = tomllib.loads((tmp_path / "slidebridge.toml").read_text("utf-8"))
    assert told["source"]["kind"] == "hail"
    assert told["labels"]["complete"] == "slide"
    assert list(told["classes"]["colors"]) == ["Annotation 1", "Sclerotic", "Annotation 3"]
    assert told["classes"]["map"] == {"id:1": "Annotation 1", "id:2": "Sclerotic", "id:3": "Annotation 3"}


def test_predictions_go_into_their_own_file_in_hails_dialect(synced: HailLab) -> None:
    data = synced.offered.read_bytes()

    assert [(layer.id, layer.name) for layer in list_layers(data)] == [("1", "")]
    assert len(read_imagescope(data)) > 0
    assert {path.name for path in synced.offered.parent.iterdir()} == {"new.xml"}


def test_slide_of_the_hold_out_judges_and_all_others_train(synced: HailLab) -> None:
    assert parts_of(open_project(synced.root)) == {
        "first.tif": "train",
        "second.tif": "train",
        "new.tif": "train",
        "judge.tif": "hold-out",
    }


def test_second_pass_has_nothing_to_do(lab: HailLab) -> None:
    offered = lab.offered.read_bytes()
    done = lab.run("sync")

    assert "not trained: nothing new is labelled" in done.output
    assert lab.offered.read_bytes() == offered


def test_predictions_moved_beside_their_slide_are_accepted_and_train(lab: HailLab) -> None:
    count = len(read_imagescope(lab.offered.read_bytes()))
    lab.take_over(2)
    before = lab.fingerprint()

    done = lab.run("sync", "pull")
    assert done.exit_code == 0, done.output

    assert "4 slides read, 4 labelled" in done.output
    assert f"{count} accepted" in counted(lab)
    assert lab.fingerprint() == before
    assert not lab.offered.exists()


def test_corrections_count_as_what_they_are(lab: HailLab) -> None:
    """One prediction deleted, one pulled wider, one thing drawn that was missed, the rest left as it was."""
    found = sorted(read_imagescope(lab.offered.read_bytes()).annotations, key=lambda a: a.geometry.area)
    kept, widened = [a.geometry for a in found[1:-1]], found[-1].geometry.buffer(2)
    drawn = hail_xml({1: [*kept, widened, shapely.box(0, 380, 3, 383)]})
    attribute = re.search(rb'<Attribute Name="slidebridge.write"[^>]*>', lab.offered.read_bytes())
    assert attribute is not None
    marked = drawn.replace(b"    <Regions>", b"    <Attributes>" + attribute[0] + b"</Attributes>\n    <Regions>", 1)
    lab.take_over(1).write_bytes(marked)

    assert lab.run("sync", "pull").exit_code == 0
    said = counted(lab)
    assert f"{len(kept)} accepted" in said
    assert "1 corrected" in said
    assert "1 rejected" in said
    assert "121 added by hand" in said


def test_file_taken_over_without_our_marker_counts_what_is_left_of_ours_and_no_rejection(lab: HailLab) -> None:
    found = read_imagescope(lab.offered.read_bytes()).annotations
    lab.take_over(1).write_bytes(hail_xml({1: [a.geometry for a in found[1:]]}))

    assert lab.run("sync", "pull").exit_code == 0
    said = counted(lab)
    assert f"{len(found) - 1} accepted" in said
    assert "rejected" not in said


def test_unfinished_corrections_stay_and_teach_nothing(lab: HailLab) -> None:
    drawn = lab.offered.read_text("utf-8")
    region = drawn[drawn.index("\t\t\t<Region Id") : drawn.index("</Region>") + len("</Region>\r\n")]
    mine = region.replace('X="', 'X="3').replace(' Id="1"', ' Id="999"')
    edited = drawn.replace(region, region + mine, 1)
    lab.offered.write_text(edited, "utf-8", newline="")

    done = lab.run("predict", "--force")
    assert done.exit_code == 0, done.output

    assert "4 slides read, 3 labelled" in done.output
    assert mine.strip() in lab.offered.read_text("utf-8")
    assert [layer.name for layer in list_layers(lab.offered.read_bytes())] == [""]


def test_offered_file_that_nobody_had_drawn_in_may_be_thrown_away(lab: HailLab) -> None:
    lab.offered.unlink()

    done = lab.run("predict")
    assert done.exit_code == 0, done.output
    assert lab.offered.is_file()


def test_drawings_that_vanish_are_missed_and_nothing_is_offered_in_their_place(lab: HailLab) -> None:
    (lab.root / "TRAINING_data" / "0" / "first.xml").unlink()

    done = lab.run("predict", "--force")
    assert "the annotation file that was read before is gone" in done.output
    assert not (lab.offered.parent / "first.xml").exists()


def test_labelled_hold_out_slide_stays_unpredicted_whatever_is_asked(lab: HailLab) -> None:
    lab.add("HOLDOUT_data", "unlabelled", 6, is_labelled=False)
    before = lab.fingerprint()

    done = lab.run("predict", "--force")
    assert done.exit_code == 0, done.output

    assert lab.fingerprint() == before
    assert {path.name for path in lab.offered.parent.iterdir()} == {"new.xml"}


def test_what_trained_never_judges_though_it_is_moved_to_the_hold_out(lab: HailLab) -> None:
    held = lab.root / "HOLDOUT_data"
    for path in (lab.root / "TRAINING_data" / "0").glob("first.*"):
        path.rename(held / path.name)

    assert lab.run("sync", "pull").exit_code == 0
    assert parts_of(open_project(lab.root))["first.tif"] == "train"


def test_part_that_the_source_states_goes_over_the_hash(synced: HailLab, tmp_path: Path) -> None:
    project = open_project(synced.root)
    with Store.open(tmp_path) as store:
        read = pull(project, store, Backups(tmp_path / "backups"), _now(), is_dry_run=True)
        plans = make_plans(project, store, [s.reading for s in read.slides], _now(), is_dry_run=False)

        assert {key for key, plan in plans.items() if plan.hold_out} == {"judge.tif"}
        assert store.parts("judge.tif") == {WHOLE_SLIDE: "hold-out"}


def test_restoring_never_writes_into_peoples_folders(lab: HailLab) -> None:
    project, before = open_project(lab.root), lab.fingerprint()
    entry = find_entry(project, "first.tif")
    data = entry.annotation_path.read_bytes()
    with open_store(project, is_dry_run=True) as store, pytest.raises(WriteFailedError, match="--to FILE"):
        backups = Backups(project.data_folder / "backups")
        restore_version(project.source, entry, data, data + b"\n", store, backups, marker="m", now=_now())

    assert lab.fingerprint() == before


@pytest.mark.parametrize("last", [WriteStep.JOURNALLED, WriteStep.SYNCED])
def test_write_that_was_cut_short_is_settled_though_its_file_was_taken_over_since(
    lab: HailLab, last: WriteStep
) -> None:
    class KilledError(Exception):
        """The machine stopped."""

    def stop(step: WriteStep) -> None:
        if step is last:
            raise KilledError

    project = open_project(lab.root)
    entry, backups = find_entry(project, "new.tif"), Backups(project.data_folder / "backups")
    with open_store(project, is_dry_run=False) as store, pytest.raises(KilledError):
        data = entry.annotation_path.read_bytes()
        write_edits(project.source, entry, data, Edits("cut"), store, backups, iteration=1, now=_now(), on_step=stop)
    lab.take_over(1)
    before = lab.fingerprint()

    done = lab.run("sync", "pull")
    assert done.exit_code == 0, done.output
    assert lab.fingerprint() == before
    assert "none unfinished" in lab.run("doctor").output
    assert list(lab.offered.parent.iterdir()) == []


def test_doctor_finds_nothing_wrong(synced: HailLab) -> None:
    done = synced.run("doctor")

    assert done.exit_code == 0, done.output
    assert "0 problems" in done.output


@pytest.mark.parametrize("kind", ["hail", "imagescope"])
def test_grey_pictures_of_a_series_are_slides_once_their_resolution_is_set(tmp_path: Path, kind: str) -> None:
    lab = HailLab(tmp_path)
    places = ["TRAINING_data/0", "TRAINING_data/0", "TRAINING_data/1", "HOLDOUT_data"] if kind == "hail" else [""] * 4
    for i, (place, suffix) in enumerate(zip(places, [".png", ".jpg", ".tif", ".png"], strict=True)):
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        picture = folder / f"slice{i}{suffix}"
        draw_slide(picture, i, mpp=None)
        Image.open(picture).convert("L").save(picture)
        if i != 2:
            drawn = hail_xml({1: every_blob(i)})
            picture.with_suffix(".xml").write_bytes(drawn if kind == "hail" else drawn.replace(b"0.252000", b"0"))
    told = RUNNER.invoke(app, ["new", f"--{kind}", str(tmp_path)])
    assert told.exit_code == 0
    assert "set [slides] mpp" in told.output
    complete = "" if kind == "hail" else '\n[labels]\ncomplete = "slide"\n'
    lab.set(QUICK.replace("mpp = 1.0", "mpp = 1000.0").replace("max_steps = 6", "max_steps = 2") + complete)
    assert "set [slides] mpp" in lab.run("sync", "pull").output  # H-AI-L's 0.252 is no resolution
    lab.set("\n[slides]\nmpp = 500.0\n")

    done = lab.run("sync")
    assert done.exit_code == 0, done.output
    assert "training 1, 2 steps" in done.output
    assert "slice2: " in done.output


def _now() -> datetime:
    return datetime.now(UTC)
