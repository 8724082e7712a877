"""Every file of a folder into every format: one table of what came through, what was lost, what was refused and why.

``python -m scripts.bench.conversions [DIR]`` reads DIR (``../shared/data`` unless given), writes into a temporary
folder and leaves nothing. The exit status is 1 if anything but a refusal in words happened, or if a file that reads
doesn't convert.

A mask needs the size of the slide. Where no slide lies beside a file, an empty one that is as large as what was drawn
is made; masks are at most some 2,000 pixels wide, so that the table takes minutes.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress, repeat
from pathlib import Path

import numpy as np
import shapely
import tifffile

from bridge.errors import AnnotationFileError, BridgeError
from bridge.qupath import NewImage, QuPathProject, create_project
from scripts.conversion import (
    ConversionOptions,
    ConversionReport,
    ConversionRequest,
    Endpoint,
    EndpointKind,
    convert,
    parse_endpoint,
    parse_source,
)
from scripts.conversion.mask_reading import read_mask
from scripts.conversion.reading import Material, read_annotations

DEFAULT = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
TARGETS = ("xml", "geojson", "geojson.gz", "qpproj", "png", "tif")
_MASKS = ("png", "tif")
_MASK_PX = 2000
_LEAST_SIDE, _LARGEST_SIDE = 64, 400_000
_MOST_ALIKE = 7  # files refused in the same words get a row each; beyond, one for all
_CELL = 16
_TILE = 2048


@dataclass(frozen=True, slots=True)
class Cell:
    """One conversion.

    Parameters
    ----------
    report
        What it did; None where it was refused or broke.
    reason
        Why it was refused.
    is_bug
        It broke, or was refused although the file reads.
    """

    report: ConversionReport | None = None
    reason: str = ""
    is_bug: bool = False

    def text(self) -> str:
        """Return what the table says: written, then −left out and ~lost."""
        if self.report is None:
            return "BROKEN" if self.is_bug else "refused"
        left, lost = (sum(counts.values()) for counts in (self.report.left_out, self.report.lost))
        return " ".join([str(self.report.written), *([f"−{left}"] if left else []), *([f"~{lost}"] if lost else [])])


@dataclass(frozen=True, slots=True)
class Row:
    """One file or image with all its conversions; ``refusal`` where it can't be read."""

    name: str
    objects: int = 0
    cells: dict[str, Cell] = field(default_factory=dict)
    refusal: str = ""
    is_bug: bool = False

    def lines(self) -> Iterator[str]:
        """Yield the row of the table, then what was lost, left out or refused."""
        if not self.cells:
            yield f"{self.name}\n    {'BROKEN' if self.is_bug else 'refused'}: {self.refusal}"
            return
        yield "".join(self.cells[target].text().ljust(_CELL) for target in TARGETS) + f"{self.objects:>6}  {self.name}"
        told: dict[str, list[str]] = {}
        for target, cell in self.cells.items():
            for said in _said(cell):
                told.setdefault(said, []).append(target)
        yield from (f"    {', '.join(targets)}: {said}" for said, targets in told.items())


def _said(cell: Cell) -> Iterator[str]:
    if cell.reason:
        yield f"{'BROKEN' if cell.is_bug else 'refused'}: {cell.reason}"
    if cell.report is not None:
        yield from (f"left out {count} × {why}" for why, count in cell.report.left_out.items())
        yield from (f"lost {what} of {count}" for what, count in cell.report.lost.items())


def sources(folder: Path) -> Iterator[str]:
    """Yield every file below a folder, and every image of every project, as a person would write it."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name.endswith(".qpproj"):
            try:
                yield from (f"{path}#{entry.key}" for entry in QuPathProject(path).slides())
            except BridgeError:
                yield str(path)
        elif not _is_in_project(path):
            yield str(path)


def _is_in_project(path: Path) -> bool:
    """Say whether a ``data.qpdata`` is one that its project's image stands for."""
    return path.name == "data.qpdata" and (path.parents[2] / "project.qpproj").is_file()


def convert_everywhere(source: str, folder: Path, scratch: Path) -> Row:
    """Convert one file or image into every format; nothing is raised but what stops the whole run."""
    name = str(Path(source).relative_to(folder))
    try:
        endpoint = parse_source(source)
        material = _read(endpoint)
    except BridgeError as error:
        return Row(name, refusal=_without_path(error))
    except Exception:
        return Row(name, refusal=traceback.format_exc(), is_bug=True)
    slide, size = _slide_of(endpoint, material, scratch)
    downsample = max(1.0, max(size) / _MASK_PX) if material.downsample is None else None
    cells = {}
    for target in TARGETS:
        options = ConversionOptions(downsample=downsample if target in _MASKS else None)
        to = _target(target, scratch, size)
        request = ConversionRequest(endpoint, to, slide if target in _MASKS else None, options)
        cells[target] = _cell(request)
    return Row(name, len(material.found), cells)


def _cell(request: ConversionRequest) -> Cell:
    try:
        return Cell(convert(request, sleep=lambda _: None))
    except BridgeError as error:
        return Cell(reason=_without_path(error), is_bug=True)
    except Exception:
        return Cell(reason=traceback.format_exc(), is_bug=True)


def _read(endpoint: Endpoint) -> Material:
    if endpoint.kind is EndpointKind.MASK:
        return read_mask(endpoint.path, None, None, None)
    return read_annotations(endpoint)


def _without_path(error: BridgeError) -> str:
    return error.message if isinstance(error, AnnotationFileError) else str(error)


def _slide_of(endpoint: Endpoint, material: Material, scratch: Path) -> tuple[Path | None, tuple[int, int]]:
    """Return the slide that a mask is made for, where the source doesn't know it itself, and its size."""
    if material.size is not None:
        return None, material.size
    shapes = [a.geometry for a in material.found.annotations if not a.geometry.is_empty]
    _, _, right, bottom = shapely.total_bounds(shapes) if shapes else (0, 0, 0, 0)
    width, height = (int(np.clip(np.ceil(side), _LEAST_SIDE, _LARGEST_SIDE)) for side in (right, bottom))
    path = scratch / "slide.tif"
    _write_empty_slide(path, width, height)
    return path, (width, height)


def _write_empty_slide(path: Path, width: int, height: int) -> None:
    """Write a black slide of any size: one packed tile, many times."""
    tile = zlib.compress(bytes(_TILE * _TILE * 3), 9)
    tiles = repeat(tile, -(-width // _TILE) * -(-height // _TILE))
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(
            tiles,
            shape=(height, width, 3),
            dtype=np.uint8,
            tile=(_TILE, _TILE),
            photometric="rgb",
            compression="zlib",
        )


def _target(target: str, scratch: Path, size: tuple[int, int]) -> Endpoint:
    if target != "qpproj":
        return parse_endpoint(str(scratch / f"out.{target}"))
    image = NewImage(scratch / "slide.png", "slide.png", *size, (size,), None, None, size, is_openslide=False)
    project = create_project(scratch / "project", [image], {}, now=datetime(2025, 1, 1, tzinfo=UTC))
    return Endpoint(project.path, EndpointKind.QUPATH, "1")


def table(folder: Path) -> list[Row]:
    """Return the rows of every file below a folder."""
    rows = []
    for source in sources(folder):
        with tempfile.TemporaryDirectory(prefix="slidebridge-") as scratch:
            rows.append(convert_everywhere(source, folder, Path(scratch)))
    return rows


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table; many files that are refused in the same words share a line at its end."""
    yield "".join(target.ljust(_CELL) for target in TARGETS) + "objects, file (−: left out, ~: lost)"
    refusals = Counter(_kind_of(row) for row in rows if row.refusal)
    is_alone = [row.is_bug or not row.refusal or refusals[_kind_of(row)] <= _MOST_ALIKE for row in rows]
    for row in compress(rows, is_alone):
        yield from row.lines()
    yield f"refused alike, more than {_MOST_ALIKE} of each:"
    yield from (f"    {n:>4} × {kind}" for kind, n in sorted(refusals.items()) if n > _MOST_ALIKE)
    yield from sums(rows)


def _kind_of(row: Row) -> str:
    return f"{Path(row.name).suffix or row.name}: {row.refusal}"


def sums(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the sums at the end of the table."""
    cells = [cell for row in rows for cell in row.cells.values()]
    refused = sum(bool(row.refusal) and not row.is_bug for row in rows)
    yield f"{len(rows)} files and images: {len(rows) - refused} read, {refused} refused with their reasons"
    done = [cell.report for cell in cells if cell.report is not None]
    left, lost = (sum(sum(counts.values()) for counts in every) for every in _counts(done))
    written = sum(report.written for report in done)
    yield f"{len(done)} conversions: {written} objects written, {left} left out, {lost} properties lost"
    yield f"{count_bugs(rows)} broken, or refused though the file reads"


def _counts(reports: Sequence[ConversionReport]) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    return [dict(r.left_out) for r in reports], [dict(r.lost) for r in reports]


def count_bugs(rows: Sequence[Row]) -> int:
    """Count what must not happen."""
    return sum(row.is_bug for row in rows) + sum(cell.is_bug for row in rows for cell in row.cells.values())


def main(arguments: Sequence[str] = ()) -> int:
    """Print the table; return the exit status."""
    folder = Path(arguments[0]) if arguments else DEFAULT
    if not folder.is_dir():
        print(f"{folder}: there is no such folder; name one")
        return 2
    rows = table(folder)
    print("\n".join(lines(rows)))
    return 1 if count_bugs(rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
