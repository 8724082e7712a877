"""What the doctor gathers of the network that is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.config import load_settings
from scripts.doctor.facts import model_problem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        ({"model.encoder": "plain"}, None),
        ({"model.encoder": "monai/BasicUNet"}, None),
        ({"model.encoder": "resnet18", "model.pretrained": False}, None),
        ({"model.encoder": "resnet18"}, "no ImageNet weights of encoder resnet18"),
        ({"model.encoder": "resnet18", "model.weights": "gone.pth"}, "no weights file at gone.pth"),
        ({"model.design": "weak", "model.preset": "paper"}, None),
    ],
)
def test_a_network_that_can_not_be_begun_is_named(given: dict[str, object], said: str | None) -> None:
    found = model_problem(load_settings(None, {}, given).settings.model)
    assert (found is None) == (said is None)
    assert said is None or (said in str(found) and "; " in str(found))


def test_weights_that_are_there_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "r18.pth").touch()
    given: dict[str, object] = {"model.encoder": "resnet18", "model.weights": tmp_path / "r18.pth"}
    assert model_problem(load_settings(None, {}, given).settings.model) is None
