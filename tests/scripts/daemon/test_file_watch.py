"""The watched files of an H-AI-L project, where a file's place says whose it is: events told, clock by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely.geometry import box

from bridge.imagescope import HailFolder, LayerClass
from bridge.watch import WatchOptions
from daemon_lab import Clock, ToldObservers
from hail_lab import hail_xml
from scripts.daemon.file_watch import FileWatch

OPTIONS = WatchOptions(settle_seconds=2.0)
DRAWN = hail_xml({1: [box(0, 0, 9, 9)]})


class Watched:
    """A project with one labelled slide and one that was predicted; and the daemon's way with its files."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock, self.observers = root, Clock(), ToldObservers()
        for place in ("TRAINING_data/0/old.svs", "TRAINING_data/0/old.xml", "TRAINING_data/1/new.svs"):
            self.put(place)
        self.put("Predicted_XMLs/new.xml")
        source = HailFolder(root, (LayerClass(1, "Blob", (255, 0, 0)),))
        self.files = FileWatch(source, OPTIONS, self.observers, lambda: self.clock.monotonic)
        self.relist()
        self.settled()

    def put(self, place: str) -> None:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DRAWN if path.suffix == ".xml" else b"pixels")

    def relist(self) -> None:
        self.files.is_list_old = False
        self.files.watch(self.files.source.slides())

    def settled(self) -> list[str]:
        """Let time pass as the daemon does, listing the slides anew when it would; return what came to rest."""
        found: list[str] = []
        for _ in range(8):
            found += [rest.key for rest in self.files.at_rest()]
            if self.files.is_list_old:
                self.relist()
            self.clock.pass_by(1.0)
        return sorted(found)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_file_moved_to_where_it_counts_is_read_there(watched: Watched) -> None:
    before, after = watched.root / "Predicted_XMLs" / "new.xml", watched.root / "TRAINING_data" / "1" / "new.xml"
    before.rename(after)
    watched.observers.tell(before)
    watched.observers.tell(after)

    assert "new.svs" in watched.settled()
    assert {entry.annotation_path for entry in watched.files.source.slides()} >= {after}
    assert watched.settled() == []


def test_file_copied_into_an_iteration_is_read_there_though_the_other_stays(watched: Watched) -> None:
    watched.put("TRAINING_data/1/new.xml")
    watched.observers.tell(watched.root / "TRAINING_data" / "1" / "new.xml")

    assert watched.settled() == ["new.svs"]


def test_new_iteration_folder_is_noticed(watched: Watched) -> None:
    watched.put("TRAINING_data/2/newer.svs")
    watched.observers.tell(watched.root / "TRAINING_data" / "2")

    assert watched.settled() == ["newer.svs"]


def test_slide_put_beside_others_without_drawings_is_noticed(watched: Watched) -> None:
    watched.put("TRAINING_data/1/another.svs")
    watched.observers.tell(watched.root / "TRAINING_data" / "1" / "another.svs")

    assert watched.settled() == ["another.svs"]


def test_hold_out_that_comes_later_is_noticed(watched: Watched) -> None:
    watched.put("HOLDOUT_data/judge.svs")
    watched.observers.tell(watched.root / "HOLDOUT_data")

    assert watched.settled() == ["judge.svs"]


def test_correction_of_what_was_offered_is_read(watched: Watched) -> None:
    offered = watched.root / "Predicted_XMLs" / "new.xml"
    offered.write_bytes(hail_xml({1: [box(0, 0, 9, 9), box(20, 20, 40, 40)]}))
    watched.observers.tell(offered)

    assert watched.settled() == ["new.svs"]
