"""What must hold for every input, however broken.

1. Reading gives annotations or raises a ``BridgeError`` of one line; nothing else.
2. What is read and written to reads back with everything that was there, and with what was added.
3. A file that can't be read is not written; a write that is refused leaves the file as it was, and nothing beside it
   (tried with the product's whole write path, for some of the inputs: it goes through to the disk).
4. No entry of a project leads out of the project's folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from bridge.annotations import Annotation, SlideEntry, Source
from bridge.errors import BridgeError
from bridge.export import finish_displaced, write_edits
from bridge.imagescope import ImageScopeFolder
from bridge.qupath import GeoJSONFolder, QuPathProject, read_qpdata
from bridge.store import Backups, Store
from scripts.bench.fuzz.seeds import make_edits

TO_DISK_EVERY = 20
_EDITS = make_edits(1)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Verdict(Enum):
    """What became of an input that broke no law."""

    REFUSED = "refused"  # by the reader
    READ = "read only"  # the writer refused
    WRITTEN = "read and written"


class BrokenLawError(Exception):
    """An input on which the product does what it must not."""


Check = Callable[[bytes, int], Verdict]


@dataclass(frozen=True, slots=True)
class FileLaws:
    """The laws of an annotation file's codec.

    Parameters
    ----------
    source, entry
        Where the file is put when it goes to disk.
    store, backups
        Of the scratch project.
    """

    source: Source
    entry: SlideEntry
    store: Store
    backups: Backups

    def check(self, data: bytes, number: int) -> Verdict:
        """Try an input.

        Raises
        ------
        BrokenLawError
            A law is broken; any error that is no ``BridgeError`` comes through as it is.
        """
        verdict = self._in_memory(data)
        if number % TO_DISK_EVERY == 0:
            self._on_disk(data, number, verdict)
        return verdict

    def _in_memory(self, data: bytes) -> Verdict:
        try:
            before = self.source.parse(data, self.entry)
        except BridgeError as error:
            _check_message(error)
            return Verdict.REFUSED
        try:
            after = self.source.apply(data, _EDITS, self.entry)
        except BridgeError as error:
            _check_message(error)
            return Verdict.READ
        _check_kept(before.annotations, self.source.parse(after, self.entry).annotations)
        return Verdict.WRITTEN

    def _on_disk(self, data: bytes, number: int, expected: Verdict) -> None:
        path = self.entry.annotation_path
        path.write_bytes(data)
        edits = make_edits(number + 1)
        try:
            write_edits(self.source, self.entry, data, edits, self.store, self.backups, iteration=1, now=_NOW)
        except BridgeError as error:
            _check_message(error)
            if expected is Verdict.WRITTEN and self.source.blocker(self.entry) is None:
                raise BrokenLawError(f"the write path refuses what the codec writes: {error}") from error
            if path.read_bytes() != data or len(list(path.parent.iterdir())) != 1:
                raise BrokenLawError("a refused write has changed the folder") from error
            return
        if expected is not Verdict.WRITTEN:
            raise BrokenLawError(f"was written to, though {expected.value}")
        finish_displaced(edits.write_marker, self.store, self.backups, _NOW, settle_seconds=0)
        for beside in path.parent.iterdir():
            beside.unlink()


def _check_message(error: BridgeError) -> None:
    text = str(error)
    if not text.strip() or "\n" in text or len(text) > 1000:
        raise BrokenLawError(f"an error that is not one clear line: {text[:200]!r}")


def _check_kept(before: Sequence[Annotation], after: Sequence[Annotation]) -> None:
    lost = Counter(map(_print_of, before)) - Counter(map(_print_of, after))
    if lost:
        raise BrokenLawError(f"a write lost or changed {lost.total()} objects, the first being {next(iter(lost))}")
    if len(after) < len(before) + len(_EDITS.add):
        raise BrokenLawError(f"a write of {len(_EDITS.add)} made {len(before)} objects {len(after)}")


def _print_of(annotation: Annotation) -> tuple[object, ...]:
    shape = annotation.geometry.wkb_hex
    return annotation.kind, annotation.path_class, annotation.name, annotation.shape, annotation.is_locked, shape


@dataclass(frozen=True, slots=True)
class ProjectLaws:
    """The laws of a project file; ``folder`` is a scratch folder that it is put into."""

    folder: Path

    def check(self, data: bytes, number: int) -> Verdict:
        """Try an input.

        Raises
        ------
        BrokenLawError
            A law is broken; any error that is no ``BridgeError`` comes through as it is.
        """
        path = self.folder / "project.qpproj"
        path.write_bytes(data)
        project = QuPathProject(path)
        try:
            entries = project.slides()
        except BridgeError as error:
            _check_message(error)
            return Verdict.REFUSED
        inside = self.folder / "data"
        for entry in entries:
            if entry.annotation_path.resolve().parent.parent != inside.resolve():
                raise BrokenLawError(f"an entry leads to {entry.annotation_path}")
        try:
            for entry in entries[:2]:
                read_qpdata(project.create(entry))
        except BridgeError as error:
            _check_message(error)
            return Verdict.READ
        return Verdict.WRITTEN


@contextmanager
def laws_of(codec: str, scratch: Path) -> Iterator[Check]:
    """Give the check of a codec; ``scratch`` is an empty folder."""
    if codec == "qpproj":
        yield ProjectLaws(scratch).check
        return
    with Store.open(scratch / ".slidebridge") as store:
        source, entry = _site(codec, scratch)
        entry.annotation_path.parent.mkdir(parents=True)
        yield FileLaws(source, entry, store, Backups(scratch / ".slidebridge" / "backups")).check


def _site(codec: str, scratch: Path) -> tuple[Source, SlideEntry]:
    folder = scratch / "slides"
    sources: Mapping[str, tuple[Source, Path]] = {
        "xml": (ImageScopeFolder(folder), folder / "a.xml"),
        "geojson": (GeoJSONFolder(folder), folder / "a.geojson"),
        "qpdata": (_NoSummary(folder / "project.qpproj"), folder / "data" / "1" / "data.qpdata"),
    }
    source, path = sources[codec]
    return source, SlideEntry("1", "a", folder / "a.svs", path)


class _NoSummary(QuPathProject):
    """A project without ``summary.json``, whose timestamp is of no interest here."""

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return nothing."""
        return {}
