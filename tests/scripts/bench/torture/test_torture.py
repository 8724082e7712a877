"""The torture itself, in short: nothing is lost; and where something is broken on purpose, the referee says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
TOOLS = ("qupath", "imagescope")
SABOTAGED = {"overwrite": "LOST", "blind": "FALSE"}  # what is broken → the row that must not be 0
_LONGEST = 600  # seconds, of a run of some five: they are counted on the wall, and a busy machine took 66
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.platform == "win32", reason="the torture forks its processes"),
]


class Run:
    """A run of the torture in a process of its own, since it forks."""

    def __init__(self, *arguments: str, seconds: float) -> None:
        command = [sys.executable, "-m", "scripts.bench.torture", "--limit", str(seconds), *arguments]
        self._seconds = 2 * seconds + 60
        self.told = ""
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self) -> tuple[int, Mapping[str, str]]:
        """Return the exit status and the table."""
        told, errors = self._process.communicate(timeout=self._seconds)
        self.told = f"{told}\n{errors}"  # the reasons are the last lines of the first
        rows = (line.rsplit(maxsplit=1) for line in told.splitlines() if line.strip())
        table = {row[0].strip(): row[1] for row in rows if len(row) == 2}
        assert "CRASHES" in table, errors
        return self._process.returncode, table

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def sabotaged(kind: str, seed: int = 1) -> Run:
    options = ("--tool", "qupath", "--sabotage", kind, "--writes", "16", "--kills", "1", "--seed", str(seed))
    return Run(*options, seconds=_LONGEST)


@pytest.fixture(scope="module")
def runs() -> Iterator[Mapping[str, Run]]:
    """All short runs at once: most of the time they wait."""
    started = {tool: Run("--tool", tool, "--writes", "12", "--kills", "4", seconds=_LONGEST) for tool in TOOLS}
    started |= {kind: sabotaged(kind) for kind in SABOTAGED}
    yield started
    for run in started.values():
        run.end()


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_is_lost_whoever_is_killed(runs: Mapping[str, Run], tool: str) -> None:
    status, table = runs[tool].result()
    assert status == 0, runs[tool].told
    assert table["LOST"] == table["FALSE"] == table["UNPARSABLE at a rest"] == table["CRASHES"] == "0"
    assert int(table["human objects checked"]) > 100 and int(table["contested"]) >= 12


@pytest.mark.parametrize("kind", SABOTAGED)
def test_sabotage_is_noticed(runs: Mapping[str, Run], kind: str) -> None:
    status, table = runs[kind].result()
    for seed in (2, 3):  # chance: a careless write doesn't always meet a save
        if int(table[SABOTAGED[kind]]) > 0:
            break
        status, table = sabotaged(kind, seed).result()
    assert int(table[SABOTAGED[kind]]) > 0 and status == 1, table


@pytest.mark.long
@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(("mode", "writes", "kills"), [("exchange", 2000, 300), ("link", 500, 75), ("rename", 500, 75)])
def test_torture_in_full(tool: str, mode: str, writes: int, kills: int) -> None:
    run = Run("--tool", tool, "--mode", mode, "--writes", str(writes), "--kills", str(kills), seconds=1800)
    status, _ = run.result()
    assert status == 0, run.told
