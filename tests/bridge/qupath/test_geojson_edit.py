"""Edits of a GeoJSON file: what we don't touch stays byte for byte."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from bridge.annotations.source import Edits, MachineObject, MachineRole
from bridge.errors import GeoJSONFormatError, InvalidGeometryError
from bridge.qupath.geojson import apply_edits, read_geojson, write_geojson

NOTHING = Edits("")


def machine(number: int, *, role: MachineRole = MachineRole.PREDICTION, **values: Any) -> MachineObject:
    path_class = "Proposed" if role is MachineRole.PROPOSAL else "Tumor: Predicted"
    box = shapely.box(number, 0, number + 9.125, 7)
    return MachineObject(str(uuid.UUID(int=number, version=4)), role, path_class, box, (200, 0, 0), **values)


def human(name: str, *children: str, x: str = "1.50") -> str:
    """A feature in a hand that no serializer of ours writes."""
    inside = f', "childObjects": [ {" , ".join(children)} ]' if children else ""
    ring = f"[[{x},0], [9e0 , 0],[9,9.0],[{x},0]]"
    return (
        f'{{ "type":"Feature",\n "id":"{uuid.uuid5(uuid.NAMESPACE_OID, name)}", "geometry" : '
        f'{{"type":"Polygon", "coordinates":[{ring}]}},\t"properties":{{"objectType":"annotation",'
        f'"name": "{name} ]}}, \\"[{{ \\\\", "metadata":{{"a":"1"}},"metadata":{{"a":"1"}}{inside}}} }}'
    )


def ours(number: int, *children: str) -> str:
    """A prediction as QuPath exports it: metadata twice."""
    inside = f',"childObjects":[{",".join(children)}]' if children else ""
    return (
        f'{{"type":"Feature","id":"{uuid.UUID(int=number, version=4)}","geometry":{{"type":"Polygon","coordinates":'
        '[[[1.00, 2],[3, 2.50],[3, 4],[1.00, 2]]]},"properties":{"objectType":"annotation","classification":'
        '{"names":["Tumor","Predicted"],"color":[1,2,3]},"measurements":{"m":1.0e0},'
        f'"metadata":{{"slidebridge":"w0","b":"2"}},"metadata":{{"slidebridge":"w0","b":"2"}}{inside}}}}}'
    )


def our_id(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


blanks = st.text(" \n\t\r", max_size=3)


@st.composite
def collections(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A FeatureCollection of a human's, in any layout, and its features' texts."""
    texts = [human(f"{n} {draw(st.text('ab,]}', max_size=4))}") for n in range(draw(st.integers(0, 4)))]
    inside = "".join(text if n == 0 else f"{draw(blanks)},{draw(blanks)}{text}" for n, text in enumerate(texts))
    first, last = (
        draw(st.sampled_from(["", '"name": "x{[",', '"crs":{"type": "name", "features": [1]},'])),
        draw(blanks),
    )
    after = draw(st.sampled_from(["", ', "bbox" : [0,0,1,1]', ',"x":{"slidebridge":{}}']))
    text = f'{draw(blanks)}{{{first}"features" :{draw(blanks)}[{draw(blanks)}{inside}{last}]{after}{draw(blanks)}}}\n'
    return text.encode(), texts


@settings(deadline=None, max_examples=100)
@given(collections(), st.integers(1, 3), st.booleans())
def test_adding_and_deleting_again_restores_every_byte(
    collection: tuple[bytes, list[str]], count: int, in_two_steps: bool
) -> None:
    data, texts = collection
    added = apply_edits(data, Edits("w1", add=tuple(machine(n) for n in range(count))))
    found = read_geojson(added)
    assert found.write_marker == "w1"
    assert [a.is_ours for a in found.annotations] == [False] * len(texts) + [True] * count
    assert in_order(added, texts)
    if in_two_steps:
        added = apply_edits(added, Edits("w2", delete=frozenset({our_id(0)})))
        assert read_geojson(added).write_marker == "w2"
    rest = frozenset(a.object_id for a in read_geojson(added).annotations if a.is_ours)
    assert apply_edits(added, Edits("", delete=rest)) == data


def in_order(data: bytes, texts: list[str]) -> bool:
    position = 0
    for text in texts:
        position = data.find(text.encode(), position) + len(text)
        if position < len(text):
            return False
    return True


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["human", "keep", "delete", "promote"]), max_size=7), blanks, st.booleans())
def test_only_what_the_edits_name_changes(fates: list[str], blank: str, is_array: bool) -> None:
    texts = [human(f"h{n}") if fate == "human" else ours(n) for n, fate in enumerate(fates)]
    array = f"[{blank}{(blank + ',').join(texts)}{blank}]"
    data = (array if is_array else f'{{"type":"FeatureCollection","features":{array}}}').encode()
    edits = Edits(
        "w9",
        delete=frozenset(our_id(n) for n, fate in enumerate(fates) if fate == "delete"),
        promote={our_id(n): ("Tumor: In situ", (7, 8, 9)) for n, fate in enumerate(fates) if fate == "promote"},
        add=(machine(99),),
    )
    edited = apply_edits(data, edits)
    found = read_geojson(edited)
    before = {a.object_id: a for a in read_geojson(data).annotations}
    expected = [i for i, fate in zip(before, fates, strict=True) if fate != "delete"]
    assert [a.object_id for a in found.annotations] == [*expected, our_id(99)]
    assert in_order(edited, [text for text, fate in zip(texts, fates, strict=True) if fate in ("human", "keep")])
    for annotation in found.annotations[:-1]:
        old = before[annotation.object_id]
        assert annotation.geometry.equals_exact(old.geometry, 0)
        if annotation.object_id in edits.promote:
            assert (annotation.path_class, annotation.color) == ("Tumor: In situ", (7, 8, 9))
            assert (annotation.is_ours, annotation.metadata) == (False, {"b": "2"})
            assert annotation.measurements == old.measurements
        else:
            assert annotation == old
    assert found.write_marker == "w9"


def test_a_promoted_object_keeps_the_digits_of_its_numbers() -> None:
    edited = apply_edits(ours(1).encode(), Edits("", promote={our_id(1): ("Tumor", (1, 2, 3))}))
    assert b"[[[1.00, 2],[3, 2.50],[3, 4],[1.00, 2]]]" in edited
    assert b'{"m":1.0e0}' in edited
    assert b"slidebridge" not in edited
    assert json.loads(edited)["type"] == "Feature"


def test_our_objects_bear_our_identity_and_what_qupath_needs() -> None:
    proposal = machine(1, role=MachineRole.PROPOSAL, name="#1 uncertain, 0.4")
    hidden = machine(2, is_editable=False, probability=0.75)
    edited = apply_edits(b'{"type":"FeatureCollection","features":[]}', Edits("w1", add=(proposal, hidden)))
    first, second = (item["properties"] for item in json.loads(edited)["features"])
    assert first == {
        "objectType": "annotation",
        "name": "#1 uncertain, 0.4",
        "classification": {"name": "Proposed", "color": [200, 0, 0]},
        "isLocked": True,
        "metadata": {"slidebridge": "w1"},
    }
    assert (second["objectType"], second["classification"]["names"]) == ("detection", ["Tumor", "Predicted"])
    assert "isLocked" not in second
    assert read_geojson(edited).annotations[1].probability == 0.75
    assert read_geojson(edited).annotations[0].geometry.bounds == (1, 0, 10.12, 7)


# --- child objects


def test_what_lies_below_a_deleted_object_moves_up_untouched() -> None:
    inner, outer = human("inner"), human("outer")
    data = f"[{ours(1, inner, ours(2), outer)},{human('last')}]".encode()
    edited = apply_edits(data, Edits("", delete=frozenset({our_id(1), our_id(2)})))
    assert edited.decode() == f"[{inner},{outer},{human('last')}]"


def test_an_object_among_children_is_deleted_and_its_parent_stays() -> None:
    parent = human("parent", human("a"), ours(1), human("b"))
    edited = apply_edits(f"[ {parent} ]".encode(), Edits("", delete=frozenset({our_id(1)})))
    assert edited.decode() == f"[ {human('parent', human('a'), human('b'))} ]"


def test_children_under_qupath_s_other_key_are_reached() -> None:
    data = f"[{ours(1, human('a'), ours(2))}]".replace('"childObjects"', '"children"').encode()
    assert [a.parent_id for a in read_geojson(data).annotations] == [None, our_id(1), our_id(1)]
    edited = apply_edits(data, Edits("", delete=frozenset({our_id(2)})))
    assert edited == f"[{ours(1, human('a'))}]".replace('"childObjects"', '"children"').encode()


def test_a_promoted_parent_keeps_its_children_and_loses_the_deleted_one() -> None:
    data = f"[{ours(1, human('a'), ours(2, human('b')))}]".encode()
    edited = apply_edits(data, Edits("", delete=frozenset({our_id(2)}), promote={our_id(1): ("Tumor", (1, 2, 3))}))
    found = read_geojson(edited).annotations
    assert [a.path_class for a in found] == ["Tumor", None, None]
    assert [a.parent_id for a in found] == [None, our_id(1), our_id(1)]
    assert in_order(edited, [human("a"), human("b")])


def test_children_of_children_are_reached_at_any_depth() -> None:
    text = ours(1)
    for level in range(300):
        text = human(str(level), text)
    edited = apply_edits(text.encode(), Edits("", delete=frozenset({our_id(1)})))
    assert len(read_geojson(edited)) == 300
    assert not any(a.is_ours for a in read_geojson(edited).annotations)


# --- forms


@pytest.mark.parametrize("form", ["{}", "[{}]", " [ {} ]\n", "\ufeff[{}]"])
def test_other_forms_become_a_collection_only_when_they_must(form: str) -> None:
    data = form.replace("{}", human("one")).encode()
    assert apply_edits(data, NOTHING) == data
    edited = apply_edits(data, Edits("w1", add=(machine(5),)))
    found = read_geojson(edited)
    assert (len(found), found.write_marker) == (2, "w1")
    assert human("one").encode() in edited
    back = apply_edits(edited, Edits("", delete=frozenset({our_id(5)})))
    assert read_geojson(back).annotations == read_geojson(data).annotations
    assert human("one").encode() in back


def test_an_array_stays_one_without_a_marker() -> None:
    data = f"[{human('a')} ]".encode()
    added = apply_edits(data, Edits("", add=(machine(5),)))
    assert added.startswith(b"[") and len(read_geojson(added)) == 2
    assert apply_edits(added, Edits("", delete=frozenset({our_id(5)}))) == data


def test_a_lone_object_can_be_deleted() -> None:
    edited = apply_edits(ours(1).encode(), Edits("", delete=frozenset({our_id(1)})))
    assert json.loads(edited) == {"type": "FeatureCollection", "features": []}


def test_a_bare_geometry_becomes_the_first_feature() -> None:
    data = b' {"type":"Polygon", "coordinates":[[[1.50,0],[9,0],[9,9],[1.50,0]]]}\n'
    edited = apply_edits(data, Edits("w1", add=(machine(5),)))
    assert read_geojson(edited).annotations[0] == read_geojson(data).annotations[0]
    assert data.strip() in edited
    assert json.loads(edited)["features"][0]["properties"] == {"objectType": "annotation"}


def test_gzip_comes_back_as_the_same_gzip() -> None:
    plain = f"[{human('a')}]".encode()
    edits = Edits("w1", add=(machine(5),))
    edited = apply_edits(gzip.compress(plain, mtime=12345), edits)
    assert gzip.decompress(edited) == apply_edits(plain, edits)
    assert edited == apply_edits(gzip.compress(plain, mtime=999), edits)


@pytest.mark.parametrize(
    "members",
    [
        ['"slidebridge":{"write":"w0"}', '"features":[]'],
        ['"features":[]', '"slidebridge":{"write":"w0"}'],
        ['"a":[1]', '"slidebridge" : {"write":"w0"}', '"features":[]'],
    ],
)
def test_the_marker_is_replaced_or_removed_wherever_it_stands(members: list[str]) -> None:
    data = f"{{ {' , '.join(members)} }}".encode()
    assert read_geojson(apply_edits(data, Edits("w1"))).write_marker == "w1"
    removed = json.loads(apply_edits(data, NOTHING))
    assert "slidebridge" not in removed
    assert removed.keys() == json.loads(data).keys() - {"slidebridge"}


# --- refusals


def test_objects_that_are_not_there_or_not_ours_are_not_touched() -> None:
    data = f"[{human('a')},{ours(1)}]".encode()
    theirs = read_geojson(data).annotations[0].object_id
    with pytest.raises(GeoJSONFormatError, match="holds no object"):
        apply_edits(data, Edits("w", delete=frozenset({our_id(77)})))
    with pytest.raises(GeoJSONFormatError, match="not ours"):
        apply_edits(data, Edits("w", delete=frozenset({theirs})))
    with pytest.raises(GeoJSONFormatError, match="not ours"):
        apply_edits(data, Edits("w", promote={theirs: ("Tumor", (1, 2, 3))}))


def test_a_new_object_without_area_is_refused() -> None:
    flat = MachineObject(
        our_id(1), MachineRole.PREDICTION, "T: Predicted", Polygon([(0, 0), (1, 1), (2, 2)]), (1, 2, 3)
    )
    with pytest.raises(InvalidGeometryError, match="no area"):
        apply_edits(b"[]", Edits("w", add=(flat,)))


def test_features_hidden_by_a_repeated_key_are_not_lost() -> None:
    data = ours(1, human("a")).replace('"childObjects":', '"childObjects":[{}, {}],"childObjects":').encode()
    edited = apply_edits(data, Edits("", promote={our_id(1): ("Tumor", (1, 2, 3))}))
    assert human("a").encode() in edited
    hidden = f'{{"features":[{human("a")}],"features":[{ours(1)}]}}'.encode()
    kept = apply_edits(hidden, Edits("w", delete=frozenset({our_id(1)})))
    assert human("a").encode() in kept


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_cut_file_is_refused(data: st.DataObject) -> None:
    text = f'{{"features":[{human("a")},{ours(1)}]}}'.encode()
    with pytest.raises(GeoJSONFormatError):
        apply_edits(text[: data.draw(st.integers(0, len(text) - 1))], NOTHING)


# --- real files


def real_exports(shared_data: Path) -> list[Path]:
    expected = sorted((shared_data / "qupath_projects" / "expected").glob("*.geojson"))
    others = sorted((shared_data / "qupath").glob("**/*.geojson"))
    return [*expected, *others, *sorted((shared_data / "qupath" / "wsidicom").glob("qupath*/*.json"))]


def test_real_exports_are_edited_and_restored(shared_data: Path) -> None:
    for path in real_exports(shared_data):
        data = path.read_bytes()
        before = read_geojson(data)
        added = apply_edits(data, Edits("w1", add=(machine(1), machine(2, role=MachineRole.PROPOSAL))))
        found = read_geojson(added)
        assert [a.object_id for a in found.annotations[:-2]] == [a.object_id for a in before.annotations], path.name
        assert [a.is_ours for a in found.annotations[-2:]] == [True, True]
        back = apply_edits(added, Edits("", delete=frozenset({our_id(1), our_id(2)})))
        if b'"FeatureCollection"' in data:
            assert back == data, path.name
        else:
            assert data.strip().strip(b"[]").strip() in back, path.name


def test_our_own_files_are_edited_too() -> None:
    written = write_geojson([], write_marker="w0")
    edited = apply_edits(written, Edits("w1", add=tuple(machine(n) for n in range(50))))
    half = frozenset(our_id(n) for n in range(0, 50, 2))
    assert [a.object_id for a in read_geojson(apply_edits(edited, Edits("w2", delete=half))).annotations] == [
        our_id(n) for n in range(1, 50, 2)
    ]
