"""The small files that a tool keeps beside an annotation file (QuPath's ``summary.json``)."""

from __future__ import annotations

import logging

from bridge.annotations.source import SlideEntry, Source
from bridge.errors import AnnotationFileError
from bridge.files import replace_whole

logger = logging.getLogger(__name__)


def write_companions(source: Source, entry: SlideEntry, data: bytes) -> tuple[str, ...]:
    """Bring them up to date with an annotation file that was just written.

    They only hint at what that file says, so nothing here fails a write that stands.

    Returns
    -------
    tuple of str
        One line, for people, for each that is out of date now.
    """
    path = entry.annotation_path
    try:
        for path, content in source.companions(data, entry).items():
            replace_whole(path, content)
    except (OSError, AnnotationFileError) as error:
        logger.warning("companion=%s error=%s", path, error)
        said = getattr(error, "strerror", None) or error
        return (f"{path}: {said}; what the tool keeps beside it is out of date until it saves again",)
    return ()
