"""What one pass renews slides with: the model, loaded when it is first needed, and what the slides compete for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.errors import BridgeError
from bridge.store import Store
from models.checkpoints import Checkpoint
from scripts.loop.drawing import earlier_champions
from scripts.loop.prediction_cache import key_of
from scripts.loop.pull import SlideState
from scripts.loop.sharing import Rivals, Sharing, winners
from scripts.loop.slide_jobs import ChampionBands, box_seed, predict_one, prediction_cache
from scripts.loop.slide_work import SlidePrediction
from scripts.project import Project

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Renewal:
    """Predicts slides, each once a pass, and shares boxes out among them.

    Parameters
    ----------
    champion
        None before the first.
    is_forced
        Predict, whatever is kept.
    is_dry_run
        Nothing is kept: a slide that competes is predicted twice then.
    asks_again
        Boxes that were declined compete as well.
    """

    project: Project
    store: Store
    champion: Checkpoint | None
    is_forced: bool = False
    is_dry_run: bool = False
    stop: Callable[[], bool] = lambda: False
    asks_again: bool = False
    _bands: ChampionBands | None = None
    _fresh: set[str] = field(default_factory=set)

    @property
    def champion_id(self) -> str | None:
        """Of the model in use."""
        return self.champion.id if self.champion is not None else None

    def predict(self, state: SlideState) -> SlidePrediction | None:
        """Return what the champion says of a slide; as `predict_one`, but stopped only between slides."""
        prediction = predict_one(
            self.project,
            state,
            self._loaded(),
            prediction_cache(self.project),
            is_forced=self.is_forced and state.key not in self._fresh,
            is_dry_run=self.is_dry_run,
        )
        if not self.is_dry_run:
            self._fresh.add(state.key)
        return prediction

    def compete(
        self, states: Sequence[SlideState], stale: Sequence[SlideState], advance: Callable[[SlideState], None]
    ) -> tuple[list[SlideState], Rivals]:
        """Predict the slides that are to be written to, and share the project's boxes out.

        Where slides don't compete (`scripts.loop.sharing`), nothing is done here.

        Parameters
        ----------
        states
            All slides.
        stale
            Those that are to be written to in any case.
        advance
            Called with each of these once it is predicted.

        Returns
        -------
        slides, rivals
            Slides to write to: the stale ones, and those without a box that won some. And what all hold and want.
        """
        keys = frozenset(state.key for state in stale)

        def load(state: SlideState) -> SlidePrediction | None:
            if state.key not in keys:
                return prediction_cache(self.project).load(self._name(state))
            found = None if self.stop() else self._predicted_or_none(state)
            advance(state)
            return found

        seed = box_seed(self.project, self.champion.card if self.champion is not None else None)
        sharing = Sharing(self.project, self.store, load, asks_again=self.asks_again)
        rivals = sharing.rivals(states, seed, self._name, keys)
        won_by = winners(rivals, self.project.settings.propose)
        won = [state for state in states if state.key not in keys and state.key in won_by]
        return [*stale, *won], rivals

    def _name(self, state: SlideState) -> str:
        return key_of(state.reading, self.champion_id, self.project.settings, earlier_champions(self.project))

    def _predicted_or_none(self, state: SlideState) -> SlidePrediction | None:
        try:
            return self.predict(state)
        except BridgeError as error:  # tried again, and told, when it is its turn to be written to
            logger.debug("slide=%s can't compete for boxes: %s", state.reading.entry.name, error)
            return None

    def _loaded(self) -> ChampionBands | None:
        if self._bands is None and self.champion is not None:
            self._bands = ChampionBands.of(self.project, self.champion)
        return self._bands
