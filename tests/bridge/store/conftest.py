"""An empty store a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shapely import box

from bridge.annotations import MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.store import Store


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / ".slidebridge") as opened:
        yield opened


@pytest.fixture
def write(store: Store, now: datetime) -> Callable[..., str]:
    """Begin and finish a write of some objects; returns its marker."""

    def _write(
        marker: str, written: Sequence[WrittenObject] = (), closes: Sequence[str] = (), slide: str = "s1"
    ) -> str:
        store.begin_write(
            slide,
            marker,
            base_revision="0" * 64,
            new_revision=marker.rjust(64, "f"),
            target=Path("/slides") / f"{slide}.xml",
            temp_name=f".slidebridge-{marker}.tmp",
            iteration=1,
            written=written,
            closes=closes,
            now=now,
        )
        store.finish_write(marker, now)
        return marker

    return _write


@pytest.fixture
def written() -> Callable[..., WrittenObject]:
    """Make one object as written."""

    def _written(object_id: str, role: MachineRole = MachineRole.PREDICTION, iteration: int = 1) -> WrittenObject:
        path_class = "Tumor: Predicted" if role is MachineRole.PREDICTION else "Proposed"
        return WrittenObject(object_id, role, path_class, box(0, 0, 10, 10), None, iteration)

    return _written
