"""Put hook files where they belong; nobody's changes to them are lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bridge.errors import ConfigError
from bridge.files import replace_whole
from scripts.hook_files import HookFile
from scripts.hook_kinds import HookKind

_FIRST, _LAST = "# >>> slidebridge", "# <<< slidebridge"
RunTool = Callable[[Sequence[str], str], "subprocess.CompletedProcess[str]"]


class Change(Enum):
    """What became of a file."""

    WRITTEN = "written"
    SAME = "already there"
    REPLACED = "replaced"  # by --force; what stood there is kept


@dataclass(frozen=True, slots=True)
class Installed:
    """One file, installed.

    Parameters
    ----------
    kept
        Where what stood there before is now; None when nothing was replaced.
    """

    path: Path
    change: Change
    kept: Path | None = None
    is_dry_run: bool = False

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {"path": str(self.path), "change": self.change.value, "kept": self.kept, "dry_run": self.is_dry_run}

    def line(self) -> str:
        """Return the facts for people."""
        would = "would be " if self.is_dry_run and self.change is not Change.SAME else ""
        kept = f", what stood there: {self.kept}" if self.kept else ""
        return f"{self.path}: {would}{self.change.value}{kept}"


def install(files: Sequence[HookFile], *, is_forced: bool = False, is_dry_run: bool = False) -> tuple[Installed, ...]:
    """Write the files; one that is there already, and the same, stays untouched.

    Raises
    ------
    ConfigError
        A file that differs is there, and nobody said ``--force``; then nothing at all was written.
    OSError
        A folder can't be written to.
    """
    planned = [_plan(file, is_dry_run=is_dry_run) for file in files]
    differing = [done.path for done in planned if done.change is Change.REPLACED]
    if differing and not is_forced:
        raise ConfigError(
            f"{', '.join(map(str, differing))}: a file that differs is there; --force replaces it and keeps the old one"
        )
    if not is_dry_run:
        for file, done in zip(files, planned, strict=True):
            _write(file, done)
    return tuple(planned)


def _plan(file: HookFile, *, is_dry_run: bool) -> Installed:
    try:
        is_same = file.path.read_bytes() == file.data
    except FileNotFoundError:
        return Installed(file.path, Change.WRITTEN, is_dry_run=is_dry_run)
    if is_same:
        return Installed(file.path, Change.SAME, is_dry_run=is_dry_run)
    return Installed(file.path, Change.REPLACED, _free_name(file.path), is_dry_run)


def _free_name(path: Path) -> Path:
    """Return a name for the old file that no older one has."""
    number = 1
    while (kept := path.with_name(f"{path.name}.bak{'' if number == 1 else number}")).exists():
        number += 1
    return kept


def _write(file: HookFile, done: Installed) -> None:
    if done.change is Change.SAME:
        return
    file.path.parent.mkdir(parents=True, exist_ok=True)
    if done.kept is not None:
        done.kept.write_bytes(file.path.read_bytes())
    replace_whole(file.path, file.data)


def merge_crontab(current: str, ours: str) -> str:
    r"""Return a crontab with our part in it: in place of the one that is there, else at the end.

    Examples
    --------
    >>> print(merge_crontab("0 1 * * * backup\n", "30 2 * * * slidebridge nightly\n"), end="")
    0 1 * * * backup
    # >>> slidebridge
    30 2 * * * slidebridge nightly
    # <<< slidebridge
    """
    lines = current.splitlines()
    part = [_FIRST, *ours.splitlines(), _LAST]
    if _FIRST in lines and _LAST in lines[lines.index(_FIRST) :]:
        first = lines.index(_FIRST)
        last = lines.index(_LAST, first)
        lines[first : last + 1] = part
    else:
        lines += part
    return "\n".join(lines) + "\n"


def run_tool(command: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the system's, with some text on its standard input.

    Raises
    ------
    ConfigError
        It isn't there, or doesn't end.
    """
    try:
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{command[0]} can't be run here: {error}") from error


def read_crontab(run: RunTool = run_tool) -> str:
    """Return the user's crontab; empty when there is none.

    Raises
    ------
    ConfigError
        There is no cron here, or it refuses.
    """
    done = run(("crontab", "-l"), "")
    if done.returncode == 0:
        return done.stdout
    if "no crontab" in done.stderr.lower():
        return ""
    raise ConfigError(f"crontab -l: {_first_line(done.stderr)}")


def install_crontab(ours: str, *, is_dry_run: bool = False, run: RunTool = run_tool) -> Change:
    """Put our part into the user's crontab; everything else in it stays as it is.

    Raises
    ------
    ConfigError
        There is no cron here, or it refuses.
    """
    current = read_crontab(run)
    merged = merge_crontab(current, ours)
    if merged == current:
        return Change.SAME
    if not is_dry_run:
        done = run(("crontab", "-"), merged)
        if done.returncode != 0:
            raise ConfigError(f"crontab -: {_first_line(done.stderr)}; your crontab is as it was")
    return Change.REPLACED if _FIRST in current.splitlines() else Change.WRITTEN


def is_in_crontab(run: RunTool = run_tool) -> bool:
    """Say whether our part is in the user's crontab."""
    try:
        return _FIRST in read_crontab(run).splitlines()
    except ConfigError:  # no cron, so nothing in it
        return False


def next_steps(kind: HookKind, files: Sequence[HookFile]) -> tuple[str, ...]:
    """Return what a person does next, one line each."""
    match kind:
        case HookKind.SYSTEMD:
            names = [f.path.name for f in files if f.path.name != "slidebridge-nightly.service"]
            enable = f"systemctl --user enable --now {' '.join(names)}"
            return ("systemctl --user daemon-reload", enable, "loginctl enable-linger    # to go on after you log out")
        case HookKind.WINDOWS:
            return tuple(
                f'schtasks /Create /TN "SlideBridge {f.path.stem.rpartition("-")[2]}" /XML "{f.path}"' for f in files
            )
        case HookKind.LAUNCHD:
            return tuple(f"launchctl bootstrap gui/$(id -u) '{f.path}'" for f in files)
        case HookKind.CRON:
            return ("crontab -e    # and add the line; or again with --force, which adds it",)
        case HookKind.QUPATH:
            return tuple(line for f in files for line in _qupath_steps(f.path))


def _qupath_steps(script: Path) -> tuple[str, ...]:
    return (
        f"QuPath 0.5 to 0.7: Edit > Preferences > General > Startup script path: {script}; then start QuPath again",
        "QuPath 0.4: again with --to and the folder that Automate > User scripts > Open scripts directory shows;"
        f" then once in every session Automate > User scripts > {script.stem}",
    )


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["refused without a word"])[0]
