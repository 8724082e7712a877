"""Which annotations made which model made which object: one chain, read from the store and the models' cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.store import ObjectOrigin, RunRecord
from models.checkpoints import Card, read_card
from models.errors import CheckpointError
from scripts.loop.status_daemon import moment
from scripts.naming.project_names import project_names
from scripts.naming.slide_names import SlideNames
from scripts.plain_words import counted
from scripts.project import Project, open_project, open_store

_MOST_PARENTS = 10_000
_SHORT = 12  # digits of a hash in what people read; machines get all


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One model of the chain.

    Parameters
    ----------
    card
        None where the model isn't in the project any more, or its card is damaged.
    run
        The training that it came from, as the store knows it; None for one that was brought along.
    trouble
        Why there is no card.
    """

    checkpoint_id: str
    card: Card | None
    run: RunRecord | None
    trouble: str | None = None

    @property
    def parent(self) -> str | None:
        """Id of the model that its training began from."""
        return self.card.parent if self.card is not None else self.run.parent if self.run is not None else None


@dataclass(frozen=True, slots=True)
class Lineage:
    """An object, the model that made it, what that model learned from, and so on to the first.

    Parameters
    ----------
    origin
        Of the object that was asked for; None where a model was.
    chain
        The model that made it, its parent, and so on; empty for an object that no model made.
    """

    names: SlideNames
    origin: ObjectOrigin | None
    chain: tuple[Ancestor, ...]

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "object": _origin_json(self.origin, self.names) if self.origin is not None else None,
            "checkpoints": [_ancestor_json(ancestor, self.names) for ancestor in self.chain],
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        lines = [_origin_line(self.origin, self.names)] if self.origin is not None else []
        if not self.chain:
            lines.append("made by no model: there was none yet, chance chose it")
        for ancestor in self.chain:
            lines += _ancestor_lines(ancestor, self.names)
        return lines


def read_lineage(path: Path, asked: str) -> Lineage:
    """Return where an object or a model comes from.

    Parameters
    ----------
    path
        Anything in the project.
    asked
        Id of an object of ours (QuPath's object id, ImageScope's region attribute ``slidebridge``), or of a model (with
        each object, ``slidebridge.checkpoint``; in ``status --json``, ``checkpoint``).

    Raises
    ------
    ConfigError
        The project knows no such object or model.
    BridgeError
        There is no project, or its store can't be opened.
    """
    project = open_project(path)
    with open_store(project, is_dry_run=True) as store:
        names = project_names(project, project.source.slides())
        origin, runs = store.origin(asked), store.runs()
    first = asked if origin is None else _made_by(origin, runs)
    chain = tuple(_ancestors(project, runs, first)) if first is not None else ()
    is_known = origin is not None or any(a.card is not None or a.run is not None or a.trouble for a in chain)
    if not is_known:
        raise ConfigError(
            f"{asked} is neither an object that SlideBridge wrote and remembers nor a model of this project; the id of"
            " the model stands with the object in the file, as slidebridge.checkpoint"
        )
    return Lineage(names, origin, chain)


def _made_by(origin: ObjectOrigin, runs: tuple[RunRecord, ...]) -> str | None:
    """Return the model that made an object; of one written before that was recorded, that of its iteration."""
    if origin.checkpoint_id is not None or origin.iteration == 0:
        return origin.checkpoint_id
    return next((r.checkpoint_id for r in runs if r.iteration == origin.iteration and r.checkpoint_id), None)


def _ancestors(project: Project, runs: tuple[RunRecord, ...], first: str) -> Iterator[Ancestor]:
    by_checkpoint = {run.checkpoint_id: run for run in runs if run.checkpoint_id is not None}
    checkpoint_id: str | None = first
    seen: set[str] = set()
    came_over = False
    while checkpoint_id is not None and checkpoint_id not in seen and len(seen) < _MOST_PARENTS:
        seen.add(checkpoint_id)
        try:
            card, trouble = read_card(project.checkpoints, checkpoint_id), None
        except CheckpointError as error:
            card, trouble = None, str(error)
        ancestor = Ancestor(checkpoint_id, card, by_checkpoint.get(checkpoint_id), trouble)
        is_elsewhere = came_over and card is None and ancestor.run is None and trouble is None
        if is_elsewhere:
            return  # where it was taken over from, its child says
        came_over = card is not None and card.iteration == 0
        yield ancestor
        checkpoint_id = ancestor.parent


def _origin_json(origin: ObjectOrigin, names: SlideNames) -> Mapping[str, object]:
    return {
        "id": origin.object_id,
        "slide": names.of(origin.slide_key),
        "role": origin.role.value,
        "class": origin.path_class,
        "fate": origin.fate.value,
        "iteration": origin.iteration,
        "checkpoint": origin.checkpoint_id,
        "write": origin.write_marker,
        "written_at": origin.written_at.isoformat(),
    }


def _ancestor_json(ancestor: Ancestor, names: SlideNames) -> Mapping[str, object]:
    card = ancestor.card
    found: dict[str, object] = {
        "id": ancestor.checkpoint_id,
        "iteration": _iteration(ancestor),
        "parent": ancestor.parent,
        "kind": ancestor.run.kind if ancestor.run is not None else None,
        "trouble": ancestor.trouble,
    }
    if card is None:
        return {**found, "slides": None}
    slides = [{"slide": names.of(key), **facts} for key, facts in _slides(card).items()]
    return {**found, "design": card.design, "created": card.created, "slides": slides}


def _slides(card: Card) -> Mapping[str, Mapping[str, object]]:
    """Return what each slide gave, by its key; of an older card only the hash of its plan is known."""
    return {
        key: {"plan": plan, **(card.lineage[key].to_json() if key in card.lineage else {"revision": None})}
        for key, plan in sorted(card.data_hashes.items())
    }


def _iteration(ancestor: Ancestor) -> int | None:
    if ancestor.card is not None:
        return ancestor.card.iteration
    return ancestor.run.iteration if ancestor.run is not None else None


def _origin_line(origin: ObjectOrigin, names: SlideNames) -> str:
    return (
        f"object {origin.object_id}: {origin.role.value} {origin.path_class!r} on {names.of(origin.slide_key)},"
        f" written {moment(origin.written_at)}, {origin.fate.value}"
    )


def _ancestor_lines(ancestor: Ancestor, names: SlideNames) -> Iterator[str]:
    card, iteration = ancestor.card, _iteration(ancestor)
    numbered = f" (training {iteration})" if iteration else ""
    begun = f"began from model {ancestor.parent}" if ancestor.parent is not None else "began from transfer weights"
    if card is None:
        gone = ancestor.trouble or "its card isn't in the project any more"
        known = begun if ancestor.run is not None else "no more is known of it"
        yield f"model {ancestor.checkpoint_id}{numbered}: {gone}; {known}"
        return
    learned = "learned from"
    if card.iteration == 0 and card.parent is not None:  # ``new --transfer``: the slides aren't this project's
        begun, learned = f"taken over from model {card.parent}", "which had learned from"
    yield f"model {ancestor.checkpoint_id}{numbered}, {card.design}, {begun}; {learned}:"
    for key, plan in sorted(card.data_hashes.items()):
        yield f"  {names.of(key)}: {_share_line(card, key, plan)}"


def _share_line(card: Card, key: str, plan: str) -> str:
    share = card.lineage.get(key)
    if share is None:
        return f"label plan {plan[:_SHORT]}; an older SlideBridge didn't keep which save it was made of"
    learned = [(share.objects, "object"), (share.areas, "complete area"), (share.patch_labels, "patch label")]
    told = ", ".join(counted(count, what) for count, what in learned)
    if not (share.objects or share.areas or share.patch_labels):
        told = "held out, judged only"
    saved = f"annotations {share.revision[:_SHORT]}" if share.revision else "annotations of an unknown save"
    return f"{saved}, {told}"
