"""Scores that compare predictions: turned tiles, or earlier models; outlines stay those of the plain prediction."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from learn_support import Classroom, classroom

from lab_support import Lab, labelled
from models.active import Acquisition, bald, checkpoint_disagreement
from models.checkpoints import load_champion, load_checkpoint, promote_champion, read_pointer, save_checkpoint
from scripts.loop.drawing import drawing_of, earlier_champions
from scripts.loop.prediction_cache import key_of
from scripts.loop.slide_jobs import ChampionBands, predict_one, prediction_cache
from scripts.loop.slide_work import SlidePrediction


def set_to(lab: Lab, lines: str) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("[propose]\n", f"[propose]\n{lines}\n"), "utf-8")


@contextmanager
def asking(lab: Lab, **propose: object) -> Iterator[Classroom]:
    """Open the project with other settings of ``[propose]``."""
    path = lab.root / "slidebridge.toml"
    before = path.read_text("utf-8")
    set_to(lab, "\n".join(f"{name} = {json.dumps(value)}" for name, value in propose.items()))
    try:
        with classroom(lab) as room:
            yield room
    finally:
        path.write_text(before, "utf-8")


@pytest.fixture
def trained(lab: Lab) -> Lab:
    """Return a project with a champion."""
    lab.write(labelled())
    with classroom(lab) as room:
        room.learn()
    return lab


def promote_another(room: Classroom, factor: float, **card: Any) -> str:
    """Make a champion whose answers differ from the last one's; the one in use is then an earlier one."""
    folder = room.project.checkpoints
    champion = load_champion(folder)
    assert champion is not None
    weights = {name: value * factor if value.ndim > 1 else value for name, value in champion.weights.items()}
    made = save_checkpoint(folder, weights, replace(champion.card, **card))
    promote_champion(folder, made.id)
    return made.id


def predicted(room: Classroom) -> SlidePrediction:
    champion = load_champion(room.project.checkpoints)
    assert champion is not None
    bands = ChampionBands.of(room.project, champion)
    found = predict_one(room.project, room.pull().slides[0], bands, prediction_cache(room.project), is_dry_run=True)
    assert found is not None
    return found


def outlines_of(prediction: SlidePrediction) -> list[bytes]:
    return [shapely.to_wkb(p.geometry) for p in prediction.predictions]


def scores_by(room: Classroom, score: Any) -> np.ndarray:
    """Score whole maps of each draw at once, then average over cells: as the bands should come to."""
    from bridge.slides import open_slide, tissue_mask

    champion = load_champion(room.project.checkpoints)
    assert champion is not None
    bands = ChampionBands.of(room.project, champion)
    reading = room.pull().slides[0].reading
    with open_slide(reading.slide_path, mpp=reading.mpp) as slide:
        tissue = tissue_mask(slide, room.project.settings.tissue)
        draws = [
            np.concatenate([band.probabilities for band in one(slide, tissue)], axis=1)
            for one in (bands, *bands.drawing.others)
        ]
    values: np.ndarray = score(np.stack(draws))
    overview = predicted(room).overview
    assert overview is not None
    stride = round(values.shape[0] / overview.score.shape[0])
    rows, columns = overview.score.shape
    return values.reshape(rows, stride, columns, stride).mean(axis=(1, 3))


def test_bald_compares_turned_tiles_and_leaves_outlines_alone(trained: Lab) -> None:
    with asking(trained) as room:
        plain = predicted(room)
    with asking(trained, acquisition="bald", draws=3) as room:
        found = predicted(room)
        expected = scores_by(room, bald)
    assert found.overview is not None and plain.overview is not None
    assert outlines_of(found) == outlines_of(plain)
    assert np.array_equal(found.overview.probabilities, plain.overview.probabilities)
    assert found.overview.acquisition is Acquisition.BALD and found.note is None
    assert expected.max() > 0 and np.allclose(found.overview.score, expected, atol=1e-5)


def test_disagreement_compares_the_last_models(trained: Lab) -> None:
    with asking(trained) as room:
        promote_another(room, 3.0)
        plain = predicted(room)
    with asking(trained, acquisition="disagreement") as room:
        found = predicted(room)
        expected = scores_by(room, checkpoint_disagreement)
    assert found.overview is not None
    assert outlines_of(found) == outlines_of(plain), "those of the champion"
    assert found.overview.acquisition is Acquisition.DISAGREEMENT and found.note is None
    assert expected.max() > 0.001 and np.allclose(found.overview.score, expected, atol=1e-5)


def test_so_many_models_are_asked_the_latest_first_each_once(trained: Lab) -> None:
    with asking(trained, acquisition="disagreement", checkpoints=3) as room:
        first = room.champion
        second = promote_another(room, 1.5)
        third = promote_another(room, 2.0)
        assert earlier_champions(room.project) == (second, first)
        assert second is not None
        promote_champion(room.project.checkpoints, second)
        pointer = read_pointer(room.project.checkpoints)
        assert pointer is not None and second in pointer.previous, "it is in use, and was before"
        assert earlier_champions(room.project) == (third, first)
        champion = load_champion(room.project.checkpoints)
        assert champion is not None
        bands = ChampionBands.of(room.project, champion)
        assert [one.predictor.checkpoint_id for one in bands.drawing.others] == [third, first]
    with asking(trained, acquisition="disagreement", checkpoints=2) as room:
        settings, checkpoints = room.project.settings, room.project.checkpoints
        assert len(drawing_of(settings, checkpoints, bands.predictor, bands.options).others) == 1
    with asking(trained) as room:
        assert earlier_champions(room.project) == (), "nothing depends on them"


@pytest.mark.parametrize("trouble", ["none", "gone", "damaged", "other resolution"])
def test_without_a_second_model_it_is_least_confidence_and_says_so(
    trained: Lab, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    with asking(trained, acquisition="disagreement") as room:
        first = room.champion
        assert first is not None
        folder = room.project.checkpoints / first
        if trouble == "other resolution":
            nets = load_checkpoint(folder).card.nets
            promote_another(room, 2.0, nets=tuple(replace(net, mpp=2 * net.mpp) for net in nets))
        elif trouble != "none":
            promote_another(room, 2.0)
        if trouble == "gone":
            shutil.rmtree(folder)
        if trouble == "damaged":
            for path in folder.iterdir():
                path.write_bytes(path.read_bytes()[:10])
        with caplog.at_level(logging.INFO, "scripts.loop.drawing"):
            found = predicted(room)
    assert found.overview is not None and found.overview.acquisition is Acquisition.LEAST_CONFIDENCE
    assert found.note is not None and found.note.startswith("chosen by least confidence")
    assert found.note in caplog.text
    path = trained.root / "slidebridge.toml"
    path.write_text(
        path.read_text("utf-8").replace("[propose]\n", '[propose]\nacquisition = "disagreement"\n'), "utf-8"
    )
    told = json.loads(trained.run("propose", "--explain", "--json").stdout)["slides"][0]
    assert (told["acquisition"], told["shortage"]) == ("least_confidence", found.note)
    assert all(box["reason"] == "uncertain Blob / Background" for box in told["boxes"])


def test_what_is_kept_goes_by_the_models_that_were_asked(trained: Lab) -> None:
    with asking(trained, acquisition="disagreement") as room:
        reading = room.pull().slides[0].reading
        names = [
            key_of(reading, "a" * 16, room.project.settings, earlier) for earlier in ((), ("b" * 16,), ("c" * 16,))
        ]
        assert len(set(names)) == 3
        first_of_all = {key_of(reading, None, room.project.settings, earlier) for earlier in ((), ("b" * 16,))}
        assert len(first_of_all) == 1, "before the first model there is nothing to compare"


def test_boxes_by_chance_cost_one_prediction_whatever_the_score(trained: Lab) -> None:
    keys = set()
    for method, others in (("adaptive", 2), ("random", 0)):
        with asking(trained, acquisition="bald", draws=3, method=method) as room:
            champion = load_champion(room.project.checkpoints)
            assert champion is not None
            assert len(ChampionBands.of(room.project, champion).drawing.others) == others
            keys.add(key_of(room.pull().slides[0].reading, champion.id, room.project.settings))
    assert len(keys) == 2, "scores that are wanted later are made then"


def test_words_in_the_tool_say_how_a_box_was_chosen(trained: Lab) -> None:
    path = trained.root / "slidebridge.toml"
    path.write_text(
        path.read_text("utf-8").replace("[propose]\n", '[propose]\nacquisition = "bald"\ndraws = 2\n'), "utf-8"
    )
    assert trained.run("propose").exit_code == 0
    assert 'Text="#1 model contradicts itself on Blob / Background, ' in trained.xml.read_text("utf-8")
