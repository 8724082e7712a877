"""What a pass asks of the store: as much as changed, not as much as exists; with the answers of plain asking."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import event

from bridge.annotations import SlideEntry
from bridge.ingest import revision_of
from bridge.store import Backups, Store
from bridge.watch import SettledFile, observe, scan
from scripts.bench.many_slides import ManySlides, make_many
from scripts.daemon.slides_now import SlidesNow
from scripts.loop.knowing import known_before, known_of_writes
from scripts.loop.passes import STEPS, Request, run
from scripts.loop.planning import make_plans
from scripts.loop.pull import Pulled, pull, reading_of
from scripts.loop.push import Wanted, is_stale
from scripts.loop.status_slides import slides_read_before
from scripts.naming.project_names import project_names
from scripts.options import SourceKind
from scripts.project import open_store

NOW = datetime(2031, 1, 1, tzinfo=UTC)
FEW, MANY = 2, 9


@dataclass
class Desk:
    made: ManySlides
    store: Store

    def pull(self, *, is_dry_run: bool = False, now: datetime = NOW) -> Pulled:
        backups = Backups(self.made.project.data_folder / "backups")
        return pull(self.made.project, self.store, backups, now, is_dry_run=is_dry_run)

    def statements(self, work: Callable[[], object]) -> int:
        """Count what is asked of the database."""
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(statement)

        event.listen(self.store._engine, "before_cursor_execute", note)
        try:
            work()
        finally:
            event.remove(self.store._engine, "before_cursor_execute", note)
        return len(asked)


@contextmanager
def desk_of(folder: Path, slides: int) -> Iterator[Desk]:
    made = make_many(folder, SourceKind.IMAGESCOPE, slides=slides, objects=4)
    with open_store(made.project, is_dry_run=False) as store:
        yield Desk(made, store)


def both(tmp_path: Path, count: Callable[[Desk], int]) -> tuple[int, int]:
    counts = []
    for slides in (FEW, MANY):
        with desk_of(tmp_path / str(slides), slides) as desk:
            desk.pull()
            counts.append(count(desk))
    return counts[0], counts[1]


def test_a_pass_where_nothing_changed_asks_no_more_of_many_slides_than_of_few(tmp_path: Path) -> None:
    few, many = both(tmp_path, lambda desk: desk.statements(desk.pull))
    assert few == many


def test_a_pass_after_one_save_asks_no_more_of_many_slides_than_of_few(tmp_path: Path) -> None:
    def after_a_save(desk: Desk) -> int:
        desk.made.save_one_more(desk.made.project.source.slides()[0])
        return desk.statements(desk.pull)

    few, many = both(tmp_path, after_a_save)
    assert few == many


def test_deciding_after_a_save_asks_no_more_of_many_slides_than_of_few(tmp_path: Path) -> None:
    def decide(desk: Desk) -> int:
        project, pulled = desk.made.project, desk.pull()
        slides = SlidesNow(project, desk.store)
        slides.list_entries()
        for state in pulled.slides:
            slides.put(state.reading, is_suspicious=False)
        slides.pulled(NOW)

        def again() -> None:
            slides.put(pulled.slides[0].reading, is_suspicious=False)
            states = slides.pulled(NOW).slides
            facts = known_of_writes(desk.store, (state.reading for state in states))
            assert all(is_stale(state, facts, project.scheme, "champion", Wanted(), 3) for state in states)

        return desk.statements(again)

    few, many = both(tmp_path, decide)
    assert few == many


def test_status_of_slides_read_before_asks_no_more_of_many_than_of_few(tmp_path: Path) -> None:
    def look(desk: Desk) -> int:
        entries = desk.made.project.source.slides()
        names = project_names(desk.made.project, entries)
        return desk.statements(lambda: slides_read_before(entries, desk.store, names))

    few, many = both(tmp_path, look)
    assert few == many


def test_a_plan_that_did_not_change_stays_the_same_object_and_is_hashed_once(tmp_path: Path) -> None:
    with desk_of(tmp_path / "lab", 3) as desk:
        slides = SlidesNow(desk.made.project, desk.store)
        slides.list_entries()
        readings = [state.reading for state in desk.pull().slides]
        for reading in readings:
            slides.put(reading, is_suspicious=False)
        before = slides.pulled(NOW).plans
        slides.put(readings[0], is_suspicious=False)
        after = slides.pulled(NOW).plans
        assert [new is old for new, old in zip(after, before, strict=True)] == [False, True, True]
        assert [plan.content_hash() for plan in after] == [plan.content_hash() for plan in before]


def without_a_box(data: bytes) -> bytes:
    """Return the file after a person deleted one of our boxes and renamed another to ROI."""
    root = etree.fromstring(data)
    first, second, *_ = [r for a in root if a.get("Name") == "Proposed" for r in a.iter("Region")]
    first.getparent().remove(first)
    second.set("Text", "ROI")
    return etree.tostring(root)


@pytest.mark.parametrize("times", [0, 1, 2], ids=["before", "once", "twice"])
def test_what_is_read_together_is_what_is_read_slide_by_slide(tmp_path: Path, times: int) -> None:
    with desk_of(tmp_path / "lab", 3) as desk:
        project = desk.made.project
        settings = project.root / "slidebridge.toml"
        settings.write_text(settings.read_text("utf-8") + "\n[propose]\nk = 3\nregion_um = 8\n", "utf-8")
        run(project.root, Request(STEPS["propose"]))
        first = project.source.slides()[0]
        assert desk.store.live_objects(first.key), "boxes were written"
        first.annotation_path.write_bytes(without_a_box(first.annotation_path.read_bytes()))
        for number in range(times):
            desk.pull(now=NOW + timedelta(hours=number))
        together = desk.pull(is_dry_run=True)
        files = {e.key: SettledFile(e.annotation_path.read_bytes()) for e in project.source.slides()}
        plain = [reading_of(project, desk.store, e, files[e.key]) for e in project.source.slides()]
        assert [s.reading.reconciled for s in together.slides] == [r.reconciled for r in plain]
        plans = make_plans(project, desk.store, plain, NOW, is_dry_run=True)
        assert {s.key: s.plan for s in together.slides} == dict(plans)
        states = together.slides
        facts = known_of_writes(desk.store, (state.reading for state in states))
        for wanted in (Wanted(), Wanted(asks_again=True), Wanted(predictions=False)):
            asked = [is_stale(s, desk.store, project.scheme, None, wanted, 3) for s in states]
            assert [is_stale(s, facts, project.scheme, None, wanted, 3) for s in states] == asked


def test_looking_again_moves_the_last_look_on_and_takes_a_doubt_back(tmp_path: Path) -> None:
    with desk_of(tmp_path / "lab", 2) as desk:
        keys = [entry.key for entry in desk.made.project.source.slides()]
        desk.pull()
        desk.store.record_suspicious(keys[0], "another")
        later = NOW + timedelta(hours=1)
        desk.pull(now=later)
        assert [desk.store.last_read(key).read_at for key in keys] == [later, later]
        assert [len(desk.store.reads(key)) for key in keys] == [1, 1]
        assert desk.store.suspicious_revision(keys[0]) is None


def test_a_pass_finds_a_change_of_equal_size_and_time_that_no_rescan_can_see(tmp_path: Path) -> None:
    with desk_of(tmp_path / "lab", 1) as desk:
        (entry,) = desk.made.project.source.slides()
        root, path = desk.made.project.source.root, entry.annotation_path
        desk.pull()
        known, before = dict(scan([entry], {}, root=root).states), path.stat()
        path.write_bytes(path.read_bytes().replace(b'Name="Blob"', b'Name="Blub"'))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert observe(path) == known[entry.key], "the same to whoever looks at size and time"
        assert scan([entry], known, root=root).changed == ()
        (state,) = desk.pull().slides
        assert state.reading.reconciled.unknown == {"Blub": 4}
        assert len(desk.store.reads(entry.key)) == 2


def test_what_we_wrote_is_known_until_something_else_is_read(tmp_path: Path) -> None:
    with desk_of(tmp_path / "lab", 2) as desk:
        project = desk.made.project
        settings = project.root / "slidebridge.toml"
        settings.write_text(settings.read_text("utf-8") + "\n[propose]\nk = 2\nregion_um = 8\n", "utf-8")
        run(project.root, Request(STEPS["propose"]))
        entries = project.source.slides()
        assert known_before(desk.store, entries).revisions == revisions_of(entries)
        desk.made.save_one_more(entries[0])
        assert known_before(desk.store, entries).revisions[entries[0].key] != revisions_of(entries)[entries[0].key]
        desk.pull()
        assert known_before(desk.store, entries).revisions == revisions_of(entries)


def revisions_of(entries: Sequence[SlideEntry]) -> dict[str, str]:
    return {entry.key: revision_of(entry.annotation_path.read_bytes()) for entry in entries}
