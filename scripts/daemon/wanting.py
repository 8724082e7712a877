"""Which jobs a project needs now, asked of its store; asking for the same job twice is harmless."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.errors import SlideError
from bridge.store import JobKind, JobRecord, JobState, Store
from models.checkpoints import read_card, read_champion
from models.errors import CheckpointError
from scripts.daemon.deciding import Attention
from scripts.daemon.reading import Reader
from scripts.daemon.slides_now import SlidesNow
from scripts.daemon.viewing import Viewing
from scripts.daemon.world import World
from scripts.loop.drawing import earlier_champions
from scripts.loop.knowing import known_of_writes
from scripts.loop.prediction_cache import PredictionCache, key_of
from scripts.loop.pull import Pulled, SlideState
from scripts.loop.push import Wanted, is_stale
from scripts.loop.sharing import Rivals, Sharing, winners
from scripts.loop.slide_jobs import box_seed
from scripts.loop.slide_work import SlidePrediction
from scripts.loop.training_due import why_not
from scripts.loop.training_run import RunKind, data_hash
from scripts.project import Project

logger = logging.getLogger(__name__)
WANTED = Wanted()
_FRESH = 4  # predictions kept in memory: what was predicted last is written next


@dataclass(slots=True)
class Predictions:
    """Predictions at hand: the last few in memory, the others on disk."""

    cache: PredictionCache
    _fresh: OrderedDict[str, SlidePrediction] = field(default_factory=OrderedDict)

    def holds(self, key: str) -> bool:
        """Say whether a prediction is there, without reading it."""
        return key in self._fresh or self.cache.holds(key)

    def put(self, key: str, prediction: SlidePrediction) -> None:
        """Keep a prediction in memory; the disk has it already, where it could."""
        self._fresh[key] = prediction
        self._fresh.move_to_end(key)
        while len(self._fresh) > _FRESH:
            self._fresh.popitem(last=False)

    def get(self, key: str) -> SlidePrediction | None:
        """Return a prediction; None where there is none (any more)."""
        return self._fresh.get(key) or self.cache.load(key)


@dataclass(slots=True)
class Wants:
    """Asks for jobs.

    Parameters
    ----------
    newest_labels
        Input of the training that is wanted now: one that runs on another input works on older labels.
    """

    project: Project
    store: Store
    slides: SlidesNow
    reader: Reader
    predictions: Predictions
    viewing: Viewing
    world: World
    newest_labels: str | None = None
    _sharing: Sharing | None = None

    def ask(self, attention: Attention) -> None:
        """Ask for everything that is wanted now; nothing before every slide was looked at once.

        Raises
        ------
        BridgeError
            The store or the champion can't be read.
        """
        if self.slides.unread:
            return
        pulled = self.slides.pulled(self.world.now())
        self._ask_training(pulled)
        stale, waiting = self._stale(pulled), self._waiting_writes()
        rivals = self._rivals(pulled, stale)
        wanted = stale | winners(rivals, self.project.settings.propose)
        for state in sorted(pulled.slides, key=lambda s: attention.rank(s.key)):
            if state.key in wanted:
                self._ask_slide(state, waiting)

    def rivals(self) -> Rivals:
        """Return what the slides hold and want now, where they compete for boxes.

        Raises
        ------
        BridgeError
            The store or the champion can't be read.
        """
        if not self._shared().is_on:
            return Rivals()
        pulled = self.slides.pulled(self.world.now())
        return self._rivals(pulled, self._stale(pulled))

    def is_wanted(self, state: SlideState, rivals: Rivals) -> bool:
        """Say whether a slide is still to be written to: the boxes that it won may have gone to others meanwhile.

        Raises
        ------
        BridgeError
            The champion can't be read.
        """
        if not self._shared().is_on:
            return True
        options, scheme = self.project.settings.propose, self.project.scheme
        is_winner = state.key in winners(rivals, options)
        return is_winner or is_stale(state, self.store, scheme, self.champion_id(), WANTED, options.k)

    def champion_id(self) -> str | None:
        """Return the id of the project's champion; None before the first."""
        return read_champion(self.project.checkpoints)

    def training_input(self, pulled: Pulled) -> str:
        """Name what a training would learn from, and after which one: labels may come back as they were before."""
        trained = sum(run.checkpoint_id is not None for run in self.store.runs())
        return f"{data_hash(self.project, pulled)[:32]}-{trained}"

    def prediction_key(self, state: SlideState) -> str:
        """Name the prediction that a slide needs now.

        Raises
        ------
        SlideError
            The slide's file is gone.
        """
        return key_of(state.reading, self.champion_id(), self.project.settings, earlier_champions(self.project))

    def write_input(self, state: SlideState) -> str:
        """Name what a write would go by: the file as it was read, the prediction, and our last write."""
        parts = (
            state.reading.revision or "",
            self.prediction_key(state),
            self.store.newest_marker(state.key) or "",
            self.store.last_delivery(state.key) or "",  # one that a viewer let go of is no reason to leave it at that
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def ask_prediction(self, state: SlideState) -> None:
        """Ask for the prediction that a slide needs now, also where it was made before: it isn't there any more.

        Raises
        ------
        SlideError
            The slide's file is gone.
        """
        self._ask(JobKind.PREDICT, state.key, self.prediction_key(state), is_repeated=True)

    def _ask_training(self, pulled: Pulled) -> None:
        self.newest_labels = None
        if why_not(self.project, self.store, pulled, RunKind.INCREMENTAL, is_forced=False) is None:
            self.newest_labels = self.training_input(pulled)
            self._ask(JobKind.TRAIN, None, self.newest_labels)
            return
        for job in self.store.jobs(JobState.WAITING):
            if job.kind is JobKind.TRAIN:
                self.store.supersede_job(job.id, self.world.now(), "nothing is left to learn from it")

    def _waiting_writes(self) -> Mapping[str, str]:
        """Return slide key → input of the writes that were asked for before."""
        writes = (job for job in self.store.jobs(JobState.WAITING) if job.kind is JobKind.WRITE)
        return {job.slide_key: job.input_hash for job in writes if job.slide_key is not None}

    def _stale(self, pulled: Pulled) -> frozenset[str]:
        champion, project = self.champion_id(), self.project
        k = project.settings.propose.k
        facts = known_of_writes(self.store, (state.reading for state in pulled.slides))
        return frozenset(
            state.key for state in pulled.slides if is_stale(state, facts, project.scheme, champion, WANTED, k)
        )

    def _rivals(self, pulled: Pulled, stale: frozenset[str]) -> Rivals:
        if not self._shared().is_on:
            return Rivals()
        return self._shared().rivals(pulled.slides, self._box_seed(), self.prediction_key, stale)

    def _shared(self) -> Sharing:
        if self._sharing is None:
            self._sharing = Sharing(self.project, self.store, lambda s: self.predictions.get(self.prediction_key(s)))
        return self._sharing

    def _box_seed(self) -> int:
        champion = self.champion_id()
        try:
            card = None if champion is None else read_card(self.project.checkpoints, champion)
        except CheckpointError:  # whoever loads it says so
            card = None
        return box_seed(self.project, card)

    def _ask_slide(self, state: SlideState, waiting: Mapping[str, str]) -> None:
        if state.key in self.reader.awaited or self.viewing.is_pending(state.key):
            return
        try:
            key = self.prediction_key(state)
            if self.predictions.holds(key):
                self._ask(JobKind.WRITE, state.key, self.write_input(state))
            elif waiting.get(state.key) != self.write_input(state):  # else it asks by itself, once it can be written
                self.ask_prediction(state)
        except SlideError as error:
            self.reader.fail(state.reading.entry, error)

    def _ask(self, kind: JobKind, key: str | None, input_hash: str, *, is_repeated: bool = False) -> JobRecord:
        """Ask for a job; ``is_repeated``: also where it was done, for what it made is gone."""
        now = self.world.now()
        job = self.store.ask_job(kind, key, input_hash, now)
        if is_repeated and job.state is JobState.DONE:
            return self.store.ask_job(kind, key, input_hash, now, is_forced=True)
        return job
