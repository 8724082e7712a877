"""The generated pages: which there are, what stands in them now, and what should."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.docs.command_reference import command_page
from scripts.docs.configuration import configuration_page
from scripts.docs.troubleshooting import troubleshooting_page

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/commands.md": command_page,
    "docs/reference/configuration.md": configuration_page,
    "docs/reference/troubleshooting.md": troubleshooting_page,
}


def write_pages(root: Path) -> list[Path]:
    """Write every generated page below the repository's ``root``; return those that changed."""
    changed = old_pages(root)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[path.relative_to(root).as_posix()](), "utf-8", newline="\n")
    return changed


def old_pages(root: Path) -> list[Path]:
    """Return the pages below ``root`` that are not what the code says."""
    return [root / name for name, make in PAGES.items() if _text(root / name) != make()]


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
