from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from models.checkpoints import (
    ResumeState,
    clear_resume_state,
    load_optimizer_tensors,
    load_resume_state,
    optimizer_tensors,
    save_resume_state,
)
from models.errors import CheckpointError


def state(step: int = 3, key: str = "run") -> ResumeState:
    return ResumeState(key, step, {"net/a": torch.arange(step)}, {"elapsed": 0.1 + 0.2, "best": None})


def test_state_comes_back_to_the_bit(tmp_path: Path) -> None:
    save_resume_state(tmp_path, state())
    loaded = load_resume_state(tmp_path, "run")
    assert loaded is not None
    assert (loaded.step, loaded.scalars) == (3, {"elapsed": 0.1 + 0.2, "best": None})
    assert torch.equal(loaded.tensors["net/a"], torch.arange(3))


def test_only_the_last_state_is_kept(tmp_path: Path) -> None:
    for step in (1, 2):
        save_resume_state(tmp_path, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resume-000002.safetensors", "resume.json"]


def test_a_state_of_other_inputs_is_not_taken_up(tmp_path: Path) -> None:
    save_resume_state(tmp_path, state(key="other"))
    assert load_resume_state(tmp_path, "run") is None
    assert load_resume_state(tmp_path / "nowhere", "run") is None


def test_a_crash_between_the_two_files_leaves_the_state_before(tmp_path: Path) -> None:
    save_resume_state(tmp_path, state(1))
    (tmp_path / "resume-000002.safetensors").write_bytes(b"half")
    loaded = load_resume_state(tmp_path, "run")
    assert loaded is not None
    assert loaded.step == 1


def test_cleared_state_is_gone(tmp_path: Path) -> None:
    save_resume_state(tmp_path, state())
    clear_resume_state(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"tensors": "../secret"}, {"sha256": "0"}, {"scalars": 5}, {"step": "x"}])
def test_a_damaged_state_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    save_resume_state(tmp_path, state())
    path = tmp_path / "resume.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match="delete it"):
        load_resume_state(tmp_path, "run")


def test_an_optimizer_goes_on_as_if_never_stopped() -> None:
    def step(net: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        net(torch.ones(1, 2)).square().sum().backward()
        optimizer.step()

    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    one, two = (torch.optim.AdamW(net.parameters(), lr=0.1) for net in (first, second))
    step(first, one)
    second.load_state_dict(first.state_dict())
    load_optimizer_tensors(two, optimizer_tensors(one))
    step(first, one)
    step(second, two)
    assert torch.equal(first.weight, second.weight)
