"""Slides that look unlike anything the model was trained on: said once a slide and model, and in status and passes."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.store import LookRecord, Store

if TYPE_CHECKING:  # torch comes with it, and status needs none
    from models.inference import Unlikeness

logger = logging.getLogger(__name__)


def unlike_line(distance: float) -> str:
    """Return what to tell people of a slide that looks far from the training slides."""
    return (
        f"looks unlike anything the model was trained on (another stain or scanner? {distance:.1f} standard deviations"
        " away); predictions there are less reliable; label a box on it"
    )


def tell_look(
    store: Store, slide_key: str, name: str, found: Unlikeness | None, champion_id: str | None, now: datetime
) -> str | None:
    """Record how a slide looks to the champion; return the line for people where that is far from its training slides.

    The line is logged the first time that this champion predicts the slide, and not again. Nothing is held back because
    of it.

    Parameters
    ----------
    slide_key, name
        Of the slide, and what people call it.
    found, champion_id
        As measured for this champion, now or before; None where nothing was: then there is nothing to say.

    Raises
    ------
    StoreError
        The store can't be written.
    """
    if found is None or champion_id is None:
        return None
    is_news = store.record_look(LookRecord(slide_key, champion_id, found.distance, found.is_far, now))
    if not found.is_far:
        return None
    line = unlike_line(found.distance)
    if is_news:
        logger.warning("slide=%s %s", name, line)
    return line
