from __future__ import annotations

import pytest
import torch

from models.nets import choose_device


def test_auto_gives_a_device_that_computes() -> None:
    assert torch.ones(2, device=choose_device()).sum().item() == 2


def test_unknown_names_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="write auto"):
        choose_device("quantum")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no cuda"):
        choose_device("cuda")
