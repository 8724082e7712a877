"""From facts to one HTML file."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources

from markupsafe import Markup, escape

from scripts.report.charts import Chart
from scripts.report.facts import ReportFacts
from scripts.report.view import view
from scripts.web.page import asset_text, environment, inline_hash

_ROOM = "scripts.report"
_COMMAND = re.compile(r"`([^`]{1,200})`")


def render(facts: ReportFacts) -> str:
    """Return the report as one HTML page that needs no other file: the same page for the same facts."""
    css, js = asset_text("page.css") + _own_css(), asset_text("page.js")
    pages = environment(_ROOM)
    pages.filters |= {"capitalize_first": _capitalized, "as_code": _with_code}
    shown = dict(view(facts))
    for name in ("learning", "loss", "times", "savings", "area"):
        shown[name] = _as_markup(shown[name])
    warned = [(row.anchor, row.name, note) for row in facts.slides for note in row.notes]
    without = sum(row.picture is None and row.picture_problem is None for row in facts.slides)
    return pages.get_template("report.html").render(
        **shown,
        css=Markup(css),
        js=Markup(js),
        policy=policy(css, js),
        warned_slides=warned,
        pictures_left_out=without,
    )


def policy(css: str, js: str) -> str:
    """Return the page's Content-Security-Policy: its own style and script, pictures inside it, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {inline_hash(css)}",
            f"script-src {inline_hash(js)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _as_markup(chart: object) -> object:
    """Return a chart whose SVG goes into the page as it is: an XML library wrote it."""
    if not isinstance(chart, Chart):
        return chart
    return replace(chart, svg=Markup(chart.svg))


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_code(text: str) -> Markup:
    """Return a text of ours whose `commands` stand out."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))


def _own_css() -> str:
    return (resources.files(_ROOM) / "assets" / "report.css").read_text("utf-8")
