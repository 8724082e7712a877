"""The card of a checkpoint: what the weights are, what they were trained on, and how they must be used."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from models.checkpoints.lineage import SlideLineage
from models.checkpoints.net_card import NetCard, NetRole
from models.checkpoints.statistics import PixelStatistics
from models.errors import CheckpointError

FORMAT = 1


class DesignName(Enum):
    """Model designs, as a card and the settings name them."""

    DEEPZOOM = "deepzoom"  # H-AI-L: a coarse pass finds hot-spots, a fine one segments there
    PATCHWISE = "patchwise"  # H2G-Net's first stage: one class per patch
    HYBRID = "hybrid"  # H2G-Net: the patches' heat map and the slide at low resolution, refined to a mask
    WEAK = "weak"  # L2S: learns from masks and from patch labels


@dataclass(frozen=True, slots=True)
class Card:
    """A checkpoint in words; written as JSON beside the weights.

    Parameters
    ----------
    design
        ``deepzoom``, …
    nets
        The high one, and at most one of each other role.
    data_hashes
        Slide key → content hash of the label plan that was trained on.
    metrics
        Name → number, as known when the checkpoint was written.
    versions
        Library → version.
    parent
        Id of the checkpoint that training began from; None for transfer weights.
    seed, steps
        Of the training.
    iteration
        Number of finished trainings of the project, this one included; 0 for transfer weights.
    created
        ISO 8601.
    statistics
        How the tiles look that it was trained on; None where nobody measured it.
    lineage
        Slide key → what the slide gave, for the slides of ``data_hashes``; empty in a card of before there was one.
    """

    design: str
    nets: tuple[NetCard, ...]
    data_hashes: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    seed: int = 0
    steps: int = 0
    iteration: int = 0
    created: str = ""
    statistics: PixelStatistics | None = None
    lineage: Mapping[str, SlideLineage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if NetRole.HIGH not in self.roles or len(set(self.roles)) != len(self.nets):
            roles = ", ".join(role.value for role in self.roles)
            raise CheckpointError(f"a checkpoint holds one high net, and at most one of each other role, not {roles}")

    @property
    def roles(self) -> tuple[NetRole, ...]:
        """What nets there are."""
        return tuple(net.role for net in self.nets)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the high net, by label."""
        return self.net(NetRole.HIGH).class_names

    @property
    def mpp(self) -> float:
        """The working mpp: of the high net."""
        return self.net(NetRole.HIGH).mpp

    @property
    def tile_px(self) -> int:
        """Side of the high net's training tiles."""
        return self.net(NetRole.HIGH).tile_px

    def net(self, role: NetRole) -> NetCard:
        """Return one net's card.

        Raises
        ------
        CheckpointError
            The checkpoint has no such net.
        """
        for net in self.nets:
            if net.role is role:
                return net
        raise CheckpointError(
            f"the {self.design} checkpoint has no {role.value} net; train with the settings as they are now"
        )

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return what the card file holds."""
        return {
            "format": FORMAT,
            "design": self.design,
            "nets": [net.to_json() for net in self.nets],
            "data_hashes": dict(sorted(self.data_hashes.items())),
            "metrics": {name: value for name, value in sorted(self.metrics.items()) if math.isfinite(value)},
            "versions": dict(sorted(self.versions.items())),
            "parent": self.parent,
            "seed": self.seed,
            "steps": self.steps,
            "iteration": self.iteration,
            "created": self.created,
            **self._origin_to_json(),
        }

    def _origin_to_json(self) -> dict[str, Any]:
        # What older cards lack is left out where there is none: a checkpoint's id is a hash over its card.
        statistics = {} if self.statistics is None else {"statistics": self.statistics.to_json()}
        lineage = {key: found.to_json() for key, found in sorted(self.lineage.items())}
        return statistics | ({"lineage": lineage} if lineage else {})

    @classmethod
    def from_json(cls, data: Any) -> Card:  # Any: whatever a file held
        """Read what `to_json` wrote.

        Raises
        ------
        CheckpointError
            Another format, a missing or unknown name, or a value of the wrong kind.
        """
        try:
            if data["format"] != FORMAT:
                raise CheckpointError(f"card format {data['format']!r} is not {FORMAT}; update SlideBridge")
            parent, statistics = data["parent"], data.get("statistics")
            return cls(
                design=str(data["design"]),
                nets=tuple(NetCard.from_json(net) for net in data["nets"]),
                data_hashes=_mapping(data["data_hashes"], str),
                metrics=_mapping(data["metrics"], float),
                versions=_mapping(data["versions"], str),
                parent=None if parent is None else str(parent),
                seed=int(data["seed"]),
                steps=int(data["steps"]),
                iteration=int(data["iteration"]),
                created=str(data["created"]),
                statistics=None if statistics is None else PixelStatistics.from_json(statistics),
                lineage=_mapping(data.get("lineage", {}), SlideLineage.from_json),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"the card is not one of ours: {type(error).__name__} {error}") from error


def check_class_order(trained: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Refuse classes in another order than a net was trained with: its labels would change their meaning unseen.

    Classes added or removed are no reorder; those that both have must follow each other as before.

    Raises
    ------
    CheckpointError
        The order differs.
    """
    before = [name for name in trained if name in wanted]
    after = [name for name in wanted if name in trained]
    if before != after:
        raise CheckpointError(
            f"the checkpoint's classes are ordered {', '.join(before)}, the project's {', '.join(after)};"
            " restore the order in [classes.colors], or train from the transfer weights"
        )


def parse_card(text: bytes) -> Card:
    """Read a card file's bytes.

    Raises
    ------
    CheckpointError
        It is no JSON, or no card.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the card is not JSON: {error}") from error
    return Card.from_json(data)


def _mapping(data: Any, kind: Callable[[Any], Any]) -> dict[str, Any]:
    return {str(key): kind(value) for key, value in data.items()}
