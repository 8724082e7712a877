"""Slides that look unlike anything the model was trained on: said once a slide and model, and in status and passes."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.store import LookRecord, Store

if TYPE_CHECKING:  # torch comes with it, and status needs none
    from models.checkpoints import Card, Checkpoint
    from models.inference import Unlikeness

logger = logging.getLogger(__name__)


def unlike_line(distance: float) -> str:
    """Return what to tell people of a slide that looks far from the training slides."""
    return (
        f"looks unlike anything the model was trained on (another stain or scanner? {distance:.1f} standard deviations"
        " away); predictions there are less reliable; label a box on it"
    )


def tell_look(
    store: Store, slide_key: str, name: str, found: Unlikeness | None, champion: Checkpoint | None, now: datetime
) -> str | None:
    """Record how a slide looks to the champion; return the line for people where that is far from its training slides.

    A slide that the champion was trained on is never far: what was learned from there is known, however little of it
    was labelled. The line is logged the first time that this champion predicts the slide, and not again. Nothing is
    held back because of it.

    Parameters
    ----------
    slide_key, name
        Of the slide, and what people call it.
    found, champion
        As measured for this champion, now or before; None where nothing was: then there is nothing to say.

    Raises
    ------
    StoreError
        The store can't be written.
    """
    if found is None or champion is None:
        return None
    is_far = found.is_far and not _has_taught(slide_key, champion.card)
    is_news = store.record_look(LookRecord(slide_key, champion.id, found.distance, is_far, now))
    if not is_far:
        return None
    line = unlike_line(found.distance)
    if is_news:
        logger.warning("slide=%s %s", name, line)
    return line


def _has_taught(slide_key: str, card: Card) -> bool:
    """Say whether a champion learned from a slide; one that came from another project learned from that one's."""
    share = card.lineage.get(slide_key) if card.iteration > 0 else None
    return share is not None and bool(share.objects or share.areas or share.patch_labels)
