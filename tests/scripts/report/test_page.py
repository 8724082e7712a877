"""The page: hostile text stays text, nothing comes from elsewhere, and it is as large as was promised."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from enum import Enum
from typing import Any

import pytest
from lxml import html

from scripts.report.facts import Picture, PictureShape, SlideRow
from scripts.report.page import render
from scripts.report.pictures import MOST_JPEG_BYTES, MOST_PATH_CHARS
from scripts.web.layers import Layer

HOSTILE = "</title></script></style><img src=x onerror=alert(1)>\"'`&{{ 7*7 }}$x^2$<script>alert(1)</script>"
_OURS = {"anchor", "path", "colour", "started_at", "verdict", "part"}


def hostile(value: Any, name: str = "") -> Any:
    """Return facts in which every text that may come from a file is hostile."""
    if isinstance(value, Enum) or name in _OURS:
        return value
    if isinstance(value, str) and value and not re.fullmatch("slide-[0-9a-f]{12}", value):
        return value + HOSTILE
    if isinstance(value, tuple):
        return tuple(hostile(item, name) for item in value)
    if isinstance(value, dict):
        return {hostile(key): hostile(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith(("scripts.report", "models.metrics")):
        changed = {f.name: hostile(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    return value


def skeleton(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (str(element.tag), tuple(sorted(element.attrib)))
        for element in html.document_fromstring(page).iter()
        if isinstance(element.tag, str)
    ]


@pytest.fixture(scope="module")
def page(told) -> str:
    return render(told.facts)


def test_same_facts_give_the_same_page(told, page: str) -> None:
    assert render(told.facts) == page


def test_hostile_text_adds_no_element_and_no_attribute(told, page: str) -> None:
    attacked = hostile(told.facts)
    assert attacked.slides[0].name.endswith(HOSTILE), "the test lost its teeth"
    there = skeleton(render(attacked))
    assert there == skeleton(page)
    assert "49" not in {cell.strip() for cell in html.document_fromstring(render(attacked)).itertext()}


def test_policy_names_the_only_style_and_script(page: str) -> None:
    tree = html.document_fromstring(page)
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not tree.xpath("//@style"), "the policy refuses style attributes"
    assert not [name for element in tree.iter() for name in element.attrib if name.lower().startswith("on")]


def test_nothing_is_fetched(page: str) -> None:
    tree = html.document_fromstring(page)
    for address in tree.xpath("//@src | //@href | //@*[local-name()='href'] | //@srcset | //@data"):
        assert address.startswith(("#", "data:image/jpeg;base64,")), address[:80]
    assert not tree.xpath("//link | //iframe | //object | //embed | //form | //base")
    assert not re.findall(r"url\((?!#)", page) and "@import" not in page and "http" + "://" not in page


def test_links_and_ids_fit_together(page: str) -> None:
    tree = html.document_fromstring(page)
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    wanted = {a[1:] for a in tree.xpath("//@href | //@*[local-name()='href']") if a.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(ids)
    assert {*tree.xpath("//@aria-labelledby"), *tree.xpath("//@aria-controls")} <= set(ids)


def test_layers_are_there_to_be_toggled(page: str) -> None:
    tree = html.document_fromstring(page)
    assert {layer.value for layer in Layer} == set(
        tree.xpath("//fieldset[@data-layers-of='slide-table']//input/@value")
    )
    assert {"expert"} <= set(tree.xpath("//table[@id='slide-table']//@data-layer"))
    assert tree.xpath("//table[contains(@class, 'sortable')]//th[@data-sort='number']")


def test_words_are_those_of_the_dashboard_and_the_terminal(page: str) -> None:
    said = " ".join(html.document_fromstring(page).xpath("//body//text()[not(parent::script)]"))
    assert not re.search("(?i)iteration|promoted|champion|incremental|prequential", said)
    assert "on new labels" in said and "in use" in said


def test_figures_have_names_and_their_numbers_in_tables(told, page: str) -> None:
    tree = html.document_fromstring(page)
    charts = tree.xpath("//figure/svg")
    assert charts and all(chart.get("aria-label") and chart.get("role") == "img" for chart in charts)
    cells = {cell.text_content().strip() for cell in tree.xpath("//td")}
    for curve in told.facts.learning.curves:
        assert {f"{point.f1:.3f}" for point in curve.held_out} <= cells


def numbers_of(page: str) -> dict[str, tuple[str, str]]:
    """Return the key numbers: name → value, and what it means."""
    found = {}
    for box in html.document_fromstring(page).xpath("//dl[@class='numbers']/div"):
        (value, note) = (box.xpath("string(dd/text()[1])").strip(), box.xpath("string(dd/small)"))
        found[box.xpath("string(dt)")] = (value, note)
    return found


def test_key_numbers_that_are_not_known_are_dashes_with_the_reason(told, page: str) -> None:
    assert numbers_of(page)["Annotation time saved"] == ("–", "no predictions were answered yet")
    curve = told.facts.learning.curves[-1]
    unknown = dataclasses.replace(curve, held_out=(dataclasses.replace(curve.held_out[-1], f1=None, mean=None),))
    learning = dataclasses.replace(told.facts.learning, curves=(unknown,))
    changed = numbers_of(render(dataclasses.replace(told.facts, learning=learning, runs=(), area=())))
    assert changed[f"F1 on held-out slides, {curve.name}"] == ("–", "it is neither labelled nor predicted there")
    assert changed["Labelled completely"][0] == "–" and changed["Model in use"][0] == "none yet"
    assert all(note for value, note in changed.values() if value == "–")


def _row(number: int, picture: Picture | None) -> SlideRow:
    notes = ("the slide says 0.25 µm, the annotation file 0.5 µm; the slide is believed",)
    return SlideRow(
        f"slide-{number:012x}", f"case {number}.svs", "learned from", 12, 1.5, 30, 3, notes=notes, picture=picture
    )


def test_page_of_a_thousand_slides_stays_small(told) -> None:
    def size(slides: tuple[SlideRow, ...]) -> int:
        return len(render(dataclasses.replace(told.facts, slides=slides)).encode())

    shape = PictureShape(Layer.EXPERT, "Tumor", "#c80000", "M" * MOST_PATH_CHARS, 9)
    picture = Picture(b"\xff" * MOST_JPEG_BYTES, 320, 320, (shape,), {Layer.EXPERT: 9})
    plain = size(tuple(_row(n, None) for n in range(1000)))
    pictured = size(tuple(_row(n, picture if n < 60 else None) for n in range(1000)))
    assert plain < 3_000_000
    assert pictured - plain < 60 * (MOST_JPEG_BYTES * 4 / 3 + MOST_PATH_CHARS + 2000) < 5_200_000
