"""The pictures of the documentation, taken of a real project while a training runs: `make screenshots`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_support import Visit, serving
from picture_lab import PictureLab, picture_lab
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_FOLDER = os.environ.get("SCREENSHOTS")
_MOST_BYTES = 250_000

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not _FOLDER, reason="pictures are taken by `make screenshots`"),
]

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> PictureLab:
    """A project on a real picture; SCREENSHOT_PROJECT keeps it for the next time."""
    kept = os.environ.get("SCREENSHOT_PROJECT")
    if kept and Path(kept).is_dir():
        return PictureLab(Path(kept))
    return picture_lab(Path(kept) if kept else tmp_path_factory.mktemp("work") / "Ovarian carcinoma")


def save(name: str, data: bytes) -> None:
    """Write a picture, small enough for a repository."""
    assert _FOLDER is not None, "else the test is skipped"
    path = Path(_FOLDER) / f"{name}.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(data)).convert("RGB").save(path, "WEBP", quality=88, method=6)
    assert path.stat().st_size < _MOST_BYTES, f"{path} has {path.stat().st_size} bytes; take less"


def shown(page: Page, name: str, part: str = "body", *, height: int) -> None:
    """Take what is on screen when a part of the page is at its top."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.locator(part).evaluate(_TO_TOP)
    save(name, page.screenshot())


def test_report(visit: Open, lab: PictureLab, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    result = lab.run("report", "--out", str(report))
    assert result.exit_code == 0, result.output
    page = visit(report.as_uri()).page
    shown(page, "report", height=870)
    shown(page, "report-slides", "#slides", height=1150)
    dark = visit(report.as_uri(), color_scheme="dark").page
    shown(dark, "report-dark", "#learning", height=1010)


@pytest.fixture
def watched(lab: PictureLab) -> Iterator[None]:
    """The daemon watches."""
    with subprocess.Popen([sys.executable, "-m", "scripts.cli", "watch", str(lab.root), "--plain"]) as daemon:
        try:
            yield
        finally:
            daemon.terminate()


def test_dashboard(visit: Open, lab: PictureLab, watched: None) -> None:
    with serving("dashboard", "--project", str(lab.root), "--port", "0", "--no-browser") as address:
        page = visit(address).page
        page.get_by_text("a daemon").first.wait_for(timeout=120_000)
        lab.work(1)
        page.wait_for_function(_RUNS, timeout=400_000)
        shown(page, "dashboard", height=1210)


def test_slide(visit: Open, lab: PictureLab) -> None:
    with serving("dashboard", "--project", str(lab.root), "--port", "0", "--no-browser") as address:
        page = visit(address, viewport={"width": 1280, "height": 1000}).page
        page.locator("a.slide-link").first.click()
        page.locator("#viewer[data-shown]").wait_for()
        page.wait_for_function(_LOADED)
        page.locator("#object-next").click()
        page.locator("#object", has_text="1 of").wait_for()
        page.locator("main").evaluate(_TO_TOP)
        save("slide", page.screenshot())


_TO_TOP = """async part => {
  part.scrollIntoView({ behavior: "instant" });
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map(image => image.decode()));
  part.scrollIntoView({ behavior: "instant" });  // pictures that came may have moved it
}"""
_LOADED = "() => document.getElementById('viewer').slideViewer.world.getItemAt(0)?.getFullyLoaded()"
_RUNS = """() => {
  const found = document.getElementById("step").textContent.match(/[Ss]tep (\\d+) of (\\d+).*left/);
  return found !== null && found[1] >= 0.4 * found[2];
}"""
