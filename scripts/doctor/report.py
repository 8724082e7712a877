"""What the checks found, for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from scripts.plain_words import counted
from scripts.telling import Said, Tone


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # works, but not as one would wish
    PROBLEM = "problem"  # the loop will stumble here

    @property
    def word(self) -> str:
        """What people read."""
        return "note" if self is Level.WARNING else self.value


_TONES: Mapping[Level, Tone] = {Level.OK: Tone.GOOD, Level.WARNING: Tone.NOTE, Level.PROBLEM: Tone.BAD}
_WORD = 8  # characters of the level's word


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    check
        Its name, one or two words.
    text
        What was met, and where.
    cure
        What would mend it; empty where nothing is amiss, and where the text says it.
    trouble
        Key of what it is in the catalogue; empty where nothing is amiss.
    group
        What it is told with; empty for none.
    """

    check: str
    level: Level
    text: str
    cure: str = ""
    trouble: str = ""
    group: str = ""

    def line(self) -> str:
        """Say it in one line."""
        text = " ".join(self.text.split())
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.level.word:{_WORD}} {self.check}: {text}{cure}"


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def has_problems(self) -> bool:
        """Whether anything must be mended."""
        return any(finding.level is Level.PROBLEM for finding in self.findings)

    def as_json(self) -> Mapping[str, object]:
        """Return the findings for machines."""
        return {
            "problems": self._count(Level.PROBLEM),
            "warnings": self._count(Level.WARNING),
            "findings": [
                {
                    "check": f.check,
                    "level": f.level.value,
                    "text": f.text,
                    "cure": f.cure,
                    "trouble": f.trouble,
                    "group": f.group,
                }
                for f in self.findings
            ],
        }

    def lines(self) -> list[str]:
        """Return the findings for people."""
        return [said.text for said in self.said()]

    def said(self) -> Iterator[Said]:
        """Yield the findings for people, group by group, and how many there are."""
        for group in dict.fromkeys(finding.group for finding in self.findings):
            indent = "  " if group else ""
            if group:
                yield Said(group, Tone.HEAD)
            for finding in self.findings:
                if finding.group == group:
                    yield Said(indent + finding.line(), _TONES[finding.level], len(indent) + _WORD)
        tone = Tone.BAD if self.has_problems else Tone.NEXT
        yield Said(f"{self._counted(Level.PROBLEM)}, {self._counted(Level.WARNING)}", tone)

    def _counted(self, level: Level) -> str:
        return counted(self._count(level), level.word)

    def _count(self, level: Level) -> int:
        return Counter(finding.level for finding in self.findings)[level]


def ok(check: str, text: str, group: str = "") -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, text, group=group)


def warning(check: str, text: str, cure: str) -> Finding:
    """Return that something is not as one would wish."""
    return Finding(check, Level.WARNING, text, cure)


def problem(check: str, text: str, cure: str = "") -> Finding:
    """Return that something must be mended; messages of ours bring their cure with them."""
    return Finding(check, Level.PROBLEM, text, cure)


def all_or(findings: Iterable[Finding], good: Finding) -> tuple[Finding, ...]:
    """Return the findings, or that all is well if there are none."""
    return tuple(findings) or (good,)


def grouped(findings: Iterable[Finding], groups: Sequence[str]) -> tuple[Finding, ...]:
    """Return findings in the order of their groups; within one as they came."""
    order = {group: place for place, group in enumerate(groups)}
    return tuple(sorted(findings, key=lambda finding: order.get(finding.group, len(order))))
