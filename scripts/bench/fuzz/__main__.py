"""``python -m scripts.bench.fuzz``: 100,000 mutated inputs for every codec, on all cores.

Prints one row per codec, and every input that breaks a law; exits 1 if there is one. An input that hangs or kills its
process is named too, and the run goes on behind it.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.fuzz.run import STRUCTURED, Failure, Tally, fuzz, make_input
from scripts.bench.fuzz.seeds import make_seeds

_HEAD = "codec      inputs  refused     read  written  broken   slowest    memory"
_CHUNK = 500
_MOST_TOLD = 20
_HANG_SECONDS = 30.0  # wall clock, on a machine that does other things too
_MEMORY = 2 << 30  # bytes a process may take beyond its start


def main() -> int:
    """Run it and return the exit status."""
    options = _parser().parse_args()
    failed = False
    print(_HEAD, flush=True)
    for codec in options.codec or STRUCTURED:
        seeds = make_seeds(codec, options.data)
        began = time.monotonic()
        tally = _run(codec, seeds, range(options.start, options.start + options.inputs), options.seed, options.jobs)
        print(_row(codec, tally), f"{time.monotonic() - began:6.0f} s, {len(seeds)} seeds", flush=True)
        failed |= bool(tally.failures)
        _tell(tally.failures, options.failures)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each codec")
    parser.add_argument("--codec", action="append", choices=list(STRUCTURED))
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--data", type=Path, help="folder of real files to start from as well")
    parser.add_argument("--failures", type=Path, help="folder for the inputs that break a law")
    return parser


def _row(codec: str, tally: Tally) -> str:
    counts = [tally.verdicts[name] for name in ("refused", "read only", "read and written")]
    broken = len(tally.failures)
    columns = " ".join(f"{count:8d}" for count in (tally.inputs, *counts))
    return f"{codec:<8} {columns} {broken:7d} {tally.slowest[0]:7.2f} s {tally.peak_mib:5.0f} MiB"


def _tell(failures: Sequence[Failure], folder: Path | None) -> None:
    for place, failure in enumerate(failures):
        if place < _MOST_TOLD:
            print(f"  {failure.codec} #{failure.number}: {failure.what}")
        elif place == _MOST_TOLD:
            print(f"  and {len(failures) - place} more; --failures FOLDER keeps them all")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{failure.codec}-{failure.number}").write_bytes(failure.data)


@dataclass(slots=True)
class _Worker:
    """A process at work on one chunk, and the number that it began last."""

    process: mp.Process
    answers: mp.connection.Connection
    chunk: range
    number: int
    since: float


def _run(codec: str, seeds: Sequence[bytes], numbers: range, seed: int, jobs: int) -> Tally:
    tally = Tally()
    waiting = [numbers[i : i + _CHUNK] for i in range(0, len(numbers), _CHUNK)][::-1]
    workers: list[_Worker] = []
    while waiting or workers:
        while waiting and len(workers) < jobs:
            workers.append(_start(codec, seeds, waiting.pop(), seed))
        mp.connection.wait([w.answers for w in workers], timeout=1.0)
        for worker in list(workers):
            for part in _listen(worker):
                tally.add(part)
                workers.remove(worker)
            if worker in workers and _is_lost(worker):
                tally.add(_lost(worker, codec, seeds, seed))
                workers.remove(worker)
                rest = range(worker.number + 1, worker.chunk.stop)
                waiting += [rest] if rest else []
    return tally


def _start(codec: str, seeds: Sequence[bytes], chunk: range, seed: int) -> _Worker:
    ours, theirs = mp.Pipe(duplex=False)
    process = mp.Process(target=_work, args=(codec, seeds, chunk, seed, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, chunk, chunk.start, time.monotonic())


def _work(codec: str, seeds: Sequence[bytes], chunk: range, seed: int, answers: mp.connection.Connection) -> None:
    _limit_memory()
    answers.send(fuzz(codec, seeds, chunk, seed=seed, began=answers.send))


def _limit_memory() -> None:
    if sys.platform == "linux":  # elsewhere there is no such limit, or it limits nothing
        import resource

        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + _MEMORY, resource.RLIM_INFINITY))


def _listen(worker: _Worker) -> Iterator[Tally]:
    try:
        while worker.answers.poll():
            message = worker.answers.recv()
            if isinstance(message, Tally):
                worker.process.join()
                yield message
                return
            worker.number, worker.since = message, time.monotonic()
    except EOFError:
        worker.process.join()


def _is_lost(worker: _Worker) -> bool:
    return not worker.process.is_alive() or time.monotonic() - worker.since > _HANG_SECONDS


def _lost(worker: _Worker, codec: str, seeds: Sequence[bytes], seed: int) -> Tally:
    hangs = worker.process.is_alive()
    worker.process.kill()
    worker.process.join()
    what = f"hangs for {_HANG_SECONDS:.0f} s" if hangs else f"kills the process (exit {worker.process.exitcode})"
    data = make_input(codec, seeds, worker.number, seed)
    tally = Tally(failures=[Failure(codec, worker.number, what, data)])
    tally.verdicts["broken"] += worker.number + 1 - worker.chunk.start
    return tally


if __name__ == "__main__":
    sys.exit(main())
