"""Links and pictures lead somewhere: in README.md, and in the pages as they lie in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.docs.command_lines import documents

ROOT = Path(__file__).resolve().parents[3]
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)(?:\s*\{\s*#([\w-]+)\s*\})?\s*$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Return where a page's links lead, those of the web left out."""
    without_code = re.sub(r"^(\s*)(`{3,}|~{3,}).*?^\1\2\s*$", "", text, flags=re.DOTALL | re.MULTILINE)
    found = _LINK.findall(re.sub(r"`[^`\n]+`", "", without_code))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Return the names of a page's headings."""
    found = set()
    for words, name in _HEADING.findall(text):
        slug = re.sub(r"[^\w\s-]", "", words.lower()).strip()
        found.add(name or re.sub(r"[-\s]+", "-", slug))
    return found


@pytest.mark.parametrize("path", documents(ROOT), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(path: Path) -> None:
    broken = []
    for target in links(path.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        file = path if not name else (path.parent / name).resolve()
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8"))):
            broken.append(target)
    assert broken == []


def test_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.webp"))
    assert len(pictures) >= 7
    assert [p.name for p in pictures if p.stat().st_size >= 250_000] == []
