"""Which predictions a slide's scores are made of: the champion's alone, turned ones too, or earlier champions' too."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask
from models.active import Acquisition
from models.checkpoints import load_checkpoint, read_pointer
from models.errors import CheckpointError
from models.inference import PredictionOptions, SlidePredictor, turned_draws
from scripts.loop.slide_work import Drawing
from scripts.loop.training_run import predictor_of
from scripts.project import Project

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class PredictorBands:
    """A predictor that yields the probabilities of slide after slide; called with (slide, tissue)."""

    predictor: SlidePredictor
    options: PredictionOptions

    def __call__(self, slide: Slide, tissue: TissueMask) -> Generator[ProbabilityMap, None, None]:
        """Yield the slide's probabilities in bands, top to bottom; closing it ends the threads."""
        yield from self.predictor.predict(slide, tissue, self.options)


def earlier_champions(project: Project) -> tuple[str, ...]:
    """Return the ids of champions before the one in use that are still on disk, the latest first, each once.

    Empty unless the settings have models compared: nothing depends on them then.

    Raises
    ------
    CheckpointError
        The pointer is damaged.
    """
    if project.settings.propose.scored_by is not Acquisition.DISAGREEMENT:
        return ()
    pointer = read_pointer(project.checkpoints)
    if pointer is None:
        return ()
    known = dict.fromkeys(pointer.previous)  # one that came back to be the champion is named among them, too
    return tuple(name for name in known if name != pointer.id and (project.checkpoints / name).is_dir())


def drawing_of(project: Project, predictor: SlidePredictor, options: PredictionOptions) -> Drawing:
    """Return what the settings want scores to be made of, ready to predict.

    Parameters
    ----------
    predictor
        The champion's.
    options
        As it predicts.
    """
    propose = project.settings.propose
    match propose.scored_by:
        case Acquisition.BALD:
            turned = turned_draws(predictor, propose.draws)[1:]
            return Drawing(Acquisition.BALD, tuple(PredictorBands(one, options) for one in turned))
        case Acquisition.DISAGREEMENT:
            return _disagreement(project, predictor, options)
        case acquisition:
            return Drawing(acquisition)


def _disagreement(project: Project, predictor: SlidePredictor, options: PredictionOptions) -> Drawing:
    others: list[PredictorBands] = []
    for one in _comparable(project, predictor):
        if len(others) + 1 == project.settings.propose.checkpoints:
            break
        others.append(PredictorBands(one, options))
    if others:
        return Drawing(Acquisition.DISAGREEMENT, tuple(others))
    note = "chosen by least confidence: no earlier model of the same classes and resolution is there to disagree"
    logger.info("acquisition=least_confidence %s", note)
    return Drawing(note=note)


def _comparable(project: Project, predictor: SlidePredictor) -> Iterator[SlidePredictor]:
    """Yield earlier champions that predict the same classes on the same grid, the latest first."""
    for name in earlier_champions(project):
        found = _opened(project, name)
        if found is None:
            continue
        if (found.names, found.map_mpp) != (predictor.names, predictor.map_mpp):
            logger.info("an earlier model is not compared, its classes or resolution are others checkpoint=%s", name)
            continue
        yield found


def _opened(project: Project, name: str) -> SlidePredictor | None:
    try:
        return predictor_of(project.settings, load_checkpoint(project.checkpoints / name))
    except CheckpointError as error:
        logger.warning("an earlier model is not compared: %s", error)
        return None
