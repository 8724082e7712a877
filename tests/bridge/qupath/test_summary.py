from __future__ import annotations

import json
from pathlib import Path

from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.summary import summarize


def _summarize(data: bytes, **options) -> dict:
    given = {"timestamp_ms": 7, "earlier": {}, "server": None, **options}
    return json.loads(summarize(open_qpdata(data), len(data), **given))


def test_counts_are_qupaths_own(shared_data: Path) -> None:
    compared = 0
    for path in sorted((shared_data / "qupath_projects").glob("*/data/*/summary.json")):
        earlier, file = json.loads(path.read_bytes()), path.with_name("data.qpdata")
        if not file.with_name("data.qpdata.bkp").exists() and file.read_bytes().endswith(b"EOF"):
            summary = _summarize(file.read_bytes(), timestamp_ms=earlier["timestamp"], earlier=earlier)
            assert summary == earlier and list(summary) == list(earlier), path
            assert _summarize(file.read_bytes(), timestamp_ms=earlier["timestamp"])["hierarchy"] == earlier["hierarchy"]
            compared += 1
    assert compared > 15


def test_every_kind_is_counted(every_kind: bytes) -> None:
    summary = _summarize(every_kind)
    assert (summary["timestamp"], summary["imageType"]) == (7, "BRIGHTFIELD_H_E")
    assert summary["hierarchy"] == {
        "nObjects": 11,
        "objectTypeCounts": {
            "Root objects": 1, "Annotations": 6, "Cells": 1, "TMA cores": 1, "Detections": 1, "Tiles": 1
        },
        "annotationClassificationCounts": {"Tumor": 3, "Unclassified": 3},
        "detectionClassificationCounts": {"Tumor: Positive": 1, "Unclassified": 2},
    }  # fmt: skip


def test_what_we_do_not_count_is_kept(every_kind: bytes) -> None:
    summary = _summarize(every_kind, earlier={"future": 1, "server": {"width": 5}, "timestamp": 1}, server={"width": 6})
    assert (summary["future"], summary["server"], summary["timestamp"]) == (1, {"width": 5}, 7)


def test_the_size_comes_from_the_project_where_there_was_no_summary(every_kind: bytes) -> None:
    server = {"width": 20, "height": 10, "channels": [{}] * 4, "sizeZ": 2, "sizeT": 3}
    found = _summarize(every_kind, server=server)["server"]
    assert found == {"width": 20, "height": 10, "sizeC": 4, "sizeZ": 2, "sizeT": 3}
    assert "server" not in _summarize(every_kind)
