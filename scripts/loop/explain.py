"""Why these boxes: what would be proposed on each slide now, with rank, score, words and what kept others off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import FileUse
from bridge.errors import BridgeError
from bridge.store import Backups, Store
from models.active import SelectionMethod
from scripts.loop.boxes import FoundBox, FoundBoxes, Taken, look_at, method_for, taken_areas
from scripts.loop.learn import load_project_champion
from scripts.loop.pull import SlideState, pull
from scripts.loop.push import with_note
from scripts.loop.renewal import Renewal
from scripts.loop.sharing import Rivals, Share, candidates, changed_boxes, open_boxes, share, takes_boxes
from scripts.loop.slide_jobs import box_seed
from scripts.loop.slide_work import SlidePrediction
from scripts.naming.project_names import project_names
from scripts.plain_words import counted
from scripts.progress import Progress, Renamed, Silent
from scripts.project import Project, open_project, open_store

_BY_PEAK = "first is the box around the highest score of a single spot; the number is the mean of the whole box"


@dataclass(frozen=True, slots=True)
class ExplainedBox:
    """One box.

    Parameters
    ----------
    found
        Place, rank, score and words, share of tissue.
    size_um
        Width and height.
    """

    found: FoundBox
    size_um: tuple[float, float]

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines; places are level-0 pixels."""
        proposal = self.found.proposal
        left, top, right, bottom = proposal.region.bounds
        return {
            "rank": proposal.rank,
            "bounds": [left, top, right, bottom],
            "size_um": [round(side, 1) for side in self.size_um],
            "score": round(proposal.score, 4),
            "reason": proposal.reason,
            "text": proposal.text,
            "tissue": round(self.found.tissue, 3),
        }

    def line(self) -> str:
        """Return the facts for people."""
        proposal, (width, height) = self.found.proposal, self.size_um
        left, top, _, _ = proposal.region.bounds
        where = f"at {left:.0f}, {top:.0f}, {width:.0f} × {height:.0f} µm"
        return f"  {proposal.text}: {where}, {self.found.tissue:.0%} tissue"


@dataclass(frozen=True, slots=True)
class ExplainedSlide:
    """What would be proposed on one slide, were it renewed now.

    Parameters
    ----------
    how
        The method, and the score that it goes by; the latter None for boxes that chance chooses.
    wanted
        Boxes asked for (``[propose] k``).
    open_boxes
        Boxes in the file that nobody has answered or changed; they would be replaced.
    taken
        Where no box may lie.
    why_none
        Why the slide gets no boxes at all; None where it may.
    """

    name: str
    how: tuple[SelectionMethod, str | None] | None
    wanted: int
    boxes: tuple[ExplainedBox, ...]
    shortage: str | None
    passed_over: Mapping[str, int]
    open_boxes: int
    taken: Taken
    why_none: str | None = None

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        method, acquisition = self.how or (None, None)
        return {
            "slide": self.name,
            "method": None if method is None else method.value,
            "acquisition": acquisition,
            "wanted": self.wanted,
            "boxes": [box.as_json() for box in self.boxes],
            "shortage": self.shortage,
            "passed_over": dict(self.passed_over),
            "open": self.open_boxes,
            "taken": dict(self.taken.counts()),
            "why_none": self.why_none,
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        if self.why_none is not None or self.how is None:
            return [f"{self.name}: no boxes: {self.why_none}"]
        method, acquisition = self.how
        by = f"{method.value}, by {acquisition}" if acquisition is not None else method.value
        said = f"{self.name}: {len(self.boxes)} of {counted(self.wanted, 'box', 'boxes')} ({by})"
        told = [said + (f": {self.shortage}" if self.shortage is not None else "")]
        told += [box.line() for box in self.boxes]
        if method is SelectionMethod.ADAPTIVE and len(self.boxes) > 1:
            told.append(f"  {_BY_PEAK}")
        kept_off = [f"{count} {kind}" for kind, count in self.taken.counts().items() if count]
        told += [f"  kept off what is taken: {', '.join(kept_off)}"] if kept_off else []
        ones = "one" if self.open_boxes == 1 else "ones"
        return told + ([f"  {self.open_boxes} open {ones} would be replaced"] if self.open_boxes else [])


@dataclass(frozen=True, slots=True)
class Explained:
    """What would be proposed in a project now; nothing was written."""

    slides: tuple[ExplainedSlide, ...]
    problems: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {"slides": [slide.as_json() for slide in self.slides], "problems": dict(self.problems)}

    def lines(self) -> list[str]:
        """Return the facts for people."""
        told = [line for slide in self.slides for line in slide.lines()]
        return [*told, *(f"{name}: failed: {why}" for name, why in self.problems.items())]


def explain(path: Path, *, asks_again: bool = False, progress: Progress | None = None) -> Explained:
    """Say which boxes every slide would get if all were renewed now, and why; nothing is written or kept.

    Slides whose prediction isn't kept are predicted. Where slides compete, all take part, as with ``propose --force``.

    Parameters
    ----------
    asks_again
        As if boxes that were declined might come once more.

    Raises
    ------
    BridgeError
        The project, its store or its champion can't be opened.
    """
    project, progress = open_project(path), progress or Silent()
    with open_store(project, is_dry_run=True) as store:
        entries = project.source.slides()
        progress = Renamed(progress, project_names(project, entries).hide_note)
        progress.start("reading", len(entries))
        backups = Backups(project.data_folder / "backups")
        pulled = pull(project, store, backups, datetime.now(UTC), advance=_told(progress), is_dry_run=True)
        champion = load_project_champion(project)
        looker = _Looker(project, store, Renewal(project, store, champion, is_dry_run=True), asks_again)
        progress.start("looking", len(pulled.slides))
        for state in pulled.slides:
            looker.look(state)
            progress.advance(note=state.reading.entry.name)
        problems = {p.entry.name: p.message for p in pulled.problems} | looker.problems
        return Explained(
            tuple(looker.explained(state) for state in pulled.slides if state.key in looker.seen), problems
        )


def _told(progress: Progress) -> Callable[[str], None]:
    return lambda name: progress.advance(note=name)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one slide would ask for by itself."""

    found: FoundBoxes
    taken: Taken
    how: tuple[SelectionMethod, str | None]
    note: str | None


@dataclass(slots=True)
class _Looker:
    """Looks at slide after slide; what it keeps of each are boxes, not maps."""

    project: Project
    store: Store
    renewal: Renewal
    asks_again: bool
    seen: dict[str, _Seen | None] = field(default_factory=dict)
    staying: dict[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def look(self, state: SlideState) -> None:
        """Predict a slide and find its boxes."""
        self.staying[state.key] = ((),) * len(open_boxes(state))
        if not takes_boxes(self.project, state):
            self.seen[state.key] = None
            return
        try:
            prediction = self.renewal.predict(state)
        except BridgeError as error:
            self.problems[state.reading.entry.name] = str(error)
            return
        if prediction is not None:
            self.seen[state.key] = self._seen(state, prediction)
            changed = changed_boxes(state)
            self.staying[state.key] = tuple(look_at(prediction, box.geometry.bounds) for box in changed)

    def explained(self, state: SlideState) -> ExplainedSlide:
        """Return what a slide gets, now that all were looked at."""
        seen, name, k = self.seen[state.key], state.reading.entry.name, self.project.settings.propose.k
        count = len(open_boxes(state)) - len(changed_boxes(state))
        if seen is None:
            return ExplainedSlide(name, None, k, (), None, {}, count, Taken(), _why_none(state))
        waiting = {key: other.found for key, other in self.seen.items() if other is not None}
        rivals = Rivals(waiting, self.staying)
        shared = share(state.key, seen.found, rivals, self.project.settings.propose)
        shortage = with_note(_reason(shared), seen.note)
        boxes = _sized(shared.found.boxes, state.reading.mpp)
        return ExplainedSlide(name, seen.how, k, boxes, shortage, shared.passed_over, count, seen.taken)

    def _seen(self, state: SlideState, prediction: SlidePrediction) -> _Seen:
        options, champion = self.project.settings.propose, self.renewal.champion
        taken = taken_areas(self.store, state.reading, asks_again=self.asks_again)
        seed = box_seed(self.project, champion.card if champion is not None else None)
        found = candidates(prediction, state, taken.all, options, seed=seed)
        method, overview = method_for(prediction, options), prediction.overview
        score = None if overview is None or method is SelectionMethod.RANDOM else overview.acquisition.value
        return _Seen(found, taken, (method, score), prediction.note)


def _reason(shared: Share) -> str | None:
    """Return the shortage without the numbers, which are said anyway."""
    return None if shared.shortage is None else shared.shortage.partition(": ")[2]


def _sized(boxes: Sequence[FoundBox], mpp: tuple[float, float]) -> tuple[ExplainedBox, ...]:
    return tuple(
        ExplainedBox(box, (box.proposal.region.width * mpp[0], box.proposal.region.height * mpp[1])) for box in boxes
    )


def _why_none(state: SlideState) -> str:
    if state.is_suspicious:
        return "its last save lost more than half of what was drawn, and isn't believed"
    if state.reading.is_held:
        return "its last save failed half way"
    if state.reading.entry.written_path is None:
        return "nothing is written to this slide's file"
    if state.reading.entry.use is FileUse.OFFERED:
        return "the file was offered to a viewer, and nobody has taken it over yet"
    return "the whole slide counts as labelled"
