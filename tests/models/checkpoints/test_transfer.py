from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.checkpoints import (
    Card,
    Checkpoint,
    NetCard,
    NetRole,
    load_champion,
    load_transfer,
    promote_champion,
    prune_checkpoints,
    save_checkpoint,
    take_over,
    with_class_order,
    with_role,
)
from models.errors import CheckpointError
from models.nets import CENTRED, EncoderName, LabelHead, NetKind, NetOptions, build_net

TINY = NetOptions(
    encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4, pretrained=False
)
CLASSES = ("Background", "Tumor", "Stroma", "Necrosis")


def checkpoint(names: tuple[str, ...] = CLASSES, *, seed: int = 0, options: NetOptions = TINY) -> Checkpoint:
    card = Card("deepzoom", (NetCard(NetRole.HIGH, options, names, 0.5, 64, CENTRED),), iteration=7, metrics={"a": 1})
    return Checkpoint.of(card, with_role(build_net(options, len(names), seed=seed).state_dict(), NetRole.HIGH))


def scores(of: Checkpoint) -> dict[str, torch.Tensor]:
    pixels = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = of.build()(pixels)[0]
    return dict(zip(of.card.class_names, found, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.permutations(("Tumor", "Stroma", "Necrosis", "Vessel")), st.integers(0, 4))
def test_another_order_of_classes_changes_no_score(order: list[str], count: int) -> None:
    before = checkpoint()
    after = with_class_order(before, ("Background", *order[:count]))
    expected = [name for name in order[:count] if name in CLASSES]
    assert after.card.class_names[: len(expected) + 1] == ("Background", *expected)
    assert set(after.card.class_names) == set(CLASSES)
    found = scores(after)
    assert all(torch.equal(found[name], plane) for name, plane in scores(before).items())
    assert after.id == before.id


def test_a_label_head_is_reordered_with_its_classes() -> None:
    options = replace(TINY, kind=NetKind.WEAK, label_head=LabelHead.TABLE_A3)
    before = checkpoint(CLASSES[:3], options=options)
    after = with_class_order(before, ("Background", "Stroma", "Tumor"))
    pixels = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        theirs, ours = before.build().classify(pixels), after.build().classify(pixels)  # type: ignore[operator]
    assert torch.allclose(theirs[:, [0, 2, 1]], ours, atol=1e-6)


def test_the_checkpoint_becomes_iteration_0_and_the_champion(tmp_path: Path) -> None:
    source = checkpoint()
    found = take_over(source, tmp_path, ("Background", "Necrosis", "Stroma", "Tumor", "Vessel"))
    champion, transfer = load_champion(tmp_path), load_transfer(tmp_path)
    assert champion is not None
    assert transfer is not None
    assert champion.id == transfer.id == found.id
    assert (champion.card.iteration, champion.card.parent, champion.card.metrics) == (0, source.id, {})
    assert champion.card.class_names == ("Background", "Necrosis", "Stroma", "Tumor")
    assert (found.shared, found.fresh, found.dropped) == (("Necrosis", "Stroma", "Tumor"), ("Vessel",), ())
    assert torch.equal(scores(champion)["Necrosis"], scores(source)["Necrosis"])


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    take_over(checkpoint(), tmp_path, CLASSES)
    before = files()
    take_over(checkpoint(), tmp_path, CLASSES)
    assert files() == before


@pytest.mark.parametrize("wanted", [("Background",), ("Background", "Tumor"), ("Background", "Vessel")])
def test_what_finds_classes_that_the_project_lacks_predicts_nothing_there(
    tmp_path: Path, wanted: tuple[str, ...]
) -> None:
    found = take_over(checkpoint(), tmp_path, wanted)
    assert not found.is_champion
    assert load_champion(tmp_path) is None
    transfer = load_transfer(tmp_path)
    assert transfer is not None
    assert transfer.id == found.id


def test_a_trained_champion_stays_and_an_earlier_transfer_goes(tmp_path: Path) -> None:
    take_over(checkpoint(seed=1), tmp_path, CLASSES)
    second = take_over(checkpoint(seed=2), tmp_path, CLASSES)
    champion = load_champion(tmp_path)
    assert champion is not None
    assert champion.id == second.id
    trained = checkpoint(seed=3)
    save_checkpoint(tmp_path, trained.weights, trained.card)
    promote_champion(tmp_path, trained.id)
    third = take_over(checkpoint(seed=4), tmp_path, CLASSES)
    champion, transfer = load_champion(tmp_path), load_transfer(tmp_path)
    assert champion is not None
    assert transfer is not None
    assert (champion.id, transfer.id, third.is_champion) == (trained.id, third.id, False)


def test_transfer_weights_are_never_pruned(tmp_path: Path) -> None:
    found = take_over(checkpoint(), tmp_path, ("Background", "Tumor"))
    for seed in range(1, 7):
        trained = checkpoint(seed=seed)
        save_checkpoint(tmp_path, trained.weights, trained.card)
        promote_champion(tmp_path, trained.id)
    assert len(prune_checkpoints(tmp_path, 0)) == 3
    transfer = load_transfer(tmp_path)
    assert transfer is not None
    assert transfer.id == found.id


def test_weights_that_no_net_can_run_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    source = checkpoint()
    broken = {key: value.clone() for key, value in source.weights.items()}
    broken["high.head.bias"][1] = torch.nan
    with pytest.raises(CheckpointError, match=r"high\.head\.bias holds numbers that are not finite"):
        take_over(Checkpoint.of(source.card, broken), tmp_path, CLASSES)
    del broken["high.head.bias"]
    with pytest.raises(CheckpointError, match="don't fit its card"):
        take_over(Checkpoint.of(source.card, broken), tmp_path, CLASSES)
    assert not any(tmp_path.iterdir())
