"""Which predictions a slide's scores are made of: the champion's alone, turned ones too, or earlier champions' too."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask
from models.active import Acquisition
from models.checkpoints import load_checkpoint, read_pointer
from models.errors import CheckpointError
from models.inference import PredictionOptions, SlidePredictor, Stopwatch, turned_draws
from scripts.config import Settings
from scripts.loop.slide_work import Drawing
from scripts.loop.training_run import predictor_of
from scripts.project import Project

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class PredictorBands:
    """A predictor that yields the probabilities of slide after slide; called with (slide, tissue, stopwatch)."""

    predictor: SlidePredictor
    options: PredictionOptions

    def __call__(
        self, slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
        """Yield the slide's probabilities in bands, top to bottom; closing it ends the threads."""
        yield from self.predictor.predict(slide, tissue, self.options, watch=watch)


def earlier_champions(project: Project) -> tuple[str, ...]:
    """Return `earlier_in` of a project."""
    return earlier_in(project.settings, project.checkpoints)


def earlier_in(settings: Settings, checkpoints: Path) -> tuple[str, ...]:
    """Return the ids of champions before the one in use that are still on disk, the latest first, each once.

    Empty unless the settings have models compared: nothing depends on them then.

    Raises
    ------
    CheckpointError
        The pointer is damaged.
    """
    if settings.propose.scored_by is not Acquisition.DISAGREEMENT:
        return ()
    pointer = read_pointer(checkpoints)
    if pointer is None:
        return ()
    known = dict.fromkeys(pointer.previous)  # one that came back to be the champion is named among them, too
    return tuple(name for name in known if name != pointer.id and (checkpoints / name).is_dir())


def drawing_of(
    settings: Settings, checkpoints: Path, predictor: SlidePredictor, options: PredictionOptions, *, threads: int = 0
) -> Drawing:
    """Return what the settings want scores to be made of, ready to predict.

    Parameters
    ----------
    checkpoints
        Folder of the champions.
    predictor
        The champion's.
    options
        As it predicts.
    threads
        As of `predictor_of`.
    """
    propose = settings.propose
    match propose.scored_by:
        case Acquisition.BALD:
            turned = turned_draws(predictor, propose.draws)[1:]
            return Drawing(Acquisition.BALD, tuple(PredictorBands(one, options) for one in turned))
        case Acquisition.DISAGREEMENT:
            return _disagreement(_comparable(settings, checkpoints, predictor, threads), settings, options)
        case acquisition:
            return Drawing(acquisition)


def _disagreement(comparable: Iterator[SlidePredictor], settings: Settings, options: PredictionOptions) -> Drawing:
    others: list[PredictorBands] = []
    for one in comparable:
        if len(others) + 1 == settings.propose.checkpoints:
            break
        others.append(PredictorBands(one, options))
    if others:
        return Drawing(Acquisition.DISAGREEMENT, tuple(others))
    note = "chosen by least confidence: no earlier model of the same classes and resolution is there to disagree"
    logger.info("acquisition=least_confidence %s", note)
    return Drawing(note=note)


def _comparable(
    settings: Settings, checkpoints: Path, predictor: SlidePredictor, threads: int
) -> Iterator[SlidePredictor]:
    """Yield earlier champions that predict the same classes on the same grid, the latest first."""
    for name in earlier_in(settings, checkpoints):
        found = _opened(settings, checkpoints / name, threads)
        if found is None:
            continue
        if (found.names, found.map_mpp) != (predictor.names, predictor.map_mpp):
            logger.info("an earlier model is not compared, its classes or resolution are others checkpoint=%s", name)
            continue
        yield found


def _opened(settings: Settings, folder: Path, threads: int) -> SlidePredictor | None:
    try:
        return predictor_of(settings, load_checkpoint(folder), threads=threads)
    except CheckpointError as error:
        logger.warning("an earlier model is not compared: %s", error)
        return None
