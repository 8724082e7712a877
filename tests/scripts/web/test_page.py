"""Pages: hostile text stays text, in every place that a template may put it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from lxml import html

from scripts.web.page import asset_text, environment, inline_hash, vendored_text

_HOSTILE = "</script><img src=x onerror=alert(1)>\"'`{{7*7}}&amp;\u2028"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A room with templates, importable as ``some_room``."""
    folder = tmp_path / "some_room"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").write_text("", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_room", raising=False)  # the one of the test before
    return folder / "templates"


def rendered(room: Path, text: str, **values: object) -> str:
    (room / "page.html").write_text('{% import "web/parts.html" as parts %}' + text, "utf-8")
    return environment("some_room").get_template("page.html").render(**values)


@pytest.mark.parametrize(
    "template",
    [
        "<p>{{ said }}</p>",
        '<p title="{{ said }}">x</p>',
        "<p title='{{ said }}'>x</p>",
        "<p>{{ parts.badge(said) }}</p>",
        "{{ parts.notice(said) }}",
        "{{ parts.numbers([(said, said, said)]) }}",
        "<table><tr>{{ parts.th(said, hint=said) }}</tr></table>",
        "{% call parts.scroll(said) %}x{% endcall %}",
        "{{ parts.swatch(said) }}",
        "{{ parts.layer_toggles('slides', said) }}",
    ],
)
def test_hostile_text_makes_no_element_and_no_attribute(room: Path, template: str) -> None:
    harmless = html.fragment_fromstring(rendered(room, template, said="harmless"), create_parent="div")
    hostile = html.fragment_fromstring(rendered(room, template, said=_HOSTILE), create_parent="div")
    shape = [[(e.tag, sorted(e.attrib)) for e in page.iter()] for page in (harmless, hostile)]
    assert shape[0] == shape[1]
    said = " ".join([*hostile.itertext(), *(v for e in hostile.iter() for v in e.attrib.values())])
    assert "{{7*7}}" in said and "<img src=x" in said  # shown as it is


def test_hostile_data_for_scripts_comes_back_whole_and_ends_nothing(room: Path) -> None:
    page = rendered(room, '<script type="application/json">{{ said|tojson }}</script>', said={_HOSTILE: [_HOSTILE]})
    scripts = _Scripts()
    scripts.feed(page)
    scripts.close()
    assert len(scripts.texts) == 1 and json.loads(scripts.texts[0]) == {_HOSTILE: [_HOSTILE]}


class _Scripts(HTMLParser):
    """What an HTML parser takes for the text of scripts, and any element that follows."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "script", f"{tag} got out"
        self._is_inside = True

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.texts.append(data)


def test_missing_value_is_an_error_and_rooms_see_only_their_own_templates(room: Path) -> None:
    with pytest.raises(UndefinedError):
        rendered(room, "{{ nothing_of_the_kind }}")
    with pytest.raises(TemplateNotFound):
        environment("some_room").get_template("parts.html")


def test_each_layer_has_a_box_with_a_label(room: Path) -> None:
    page = html.fromstring(rendered(room, "{{ parts.layer_toggles('slides', counts={'expert': 3}) }}"))
    boxes = page.xpath("//label/input[@type='checkbox']/@value")
    assert boxes == ["expert", "prediction", "proposal"]
    assert [re.sub(r"\s+", " ", x.text_content()).strip()[-3:] for x in page.xpath("//label")] == ["(3)", "(0)", "(0)"]


def test_hash_is_that_of_the_policy_standard() -> None:
    text = asset_text("page.js")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    assert inline_hash(text) == f"'sha256-{digest}'"


@pytest.mark.parametrize("name", ["page.css", "page.js"])
def test_assets_ask_for_nothing_and_fit_inline(name: str) -> None:
    text = asset_text(name)
    assert "</" not in text  # would end the element that they stand in
    assert not re.search(r"https?:|url\(|@import|\beval\(|new Function|innerHTML|document\.write", text)


def test_vendored_scripts_run_under_a_policy_without_eval() -> None:
    for name in ("openseadragon.min.js", "uPlot.iife.min.js"):
        assert not re.search(r"\beval\(|new Function\(", vendored_text(name))
