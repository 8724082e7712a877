"""A slide of another stain is said once a champion, kept with its prediction, and stays in status."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import numpy as np
import pytest
from learn_support import NOW, Classroom, classroom
from PIL import Image

from bridge.slides import open_slide, write_pyramid
from bridge.store import LookRecord
from lab_support import MPP, SIDE, Lab, labelled
from scripts.loop.learn import load_project_champion
from scripts.loop.looks import tell_look
from scripts.loop.slide_jobs import ChampionBands, predict_one, prediction_cache

WORDS = "looks unlike anything the model was trained on"


def stain_otherwise(lab: Lab) -> None:
    """Add a slide that looks like the lab's in another stain."""
    with open_slide(lab.slide) as slide:
        colors = np.array(Image.fromarray(slide.read_level(0, 0, 0, SIDE, SIDE)).convert("HSV"))
    colors[..., 0] += 40
    write_pyramid(lab.root / "other.tif", np.array(Image.fromarray(colors, "HSV").convert("RGB")), (MPP, MPP))


@pytest.fixture
def room(lab: Lab) -> Iterator[Classroom]:
    lab.write(labelled())
    with classroom(lab) as opened:
        opened.learn()
        stain_otherwise(lab)
        yield opened


def test_another_stain_is_said_once_and_never_blocks(
    lab: Lab, room: Classroom, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING, "scripts.loop.looks"):
        result = lab.run("predict")
        assert result.exit_code == 0 and f"other: {WORDS}" in result.stdout.replace("other.tif", "other")
        monkeypatch.setattr("scripts.loop.slide_jobs.measure_unlikeness", None)  # kept: it isn't measured again
        assert lab.run("predict", "--json").exit_code == 0
        pulled = room.pull()
        champion = load_project_champion(room.project)
        assert champion is not None
        bands = ChampionBands.of(room.project, champion)
        for state in pulled.slides:
            kept = predict_one(room.project, state, bands, prediction_cache(room.project))
            assert kept is not None and kept.unlikeness is not None
            tell_look(room.store, state.key, state.reading.entry.name, kept.unlikeness, champion.id, NOW)
    said = [record.getMessage() for record in caplog.records if WORDS in record.getMessage()]
    assert len(said) == 1 and said[0].startswith("slide=other") and said[0].endswith("label a box on it")
    facts = {slide["name"]: slide["unlikeness"] for slide in json.loads(lab.run("status", "--json").stdout)["slides"]}
    assert sorted(found["is_far"] for found in facts.values()) == [False, True]
    lines = [line for line in lab.run("status").stdout.splitlines() if WORDS in line]
    assert len(lines) == 1 and "other" in lines[0]


def test_another_champion_says_it_again(lab: Lab) -> None:
    from models.inference import Unlikeness

    found = Unlikeness(9.0, 32, 1)
    with classroom(lab) as room:
        given = [("a", found), ("a", found), ("b", found), ("b", None), ("b", Unlikeness(1.0, 32, 1))]
        said = [tell_look(room.store, "s", "case", one, champion, NOW) for champion, one in given]
        assert [line is not None for line in said] == [True, True, True, False, False]
        assert not room.store.record_look(LookRecord("s", "b", 9.0, True, NOW))
        assert room.store.record_look(LookRecord("s", "c", 9.0, True, NOW))
        assert [look.checkpoint_id for look in room.store.looks()] == ["c"]
