"""A slide of another stain is said once a champion, kept with its prediction, and stays in status."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from learn_support import NOW, Classroom, classroom
from PIL import Image

from bridge.slides import open_slide, write_pyramid
from bridge.store import LookRecord
from lab_support import MPP, SIDE, Lab, labelled
from models.checkpoints import Checkpoint, SlideLineage
from models.inference import Unlikeness
from scripts.loop.learn import load_project_champion
from scripts.loop.looks import tell_look
from scripts.loop.slide_jobs import ChampionBands, predict_one, prediction_cache
from tiny_checkpoint import CARD

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
            tell_look(room.store, state.key, state.reading.entry.name, kept.unlikeness, champion, NOW)
    said = [record.getMessage() for record in caplog.records if WORDS in record.getMessage()]
    assert len(said) == 1 and said[0].startswith("slide=other") and said[0].endswith("label a box on it")
    facts = {slide["name"]: slide["unlikeness"] for slide in json.loads(lab.run("status", "--json").stdout)["slides"]}
    assert sorted(found["is_far"] for found in facts.values()) == [False, True]
    lines = [line for line in lab.run("status").stdout.splitlines() if WORDS in line]
    assert len(lines) == 1 and "other" in lines[0]


def _checkpoint(checkpoint_id: str, iteration: int = 1, **lineage: SlideLineage) -> Checkpoint:
    return Checkpoint(checkpoint_id, replace(CARD, iteration=iteration, lineage=lineage), {})


def test_another_champion_says_it_again(lab: Lab) -> None:
    found, near = Unlikeness(9.0, 32, 1), Unlikeness(1.0, 32, 1)
    with classroom(lab) as room:
        given = [("a", found), ("a", found), ("b", found), ("b", None), ("b", near)]
        said = [tell_look(room.store, "s", "case", one, _checkpoint(champion), NOW) for champion, one in given]
        assert [line is not None for line in said] == [True, True, True, False, False]
        assert not room.store.record_look(LookRecord("s", "b", 9.0, True, NOW))
        assert room.store.record_look(LookRecord("s", "c", 9.0, True, NOW))
        assert [look.checkpoint_id for look in room.store.looks()] == ["c"]


@pytest.mark.parametrize(
    ("champion", "is_told"),
    [
        (_checkpoint("a", s=SlideLineage(objects=1)), False),
        (_checkpoint("a", s=SlideLineage(areas=1)), False),
        (_checkpoint("a", s=SlideLineage(patch_labels=1)), False),
        (_checkpoint("a", s=SlideLineage(revision="held out")), True),
        (_checkpoint("a", other=SlideLineage(objects=1)), True),
        (_checkpoint("a", iteration=0, s=SlideLineage(objects=1)), True),
    ],
    ids=["objects", "areas", "patches", "judged-only", "another-slide", "another-project"],
)
def test_a_slide_that_taught_the_model_is_never_unlike(lab: Lab, champion: Checkpoint, is_told: bool) -> None:
    with classroom(lab) as room:
        line = tell_look(room.store, "s", "case", Unlikeness(9.0, 32, 1), champion, NOW)
        assert (line is not None) is is_told
        assert [look.is_far for look in room.store.looks()] == [is_told]
