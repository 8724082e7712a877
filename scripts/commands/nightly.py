"""``slidebridge nightly``: full retraining, by hand or by the system's clock (``slidebridge hooks install``)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.commands.common import AsJson, DryRun, print_json
from scripts.telling import say

if TYPE_CHECKING:
    from scripts.naming.hidden import HiddenNames
    from scripts.project import Project


def nightly(
    context: typer.Context,
    project: Annotated[
        list[Path] | None,
        typer.Option("--project", "-p", help="Project folder; several times for several.", show_default="here"),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0.0, help="For all together; each also keeps to its schedule.hours."),
    ] = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train though nothing is new; take the new model though it is worse.")
    ] = False,
) -> None:
    """Train anew from everything that is labelled, within some hours; then predict, propose and write.

    What doesn't end in time, or is stopped, goes on from there the next time. A daemon that watches the project is
    asked to do it.
    """
    from contextlib import ExitStack
    from dataclasses import replace

    from scripts.logs import daemon_logging, log_file
    from scripts.loop.nightly import NightRequest, train_nightly
    from scripts.naming.hidden import hidden_names
    from scripts.processes import Launch, lead_or_follow
    from scripts.progress import show_progress
    from scripts.project import open_project
    from scripts.stopping import stopped_by_signals

    launch = Launch.read()
    if launch is not None and launch.rank > 0:
        lead_or_follow(launch, lambda ranks, stop: None)
        return
    asked = context.find_root().params
    projects = [open_project(path) for path in project or [Path()]]
    hidden = hidden_names()
    _hide_names(hidden, projects)
    files = {} if dry_run else {p.root: log_file(p.data_folder, "nightly") for p in projects}
    with ExitStack() as stack:
        is_verbose, is_quiet = bool(asked.get("verbose")), bool(asked.get("quiet"))
        stack.enter_context(daemon_logging(files, is_verbose=is_verbose, is_quiet=is_quiet, hide=hidden.hide))
        stop = stack.enter_context(stopped_by_signals("stopping after the current step; once more stops at once"))
        progress = stack.enter_context(show_progress(is_shown=not as_json and not is_quiet, in_lines=True))
        request = NightRequest(math.inf if hours is None else hours, dry_run, force, hidden.hide)
        nights = lead_or_follow(
            launch,
            lambda ranks, asked_of_any: train_nightly(
                [p.root for p in projects], replace(request, ranks=ranks), lambda: stop() or asked_of_any(), progress
            ),
        )
    assert nights is not None, "this process leads"
    if as_json:
        told = json.dumps({"projects": [night.as_json() for night in nights]}, ensure_ascii=False, default=str)
        print_json(json.loads(hidden.hide(told)))
    else:
        for line in (line for night in nights for line in night.lines()):
            say(hidden.hide(line))
    if any(night.has_failed for night in nights):
        raise typer.Exit(1)


def _hide_names(hidden: HiddenNames, projects: Sequence[Project]) -> None:
    """Hide the slides' names of those projects that want it; one whose slides can't be listed fails by itself."""
    from bridge.errors import BridgeError
    from scripts.naming.project_names import project_names

    for project in projects:
        try:
            hidden.know(project.root, project_names(project, project.source.slides()))
        except BridgeError:
            continue
