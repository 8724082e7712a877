"""What a slide that can't be read does to a training: as little as possible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learn_support import classroom

from bridge.errors import BridgeError, SlideError
from bridge.slides import Slide
from bridge.store import RunState
from lab_support import Lab, draw_slide, labelled, xml_of
from models.checkpoints import load_checkpoint
from scripts.loop.learn import RunKind


class _Damaged(Slide):
    """A slide that can be opened and, from some moment on, not read."""

    def __init__(self, slide: Slide) -> None:
        super().__init__(slide.path, slide.pyramid, slide.properties)
        self._slide = slide

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Any:
        raise SlideError(f"slide {self.path}: a tile is cut")

    def close(self) -> None:
        self._slide.close()


@pytest.fixture
def damage(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Damage the pixels of slides by name, as a training opens them."""
    from scripts.loop import training_slides

    names: set[str] = set()
    open_slide = training_slides.open_slide

    def opens(path: Path, **options: Any) -> Slide:
        slide = open_slide(path, **options)
        return _Damaged(slide) if path.name in names else slide

    monkeypatch.setattr(training_slides, "open_slide", opens)
    return names.add


def _second_slide(lab: Lab) -> None:
    draw_slide(lab.root / "other.tif", seed=1)
    (lab.root / "other.xml").write_bytes(xml_of(labelled(1)))


def test_a_damaged_slide_is_left_out_and_named(lab: Lab, damage: Callable[[str], None]) -> None:
    lab.set("\n[holdout]\nfraction = 0.0\n")
    lab.write(labelled())
    _second_slide(lab)
    damage("other.tif")
    with classroom(lab) as room:
        done = room.learn()
        states = {state.reading.slide_path.name: state.key for state in room.pull().slides}
        assert done.iteration == 1
        assert len(done.warnings) == 1 and done.warnings[0].startswith("other.tif: left out")
        assert room.store.learned(states["case.tif"]) and not room.store.learned(states["other.tif"])
        assert done.is_promoted
        card = load_checkpoint(room.project.checkpoints / str(room.champion)).card
        assert set(card.data_hashes) == {states["case.tif"]}
        assert room.learn().iteration is None, "the same labels are not tried again and again"


def test_a_training_whose_only_slide_is_damaged_fails(lab: Lab, damage: Callable[[str], None]) -> None:
    lab.write(labelled())
    damage("case.tif")
    with classroom(lab) as room:
        with pytest.raises(BridgeError, match="a tile is cut"):
            room.learn()
        assert room.store.runs()[-1].state is RunState.FAILED
        assert room.champion is None


def test_a_hold_out_that_cant_be_read_keeps_the_champion(lab: Lab, damage: Callable[[str], None]) -> None:
    lab.set("\n[holdout]\nfraction = 0.5\n")
    lab.set("\n[schedule]\nmax_steps = 3\n")
    lab.write(labelled())
    _second_slide(lab)
    with classroom(lab) as room:
        assert room.learn().is_promoted
        champion = room.champion
        held = [s for s in room.pull().slides if s.plan.hold_out]
        assert len(held) == 1
        damage(held[0].reading.slide_path.name)
        done = room.learn(kind=RunKind.NIGHTLY)
        assert done.reason == "the model before stays in use; what is held out to judge by can't be read"
        assert room.champion == champion
