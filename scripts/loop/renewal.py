"""What one pass renews slides with: the model, loaded when it is first needed, and what the slides compete for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bridge.errors import BridgeError
from bridge.ingest import SlideReading
from bridge.store import CostRecord, Store
from models.checkpoints import Checkpoint
from scripts.daemon import wording as said
from scripts.loop.computing import Computing
from scripts.loop.costs import cost_facts, cost_record
from scripts.loop.drawing import earlier_champions
from scripts.loop.prediction_cache import PredictionCache, key_of
from scripts.loop.pull import SlideState
from scripts.loop.sharing import Rivals, Sharing, winners
from scripts.loop.slide_jobs import Champion, ChampionBands, box_seed, predict_one, prediction_cache
from scripts.loop.slide_work import SlidePrediction
from scripts.project import Project

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


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
    computing
        Where slides are predicted; in this process if None.
    now
        When a prediction is done.
    costs
        Slide → what its prediction cost, of those that were really predicted; written to the store as well.
    """

    project: Project
    store: Store
    champion: Checkpoint | None
    is_forced: bool = False
    is_dry_run: bool = False
    stop: Callable[[], bool] = lambda: False
    asks_again: bool = False
    computing: Computing | None = None
    now: Callable[[], datetime] = _now
    costs: dict[str, CostRecord] = field(default_factory=dict)
    _bands: Champion | None = None
    _fresh: set[str] = field(default_factory=set)
    _coming: dict[str, SlideReading] = field(default_factory=dict)

    @property
    def champion_id(self) -> str | None:
        """Of the model in use."""
        return self.champion.id if self.champion is not None else None

    def expect(self, states: Sequence[SlideState]) -> None:
        """Take in which slides will be predicted, in that order: a cluster begins with some before their turn.

        Raises
        ------
        ConfigError
            The cluster that the settings name can't be used, and is needed: not everything is kept from before.
        """
        if self.champion is None or self.computing is None:
            return
        cache = prediction_cache(self.project)
        missing = [state for state in states if self._is_forced(state) or not self._is_kept(state, cache)]
        self._coming = {state.key: state.reading for state in missing}
        if missing:
            self._loaded()
            self.computing.reach(self.champion)

    def predict(self, state: SlideState) -> SlidePrediction | None:
        """Return what the champion says of a slide; as `predict_one`, but stopped only between slides."""
        if self.computing is not None and state.key in self._coming:
            self.computing.ahead(list(self._coming.values()))
            del self._coming[state.key]
        prediction = predict_one(
            self.project,
            state,
            self._loaded(),
            prediction_cache(self.project),
            is_forced=self._is_forced(state),
            is_dry_run=self.is_dry_run,
        )
        if not self.is_dry_run:
            self._fresh.add(state.key)
        if prediction is not None:
            self._note_cost(state, prediction)
        return prediction

    def _is_forced(self, state: SlideState) -> bool:
        return self.is_forced and state.key not in self._fresh

    def _is_kept(self, state: SlideState, cache: PredictionCache) -> bool:
        try:
            return cache.holds(self._name(state))
        except BridgeError as error:  # told when it is its turn
            logger.debug("slide=%s is not expected: %s", state.reading.entry.name, error)
            return True

    def _note_cost(self, state: SlideState, prediction: SlidePrediction) -> None:
        cost = cost_record(state.key, state.reading.mpp, prediction, self._bands, self.now())
        if cost is None or self.champion is None:
            return
        self.costs[state.key] = cost
        if not self.is_dry_run:
            self.store.record_cost(cost)
        outlines, iteration = len(prediction.predictions), self.champion.card.iteration
        logger.info("%s", said.predicted(state.reading.entry, outlines, iteration, cost.wall_seconds, cost_facts(cost)))

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

    def _loaded(self) -> Champion | None:
        if self._bands is None and self.champion is not None:
            computing = self.computing
            self._bands = (
                ChampionBands.of(self.project, self.champion)
                if computing is None
                else computing.champion(self.champion)
            )
        return self._bands
