"""The pages, and the parts of them that are fetched again while they are open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from scripts.dashboard.curve import CurveFacts, read_curve_facts
from scripts.dashboard.lanes import Latest, SilentError
from scripts.dashboard.live import Now, now_of, read_now
from scripts.dashboard.looking import Look, Watched
from scripts.dashboard.site import Site, TroubleError, in_thread, looking, slide_id_of, with_slide
from scripts.dashboard.tables import COLUMNS, Learning, SlideRow, read_learning, slide_rows
from scripts.dashboard.tiles import TileGrid
from scripts.plain_words import moment, span


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What the page of a project shows."""

    now: Now
    curve: CurveFacts | None = None
    learning: Learning = Learning(())  # noqa: RUF009 - frozen
    slides: tuple[SlideRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers with HTML."""

    site: Site

    async def overview(self, request: Request) -> Response:
        """Return the page of all projects; of a single one, its own."""
        site = self.site
        if len(site.projects) == 1:
            return RedirectResponse(f"{site.base}/p/{next(iter(site.projects))}", 303)
        found: dict[str, Now] = {}

        async def read(watched: Watched) -> None:
            found[watched.id] = await self._now(watched)

        async with anyio.create_task_group() as tasks:
            for watched in site.projects.values():
                tasks.start_soon(read, watched)
        return site.page(request, "overview.html", projects=[found[id] for id in site.projects])

    async def project(self, request: Request) -> Response:
        """Return the page of a project."""
        watched = self.site.watched(request)
        try:
            facts = await self.site.lanes[watched.id].facts.do(lambda: self._project(watched))
        except SilentError:
            facts = ProjectFacts(await self._now(watched))
        crumbs = len(self.site.projects) > 1
        return self.site.page(request, "project.html", facts=facts, now=facts.now, columns=COLUMNS, has_others=crumbs)

    async def now(self, request: Request) -> Response:
        """Return what happens in a project now."""
        now = await self._now(self.site.watched(request))
        return self.site.page(request, "now.html", now=now, is_brief="brief" in request.query_params)

    async def learning(self, request: Request) -> Response:
        """Return the trainings of a project."""
        watched, at = self.site.watched(request), self.site.now()
        learning = await in_thread(
            self.site.lanes[watched.id].facts, lambda: looking(watched, lambda look: read_learning(look, at))
        )
        return self.site.page(request, "learning.html", learning=learning)

    async def slide(self, request: Request) -> Response:
        """Return the page of a slide."""
        watched = self.site.watched(request)
        facts = await in_thread(self.site.lanes[watched.id].pixels, lambda: self._slide(watched, request))
        return self.site.page(request, "slide.html", title=watched.title, project=watched.id, **facts)

    async def _now(self, watched: Watched) -> Now:
        """Return what happens in a project; one whose share hangs tells what was known before."""
        asked, at = self.site.lanes[watched.id].now, self.site.now()
        try:
            return await asked.ask(partial(read_now, watched, at), at)
        except SilentError:
            return _silent(watched, asked, self.site.now())

    def _project(self, watched: Watched) -> ProjectFacts:
        at = self.site.now()

        def read(look: Look) -> ProjectFacts:
            return ProjectFacts(
                now_of(watched, look, at),
                read_curve_facts(look, at),
                read_learning(look, at),
                tuple(slide_rows(watched, look)),
            )

        try:
            return looking(watched, read)
        except TroubleError as trouble:
            return ProjectFacts(Now(watched.id, watched.title, str(trouble), "can't be read", "bad"))

    def _slide(self, watched: Watched, request: Request) -> Mapping[str, object]:
        def read(look: Look) -> Mapping[str, object]:
            slide = slide_id_of(request, look)
            found = {"slide": slide, "name": look.names.of(look.entries[slide].key)}
            try:
                grid, mpp = with_slide(watched, slide, self._measured)
            except TroubleError as trouble:
                return {**found, "trouble": str(trouble), "picture": None}
            place, base = f"/p/{watched.id}/s/{slide}", self.site.base
            picture = {**grid.as_json(), "mpp": mpp, "tiles": f"{base}{place}/tiles", "facts": f"{base}/api{place}"}
            return {**found, "trouble": None, "picture": picture}

        return looking(watched, read)

    def _measured(self, path: Path) -> tuple[TileGrid, tuple[float, float] | None]:
        """Return a slide's tiles, and its resolution as its file states it."""
        with self.site.handles.lent(path) as opened:
            return TileGrid.of(opened.pyramid), opened.pyramid.mpp


def _silent(watched: Watched, asked: Latest[Now], now: datetime) -> Now:
    """Return what is told of a project whose folder doesn't answer: since when, and what was known before."""
    since = f" since {moment(asked.begun, now)}" if asked.begun is not None else ""
    line = f"the project's folder doesn't answer{since}; it may be on a share that is away, look there"
    if asked.known is None:
        return Now(watched.id, watched.title, line, "doesn't answer", "bad")
    last, at = asked.known
    age = span((now - at).total_seconds())
    return replace(last, badge="doesn't answer", kind="bad", late=f"{line}. Below is how it was {age} ago.")
