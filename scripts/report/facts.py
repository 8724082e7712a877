"""What the report says, before it is a page: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.metrics import Confusion
from scripts.loop.costs import CostAccount
from scripts.loop.effort import Effort
from scripts.loop.loss_curve import LossCurve
from scripts.loop.training_cost import TrainingCost
from scripts.web.layers import Layer


class Mood(StrEnum):
    """How a line is meant; the page's badges are called so."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class News:
    """One line of what happened.

    Parameters
    ----------
    topic
        One or two words: ``Training``, ``Saves`` …
    slides
        (anchor, name) of the slides that it speaks of.
    """

    topic: str
    text: str
    mood: Mood = Mood.PLAIN
    slides: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where expert and model disagree.

    Parameters
    ----------
    anchor, name
        Of the slide.
    kind
        What was compared, in words.
    iteration
        Of the model.
    score
        0 to 1: the mean of the classes' mean Dice and of all classes' Dice together.
    dice
        By class; None where it was neither labelled nor predicted.
    pixels
        Compared, on the model's grid.
    at
        When it was scored; None for the hold-out, which is judged as it is now.
    centre_um
        (x, y) from the slide's corner, where the area is still as it was.
    """

    anchor: str
    name: str
    kind: str
    iteration: int
    score: float
    dice: Mapping[str, float | None]
    pixels: int
    at: datetime | None = None
    centre_um: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class HeldOutPoint:
    """A class's score of one training on the held-out slides, as ``validate`` has it.

    Parameters
    ----------
    f1
        Over all held-out pixels together.
    mean, sd
        Over slides, each alike; None where it can't be had.
    """

    iteration: int
    f1: float | None
    mean: float | None
    sd: float | None
    slides: int
    is_promoted: bool


@dataclass(frozen=True, slots=True)
class ForeseenPoint:
    """How well one training's predictions had foreseen what people labelled after."""

    iteration: int
    f1: float
    areas: int


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """The learning curve of a class, or of all of them together."""

    name: str
    held_out: tuple[HeldOutPoint, ...]
    foreseen: tuple[ForeseenPoint, ...]

    @property
    def iterations(self) -> Sequence[int]:
        """Trainings of which something is known."""
        judged, seen = (p.iteration for p in self.held_out), (p.iteration for p in self.foreseen)
        return sorted({*judged, *seen})


@dataclass(frozen=True, slots=True)
class Learning:
    """What was learned.

    Parameters
    ----------
    unjudged
        Iterations whose judgement on today's labels isn't kept.
    gap
        What is missing for more, and the command that fills it; None for nothing.
    """

    curves: tuple[ClassCurve, ...] = ()
    held_out_slides: int = 0
    unjudged: tuple[int, ...] = ()
    gap: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """A confusion matrix, and where it comes from, in words."""

    confusion: Confusion
    origin: str


@dataclass(frozen=True, slots=True)
class AreaPoint:
    """The completely labelled area of all slides together, from a moment on."""

    at: datetime
    mm2: float


@dataclass(frozen=True, slots=True)
class PictureShape:
    """Outlines of one layer and class, to be drawn as one path over a picture.

    Parameters
    ----------
    path
        ``d`` of an SVG path, in the picture's pixels.
    count
        Outlines in it.
    note
        Words about it.
    """

    layer: Layer
    path_class: str
    colour: str
    path: str
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A slide, small.

    Parameters
    ----------
    jpeg
        The picture, without any metadata.
    counts
        Outlines in the file, by layer.
    undrawn
        Of these, those too small to be seen, or left out because there are too many.
    note
        Why there are no outlines, where the file can't be read.
    """

    jpeg: bytes
    width: int
    height: int
    shapes: tuple[PictureShape, ...] = ()
    counts: Mapping[Layer, int] | None = None
    undrawn: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class SlideRow:
    """One slide.

    Parameters
    ----------
    anchor
        Names its row in the page.
    part
        ``trains``, ``judges``, both, or nothing yet.
    objects
        Of people's; None where nobody knows.
    predictions, proposals
        That our last write brought.
    agreement, agreement_of
        The lowest score, 0 to 1, of what is known of it, and what that is.
    notes
        Lines about it: unlike the training slides, warnings.
    problem
        Why it can't be read.
    picture_problem
        Why there is no picture, though one was wanted.
    """

    anchor: str
    name: str
    part: str
    objects: int | None = None
    labelled_mm2: float | None = None
    predictions: int | None = None
    proposals: int | None = None
    iteration: int | None = None
    written_at: datetime | None = None
    agreement: float | None = None
    agreement_of: str = ""
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    problem: str | None = None
    picture: Picture | None = None
    picture_problem: str | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One training.

    Parameters
    ----------
    design
        Of its model; None where its card is gone.
    verdict
        ``used``, ``not used``, ``failed`` or ``running``.
    cost
        None for one that isn't finished.
    """

    iteration: int
    kind: str
    started_at: datetime
    ended_at: datetime | None
    design: str | None
    verdict: str
    mood: Mood
    score: float | None
    champion_score: float | None
    reason: str
    cost: TrainingCost | None


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything that the page says.

    Parameters
    ----------
    project
        Its folder's name.
    now
        When it was gathered, in the time zone that all times are shown in.
    since
        From when on things are news.
    missing
        What must be labelled before a training can start.
    picture_limit
        How many slides may have a picture.
    environment
        (what, which) of versions and the machine's kind.
    """

    project: str
    now: datetime
    since: datetime
    news: tuple[News, ...]
    is_watched: bool
    missing: str | None
    disagreements: tuple[Disagreement, ...]
    learning: Learning
    losses: tuple[LossCurve, ...]
    effort: Effort
    area: tuple[AreaPoint, ...]
    mistakes: Mistakes | None
    cost: CostAccount
    slides: tuple[SlideRow, ...]
    picture_limit: int
    runs: tuple[RunRow, ...]
    warnings: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
