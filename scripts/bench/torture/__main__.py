"""``python -m scripts.bench.torture``: run it, print the table; exit 1 on any loss that nothing explains.

It also exits with 1 where a process failed, or where the numbers asked for weren't reached in time; the last lines of
what it prints say why.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from scripts.bench.torture.options import Mode, Options, Sabotage, Tool
from scripts.bench.torture.referee import Result, run
from scripts.bench.torture.report import reasons, table, title, verdict_of

_MEMORY = Path("/dev/shm")  # processes are killed, not the machine: nothing needs a disk
_ROOM_BYTES = 10**9  # of backups and ledgers, with room to spare


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for, one run per tool and file system."""
    asked = _parser().parse_args(arguments)
    tools = tuple(Tool) if asked.tool == "all" else (Tool(asked.tool),)
    modes = tuple(Mode) if asked.mode == "all" else (Mode(asked.mode),)
    runs = [
        Options(tool, mode, Sabotage(asked.sabotage), asked.writes, asked.kills, asked.seed, limit_seconds=asked.limit)
        for tool in tools
        for mode in modes
    ]
    logging.getLogger().addHandler(logging.NullHandler())  # conflicts are what this is about: they are counted
    results = []
    for options in runs:
        results.append(_run(options, asked.keep))
        print(f"{title(options)}: {verdict_of(results[-1])} after {results[-1].seconds:.0f} s", file=sys.stderr)
    print(table(results))
    return int(any(reasons(result) for result in results))


def _run(options: Options, keep: Path | None) -> Result:
    if keep is not None:
        folder = keep / f"{options.tool.value}-{options.mode.value}"
        folder.mkdir(parents=True)
        return run(options, folder.resolve())
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    with tempfile.TemporaryDirectory(dir=_MEMORY if has_room else None, prefix="torture-") as name:
        return run(options, Path(name).resolve())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.torture", description=__doc__)
    parser.add_argument("--tool", choices=(*(tool.value for tool in Tool), "all"), default="all")
    parser.add_argument("--mode", choices=(*(mode.value for mode in Mode), "all"), default="exchange")
    parser.add_argument("--sabotage", choices=[s.value for s in Sabotage], default="none", help="break it on purpose")
    parser.add_argument("--writes", type=int, default=2000, help="contested writes to reach")
    parser.add_argument("--kills", type=int, default=300, help="processes to kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a run gives up")
    parser.add_argument("--keep", type=Path, help="leave files and ledgers in this folder, to look at afterwards")
    return parser


if __name__ == "__main__":
    sys.exit(main())
