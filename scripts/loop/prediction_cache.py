"""Predictions kept beside the store: a slide that was predicted isn't predicted again because a label changed.

One file per slide, named ``<slide>-<champion>-<everything else>.prediction`` (`scripts.loop.prediction_file`). Nothing
here is precious: what can't be read is predicted again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from bridge.errors import SlideNotFoundError
from bridge.files import replace_whole
from bridge.ingest import SlideReading
from models.active import Acquisition
from scripts.config import Settings
from scripts.loop.prediction_file import FORMAT, UnreadablePredictionError, from_bytes, to_bytes
from scripts.loop.slide_work import SlidePrediction
from scripts.options import ProposeOptions

logger = logging.getLogger(__name__)

_SUFFIX = ".prediction"
_MOST_BYTES = 2**30  # of one file; a slide that needs more is predicted anew each time
_MOST_BYTES_IN_ALL = 4 * 2**30


def key_of(reading: SlideReading, champion_id: str | None, settings: Settings, earlier: Sequence[str] = ()) -> str:
    """Name the prediction of a slide: by the slide, the champion, and whatever else decides it.

    Parameters
    ----------
    champion_id
        None before the first: where the tissue is, is worth keeping as well.
    earlier
        Champions before it that the scores compare it with (`scripts.loop.drawing.earlier_champions`).

    Raises
    ------
    SlideNotFoundError
        The slide's file is gone.
    """
    predict, model = settings.predict, settings.model
    hot_spots = (model.hot_spot_threshold, model.hot_spot_min_um2, model.hot_spot_padding_um)
    facts: tuple[object, ...] = (
        FORMAT,
        str(reading.slide_path),
        _file_facts(reading.slide_path),
        reading.pyramid,
        (predict.tile_px, predict.overlap_px, predict.batch_size, predict.min_area_um2, predict.simplify_um),
        # The champion's design and working mpp are its card's, and so in its id.
        (model.one_network, *hot_spots, model.map_stride_px) if champion_id is not None else model.mpp,
        settings.propose.region_um,
        settings.tissue,
        _asked(settings.propose, earlier) if champion_id is not None else None,
    )
    return f"{_slide_part(reading.entry.key)}-{_champion_part(champion_id)}-{_short(repr(facts))}"


def _asked(propose: ProposeOptions, earlier: Sequence[str]) -> tuple[object, ...]:
    """Return what decides the scores."""
    match propose.scored_by:
        case Acquisition.BALD:
            return Acquisition.BALD.value, propose.draws
        case Acquisition.DISAGREEMENT:
            return Acquisition.DISAGREEMENT.value, propose.checkpoints, *earlier
        case acquisition:
            return (acquisition.value,)


class PredictionCache:
    """The kept predictions of a project. One process writes; a reader sees a whole file or none.

    Parameters
    ----------
    folder
        Where they lie; made when the first is kept.
    most_bytes
        Of all files together: the ones not used for longest go first.
    """

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES_IN_ALL) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def holds(self, key: str) -> bool:
        """Say whether a prediction is kept, without reading it."""
        return self._path(key).is_file()

    def load(self, key: str) -> SlidePrediction | None:
        """Return a kept prediction; None where there is none, or it is damaged (then it is dropped)."""
        path = self._path(key)
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise UnreadablePredictionError("too large")
            prediction = from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, UnreadablePredictionError) as error:
            logger.warning("a kept prediction is damaged and made anew file=%s error=%s", path.name, error)
            _drop(path)
            return None
        _touch(path)
        return prediction

    def save(self, key: str, prediction: SlidePrediction) -> None:
        """Keep a prediction in place of the slide's earlier one; a disk that won't have it costs time, not work."""
        data = to_bytes(prediction)
        if len(data) > min(_MOST_BYTES, self._most_bytes):
            logger.info("a prediction is too large to be kept bytes=%d", len(data))
            return
        path = self._path(key)
        for earlier in self._files():
            if earlier != path and earlier.name.startswith(f"{key.split('-', 1)[0]}-"):
                _drop(earlier)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(path, data, is_shared=False)
        except OSError as error:
            logger.warning("a prediction is not kept: %s: %s", self._folder, error.strerror)
            return
        self._fit()

    def prune(self, slide_keys: Collection[str], champion_id: str | None) -> None:
        """Drop predictions of other champions, and of slides that aren't in the project any more.

        Parameters
        ----------
        slide_keys
            Of all slides of the project, readable now or not.
        """
        kept = {f"{_slide_part(key)}-{_champion_part(champion_id)}" for key in slide_keys}
        for path in self._files():
            if path.name.rsplit("-", 1)[0] not in kept:
                _drop(path)

    def _fit(self) -> None:
        sized = sorted(((_stat(path), path) for path in self._files()), reverse=True)
        total = 0
        for (_, size), path in sized:
            total += size
            if total > self._most_bytes:
                _drop(path)

    def _files(self) -> list[Path]:
        return list(self._folder.glob(f"*{_SUFFIX}"))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _slide_part(slide_key: str) -> str:
    return _short(slide_key)


def _champion_part(champion_id: str | None) -> str:
    return champion_id or "none"


def _file_facts(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise SlideNotFoundError(f"slide {path}: {error.strerror}; it was there when it was read") from error
    return stat.st_size, stat.st_mtime_ns


def _stat(path: Path) -> tuple[int, int]:
    """Return (when last used, bytes); zeros for a file that has just gone."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _touch(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:  # read-only, or gone: it only looks older than it is
        logger.debug("a kept prediction could not be touched file=%s error=%s", path.name, error)


def _drop(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # Windows: somebody reads it
        logger.warning("a kept prediction can't be removed file=%s error=%s", path.name, error.strerror)
