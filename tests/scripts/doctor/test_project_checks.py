"""The checks on a project: facts in, findings out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import SlideEntry
from scripts.doctor import project_checks
from scripts.doctor.facts import ProjectFacts, SlideFacts
from scripts.doctor.project_checks import PROJECT_CHECKS
from scripts.doctor.report import DoctorReport, Level

_ENTRY = SlideEntry("1", "a.svs", Path("a.svs"), Path("a.xml"))
_SLIDE = SlideFacts(_ENTRY, has_file=True, objects=3)
_FACTS = ProjectFacts(Path("/p"), (_SLIDE,), classes=2, free_bytes=10**12)


def _levels(facts: ProjectFacts) -> dict[str, Level]:
    worst: dict[str, Level] = {}
    order = [Level.OK, Level.WARNING, Level.PROBLEM]
    for finding in (finding for check in PROJECT_CHECKS for finding in check(facts)):
        worst[finding.check] = max(worst.get(finding.check, Level.OK), finding.level, key=order.index)
    return worst


def test_a_sound_project_has_one_good_line_a_check() -> None:
    findings = [finding for check in PROJECT_CHECKS for finding in check(_FACTS)]
    assert len(findings) == len(PROJECT_CHECKS)
    assert {finding.level for finding in findings} == {Level.OK}


@pytest.mark.parametrize(
    ("check", "level", "slide", "project"),
    [
        ("source", Level.WARNING, {}, {"slides": ()}),
        ("slides", Level.PROBLEM, {"slide_problem": "slide a.svs is not there; move it"}, {}),
        ("mpp", Level.PROBLEM, {"mpp_problem": "a.svs has no mpp; set it"}, {}),
        ("mpp", Level.WARNING, {"mpp_warnings": ("a.svs: 0.5 here, 0.25 there",)}, {}),
        ("classes", Level.PROBLEM, {}, {"classes": 0}),
        ("classes", Level.WARNING, {"unknown": (("Tumour", 7),)}, {}),
        ("model", Level.PROBLEM, {}, {"model_problem": "there is no weights file at w.pth; correct it"}),
        ("files", Level.PROBLEM, {"file_problem": "a.xml: cut; save it again"}, {}),
        ("files", Level.PROBLEM, {"write_problem": "a.xml: not reproduced"}, {}),
        ("saves", Level.PROBLEM, {"blocker": "a.xml: .bkp beside it"}, {}),
        ("stray files", Level.WARNING, {}, {"stray": (Path("/p/.slidebridge-x.tmp"),)}),
        ("disk space", Level.WARNING, {}, {"free_bytes": 500 * 10**6}),
        ("disk space", Level.PROBLEM, {}, {"free_bytes": 10**6}),
        ("write access", Level.PROBLEM, {}, {"read_only": (Path("/p/slides"),)}),
    ],
)
def test_each_fault_raises_its_own_check_and_no_other(
    check: str, level: Level, slide: dict[str, Any], project: dict[str, Any]
) -> None:
    levels = _levels(replace(_FACTS, **{"slides": (replace(_SLIDE, **slide),), **project}))
    assert {name: found for name, found in levels.items() if found is not Level.OK} == {check: level}


def test_a_class_is_named_once_with_all_its_objects() -> None:
    slides = tuple(replace(_SLIDE, unknown=(("Tumour", n),)) for n in (2, 5))
    (finding,) = project_checks.check_classes(replace(_FACTS, slides=slides))
    assert "'Tumour' of 7 objects" in finding.text and "[classes.map]" in finding.cure


def test_only_problems_make_the_doctor_fail() -> None:
    warned = replace(_FACTS, free_bytes=500 * 10**6)
    assert not DoctorReport(project_checks.check_space(warned)).has_problems
    report = DoctorReport(project_checks.check_space(replace(_FACTS, free_bytes=0)))
    assert report.has_problems and report.as_json()["problems"] == 1
    assert report.lines()[-1] == "1 problems, 0 warnings"
