from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bridge.annotations import Part
from bridge.coords import Window
from bridge.slides import TissueMask
from models.checkpoints import load_resume_state
from models.data import (
    Augmentation,
    AugmentationOptions,
    ClusterOptions,
    PatchOptions,
    SamplingOptions,
    TileDataset,
    TissueClusters,
    TreeSampler,
    index_patches,
)
from models.losses import cluster_weighted_cross_entropy, cwce_equation_one
from models.nets import CENTRED, PlainEncoder
from models.training.patch_task import PatchBatch, PatchLoss, PatchTask, make_patch_judge
from models.training.tissue_kinds import ClusterSearch, TissueKinds, find_clusters, patch_features, read_patches

OPTIONS = PatchOptions(patch_px=32, stride_px=16, min_class=0.2)
EVERYWHERE = TissueMask(np.ones((128, 192), bool), Window(0, 0, 192, 128))
SEARCH = ClusterSearch(ClusterOptions(count=3, restarts=2), batches=4, batch_size=8)
CPU = torch.device("cpu")


class Linear(nn.Module):
    """Scores from the mean colour: what a patch classifier is, in one layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(3, 3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.layer(pixels.mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    torch.manual_seed(3)
    return PlainEncoder((4, 6)).eval()


def sampler_of(slides: Any, ground: Any, part: Part = Part.TRAINING) -> TreeSampler:
    index = index_patches(slides[0], ground.scheme, 0.5, OPTIONS, part, tissue=EVERYWHERE)
    return TreeSampler([index], {}, tile_px=32, options=SamplingOptions(jitter=0.0), seed=2)


@pytest.fixture(scope="module")
def sampler(disc_slides: Any, ground: Any) -> TreeSampler:
    return sampler_of(disc_slides, ground)


@pytest.fixture(scope="module")
def dataset(disc_slides: Any, ground: Any) -> TileDataset:
    return TileDataset(disc_slides, ground.scheme, 0.5)


@pytest.fixture(scope="module")
def kinds(encoder: nn.Module, dataset: TileDataset, sampler: TreeSampler) -> TissueKinds:
    return TissueKinds(encoder, CENTRED, find_clusters(encoder, CENTRED, dataset, sampler, SEARCH, seed=0))


def task_of(dataset: TileDataset, sampler: TreeSampler, loss: PatchLoss, kinds: Any, **changes: Any) -> PatchTask:
    how = {"batch_size": 12, "seed": 4, "device": CPU} | changes
    augmentation = Augmentation(replace(AugmentationOptions(), warp_share=0.0))
    return PatchTask(dataset, sampler, augmentation, CENTRED, loss=loss, kinds=kinds, **how)


def test_a_batch_holds_patches_with_the_label_they_were_drawn_for(dataset: TileDataset, sampler: TreeSampler) -> None:
    unchanged = Augmentation(AugmentationOptions.none())
    task = PatchTask(
        dataset, sampler, unchanged, CENTRED, loss=PatchLoss.CE, kinds=None, device=CPU, batch_size=9, seed=0
    )
    batch = task.make(5)
    for pixels, label, spot in zip(batch.pixels, batch.labels, sampler.batch(5, 9), strict=True):
        tile = dataset.read(spot.slide_key, spot.window)
        assert torch.allclose(pixels, torch.from_numpy(tile.pixels).permute(2, 0, 1).float(), atol=1e-3)
        share = (tile.labels == int(label)).mean()
        assert share > OPTIONS.min_class if label else (tile.labels[tile.labels != 255] == 0).all()


def test_a_batch_depends_on_its_step_alone(dataset: TileDataset, sampler: TreeSampler) -> None:
    task = task_of(dataset, sampler, PatchLoss.CE, None)
    first, again, other = task.make(3), task.make(3), task.make(4)
    assert torch.equal(first.pixels, again.pixels) and torch.equal(first.labels, again.labels)
    assert not torch.equal(first.pixels, other.pixels)


def test_one_patch_is_changed_anew_in_each_step(dataset: TileDataset, sampler: TreeSampler) -> None:
    class OneSpot:
        def batch(self, step: int, size: int) -> Any:
            return sampler.batch(0, 1) * size

    task = task_of(dataset, OneSpot(), PatchLoss.CE, None, batch_size=2)  # type: ignore[arg-type]
    patches = [patch for step in range(3) for patch in task.make(step).pixels]
    assert len({patch.numpy().tobytes() for patch in patches}) == 6


def loss_of(task: PatchTask, net: nn.Module, batch: PatchBatch) -> torch.Tensor:
    (loss,) = task.losses(net, batch)
    return loss


def test_each_loss_is_the_one_of_its_name(dataset: TileDataset, sampler: TreeSampler, kinds: TissueKinds) -> None:
    net = Linear()
    batch = task_of(dataset, sampler, PatchLoss.CE, None).make(0)
    scores = net((batch.pixels - 127) / 128)
    clusters = kinds(batch.pixels)
    assert min(len(set(found.tolist())) for found in (clusters, batch.labels)) > 1
    expected = {
        PatchLoss.CE: functional.cross_entropy(scores, batch.labels),
        PatchLoss.CWCE: cluster_weighted_cross_entropy(scores, batch.labels, clusters, n_clusters=3),
        PatchLoss.CWCE_EQUATION_ONE: cwce_equation_one(scores, batch.labels, clusters),
    }
    found = {loss: loss_of(task_of(dataset, sampler, loss, kinds), net, batch) for loss in PatchLoss}
    for loss in PatchLoss:
        assert torch.allclose(found[loss], expected[loss], atol=1e-6)
    assert len({round(value.item(), 4) for value in found.values()}) == 3


def test_the_encoder_that_tells_the_kinds_is_never_trained(
    dataset: TileDataset, sampler: TreeSampler, kinds: TissueKinds, encoder: nn.Module
) -> None:
    net = Linear()
    task = task_of(dataset, sampler, PatchLoss.CWCE, kinds)
    loss_of(task, net, task.make(0)).backward()
    assert all(parameter.grad is None for parameter in encoder.parameters())
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_kinds_tell_patches_by_what_they_show(kinds: TissueKinds) -> None:
    dark, pale = (torch.full((2, 3, 32, 32), value) for value in (60.0, 230.0))
    found = kinds(torch.cat((dark, pale)))
    assert found[0] == found[1] != found[2] == found[3]


def test_clusters_are_those_of_the_encoders_mean_features(
    encoder: nn.Module, dataset: TileDataset, sampler: TreeSampler, kinds: TissueKinds
) -> None:
    spots = [spot for number in range(4) for spot in sampler.batch(2**40 + number, 8)]
    pixels = torch.from_numpy(read_patches(dataset, spots)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        features = encoder((pixels - 127) / 128)[-1].mean(dim=(2, 3)).numpy()
    expected = TissueClusters.fit(features, seed=0, options=SEARCH.options)
    assert np.allclose(kinds.clusters.centres, expected.centres, atol=1e-5)


def test_clusters_are_kept_and_taken_up_as_they_were(
    encoder: nn.Module, dataset: TileDataset, sampler: TreeSampler, tmp_path: Path
) -> None:
    def find(**changes: Any) -> TissueClusters:
        how = {"seed": 0, "folder": tmp_path, "key": "net"} | changes
        return find_clusters(encoder, CENTRED, dataset, sampler, SEARCH, **how)

    first = find()
    other_encoder = PlainEncoder((4, 6)).eval()  # would find others: what is taken up is what was kept
    kept = find_clusters(other_encoder, CENTRED, dataset, sampler, SEARCH, seed=0, folder=tmp_path, key="net")
    assert kept.to_bytes() == first.to_bytes()
    anew = find_clusters(other_encoder, CENTRED, dataset, sampler, SEARCH, seed=0, folder=tmp_path, key="another net")
    assert anew.to_bytes() != first.to_bytes()


def test_damaged_clusters_are_found_again(
    encoder: nn.Module, dataset: TileDataset, sampler: TreeSampler, tmp_path: Path
) -> None:
    first = find_clusters(encoder, CENTRED, dataset, sampler, SEARCH, seed=0, folder=tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-9])
    assert find_clusters(encoder, CENTRED, dataset, sampler, SEARCH, seed=0, folder=tmp_path).to_bytes() == (
        first.to_bytes()
    )
    assert load_resume_state(tmp_path, "of another") is None


def test_fewer_patches_than_clusters_are_fewer_clusters(
    encoder: nn.Module, dataset: TileDataset, sampler: TreeSampler
) -> None:
    few = ClusterSearch(ClusterOptions(count=10), batches=1, batch_size=4)
    assert 1 <= find_clusters(encoder, CENTRED, dataset, sampler, few, seed=0).count <= 4


def test_the_judge_is_the_mean_loss_of_what_the_tree_draws(judged_slides: Any, ground: Any) -> None:
    sampler = sampler_of(judged_slides, ground, Part.HOLD_OUT)
    dataset = TileDataset(judged_slides, ground.scheme, 0.5, Part.HOLD_OUT)
    judge = make_patch_judge(dataset, sampler, CENTRED, patches=40, batch_size=7)
    net = Linear()
    spots = sampler.batch(0, 40)
    assert len(set(spots)) < 40
    assert all(spot.window.x >= 128 - 16 for spot in spots)
    pixels = torch.from_numpy(read_patches(dataset, spots)).permute(0, 3, 1, 2).float()
    labels = torch.tensor([spot.label for spot in spots])
    with torch.no_grad():
        expected = float(functional.cross_entropy(net((pixels - 127) / 128), labels))
    assert judge(net) == pytest.approx(expected, abs=1e-5)


def test_features_are_finite_and_one_row_a_patch(encoder: nn.Module) -> None:
    assert patch_features(encoder, CENTRED, torch.zeros(3, 3, 32, 32)).shape == (3, 6)


@pytest.mark.parametrize(("loss", "batch_size"), [(PatchLoss.CE, 1), (PatchLoss.CWCE, 4)])
def test_a_task_that_cannot_be_is_refused(
    dataset: TileDataset, sampler: TreeSampler, loss: PatchLoss, batch_size: int
) -> None:
    with pytest.raises(ValueError, match=r"two patches|kinds of tissue"):
        task_of(dataset, sampler, loss, None, batch_size=batch_size)
