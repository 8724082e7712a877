"""Which slides or regions judge and never train: stable by hash, decided once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

TRAIN = "train"
HOLD_OUT = "hold-out"
_LEAST_GROUPS = 3  # fewer labelled slides (or patients) than this are split by region
_LEAST_AREAS = 4  # fewer ROIs than this all train, and promotion has no judge: said loudly


@dataclass(frozen=True, slots=True)
class HoldOutOptions:
    """What is kept apart to judge candidates (``[holdout]``)."""

    fraction: float = 0.2  # share of slides (of ROIs while there are few slides) that judge and never train
    by: str = "slide"  # "slide", or the name of an entry's metadata such as "patient": never split one over both parts


def is_split_by_slide(groups: Collection[str]) -> bool:
    """Say whether there are enough labelled slides or patients to hold out whole ones."""
    return len(set(groups)) >= _LEAST_GROUPS


def split_new(
    new: Sequence[str], known: Mapping[str, str], may_judge: Collection[str], options: HoldOutOptions, *, least: int
) -> Mapping[str, str]:
    """Decide, once, on which part each new key belongs to.

    A key judges when its hash falls into the fraction. As soon as there are ``least`` keys and none judges, the new
    one of lowest hash does.

    Parameters
    ----------
    new
        Keys (slides, patients, areas) not decided on yet.
    known
        Decisions made before; never changed here.
    may_judge
        New keys that may judge: labelled blind and never trained on. The others train.
    """
    parts = {key: HOLD_OUT if key in may_judge and _share(key) < options.fraction else TRAIN for key in new}
    judges = [key for key, part in {**known, **parts}.items() if part == HOLD_OUT]
    candidates = sorted((key for key in new if key in may_judge), key=_share)
    if options.fraction > 0 and not judges and candidates and len(known) + len(new) >= least:
        parts[candidates[0]] = HOLD_OUT
    if parts and not known and all(part == HOLD_OUT for part in parts.values()):
        parts[max(parts, key=_share)] = TRAIN
    return parts


def split_areas(
    new: Sequence[str], known: Mapping[str, str], blind: Collection[str], options: HoldOutOptions
) -> Mapping[str, str]:
    """Split ROIs of a project with few slides; only areas labelled blind may judge."""
    return split_new(new, known, blind, options, least=_LEAST_AREAS)


def split_slides(
    new: Sequence[str], known: Mapping[str, str], untrained: Collection[str], options: HoldOutOptions
) -> Mapping[str, str]:
    """Split slides or patients; only those that never trained may judge."""
    return split_new(new, known, untrained, options, least=_LEAST_GROUPS)


def _share(key: str) -> float:
    """Return the key's place in [0, 1), uniform over keys and the same on every machine."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
