"""What the script in QuPath leaves for us is checked value by value; what we leave for it is GeoJSON of QuPath's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from bridge.annotations import Annotation, Delivery, MachineObject, MachineRole, Promotion
from bridge.coords import Region
from bridge.errors import QuPathFormatError
from bridge.qupath import read_geojson
from bridge.qupath.viewer_files import (
    Heartbeat,
    OpenEntry,
    Receipt,
    delivery_bytes,
    is_name,
    read_heartbeat,
    read_receipt,
    read_request,
)

HEARTBEAT: dict[str, Any] = {
    "protocol": 1,
    "session": "s-1",
    "pid": 7,
    "host": "pathology",
    "count": 3,
    "open": [{"entry": "1", "changed": True, "on_screen": False, "marker": "w1"}],
}
RECEIPT: dict[str, Any] = {"protocol": 1, "session": "s-1", "left": ["a"], "trouble": None}
REQUEST: dict[str, Any] = {"protocol": 1, "session": "s-1", "ask": "predict", "entry": "1", "region": [-5, 0, 10, 20]}


def saved(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_heartbeat_is_read(tmp_path: Path) -> None:
    expected = Heartbeat("s-1", 7, "pathology", 3, (OpenEntry("1", True, False, "w1"),))
    assert read_heartbeat(saved(tmp_path / "f", HEARTBEAT)) == expected


def test_receipt_and_request_are_read(tmp_path: Path) -> None:
    assert read_receipt(saved(tmp_path / "f", RECEIPT)) == Receipt("s-1", frozenset({"a"}), None)
    request = read_request(saved(tmp_path / "f", REQUEST))
    assert (request.slide_key, request.region) == ("1", Region(-5, 0, 10, 20))


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (read_heartbeat, HEARTBEAT, {"protocol": 2}),
        (read_heartbeat, HEARTBEAT, {"session": "../../etc"}),
        (read_heartbeat, HEARTBEAT, {"pid": "7"}),
        (read_heartbeat, HEARTBEAT, {"pid": 10**30}),
        (read_heartbeat, HEARTBEAT, {"pid": -1}),
        (read_heartbeat, HEARTBEAT, {"count": True}),
        (read_heartbeat, HEARTBEAT, {"count": 1.5}),
        (read_heartbeat, HEARTBEAT, {"host": "h" * 1_000}),
        (read_heartbeat, HEARTBEAT, {"open": {"1": True}}),
        (read_heartbeat, HEARTBEAT, {"open": [{}] * 1_001}),
        (read_receipt, RECEIPT, {"left": "all"}),
        (read_receipt, RECEIPT, {"session": None}),
        (read_request, REQUEST, {"ask": "format c:"}),
        (read_request, REQUEST, {"entry": "a/b"}),
        (read_request, REQUEST, {"region": [0, 0, 0, 5]}),
        (read_request, REQUEST, {"region": [0, 0, 10**30, 5]}),
        (read_request, REQUEST, {"region": [0.5, 0, 5, 5]}),
        (read_request, REQUEST, {"region": "everywhere"}),
    ],
)
def test_wrong_value_is_refused(
    tmp_path: Path, read: Callable[[Path], object], right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    with pytest.raises(QuPathFormatError):
        read(saved(tmp_path / "f", right | wrong))


def test_image_whose_id_leads_elsewhere_is_passed_over(tmp_path: Path) -> None:
    rows = [{"entry": name} for name in ("../1", "..", ".hidden", "", "a\\b", "1.", 5, None, "ok")] + ["no row"]
    assert [e.entry for e in read_heartbeat(saved(tmp_path / "f", HEARTBEAT | {"open": rows})).entries] == ["ok"]


def test_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(QuPathFormatError, match="more than"):
        read_heartbeat(saved(tmp_path / "f", HEARTBEAT | {"more": "x" * 5_000_000}))


ANY_JSON = st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())


@given(data=st.binary(max_size=200) | ANY_JSON)
def test_whatever_is_in_a_file_is_answered_in_our_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    for read in (read_heartbeat, read_receipt, read_request):
        with pytest.raises(QuPathFormatError):
            read(path)


@given(text=st.text(max_size=80))
def test_name_stays_in_its_folder(text: str) -> None:
    if is_name(text):
        assert Path("inbox", text).parent == Path("inbox") and Path("inbox", text).name == text


def test_delivery_holds_what_the_script_needs() -> None:
    ours = Annotation("aaaaaaaa-0000-4000-8000-000000000001", box(0, 0, 9, 9), "Tumor: Predicted", is_ours=True)
    odd = Annotation("aaaaaaaa-0000-4000-8000-000000000002", box(0, 0, 9, 9), "Tumor", name="half \ud83d", is_ours=True)
    new = MachineObject(
        "aaaaaaaa-0000-4000-8000-000000000003", MachineRole.PROPOSAL, "Proposed", box(1, 1, 5, 5), (255, 200, 0), "#1"
    )
    delivery = Delivery("w1", (new,), (ours,), (Promotion(odd, "Tumor", (200, 0, 0)),))
    content = json.loads(delivery_bytes("1", delivery))
    assert (content["marker"], content["entry"], content["protocol"]) == ("w1", "1", 1)
    added = read_geojson(json.dumps(content["add"]).encode()).annotations[0]
    assert (added.path_class, added.is_locked, added.metadata["slidebridge"]) == ("Proposed", True, "w1")
    removed = read_geojson(json.dumps(content["remove"]).encode()).annotations[0]
    assert (removed.object_id, removed.path_class) == (ours.object_id, "Tumor: Predicted")
    assert removed.geometry.equals(ours.geometry)
    promoted = content["promote"][0]
    assert promoted["object"]["id"] == odd.object_id
    assert promoted["classification"] == {"name": "Tumor", "color": [200, 0, 0]}
