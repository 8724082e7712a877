"""H2G-Net's sampling tree: even chances at each stage, whatever hangs below (Pedersen et al., 2022).

Uniform over the values of the first stage, then over those of the second among what is left, and so on; what no stage
tells apart is drawn by its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np


class Leaf(Protocol):
    """What a tree ends in: the places of one class on one slide."""

    @property
    def size(self) -> int:
        """How many places there are, at least 1."""
        ...

    def value(self, stage: str) -> str:
        """Return what the leaf is called at a stage."""
        ...


L = TypeVar("L", bound=Leaf)
_Node = dict[str, "_Node[L]"] | list[L]


class SamplingTree(Generic[L]):
    """Leaves, grouped by one stage after another.

    Parameters
    ----------
    leaves
        At least one.
    stages
        What tells them apart, the outermost first.
    """

    def __init__(self, leaves: Sequence[L], stages: Sequence[str]) -> None:
        self._root: _Node[L] = _grow(leaves, stages)

    def draw(self, generator: np.random.Generator) -> L:
        """Return a leaf."""
        node = self._root
        while isinstance(node, dict):
            branches = list(node.values())
            node = branches[generator.integers(len(branches))]
        sizes = np.array([leaf.size for leaf in node], np.float64)
        return node[generator.choice(len(node), p=sizes / sizes.sum())]


@dataclass(frozen=True, slots=True, eq=False)
class ReplayTrees(Generic[L]):
    """The tree of all that is labelled, and the one of what is new or corrected.

    Parameters
    ----------
    all
        Everything.
    fresh
        What is new; None where nothing is.
    replay
        Share of a batch that is drawn from everything.
    """

    all: SamplingTree[L]
    fresh: SamplingTree[L] | None
    replay: float

    @classmethod
    def grow(cls, old: Sequence[L], new: Sequence[L], stages: Sequence[str], replay: float) -> ReplayTrees[L]:
        """Return the trees of leaves; ``old`` holds all, at least one, and ``new`` may be empty."""
        return cls(SamplingTree(old, stages), SamplingTree(new, stages) if new else None, replay)

    def of_batch(self, size: int) -> list[SamplingTree[L]]:
        """Return the tree that each place of a batch is drawn from: first those of everything."""
        old = size if self.fresh is None else round(size * self.replay)
        return [self.all] * old + [self.fresh or self.all] * (size - old)


def _grow(leaves: Sequence[L], stages: Sequence[str]) -> _Node[L]:
    if not stages:
        return list(leaves)
    values = sorted({leaf.value(stages[0]) for leaf in leaves})
    return {v: _grow([leaf for leaf in leaves if leaf.value(stages[0]) == v], stages[1:]) for v in values}
