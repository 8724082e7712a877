"""The loop with viewers that have the file open: old views saved over our writes, all of ours deleted, live results."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest
from tool_bench import DRAWN, NOW, TOOLS, Bench, qupath_project

from bridge.annotations import Annotation
from bridge.delivery import DeliveryFate, deliver_edits, is_pending, settle_deliveries
from bridge.qupath import QuPathProject, read_qpdata
from bridge.store import Backups, Store
from lab_support import Lab
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath_viewer import HookedViewer
from scripts.loop.offers import viewer_of
from scripts.loop.pull import pull
from scripts.loop.push import Wanted, is_stale, push_slide
from scripts.loop.slide_jobs import predict_one, prediction_cache
from scripts.project import open_project


@pytest.fixture(params=TOOLS, ids=lambda f: f.__name__)
def bench(request: pytest.FixtureRequest, lab: Lab) -> Bench:
    made: Bench = request.param(lab)
    return made


def is_in(annotation: Annotation, found: list[Annotation]) -> bool:
    return any(a.path_class == annotation.path_class and a.geometry.equals(annotation.geometry) for a in found)


def test_viewer_that_saves_its_old_view_over_our_write_gets_ours_again(bench: Bench) -> None:
    opened = bench.path.read_bytes()
    bench.passed("sync")
    assert len(bench.ours()) >= 3
    bench.save(bench.edit(opened, Changes(add=(DRAWN,))))
    assert bench.ours() == []
    bench.passed()
    assert len([a for a in bench.ours() if a.path_class == "Proposed"]) == 3
    assert is_in(DRAWN, bench.objects())
    counted = bench.outcomes()
    assert not any(counted.get(name, 0) for name in ("rejected", "declined", "cleared"))


def test_viewer_that_deletes_all_our_objects_gets_new_ones_and_is_not_counted(bench: Bench) -> None:
    bench.passed()
    gone = frozenset(a.object_id for a in bench.ours())
    bench.save(bench.edit(bench.path.read_bytes(), Changes(remove=gone)))
    assert bench.ours() == []
    bench.passed()
    assert len([a for a in bench.ours() if a.path_class == "Proposed"]) == 3
    counted = bench.outcomes()
    assert not any(counted.get(name, 0) for name in ("rejected", "declined", "cleared"))
    before = bench.path.read_bytes()
    bench.passed()
    assert bench.path.read_bytes() == before, "once is enough"


def test_person_who_deletes_one_box_of_several_is_counted(bench: Bench) -> None:
    bench.passed()
    box_of_theirs = next(a for a in bench.ours() if a.path_class == "Proposed")
    bench.save(bench.edit(bench.path.read_bytes(), Changes(remove=frozenset({box_of_theirs.object_id}))))
    bench.passed()
    assert bench.outcomes()["declined"] == 1


@pytest.fixture
def offered(lab: Lab) -> tuple[Lab, QuPathProject, HookedViewer]:
    """A slide that is open in a QuPath with our script, and results of the loop on offer to it."""
    source = qupath_project(lab)
    project = open_project(lab.root)
    viewer = viewer_of(project)
    assert viewer is not None
    viewer.prepare()
    qupath = HookedViewer(source.path)
    qupath.open("1")
    qupath.beat()
    backups = Backups(project.data_folder / "backups")
    with Store.open(project.data_folder) as store:
        pulled = pull(project, store, backups, NOW)
        prediction = predict_one(project, pulled.slides[0], None, prediction_cache(project))
        write = partial(deliver_edits, viewer)
        push_slide(
            project,
            store,
            backups,
            pulled.slides[0],
            prediction,
            Wanted(predictions=False),
            champion_id=None,
            iteration=0,
            now=lambda: NOW,
            seed=0,
            write=write,
        )
    return lab, source, qupath


def test_loop_delivers_to_an_open_image_and_reads_it_back_from_the_save(
    offered: tuple[Lab, QuPathProject, HookedViewer],
) -> None:
    lab, source, qupath = offered
    before = source.slides()[0].annotation_path.read_bytes()
    assert qupath.pull() == 1
    boxes = [a for a in qupath.objects("1").values() if a.path_class == "Proposed"]
    assert len(boxes) == 3 and all(re.match(r"#\d", a.name or "") for a in boxes)
    assert source.slides()[0].annotation_path.read_bytes() == before
    qupath.edit("1", Changes(remove=frozenset({boxes[0].object_id})))
    qupath.save("1")
    qupath.quit()
    assert lab.run("sync", "pull").exit_code == 0
    counted = json.loads(lab.run("status", "--json").stdout)
    assert counted["outcomes"]["declined"] == 1
    assert counted["slides"][0]["roles"]["proposal"] == 2


def test_results_on_offer_are_not_written_behind_the_viewers_back(
    offered: tuple[Lab, QuPathProject, HookedViewer],
) -> None:
    lab, source, qupath = offered
    qupath.pull()
    project = open_project(lab.root)
    viewer = viewer_of(project)
    assert viewer is not None
    backups = Backups(project.data_folder / "backups")
    with Store.open(project.data_folder) as store:
        entries = source.slides()
        settled = settle_deliveries(viewer, source, entries, store, now=NOW, clock=0.0)
        assert [s.fate for s in settled] == [DeliveryFate.SHOWN]
        state = pull(project, store, backups, NOW).slides[0]
        assert is_pending(store, entries[0])
        assert not is_stale(state, store, project.scheme, None, Wanted(proposals=False), 3), "nothing was concluded"
        qupath.close("1")
        qupath.beat()
        settled = settle_deliveries(viewer, source, entries, store, now=NOW, clock=1.0)
        assert [s.fate for s in settled] == [DeliveryFate.DROPPED]
    assert lab.run("propose").exit_code == 0
    found = read_qpdata(source.slides()[0].annotation_path.read_bytes()).annotations
    assert sum(a.path_class == "Proposed" for a in found) == 3
