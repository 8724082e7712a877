"""How much is labelled completely, over time: from what each reading of a slide's file recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bridge.store import ReadRecord
from scripts.report.facts import AreaPoint
from scripts.thinning import thinned

_UM2_PER_MM2 = 1e6
_MOST_POINTS = 400  # more are not told apart in a figure


def labelled_area(
    reads: Mapping[str, Sequence[ReadRecord]], now_um2: Mapping[str, float], now: datetime
) -> tuple[AreaPoint, ...]:
    """Return the area of all slides together, step by step, the last one as it is now.

    Parameters
    ----------
    reads
        By slide, oldest first; those of before SlideBridge recorded areas are passed over.
    now_um2
        By slide, as its file is now; of a slide that isn't among them its last reading counts.
    """
    steps = sorted(_steps(reads), key=lambda step: step[0])
    areas: dict[str, float] = {}
    points: list[AreaPoint] = []
    for at, key, um2 in steps:
        if areas.get(key) == um2 and points:
            continue
        areas[key] = um2
        if points and points[-1].at == at:
            points.pop()
        points.append(AreaPoint(at, _mm2(areas)))
    areas |= now_um2
    if not areas:
        return ()
    return (*thinned(points, _MOST_POINTS), AreaPoint(now, _mm2(areas)))


def _steps(reads: Mapping[str, Sequence[ReadRecord]]) -> Iterator[tuple[datetime, str, float]]:
    for key, found in reads.items():
        for read in found:
            if read.labelled_area_um2 is not None:
                yield read.saved_at or read.first_read_at, key, read.labelled_area_um2


def _mm2(areas: Mapping[str, float]) -> float:
    return sum(areas.values()) / _UM2_PER_MM2
