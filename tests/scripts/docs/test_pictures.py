"""The pictures show what is in the file, in its colours, and stay small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import Annotation, Layer
from scripts.docs.pictures import SCALE, SIDE, beside, draw, save

WHITE = np.full((SIDE + 200, SIDE, 3), 255, np.uint8)


def at(picture: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """Return the colour at a place of the slide."""
    found = picture.getpixel((round(x * SCALE), round(y * SCALE)))
    assert isinstance(found, tuple)
    return found


def test_outlines_have_their_place_and_the_files_colours() -> None:
    drawn = Annotation("1", shapely.box(100, 100, 300, 200), "Tumor", color=(200, 0, 0))
    layered = Annotation("2", shapely.box(500, 500, 700, 700), "Nuclei", layer=Layer("Nuclei", "3", (0, 255, 0)))
    own = Annotation("3", shapely.box(100, 800, 200, 900), "Tumor", color=(200, 0, 0), own_color=(0, 0, 255))
    picture = draw(WHITE, [drawn, layered, own])
    assert picture.size == (round(SIDE * SCALE),) * 2
    assert at(picture, 100, 150) == (200, 0, 0)
    assert at(picture, 700, 600) == (0, 255, 0)
    assert at(picture, 150, 900) == (0, 0, 255)
    assert at(picture, 200, 150) == (255, 255, 255)


def test_boxes_say_their_words_and_lie_on_top() -> None:
    box = Annotation("1", shapely.box(300, 300, 600, 600), "Proposed", name="#2 random, 0.00", color=(255, 200, 0))
    under = Annotation("2", shapely.box(300, 300, 600, 601), "Tumor: Predicted", color=(200, 0, 0))
    picture = draw(WHITE, [box, under])
    assert at(picture, 300, 500) == (255, 200, 0)
    words = np.asarray(picture.crop([round(v * SCALE) for v in (306, 306, 450, 330)]))
    assert (words == 0).all(axis=2).any() and (words == 255).all(axis=2).any()


def test_two_pictures_lie_beside_each_other() -> None:
    pair = beside(Image.new("RGB", (100, 100), (255, 0, 0)), Image.new("RGB", (100, 100), (0, 0, 255)))
    assert pair.getpixel((5, 5)) == (255, 0, 0) and pair.getpixel((pair.width - 5, 5)) == (0, 0, 255)


def test_a_picture_that_can_not_be_made_small_is_refused(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    assert save(noise, tmp_path / "a.webp").stat().st_size < 10_000
    with pytest.raises(ValueError, match="make SCALE less"):
        save(noise, tmp_path / "b.webp", most_bytes=500)
