"""What the dashboard's pages and answers are made from: its projects, the slides they hold open, the time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import orjson
from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bridge.errors import BridgeError
from scripts.dashboard.access import base_of
from scripts.dashboard.lanes import Lane, Latest, SilentError
from scripts.dashboard.live import Now
from scripts.dashboard.looking import Look, Nothing, Watched
from scripts.dashboard.outlines import OutlineCache
from scripts.dashboard.slide_handles import SlideHandles
from scripts.dashboard.tiles import Tiles
from scripts.web.page import environment

PATIENCE_SECONDS = 8.0  # with a project's folder
_SLOW = 8  # times as long: pixels, and files of many outlines, may take a while
_SILENT = "the project's folder doesn't answer; it may be on a share that is away, look there"
T = TypeVar("T")


@dataclass(slots=True)
class Lanes:
    """The threads of a project: tiles never keep the polls waiting, nor the other way round.

    Parameters
    ----------
    now
        What happens in the project, one reading for all pages that are open.
    """

    pixels: Lane
    outlines: Lane
    facts: Lane
    now: Latest[Now] = field(init=False)

    def __post_init__(self) -> None:
        self.now = Latest(self.facts)

    @classmethod
    def of(cls, patience: float) -> Lanes:
        """Return those of a project."""
        return cls(Lane(_SLOW * patience), Lane(_SLOW * patience), Lane(patience))

    def close(self) -> None:
        """Begin nothing more."""
        for lane in (self.pixels, self.outlines, self.facts):
            lane.close()


@dataclass(slots=True)
class Site:
    """Everything that a request may need.

    Parameters
    ----------
    projects
        By their id in addresses, in the order that the user gave.
    lanes
        Of each project: one whose share hangs doesn't keep the others waiting.
    base
        What every address of this run begins with.
    now
        The moment, aware.
    """

    projects: dict[str, Watched]
    base: str
    now: Callable[[], datetime]
    nothing: Nothing
    handles: SlideHandles
    tiles: Tiles
    outlines: OutlineCache
    pages: Environment
    lanes: Mapping[str, Lanes]

    @classmethod
    def of(
        cls,
        paths: Sequence[Path],
        token: str,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        patience: float = PATIENCE_SECONDS,
    ) -> Site:
        """Return the site of some projects.

        Parameters
        ----------
        clock
            Monotonic seconds.
        patience
            Seconds that a page waits for a project's folder.
        """
        nothing, handles = Nothing(), SlideHandles(clock)
        secret = hashlib.sha256(b"addresses " + token.encode()).digest()
        pages = environment("scripts.dashboard")
        pages.globals["base"] = base = base_of(token)
        pages.filters |= {"with_commands": with_commands, "sentence": _sentence}
        watched = [Watched(path, secret, nothing, now, clock) for path in paths]
        return cls(
            {one.id: one for one in watched},
            base,
            now,
            nothing,
            handles,
            Tiles(handles),
            OutlineCache(),
            pages,
            {one.id: Lanes.of(patience) for one in watched},
        )

    def close(self) -> None:
        """Close the slides, begin no more work, and remove what was made for projects without a store."""
        for lanes in self.lanes.values():
            lanes.close()
        self.handles.close()
        self.nothing.close()

    def watched(self, request: Request) -> Watched:
        """Return the project that an address names."""
        found = self.projects.get(request.path_params["project"])
        if found is None:
            raise HTTPException(404, "There is no such project.")
        return found

    def page(self, request: Request, template: str, /, **facts: object) -> Response:
        """Return a page, or that it is as the browser has it."""
        text = self.pages.get_template(template).render(facts)
        return unless_known(request, HTMLResponse(text))


def slide_id_of(request: Request, look: Look) -> str:
    """Return the slide's id that an address names, of a slide that there is."""
    slide_id = str(request.path_params["slide"])
    if slide_id not in look.entries:
        raise _no_such_slide() if look.warning is None else TroubleError(look.warning)
    return slide_id


def _path_of(watched: Watched, slide_id: str) -> Path:
    try:
        return watched.slide_path(slide_id)
    except KeyError:
        raise _no_such_slide() from None


def _no_such_slide() -> HTTPException:
    return HTTPException(404, "There is no such slide in the project (any more).")


def with_slide(watched: Watched, slide_id: str, work: Callable[[Path], T]) -> T:
    """Return what some work makes of a slide's file; the store is not opened for it.

    Raises
    ------
    TroubleError
        The slide isn't found, or can't be read.
    """
    try:
        return work(_path_of(watched, slide_id))
    except (BridgeError, OSError) as error:
        line = _line(error)
        raise TroubleError(looking(watched, lambda look: look.names.hide(line))) from error


async def in_thread(lane: Lane, work: Callable[[], T]) -> T:
    """Return what some work returns, done in a thread.

    Raises
    ------
    TroubleError
        It takes too long: nobody waits for it any more.
    """
    try:
        return await lane.do(work)
    except SilentError as error:
        raise TroubleError(_SILENT) from error


def unless_known(request: Request, answer: Response) -> Response:
    """Return an answer, or 304 where the browser says that it has just this one."""
    tag = f'"{hashlib.sha256(bytes(answer.body)).hexdigest()[:24]}"'
    answer.headers["ETag"] = tag
    if request.headers.get("if-none-match") == tag:
        kept = {name: value for name, value in answer.headers.items() if name in ("etag", "cache-control")}
        return Response(status_code=304, headers=kept)
    return answer


def answered(request: Request, facts: object) -> Response:
    """Return facts as JSON, or 304."""
    data = orjson.dumps(facts, option=orjson.OPT_SERIALIZE_NUMPY)
    return unless_known(request, Response(data, media_type="application/json"))


class TroubleError(Exception):
    """Why something can't be shown: one line for people, without the names that are to be hidden."""


def looking(watched: Watched, work: Callable[[Look], T]) -> T:
    """Return what some work makes of a project.

    Raises
    ------
    TroubleError
        The project, or the slide that it looks at, can't be read.
    """
    try:
        with watched.look() as look:
            try:
                return work(look)
            except (BridgeError, OSError) as error:
                raise TroubleError(look.names.hide(_line(error))) from error
    except (BridgeError, OSError) as error:
        raise TroubleError(_line(error)) from error


def with_commands(text: str) -> Markup:
    """Return a text in which what stands between backticks is marked as a command; all of it escaped.

    Examples
    --------
    >>> str(with_commands("none; `slidebridge watch` starts <one>"))
    'none; <code>slidebridge watch</code> starts &lt;one&gt;'
    >>> str(with_commands("a ` alone"))
    'a ` alone'
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    marked = (Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts))
    return Markup("").join(marked)


def _sentence(text: str) -> str:
    """Return a text with a capital first letter, all else as it is."""
    return text[:1].upper() + text[1:]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
