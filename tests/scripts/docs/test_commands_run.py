"""Every command line of the documentation is run, line after line, page after page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from docs_sandbox import Sandbox, begins_synced, copied, fresh, reason_not_run, synced

from scripts.docs.command_lines import documents, lines_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="the pages' blocks are for a Unix shell"),
]
ROOT = Path(__file__).resolve().parents[3]


def _to_run(path: Path) -> bool:
    return any(line.is_whole and reason_not_run(line) is None for line in lines_of(path))


PAGES = [path for path in documents(ROOT) if _to_run(path)]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Projects that were set up and synced, to be copied."""
    return synced(tmp_path_factory.mktemp("synced"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pages_commands_do_what_they_say(path: Path, begun: Sandbox, tmp_path: Path) -> None:
    sandbox = copied(begun, tmp_path / "machine") if begins_synced(path) else fresh(tmp_path / "machine")
    for line in lines_of(path):
        if line.is_whole and reason_not_run(line) is None:
            fault = sandbox.run(line)
            assert fault is None, f"{line.place}: {line.text}\n{fault}"
