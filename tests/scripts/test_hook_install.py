"""Hook files put in place: again and again the same, and nobody's changes lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from lab_support import RUNNER, Lab
from scripts.cli import app
from scripts.hook_files import HookFile
from scripts.hook_install import Change, install, install_crontab, is_in_crontab, merge_crontab, next_steps
from scripts.hook_kinds import HookKind, belongs_here

Answer = Callable[[Sequence[str], str], "subprocess.CompletedProcess[str]"]
CRONTAB = """#!/bin/sh
[ "$1" = - ] && exec cat > "{tab}"
cat "{tab}" 2>/dev/null || {{ echo no crontab for me >&2; exit 1; }}
"""
OURS = "# SlideBridge\n30 2 * * * slidebridge nightly\n"


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_installing_again_changes_nothing(tmp_path: Path) -> None:
    files = [HookFile(tmp_path / "deep" / "down" / "a.service", b"one"), HookFile(tmp_path / "b.timer", b"two")]
    assert [d.change for d in install(files)] == [Change.WRITTEN, Change.WRITTEN]
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in _tree(tmp_path)}
    assert [d.change for d in install(files, is_forced=True)] == [Change.SAME, Change.SAME]
    assert {path: (tmp_path / path).stat().st_mtime_ns for path in _tree(tmp_path)} == before


def test_a_changed_file_stays_and_nothing_else_is_written_either(tmp_path: Path) -> None:
    changed = HookFile(tmp_path / "b.timer", b"ours")
    changed.path.write_bytes(b"my own")
    with pytest.raises(ConfigError, match=r"b\.timer: a file that differs is there; --force") as caught:
        install([HookFile(tmp_path / "a.service", b"one"), changed])
    assert "\n" not in str(caught.value)
    assert _tree(tmp_path) == {"b.timer": b"my own"}


def test_force_keeps_every_old_version(tmp_path: Path) -> None:
    path = tmp_path / "b.timer"
    for data in (b"first", b"second", b"third"):
        path.write_bytes(data)
        done = install([HookFile(path, b"ours")], is_forced=True)
        assert done[0].change is Change.REPLACED and done[0].kept is not None
        assert done[0].kept.read_bytes() == data
    assert _tree(tmp_path) == {
        "b.timer": b"ours",
        "b.timer.bak": b"first",
        "b.timer.bak2": b"second",
        "b.timer.bak3": b"third",
    }


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "b.timer").write_bytes(b"my own")
    files = [HookFile(tmp_path / "deep" / "a.service", b"one"), HookFile(tmp_path / "b.timer", b"ours")]
    done = install(files, is_forced=True, is_dry_run=True)
    assert [d.change for d in done] == [Change.WRITTEN, Change.REPLACED]
    assert all("would be" in d.line() for d in done)
    assert _tree(tmp_path) == {"b.timer": b"my own"} and not (tmp_path / "deep").exists()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "# mine", "0 1 * * * backup", "MAILTO=me", "* * * * * date +\\%s"])))
def test_a_crontab_keeps_its_own_lines_in_order_and_gets_ours_once(lines: list[str]) -> None:
    current = "".join(f"{line}\n" for line in lines)
    once = merge_crontab(current, OURS)
    assert merge_crontab(once, OURS) == once
    changed = merge_crontab(once, OURS.replace("30 2", "15 3"))
    assert changed.startswith(current)
    assert changed.count("slidebridge nightly") == 1 and "15 3 * * * slidebridge nightly" in changed.splitlines()


def test_a_beginning_mark_without_an_end_swallows_nothing() -> None:
    current = "# >>> slidebridge\n0 1 * * * backup\n"
    assert merge_crontab(current, OURS).startswith(current)


def _crontab(content: str | None, error: str = "") -> tuple[Answer, list[str]]:
    written: list[str] = []

    def run(command: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
        if command[1] == "-":
            written.append(given)
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", error)
        return subprocess.CompletedProcess(command, 0, content, "")

    return run, written


def test_a_crontab_that_has_our_part_is_not_written() -> None:
    run, written = _crontab(merge_crontab("0 1 * * * backup\n", OURS))
    assert install_crontab(OURS, run=run) is Change.SAME and is_in_crontab(run)
    assert written == []


def test_the_first_crontab_of_a_user() -> None:
    written: list[str] = []

    def run(command: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
        if command[1] == "-l":
            return subprocess.CompletedProcess(command, 1, "", "no crontab for expert\n")
        written.append(given)
        return subprocess.CompletedProcess(command, 0, "", "")

    assert not is_in_crontab(run)
    assert install_crontab(OURS, is_dry_run=True, run=run) is Change.WRITTEN and written == []
    assert install_crontab(OURS, run=run) is Change.WRITTEN and written == [merge_crontab("", OURS)]


def test_a_crontab_that_cannot_be_read_is_not_replaced_by_an_empty_one() -> None:
    run, written = _crontab(None, "crontab: you are not allowed to use this program\n")
    with pytest.raises(ConfigError, match="not allowed"):
        install_crontab(OURS, run=run)
    assert written == []


@pytest.mark.skipif(sys.platform == "win32", reason="no cron")
def test_force_puts_the_line_into_a_real_crontab_program(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = lab.root / "tab"
    program = lab.root / "crontab"
    program.write_text(CRONTAB.format(tab=tab))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{lab.root}:/usr/bin:/bin")
    printed = lab.run("hooks", "install", "cron", "--nightly", "2:05")
    assert printed.exit_code == 0 and f"--project {lab.root}" in printed.stdout and not tab.exists()
    for expected in ("written", "already there"):
        forced = lab.run("hooks", "install", "cron", "--nightly", "02:05", "--force")
        assert forced.exit_code == 0 and f"your crontab: {expected}" in forced.stdout
    assert tab.read_text().count("5 2 * * * ") == 1


def test_hooks_are_installed_and_listed_by_the_command(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERNAME", "expert")
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(variable, str(lab.root / "home"))
    for kind in ("systemd", "windows", "launchd"):
        done = lab.run("hooks", "install", kind, "--nightly", "02:30", "--to", str(lab.root / kind), "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert {Path(f["path"]) for f in told["files"]} == set((lab.root / kind).iterdir())
        assert told["next"]
    listed = json.loads(RUNNER.invoke(app, ["hooks", "list", "--json"]).stdout)["hooks"]
    assert {row["kind"] for row in listed} == {kind.value for kind in HookKind if belongs_here(kind)}
    assert not any(row["installed"] for row in listed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="systemd is Linux's")
def test_units_go_where_systemd_looks_for_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(lab.root / "config"))
    assert lab.run("hooks", "install", "systemd").exit_code == 0
    unit = lab.root / "config" / "systemd" / "user" / "slidebridge-watch.service"
    assert str(lab.root) in unit.read_text("utf-8")
    listed = json.loads(RUNNER.invoke(app, ["hooks", "list", "--json"]).stdout)["hooks"]
    assert [row["path"] for row in listed if row["installed"]] == [str(unit)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cron"], "add --nightly"),
        (["systemd", "--nightly", "25:00"], "'25:00' is no time of day"),
    ],
)
def test_what_is_missing_is_said(lab: Lab, arguments: list[str], said: str) -> None:
    result = lab.run("hooks", "install", *arguments, "--dry-run")
    assert result.exit_code == 1 and said in str(result.exception)


def test_files_for_another_system_are_only_written_where_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERNAME", "expert")
    other = next(kind for kind in HookKind if not belongs_here(kind))
    refused = lab.run("hooks", "install", other.value)
    assert refused.exit_code == 1 and "is for another system; here: qupath" in str(refused.exception)
    assert lab.run("hooks", "install", other.value, "--to", str(lab.root / "to")).exit_code == 0
    assert any((lab.root / "to").iterdir())


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_system_has_a_way_to_start_by_itself(platform: str) -> None:
    kinds = {kind for kind in HookKind if belongs_here(kind, platform)}
    assert len(kinds & {HookKind.SYSTEMD, HookKind.LAUNCHD, HookKind.WINDOWS}) == 1 and HookKind.QUPATH in kinds


def test_only_the_timer_and_the_daemon_are_switched_on() -> None:
    names = ("slidebridge-nightly.service", "slidebridge-nightly.timer", "slidebridge-watch.service")
    steps = next_steps(HookKind.SYSTEMD, [HookFile(Path("/u") / name, b"") for name in names])
    assert "systemctl --user enable --now slidebridge-nightly.timer slidebridge-watch.service" in steps
