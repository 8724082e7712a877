"""What ``watch`` shows on a terminal: a pure picture of what the heartbeats say, as wide as the terminal is.

Everything in it that comes from files (names, errors) is shown as text, never obeyed: control characters are replaced,
and rich's markup is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from bridge.store import JobKind
from scripts.daemon.heartbeat import Beat, DaemonState, Doing, Failure, Queued, seconds_left
from scripts.plain_words import clean, counted, moment, size, span

_LABEL = 12  # cells of the words before a line
_INDENT = 2
_NARROW = 60  # cells; below that, words take the place of the bar
_BAR, _LEAST_BAR = 24, 8
_LONGEST_NAME, _FAIR_NAME, _SHORTEST_NAME = 48, 16, 8
_ERROR_LINES, _NARROW_ERROR_LINES = 4, 8
_FACT_LINES = 4
_NOW: Mapping[JobKind, str] = {
    JobKind.READ: "reading",
    JobKind.TRAIN: "training",
    JobKind.NIGHTLY: "nightly training",
    JobKind.PREDICT: "predicting",
    JobKind.WRITE: "writing",
}
_TO_DO: Mapping[JobKind, tuple[str, str]] = {
    JobKind.READ: ("slide to read", "slides to read"),
    JobKind.TRAIN: ("training", "trainings"),
    JobKind.NIGHTLY: ("nightly training", "nightly trainings"),
    JobKind.PREDICT: ("slide to predict", "slides to predict"),
    JobKind.WRITE: ("slide to write to", "slides to write to"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One project, as it is shown.

    Parameters
    ----------
    name
        Of its folder.
    state
        What its heartbeat says; None while it isn't watched and is tried again.
    """

    name: str
    state: DaemonState | None


@dataclass(frozen=True, slots=True)
class View:
    """A picture of some projects at one moment; rich draws it in as many cells as there are."""

    projects: tuple[Shown, ...]
    now: datetime
    memory_bytes: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one line of text after the other."""
        yield from _Drawing(self.now, console, options).lines(self)


def view(projects: Sequence[Shown], now: datetime, *, memory_bytes: float | None = None) -> View:
    """Return what to show.

    Parameters
    ----------
    memory_bytes
        That this process takes; None for not known.
    """
    return View(tuple(projects), now, memory_bytes)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The lines of a picture, in one width."""

    now: datetime
    console: Console
    options: ConsoleOptions

    @property
    def width(self) -> int:
        return max(self.options.max_width, 16)

    @property
    def is_narrow(self) -> bool:
        return self.width < _NARROW

    def lines(self, shown: View) -> Iterator[Text]:
        yield self._line(self._title(shown), "bold")
        for project in shown.projects:
            yield from self._project(project)

    def _title(self, shown: View) -> str:
        """Return as much of the title as fits; how it is stopped goes last."""
        watches = f"SlideBridge watches {counted(len(shown.projects), 'project')}"
        memory = [] if shown.memory_bytes is None else [f"{size(shown.memory_bytes)} of memory"]
        stops = "Ctrl-C stops it"
        return self._first_that_fits([watches, *memory, stops], [watches, stops], ["SlideBridge", stops], [stops])

    def _first_that_fits(self, *ways: Sequence[str]) -> str:
        told = [self._joined(parts) for parts in ways]
        return next((text for text in told if len(text) <= self.width), told[-1])

    def _project(self, project: Shown) -> Iterator[Text]:
        if project.state is None:
            name = self._cut(project.name, self.width // 2)
            lost = f"{name}: not watched now, tried again; the log above says why"
            yield from self._in_lines(Text(), lost, _INDENT, style="red")
            return
        beat = project.state.beat
        yield from self._head(project.name, beat)
        for doing in beat.doing:
            yield from self._doing(doing)
        for label, text in self._facts(beat):
            yield from self._fact(label, text)
        for failure in beat.failures:
            yield from self._failure(failure)

    def _head(self, name: str, beat: Beat) -> Iterator[Text]:
        how = {"polling": "looking at the files again and again", "events": "waiting for a save"}
        idle = "" if beat.doing or beat.queue else how.get(beat.observing, "starting")
        told = self._joined([counted(beat.slides, "slide"), *filter(None, [idle])])
        line = Text(self._cut(name, self.width // 2), style="bold cyan")
        if line.cell_len + 2 + len(told) <= self.width:
            yield self._fitted(line.append(f"  {told}", "not bold default"))
            return
        yield self._fitted(line)
        yield from self._in_lines(Text(" " * _INDENT), told, _INDENT)

    def _doing(self, doing: Doing) -> Iterator[Text]:
        line = self._labelled(_NOW[doing.kind], "green")
        if self.is_narrow:
            yield from self._doing_narrowly(doing, line)
            return
        slide = "" if doing.slide is None else self._cut(doing.slide, self._room_for_names())
        kept = min(Text(slide).cell_len, _FAIR_NAME) + 2 if slide else 0
        told = self._how_far(doing, self.width - line.cell_len - kept)
        room = self.width - line.cell_len - len(told) - 2
        if doing.slide is not None:
            slide = self._cut(doing.slide, min(room, self._room_for_names()))
            line.append(f"{slide}  ")
            room -= Text(slide).cell_len + 2
        if doing.progress is not None and room >= _LEAST_BAR:
            self._add_bar(line, doing.progress, min(_BAR, room))
        yield self._fitted(line.append(told))

    def _doing_narrowly(self, doing: Doing, line: Text) -> Iterator[Text]:
        """Yield one line, or the slide in one and how far it is in the next."""
        slide = "" if doing.slide is None else f"{self._cut(doing.slide, self._room_for_names())}  "
        room = self.width - line.cell_len - Text(slide).cell_len
        told = self._how_far(doing, room)
        if len(told) <= room:
            yield self._fitted(line.append(f"{slide}{told}"))
            return
        yield self._fitted(line.append(slide.rstrip()))
        indented = " " * 2 * _INDENT
        yield self._fitted(Text(f"{indented}{self._how_far(doing, self.width - len(indented))}"))

    def _how_far(self, doing: Doing, room: int) -> str:
        """Return how far a job is, with what fits into so many cells: how long it takes yet is told last."""
        rest = seconds_left(doing, self.now)
        share = [f"{doing.progress:.0%}"] if doing.progress is not None else []
        note = [self._clean(doing.note)] if doing.note else []
        spent = [f"for {span((self.now - doing.since).total_seconds())}"]
        left = [f"about {span(rest)} left"] if rest is not None else []
        ways = ([*share, *note, *spent, *left], [*share, *spent, *left], [*share, *(left or spent)], left or spent)
        told = [self._joined(way) for way in ways]
        return next((text for text in told if Text(text).cell_len <= room), told[-1])

    def _add_bar(self, line: Text, share: float, cells: int) -> None:
        full = round(share * cells)
        done, rest = ("#", ".") if self.options.ascii_only else ("━", "─")
        line.append(done * full, "green").append(rest * (cells - full), "dim").append("  ")

    def _facts(self, beat: Beat) -> Iterator[tuple[str, str]]:
        names = self._room_for_names()
        if beat.queue:
            yield "waits", self._waits(beat.queue)
        if beat.last_read is not None:
            yield "last save", f"{self._cut(beat.last_read.slide, names)}, {self._at(beat.last_read.at)}"
        if beat.last_write is not None:
            yield "last write", f"{self._cut(beat.last_write.slide, names)}, {self._at(beat.last_write.at)}"
        if beat.last_training is not None:
            last = beat.last_training
            use = "in use" if last.is_used else "the one before stays in use"
            score = f", score {last.score:.3f}" if last.score is not None else ""
            yield "last model", f"training {last.iteration}, {use}{score}, {self._at(last.at)}"
        if beat.next_nightly is not None:
            yield "nightly", self._at(beat.next_nightly)

    def _waits(self, queue: Sequence[Queued]) -> str:
        counts = ", ".join(f"{q.count} {_TO_DO[q.kind][q.count != 1]}" for q in queue)
        following = next((q for q in queue if q.slide is not None), None)
        if following is None or following.slide is None:
            return counts
        return f"{counts}; next {self._cut(following.slide, self._room_for_names())}"

    def _failure(self, failure: Failure) -> Iterator[Text]:
        """Yield what failed: all of it, for the way out stands at its end."""
        what = "all work pauses" if failure.kind is None else _NOW[failure.kind]
        slide = f" {self._cut(failure.slide, self._room_for_names())}" if failure.slide is not None else ""
        text = f"{what}{slide}: {self._clean(failure.error)} (tried again {self._at(failure.again_at)})"
        first = self._labelled("failed", "bold red")
        most = _ERROR_LINES
        if self.is_narrow:
            yield first
            first, most = Text(" " * 2 * _INDENT), _NARROW_ERROR_LINES
        yield from self._in_lines(first, text, first.cell_len, most=most)

    def _fact(self, label: str, text: str) -> Iterator[Text]:
        first = self._labelled(label, "dim")
        yield from self._in_lines(first, text, 2 * _INDENT if self.is_narrow else first.cell_len)

    def _in_lines(
        self, first: Text, text: str, indent: int, *, most: int = _FACT_LINES, style: str = ""
    ) -> Iterator[Text]:
        """Yield a text in as few lines as hold it: the first behind its label, further ones indented."""
        line, rest = first, text
        for _ in range(most):
            part = Text(rest).wrap(self.console, max(self.width - line.cell_len, _SHORTEST_NAME))[0].plain
            yield self._fitted(line.append(part.rstrip(), style))
            rest = rest[len(part) :].lstrip()
            if not rest:
                return
            line = Text(" " * indent)

    def _labelled(self, label: str, style: str) -> Text:
        room = len(label) + 2 if self.is_narrow else max(_LABEL, len(label) + 1)
        return Text(" " * _INDENT).append(label.ljust(room), style)

    def _line(self, text: str, style: str) -> Text:
        return self._fitted(Text(text, style=style))

    def _fitted(self, line: Text) -> Text:
        """Return a line that takes one row and no more, whatever is in it."""
        line.no_wrap, line.overflow = True, "crop" if self.options.ascii_only else "ellipsis"
        return line

    def _joined(self, parts: Sequence[str]) -> str:
        return (", " if self.options.ascii_only else " · ").join(parts)

    def _at(self, at: datetime) -> str:
        return moment(at, self.now)

    def _room_for_names(self) -> int:
        return max(_SHORTEST_NAME, min(_LONGEST_NAME, self.width // 2 - _INDENT))

    def _cut(self, name: str, cells: int) -> str:
        """Return a name in so many cells at most; both ends stay, which tell slides apart."""
        shown = Text(self._clean(name))
        if shown.cell_len <= cells:
            return shown.plain
        half = (cells - 3) // 2
        begin, end = shown.plain, shown.plain[::-1]
        return f"{_first(begin, cells - 3 - half)}...{_first(end, half)[::-1]}"

    def _clean(self, text: str) -> str:
        return clean(text, self.options.encoding)


def _first(text: str, cells: int) -> str:
    """Return as much of the beginning as fits into so many cells; some characters take two."""
    shown = Text(text)
    shown.truncate(max(cells, 0), overflow="crop")
    return shown.plain
