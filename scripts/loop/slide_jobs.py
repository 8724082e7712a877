"""The two halves of a slide's renewal, each for itself: predict it, and write what was predicted into its file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from bridge.export import write_edits
from bridge.ingest import SlideReading
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask
from bridge.store import Backups, Store
from models.checkpoints import Card, Checkpoint
from models.inference import PredictionOptions, SlidePredictor, Stopwatch, Unlikeness, measure_unlikeness
from scripts.config import Settings
from scripts.loop.drawing import PredictorBands, drawing_of, earlier_champions
from scripts.loop.prediction_cache import PredictionCache, key_of
from scripts.loop.pull import SlideState
from scripts.loop.push import SlidePushed, Wanted, Write, push_slide
from scripts.loop.sharing import Rivals
from scripts.loop.slide_work import Drawing, SlidePrediction, predict_slide
from scripts.loop.training_run import predictor_of
from scripts.project import Project

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ChampionBands:
    """A champion, loaded and ready to yield the probabilities of slide after slide, as `PredictorBands`.

    Parameters
    ----------
    champion
        What is loaded: worth keeping until another is the champion.
    drawing
        What scores are made of, beside its bands.
    """

    champion: Checkpoint
    predictor: SlidePredictor
    options: PredictionOptions
    drawing: Drawing = field(default_factory=Drawing)

    @classmethod
    def of(cls, project: Project, champion: Checkpoint) -> Self:
        """Load a project's champion as its settings say.

        Raises
        ------
        CheckpointError
            Weights that don't fit their card.
        """
        return cls.load(project.settings, project.checkpoints, champion)

    @classmethod
    def load(cls, settings: Settings, checkpoints: Path, champion: Checkpoint, *, threads: int = 0) -> Self:
        """Load a champion as settings say.

        Parameters
        ----------
        checkpoints
            Folder of champions: scores may compare them.
        threads
            CPU threads of a network; 0 takes one per core.

        Raises
        ------
        CheckpointError
            Weights that don't fit their card.
        """
        predict = settings.predict
        predictor = predictor_of(settings, champion, threads=threads)
        options = PredictionOptions(predict.tile_px, predict.overlap_px, predict.batch_size, predict.workers)
        drawing = drawing_of(settings, checkpoints, predictor, options, threads=threads)
        return cls(champion, predictor, options, drawing)

    def __call__(
        self, slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
        """Yield the slide's probabilities in bands, top to bottom; closing it ends the threads."""
        yield from PredictorBands(self.predictor, self.options)(slide, tissue, watch)

    def unlikeness(self, slide: Slide, tissue: TissueMask) -> Unlikeness | None:
        """Return how far a slide looks from the champion's training slides; None where nobody knows."""
        return unlikeness_of(self.champion, slide, tissue)

    @property
    def runs_on(self) -> str:
        """What runs its nets."""
        return self.predictor.runs_on

    def predict(self, settings: Settings, reading: SlideReading, stop: Callable[[], bool]) -> SlidePrediction | None:
        """Predict a slide where it was found, as `predict_slide`."""
        return self.predict_file(settings, reading.slide_path, reading.mpp, stop)

    def predict_file(
        self, settings: Settings, path: Path, mpp: tuple[float, float], stop: Callable[[], bool]
    ) -> SlidePrediction | None:
        """Predict a slide's file, as `predict_slide`."""
        return predict_slide(
            path,
            mpp,
            self,
            self.predictor.map_mpp,  # the champion's, whatever is set meanwhile
            settings.predict,
            settings.propose,
            settings.tissue,
            drawing=self.drawing,
            measure=self.unlikeness,
            stop=stop,
        )


class Champion(Protocol):
    """A champion that predicts slides, in this process or elsewhere."""

    @property
    def champion(self) -> Checkpoint:
        """Whose predictions they are."""
        ...

    @property
    def runs_on(self) -> str:
        """What runs its nets, for people."""
        ...

    def predict(self, settings: Settings, reading: SlideReading, stop: Callable[[], bool]) -> SlidePrediction | None:
        """Predict a slide; None when ``stop`` said so.

        Raises
        ------
        SlideError
            The slide is damaged somewhere, or gone.
        """
        ...


def unlikeness_of(champion: Checkpoint, slide: Slide, tissue: TissueMask) -> Unlikeness | None:
    """Return how far a slide looks from a champion's training slides; None where nobody knows."""
    statistics = champion.card.statistics
    return None if statistics is None else measure_unlikeness(slide, tissue, statistics)


def prediction_cache(project: Project) -> PredictionCache:
    """Return where a project's predictions are kept."""
    return PredictionCache(project.data_folder / "predictions")


def box_seed(project: Project, card: Card | None) -> int:
    """Return the seed of random boxes: another for each training.

    Parameters
    ----------
    card
        The champion's; None before the first.
    """
    return project.settings.propose.seed + (card.iteration if card is not None else 0)


def predict_one(
    project: Project,
    state: SlideState,
    bands: Champion | None,
    cache: PredictionCache,
    *,
    stop: Callable[[], bool] = lambda: False,
    is_forced: bool = False,
    is_dry_run: bool = False,
) -> SlidePrediction | None:
    """Return what the champion says of a slide: kept from before, or predicted now and kept.

    Parameters
    ----------
    bands
        None before the first champion: then only where the tissue is.
    stop
        Asked between bands.
    is_forced
        Predict, whatever is kept.
    is_dry_run
        Nothing is kept.

    Returns
    -------
    SlidePrediction
        None when ``stop`` said so; nothing is kept then.

    Raises
    ------
    SlideError
        The slide is damaged somewhere, or gone.
    """
    settings, reading = project.settings, state.reading
    champion = bands.champion if bands is not None else None
    key = key_of(reading, champion.id if champion else None, settings, earlier_champions(project))
    kept = None if is_forced else cache.load(key)
    if kept is not None:
        logger.debug("slide=%s predicted before", reading.entry.name)
        return kept
    if bands is not None:
        prediction = bands.predict(settings, reading, stop)
    else:
        prediction = predict_slide(
            reading.slide_path,
            reading.mpp,
            None,
            settings.model.mpp,
            settings.predict,
            settings.propose,
            settings.tissue,
            stop=stop,
        )
    if prediction is not None and not is_dry_run:
        cache.save(key, prediction)
    return prediction


def write_one(
    project: Project,
    store: Store,
    backups: Backups,
    state: SlideState,
    prediction: SlidePrediction | None,
    wanted: Wanted,
    *,
    champion: Checkpoint | None,
    now: Callable[[], datetime],
    rivals: Rivals | None = None,
    is_dry_run: bool = False,
    write: Write = write_edits,
    attempts: int = 3,
) -> SlidePushed:
    """Write one slide's predictions and proposals; parameters and errors otherwise as `push_slide`.

    Parameters
    ----------
    prediction
        Of ``predict_one``; None renews neither predictions nor proposals.
    champion
        Whose prediction it is; None before the first.
    """
    iteration = champion.card.iteration if champion else 0
    return push_slide(
        project,
        store,
        backups,
        state,
        prediction,
        wanted,
        champion_id=champion.id if champion else None,
        iteration=iteration,
        now=now,
        seed=box_seed(project, champion.card if champion is not None else None),
        rivals=rivals,
        is_dry_run=is_dry_run,
        write=write,
        attempts=attempts,
    )
