"""Where a project's slides are predicted: in this process, or on the cluster that its settings name.

A cluster is opened when something is to be predicted and not before. Once it is gone, this process goes on alone, and
says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Self

from bridge.errors import BridgeError, ConfigError
from bridge.ingest import SlideReading
from models.checkpoints import Checkpoint
from scripts.config import Settings
from scripts.executors import Cluster, ClusterGoneError, open_cluster
from scripts.loop.slide_jobs import Champion, ChampionBands
from scripts.loop.slide_work import SlidePrediction
from scripts.project import Project

if TYPE_CHECKING:  # Dask comes with it
    from scripts.loop.elsewhere import ClusterChampion

logger = logging.getLogger(__name__)
_AGAIN_SECONDS = 60.0  # between two tries to reach a cluster that was gone


@dataclass(slots=True)
class Computing:
    """Predicts a project's slides where its settings say (``[compute]``).

    Parameters
    ----------
    is_patient
        A cluster that can't be used is told, this process predicts meanwhile, and it is tried again; otherwise it is
        an error.
    clock
        Monotonic seconds.
    """

    project: Project
    is_patient: bool = False
    clock: Callable[[], float] = monotonic
    _stack: ExitStack = field(default_factory=ExitStack)
    _cluster: Cluster | None = None
    _there: ClusterChampion | None = None
    _here: ChampionBands | None = None
    _again_at: float = 0.0
    _was_there: bool = False
    _told: str = ""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the cluster."""
        self.close()

    def champion(self, champion: Checkpoint) -> Champion:
        """Return a champion ready to predict; the one before it is dropped.

        Raises
        ------
        ConfigError
            The cluster can't be used.
        CheckpointError
            Weights that don't fit their card.
        """
        if not self.project.settings.compute.scheduler:
            return self._at_home(champion)
        if self._there is not None and self._there.champion.id != champion.id:
            self._there.close()
            self._there = None
        return _Either(self, champion)

    def reach(self, champion: Checkpoint) -> None:
        """Connect to the cluster, where there is to be one, and give it the champion.

        Raises
        ------
        ConfigError
            It can't be used, and we are not patient.
        """
        if self.project.settings.compute.scheduler:
            self._reached(champion)

    def ahead(self, coming: Sequence[SlideReading]) -> None:
        """Have a cluster begin with slides before it is their turn; without one nothing is done ahead.

        Parameters
        ----------
        coming
            All that will be asked for, in that order.
        """
        if self._there is None:
            return
        try:
            self._there.ahead(coming)
        except BridgeError as error:  # told when a slide is asked for
            logger.debug("nothing is asked for ahead: %s", error)

    def room_ahead(self) -> int:
        """Return how many slides it makes sense to name to `ahead`; 0 without a cluster."""
        return self._there.room_ahead() if self._there is not None else 0

    def close(self) -> None:
        """Stop what is under way on the cluster, and let go of it."""
        there, self._there, self._cluster = self._there, None, None
        with self._stack:
            if there is not None:
                there.close()
        self._stack = ExitStack()

    def predict(
        self, champion: Checkpoint, settings: Settings, reading: SlideReading, stop: Callable[[], bool]
    ) -> SlidePrediction | None:
        """Predict a slide on the cluster; here, while that is gone."""
        there = self._reached(champion)
        if there is not None:
            try:
                return there.predict(settings, reading, stop)
            except ClusterGoneError as error:
                self._gone(error)
        return self._at_home(champion).predict(settings, reading, stop)

    def runs_on(self, champion: Checkpoint) -> str:
        """Return what runs a champion's nets now."""
        return self._there.runs_on if self._there is not None else self._at_home(champion).runs_on

    def _reached(self, champion: Checkpoint) -> ClusterChampion | None:
        """Return the champion on the cluster; None while it is gone."""
        if self._there is not None:
            return self._there
        if self.clock() < self._again_at:
            return None
        try:
            if self._cluster is None:
                self._cluster = self._stack.enter_context(open_cluster(self.project.settings.compute))
            self._there = self._installed(champion, self._cluster)
        except ClusterGoneError as error:
            self._gone(error)
        except ConfigError as error:
            if not self.is_patient and not self._was_there:
                raise
            self._gone(error)
        else:
            self._here, self._told, self._was_there = None, "", True
        return self._there

    def _installed(self, champion: Checkpoint, cluster: Cluster) -> ClusterChampion:
        from scripts.loop.elsewhere import ClusterChampion

        return ClusterChampion(champion, self.project.settings, self.project.checkpoints, cluster)

    def _gone(self, error: ClusterGoneError | ConfigError) -> None:
        """Go on alone for a while; say why, once for each reason."""
        if str(error) != self._told:
            logger.warning("slides are predicted in this process, the cluster is tried again later: %s", error)
            self._told = str(error)
        self.close()
        self._again_at = self.clock() + _AGAIN_SECONDS

    def _at_home(self, champion: Checkpoint) -> ChampionBands:
        if self._here is None or self._here.champion.id != champion.id:
            self._here = ChampionBands.of(self.project, champion)
        return self._here


@dataclass(frozen=True, slots=True)
class _Either:
    """A champion on the cluster, or here while that is gone."""

    computing: Computing
    champion: Checkpoint

    @property
    def runs_on(self) -> str:
        """What runs its nets."""
        return self.computing.runs_on(self.champion)

    def predict(self, settings: Settings, reading: SlideReading, stop: Callable[[], bool]) -> SlidePrediction | None:
        """Predict a slide; None when ``stop`` said so."""
        return self.computing.predict(self.champion, settings, reading, stop)
