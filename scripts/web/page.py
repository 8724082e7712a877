"""Pages from templates: everything that is put into them is escaped, and nothing in them comes from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from scripts.web.layers import Layer

_HERE = "scripts.web"


def environment(package: str) -> Environment:
    """Return the template environment of a room.

    Every value is escaped, whatever the template is called; a name that isn't given is an error. Data for scripts go in
    as ``<script type="application/json" id="…">{{ value|tojson }}</script>``.

    Parameters
    ----------
    package
        The room, with a folder ``templates``; ``"scripts.report"``. Under ``web/`` it finds what all pages share:
        ``{% import "web/parts.html" as parts %}``.
    """
    shared = PrefixLoader({"web": PackageLoader(_HERE)})
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["layers"] = tuple(Layer)
    return made


def asset_text(name: str) -> str:
    """Return ``page.css`` or ``page.js``."""
    return _text("assets", name)


def vendored_text(name: str) -> str:
    """Return a file of another project that we carry: ``openseadragon.min.js``, ``uPlot.iife.min.js`` …."""
    return _text("vendor", name)


def inline_hash(text: str) -> str:
    """Return what a Content-Security-Policy calls the text of an inline script or style.

    The text is what stands between the tags, to the last newline.

    Examples
    --------
    >>> inline_hash("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _text(folder: str, name: str) -> str:
    return (resources.files(_HERE) / folder / name).read_text("utf-8")
