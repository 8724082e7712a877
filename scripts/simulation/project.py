"""A project's fully annotated slides: which they are, which of them judge, and what is simulated on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from bridge.annotations import IGNORE_LABEL, ClassScheme, LabelPlan, Part
from bridge.annotations.split import HOLD_OUT, HoldOutOptions, split_new
from bridge.errors import ConfigError
from bridge.raster import PlanRaster
from bridge.slides import open_slide, tissue_mask
from bridge.store import Backups
from models.data import TrainingSlide
from models.metrics.cost import PriceOptions
from models.nets import choose_device
from models.simulation import (
    Extractor,
    FeatureCache,
    FrozenHead,
    GridOptions,
    Learner,
    SplitOptions,
    WholeNetwork,
    simulated_slide,
)
from models.training import TrainingOptions
from scripts.loop.planning import whole_plan
from scripts.loop.pull import SlideState, pull
from scripts.loop.training_run import RunKind, training_options
from scripts.progress import Progress
from scripts.project import Project, open_project, open_store
from scripts.simulation.account import Account
from scripts.simulation.arms import arms_of
from scripts.simulation.options import SimulateOptions
from scripts.simulation.runs import RunOptions, SlideSet, gather, runs_of, simulate

LEAST_LABELLED = 0.99
"""Of a slide's tissue: an ROI drawn by hand cuts a little off."""


@dataclass(frozen=True, slots=True)
class AnnotatedSlide:
    """A fully annotated slide of a project.

    Parameters
    ----------
    path, mpp
        To open it.
    plan
        All that is labelled on it, held out or not.
    is_judging
        Whether it judges instead of being revealed.
    """

    path: Path
    mpp: tuple[float, float]
    plan: LabelPlan
    is_judging: bool

    @property
    def group(self) -> str:
        """Its stratum: slides with the same classes are spread evenly over subsets and validation."""
        return ",".join(str(label) for label in sorted({shape.label for shape in self.plan.shapes}))

    @property
    def identity(self) -> list[object]:
        """What its cells depend on: the file as the disk lists it, its labels and its part."""
        listed = self.path.stat()
        return [listed.st_size, listed.st_mtime_ns, *self.mpp, self.plan.content_hash(), self.is_judging]


@dataclass(frozen=True, slots=True)
class Found:
    """What a project has to simulate on.

    Parameters
    ----------
    slides
        Fully annotated, some of them judging.
    frame
        How many there are, how they were shared out and what was left out: lines for people.
    """

    slides: tuple[AnnotatedSlide, ...]
    frame: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectMaterial:
    """The cells of a project's slides, for any process (`runs.Material`).

    Parameters
    ----------
    root
        Of the project.
    slides
        Fully annotated.
    grid
        The cells.
    folder
        Of kept features.
    key
        Hash of slides, labels, cells and, where the whole network learns, its training.
    is_full
        The whole network learns, not a head on what a frozen encoder sees.
    """

    root: Path
    slides: tuple[AnnotatedSlide, ...]
    grid: GridOptions
    folder: Path
    key: str
    is_full: bool = False

    def __hash__(self) -> int:
        return hash(self.key)

    def open(self) -> SlideSet:
        """Return the cells; what the encoder sees is kept in the folder."""
        project = open_project(self.root)
        scheme, extractor, cache = project.scheme, Extractor.imagenet(), FeatureCache(self.folder)
        # They stay open as long as the process: the whole network reads them in every cycle.
        opened = [TrainingSlide(open_slide(slide.path, mpp=slide.mpp), slide.plan) for slide in self.slides]
        cells = [
            simulated_slide(slide, scheme, self.grid, extractor, cache=cache, group=annotated.group)
            for slide, annotated in zip(opened, self.slides, strict=True)
        ]
        train, test = (
            tuple(c for c, slide in zip(cells, self.slides, strict=True) if slide.is_judging is judging)
            for judging in (False, True)
        )
        learner: Learner = FrozenHead(cells, len(scheme.names))
        if self.is_full:
            learner = WholeNetwork(opened, scheme, self.grid, _whole_training(project))
        return SlideSet(train, test, learner, scheme.names)


def simulate_project(
    project: Project,
    options: SimulateOptions,
    folder: Path,
    executor: Executor | None,
    now: datetime,
    progress: Progress,
) -> Account:
    """Simulate on a project's fully annotated slides; what is kept in the folder is not done again.

    Parameters
    ----------
    folder
        Of results, kept runs and features; nothing else is written.
    executor
        Does the runs; one after another, here, if None.
    now
        For reading the project.
    progress
        Told of every run.

    Raises
    ------
    BridgeError
        Too little is annotated, cells that can't be, or a slide that can't be read.
    """
    grid = _grid(project, options)
    found = find_annotated(project, now)
    key = _key(project, found, grid, is_full=options.is_full)
    material = ProjectMaterial(project.root, found.slides, grid, folder / "features", key, options.is_full)
    arms = arms_of(options.methods, options.sizes, options.ks, options.actions)
    runs = runs_of(arms, range(options.seeds))
    told = RunOptions(
        options.cycles, SplitOptions(options.subsets), PriceOptions(unit_um=options.cell_um), options.variant
    )
    progress.start("simulating", len(runs))
    done = simulate(
        material, runs, told, folder / "runs", executor=executor, advance=lambda name: progress.advance(1, name)
    )
    return Account(gather(done), project.scheme.names, options.cell_um, found.frame, folder)


def find_annotated(project: Project, now: datetime) -> Found:
    """Return the fully annotated slides of a project and which of them judge; nothing is recorded or written.

    A slide is fully annotated when at least 99 % of its tissue is labelled, or marked to be ignored: all of it is with
    ``[labels] complete = "slide"``, else what lies in ROIs or is drawn. Slides judge as they do for trainings; where
    the project doesn't tell whole slides apart, or only one part of them is fully annotated, by a stable hash.

    Raises
    ------
    ConfigError
        Fewer than two slides are fully annotated.
    BridgeError
        The project can't be read.
    """
    with open_store(project, is_dry_run=True) as store:
        pulled = pull(project, store, Backups(project.data_folder / "backups"), now, is_dry_run=True)
        states = [state for state in pulled.slides if not state.is_suspicious]
        plans = {s.key: replace(whole_plan(project, store, s.reading), patch_labels=()) for s in states}
    shares = {state.key: _labelled_share(project.scheme, state, plans[state.key]) for state in states}
    whole = [state for state in states if shares[state.key] >= LEAST_LABELLED]
    if len(whole) < 2:
        raise ConfigError(_too_few(shares))
    judging, how = _judging(project, whole)
    slides = (AnnotatedSlide(s.reading.slide_path, s.reading.mpp, plans[s.key], s.key in judging) for s in whole)
    frame = [f"{len(whole) - len(judging)} fully annotated slides are revealed, {len(judging)} judge ({how})"]
    others = len(pulled.slides) + len(pulled.problems) - len(whole)
    if others:
        frame.append(f"left out: {others} slides that are not fully annotated or can't be read")
    return Found(tuple(slides), tuple(frame))


def _labelled_share(scheme: ClassScheme, state: SlideState, plan: LabelPlan) -> float:
    """Return how much of a slide's tissue is labelled, or marked to be ignored; 0 without labels or tissue."""
    if plan.is_empty:
        return 0.0
    with open_slide(state.reading.slide_path, mpp=state.reading.mpp) as slide:
        tissue = tissue_mask(slide)
    looked_at = replace(plan, complete=(*plan.complete, *plan.ignore), ignore=())
    labels = PlanRaster(looked_at, scheme, tissue.window.downsample, Part.TRAINING).burn(tissue.window).labels
    return float((labels[tissue.mask] != IGNORE_LABEL).mean()) if tissue.mask.any() else 0.0


def _judging(project: Project, states: Sequence[SlideState]) -> tuple[frozenset[str], str]:
    """Return the keys of the slides that judge, and how they were chosen; neither part is empty."""
    held = frozenset(s.key for s in states if s.plan.hold_out and len(s.plan.hold_out) == len(s.plan.complete))
    if 0 < len(held) < len(states):
        return held, "the project's hold-out"
    holdout = project.settings.holdout
    groups = {s.key: _group_of(s, holdout.by) for s in states}
    names = sorted(set(groups.values()))
    if len(names) < 2:
        raise ConfigError(
            f"all {len(states)} fully annotated slides have one {holdout.by}: none can judge the others; annotate"
            " slides of another one, or set [holdout] by"
        )
    fraction = holdout.fraction or HoldOutOptions().fraction
    parts = split_new(names, {}, names, HoldOutOptions(fraction, holdout.by), least=2)
    return frozenset(key for key, group in groups.items() if parts[group] == HOLD_OUT), "by a stable hash"


def _group_of(state: SlideState, by: str) -> str:
    entry = state.reading.entry
    return entry.key if by == "slide" else entry.metadata.get(by, entry.key)


def _too_few(shares: Mapping[str, float]) -> str:
    whole = [share for share in shares.values() if share >= LEAST_LABELLED]
    most = max((share for share in shares.values() if share < LEAST_LABELLED), default=0.0)
    return (
        f"a simulation needs 2 fully annotated slides, one to reveal and one to judge; there are {len(whole)} of"
        f" {len(shares)} (of the others, {100 * most:.0f} % of the tissue is labelled at most): draw ROIs that cover"
        ' the tissue, or set [labels] complete = "slide" where everything is outlined'
    )


def _grid(project: Project, options: SimulateOptions) -> GridOptions:
    """Return the cells; their pixels are those of the project's network.

    Raises
    ------
    ConfigError
        They are no whole pixels, or none that the encoder can take.
    """
    mpp, stride = project.settings.model.mpp, Extractor.imagenet().stride
    side = options.cell_um / mpp
    if side % stride:
        raise ConfigError(
            f"--cell-um {options.cell_um:g} is {side:g} pixels of [model] mpp {mpp:g} µm; it must be a multiple of"
            f" {stride}, as {max(1, round(side / stride)) * stride * mpp:g} µm is"
        )
    return GridOptions(cell_um=options.cell_um, mpp=mpp)


def _key(project: Project, found: Found, grid: GridOptions, *, is_full: bool) -> str:
    scheme = project.scheme
    said = [[slide.identity for slide in found.slides], asdict(grid), scheme.names, scheme.priority]
    if is_full:
        said.append(asdict(_whole_training(project)))
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _whole_training(project: Project) -> TrainingOptions:
    """Return a nightly training's options, without its limit of time: numbers would depend on the machine's haste.

    They name the device that ``auto`` is here: another machine's numbers are others.
    """
    told = training_options(project.settings, RunKind.NIGHTLY)
    return replace(told, max_seconds=None, device=str(choose_device(told.device)))
