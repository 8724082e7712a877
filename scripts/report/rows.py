"""The rows of the report's tables: slides, and trainings."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.annotations.split import HOLD_OUT, TRAIN
from bridge.store import RunRecord, RunState
from scripts.loop.looks import unlike_line
from scripts.loop.slide_facts import SlideFacts
from scripts.loop.training_cost import TrainingCost
from scripts.loop.training_words import reason_in_words
from scripts.naming.slide_names import SlideNames
from scripts.report.anchors import anchor_of
from scripts.report.facts import Disagreement, RunRow, SlideRow
from scripts.report.happened import Plain, mood_of
from scripts.report.records import Records

logger = logging.getLogger(__name__)

_UM2_PER_MM2 = 1e6
_MOST_CARD_BYTES = 2**26
_PARTS = {
    frozenset[str](): "–",
    frozenset({TRAIN}): "learned from",
    frozenset({HOLD_OUT}): "judges",
    frozenset({TRAIN, HOLD_OUT}): "learned from, and judges",
}


@dataclass(frozen=True, slots=True)
class SlidesNow:
    """What reading the slides just now said of them.

    Parameters
    ----------
    seen
        By key.
    problems
        Key → why a slide can't be read.
    """

    seen: Mapping[str, SlideFacts]
    problems: Mapping[str, str]


def slide_rows(
    entries: Iterable[SlideEntry],
    now: SlidesNow,
    records: Records,
    found: Sequence[Disagreement],
    names: SlideNames,
    plain: Plain,
) -> tuple[SlideRow, ...]:
    """Return one row a slide, in the order of the project, without pictures.

    Parameters
    ----------
    found
        The worst first.
    """
    worst = {one.anchor: one for one in reversed(found)}
    return tuple(_slide_row(entry, now, records, worst, names, plain) for entry in entries)


def run_rows(runs: Sequence[RunRecord], checkpoints: Path, plain: Plain) -> tuple[RunRow, ...]:
    """Return one row a training, the newest first."""
    return tuple(_run_row(run, checkpoints, plain) for run in reversed(runs))


def _slide_row(
    entry: SlideEntry,
    now: SlidesNow,
    records: Records,
    worst: Mapping[str, Disagreement],
    names: SlideNames,
    plain: Plain,
) -> SlideRow:
    key, anchor = entry.key, anchor_of(entry.key)
    facts, write, look = now.seen.get(key), records.writes.get(key), records.looks.get(key)
    cost, agreement = records.costs.get(key), worst.get(anchor)
    lines = [] if facts is None else [*facts.warnings, *(x for x in (facts.suspicion, facts.unheeded) if x is not None)]
    unlike = [unlike_line(look.distance)] if look is not None and look.is_far else []
    problem = now.problems.get(key)
    return SlideRow(
        anchor,
        names.of(key),
        _PARTS[frozenset(records.split.parts_of(key).values())],
        _number(facts, "objects_of_people"),
        _mm2(facts),
        write.predictions if write is not None else None,
        write.proposals if write is not None else None,
        write.iteration if write is not None else None,
        write.at if write is not None else None,
        agreement.score if agreement is not None else None,
        f"{agreement.kind}, training {agreement.iteration}" if agreement is not None else "",
        cost.wall_seconds if cost is not None else None,
        tuple(plain(line) for line in (*unlike, *lines)),
        plain(problem) if problem is not None else None,
    )


def _number(facts: SlideFacts | None, name: str) -> int | None:
    value = None if facts is None else facts.facts.get(name)
    return value if isinstance(value, int) else None


def _mm2(facts: SlideFacts | None) -> float | None:
    value = None if facts is None else facts.facts.get("labelled_um2")
    return value / _UM2_PER_MM2 if isinstance(value, int | float) else None


def _run_row(run: RunRecord, checkpoints: Path, plain: Plain) -> RunRow:
    return RunRow(
        run.iteration,
        run.kind,
        run.started_at,
        run.ended_at,
        _design(checkpoints, run.checkpoint_id),
        _verdict(run),
        mood_of(run),
        _score(run, "score"),
        _score(run, "champion_score"),
        plain(reason_in_words(run.reason)),
        TrainingCost.of(run),
    )


def _verdict(run: RunRecord) -> str:
    if run.state is RunState.RUNNING:
        return "not ended"
    if run.state is RunState.FAILED:
        return "stopped" if (run.reason or "").startswith("stopped") else "failed"
    return "used" if run.promoted else "not used"


def _score(run: RunRecord, name: str) -> float | None:
    value = run.metrics.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _design(checkpoints: Path, checkpoint_id: str | None) -> str | None:
    """Return the design that a model's card names, deleted since or not; read without torch, as one word."""
    for path in (checkpoints / f"{checkpoint_id}/card.json", checkpoints / f"{checkpoint_id}.card.json"):
        try:
            if checkpoint_id is not None and path.stat().st_size <= _MOST_CARD_BYTES:
                design = json.loads(path.read_bytes())["card"]["design"]
                return design if isinstance(design, str) else None
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("a model's card can't be read, its design is not told path=%s error=%s", path, error)
    return None
