"""A real browser, driven by Playwright: any Chromium that is installed. Skipped where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from browser_support import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module.

    Not for the whole session: as long as Playwright runs, its event loop is the thread's, and tests that run one of
    their own would fail.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(_PROGRAMS)} is installed")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"]
        running = playwright.chromium.launch(executable_path=program, args=arguments)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a page by its address in a fresh profile; what it does wrong is told when the test ends.

    Options are those of ``Browser.new_context``; ``expected`` are words of console errors that are no fault.
    """
    visits: list[Visit] = []
    with ExitStack() as stack:

        def go(address: str, *, expected: tuple[str, ...] = (), is_followed: bool = True, **options: Any) -> Visit:
            context = stack.enter_context(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
            context.set_default_timeout(15_000)
            made = Visit(context.new_page(), expected)
            visits.append(made)
            if is_followed:
                made.go(address)
            return made

        yield go
        for one in visits:
            one.check()
