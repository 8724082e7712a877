"""What ``status`` tells of each slide: as it is read now, or as the daemon read it last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import shapely

from bridge.annotations import SlideEntry
from bridge.annotations.roles import Role
from bridge.store import LookRecord, Store
from bridge.store.write_overview import LastWrite
from scripts.daemon.names import SlideNames
from scripts.loop.looks import unlike_line
from scripts.loop.pull import Pulled, SlideState
from scripts.loop.status_daemon import moment


@dataclass(frozen=True, slots=True)
class SlideStatus:
    """One slide.

    Parameters
    ----------
    name
        What it is called here: perhaps a hash.
    facts
        For machines: of its file.
    said
        The same in a few words.
    last_write
        None before the first.
    look
        How unlike its training slides the model found it that predicted it last; None where nobody measured it.
    """

    name: str
    facts: Mapping[str, object]
    said: str
    last_write: LastWrite | None
    look: LookRecord | None = None

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        look = self.look
        found = None if look is None else {"distance": look.distance, "is_far": look.is_far}
        return {"name": self.name, **self.facts, "last_write": _write_json(self.last_write), "unlikeness": found}

    def line(self) -> str:
        """Return the facts for people."""
        unlike = f"; {unlike_line(self.look.distance)}" if self.look is not None and self.look.is_far else ""
        return f"  {self.name}: {self.said}; {_write_line(self.last_write)}{unlike}"


def slides_read_now(pulled: Pulled, store: Store, names: SlideNames) -> tuple[SlideStatus, ...]:
    """Return the slides of a reading."""
    writes, looks = _writes(store), _looks(store)
    return tuple(
        SlideStatus(
            names.of(state.key), _read_facts(state), _read_said(state), writes.get(state.key), looks.get(state.key)
        )
        for state in pulled.slides
    )


def slides_read_before(entries: tuple[SlideEntry, ...], store: Store, names: SlideNames) -> tuple[SlideStatus, ...]:
    """Return slides as the store knows them: no file is opened."""
    writes, looks = _writes(store), _looks(store)
    known = ((_known(entry.key, store, names, writes.get(entry.key)), looks.get(entry.key)) for entry in entries)
    return tuple(replace(status, look=look) for status, look in known)


def _writes(store: Store) -> Mapping[str, LastWrite]:
    return {write.slide_key: write for write in store.last_writes()}


def _looks(store: Store) -> Mapping[str, LookRecord]:
    return {look.slide_key: look for look in store.looks()}


def labelled_area(state: SlideState) -> float:
    """Return the area that is labelled completely, level-0 px²: the exact union of the ROIs."""
    return float(shapely.union_all(list(state.plan.complete)).area) if state.plan.complete else 0.0


def _known(key: str, store: Store, names: SlideNames, write: LastWrite | None) -> SlideStatus:
    read, doubted = store.last_read(key), store.suspicious_revision(key) is not None
    facts = {
        "objects_of_people": read.human_count if read else None,
        "read_at": read.read_at.isoformat() if read else None,
        "suspicious": doubted,
    }
    said = "not read yet"
    if read is not None:
        said = f"{read.human_count} objects of people's, as of {moment(read.first_read_at)}"
    if doubted:
        said += f"; its newest save lost more than half of them: `slidebridge confirm {names.of(key)!r}` believes it"
    return SlideStatus(names.of(key), facts, said, write)


def _read_facts(state: SlideState) -> Mapping[str, object]:
    reading = state.reading
    counts = reading.found.counts
    return {
        "objects": len(reading.found),
        "objects_of_people": reading.human_count,
        "roles": {role.value: len(found) for role in Role if (found := reading.reconciled.of(role))},
        "unknown_classes": dict(reading.reconciled.unknown),
        "repaired": counts.repaired,
        "verbatim": dict(counts.verbatim),
        "off_slide": counts.off_slide,
        "labelled_um2": round(labelled_area(state) * reading.mpp[0] * reading.mpp[1], 1),
        "hold_out_areas": len(state.plan.hold_out),
        "suspicious": state.is_suspicious,
        "failed_save": reading.is_held,
    }


def _read_said(state: SlideState) -> str:
    found = {role: len(items) for role in Role if (items := state.reading.reconciled.of(role))}
    counted = ", ".join(f"{n} {role.value}" for role, n in found.items()) or "no objects"
    return counted + (f", {len(state.plan.hold_out)} areas held out" if state.plan.hold_out else "")


def _write_json(write: LastWrite | None) -> Mapping[str, object] | None:
    if write is None:
        return None
    return {
        "at": write.at.isoformat(),
        "marker": write.marker,
        "predictions": write.predictions,
        "proposals": write.proposals,
        "iteration": write.iteration,
    }


def _write_line(write: LastWrite | None) -> str:
    if write is None:
        return "not written to yet"
    brought = f"{write.predictions} predictions, {write.proposals} proposals"
    return f"written to {moment(write.at)}: {brought}" + (f", iteration {write.iteration}" if write.iteration else "")
