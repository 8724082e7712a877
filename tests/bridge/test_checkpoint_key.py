"""Every object that we write carries its model's id, in text formats too, and keeps it when it becomes a person's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shapely import box

from bridge.annotations import PROPOSED, Edits, MachineObject, MachineRole
from bridge.annotations.source import CHECKPOINT_KEY
from bridge.imagescope import read_imagescope
from bridge.imagescope.write import apply_edits as edit_imagescope
from bridge.qupath.geojson import read_geojson
from bridge.qupath.geojson_edit import apply_edits as edit_geojson

RED = (200, 0, 0)
PREDICTED = replace(
    MachineObject("0a0a0a0a-0000-4000-8000-000000000001", MachineRole.PREDICTION, "A: Predicted", box(0, 0, 9, 9), RED),
    checkpoint="ab" * 8,
)
PROPOSAL = replace(PREDICTED, object_id="0a0a0a0a-0000-4000-8000-000000000002", role=MachineRole.PROPOSAL)
BOX = replace(PROPOSAL, path_class=PROPOSED)
RANDOM = replace(BOX, object_id="0a0a0a0a-0000-4000-8000-000000000003", checkpoint=None)
FORMATS = {
    "imagescope": (edit_imagescope, read_imagescope, b"<Annotations></Annotations>"),
    "geojson": (edit_geojson, read_geojson, b'{"type":"FeatureCollection","features":[]}'),
}


@pytest.mark.parametrize("name", FORMATS)
def test_objects_keep_the_id_of_their_model(name: str) -> None:
    edit, read, empty = FORMATS[name]
    data = edit(empty, Edits("w1", add=(PREDICTED, BOX, RANDOM)))
    found = read(data).annotations
    assert [a.metadata.get(CHECKPOINT_KEY) for a in found].count("ab" * 8) == 2
    assert sum(CHECKPOINT_KEY not in a.metadata for a in found) == 1
    predicted = next(a for a in found if a.path_class == "A: Predicted")
    plain = read(edit(data, Edits("w2", promote={predicted.object_id: ("A", RED)}))).annotations
    assert next(a for a in plain if a.path_class == "A").metadata[CHECKPOINT_KEY] == "ab" * 8


@pytest.mark.parametrize("name", FORMATS)
def test_objects_with_a_model_leave_no_trace_when_they_go(name: str) -> None:
    edit, read, empty = FORMATS[name]

    def ours_in(data: bytes) -> frozenset[str]:
        return frozenset(found.object_id for found in read(data).annotations if found.is_ours)

    written = edit(empty, Edits("w1", add=(PREDICTED,)))
    people = edit(written, Edits("w2", promote=dict.fromkeys(ours_in(written), ("A", RED))))
    newer = replace(PREDICTED, object_id="0a0a0a0a-0000-4000-8000-000000000009", checkpoint="cd" * 8)
    data = edit(people, Edits("w3", add=(newer, BOX, RANDOM)))
    (accepted,) = (found for found in read(data).annotations if found.path_class == "A")
    assert accepted.metadata[CHECKPOINT_KEY] == "ab" * 8
    again = edit(data, Edits("w2", delete=ours_in(data)))
    assert repr(read(again)) == repr(read(people)) and b"cd" * 8 not in again
