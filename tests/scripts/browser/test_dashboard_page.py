"""The dashboard as a browser shows it: a server of its own, hostile names, and a training that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_support import HOSTILE_CLASSES, Visit, faults_of_access, overflow, serving, weak_contrasts
from dashboard_lab import make_project
from hostile_lab import NOTE, SLIDES, hostile_lab
from PIL import Image

from bridge.coords import Window
from bridge.slides import open_slide
from lab_support import SIDE, Lab, blobs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file names that Windows doesn't allow")

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A project with objects of all three layers; made only where there is a browser."""
    return hostile_lab(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def address(lab: Lab) -> Iterator[str]:
    """Where the dashboard of that project is, with its token."""
    with serving("dashboard", "--project", str(lab.root), "--port", "0", "--no-browser") as found:
        yield found


def home(address: str) -> str:
    return address.partition("?")[0]


def test_wrong_token_is_refused_in_one_plain_line_and_without_a_cookie(visit: Open, address: str) -> None:
    one = visit("", is_followed=False, expected=("403",))
    for wrong in (home(address), home(address) + "?token=wrong"):
        answer = one.page.goto(wrong)
        assert answer is not None and answer.status == 403
        assert len((one.page.locator("body").text_content() or "").strip().splitlines()) == 1
    assert one.page.context.cookies() == []


def test_right_token_becomes_a_cookie_that_scripts_cannot_read_and_leaves_the_address(
    visit: Open, address: str
) -> None:
    page = visit(address).page
    assert "token" not in page.url
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""
    page.goto(page.url)  # the cookie is enough from now on
    assert page.locator("h1").count() == 1
    assert cookie["path"] != "/" and page.url.startswith(home(address).rstrip("/") + cookie["path"])


@pytest.fixture
def opened(visit: Open, address: str) -> Callable[..., Page]:
    """Open the first page, with everything else than the dashboard refused."""

    def go(**options: Any) -> Page:
        one = visit("", is_followed=False, **options)
        one.only(home(address))
        one.go(address)
        return one.page

    return go


def test_every_name_is_shown_as_it_is_and_none_of_them_does_anything(opened: Callable[..., Page]) -> None:
    page = opened()
    for name in SLIDES:
        assert name in (page.locator("body").text_content() or ""), name
    go_to_slide(page)
    assert SLIDES[0] in (page.locator("h1").text_content() or "")
    shown = page.evaluate(_STEP_THROUGH)
    assert len(shown) > len(HOSTILE_CLASSES)
    for name in (*HOSTILE_CLASSES, NOTE):
        assert any(name in text for text in shown), name
    assert page.locator("img[src='x'], svg[onload], [onerror], [onfocus], a[href^='javascript']").count() == 0


_STEP_THROUGH = """() => {
  const said = new Set(), next = document.getElementById("object-next");
  for (let i = 0; i < 60; i++) { next.click(); said.add(document.getElementById("object").textContent); }
  return [...said];
}"""


def go_to_slide(page: Page) -> None:
    """Follow the link to the labelled slide, as a person does, and wait for its outlines."""
    page.locator("a.slide-link", has_text=SLIDES[0]).click()
    page.locator("#viewer[data-shown]").wait_for()
    page.wait_for_function(_LOADED)


_LOADED = "() => document.getElementById('viewer').slideViewer.world.getItemAt(0)?.getFullyLoaded()"


def picture(page: Page) -> np.ndarray:
    """Return the viewer as it looks: uint8, [y, x, channel]."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return np.asarray(Image.open(BytesIO(page.locator("#viewer").screenshot())).convert("RGB"))


def around(pixels: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the mean colour of a few pixels around a place."""
    return pixels[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].reshape(-1, 3).mean(axis=0)


_AT_HOME = """() => new Promise(done => {
  const viewer = document.getElementById("viewer").slideViewer;
  viewer.viewport.goHome(true);
  const item = viewer.world.getItemAt(0), size = item.getContentSize();
  function at(x, y) {
    const place = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
    return [place.x, place.y];
  }
  requestAnimationFrame(() => done({ corner: at(0, 0), far: at(size.x, size.y), size: [size.x, size.y] }));
})"""


def test_viewer_shows_the_slides_own_pixels_in_their_places(opened: Callable[..., Page], lab: Lab) -> None:
    page = opened()
    go_to_slide(page)
    for box in page.locator("[data-layers-of=viewer] input").all():
        box.uncheck()
    where = page.evaluate(_AT_HOME)
    assert where["size"] == [SIDE, SIDE]
    pixels, scale = picture(page), (where["far"][0] - where["corner"][0]) / SIDE
    border = page.locator("#viewer").evaluate("e => e.clientLeft")
    with open_slide(lab.root / f"{SLIDES[0]}.tif") as slide:
        for x, y, radius in blobs(0)[:5]:
            side = radius // 3 * 2 + 1
            truth = slide.read_window(Window(x - side // 2, y - side // 2, side, side, 1.0))
            seen = around(pixels, border + where["corner"][0] + x * scale, border + where["corner"][1] + y * scale)
            assert np.abs(seen - truth.reshape(-1, 3).mean(axis=0)).max() < 20, (x, y)  # JPEG, noise
    assert np.ptp(pixels.reshape(-1, 3), axis=0).min() > 80, "and is no plain surface"


_HAS_INK = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(v => v > 0)"""


def test_layers_come_and_go_by_mouse_and_by_keyboard(opened: Callable[..., Page]) -> None:
    page = opened()
    go_to_slide(page)
    boxes = page.locator("[data-layers-of=viewer] input")
    for number in range(3):
        boxes.nth(number).uncheck()
    for number, name in enumerate(("expert", "prediction", "proposal")):
        layer = page.locator(f"#viewer canvas[data-layer={name}]")
        assert not layer.is_visible()
        boxes.nth(number).focus()
        page.keyboard.press("Space")
        assert layer.is_visible()
        assert layer.evaluate(_HAS_INK), f"{name} draws nothing"
        boxes.nth(number).click()
        assert not layer.is_visible()


def test_viewer_is_used_by_keyboard_alone(opened: Callable[..., Page]) -> None:
    page = opened()
    go_to_slide(page)
    page.locator("#viewer [role=application]").focus()
    zoom = "() => document.getElementById('viewer').slideViewer.viewport.getZoom()"
    begin = page.evaluate(zoom)
    page.keyboard.press("+")
    page.wait_for_function(f"before => ({zoom})() > before * 1.3", arg=begin)
    centre = "() => document.getElementById('viewer').slideViewer.viewport.getCenter(false).x"
    before = page.evaluate(centre)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(centre) > before
    page.keyboard.press("0")
    page.wait_for_function(f"begin => Math.abs(({zoom})() - begin) < 1e-6 * begin", arg=begin)
    page.keyboard.press("n")
    page.wait_for_function("() => document.getElementById('object').textContent.includes('1 of ')")


def test_slide_table_sorts(opened: Callable[..., Page]) -> None:
    page = opened()
    header = page.locator("#slides th[data-sort=text]").first
    names = "() => [...document.querySelectorAll('#slides tbody th')].map(th => th.textContent.trim())"
    header.locator("button").click()
    first = page.evaluate(names)
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert page.evaluate(names) == first[::-1] and len(set(first)) == len(SLIDES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_and_nothing_lacks_a_name(opened: Callable[..., Page], scheme: str) -> None:
    page = opened(color_scheme=scheme)
    for _ in range(2):  # the project, then a slide
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert weak_contrasts(page) == []
        assert faults_of_access(page) == []
        if page.locator("#viewer").count() == 0:
            go_to_slide(page)


@pytest.mark.parametrize("width", [640, 400], ids=["at 200 per cent", "on a telephone"])
def test_page_never_scrolls_sideways(opened: Callable[..., Page], width: int) -> None:
    page = opened(viewport={"width": width, "height": 800})
    assert overflow(page) <= 0
    go_to_slide(page)
    assert overflow(page) <= 0


def test_page_asks_only_its_own_server(visit: Open, address: str) -> None:
    one = visit(address)
    go_to_slide(one.page)
    assert one.asked and all(asked.startswith(home(address)) for asked in one.asked)


def test_a_page_made_while_the_folder_was_away_says_so_and_is_whole_when_it_is_back(
    visit: Open, tmp_path: Path
) -> None:
    root, away = make_project(tmp_path / "lab"), tmp_path / "away"
    with serving("dashboard", "--project", str(root), "--port", "0", "--no-browser") as address:
        one = visit(address, expected=("503",))
        one.page.locator("#slides").wait_for()
        root.rename(away)
        one.page.get_by_text("can't be reached since").first.wait_for()
        one.page.reload()
        assert one.page.locator("#slides").count() == 0
        away.rename(root)
        one.page.locator("#slides").wait_for()
        assert one.page.get_by_text("can't be reached since").count() == 0


def step_of(page: Page) -> int:
    match = re.search(r"[Ss]tep ([\d,]+)", page.locator("#step").text_content() or "")
    return int(match[1].replace(",", "")) if match else 0


def test_curve_moves_while_a_training_runs(opened: Callable[..., Page], lab: Lab) -> None:
    page = opened()
    assert step_of(page) == 5, "the last training's"
    environ = os.environ | {"SLIDEBRIDGE_TRAIN__MAX_STEPS": "100000", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "scripts.cli", "train", "--project", str(lab.root)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as training:
        try:
            page.wait_for_function(_STEP_ABOVE, arg=5, timeout=120_000)
            seen = step_of(page)
            drawn = page.locator("#curve-chart canvas").screenshot()
            page.wait_for_function(_STEP_ABOVE, arg=seen, timeout=60_000)
            assert step_of(page) > seen
            assert training.poll() is None, "it was to be seen while it runs"
            assert page.locator("#curve-rows tr").count() >= 1
            assert page.locator("#curve-chart canvas").screenshot() != drawn
        finally:
            training.kill()


_STEP_ABOVE = """least => {
  const found = document.getElementById("step").textContent.match(/[Ss]tep ([\\d,]+)/);
  return found !== null && Number(found[1].replaceAll(",", "")) > least;
}"""
