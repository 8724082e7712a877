"""What a slide's row is called in the page's addresses: a hash, for a key may be any text."""

from __future__ import annotations

import hashlib

_DIGITS = 12


def anchor_of(slide_key: str) -> str:
    """Return the anchor of a slide's row.

    Examples
    --------
    >>> anchor_of("case 1.svs")
    'slide-9ae16dccdf67'
    """
    digest = hashlib.sha256(slide_key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"slide-{digest[:_DIGITS]}"
