"""Settings: defaults, ``slidebridge.toml``, environment; each value with where it came from.

The one place that reads the configuration. Every room defines its own frozen options; here they are built, and an
unknown key is an error.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from bridge.annotations import ClassScheme, LabelOptions, parse_color
from bridge.annotations.split import HoldOutOptions
from bridge.annotations.writing import WriteOptions
from bridge.errors import ConfigError
from bridge.files import read_plain
from bridge.ingest import SlideOptions
from bridge.qupath.paquo_backend import PaquoOptions
from bridge.slides import TissueOptions
from bridge.store.pruning import StoreOptions
from bridge.watch import WatchOptions
from scripts.daemon.schedule import check_schedule
from scripts.executors.scheduler import check_scheduler
from scripts.options import (
    ComputeOptions,
    HookOptions,
    ModelOptions,
    PredictOptions,
    PrivacyOptions,
    ProposeOptions,
    ScheduleOptions,
    SourceOptions,
    TrainOptions,
)
from scripts.presets import check_model, preset_values

FILE_NAME = "slidebridge.toml"
PREFIX = "SLIDEBRIDGE_"
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ClassOptions:
    """The class scheme as written down (``[classes]``)."""

    colors: Mapping[str, str] = field(default_factory=dict)  # class → "#rrggbb", in label order
    priority: tuple[str, ...] = ()  # order of overlap, later wins
    map: Mapping[str, str] = field(default_factory=dict)  # what a file says → class

    def scheme(self) -> ClassScheme:
        """Build the scheme.

        Raises
        ------
        ConfigError
            A colour that isn't one, or a rule that points nowhere.
        """
        return ClassScheme({n: parse_color(c) for n, c in self.colors.items()}, self.priority, dict(self.map))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a project, by section of the file."""

    source: SourceOptions = field(default_factory=SourceOptions)
    labels: LabelOptions = field(default_factory=LabelOptions)
    classes: ClassOptions = field(default_factory=ClassOptions)
    slides: SlideOptions = field(default_factory=SlideOptions)
    watch: WatchOptions = field(default_factory=WatchOptions)
    write: WriteOptions = field(default_factory=WriteOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    holdout: HoldOutOptions = field(default_factory=HoldOutOptions)
    tissue: TissueOptions = field(default_factory=TissueOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    train: TrainOptions = field(default_factory=TrainOptions)
    predict: PredictOptions = field(default_factory=PredictOptions)
    propose: ProposeOptions = field(default_factory=ProposeOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    hooks: HookOptions = field(default_factory=HookOptions)
    privacy: PrivacyOptions = field(default_factory=PrivacyOptions)
    qupath: PaquoOptions = field(default_factory=PaquoOptions)


_MANY = 1e9
RANGES: Mapping[str, tuple[float, float]] = {
    "slides.mpp": (0.001, 1000),
    "slides.search_depth": (0, 32),
    "watch.settle_seconds": (0, 3600),
    "watch.stale_save_seconds": (10, 1_000_000),
    "watch.poll_seconds": (0.05, 3600),
    "watch.rescan_seconds": (0.1, 86400),
    "write.max_editable": (0, _MANY),
    "store.keep_checkpoints": (0, _MANY),
    "store.keep_backups": (1, _MANY),
    "holdout.fraction": (0, 0.9),
    "model.mpp": (0.01, 1000),
    "model.low_factor": (1, 64),
    "model.hot_spot_threshold": (0, 1),
    "model.hot_spot_min_um2": (0, _MANY),
    "model.hot_spot_padding_um": (0, 10_000),
    "model.patch_px": (32, 4096),
    "model.patch_stride_px": (1, 4096),
    "model.map_stride_px": (1, 4096),
    "model.refine_mpp": (0.01, 1000),
    "model.refine_px": (32, 8192),
    "model.folds": (1, 100),
    "train.max_steps": (1, _MANY),
    "train.max_seconds": (1, _MANY),
    "train.batch_size": (1, 4096),
    "train.tile_px": (16, 8192),
    "train.learning_rate": (0, 1),
    "train.min_new_area_um2": (0, 1e15),
    "train.replay": (0, 1),
    "train.cache_mb": (0, _MANY),
    "predict.tile_px": (16, 16384),
    "predict.overlap_px": (0, 8192),
    "predict.batch_size": (1, 4096),
    "predict.workers": (1, 256),
    "predict.min_area_um2": (0, _MANY),
    "predict.simplify_um": (0, 1000),
    "propose.draws": (2, 8),
    "propose.checkpoints": (2, 50),
    "propose.k": (0, 10000),
    "propose.total": (0, _MANY),
    "propose.same_look": (0, 10000),
    "propose.region_um": (1, _MANY),
    "propose.min_tissue": (0, 1),
    "schedule.hours": (0.001, 24),
    "schedule.max_steps": (1, _MANY),
    "compute.workers": (0, 1024),
    "compute.timeout_seconds": (0.1, 3600),
    "hooks.timeout_seconds": (0.1, 86400),
    "qupath.timeout_seconds": (1, 86400),
    "qupath.per_image_seconds": (0, 86400),
}
_SECTIONS: Mapping[str, type[Any]] = dict(get_type_hints(Settings))


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings and, per ``section.key``, where each value that isn't a default came from."""

    settings: Settings
    origins: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Yield (``section.key``, value, origin) for every setting."""
        for section in fields(Settings):
            options = getattr(self.settings, section.name)
            for option in fields(options):
                name = f"{section.name}.{option.name}"
                yield name, getattr(options, option.name), self.origins.get(name, "default")


def load_settings(
    path: Path | None, environ: Mapping[str, str] = os.environ, given: Mapping[str, object] | None = None
) -> LoadedSettings:
    """Read the settings file, the environment and what a command was given; the later goes over the earlier.

    Keys that none of them sets have the values of the design and preset (``[model]``).

    Parameters
    ----------
    path
        ``slidebridge.toml``; None for the defaults alone.
    given
        ``section.key`` → value, on the command line.

    Raises
    ------
    ConfigError
        Not TOML, an unknown section or key, a value of the wrong kind, or two that contradict each other.
    """
    from_file = _read_toml(path) if path is not None else {}
    values: dict[str, dict[str, Any]] = {}  # Any: TOML values, checked by pydantic below
    origins: dict[str, str] = {}
    set_values = (*_file_values(from_file, path), *_environment_values(environ), *_given_values(given or {}))
    for section, key, value, origin in set_values:
        _check_known(section, key, origin)
        values.setdefault(section, {})[key] = value
        origins[f"{section}.{key}"] = origin
    model = _build("model", values.get("model", {}), origins)
    is_set = frozenset(origins)
    for name, value in preset_values(model).items():
        if name not in is_set:
            section, _, key = name.partition(".")
            values.setdefault(section, {})[key] = value
            origins[name] = f"preset {model.preset.value} of {model.design.value}"
    sections = {
        section.name: _build(section.name, values.get(section.name, {}), origins) for section in fields(Settings)
    }
    settings = Settings(**sections)
    settings.classes.scheme()
    _check_schedule(settings.schedule, origins)
    check_scheduler(settings.compute)
    check_model(settings.model, settings.train, {name: origin for name, origin in origins.items() if name in is_set})
    return LoadedSettings(settings, origins)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        data = read_plain(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; slidebridge new makes it") from error
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{path}: {len(data)} bytes is no settings file")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # the mark at the beginning is of Windows' editors
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        said = f"{path}: line {line} is not written in UTF-8; save the file as UTF-8 in your editor"
        raise ConfigError(said) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error


def _file_values(data: Mapping[str, Any], path: Path | None) -> Iterator[tuple[str, str, Any, str]]:
    for section, table in data.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {section} is not inside a [section]")
        for key, value in table.items():
            yield section, key, value, str(path)


def _environment_values(environ: Mapping[str, str]) -> Iterator[tuple[str, str, Any, str]]:
    for name, text in sorted(environ.items()):
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if name.startswith(PREFIX) and separator:
            yield section, key, _parse_value(text), f"environment {name}"


def _given_values(given: Mapping[str, object]) -> Iterator[tuple[str, str, Any, str]]:
    for name, value in given.items():
        section, _, key = name.partition(".")
        yield section, key, value, "command line"


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check_known(section: str, key: str, origin: str) -> None:
    if section not in _SECTIONS:
        raise ConfigError(f"{origin}: unknown section [{section}]; there are {', '.join(_SECTIONS)}")
    known = [f.name for f in fields(_SECTIONS[section])]
    if key not in known:
        raise ConfigError(f"{origin}: unknown key {key!r} in [{section}]; there are {', '.join(known)}")


def _build(section: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> Any:
    ready = {k: _color(v) if k.endswith("_color") and isinstance(v, str) else v for k, v in values.items()}
    try:
        options = _checker(section).validate_python(ready) if ready else _SECTIONS[section]()
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        origin = origins.get(f"{section}.{key}", "settings")
        raise ConfigError(f"{origin}: [{section}] {key}: {first['msg']}, got {first.get('input')!r}") from error
    _check_ranges(section, options, origins)
    return options


@cache
def _checker(section: str) -> TypeAdapter[Any]:
    """Return what checks a section's values: made once, and only where some are set, for making it takes longer."""
    return TypeAdapter(_SECTIONS[section])


def _check_ranges(section: str, options: Any, origins: Mapping[str, str]) -> None:
    for name, (least, most) in RANGES.items():
        where, _, key = name.partition(".")
        value = getattr(options, key) if where == section else None
        if value is not None and not least <= value <= most:
            origin = origins.get(name, "settings")
            raise ConfigError(f"{origin}: [{section}] {key} must be {least:g} to {most:g}, got {value}")


def _check_schedule(options: ScheduleOptions, origins: Mapping[str, str]) -> None:
    for key, alone in (("nightly", replace(options, timezone="")), ("timezone", replace(options, nightly=""))):
        try:
            check_schedule(alone)
        except ConfigError as error:
            raise ConfigError(f"{origins.get(f'schedule.{key}', 'settings')}: {error}") from error


def _color(text: str) -> tuple[int, int, int]:
    return parse_color(text)
