"""All checks, one after another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bridge.errors import ConfigError
from scripts.config import FILE_NAME, Settings
from scripts.doctor import catalogue
from scripts.doctor.environment import Machine, environment_findings
from scripts.doctor.facts import gather, names_of
from scripts.doctor.project_checks import PROJECT_CHECKS
from scripts.doctor.report import DoctorReport, Finding, grouped, ok
from scripts.progress import Progress
from scripts.project import Project, open_project


def examine(
    path: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    progress: Progress | None = None,
    machine: Machine | None = None,
    now: datetime | None = None,
    user: Path | None = None,
) -> DoctorReport:
    """Look at this machine and at the project that a path belongs to; nothing is written.

    No project is no problem; one whose settings are wrong is a finding like any other.

    Parameters
    ----------
    machine
        None for this one.
    now
        None for now.
    user
        As in ``open_store``.
    """
    machine = machine or Machine(environ)
    try:
        project = open_project(path, environ)
    except ConfigError as error:
        return _report(*environment_findings(Settings(), machine), _unopened(path, error))
    findings = _project_findings(project, environ, progress, now or datetime.now(UTC), user)
    return _report(*environment_findings(project.settings, machine), *findings)


def _report(*findings: Finding) -> DoctorReport:
    """Put the findings into their groups."""
    in_group = (replace(f, group=f.group or catalogue.GROUP_OF.get(f.check, "")) for f in findings)
    return DoctorReport(grouped(in_group, catalogue.GROUPS))


def _unopened(path: Path, error: ConfigError) -> Finding:
    folder = path.resolve()
    if any((candidate / FILE_NAME).is_file() for candidate in (folder, *folder.parents)):
        return catalogue.WRONG_SETTINGS.found(str(error))
    return ok("project", f"none at {folder}; name one with --project, or make one with slidebridge new")


def _project_findings(
    project: Project, environ: Mapping[str, str], progress: Progress | None, now: datetime, user: Path | None
) -> tuple[Finding, ...]:
    facts = gather(project, now, progress=progress, environ=environ, user=user)
    checks = PROJECT_CHECKS if facts.source_problem is None else PROJECT_CHECKS[:1]
    hide = names_of(project).hide
    found = (finding for check in checks for finding in check(facts))
    return tuple(replace(finding, text=hide(finding.text)) for finding in found)
