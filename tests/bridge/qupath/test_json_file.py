from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import QuPathFormatError, WriteFailedError
from bridge.qupath import json_file
from bridge.qupath.json_file import parse_json, read_json, to_json, write_by_rename


def test_byte_order_mark_and_special_numbers() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [1, null]}') == {"a": [1, None]}
    assert repr(parse_json(b"[NaN, Infinity]")) == "[nan, inf]", "QuPath writes them"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b"1" * 5000, b'{"a": \n x}'])
def test_other_bytes_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(QuPathFormatError, match="no JSON") as caught:
        parse_json(data)
    assert "\n" not in str(caught.value)


def test_a_missing_or_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QuPathFormatError, match=r"there is no such file.*backup") as caught:
        read_json(tmp_path / "project.qpproj")
    assert caught.value.path == tmp_path / "project.qpproj"
    with pytest.raises(QuPathFormatError, match="can't be read"):
        read_json(tmp_path)
    monkeypatch.setattr(json_file, "MAX_BYTES", 3)
    (tmp_path / "large.json").write_bytes(b"[1, 2]")
    with pytest.raises(QuPathFormatError, match="more than 3 bytes"):
        read_json(tmp_path / "large.json")


def test_lone_surrogates_become_escapes() -> None:
    data = to_json({"name": "µ \ud83d"})
    assert "µ".encode() in data and json.loads(data) == {"name": "µ \ud83d"}
    assert to_json({"a": 1, "b": [2]}, indent=None) == b'{"a":1,"b":[2]}'


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_by_rename(path, b"one")
    write_by_rename(path, b"two")
    assert path.read_bytes() == b"two" and list(path.parent.iterdir()) == [path]


def test_a_place_that_takes_no_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailedError, match="nothing was changed"):
        write_by_rename(tmp_path / "file" / "a.json", b"")
    (tmp_path / "taken").mkdir()
    with pytest.raises(WriteFailedError, match="nothing was changed"):
        write_by_rename(tmp_path / "taken", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"], "no part of it stays"
