"""From a world whose daemon has stopped to a judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.store import JobRecord
from scripts.bench.daemon.evidence import Evidence, gather
from scripts.bench.daemon.judge import Demands, Finding, judge, summary
from scripts.bench.daemon.measure import measured_champions
from scripts.bench.daemon.running import store_complaints
from scripts.bench.daemon.world import Place, Tool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and the evidence for it."""

    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        lines = [*summary(self.evidence), *(f"FAULT {finding}" for finding in self.findings)]
        return "\n".join([*lines, "no fault found" if self.is_good else f"{len(self.findings)} faults"])


def judged(
    places: Sequence[Place], demands: Demands, earlier_jobs: Mapping[Tool, Sequence[JobRecord]] | None = None
) -> Verdict:
    """Gather the evidence of every project and judge it; ``earlier_jobs`` were seen while the daemon ran."""
    complaints = store_complaints(places)
    evidence = tuple(
        gather(
            place,
            earlier_jobs=(earlier_jobs or {}).get(place.tool, ()),
            dice=[champion.dice for champion in measured_champions(place)],
            problems=complaints[place.tool.value],
        )
        for place in places
    )
    return Verdict(judge(evidence, demands), evidence)
