"""``python -m scripts.bench [NAME …]``: measure, print a table per bench; keep the results, or guard against slowness.

``--write`` renews ``docs/benchmarks``; ``--smoke`` takes small sizes and fails where a ratio or an exponent is off.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from scripts.bench.machine import LIBRARIES, ROOT, this_machine
from scripts.bench.pages import Result, ratio_of, verdict, write_page, write_result
from scripts.bench.rows import Row, Scale
from scripts.bench.smoke import complaint, slow_entries
from scripts.bench.suite import BENCHES, Entry, Outcome, UnknownBenchError, libraries_of, run_bench


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Run the benches; return 1 where one failed, or was too slow for the guard."""
    asked = _parsed(arguments)
    scale = Scale.SMOKE if asked.smoke else Scale.FULL
    is_well = True
    for name in asked.names or BENCHES:
        print(f"\n{name}", flush=True)
        outcome = _run(name, scale)
        is_well &= outcome.error is None
        if asked.smoke:
            is_well &= not _is_slow(outcome)
        elif asked.write and outcome.error is None:
            machine = this_machine(datetime.date.today(), libraries_of(name) or LIBRARIES)
            print(write_result(Result(name, outcome.title, machine, outcome.entries), root))
    if asked.write:
        print(write_page(root))
    return 0 if is_well else 1


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description="Measure SlideBridge beside others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)} (default: all)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--smoke", action="store_true", help="small sizes; fail when a ratio or an exponent is off")
    what.add_argument("--write", action="store_true", help="keep the results below docs/ and write the page anew")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.names if name not in BENCHES]
    if unknown:
        parser.error(str(UnknownBenchError.of(unknown[0])))
    return asked


def _run(name: str, scale: Scale) -> Outcome:
    outcome = run_bench(name, scale, _show)
    if outcome.error is not None:
        traceback.print_exception(outcome.error)
        print(f"{name} failed: {outcome.error}", flush=True)
    print(f"  {outcome.seconds:.0f} s", flush=True)
    return outcome


def _show(entry: Entry) -> None:
    if isinstance(entry, Row):
        beside = f"{entry.peer:<24} {entry.theirs or '–'!s:>16}  {ratio_of(entry):>8}"
        reached = "" if entry.target is None else f"   {entry.target}: {verdict(entry.is_reached).strip('*')}"
        print(f"  {entry.work:<58} {entry.ours!s:>16}  {beside}{reached}".rstrip(), flush=True)
    else:
        pairs = zip(entry.sizes, entry.figures, strict=True)
        grown = ", ".join(f"{size:,.15g}: {figure}" for size, figure in pairs)
        print(f"  {entry.work:<58} {entry.unit_of_size} {grown}; exponent {entry.exponent:.2f}", flush=True)
    if entry.note:
        print(f"    {entry.note}", flush=True)


def _is_slow(outcome: Outcome) -> bool:
    slow = slow_entries(outcome, lambda: _run(outcome.name, Scale.SMOKE))
    for entry in slow:
        print(f"TOO SLOW {complaint(entry)}", flush=True)
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
