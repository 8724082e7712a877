"""``slidebridge watch``: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def watch(
    context: typer.Context,
    projects: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PROJECT]…", help="Project folders, or files in them.", show_default="here"),
    ] = None,
) -> None:
    """Watch projects: notice saves, learn from them, write predictions and proposals, until stopped (Ctrl-C)."""
    import os

    from scripts.daemon.watch import watch as run
    from scripts.stopping import stopped_by_signals

    asked = context.find_root().params
    told = "asked to stop"
    try:
        with stopped_by_signals(told) as stop:
            run(
                projects or [Path()],
                stop,
                is_verbose=bool(asked.get("verbose")),
                is_quiet=bool(asked.get("quiet")),
            )
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)  # a lane's thread would be waited for
