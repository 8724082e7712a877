"""``slidebridge watch``: the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scripts.daemon.live_terminal import LiveTerminal


def watch(
    context: typer.Context,
    projects: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PROJECT]…", help="Project folders, or files in them.", show_default="here"),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Log lines only, also on a terminal: no view of what happens now.")
    ] = False,
) -> None:
    """Watch projects: notice saves, learn from them, write predictions and proposals, until stopped (Ctrl-C).

    On a terminal the last lines show what is being done, how far it is, what waits and what failed; log lines scroll
    above them.
    """
    import os

    from scripts.daemon.watch import watch as run
    from scripts.stopping import stopped_by_signals, tell_stderr

    asked = context.find_root().params
    is_verbose, is_quiet = bool(asked.get("verbose")), bool(asked.get("quiet"))
    try:
        with _terminal(is_wanted=not (plain or is_verbose or is_quiet)) as terminal:
            # Where a view is drawn the log says it: a line between would shift the view.
            tell = tell_stderr if terminal is None else _tell_nobody
            with stopped_by_signals("asked to stop", tell) as stop:
                run(projects or [Path()], stop, is_verbose=is_verbose, is_quiet=is_quiet, terminal=terminal)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)  # a lane's thread would be waited for


@contextmanager
def _terminal(*, is_wanted: bool) -> Iterator[LiveTerminal | None]:
    """Yield where to show what happens, if both streams are a terminal; None where it is to be log lines."""
    import sys

    from scripts.telling import is_screen

    if not (is_wanted and is_screen(sys.stdout) and is_screen(sys.stderr)):
        yield None
        return
    from rich.console import Console

    from scripts.daemon.live_terminal import LiveTerminal

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield None
        return
    with LiveTerminal(console) as terminal:
        yield terminal


def _tell_nobody(line: str) -> None:
    """Say nothing."""
