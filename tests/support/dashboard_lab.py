"""A dashboard over small projects, asked as a browser asks.

Imported by tests as ``dashboard_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette

from lab_support import SETTINGS, draw_slide, labelled, xml_of
from scripts.dashboard.access import Tickets
from scripts.dashboard.app import make_app

TOKEN = "the-token-of-this-run"
DOOR = "http://127.0.0.1:8123"  # where the token, or a ticket, is shown
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)


@dataclass
class Browser:
    """Asks the app directly, without a network; remembers cookies and follows no redirect by itself.

    Addresses are those below the base of the run; whole ones are taken as they are.
    """

    app: Starlette
    portal: BlockingPortal
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=f"{DOOR}{self.base}")

    @property
    def base(self) -> str:
        """What every address of the run begins with."""
        return str(self.app.state.site.base)

    @property
    def cookies(self) -> httpx.Cookies:
        return self.client.cookies

    def request(self, method: str, address: str, **options: Any) -> httpx.Response:
        return self.portal.call(partial(self.client.request, method, address, **options))

    def get(self, address: str, **options: Any) -> httpx.Response:
        return self.request("GET", address, **options)


@dataclass
class Board:
    """Projects, and the browser that looks at them."""

    client: Browser
    roots: Sequence[Path]

    def project(self, number: int = 0) -> str:
        """Return a project's id in addresses."""
        return list(self.client.app.state.site.projects)[number]

    def slide(self, number: int = 0, project: int = 0) -> str:
        """Return the address of a slide's page."""
        watched = self.client.app.state.site.projects[self.project(project)]
        with watched.look() as look:
            return f"/p/{watched.id}/s/{list(look.entries)[number]}"


@contextmanager
def browser(*roots: Path, token: str = TOKEN, tickets: Tickets | None = None, **options: Any) -> Iterator[Browser]:
    """Give a browser that was never told the token; options are those of ``make_app``."""
    app = make_app(roots, token, tickets=tickets, **{"now": lambda: NOW} | options)
    with closing(app.state.site), start_blocking_portal() as portal:
        yield Browser(app, portal)


@contextmanager
def opened(*roots: Path, **options: Any) -> Iterator[Board]:
    """Give a dashboard, with a browser that was let in."""
    with browser(*roots, **options) as client:
        assert client.get(f"{DOOR}/?token={TOKEN}").status_code == 303
        yield Board(client, roots)


def make_project(root: Path, slide: str = "case") -> Path:
    """Make a project with one labelled slide, that nobody worked on yet."""
    root.mkdir(parents=True, exist_ok=True)
    draw_slide(root / f"{slide}.tif")
    (root / f"{slide}.xml").write_bytes(xml_of(labelled()))
    (root / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    return root


def text_of(page: str) -> str:
    """Return what a page reads, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def project_page(board: Board, number: int = 0) -> str:
    """Return a project's page."""
    answer = board.client.get(f"/p/{board.project(number)}")
    assert answer.status_code == 200, answer.text
    return answer.text
