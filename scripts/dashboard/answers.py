"""Answers for the pages' scripts: facts as JSON, tiles as JPEG. Numbers in addresses are parsed here, and bounded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from scripts.dashboard.curve import read_curve_facts
from scripts.dashboard.looking import Look, Watched
from scripts.dashboard.outlines import View, revision_of
from scripts.dashboard.site import Site, answered, in_thread, looking, slide_id_of, with_slide
from scripts.dashboard.tables import slide_rows
from scripts.dashboard.tiles import NoSuchTileError

_THUMBNAIL_PX = 160
_NUMBER = re.compile(r"\d{1,7}", re.ASCII)
_FURTHEST = 1e8  # level-0 pixels
_COARSEST = 1e5  # level-0 pixels per screen pixel


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers with facts and pixels."""

    site: Site

    async def curve(self, request: Request) -> Response:
        """Return the training's curve; null before the first training's."""
        watched, moment = self.site.watched(request), self.site.now()
        facts = await in_thread(
            self.site.lanes[watched.id].facts, lambda: looking(watched, lambda look: read_curve_facts(look, moment))
        )
        return answered(request, None if facts is None else facts.as_json())

    async def slides(self, request: Request) -> Response:
        """Return the rows of the slides' table."""
        watched = self.site.watched(request)
        rows = await in_thread(
            self.site.lanes[watched.id].facts, lambda: looking(watched, lambda look: slide_rows(watched, look))
        )
        return answered(request, {"rows": [row.as_json() for row in rows]})

    async def revision(self, request: Request) -> Response:
        """Return what changes with every save of a slide's file."""
        watched = self.site.watched(request)

        def read(look: Look) -> str:
            return revision_of(look, slide_id_of(request, look))

        return answered(
            request, {"revision": await in_thread(self.site.lanes[watched.id].facts, lambda: looking(watched, read))}
        )

    async def outlines(self, request: Request) -> Response:
        """Return the outlines for a part of a slide."""
        watched, view = self.site.watched(request), view_of(request.query_params)

        def read(look: Look) -> Mapping[str, object]:
            slide = slide_id_of(request, look)
            revision, found = self.site.outlines.outlines(look, slide)
            facts = {"revision": revision, "mpp": found.mpp, "warnings": found.warnings, "counts": found.counts()}
            return {**facts, **found.within(view)}

        return answered(request, await in_thread(self.site.lanes[watched.id].outlines, lambda: looking(watched, read)))

    async def tile(self, request: Request) -> Response:
        """Return a tile of a slide."""
        watched = self.site.watched(request)
        level, column, row = (_number(request.path_params[name]) for name in ("level", "column", "row"))

        def read(path: Path) -> bytes:
            return self.site.tiles.jpeg(path, level, column, row)

        return await self._jpeg(watched, partial(with_slide, watched, request.path_params["slide"], read))

    async def thumbnail(self, request: Request) -> Response:
        """Return a small picture of a slide."""
        watched = self.site.watched(request)

        def read(path: Path) -> bytes:
            return self.site.tiles.thumbnail(path, _THUMBNAIL_PX)

        return await self._jpeg(watched, partial(with_slide, watched, request.path_params["slide"], read))

    async def _jpeg(self, watched: Watched, work: Callable[[], bytes]) -> Response:
        try:
            data = await in_thread(self.site.lanes[watched.id].pixels, work)
        except NoSuchTileError as error:
            raise HTTPException(404, "The slide has no such tile.") from error
        return Response(data, media_type="image/jpeg")


def view_of(query: Mapping[str, str]) -> View:
    """Return the part of a slide that an address asks for.

    Raises
    ------
    HTTPException
        It names none.
    """
    try:
        left, top, right, bottom, unit = (float(query[name]) for name in ("left", "top", "right", "bottom", "unit"))
    except (KeyError, ValueError) as error:
        raise HTTPException(400, "Say left, top, right, bottom and unit, as numbers.") from error
    is_near = all(math.isfinite(v) and abs(v) <= _FURTHEST for v in (left, top, right, bottom))
    if not (is_near and left < right and top < bottom and 0 < unit <= _COARSEST):
        raise HTTPException(400, "These numbers name no part of a slide.")
    return View(left, top, right, bottom, unit)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise HTTPException(404, "The slide has no such tile.")
    return int(text)
