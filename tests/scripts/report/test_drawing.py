from __future__ import annotations

import re

import pytest
from lxml import etree

from scripts.figures import COLORS, new_figure
from scripts.report.drawing import inline_svg


def svg(name: str = "one", title: str = "A title") -> str:
    figure = new_figure(4, 3)
    axes = figure.add_subplot()
    axes.errorbar([1, 2, 3], [0.1, 0.5, 0.4], [0.1, 0.1, 0.1], marker="o", capsize=3, color=COLORS[1])
    axes.axvline(2, color="0.3")
    axes.set(xlabel="x", ylabel="y")
    return inline_svg(figure, name, title)


def test_svg_wears_the_pages_colours_and_no_style() -> None:
    text = svg()
    tree = etree.fromstring(text)
    assert not tree.xpath("//@style") and not tree.xpath("//style") and "xmlns" not in text
    assert "var(--series-2)" in text and COLORS[1] not in text
    colours = {value.lower() for value in tree.xpath("//@fill | //@stroke")}
    assert colours <= {"none", "currentcolor", *(f"var(--series-{n})" for n in range(1, 6))}
    assert tree.get("viewBox") and "width" not in tree.attrib


def test_text_stays_text() -> None:
    words = [text.text for text in etree.fromstring(svg()).iter("text")]
    assert {"x", "y", "1", "2", "3"} <= {word.split(".")[0] for word in words}


def test_two_figures_share_no_id_and_every_reference_is_met() -> None:
    one, two = etree.fromstring(svg("one")), etree.fromstring(svg("two"))
    assert not set(one.xpath("//@id")) & set(two.xpath("//@id"))
    for tree in (one, two):
        wanted = {address[1:] for address in tree.xpath("//@href")}
        wanted |= {found for value in tree.xpath("//@*") for found in re.findall(r"url\(#([^)]+)\)", value)}
        assert wanted and wanted == set(tree.xpath("//@id"))


def test_same_figure_gives_the_same_text() -> None:
    assert svg() == svg()


@pytest.mark.parametrize("title", ['<script>"', "a & b"])
def test_title_is_escaped(title: str) -> None:
    assert etree.fromstring(svg(title=title)).get("aria-label") == title
