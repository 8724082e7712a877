"""What the checks found, for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # works, but not as one would wish
    PROBLEM = "problem"  # the loop will stumble here


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
        What would mend it; empty where nothing is amiss.
    """

    check: str
    level: Level
    text: str
    cure: str = ""

    def line(self) -> str:
        """Say it in one line."""
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.level.value:8} {self.check}: {self.text}{cure}"


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
                {"check": f.check, "level": f.level.value, "text": f.text, "cure": f.cure} for f in self.findings
            ],
        }

    def lines(self) -> list[str]:
        """Return the findings for people."""
        summary = f"{self._count(Level.PROBLEM)} problems, {self._count(Level.WARNING)} warnings"
        return [*(finding.line() for finding in self.findings), summary]

    def _count(self, level: Level) -> int:
        return Counter(finding.level for finding in self.findings)[level]


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, cure: str) -> Finding:
    """Return that something is not as one would wish."""
    return Finding(check, Level.WARNING, text, cure)


def problem(check: str, text: str, cure: str = "") -> Finding:
    """Return that something must be mended; messages of ours bring their cure with them."""
    return Finding(check, Level.PROBLEM, text, cure)


def all_or(findings: Iterable[Finding], good: Finding) -> tuple[Finding, ...]:
    """Return the findings, or that all is well if there are none."""
    return tuple(findings) or (good,)
