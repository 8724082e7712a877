"""``slidebridge new --transfer``: a project begins from another's champion, or from a checkpoint's folder."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from bridge.annotations import BACKGROUND
from bridge.errors import ConfigError
from bridge.store.lease_beat import Beat
from models.checkpoints import (
    Card,
    Checkpoint,
    DesignName,
    NetRole,
    Transfer,
    load_champion,
    load_checkpoint,
    plan_transfer,
    take_over,
)
from models.checkpoints.files import CARD_NAME
from models.checkpoints.transfer import check_usable
from models.nets import LabelHead, NetKind, NetOptions
from scripts.config import FILE_NAME, Settings, load_settings
from scripts.loop.training_run import design_of
from scripts.options import Preset
from scripts.project import Project, take_lease

_HAIL_MODELS = "MODELS"
_HEAD, _PRESET, _PATCH = "model.label_head", "model.preset", "model.patch_px"


@dataclass(frozen=True, slots=True)
class Transferred:
    """What was, or would be, taken over.

    Parameters
    ----------
    path
        As it was named.
    found
        What became of the classes.
    """

    path: Path
    found: Transfer
    is_dry_run: bool

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {"path": str(self.path), **asdict(self.found)}

    def lines(self) -> list[str]:
        """Return the facts for people."""
        found = self.found
        verb = "would take over" if self.is_dry_run else "took over"
        lines = [f"{verb} model {found.origin}; classes: {', '.join(found.shared) or 'none'}"]
        if found.fresh:
            lines.append(f"not in the model, learned from the first training on: {', '.join(found.fresh)}")
        if found.dropped:
            lines.append(f"not in [classes.colors], forgotten by the first training: {', '.join(found.dropped)}")
        if not self.is_dry_run:
            lines.append(
                "it predicts until a training is better"
                if found.is_champion
                else "it predicts nothing: it is what trainings from the start begin with"
            )
        return lines


def find_checkpoint(path: Path) -> Checkpoint:
    """Return what a person means: a checkpoint's folder, or a project whose champion it is.

    Raises
    ------
    ConfigError
        It is neither, or a project without a champion, or one of H-AI-L's own program.
    CheckpointError
        It is damaged, or no net of ours can run it.
    """
    folder = path.parent if path.is_file() else path
    if (folder / CARD_NAME).is_file():
        found: Checkpoint | None = load_checkpoint(folder)
    else:
        found = load_champion(_checkpoints_of(folder))
    if found is None:
        raise ConfigError(f"{path}: the project has no model yet; train it, or name a model's folder (checkpoint)")
    check_usable(found)
    return found


def _checkpoints_of(folder: Path) -> Path:
    if (folder / FILE_NAME).is_file():
        return folder / ".slidebridge" / "checkpoints"
    if (folder / _HAIL_MODELS).is_dir():
        raise ConfigError(
            f"{folder}: models of H-AI-L's own program are TensorFlow's and can't be taken over; its slides and"
            " annotations can: slidebridge new --hail"
        )
    raise ConfigError(
        f"{folder} is neither a checkpoint's folder ({CARD_NAME}) nor a project ({FILE_NAME}); a project's are in"
        " .slidebridge/checkpoints"
    )


def settings_of(source: Checkpoint) -> Mapping[str, object]:
    """Return ``section.key`` → value, the settings that a checkpoint goes on with.

    Raises
    ------
    ConfigError
        No preset makes nets of its build.
    """
    wanted = _settings_of(source.card)
    has_reference = any(net.stains is not None for net in source.card.nets)  # of stains: a paper's step
    for preset in (Preset.PAPER, Preset.FAST) if has_reference else (Preset.FAST, Preset.PAPER):
        values = _with_stride({**wanted, _PRESET: preset.value})
        if _has_builds(source.card, load_settings(None, {}, values).settings):
            return values
    raise ConfigError(f"checkpoint {source.id} has nets that no [model] preset makes; take another")


def check_settings(source: Checkpoint, settings: Settings) -> None:
    """Refuse a checkpoint that no training of a project could go on from: all of it would be lost without a word.

    Raises
    ------
    ConfigError
        The design, encoder, resolution or build is another; which, and what to set.
    """
    wanted = _settings_of(source.card)
    differing = [
        f"{key.removeprefix('model.')} = {json.dumps(value)} (now {json.dumps(_value(settings, key))})"
        for key, value in wanted.items()
        if key != _HEAD and not _is_same(value, _value(settings, key))  # a label head may come and go
    ]
    if differing:
        listed = ", ".join(differing)
        raise ConfigError(f"checkpoint {source.id} is of another network: set [model] {listed}, or take another")
    if not _has_builds(source.card, settings):
        raise ConfigError(f"checkpoint {source.id} has nets of another size: set [model] preset to the one it had")


def _settings_of(card: Card) -> Mapping[str, object]:
    high = card.net(NetRole.HIGH)
    values: dict[str, object] = {
        "model.design": card.design,
        "model.encoder": high.options.encoder.value,
        "model.mpp": card.mpp,
    }
    head = high.options.label_head or (LabelHead.TABLE_A3 if high.options.kind is NetKind.WEAK else None)
    if head is not None:
        values[_HEAD] = head.value
    match card.design:
        case DesignName.DEEPZOOM.value:
            values["model.one_network"] = NetRole.LOW not in card.roles
            if NetRole.LOW in card.roles:
                values["model.low_factor"] = card.net(NetRole.LOW).mpp / card.mpp
        case DesignName.PATCHWISE.value | DesignName.HYBRID.value:
            values[_PATCH] = card.tile_px
    if NetRole.REFINEMENT in card.roles:
        values["model.refine_mpp"] = card.net(NetRole.REFINEMENT).mpp
    return values


def _with_stride(values: Mapping[str, object]) -> Mapping[str, object]:
    """Add the stride of patches where the preset's doesn't go into the checkpoint's patch; its card says none."""
    side = values.get(_PATCH)
    if not isinstance(side, int):
        return values
    usual = load_settings(None, {}, {k: v for k, v in values.items() if k != _PATCH}).settings.model.patch_stride_px
    stride = math.gcd(side, usual)
    return values if stride == usual else {**values, "model.patch_stride_px": stride}


def transfer_into(project: Project, source: Checkpoint, path: Path, *, is_dry_run: bool) -> Transferred:
    """Make a checkpoint iteration 0 of a project that is set up.

    Raises
    ------
    ConfigError
        It doesn't fit the project's settings.
    ProjectBusyError
        Another process has the project.
    """
    check_settings(source, project.settings)
    names = project.scheme.names
    if is_dry_run:
        return Transferred(path, plan_transfer(source, names), True)
    with Beat(take_lease(project, "new")) as beat:
        beat.check()
        return Transferred(path, take_over(source, project.checkpoints, names), False)


def would_transfer(source: Checkpoint, path: Path, classes: Collection[str]) -> Transferred:
    """Return what taking a checkpoint over would do, in a project of these classes that isn't there yet."""
    return Transferred(path, plan_transfer(source, (BACKGROUND, *classes)), True)


def classes_of(card: Card) -> tuple[str, ...]:
    """Return a checkpoint's classes, without Background."""
    return card.class_names[1:]


def _has_builds(card: Card, settings: Settings) -> bool:
    builds = tuple(_nets_of(design_of(settings)))
    return all(any(_is_same_build(net.options, build) for build in builds) for net in card.nets)


def _nets_of(design: Any) -> Iterator[NetOptions]:  # Any: every design's options are its own
    for field in fields(design.model):
        value = getattr(design.model, field.name)
        if isinstance(value, NetOptions):
            yield value


def _is_same_build(one: NetOptions, other: NetOptions) -> bool:
    return replace(one, label_head=other.label_head, pretrained=other.pretrained) == other


def _value(settings: Settings, key: str) -> object:
    value = getattr(settings.model, key.removeprefix("model."))
    return value.value if isinstance(value, Enum) else value


def _is_same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other)
    return one == other
