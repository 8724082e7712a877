"""The kinds of hook files, and which system reads which; light, for the command line names them in its help."""

from __future__ import annotations

import sys
from enum import Enum


class HookKind(Enum):
    """What the files are for."""

    QUPATH = "qupath"  # a script for QuPath: results appear in the open viewer
    SYSTEMD = "systemd"  # units of the user: Linux
    CRON = "cron"  # a line of the user's crontab: Unix without systemd
    WINDOWS = "windows"  # tasks of the Task Scheduler
    LAUNCHD = "launchd"  # agents of the user: macOS


def belongs_here(kind: HookKind, platform: str = sys.platform) -> bool:
    """Say whether this system reads files of a kind."""
    match kind:
        case HookKind.SYSTEMD:
            return platform.startswith("linux")
        case HookKind.LAUNCHD:
            return platform == "darwin"
        case HookKind.WINDOWS:
            return platform == "win32"
        case HookKind.CRON:
            return platform != "win32"
        case HookKind.QUPATH:
            return True
