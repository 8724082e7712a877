"""The checks on a project: facts in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from scripts.doctor.facts import ProjectFacts
from scripts.doctor.report import Finding, all_or, ok, problem, warning

Check = Callable[[ProjectFacts], tuple[Finding, ...]]

_MB = 10**6
_LITTLE_BYTES = 1000 * _MB  # backups, checkpoints and tiles need some
_TOO_LITTLE_BYTES = 100 * _MB


def check_source(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the folder or project file can be listed, and holds slides."""
    if facts.source_problem is not None:
        return (problem("source", facts.source_problem),)
    if not facts.slides:
        cure = "put slides into the folder, or add them in QuPath"
        return (warning("source", f"no slides in {facts.root}", cure),)
    return (ok("source", f"{len(facts.slides)} slides in {facts.root}"),)


def check_slides(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which slides are not where they should be, or don't open."""
    found = (problem("slides", slide.slide_problem) for slide in facts.slides if slide.slide_problem is not None)
    return all_or(found, ok("slides", f"all {len(facts.slides)} found and opened"))


def check_mpp(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which slides have no resolution, or several."""
    found = [problem("mpp", slide.mpp_problem) for slide in facts.slides if slide.mpp_problem is not None]
    cure = "if the slide is right, mend the calibration; else set [slides.mpp_of]"
    found += [warning("mpp", text, cure) for slide in facts.slides for text in slide.mpp_warnings]
    return all_or(found, ok("mpp", "known for every slide that opens"))


def check_classes(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which classes that people use are not in the scheme."""
    if not facts.classes:
        return (problem("classes", "the scheme is empty", "add your classes to [classes.colors]"),)
    unknown: Counter[str] = Counter()
    for slide in facts.slides:
        unknown.update(dict(slide.unknown))
    cure = "add it to [classes.colors], or map it in [classes.map]"
    found = (warning("classes", f"{name!r} of {n} objects is not in the scheme", cure) for name, n in unknown.items())
    return all_or(found, ok("classes", f"{facts.classes} in the scheme, all that is drawn is among them"))


def check_files(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which annotation files can't be read, or not be written without changing what people drew."""
    found = list(_file_findings(facts))
    files, objects = sum(slide.has_file for slide in facts.slides), sum(slide.objects for slide in facts.slides)
    return all_or(found, ok("files", f"{files} annotation files read, {objects} objects, each file reproduced"))


def _file_findings(facts: ProjectFacts) -> Iterator[Finding]:
    for slide in facts.slides:
        if slide.file_problem is not None:
            yield problem("files", slide.file_problem)
        elif slide.write_problem is not None:
            yield problem("files", slide.write_problem)


def check_saves(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which saves are going on, or were cut."""
    found = (problem("saves", slide.blocker) for slide in facts.slides if slide.blocker is not None)
    return all_or(found, ok("saves", "none unfinished"))


def check_model(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the network that is set can be begun."""
    found = (problem("model", text) for text in [facts.model_problem] if text is not None)
    return all_or(found, ok("model", "design, encoder and weights go together"))


def check_stray(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which temporary files of ours are left from a crash."""
    cure = "run slidebridge sync: it finishes or undoes the write"
    found = (warning("stray files", f"{path} is left from a write that was cut off", cure) for path in facts.stray)
    return all_or(found, ok("stray files", "none"))


def check_space(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the disk has room for backups and checkpoints."""
    text = f"{facts.free_bytes / _MB:,.0f} MB free for {facts.root}"
    if facts.free_bytes < _TOO_LITTLE_BYTES:
        return (problem("disk space", text, "make room before the next sync"),)
    if facts.free_bytes < _LITTLE_BYTES:
        return (warning("disk space", text, "make room: backups and checkpoints grow"),)
    return (ok("disk space", text),)


def check_rights(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say where we may not write though we have to."""
    cure = "mend the folder's permissions; nothing can be written back there"
    found = (problem("write access", f"{folder} can't be written", cure) for folder in facts.read_only)
    return all_or(found, ok("write access", "to every folder of the project"))


PROJECT_CHECKS: tuple[Check, ...] = (
    check_source,
    check_slides,
    check_mpp,
    check_classes,
    check_model,
    check_files,
    check_saves,
    check_stray,
    check_space,
    check_rights,
)
