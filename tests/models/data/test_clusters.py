from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.data import ClusterOptions, TissueClusters
from models.errors import CheckpointError, TrainingDataError

FOUR = ClusterOptions(count=4)


def kinds_and_features(per_kind: int = 60, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Patches of four kinds in 24 features of very different scales, one of which never varies."""
    generator = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(4), per_kind)
    features = generator.normal(0, 6, (4, 24))[kinds] + generator.normal(0, 1, (len(kinds), 24))
    features *= 10.0 ** generator.integers(-3, 4, 24)
    features[:, 5] = 0.1
    return kinds, features.astype(np.float32)


def test_kinds_of_tissue_are_found() -> None:
    kinds, features = kinds_and_features()
    clusters = TissueClusters.fit(features, seed=0, options=FOUR)
    predicted = clusters.predict(features)
    assert predicted.dtype == np.int64
    assert clusters.count == 4
    assert adjusted_rand_score(kinds, predicted) == pytest.approx(1)


def test_it_is_scikit_learns_pipeline() -> None:
    _, features = kinds_and_features()
    noise = np.random.default_rng(1).normal(0, 4, features.shape) * features.std(axis=0)
    spread, fresh = features + noise, features[::3] - noise[::3]
    clusters = TissueClusters.fit(spread, seed=3, options=FOUR)
    pipeline = make_pipeline(StandardScaler(), PCA(0.95, svd_solver="full"), KMeans(4, n_init=10, random_state=3)).fit(
        spread.astype(np.float64)
    )
    assert len(clusters.components) == pipeline[1].n_components_
    assert np.array_equal(clusters.predict(spread), pipeline.predict(spread.astype(np.float64)))
    assert np.array_equal(clusters.predict(fresh), pipeline.predict(fresh.astype(np.float64)))


def test_components_explain_the_asked_share_and_no_more_than_needed() -> None:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(300, 3)) @ generator.normal(size=(3, 40)) + generator.normal(0, 0.4, (300, 40))
    scores = (features - features.mean(axis=0)) / features.std(axis=0)
    whole = (scores**2).sum()
    counts = []
    for explained in (0.6, 0.95):
        clusters = TissueClusters.fit(features, seed=0, options=ClusterOptions(4, explained))
        shares = ((scores @ clusters.components.T) ** 2).sum(axis=0) / whole
        assert shares.sum() >= explained
        assert shares[:-1].sum() < explained
        counts.append(len(shares))
    assert counts[0] < counts[1] < 40


def test_same_seed_same_clusters() -> None:
    features = np.random.default_rng(4).normal(size=(200, 16))
    one, two, other = (TissueClusters.fit(features, seed=seed) for seed in (0, 0, 1))
    assert one.count == 10
    assert one.to_bytes() == two.to_bytes()
    assert not np.array_equal(one.centres, other.centres)


def test_units_of_a_feature_do_not_matter() -> None:
    _, features = kinds_and_features()
    exact = features.astype(np.float64)
    changed = exact * 2.0 ** np.arange(-12, 12) + 4.0
    one, two = (TissueClusters.fit(values, seed=0, options=FOUR) for values in (exact, changed))
    assert np.array_equal(one.predict(exact), two.predict(changed))


def test_a_feature_that_never_varied_says_little_and_breaks_nothing() -> None:
    _, features = kinds_and_features()
    clusters = TissueClusters.fit(features, seed=0, options=FOUR)
    assert clusters.scale[5] == 1
    changed = features.copy()
    changed[:, 5] += 0.01
    assert np.array_equal(clusters.predict(changed), clusters.predict(features))


def test_written_and_read_again_they_tell_the_same() -> None:
    _, features = kinds_and_features()
    clusters = TissueClusters.fit(features, seed=0, options=FOUR)
    read = TissueClusters.from_arrays(safetensors.numpy.load(clusters.to_bytes()))
    assert np.array_equal(read.predict(features), clusters.predict(features))
    for name, array in clusters.to_arrays().items():
        assert np.array_equal(read.to_arrays()[name], array)


@pytest.mark.parametrize("fault", ["missing", "shape", "number"])
def test_arrays_that_do_not_fit_are_refused(fault: str) -> None:
    _, features = kinds_and_features()
    arrays = TissueClusters.fit(features, seed=0, options=FOUR).to_arrays()
    if fault == "missing":
        del arrays["centres"]
    elif fault == "shape":
        arrays["centres"] = arrays["centres"][:, 1:]
    else:
        arrays["mean"] = np.full_like(arrays["mean"], np.nan)
    with pytest.raises(CheckpointError, match="training anew"):
        TissueClusters.from_arrays(arrays)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.arange(40.0).reshape(5, 8), "10 clusters .* got 5"),
        (np.ones((50, 8)), "got 1 different ones of 50"),
        (np.arange(72.0).reshape(9, 8).repeat(20, axis=0), "got 9"),
        (np.zeros(50), r"shape \(50,\)"),
        (np.full((50, 8), np.inf), "numbers"),
    ],
)
def test_features_that_cannot_be_clustered_are_refused(features: NDArray[np.float64], message: str) -> None:
    with pytest.raises(TrainingDataError, match=message):
        TissueClusters.fit(features, seed=0)
