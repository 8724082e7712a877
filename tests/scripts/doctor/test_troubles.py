"""Each trouble of the catalogue, made to happen in a real project, and found."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import shapely
from ward_lab import Ward, draw_too, into_qupath, promote_tiny

from bridge.store.holders import this_host
from bridge.store.lease import Lease
from lab_support import as_points, draw_slide, labelled, xml_of
from scripts.daemon.heartbeat import Beat
from scripts.doctor import catalogue

# what goes wrong, each by its key


def _no_source(ward: Ward) -> None:
    draw_slide(ward.root / "CASE.svs.tif")
    (ward.root / "case.svs").write_bytes(b"")  # two slides, one XML file


def _no_slides(ward: Ward) -> None:
    ward.lab.slide.unlink()
    ward.lab.xml.unlink()


def _turned_image(ward: Ward) -> None:
    path = into_qupath(ward)
    project = json.loads(path.read_text("utf-8"))
    builder = project["images"][0]["serverBuilder"]
    project["images"][0]["serverBuilder"] = {"builderType": "rotated", "builder": builder, "rotation": "ROTATE_90"}
    path.write_text(json.dumps(project), "utf-8")


def _new_qupath(ward: Ward) -> None:
    path = into_qupath(ward)
    project = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(project | {"version": "0.9.1"}), "utf-8")


def _being_saved(ward: Ward) -> None:
    path = into_qupath(ward)
    path.with_name(f"{path.name}.backup").write_bytes(path.read_bytes())


def _not_writable(ward: Ward) -> None:
    (ward.root / ".slidebridge").write_text("a file where a folder must be")


def _moved_slide(ward: Ward) -> None:
    path = into_qupath(ward)
    (slide,) = path.parents[1].glob("*.png")
    slide.rename(slide.with_name("renamed.png"))


def _no_slide_at_all(ward: Ward) -> None:
    (ward.root / "notes.svs").write_text("not a slide")


def _cut_slide(ward: Ward) -> None:
    draw_slide(ward.root / "cut.tif", seed=3)
    data = (ward.root / "cut.tif").read_bytes()
    (ward.root / "cut.tif").write_bytes(data[: len(data) * 6 // 10])


def _gone_slide(ward: Ward) -> None:
    from bridge.store import Store

    with Store.open(ward.data) as store:
        store.record_read("old.tif", "r" * 64, ward.now, human_count=7, name="old")
        store.record_learned(1, "old.tif", ["a"])


def _other_scale(ward: Ward) -> None:
    ward.lab.xml.write_bytes(xml_of(labelled(), mpp=0.25))


def _not_reproduced(ward: Ward) -> None:
    from bridge.errors import AnnotationFileError
    from bridge.imagescope import ImageScopeFolder

    def refuse(*_: object) -> bytes:
        raise AnnotationFileError("it is not reproduced byte for byte", path=ward.lab.xml)

    ward.patch.setattr(ImageScopeFolder, "apply", refuse)


def _other_order(ward: Ward) -> None:
    from models.checkpoints import Card, NetCard, NetRole, promote_champion, save_checkpoint, with_role
    from models.nets import CENTRED, build_net
    from tiny_checkpoint import TINY

    card = Card("deepzoom", (NetCard(NetRole.HIGH, TINY, ("Background", "A", "Blob"), 0.5, 64, CENTRED),))
    folder = ward.data / "checkpoints"
    folder.mkdir()
    weights = with_role(build_net(TINY, 3, seed=1).state_dict(), NetRole.HIGH)
    promote_champion(folder, save_checkpoint(folder, weights, card).id)
    ward.change_settings('Blob = "#c80000"', 'Blob = "#c80000"\nA = "#00c800"')


def _bad_model(ward: Ward) -> None:
    (ward.data / "checkpoints").mkdir()
    (ward.data / "checkpoints" / "champion.json").write_text("{")


def _one_area(ward: Ward) -> None:
    boxes = [(shapely.box(20, 20, 180, 180), "")]
    ward.lab.xml.write_bytes(xml_of(labelled() | {"ROI": boxes}))


def _deaf_share(ward: Ward) -> None:
    ward.patch.setattr("scripts.doctor.running.is_network_path", lambda path: True)
    ward.change_settings("settle_seconds = 0.01", 'settle_seconds = 0.01\nobserving = "events"')


@contextmanager
def _other_process() -> Iterator[psutil.Process]:
    """Start a process that waits for its end."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as other:
        yield psutil.Process(other.pid)


def _two_daemons(ward: Ward) -> Iterator[None]:
    with _other_process() as other, Lease.take(ward.data, "watch", host=this_host()):
        began = other.create_time()
        process = {"pid": other.pid, "started_at": began, "started_after_boot": began - psutil.boot_time()}
        ward.beat(Beat(), lambda found: found["process"].update(process))
        yield


def _stale_lease(ward: Ward) -> Iterator[None]:
    with Lease.take(ward.data, "watch", host=this_host()):
        path = ward.data / "lease.json"
        found = json.loads(path.read_text())
        path.write_text(json.dumps(found | {"started_at": 1.0, "started_after_boot": 1.0}))
        yield


def _ahead(ward: Ward) -> None:
    def change(found: dict) -> None:
        found["process"]["host"] = "other-room"
        found["at"] = (ward.now + timedelta(minutes=20)).isoformat()

    ward.beat(Beat(), change)


def _from_future(ward: Ward) -> None:
    tomorrow = (ward.now + timedelta(days=1)).timestamp()
    os.utime(ward.lab.xml, (tomorrow, tomorrow))


def _new_store(ward: Ward) -> None:
    _gone_slide(ward)
    with closing(sqlite3.connect(ward.data / "store.sqlite")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()


def _emptied_store(ward: Ward) -> None:
    _gone_slide(ward)
    (ward.data / "backups" / "aa").mkdir(parents=True)
    (ward.data / "store.sqlite").write_bytes(b"")


def _bad_curve(ward: Ward) -> None:
    (ward.data / "curves").mkdir()
    (ward.data / "curves" / "20260131T020000Z-nightly.csv").write_bytes(b"\xff\x00 no curve\n" * 9)


def _bad_key(ward: Ward) -> None:
    ward.lab.set("\n[privacy]\nhash_names = true\n")
    (ward.data / "names.key").write_bytes(b"cut")


def _big_backups(ward: Ward) -> None:
    if sys.platform == "win32":
        pytest.skip("a file without content takes its room there")
    folder = ward.data / "backups" / "aa"
    folder.mkdir(parents=True)
    with (folder / ("a" * 64)).open("wb") as file:
        file.truncate(11 * 10**9)  # of nothing: it takes no room


Make = Callable[[Ward], object]
MAKERS: dict[str, Make] = {
    "source-unreadable": _no_source,
    "no-slides": _no_slides,
    "image-left-out": _turned_image,
    "qupath-version": _new_qupath,
    "open-in-qupath": _being_saved,
    "folder-not-writable": _not_writable,
    "slide-not-found": _moved_slide,
    "slide-unreadable": _no_slide_at_all,
    "slide-cut": _cut_slide,
    "annotations-without-slide": lambda ward: ward.lab.xml.rename(ward.root / "case 2.xml"),
    "slide-gone": _gone_slide,
    "no-resolution": lambda ward: draw_slide(ward.root / "flat.png", mpp=None),
    "resolution-doubtful": _other_scale,
    "no-classes": lambda ward: ward.change_settings('Blob = "#c80000"', ""),
    "class-unknown": lambda ward: draw_too(ward, "Necrosis"),
    "class-spelled-twice": lambda ward: draw_too(ward, "blob "),
    "class-unused": lambda ward: ward.change_settings('Blob = "#c80000"', 'Blob = "#c80000"\nVessel = "#00c800"'),
    "file-unreadable": lambda ward: ward.lab.xml.write_text("<html></html>"),
    "file-not-written": _not_reproduced,
    "save-unfinished": lambda ward: ward.lab.xml.write_text("<Annotations><Annotation>"),
    "model-cannot-begin": lambda ward: ward.change_settings('encoder = "plain"', 'encoder = "resnet18"'),
    "model-other-classes": lambda ward: promote_tiny(ward, 'Blob = "#c80000"'),
    "model-class-order": _other_order,
    "model-damaged": _bad_model,
    "nothing-to-train-on": lambda ward: ward.lab.xml.unlink(),
    "hold-out-empty": _one_area,
    "share-without-events": _deaf_share,
    "no-events": lambda ward: ward.beat(Beat(observing="polling")),
    "two-daemons": _two_daemons,
    "stale-lease": _stale_lease,
    "clock-differs": _ahead,
    "file-from-future": _from_future,
    "hook-not-runnable": lambda ward: ward.lab.set('\n[hooks]\non_failure = "/nowhere/tell --to lab"\n'),
    "store-newer": _new_store,
    "store-unreadable": lambda ward: (ward.data / "store.sqlite").write_bytes(b"no database" * 100),
    "lease-damaged": lambda ward: (ward.data / "lease.json").write_bytes(b"\xff\x00no holder"),
    "heartbeat-damaged": lambda ward: (ward.data / "daemon.json").mkdir(),
    "names-key-damaged": _bad_key,
    "curve-damaged": _bad_curve,
    "not-a-file": lambda ward: (ward.lab.xml.unlink(), ward.lab.xml.mkdir()),
    "store-on-share": lambda ward: (
        _gone_slide(ward),
        ward.patch.setattr("scripts.doctor.records.is_network_path", lambda path: True),
    ),
    "backups-large": _big_backups,
    "stray-files": lambda ward: (ward.root / ".slidebridge-1.tmp").write_text("left over"),
}
# The disk can't be filled here; of the machine, settings and QuPath there are tests in the modules beside this one.
ELSEWHERE = {"disk-full", "disk-low", "settings-wrong"}


@pytest.mark.parametrize("key", MAKERS)
def test_trouble_is_found_with_its_cure_and_changes_nothing(ward: Ward, key: str) -> None:
    made = MAKERS[key](ward)
    ending = made if isinstance(made, Iterator) else iter(())
    next(ending, None)
    before = _contents(ward.root)
    found = [finding for finding in ward.findings() if finding.trouble == key]
    assert found, f"not found: {key}"
    assert all(finding.cure or "; " in finding.text for finding in found), "no way out is told"
    assert all("\n" not in finding.line() for finding in found)
    assert _contents(ward.root) == before
    next(ending, None)


@pytest.mark.parametrize("make", [_emptied_store, lambda ward: (ward.data / "store.sqlite").mkdir()], ids=["0", "dir"])
def test_records_that_are_lost_are_found(ward: Ward, make: Make) -> None:
    make(ward)
    (found,) = [finding for finding in ward.findings() if finding.trouble == "store-unreadable"]
    assert "begin anew" in found.text
    report = ward.lab.run("doctor", "--store")
    assert report.exit_code == 1 and "begin anew" in report.output


def _contents(root: Path) -> dict[Path, object]:
    small = (path for path in root.rglob("*") if path.is_file())
    return {path: path.read_bytes() if path.stat().st_size < 10**7 else path.stat().st_mtime_ns for path in small}


def test_every_trouble_is_made_somewhere() -> None:
    ours = {t.key for t in catalogue.TROUBLES if t.group != catalogue.MACHINE}
    assert ours == MAKERS.keys() | ELSEWHERE


def test_too_little_is_told_once_as_the_tool_does_it(ward: Ward) -> None:
    ward.lab.xml.write_bytes(xml_of({"Blob": labelled()["Blob"][:1]}))
    (found,) = [finding for finding in ward.findings() if finding.trouble == "nothing-to-train-on"]
    assert found.text == "only one label so far" and "type ROI into the box's Text" in (found.cure or "")
    assert found.line().count("ROI") == 1


def test_a_class_of_points_is_to_be_outlined(ward: Ward) -> None:
    ward.lab.xml.write_bytes(as_points(xml_of({**labelled(), "Mitosis": [(shapely.box(40, 40, 44, 44), "")]})))
    (found,) = [finding for finding in ward.findings() if finding.trouble == "class-unknown"]
    assert "outline such objects" in (found.cure or "")
