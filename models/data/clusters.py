"""H2G-Net's kinds of tissue: clusters of patch features, found once and then frozen beside the classifier.

Features → z-score → principal components that explain 95 % of the variance → k-means, k = 10 (Pedersen et al.,
"H2G-Net", 2022, §2.3). scikit-learn finds them; what is kept are four arrays, and telling a patch's cluster is two
products and a comparison, without scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from models.errors import CheckpointError, TrainingDataError


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How clusters are found.

    Parameters
    ----------
    count
        How many.
    explained
        Share of the variance that the principal components kept must explain, above 0, below 1.
    restarts
        Runs of k-means from other first centres; the tightest is kept.
    """

    count: int = 10
    explained: float = 0.95
    restarts: int = 10


@dataclass(frozen=True, slots=True, eq=False)
class TissueClusters:
    """What tells the cluster of a patch from its features. All arrays float64.

    Parameters
    ----------
    mean, scale
        Of each feature, shape (features,); a feature that never varied has scale 1.
    components
        Shape (components, features).
    centres
        Shape (clusters, components).

    Raises
    ------
    ValueError
        The shapes don't fit one another.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    components: NDArray[np.float64]
    centres: NDArray[np.float64]

    def __post_init__(self) -> None:
        n_features, n_components = self.mean.shape[0] if self.mean.ndim == 1 else -1, self.components.shape[0]
        fits = self.components.shape == (n_components, n_features) and self.scale.shape == self.mean.shape
        if not fits or self.centres.ndim != 2 or self.centres.shape[1] != n_components:
            shapes = ", ".join(f"{field.name} {getattr(self, field.name).shape}" for field in fields(self))
            raise ValueError(f"arrays of clusters don't fit one another: {shapes}")

    @classmethod
    def fit(cls, features: NDArray[np.floating], *, seed: int, options: ClusterOptions | None = None) -> TissueClusters:
        """Find clusters; the same features and seed give the same ones.

        Parameters
        ----------
        features
            Shape (patches, features); the paper takes 3,200 patches.
        seed
            Of k-means.
        options
            How many, and of what.

        Raises
        ------
        TrainingDataError
            Fewer different patches than clusters, or features that are no numbers.
        """
        options = options or ClusterOptions()
        values = np.asarray(features, dtype=np.float64)
        _check_features(values, options)
        scale = values.std(axis=0)
        scale[scale <= np.finfo(np.float64).eps * np.abs(values).max(axis=0)] = 1.0
        mean = values.mean(axis=0)
        components, centres = _components_and_centres((values - mean) / scale, options, seed)
        return cls(mean, scale, components, centres)

    def predict(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the cluster of each patch: int64, shape (patches,), from features of shape (patches, features)."""
        values = (np.asarray(features, dtype=np.float64) - self.mean) / self.scale @ self.components.T
        # |v − c|² less |v|², which is the same for all centres: no array of patches × clusters × components
        distances = (self.centres**2).sum(axis=1) - 2 * values @ self.centres.T
        return np.asarray(distances.argmin(axis=1), dtype=np.int64)

    @property
    def count(self) -> int:
        """Clusters there are."""
        return len(self.centres)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> TissueClusters:
        """Return the clusters of arrays by name, as of `to_arrays`.

        Raises
        ------
        CheckpointError
            An array is missing, holds what is no number, or doesn't fit the others.
        """
        try:
            kept = {field.name: np.asarray(arrays[field.name], dtype=np.float64) for field in fields(cls)}
            clusters = cls(**kept)
        except KeyError as error:
            raise CheckpointError(f"clusters lack their array {error}; find them again by training anew") from error
        except ValueError as error:
            raise CheckpointError(f"{error}; find them again by training anew") from error
        if not all(np.isfinite(array).all() for array in kept.values()):
            raise CheckpointError("clusters hold what is no number; find them again by training anew")
        return clusters

    def to_bytes(self) -> bytes:
        """Return the clusters as safetensors."""
        return safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in self.to_arrays().items()})


def _check_features(values: NDArray[np.float64], options: ClusterOptions) -> None:
    if values.ndim != 2 or not np.isfinite(values).all():
        raise TrainingDataError(
            f"clusters need features (patches, features), all of them numbers, got shape {values.shape}; "
            f"look at the encoder's weights"
        )
    distinct = len(np.unique(values, axis=0))
    if distinct < options.count:
        raise TrainingDataError(
            f"{options.count} clusters need as many different patches, got {distinct} different ones of {len(values)}; "
            f"label more tissue, or ask for fewer clusters"
        )


def _components_and_centres(
    scores: NDArray[np.float64], options: ClusterOptions, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Here, for scikit-learn takes a second to load, and only the first training needs it.
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads add up in any order, and the last digits are left to chance
        analysis = PCA(options.explained, svd_solver="full").fit(scores)
        components = np.asarray(analysis.components_, dtype=np.float64)
        means = KMeans(options.count, n_init=options.restarts, random_state=seed).fit(scores @ components.T)
    return components, np.asarray(means.cluster_centers_, dtype=np.float64)
