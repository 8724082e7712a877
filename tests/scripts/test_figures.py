from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.metrics import Spread
from scripts.figures import bars, new_figure, save_figure


def drawn() -> object:
    figure = new_figure(3, 2)
    bars(figure.add_subplot(), ["a", "b"], [("one", [Spread(1.0, 0.1, 3), Spread(2.0, 0.2, 3)])])
    return figure


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_same_numbers_give_the_same_bytes(tmp_path: Path, kind: str) -> None:
    paths = [tmp_path / f"{number}.{kind}" for number in range(2)]
    for path in paths:
        save_figure(drawn(), path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"0.{kind}", f"1.{kind}"], "a part was left behind"


def test_picture_of_the_stated_size_shows_something(tmp_path: Path) -> None:
    save_figure(drawn(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (450, 300)
        assert np.ptp(np.asarray(picture.convert("L"))) > 100


def test_too_large_a_figure_leaves_nothing(tmp_path: Path) -> None:
    figure = new_figure()
    figure.add_subplot().scatter(*np.random.default_rng(0).random((2, 20_000)))
    with pytest.raises(ValueError, match=r"b\.svg has \d+ bytes; draw less"):
        save_figure(figure, tmp_path / "b.svg")
    assert not list(tmp_path.iterdir())
