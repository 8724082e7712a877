"""A figure of matplotlib as SVG that stands inside a page: its colours are the page's, in light, dark and on paper.

No style attributes (the page's Content-Security-Policy refuses them), no ids but those that are needed, which no other
figure of the page has.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from scripts.figures import COLORS

_ALLOWED = frozenset(
    {
        "fill", "fill-opacity", "fill-rule", "font-size", "font-style", "font-weight", "opacity", "stroke",
        "stroke-dasharray", "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit",
        "stroke-opacity", "stroke-width", "text-anchor",
    }
)  # fmt: skip
_COLOURS: Mapping[str, str] = {
    **{colour: f"var(--series-{number})" for number, colour in enumerate(COLORS, 1)},
    **dict.fromkeys(("#000000", "#333333", "#4c4c4c", "#4d4d4d"), "currentColor"),
    "#ffffff": "var(--surface)",
}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_DROPPED = ("metadata", "style")


def inline_svg(figure: Any, name: str, title: str) -> str:
    """Return a figure as the text of an ``<svg>`` element; the same for the same figure.

    Parameters
    ----------
    figure
        ``matplotlib.figure.Figure``, its colours black, white, or of ``scripts.figures.COLORS``.
    name
        Of the figure in its page: letters and ``-``.
    title
        Its accessible name.
    """
    import matplotlib

    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    root = etree.fromstring(out.getvalue(), etree.XMLParser(resolve_entities=False, no_network=True))
    return _as_inline(root, name, title)


def _as_inline(root: Any, name: str, title: str) -> str:
    for element in list(root.iter()):
        if not isinstance(element.tag, str) or etree.QName(element).localname in _DROPPED:
            _remove(element)
    plain = _without_namespaces(root)
    needed = {reference for element in plain.iter() for reference in _references(element)}
    for element in plain.iter():
        _tidy(element, name, needed)
    box = plain.get("viewBox")
    plain.attrib.clear()
    given = {"viewBox": box, "role": "img", "aria-label": title, "fill": "currentColor"}
    given |= {"stroke-linejoin": "round", "stroke-linecap": "butt", "font-family": "inherit"}
    for key, value in given.items():
        plain.set(key, value)
    return etree.tostring(plain, encoding="unicode")


def _remove(element: Any) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _without_namespaces(element: Any) -> Any:
    """Return a copy whose elements and attributes have plain names, as SVG inside HTML has them."""
    copy = etree.Element(etree.QName(element).localname)
    copy.text, copy.tail = element.text, element.tail
    for key, value in element.attrib.items():
        copy.set(etree.QName(key).localname, value)
    copy.extend([_without_namespaces(child) for child in element])
    return copy


def _references(element: Any) -> Iterator[str]:
    for key, value in element.attrib.items():
        if key == "href" and value.startswith("#"):
            yield value[1:]
        yield from _REFERENCE.findall(value)


def _tidy(element: Any, name: str, needed: set[str]) -> None:
    """Turn an element's style into attributes, its colours into the page's, and its id into one of the page."""
    for key, value in _declarations(element.attrib.pop("style", "")):
        element.set(key, value)
    own = element.attrib.pop("id", None)
    if own in needed:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if key in ("fill", "stroke"):
            element.set(key, _COLOURS.get(value.lower(), value))
        elif key == "href" and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        if "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        key, colon, value = declaration.partition(":")
        if colon and key.strip() in _ALLOWED:
            yield key.strip(), value.strip()
