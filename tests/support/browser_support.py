"""What a browser test looks at: what a page asked for and complained of, contrast, names for everything, its width.

Imported by tests as ``browser_support`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request, Route

HOSTILE_NAMES = (
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=2>',
    "' autofocus onfocus='window.pwned=3",
    "&lt;b&gt;{{7*7}}${7*7}",
)
"""Texts that run or change where a page takes them for more than text; files on Linux may be called so."""

HOSTILE_CLASSES = (*HOSTILE_NAMES, "</script><script>window.pwned=4</script>", "javascript:window.pwned=5")

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", e => {
  window.violations.push(`${e.violatedDirective} ${e.blockedURI}`);
});
"""


@dataclass
class Visit:
    """One page in one profile.

    Parameters
    ----------
    page
        Playwright's.
    expected
        Words of console errors that are no fault.
    """

    page: Page
    expected: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(_WATCH)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._request)

    def go(self, address: str) -> None:
        """Open an address and wait until it is loaded."""
        self.page.goto(address)

    def only(self, allowed: str) -> None:
        """Let through what begins so, and nothing else."""

        def decide(route: Route) -> None:
            route.continue_() if route.request.url.startswith(allowed) else route.abort()

        self.page.route("**/*", decide)

    def check(self) -> None:
        """Complain of console errors, exceptions, broken policies, and of hostile text that ran."""
        told = [error for error in self.errors if not any(word in error for word in self.expected)]
        assert told == [], told
        if self.page.url != "about:blank":
            assert self.page.evaluate("window.violations") == []
            assert self.page.evaluate("window.pwned === undefined"), "text of a file was run"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.asked.append(request.url)


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def weak_contrasts(page: Page) -> list[dict[str, Any]]:
    """Return the texts that WCAG AA finds too weak against what is behind them: less than 4.5, large ones 3."""
    found: list[dict[str, Any]] = page.evaluate(_script("look_contrast.js"))
    return [text for text in found if text["ratio"] < (3 if text["isLarge"] else 4.5)]


def faults_of_access(page: Page) -> list[str]:
    """Return what a screen reader or a keyboard would stumble over."""
    found: list[str] = page.evaluate(_script("look_access.js"))
    return found


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


@contextmanager
def serving(*arguments: str, wait_seconds: float = 60.0) -> Iterator[str]:
    """Run a command that serves a page, in a process of its own; yield the address that it prints."""
    command = [sys.executable, "-c", "from scripts.cli import main; main()", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        watchdog = threading.Timer(wait_seconds, process.kill)
        watchdog.start()
        try:
            address = _address(process)
            watchdog.cancel()
            yield address
        finally:
            watchdog.cancel()
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None, "it is a pipe"
    for line in process.stdout:
        if match := re.search(r"http://\S+", line):
            return match[0]
    raise AssertionError(f"the server ended without an address: {process.wait()}")
