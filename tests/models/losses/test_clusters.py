from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses import cluster_weighted_cross_entropy, cwce_equation_one

IGNORE = 255


def scores_of(probabilities: list[float]) -> torch.Tensor:
    """Scores of two classes that give the first these probabilities."""
    first = torch.tensor(probabilities, dtype=torch.float64)
    return torch.stack((first, 1 - first), dim=1).log()


def plain_loops(scores: torch.Tensor, labels: torch.Tensor, clusters: torch.Tensor) -> float:
    """The definition, sample by sample."""
    class_means = []
    for label in sorted(set(labels.tolist()) - {IGNORE}):
        cluster_means = []
        for cluster in sorted(set(clusters[labels == label].tolist())):
            rows = [i for i in range(len(labels)) if labels[i] == label and clusters[i] == cluster]
            cluster_means.append(np.mean([-scores[i].log_softmax(0)[label].item() for i in rows]))
        class_means.append(np.mean(cluster_means))
    return float(np.mean(class_means)) if class_means else 0.0


def test_a_batch_worked_by_hand() -> None:
    # class 0: cluster 0 holds p = 1/2, 1/8; cluster 3 holds 1/2. class 1: cluster 0 holds p = 1/4 (1 − 3/4).
    scores = scores_of([1 / 2, 1 / 8, 1 / 2, 3 / 4])
    labels, clusters = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 3, 0])
    bits = (((1 + 3) / 2 + 1) / 2 + 2) / 2  # 1.75
    value = cluster_weighted_cross_entropy(scores, labels, clusters, n_clusters=10).item()
    assert value == pytest.approx(bits * math.log(2))
    assert cwce_equation_one(scores, labels, clusters).item() == pytest.approx((1 + 3 + 1 + 2) / 2 * math.log(2))


def test_the_gradient_worked_by_hand() -> None:
    scores = scores_of([1 / 2, 1 / 8, 1 / 2, 3 / 4]).requires_grad_()
    labels, clusters = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 3, 0])
    cluster_weighted_cross_entropy(scores, labels, clusters, n_clusters=4).backward()
    # (p_first − 1) for class 0 and p_first for class 1, times 1/2 (classes) · 1/|K_c| · 1/patches in the cluster
    shares = torch.tensor([1 / 8, 1 / 8, 1 / 4, 1 / 2], dtype=torch.float64)
    expected = shares * torch.tensor([-1 / 2, -7 / 8, -1 / 2, 3 / 4], dtype=torch.float64)
    assert scores.grad is not None
    assert torch.allclose(scores.grad[:, 0], expected)
    assert torch.allclose(scores.grad.sum(dim=1), torch.zeros(4, dtype=torch.float64), atol=1e-12)


labels_and_clusters = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, IGNORE]), st.integers(0, 4)), min_size=1, max_size=12
)


@given(labels_and_clusters, st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_it_is_the_mean_of_means_whatever_is_absent(pairs: list[tuple[int, int]], seed: int) -> None:
    labels, clusters = (torch.tensor(column) for column in zip(*pairs, strict=True))
    scores = torch.randn(len(pairs), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    value = cluster_weighted_cross_entropy(scores, labels, clusters, n_clusters=5).item()
    assert value == pytest.approx(plain_loops(scores, labels, clusters))


def test_many_patches_of_one_kind_weigh_no_more_than_few() -> None:
    scores = scores_of([0.9, 0.2, 0.4])
    labels, clusters = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    often = torch.tensor([0] * 50 + [1, 2])
    value = cluster_weighted_cross_entropy(scores, labels, clusters, n_clusters=2).item()
    repeated = cluster_weighted_cross_entropy(scores[often], labels[often], clusters[often], n_clusters=2).item()
    assert repeated == pytest.approx(value)
    plain = torch.nn.functional.cross_entropy
    assert plain(scores[often], labels[often]).item() < 0.5 * plain(scores, labels).item()
    equation = cwce_equation_one(scores[often], labels[often], clusters[often]).item()
    assert equation > 2 * cwce_equation_one(scores, labels, clusters).item()


def test_one_cluster_and_balanced_classes_are_the_plain_cross_entropy() -> None:
    scores = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels, clusters = torch.tensor([0, 1, 1, 0, 0, 1]), torch.zeros(6, dtype=torch.int64)
    expected = torch.nn.functional.cross_entropy(scores, labels).item()
    assert cluster_weighted_cross_entropy(scores, labels, clusters, n_clusters=1).item() == pytest.approx(expected)
    assert cwce_equation_one(scores, labels, clusters).item() == pytest.approx(6 * expected)


@pytest.mark.parametrize("is_equation_one", [False, True])
def test_unlabelled_patches_change_nothing(is_equation_one: bool) -> None:
    scores = torch.randn(4, 2, requires_grad=True)
    labels, clusters = torch.tensor([0, IGNORE, 1, IGNORE]), torch.tensor([0, 1, 0, 2])

    def loss(rows: slice | list[int]) -> torch.Tensor:
        if is_equation_one:
            return cwce_equation_one(scores[rows], labels[rows], clusters[rows])
        return cluster_weighted_cross_entropy(scores[rows], labels[rows], clusters[rows], n_clusters=3)

    assert loss(slice(None)).item() == pytest.approx(loss([0, 2]).item())
    loss(slice(None)).backward()
    assert scores.grad is not None
    assert scores.grad[[1, 3]].abs().max() == 0
    assert scores.grad[[0, 2]].abs().min() > 0
    scores.grad = None
    nothing = loss([1, 3])
    nothing.backward()
    assert nothing.item() == 0
    assert scores.grad is not None
    assert scores.grad.abs().max() == 0
