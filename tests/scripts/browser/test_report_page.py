"""The report as a browser shows it: alone on a disk, without network, with hostile names, in the dark and on paper."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_support import HOSTILE_CLASSES, HOSTILE_NAMES, Visit, faults_of_access, overflow, weak_contrasts
from hostile_lab import hostile_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file names that Windows doesn't allow")

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def report(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a hostile project; made only where there is a browser."""
    lab = hostile_lab(tmp_path_factory.mktemp("project"))
    path = lab.root / "report.html"
    result = lab.run("report", "--out", str(path))
    assert result.exit_code == 0, result.output + repr(result.exception)
    return path


@pytest.fixture
def opened(visit: Open, report: Path) -> Callable[..., Page]:
    """Open the report from the disk, with everything else refused."""

    def go(**options: Any) -> Page:
        one = visit("", is_followed=False, **options)
        one.only(report.as_uri())
        one.go(report.as_uri())
        return one.page

    return go


def test_report_asks_for_nothing_but_itself(visit: Open, report: Path) -> None:
    one = visit("", is_followed=False)
    one.go(report.as_uri())
    assert one.asked == [report.as_uri()]


def test_every_name_is_shown_as_it_is_and_none_of_them_does_anything(opened: Callable[..., Page]) -> None:
    page = opened()
    said = page.locator("body").text_content() or ""
    for name in (*HOSTILE_NAMES[:3], *HOSTILE_CLASSES):
        assert name in said, name
    assert page.locator("img[src='x'], svg[onload], [onerror], [onfocus], a[href^='javascript']").count() == 0
    page.mouse.move(600, 400)
    page.keyboard.press("Tab")  # what waits for a pointer or the focus had its chance


def test_policy_of_the_page_refuses_what_its_author_did_not_write(visit: Open, report: Path) -> None:
    one = visit("", is_followed=False, expected=("Content Security Policy", "Refused"))
    one.go(report.as_uri())
    one.page.evaluate(
        """() => {
          const script = document.createElement("script"), image = new Image();
          script.textContent = "window.intruder = 1";
          image.src = "https://example.org/x.png";
          document.body.append(script, image);
        }"""
    )
    one.page.wait_for_function("window.violations.length >= 2")
    assert one.page.evaluate("window.intruder === undefined")
    one.page.evaluate("window.violations = []")  # which this test wanted


def shown_layers(page: Page) -> dict[str, bool]:
    """Return of each layer whether the first slide that has it shows it."""
    layers = ("expert", "prediction", "proposal")
    return {name: page.locator(f"[data-layer={name}]").first.is_visible() for name in layers}


def test_layers_come_and_go_by_mouse_and_by_keyboard(opened: Callable[..., Page]) -> None:
    page = opened()
    boxes = page.locator("[data-layers-of]").first.locator("input")
    assert boxes.count() == 3
    assert page.locator("[data-layer=expert]").count() and page.locator("[data-layer=proposal]").count()
    assert shown_layers(page)["expert"]
    boxes.nth(0).click()
    assert not shown_layers(page)["expert"] and shown_layers(page)["proposal"]
    assert page.locator("[data-layer=expert]:visible").count() == 0, "on every slide"
    boxes.nth(2).focus()
    page.keyboard.press("Space")
    assert not shown_layers(page)["proposal"]
    page.keyboard.press("Space")
    boxes.nth(0).click()
    assert shown_layers(page)["expert"] and shown_layers(page)["proposal"]


def column(table: Locator, header: Locator) -> list[str]:
    """Return a column's values from top to bottom, as they sort."""
    place = int(header.evaluate("th => th.cellIndex"))
    values: list[str] = table.evaluate(
        "(t, i) => [...t.tBodies[0].rows].map(r => r.cells[i].dataset.value ?? r.cells[i].textContent.trim())", place
    )
    return values


def known(values: list[str]) -> list[float]:
    return [float(v) for v in values if v not in ("", "–")]


def test_slide_table_sorts_by_name_and_by_number_both_ways(opened: Callable[..., Page]) -> None:
    page = opened()
    table = page.locator("#slide-table")
    for kind, title, as_sorted in (("text", "Slide", list), ("number", "By people", known)):
        header = table.locator(f"th[data-sort={kind}]", has_text=title)
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == "ascending"
        first = as_sorted(column(table, header))
        header.locator("button").focus()
        page.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == "descending"
        second = as_sorted(column(table, header))
        assert sorted(first) == sorted(second) and len(set(first)) > 1, "or nothing was to be sorted"
        assert first == second[::-1] or len(set(first)) < len(first)
        if kind == "number":
            assert first == sorted(first) and second == sorted(second, reverse=True)
        assert table.locator("th[aria-sort]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(opened: Callable[..., Page], scheme: str) -> None:
    page = opened(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert weak_contrasts(page) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(background) < 200) == (scheme == "dark")


@pytest.mark.parametrize("width", [640, 400], ids=["at 200 per cent", "on a telephone"])
def test_page_never_scrolls_sideways(opened: Callable[..., Page], width: int) -> None:
    page = opened(viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert overflow(page) <= 0


def test_names_headings_and_landmarks_are_there_for_those_who_cannot_see_the_page(opened: Callable[..., Page]) -> None:
    page = opened()
    assert "report" in page.title().lower()
    assert faults_of_access(page) == []
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"


def test_paper_shows_everything_and_no_buttons(opened: Callable[..., Page]) -> None:
    page = opened(color_scheme="dark")
    folded = page.locator("details:not([open])").count()
    page.evaluate(_COUNT_FOLDED)
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF") and page.evaluate("window.folded") == 0
    assert page.locator("details:not([open])").count() == folded
    page.emulate_media(media="print", color_scheme="dark")
    assert weak_contrasts(page) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".layers:visible, .skip-link:visible, .contents:visible").count() == 0
    assert page.locator("h2:visible").count() >= 4 and page.locator("table:visible").count() >= 2


_COUNT_FOLDED = """() => addEventListener("beforeprint", () => {
  window.folded = document.querySelectorAll("details:not([open])").length;
})"""
