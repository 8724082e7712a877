"""Several processes, started by torchrun, train as one does: the same steps, the same end, the same state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ranked_trainings
import torch
import torch.distributed as dist
from ranked_trainings import DESIGNS, after, nothing_dropped, paint, read, run_together, train, trained

from models.training import Ranks

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not dist.is_available() or not dist.is_gloo_available(), reason="this build of torch has no gloo"
    ),
]
ALONE = Ranks()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left of all their trainings, one launch for all: starting torch takes longer than these."""
    folder = tmp_path_factory.mktemp("ranks")
    paint(folder / "discs.png")
    train(folder / "discs.png", "deepzoom", ALONE, stop=after(3), resume_folder=folder / "alone")
    ended = run_together(str(folder), "arithmetic", "designs", "stopped", "resumed", "failing", "killed")
    assert (folder / "lost").is_file(), ended.stderr[-3000:]  # all went well up to the last, which loses a process
    assert ended.returncode != 0
    return folder


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> Any:
    return trained(train(folder / "discs.png", "deepzoom", ALONE))


def assert_same(found: ranked_trainings.Trained, wanted: ranked_trainings.Trained, tolerance: float) -> None:
    assert found.losses.keys() == wanted.losses.keys()
    for net, losses in wanted.losses.items():
        assert found.losses[net] == pytest.approx(losses, abs=tolerance), net
    assert found.weights.keys() == wanted.weights.keys()
    for key, weights in wanted.weights.items():
        assert torch.allclose(found.weights[key].float(), weights.float(), atol=10 * tolerance), key


def test_gradients_and_statistics_are_those_of_the_whole_batch(folder: Path) -> None:
    assert [float((folder / f"arithmetic-{rank}").read_text()) < 1e-12 for rank in range(2)] == [True, True]


@pytest.mark.parametrize("name", ["deepzoom", "weak", "weak at once"])
def test_two_processes_take_the_steps_of_one(folder: Path, name: str) -> None:
    # Three tiles on two processes, and of three only one has a mask where there are patch labels: shares are uneven,
    # and one is empty. What is left is the order of sums.
    wanted = trained(train(folder / "discs.png", name, ALONE))
    assert_same(read(folder, name), wanted, 1e-5)


@pytest.mark.parametrize("name", ["patchwise", "refinement", "hybrid"])
def test_two_processes_take_the_steps_of_one_but_for_dropout(folder: Path, name: str) -> None:
    # These nets have biases before a normalization, whose gradient is rounding alone: AdamW makes steps of it all the
    # same. So the first step is equal, and what follows is near.
    with nothing_dropped():
        wanted = trained(train(folder / "discs.png", name, ALONE))
    found = read(folder, name)
    for net, losses in wanted.losses.items():
        assert found.losses[net][0] == pytest.approx(losses[0], abs=2e-5), net
        assert found.losses[net] == pytest.approx(losses, abs=1e-2), net


@pytest.mark.parametrize("name", DESIGNS)
def test_all_processes_end_with_the_same_weights(folder: Path, name: str) -> None:
    first, second = (read(folder, name, rank).weights for rank in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_one_goes_on_with_what_two_began(folder: Path, unbroken: Any, tmp_path: Path) -> None:
    assert [(folder / f"stopped-{rank}").read_text() for rank in range(2)] == ["False 3"] * 2
    found = trained(train(folder / "discs.png", "deepzoom", ALONE, resume_folder=folder / "state"))
    assert_same(found, unbroken, 1e-5)


def test_two_go_on_with_what_one_began(folder: Path, unbroken: Any) -> None:
    assert_same(read(folder, "resumed"), unbroken, 1e-5)


def test_what_fails_in_one_fails_in_all_and_they_go_on_together(folder: Path, unbroken: Any) -> None:
    said = [(folder / f"failed-{rank}").read_text() for rank in range(2)]
    assert said == ["DamagedSlideError one a block is damaged"] * 2
    assert_same(read(folder, "after"), unbroken, 1e-5)


def test_a_process_that_dies_costs_no_more_than_what_was_not_kept(folder: Path, unbroken: Any) -> None:
    assert (folder / "lost").read_text().startswith("ProcessLostError: another process of the training is gone")
    found = trained(train(folder / "discs.png", "deepzoom", ALONE, resume_folder=folder / "killed"))
    assert_same(found, unbroken, 1e-5)
    assert found.losses["high"][:4] != unbroken.losses["high"][:4]  # from the state, not from the start
