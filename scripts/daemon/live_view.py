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
from scripts.plain_words import clean, moment, size, span

_LABEL = 12  # cells of the words before a line
_INDENT = 2
_NARROW = 60  # cells; below that, words take the place of the bar
_BAR, _LEAST_BAR = 24, 8
_LONGEST_NAME = 48
_ERROR_LINES, _NARROW_ERROR_LINES = 4, 8
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
        count = len(shown.projects)
        parts = [f"SlideBridge watches {count} project{'' if count == 1 else 's'}"]
        if shown.memory_bytes is not None:
            parts.append(f"{size(shown.memory_bytes)} of memory")
        return self._joined([*parts, "Ctrl-C stops it"])

    def _project(self, project: Shown) -> Iterator[Text]:
        if project.state is None:
            yield self._line(
                f"{self._clean(project.name)}: not watched now, tried again; the log above says why", "red"
            )
            return
        beat = project.state.beat
        yield self._head(project.name, beat)
        for doing in beat.doing:
            yield self._doing(doing)
        for label, text in self._facts(beat):
            yield self._fact(label, text)
        for failure in beat.failures:
            yield from self._failure(failure)

    def _head(self, name: str, beat: Beat) -> Text:
        how = {"polling": "looking at the files again and again", "events": "waiting for a save"}
        idle = "" if beat.doing or beat.queue else how.get(beat.observing, "starting")
        slides = f"{beat.slides} slide{'' if beat.slides == 1 else 's'}"
        line = Text(self._cut(name, self.width // 2), style="bold cyan")
        return self._fitted(line.append(f"  {self._joined([slides, *filter(None, [idle])])}", "not bold default"))

    def _doing(self, doing: Doing) -> Text:
        line, told = self._labelled(_NOW[doing.kind], "green"), self._how_far(doing)
        slide = self._cut(doing.slide, self._room_for_names()) if doing.slide is not None else ""
        if self.is_narrow:  # what is cut off there is the name
            return self._fitted(line.append(told).append(f"  {slide}"))
        line.append(f"{slide}  " if slide else "")
        room = self.width - line.cell_len - len(told) - 2
        if doing.progress is not None and room >= _LEAST_BAR:
            self._add_bar(line, doing.progress, min(_BAR, room))
        return self._fitted(line.append(told))

    def _how_far(self, doing: Doing) -> str:
        rest = seconds_left(doing, self.now)
        share = [f"{doing.progress:.0%}"] if doing.progress is not None else []
        note = [self._clean(doing.note)] if doing.note else []
        spent = [f"for {span((self.now - doing.since).total_seconds())}"]
        left = [f"about {span(rest)} left"] if rest is not None else []
        if self.is_narrow:
            return self._joined([*share, *(left or spent)])
        return self._joined([*share, *note, *spent, *left])

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
            yield "last model", f"iteration {last.iteration}{score}, {use}, {self._at(last.at)}"
        if beat.next_nightly is not None:
            yield "nightly", self._at(beat.next_nightly)

    def _waits(self, queue: Sequence[Queued]) -> str:
        counts = ", ".join(f"{q.count} {_TO_DO[q.kind][q.count != 1]}" for q in queue)
        following = next((q for q in queue if q.slide is not None), None)
        if following is None or following.slide is None or self.is_narrow:
            return counts
        return f"{counts}; next {self._cut(following.slide, self._room_for_names())}"

    def _failure(self, failure: Failure) -> Iterator[Text]:
        """Yield what failed: all of it, for the way out stands at its end."""
        what = "all work pauses" if failure.kind is None else _NOW[failure.kind]
        slide = f" {self._cut(failure.slide, self._room_for_names())}" if failure.slide is not None else ""
        text = f"{what}{slide}: {self._clean(failure.error)} (tried again {self._at(failure.again_at)})"
        room = self.width - _INDENT - _LABEL if not self.is_narrow else self.width - 2 * _INDENT
        wrapped = Text(text).wrap(self.console, max(room, 8))
        first = self._labelled("failed", "bold red")
        if self.is_narrow:
            yield first
        most = _NARROW_ERROR_LINES if self.is_narrow else _ERROR_LINES
        for number, part in enumerate(list(wrapped)[:most]):
            begin = first if number == 0 and not self.is_narrow else Text(" " * (self.width - max(room, 8)))
            part.rstrip()
            yield self._fitted(begin.append_text(part))

    def _fact(self, label: str, text: str) -> Text:
        return self._fitted(self._labelled(label, "dim").append(text))

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
        return max(8, min(_LONGEST_NAME, self.width // 2 - _INDENT))

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
