"""How findings are told, and the catalogue that they and the documentation come from."""

from __future__ import annotations

import io
import json

from scripts.doctor import catalogue
from scripts.doctor.catalogue import GROUPS, TROUBLES
from scripts.doctor.report import DoctorReport, Level, grouped, ok
from scripts.telling import tell

_FOUND = (
    catalogue.DISK_LOW.found("3 MB\nleft"),
    ok("python", "3.11", catalogue.MACHINE),
    catalogue.NO_MPP.found("a.svs has none; set it", ""),
)


def _printed(report: DoctorReport, **environ: str) -> str:
    out = io.StringIO()
    tell(report.said(), out, environ)
    return out.getvalue()


def test_findings_are_told_by_group_one_line_each_and_counted() -> None:
    lines = _printed(DoctorReport(grouped(_FOUND, GROUPS))).splitlines()
    assert lines == [
        "This machine",
        "  ok       python: 3.11",
        "Slides",
        "  problem  mpp: a.svs has none; set it",
        "Records and disk",
        f"  note     disk space: 3 MB left; {catalogue.DISK_LOW.cure}",
        "1 problem, 1 note",
    ]


def test_only_problems_make_the_doctor_fail() -> None:
    assert not DoctorReport(_FOUND[:2]).has_problems
    assert DoctorReport(_FOUND).has_problems
    assert DoctorReport(_FOUND[:1]).lines()[-1] == "0 problems, 1 note"


def test_machines_are_told_which_trouble_it_is() -> None:
    told = json.loads(json.dumps(DoctorReport(_FOUND).as_json()))
    assert (told["problems"], told["warnings"]) == (1, 1)
    assert [f["trouble"] for f in told["findings"]] == ["disk-low", "", "no-resolution"]
    assert {f["level"] for f in told["findings"]} == {level.value for level in Level}
    assert told["findings"][0]["group"] == catalogue.RECORDS


def test_colours_are_for_those_who_want_them() -> None:
    report = DoctorReport(_FOUND)
    assert "\x1b" not in _printed(report) and "\x1b" not in _printed(report, NO_COLOR="1", FORCE_COLOR="1")
    assert "\x1b[31m" in _printed(report, FORCE_COLOR="1")


def test_each_trouble_is_told_in_whole_sentences() -> None:
    assert len({t.key for t in TROUBLES}) == len({t.title for t in TROUBLES}) == len(TROUBLES)
    for trouble in TROUBLES:
        assert trouble.group in GROUPS and trouble.level is not Level.OK
        assert trouble.key == trouble.key.lower() and " " not in trouble.key
        assert trouble.why.endswith(".") and trouble.title[0].isupper() and not trouble.title.endswith(".")
        assert trouble.cure[0].islower() and not trouble.cure.endswith(".")


def test_a_check_belongs_to_one_group() -> None:
    assert {(t.check, t.group) for t in TROUBLES} == set(catalogue.GROUP_OF.items())
