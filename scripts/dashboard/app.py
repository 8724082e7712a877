"""The dashboard as an ASGI app: which address is answered by what."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from time import monotonic

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from scripts.dashboard.access import HEADERS, Access, Tickets
from scripts.dashboard.answers import Answers
from scripts.dashboard.pages import Pages
from scripts.dashboard.site import PATIENCE_SECONDS, Site, TroubleError, unless_known
from scripts.web.page import asset_text, vendored_text

logger = logging.getLogger(__name__)

_IDLE_LOOK_SECONDS = 15.0  # between two looks for slides that nobody looks at any more
_OWN = ("dashboard.css", "dashboard.js", "viewer.js", "icon.svg")
_SHARED = ("page.css", "page.js")
_VENDORED = ("openseadragon.min.js", "uPlot.iife.min.js", "uPlot.min.css")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_DEFECT = "A defect in SlideBridge, please report it; the terminal of the dashboard has the details.\n"
_Answer = Callable[[Request], Awaitable[Response]]


def make_app(
    projects: Sequence[Path],
    token: str,
    *,
    tickets: Tickets | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = monotonic,
    patience: float = PATIENCE_SECONDS,
) -> Starlette:
    """Return the dashboard of some projects; nothing of them is opened yet, and nothing is ever written.

    Parameters
    ----------
    projects
        Paths, each belonging to one.
    token
        Whoever comes without it, or a ticket, sees nothing.
    tickets
        Tokens for one visit each.
    now, clock
        The moment, aware; monotonic seconds.
    patience
        Seconds that a page waits for a project's folder.
    """
    site = Site.of(projects, token, now, clock, patience)

    @asynccontextmanager
    async def living(app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_tidy, site)
            yield
            tasks.cancel_scope.cancel()
        site.close()

    app = Starlette(
        routes=_routes(Pages(site), Answers(site)),
        middleware=[Middleware(Access, token=token, tickets=tickets or Tickets())],
        exception_handlers={HTTPException: _refused, TroubleError: _troubled, Exception: _failed},
        lifespan=living,
    )
    app.state.site = site  # for whoever serves it: a server that is ended at once doesn't end the lifespan
    return app


def _routes(pages: Pages, answers: Answers) -> list[Route]:
    project, slide = "/p/{project}", "/p/{project}/s/{slide}"
    answered: Mapping[str, _Answer] = {
        "/": pages.overview,
        project: pages.project,
        slide: pages.slide,
        f"/api{project}/now": pages.now,
        f"/api{project}/learning": pages.learning,
        f"/api{project}/curve": answers.curve,
        f"/api{project}/slides": answers.slides,
        f"/api{slide}/revision": answers.revision,
        f"/api{slide}/outlines": answers.outlines,
        f"{slide}/thumbnail.jpg": answers.thumbnail,
        f"{slide}/tiles/{{level}}/{{column}}/{{row}}.jpg": answers.tile,
        "/static/{name}": _static(),
    }
    return [Route(path, answer, methods=["GET"]) for path, answer in answered.items()]


def _static() -> _Answer:
    """Return what answers with styles and scripts: these files and no others, read once."""
    own = {name: (resources.files(__package__) / "assets" / name).read_text("utf-8") for name in _OWN}
    texts = own | {name: asset_text(name) for name in _SHARED} | {name: vendored_text(name) for name in _VENDORED}

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in texts:
            raise HTTPException(404, "There is no such file.")
        headers = {"Cache-Control": "no-cache"}  # kept by the browser, and asked for again
        kind = _TYPES[Path(name).suffix]
        return unless_known(request, Response(texts[name], media_type=kind, headers=headers))

    return answer


async def _tidy(site: Site) -> None:
    while True:
        await anyio.sleep(_IDLE_LOOK_SECONDS)
        site.handles.close_idle()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is registered for these"
    said = "There is no such page." if error.status_code == 404 and error.detail == "Not Found" else error.detail
    return PlainTextResponse(f"{said}\n", error.status_code, error.headers)


async def _troubled(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503)


async def _failed(request: Request, error: Exception) -> Response:
    return PlainTextResponse(_DEFECT, 500, {**HEADERS, "Cache-Control": "no-store"})
