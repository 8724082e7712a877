"""The checks on a project, its slides and its annotations: facts in, findings out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

from bridge.annotations.unread import NO_AREA
from scripts.doctor import catalogue
from scripts.doctor.facts import ProjectFacts
from scripts.doctor.report import Finding, Level, all_or, ok
from scripts.doctor.state_checks import STATE_CHECKS
from scripts.plain_words import counted

Check = Callable[[ProjectFacts], tuple[Finding, ...]]


def check_source(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say whether the folder or project file can be listed, and holds slides."""
    if facts.source_problem is not None:
        return (catalogue.NO_SOURCE.found(facts.source_problem),)
    outside = [catalogue.LEFT_OUT.found(line) for line in facts.left_out]
    if not facts.slides:
        return (catalogue.NO_SLIDES.found(f"no slides in {facts.root}"), *outside)
    return (ok("source", f"{counted(len(facts.slides), 'slide')} in {facts.root}"), *outside)


def check_rights(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say where we may not write though we have to."""
    found = (catalogue.NOT_WRITABLE.found(f"{folder} can't be written") for folder in facts.read_only)
    return all_or(found, ok("write access", "to every folder of the project"))


def check_slides(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which slides are not where they should be, don't open, or are damaged; and which files have none."""
    return all_or(_slide_findings(facts), ok("slides", f"all {len(facts.slides)} found and opened"))


def _slide_findings(facts: ProjectFacts) -> Iterator[Finding]:
    for slide in facts.slides:
        if slide.slide_problem is not None:
            trouble = catalogue.NO_SLIDE if slide.is_lost else catalogue.BAD_SLIDE
            yield trouble.found(slide.slide_problem, "" if slide.is_lost else None)
        elif slide.damage is not None:
            yield catalogue.CUT_SLIDE.found(slide.damage)
    for path in facts.lonely:
        yield catalogue.LONELY_FILE.found(f"{path} has no slide beside it")
    for name in facts.gone:
        yield catalogue.GONE_SLIDE.found(f"{name} was learned from and is not in the project any more")


def check_mpp(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which slides have no resolution, or several."""
    found = [catalogue.NO_MPP.found(slide.mpp_problem, "") for slide in facts.slides if slide.mpp_problem is not None]
    found += [catalogue.ODD_MPP.found(text) for slide in facts.slides for text in slide.mpp_warnings]
    return all_or(found, ok("mpp", "known for every slide that opens"))


def check_classes(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which classes that people use are not in the scheme, which nobody uses, and which are alike."""
    if not facts.classes:
        return (catalogue.NO_CLASSES.found("the scheme is empty"),)
    found = [*_alike(facts), *_unknown(facts), *_unused(facts)]
    return all_or(found, ok("classes", f"{len(facts.classes)} in the scheme, all that is drawn is among them"))


def _alike(facts: ProjectFacts) -> Iterator[Finding]:
    """Yield names that differ by capitals or blanks only; what is mapped to a class is none of its own."""
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys([*facts.classes, *_counted(facts, "unknown")]):
        spellings["".join(name.split()).casefold()].append(name)
    for names in spellings.values():
        if len(names) > 1:
            yield catalogue.ALIKE_CLASSES.found(f"{' and '.join(map(repr, names))} differ by capitals or spaces only")


def _unknown(facts: ProjectFacts) -> Iterator[Finding]:
    for name, count in _counted(facts, "unknown").items():
        has_area = any(name in dict(slide.unknown) and name not in slide.only_points for slide in facts.slides)
        said = f"{name!r} of {counted(count, 'object')} is not in the scheme"
        found = catalogue.UNKNOWN_CLASS.found(said, None if has_area else NO_AREA)
        yield replace(found, level=Level.PROBLEM) if facts.is_strict else found


def _unused(facts: ProjectFacts) -> Iterator[Finding]:
    used = _counted(facts, "used")
    if used:  # before the first drawing that says nothing
        unused = [name for name in facts.classes if name not in used]
        yield from (catalogue.UNUSED_CLASS.found(f"{name!r} has no object on any slide") for name in unused)


def _counted(facts: ProjectFacts, which: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for slide in facts.slides:
        counts.update(dict(getattr(slide, which)))
    return counts


def check_files(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which annotation files can't be read, or not be written without changing what people drew."""
    files, objects = sum(slide.has_file for slide in facts.slides), sum(slide.objects for slide in facts.slides)
    read = f"{counted(files, 'annotation file')} read, {counted(objects, 'object')}"
    good = ok("files", f"{read}, each file reproduced")
    return all_or(_file_findings(facts), good)


def _file_findings(facts: ProjectFacts) -> Iterator[Finding]:
    for slide in facts.slides:
        if slide.no_file is not None:
            yield catalogue.NOT_A_FILE.found(slide.no_file)
        elif slide.file_problem is not None:
            yield catalogue.BAD_FILE.found(slide.file_problem)
        elif slide.write_problem is not None:
            yield catalogue.UNSAFE_FILE.found(slide.write_problem)


def check_saves(facts: ProjectFacts) -> tuple[Finding, ...]:
    """Say which saves are going on, or were cut."""
    found = (catalogue.OPEN_SAVE.found(slide.blocker) for slide in facts.slides if slide.blocker is not None)
    return all_or(found, ok("saves", "none unfinished"))


PROJECT_CHECKS: tuple[Check, ...] = (
    check_source,
    check_rights,
    check_slides,
    check_mpp,
    check_classes,
    check_files,
    check_saves,
    *STATE_CHECKS,
)
