"""``confirm``: a person's word that a save which lost much is as it should be."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import ProjectBusyError
from bridge.store import Backups, JobKind, Store
from bridge.store.holders import this_host
from bridge.store.lease import holder
from scripts.daemon.beginning import CONFIRMED
from scripts.loop.pull import believe, count_added, keep_version, read_entry
from scripts.plain_words import counted
from scripts.project import Project, find_called, open_project, open_to_write


def confirm_slide(path: Path, name: str, *, is_dry_run: bool) -> str:
    """Believe the last save of one slide, and return what was done; a daemon that watches here is asked to do it.

    Raises
    ------
    ConfigError
        The project has no such slide.
    ProjectBusyError
        Another SlideBridge is at work on the project, and can't be asked.
    """
    project = open_project(path)
    entry = find_called(project, name)
    try:
        return _confirm(project, entry, name, is_dry_run=is_dry_run)
    except ProjectBusyError:
        at_work, folder = holder(project.data_folder), project.find_store()
        if at_work is None or folder is None or at_work.purpose != "watch" or at_work.host != this_host():
            raise
    with Store.open(folder) as store:  # where the daemon has it, whatever the settings say since
        store.ask_job(JobKind.READ, entry.key, f"{CONFIRMED}{uuid.uuid4()}", datetime.now(UTC))
    return f"{name}: the daemon (pid {at_work.pid}) will learn from the last save"


def _confirm(project: Project, entry: SlideEntry, name: str, *, is_dry_run: bool) -> str:
    with open_to_write(project, "confirm", is_dry_run=is_dry_run) as (store, _):
        now = datetime.now(UTC)
        reading = read_entry(project, store, entry, commit_at=None if is_dry_run else now)
        if not is_dry_run:
            backups = Backups(project.data_folder / "backups")
            keep_version(store, backups, reading, now)
            count_added(project, store, backups, reading)
            believe(store, reading, now, project.settings.labels)
    verb = "would be" if is_dry_run else "is"
    return f"{name}: the save with {counted(reading.human_count, 'object')} {verb} learned from at the next sync"
