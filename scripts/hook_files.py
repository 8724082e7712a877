"""What other programs load so that SlideBridge runs by itself: the files of ``hooks/``, filled for this machine.

Each kind quotes in its own way; a path may hold spaces, ``%``, ``&``, quotes and umlauts. ``hook_install`` puts the
files in place.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from html import escape
from pathlib import Path

import platformdirs

from bridge.errors import ConfigError
from scripts.hook_kinds import HookKind

PACKED = "hook_templates"
"""Name of the folder of unfilled files in the wheel, beside this module."""
_NAME = "slidebridge"
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_WINDOWS_VARIABLE = re.compile(r"%[^%]+%")


@dataclass(frozen=True, slots=True)
class Machine:
    """What of this machine goes into the files.

    Parameters
    ----------
    command
        What starts SlideBridge, in parts.
    user
        Who logs on, as Windows says it.
    config, data, home
        Folders of the user: of settings, of programs' data, and the one that holds both.
    """

    command: tuple[str, ...]
    user: str
    config: Path
    data: Path
    home: Path


@dataclass(frozen=True, slots=True)
class Filling:
    """What is to run, and when.

    Parameters
    ----------
    nightly
        None for no nightly training beside the daemon.
    timezone
        Of ``nightly``; empty for this machine's. Only systemd can keep to another one.
    makes_up
        Whether a night when the machine was off is made up for, where the system offers it.
    """

    projects: tuple[Path, ...] = ()
    nightly: time | None = None
    timezone: str = ""
    makes_up: bool = False


@dataclass(frozen=True, slots=True)
class HookFile:
    """A filled file and where it belongs."""

    path: Path
    data: bytes

    @property
    def is_nightly(self) -> bool:
        """Whether it is about the nightly training alone."""
        return "nightly" in self.path.name


def this_machine(executable: str = sys.executable, environ: Mapping[str, str] = os.environ) -> Machine:
    """Describe the machine that we run on."""
    domain, user = environ.get("USERDOMAIN"), environ.get("USERNAME") or environ.get("USER", "")
    return Machine(
        command=_command(Path(executable)),
        user=f"{domain}\\{user}" if domain else user,
        config=platformdirs.user_config_path(),
        data=platformdirs.user_data_path(_NAME, appauthor=False),
        home=Path.home(),
    )


def _command(python: Path) -> tuple[str, ...]:
    """Return the program that was installed beside this Python; else this Python with our module."""
    program = python.with_name(f"{_NAME}{'.exe' if python.suffix == '.exe' else ''}")
    return (str(program),) if program.is_file() else (str(python), "-P", "-m", "scripts.cli")


def templates_folder() -> Path:
    """Return the folder of the unfilled files: ``hooks`` in the repository, beside this module in the wheel."""
    here = Path(__file__).resolve()
    packed = here.with_name(PACKED)  # a folder hooks/ beside all other packages would be anybody's
    return packed if packed.is_dir() else here.parents[1] / "hooks"


def home_of(kind: HookKind, machine: Machine) -> Path:
    """Return the folder that the files of a kind belong in."""
    match kind:
        case HookKind.SYSTEMD:
            return machine.config / "systemd" / "user"
        case HookKind.LAUNCHD:
            return machine.home / "Library" / "LaunchAgents"
        case HookKind.QUPATH | HookKind.WINDOWS | HookKind.CRON:
            return machine.data / str(kind.value)


def templates(kind: HookKind) -> tuple[Path, ...]:
    """Return the unfilled files of a kind.

    Raises
    ------
    ConfigError
        They are missing: the installation is not whole.
    """
    suffixes = {".groovy"} if kind is HookKind.QUPATH else {".service", ".timer", ".cron", ".xml", ".plist"}
    folder = templates_folder() / kind.value
    found = sorted(path for path in folder.glob("*") if path.suffix in suffixes)
    if not found:
        raise ConfigError(f"{folder}: the files to install are not there; install SlideBridge anew")
    return tuple(found)


def fill(kind: HookKind, filling: Filling, machine: Machine, folder: Path | None = None) -> tuple[HookFile, ...]:
    """Return the files of a kind, filled; those of the nightly training only where one is wanted.

    Parameters
    ----------
    folder
        Where they are to lie; None for where the kind belongs.

    Raises
    ------
    ConfigError
        A path can't be written in a file of this kind.
    """
    values = {} if kind is HookKind.QUPATH else _values(kind, filling, machine)
    target = folder or home_of(kind, machine)
    files = [HookFile(target / path.name, _filled(path, values)) for path in templates(kind)]
    return tuple(f for f in files if filling.nightly is not None or not f.is_nightly)


def _filled(template: Path, values: Mapping[str, str]) -> bytes:
    """Return a file's bytes: Windows' Task Scheduler wants its XML in UTF-16, all else is UTF-8."""
    text = template.read_text("utf-8")
    if values:
        text = _PLACEHOLDER.sub(lambda found: values[found[1]], text)
    if template.suffix == ".xml":
        return ('<?xml version="1.0" encoding="UTF-16"?>\n' + text).replace("\n", "\r\n").encode("utf-16")
    return text.encode("utf-8")


def _values(kind: HookKind, filling: Filling, machine: Machine) -> Mapping[str, str]:
    watch = (*machine.command, "watch", *map(str, filling.projects))
    nightly = (*machine.command, "nightly", *(part for p in filling.projects for part in ("--project", str(p))))
    _check_writable(kind, nightly)
    if kind is HookKind.WINDOWS and not machine.user:
        raise ConfigError("who logs on is unknown; set USERNAME, and USERDOMAIN where there is one")
    at = filling.nightly or time()
    return {
        "HOUR": f"{at.hour:02}",
        "MINUTE": f"{at.minute:02}",
        "HOUR_PLAIN": str(at.hour),
        "MINUTE_PLAIN": str(at.minute),
        "PERSISTENT": "true" if filling.makes_up else "false",
        "SYSTEMD_WATCH": _systemd(watch),
        "SYSTEMD_NIGHTLY": _systemd(nightly),
        "SYSTEMD_ZONE": f" {filling.timezone}" if filling.timezone else "",
        "CRON_NIGHTLY": _cron(nightly),
        "WINDOWS_COMMAND": escape(machine.command[0]),
        "WINDOWS_WATCH": escape(subprocess.list2cmdline(watch[1:])),
        "WINDOWS_NIGHTLY": escape(subprocess.list2cmdline(nightly[1:])),
        "LAUNCHD_WATCH": _launchd(watch),
        "LAUNCHD_NIGHTLY": _launchd(nightly),
        "USER": escape(machine.user),
        "LOGS": escape(str(machine.home / "Library" / "Logs")),
    }


def _check_writable(kind: HookKind, parts: Sequence[str]) -> None:
    for part in parts:
        if not part.isprintable():
            raise ConfigError(
                f"{part!r}: a line break or another sign that can't be shown can't stand in a {kind.value} file"
            )
        if kind is HookKind.WINDOWS and _WINDOWS_VARIABLE.search(part):
            raise ConfigError(
                f"{part}: the Task Scheduler takes what stands between two % for a variable; rename the folder"
            )


def _systemd(parts: Sequence[str]) -> str:
    """Quote a command for ``ExecStart``: C-style, ``%`` and ``$`` doubled; a ``$`` in the program's name is one."""
    quoted = [part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") for part in parts]
    return " ".join(f'"{p if place == 0 else p.replace("$", "$$")}"' for place, p in enumerate(quoted))


def _cron(parts: Sequence[str]) -> str:
    """Quote a command for the shell that cron starts; cron itself takes an unmarked ``%`` for the end of the line."""
    return shlex.join(parts).replace("%", "\\%")


def _launchd(parts: Sequence[str]) -> str:
    return "\n".join(f"    <string>{escape(part)}</string>" for part in parts)
