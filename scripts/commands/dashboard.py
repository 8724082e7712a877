"""``slidebridge dashboard``: what happens now, in a browser on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dashboard(
    projects: Annotated[
        list[Path] | None,
        typer.Option(
            "--project",
            "-p",
            help="Project folder, or any file or folder in it; more than one may be given.",
            show_default="here",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any that is free.", show_default="any")
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Show in a browser what happens now: queue, training, slides with their layers. It only reads; Ctrl-C ends it.

    Only this machine can open it, with the address that is printed.
    """
    import os
    import sys

    from scripts.dashboard.serving import has_screen, serve

    serve(projects or [Path()], port=port, opens_browser=not no_browser and has_screen(os.environ), tell=_tell)
    sys.stdout.flush()
    os._exit(0)  # a thread that reads from a share which is away would be waited for


def _tell(address: str) -> None:
    typer.echo("the dashboard is at this address, for this machine only; Ctrl-C ends it", err=True)
    typer.echo(address)
