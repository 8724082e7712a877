"""The safe write: what it puts into a file, and what it may not lose."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from shapely import MultiPolygon, box

from bridge import files
from bridge.annotations import AnnotationSet, Edits, SlideEntry
from bridge.errors import AnnotationFileError, WriteFailedError
from bridge.export import restore_version, write_edits
from write_bench import BASE, EDITS, NOW, Bench, LineSource, prediction


def test_write_adds_ours_and_keeps_what_a_person_drew(
    disk_bench: Bench, exchange: Callable[[Path, Path], None]
) -> None:
    bench = disk_bench
    result = bench.write(BASE, exchange=exchange)
    after = bench.source.parse(bench.target.read_bytes(), bench.entry)
    assert [a.object_id for a in after.annotations] == ["h1", "p1", "p2"]
    assert after.write_marker == "w1"
    assert files.sha256_of(bench.target) == result.revision
    assert bench.live() == {"p1", "p2"}
    assert [w.iteration for w in result.written] == [3, 3]
    with bench.open() as store:
        assert store.newest_marker("s1") == "w1"
        assert store.is_own_revision("s1", result.revision)
    assert (bench.root / "summary").read_bytes() == b"%d" % bench.target.read_bytes().count(b"\n")
    assert bench.finish("w1")
    assert bench.names() == ["s1.lines", "summary"]


def test_base_is_backed_up(bench: Bench) -> None:
    bench.write(BASE)
    assert bench.backups.load(hashlib.sha256(BASE).hexdigest()) == BASE


def test_next_write_takes_out_and_promotes(bench: Bench) -> None:
    bench.write(BASE)
    bench.finish("w1")
    edits = Edits("w2", frozenset({"p1"}), {"p2": ("Tumor", (1, 2, 3))}, (prediction("p3"),))
    result = bench.write(bench.target.read_bytes(), edits)
    assert result.closed == {"p1", "p2"}
    assert bench.live() == bench.ours() == {"p3"}


def test_objects_are_written_in_the_frame_of_the_tool(bench: Bench) -> None:
    entry = replace(bench.entry, origin=(1000, 50))
    asked = prediction("p1", 1100)
    asked = replace(asked, geometry=box(1100, 60, 1120, 80))
    with bench.open() as store:
        first = write_edits(
            bench.source, entry, BASE, Edits("w1", add=(asked,)), store, bench.backups, iteration=0, now=NOW
        )
        assert store.live_objects("s1")[0].geometry.equals(asked.geometry)
        assert first.written[0].geometry.equals(asked.geometry)
        held = bench.source.parse(bench.target.read_bytes(), entry).annotations[-1]
        assert held.geometry.bounds == (100, 10, 120, 30)
        second = Edits("w2", delete=frozenset({"p1"}))
        data = bench.target.read_bytes()
        assert write_edits(bench.source, entry, data, second, store, bench.backups, iteration=0, now=NOW).closed


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in ReplaceFileW")
def test_permissions_stay(bench: Bench) -> None:
    bench.target.chmod(0o640)
    bench.write(BASE)
    assert bench.target.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_stays_a_link(bench: Bench) -> None:
    real = bench.root / "elsewhere" / "real.lines"
    real.parent.mkdir()
    bench.target.rename(real)
    bench.target.symlink_to(real)
    bench.write(BASE)
    assert bench.target.is_symlink()
    assert bench.ours(real.read_bytes()) == {"p1", "p2"}


def test_version_of_a_write_that_was_forgotten_is_restored_as_a_strangers(bench: Bench) -> None:
    """Its objects are unknown by now: were its marker the newest one, they would pass for a person's."""
    bench.write(BASE, Edits("w0", add=(prediction("p0"),)))
    version = bench.target.read_bytes()
    for number in range(1, 20):
        bench.finish(f"w{number - 1}")
        edits = Edits(f"w{number}", frozenset({f"p{number - 1}"}), add=(prediction(f"p{number}"),))
        bench.write(bench.target.read_bytes(), edits)
    with bench.open() as store:
        base = bench.target.read_bytes()
        restore_version(bench.source, bench.entry, base, version, store, bench.backups, marker="r", now=NOW)
        assert bench.target.read_bytes() == version
        assert store.newest_marker("s1") == "r"


def test_nothing_is_written_to_a_guessed_place(bench: Bench) -> None:
    cropped = replace(bench.entry, crops_to_bounds=True)
    with bench.open() as store:
        with pytest.raises(WriteFailedError, match="isn't known"):
            write_edits(bench.source, cropped, BASE, EDITS, store, bench.backups, iteration=0, now=NOW)
        assert bench.target.read_bytes() == BASE and bench.names() == ["s1.lines"]
        placed = replace(cropped, origin=(10, 20), is_placed=True)
        write_edits(bench.source, placed, BASE, EDITS, store, bench.backups, iteration=0, now=NOW)
        assert bench.ours() == {"p1", "p2"}


@pytest.mark.parametrize("marker", ["", "../w", "a/b", ".hidden", "x" * 65])
def test_marker_that_is_no_name_is_refused(bench: Bench, marker: str) -> None:
    with pytest.raises(ValueError, match="can't name a write"):
        bench.write(BASE, replace(EDITS, write_marker=marker))


def test_companion_that_cannot_be_written_is_told(bench: Bench) -> None:
    (bench.root / "summary").mkdir()
    (bench.root / "summary" / "full").touch()
    result = bench.write(BASE)
    assert "summary" in result.warnings[0]
    assert bench.live() == bench.ours() == {"p1", "p2"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [line for line in lines if "h1" not in line], "lose"),
        (lambda lines: [line.replace("100", "103") for line in lines], "lose"),
        (lambda lines: [line.replace('"Tumor"', '"Stroma"') for line in lines], "lose"),
        (lambda lines: [line.replace('"name": null', '"name": "x"') for line in lines], "lose"),
        (lambda lines: [line for line in lines if "p2" not in line], "lack our object p2"),
        (lambda lines: [line.replace("[20", "[10") for line in lines], "elsewhere"),
        (lambda lines: [*lines[:-1], lines[1].replace("h1", "h9"), lines[-1]], "nobody asked for"),
    ],
)
def test_new_file_that_is_not_what_was_meant_is_not_written(
    bench: Bench, spoil: Callable[[list[str]], list[str]], said: str
) -> None:
    class Spoiled(LineSource):
        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            return "\n".join(spoil(super().apply(data, edits, entry).decode().split("\n"))).encode()

    with bench.open() as store, pytest.raises(WriteFailedError, match=said):
        write_edits(Spoiled(bench.root), bench.entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]


def test_numbers_that_a_format_rounds_are_no_loss(bench: Bench) -> None:
    class Rounding(LineSource):
        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            return super().apply(data, edits, entry).replace(b"100.0", b"100.4")

    with bench.open() as store:
        write_edits(Rounding(bench.root), bench.entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW)
    assert bench.ours() == {"p1", "p2"}


class Forgetful(LineSource):
    """Loses what it should make plain."""

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        return super().apply(data, replace(edits, promote={}, delete=edits.delete | set(edits.promote)), entry)


class Refusing(LineSource):
    """Has no way to make anything plain."""

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        if edits.promote:
            raise AnnotationFileError("names no such object")
        return super().apply(data, edits, entry)


@pytest.mark.parametrize("source", [Forgetful, Refusing])
def test_promotion_that_fails_is_left_out_and_the_rest_is_written(bench: Bench, source: type[LineSource]) -> None:
    bench.write(BASE)
    edits = Edits("w2", frozenset({"p2"}), {"p1": ("Tumor", (1, 2, 3))}, (prediction("p3", 40),))
    data = bench.target.read_bytes()
    with bench.open() as store:
        result = write_edits(source(bench.root), bench.entry, data, edits, store, bench.backups, iteration=0, now=NOW)
    assert result.is_promoting_left_out
    assert "1 accepted or corrected predictions keep their class for now" in result.warnings[0]
    assert "nothing was written" not in result.warnings[0]
    assert bench.ours() == bench.live() == {"p1", "p3"}


def test_new_file_that_would_lose_something_else_than_promotions_is_refused_all_the_same(bench: Bench) -> None:
    class Losing(LineSource):
        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            return super().apply(data, replace(edits, delete=edits.delete | {"h1"}), entry)

    bench.write(BASE)
    data = bench.target.read_bytes()
    edits = Edits("w2", promote={"p1": ("Tumor", (1, 2, 3))})
    with bench.open() as store, pytest.raises(WriteFailedError, match="would lose or change 1 objects"):
        write_edits(Losing(bench.root), bench.entry, data, edits, store, bench.backups, iteration=0, now=NOW)
    assert bench.target.read_bytes() == data


@pytest.mark.parametrize("name", ["h1", "p1"])
def test_only_what_is_as_we_wrote_it_is_deleted(bench: Bench, name: str) -> None:
    bench.write(BASE)
    data = bench.target.read_bytes().replace(b"[0.0, 0.0, 9.0, 9.0]", b"[0.0, 0.0, 19.0, 9.0]")
    bench.target.write_bytes(data)
    with pytest.raises(WriteFailedError, match="not as we wrote it"):
        bench.write(data, Edits("w2", delete=frozenset({name})))
    assert bench.target.read_bytes() == data


def test_object_that_a_format_splits_becomes_several(bench: Bench) -> None:
    class Splitting(LineSource):
        """As ImageScope: a region a part, named by place, our id in its attributes."""

        def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
            found = super().parse(data, entry)
            named = [
                replace(a, object_id=str(i), metadata={"hint": a.object_id.split("/")[0]})
                for i, a in enumerate(found.annotations)
            ]
            return replace(found, annotations=tuple(named))

        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            parts = [
                replace(o, object_id=f"{o.object_id}/{i}", geometry=part)
                for o in edits.add
                for i, part in enumerate(o.geometry.geoms)
            ]
            return super().apply(data, replace(edits, add=tuple(parts)), entry)

    two = replace(prediction("p1"), geometry=MultiPolygon([box(0, 0, 9, 9), box(20, 0, 29, 9)]))
    with bench.open() as store:
        result = write_edits(
            Splitting(bench.root),
            bench.entry,
            BASE,
            Edits("w1", add=(two,)),
            store,
            bench.backups,
            iteration=0,
            now=NOW,
        )
    assert len({w.object_id for w in result.written}) == 2
    assert [w.geometry.bounds[0] for w in result.written] == [0, 20]


def test_importing_the_workflow_brings_no_database() -> None:
    code = "import sys, bridge.export; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
