"""A slide is predicted once per champion, whatever becomes of its labels; writing is another matter."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import shapely
from learn_support import NOW, Classroom, classroom

from bridge.imagescope import read_imagescope
from lab_support import Lab, draw_slide, labelled
from models.inference import DeepZoomPredictor
from scripts.loop.learn import load_project_champion
from scripts.loop.prediction_cache import key_of
from scripts.loop.push import Wanted
from scripts.loop.slide_jobs import ChampionBands, predict_one, prediction_cache, write_one
from scripts.loop.slide_work import result_for

pytestmark = pytest.mark.usefixtures("room")


@pytest.fixture
def room(lab: Lab) -> Iterator[Classroom]:
    """Return a project with a champion."""
    lab.write(labelled())
    with classroom(lab) as opened:
        opened.learn()
        yield opened


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each slide that is really predicted."""
    done: list[str] = []
    predict = DeepZoomPredictor.predict

    def counts(self: DeepZoomPredictor, slide: object, *given: object, **more: object) -> object:
        done.append("predicted")
        return predict(self, slide, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(DeepZoomPredictor, "predict", counts)
    return done


def bands_of(room: Classroom) -> ChampionBands:
    champion = load_project_champion(room.project)
    assert champion is not None
    return ChampionBands.of(room.project, champion)


def test_new_labels_need_no_new_prediction(lab: Lab, room: Classroom, counted: list[str]) -> None:
    bands, cache = bands_of(room), prediction_cache(room.project)
    first = predict_one(room.project, room.pull().slides[0], bands, cache)
    lab.write({"Blob": labelled()["Blob"], "ROI": []})
    state = room.pull().slides[0]
    again = predict_one(room.project, state, bands, cache)
    assert len(counted) == 1
    assert first is not None and again is not None
    assert [p.geometry.wkb for p in first.predictions] == [p.geometry.wkb for p in again.predictions]
    assert predict_one(room.project, state, bands, cache, is_forced=True) is not None
    assert len(counted) == 2


def test_a_slide_that_changed_is_predicted_anew(lab: Lab, room: Classroom) -> None:
    state = room.pull().slides[0]
    champion, settings = room.champion, room.project.settings
    before = key_of(state.reading, champion, settings)
    assert before == key_of(room.pull().slides[0].reading, champion, settings)
    os.utime(lab.slide, ns=(1, 1))
    assert key_of(state.reading, champion, settings) != before
    assert key_of(state.reading, "f" * 16, settings) != key_of(state.reading, champion, settings)


@pytest.mark.parametrize(
    ("section", "line", "is_other"),
    [
        ("propose", "k = 2", False),
        ("propose", "seed = 7", False),
        ("propose", "total = 7", False),
        ("propose", "same_look = 2", False),
        ("propose", "draws = 3", False),
        ("propose", "checkpoints = 2", False),
        ("propose", "region_um = 50", True),
        ("propose", 'acquisition = "entropy"', True),
        ("propose", 'acquisition = "bald"', True),
        ("propose", 'acquisition = "disagreement"', True),
        ("predict", "min_area_um2 = 11", True),
        ("tissue", 'rule = "whole"', True),
        ("slides", 'mpp_of = { "case" = 0.6 }', True),
    ],
)
def test_only_settings_that_matter_cost_a_prediction(
    lab: Lab, room: Classroom, section: str, line: str, is_other: bool
) -> None:
    before = key_of(room.pull().slides[0].reading, room.champion, room.project.settings)
    path = lab.root / "slidebridge.toml"
    kept = [text for text in path.read_text("utf-8").splitlines() if text.split(" = ")[0] != line.split()[0]]
    text = "\n".join([*kept, ""])
    head = f"[{section}]\n"
    path.write_text(text.replace(head, f"{head}{line}\n") if head in text else f"{text}{head}{line}\n", "utf-8")
    with classroom(lab) as changed:
        after = key_of(changed.pull().slides[0].reading, changed.champion, changed.project.settings)
    assert (after != before) is is_other


def test_a_stopped_prediction_keeps_nothing(room: Classroom) -> None:
    state, cache = room.pull().slides[0], prediction_cache(room.project)
    assert predict_one(room.project, state, bands_of(room), cache, stop=lambda: True) is None
    assert cache.load(key_of(state.reading, room.champion, room.project.settings)) is None


def test_cells_that_somebody_drew_in_ask_for_no_box(lab: Lab, room: Classroom) -> None:
    prediction = predict_one(room.project, room.pull().slides[0], bands_of(room), prediction_cache(room.project))
    assert prediction is not None
    layers = labelled()
    lab.write({**layers, "Blob": [*layers["Blob"], (shapely.box(200, 20, 360, 180), "")]})
    result = result_for(prediction, room.pull().slides[0].reading)
    cell = prediction.cells.downsample
    inside = (slice(int(40 / cell), int(160 / cell)), slice(int(220 / cell), int(340 / cell)))
    assert prediction.tissue[inside].all() and not result.open_cells[inside].any()


def test_without_a_prediction_nothing_of_ours_is_renewed(lab: Lab, room: Classroom) -> None:
    champion = load_project_champion(room.project)
    bands, cache = bands_of(room), prediction_cache(room.project)
    state = room.pull().slides[0]
    prediction = predict_one(room.project, state, bands, cache)
    wanted = Wanted(is_forced=True)

    def ours() -> list[tuple[str | None, bytes]]:
        found = read_imagescope(lab.xml.read_bytes()).annotations
        return sorted((a.path_class, a.geometry.normalize().wkb) for a in found if a.is_ours)

    given = (room.project, room.store, room.backups)
    pushed = write_one(*given, state, prediction, wanted, champion=champion, now=lambda: NOW)
    assert pushed.is_written and len(pushed.proposals) == 3
    written = ours()
    again = write_one(*given, room.pull().slides[0], None, wanted, champion=champion, now=lambda: NOW)
    assert again.is_written and not again.proposals
    assert ours() == written


def test_sync_predicts_a_wiped_slide_from_what_is_kept(lab: Lab, room: Classroom, counted: list[str]) -> None:
    assert lab.run("sync").exit_code == 0
    written = lab.xml.read_bytes()
    lab.write(labelled())  # a viewer that was open saves its old view
    assert lab.run("sync").exit_code == 0
    assert len(counted) == 1
    assert len(lab.xml.read_bytes()) == len(written)


def test_predictions_of_champions_and_slides_that_are_gone_are_dropped(lab: Lab, room: Classroom) -> None:
    draw_slide(lab.root / "other.tif", seed=3)
    assert lab.run("sync").exit_code == 0
    folder = room.project.data_folder / "predictions"
    assert len(list(folder.iterdir())) == 2
    (lab.root / "other.tif").unlink()
    (lab.root / "other.xml").unlink(missing_ok=True)
    assert lab.run("predict").exit_code == 0
    assert len(list(folder.iterdir())) == 1
