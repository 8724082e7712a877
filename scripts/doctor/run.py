"""All checks, one after another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bridge.errors import ConfigError
from bridge.qupath.paquo_backend import PaquoOptions
from scripts.config import FILE_NAME
from scripts.doctor.environment import environment_findings
from scripts.doctor.facts import gather
from scripts.doctor.project_checks import PROJECT_CHECKS
from scripts.doctor.report import DoctorReport, Finding, ok, problem
from scripts.options import TrainOptions
from scripts.project import Project, open_project


def examine(path: Path, environ: Mapping[str, str] = os.environ) -> DoctorReport:
    """Look at this machine and at the project that a path belongs to; nothing is written.

    No project is no problem; one whose settings are wrong is a finding like any other.
    """
    try:
        project = open_project(path, environ)
    except ConfigError as error:
        machine = environment_findings(PaquoOptions(), TrainOptions().device, environ)
        return DoctorReport((*machine, _unopened(path, error)))
    settings = project.settings
    machine = environment_findings(settings.qupath, settings.train.device, environ)
    return DoctorReport((*machine, *_project_findings(project)))


def _unopened(path: Path, error: ConfigError) -> Finding:
    folder = path.resolve()
    if any((candidate / FILE_NAME).is_file() for candidate in (folder, *folder.parents)):
        return problem("project", str(error))
    return ok("project", f"none at {folder}; name one with --project, or make one with slidebridge new")


def _project_findings(project: Project) -> tuple[Finding, ...]:
    facts = gather(project)
    checks = PROJECT_CHECKS if facts.source_problem is None else PROJECT_CHECKS[:1]
    return tuple(finding for check in checks for finding in check(facts))
