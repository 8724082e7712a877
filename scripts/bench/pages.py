"""Results as files: ``docs/benchmarks/NAME.json`` of each bench, and ``docs/benchmarks.md`` made of all of them.

What a person has to say of a bench ("what holds it back") is in ``docs/benchmarks/NAME.md``, which is put into the page
and never written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from scripts.bench.machine import Machine
from scripts.bench.rows import Figure, Row, Scaling
from scripts.bench.suite import BENCHES, Entry

INTRODUCTION = """\
# Benchmarks

Each row is one piece of work, done by SlideBridge and, in turn with it in the same run, by a named alternative. Times
are medians of several runs, the fastest and the slowest in brackets. They say what *this* machine took; what carries
over to another is the **ratio**: how many times better ours is (2 × means half the time, or twice as many a second;
below 1 × the other one wins). Where the size grows, the **exponent** is the power of the size with which time or memory
grew: 1 is linear, 0 is flat.

`make bench` measures everything anew and writes this page, `.venv/bin/python -m scripts.bench NAME --write` one bench
of it. Other tools are installed on first use, each into an environment of its own under `.bench/`, by the lock files in
`scripts/bench/peers/`; a row whose tool can't be installed says so. `make bench-smoke`, part of `make test`, measures
the same at small sizes and fails when a ratio falls, or an exponent rises, beyond a generous bound. The page is made of
`docs/benchmarks/*.json`, and of `docs/benchmarks/*.md` where a person has something to add; don't edit it.
"""
_DOCS = ("docs", "benchmarks")


@dataclass(frozen=True, slots=True)
class Result:
    """What a bench measured, at full scale, on which machine."""

    name: str
    title: str
    machine: Machine
    entries: tuple[Entry, ...]


_ADAPTER = TypeAdapter(Result)


def write_result(result: Result, root: Path) -> Path:
    """Write ``docs/benchmarks/NAME.json`` below ``root``, in place of the one before."""
    path = root.joinpath(*_DOCS, f"{result.name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_ADAPTER.dump_json(result, indent=1) + b"\n")
    return path


def read_results(root: Path) -> tuple[Result, ...]:
    """Return the results below ``root`` in the order of the suite, those that it no longer has last."""
    found = [_ADAPTER.validate_json(path.read_bytes()) for path in root.joinpath(*_DOCS).glob("*.json")]
    order = list(BENCHES)
    return tuple(sorted(found, key=lambda r: (order.index(r.name) if r.name in order else len(order), r.name)))


def write_page(root: Path) -> Path:
    """Write ``docs/benchmarks.md`` out of everything below ``docs/benchmarks``."""
    results = read_results(root)
    parts = [INTRODUCTION, _targets(results), *(_section(result, _words(result.name, root)) for result in results)]
    path = root / "docs" / "benchmarks.md"
    path.write_text("\n".join(part for part in parts if part), "utf-8", newline="\n")
    return path


def tables(entries: Sequence[Entry]) -> str:
    """Return rows, then scalings, as tables of GitHub's Markdown, with their notes beneath."""
    rows = [entry for entry in entries if isinstance(entry, Row)]
    scalings = [entry for entry in entries if isinstance(entry, Scaling)]
    notes = [f"* {entry.work}: {entry.note}" for entry in entries if entry.note]
    return "\n".join(part for part in (_row_table(rows), _scaling_table(scalings), _lines(notes)) if part)


def verdict(is_reached: bool | None) -> str:
    """Return a word for the table."""
    return {True: "yes", False: "**no**", None: "–"}[is_reached]


def ratio_of(row: Row) -> str:
    """Return the ratio as the table shows it."""
    return "–" if row.ratio is None else f"{row.ratio:,.0f} ×" if row.ratio >= 100 else f"{row.ratio:.3g} ×"


def _row_table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = ("work", "ours", "beside", "theirs", "ratio", "target", "reached")
    return _table(head, "llllrll", (_row_cells(row) for row in rows))


def _row_cells(row: Row) -> tuple[str, ...]:
    theirs = "–" if row.theirs is None else _spread(row.theirs)
    target = "–" if row.target is None else str(row.target)
    return row.work, _spread(row.ours), row.peer or "–", theirs, ratio_of(row), target, verdict(row.is_reached)


def _scaling_table(scalings: Sequence[Scaling]) -> str:
    if not scalings:
        return ""
    return _table(("work", "size: figure", "exponent", "at most", "reached"), "llrrl", map(_scaling_cells, scalings))


def _scaling_cells(scaling: Scaling) -> tuple[str, ...]:
    pairs = zip(scaling.sizes, scaling.figures, strict=True)
    grown = "; ".join(f"{size:,.15g}: {figure}" for size, figure in pairs)
    most = "–" if scaling.most_exponent is None else f"{scaling.most_exponent:g}"
    return scaling.work, f"{scaling.unit_of_size} {grown}", f"{scaling.exponent:.2f}", most, verdict(scaling.is_reached)


def _targets(results: Sequence[Result]) -> str:
    rows = [row for result in results for row in result.entries if isinstance(row, Row) and row.target is not None]
    if not rows:
        return ""
    cells = ((row.work, str(row.target), str(row.ours), _beside(row), verdict(row.is_reached)) for row in rows)
    reached = sum(row.is_reached is True for row in rows)
    head = f"## Targets\n\n{reached} of {len(rows)} are reached.\n\n"
    return head + _table(("work", "target", "ours", "ratio", "reached"), "lllll", cells)


def _beside(row: Row) -> str:
    return "–" if row.ratio is None else f"{ratio_of(row)} against {row.peer}"


def _section(result: Result, words: str) -> str:
    measured = f"Measured on {result.machine}.\n"
    return "\n".join(part for part in (f"## {result.title}\n", tables(result.entries), words, measured) if part)


def _words(name: str, root: Path) -> str:
    path = root.joinpath(*_DOCS, f"{name}.md")
    return path.read_text("utf-8").strip() + "\n" if path.exists() else ""


def _table(head: Sequence[str], sides: str, rows: Iterable[Sequence[str]]) -> str:
    rules = ["---:" if side == "r" else "---" for side in sides]
    lines = [list(head), rules, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def _spread(figure: Figure) -> str:
    """Return a figure with its extremes, where there is more than one run."""
    if figure.runs == 1:
        return str(figure)
    least, most = (str(Figure(value, value, value, "")).strip() for value in (figure.least, figure.most))
    return f"{figure} ({least}–{most})"
