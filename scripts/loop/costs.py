"""What predictions cost: written down where they are made; one account for ``status``, the passes and the report.

Knows no torch: `status` imports it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from bridge.store import CostRecord, RunState, Store
from scripts.plain_words import counted

if TYPE_CHECKING:  # torch comes with them
    from scripts.loop.slide_jobs import Champion
    from scripts.loop.slide_work import SlidePrediction

_UM2_PER_MM2 = 1e6
_WORDS = {
    "network": "network",
    "stitch": "joining tiles",
    "vectorize": "outlines",
    "waiting_for_pixels": "waiting for pixels",
    "other": "finding tissue and all else",
}


def cost_record(
    slide_key: str, mpp: tuple[float, float], prediction: SlidePrediction, bands: Champion | None, now: datetime
) -> CostRecord | None:
    """Return what a slide's prediction cost; None without a model, and for one that was kept from before.

    Parameters
    ----------
    mpp
        µm per level-0 pixel of the slide.
    bands
        The model that predicted it.
    now
        When it was done.
    """
    cost = prediction.cost
    if cost is None or bands is None:
        return None
    cell = prediction.cells.downsample**2 * mpp[0] * mpp[1]
    return CostRecord(
        slide_key,
        bands.champion.id,
        now,
        wall_seconds=cost.wall,
        read_seconds=cost.read,
        network_seconds=cost.network,
        stitch_seconds=cost.stitch,
        vectorize_seconds=cost.vectorize,
        waited_seconds=cost.waited_for_read,
        tiles=cost.tiles,
        tissue_um2=float(prediction.tissue.sum()) * cell,
        runs_on=bands.runs_on,
    )


def cost_facts(cost: CostRecord | None) -> Mapping[str, object]:
    """Return what a prediction cost, for a line of the log; nothing where nobody knows."""
    if cost is None:
        return {}
    return {
        "network_seconds": cost.network_seconds,
        "stitch_seconds": cost.stitch_seconds,
        "vectorize_seconds": cost.vectorize_seconds,
        "waited_for_pixels_seconds": cost.waited_seconds,
        "read_seconds": cost.read_seconds,
        "tiles": cost.tiles,
        "tissue_mm2": cost.tissue_um2 / _UM2_PER_MM2,
        "runs_on": cost.runs_on,
    }


def cost_json(cost: CostRecord | None) -> Mapping[str, object] | None:
    """Return what a slide's prediction cost, for machines."""
    if cost is None:
        return None
    facts = {name: round(v, 4) if isinstance(v, float) else v for name, v in cost_facts(cost).items()}
    at = {"at": cost.predicted_at.isoformat(), "checkpoint": cost.checkpoint_id}
    return {**at, "seconds": round(cost.wall_seconds, 4), **facts}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Slides that the model in use has not predicted yet.

    Parameters
    ----------
    slides
        How many.
    seconds
        How long they will take, as far as can be told: by their tissue, where that is known, and by what a mm² took on
        the others. None where nobody knows.
    """

    slides: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class CostAccount:
    """What predicting slides costs, and where the time goes.

    Parameters
    ----------
    costs
        Of each slide one, the newest.
    waiting
        What is to be done yet; None where that wasn't asked.
    """

    costs: Sequence[CostRecord]
    waiting: Waiting | None = None

    @property
    def seconds(self) -> float:
        """Of the median slide, from beginning to end."""
        return median(cost.wall_seconds for cost in self.costs)

    @property
    def seconds_per_mm2(self) -> float | None:
        """Of tissue, of the median slide that has some; None where none has."""
        rates = [cost.wall_seconds / cost.tissue_um2 * _UM2_PER_MM2 for cost in self.costs if cost.tissue_um2 > 0]
        return median(rates) if rates else None

    @property
    def tiles(self) -> float:
        """Of the median slide."""
        return median(cost.tiles for cost in self.costs)

    @property
    def tissue_mm2(self) -> float:
        """Of the median slide."""
        return median(cost.tissue_um2 for cost in self.costs) / _UM2_PER_MM2

    @property
    def shares(self) -> Mapping[str, float]:
        """Part of all slides' time in which each stage was at work, from 0.

        Stages overlap, so that they may add up to more than 1; reading alone may be more than 1, for its threads count
        together, and any stage where workers of a cluster share slides. ``other`` is what no stage but reading accounts
        for.
        """
        whole = sum(cost.wall_seconds for cost in self.costs)
        spent = {
            "network": sum(cost.network_seconds for cost in self.costs),
            "stitch": sum(cost.stitch_seconds for cost in self.costs),
            "vectorize": sum(cost.vectorize_seconds for cost in self.costs),
            "waiting_for_pixels": sum(cost.waited_seconds for cost in self.costs),
            "read": sum(cost.read_seconds for cost in self.costs),
        }
        shares = {stage: seconds / whole if whole > 0 else 0.0 for stage, seconds in spent.items()}
        return shares | {"other": max(0.0, 1 - sum(shares.values()) + shares["read"])}

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines; medians are None where nothing is known."""
        waiting = self.waiting
        if not self.costs:
            facts: Mapping[str, object] = dict.fromkeys(("seconds", "seconds_per_mm2", "tiles", "tissue_mm2", "shares"))
        else:
            rate = self.seconds_per_mm2
            facts = {
                "seconds": round(self.seconds, 4),
                "seconds_per_mm2": None if rate is None else round(rate, 4),
                "tiles": self.tiles,
                "tissue_mm2": round(self.tissue_mm2, 4),
                "shares": {stage: round(share, 4) for stage, share in self.shares.items()},
            }
        return {
            "slides": len(self.costs),
            **facts,
            "runs_on": sorted({cost.runs_on for cost in self.costs}),
            "waiting_slides": None if waiting is None else waiting.slides,
            "waiting_seconds": None if waiting is None or waiting.seconds is None else round(waiting.seconds, 1),
        }

    def line(self) -> str | None:
        """Return for people how long a slide takes, and what is to be done yet; None where nothing is known."""
        if not self.costs:
            return None
        count = len(self.costs)
        of = f" (median of {count})" if count > 1 else ""
        return f"predicting a slide takes {duration(self.seconds)}{of}{self._waits()}"

    def details(self) -> str | None:
        """Return, in one line, where the time goes, for who looks into it; None where nothing is known."""
        if not self.costs:
            return None
        count, rate = len(self.costs), self.seconds_per_mm2
        of = f"median of {count}; " if count > 1 else ""
        size = f"{of}{counted(round(self.tiles), 'tile')}, {self.tissue_mm2:.3g} mm² tissue"
        per_mm2 = "" if rate is None else f", {duration(rate)} a mm²"
        shares = self.shares
        stages = ", ".join(f"{word} {shares[stage]:.0%}" for stage, word in _WORDS.items() if shares[stage] > 0)
        beside = f"; reading, in threads beside it, {shares['read']:.0%}"
        return f"prediction: {duration(self.seconds)} a slide ({size}){per_mm2}; of it {stages}{beside}{self._waits()}"

    def _waits(self) -> str:
        waiting = self.waiting
        if waiting is None or not waiting.slides:
            return ""
        how_long = "" if waiting.seconds is None else f", about {duration(waiting.seconds)}"
        return f"; {waiting.slides} to be predicted yet{how_long}"


def project_costs(store: Store, slide_keys: Collection[str]) -> CostAccount:
    """Return what a project's slides cost, and what those cost that wait for the model in use.

    Parameters
    ----------
    slide_keys
        Of the slides that can be predicted; what is known of others is left out.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    keys = set(slide_keys)
    costs = {cost.slide_key: cost for cost in store.newest_costs() if cost.slide_key in keys}
    account = CostAccount(tuple(costs.values()))
    champion = _champion(store)
    if champion is None:
        return account
    done = {cost.slide_key for cost in costs.values() if cost.checkpoint_id == champion}
    done |= {slide.key for slide in store.slides() if slide.predicted_with == champion}
    return CostAccount(account.costs, _waiting(keys - done, costs, account))


def usual_seconds(store: Store, slide_key: str) -> float | None:
    """Return how long predicting a slide should take: as long as it did last, else as the median of the others did.

    Returns
    -------
    None where nobody knows.
    """
    costs = {cost.slide_key: cost.wall_seconds for cost in store.newest_costs()}
    return costs.get(slide_key, median(costs.values()) if costs else None)


def _waiting(keys: Collection[str], costs: Mapping[str, CostRecord], account: CostAccount) -> Waiting:
    rate = account.seconds_per_mm2 if costs else None
    if rate is None:
        return Waiting(len(keys), None if keys else 0.0)
    usual = account.tissue_mm2
    areas = (costs[key].tissue_um2 / _UM2_PER_MM2 if key in costs else usual for key in keys)
    return Waiting(len(keys), rate * sum(areas))


def _champion(store: Store) -> str | None:
    """Return the model in use, as far as the store knows: the last that was promoted."""
    promoted = (run.checkpoint_id for run in reversed(store.runs()) if run.promoted and run.state is RunState.FINISHED)
    return next(promoted, None)


def duration(seconds: float) -> str:
    """Return seconds for people: ``0.46 s``, ``14.2 s``, ``3.5 min``, ``2.1 h``."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"
