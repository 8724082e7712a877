"""What a pass did, for machines and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.loop.costs import CostAccount
from scripts.loop.learn import Learned
from scripts.loop.pull import Pulled, SlideProblem
from scripts.loop.push import Pushed, SlidePushed
from scripts.plain_words import counted

_NO_MODEL = "there is no model yet: label a few boxes, then `slidebridge train`"


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass did."""

    pulled: Pulled
    learned: Learned | None = None
    pushed: Pushed | None = None
    seconds: float = 0.0
    is_dry_run: bool = False
    recovered: tuple[str, ...] = field(default=())

    @property
    def problems(self) -> tuple[SlideProblem, ...]:
        """Slides that failed, whatever the step."""
        return (*self.pulled.problems, *(self.pushed.problems if self.pushed else ()))

    @property
    def has_failed(self) -> bool:
        """Whether anything failed: a slide, or the training."""
        return bool(self.problems) or (self.learned is not None and self.learned.is_failed)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "slides": len(self.pulled.slides),
            "labelled_slides": sum(not plan.is_empty for plan in self.pulled.plans),
            "warnings": list(self.pulled.warnings),
            "problems": {p.entry.name: p.message for p in self.problems},
            "recovered": list(self.recovered),
            "learned": self.learned.as_json() if self.learned else None,
            "written": [_pushed_json(s) for s in self.pushed.slides] if self.pushed else [],
            "prediction": self.cost.as_json(),
            "dry_run": self.is_dry_run,
            "seconds": round(self.seconds, 3),
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        labelled = sum(not plan.is_empty for plan in self.pulled.plans)
        read = f"{counted(len(self.pulled.slides), 'slide')} read, {labelled} labelled"
        lines = [*self.recovered, read, *self.pulled.warnings]
        if self.learned:
            lines += [self.learned.line(), *self.learned.warnings]
        if self.pushed:
            lines += [_pushed_line(s, has_model=self.pushed.has_champion) for s in self.pushed.slides]
            lines += [f"{s.name}: {warning}" for s in self.pushed.slides for warning in s.warnings]
            if not self.pushed.slides:
                lines.append("nothing to write" if self.pushed.has_champion else f"nothing to write; {_NO_MODEL}")
        lines += [f"failed: {p.message}" for p in self.problems]
        return lines

    @property
    def cost(self) -> CostAccount:
        """Of predicting the slides that were predicted for it."""
        return CostAccount(self.pushed.costs if self.pushed is not None else ())


def _pushed_json(pushed: SlidePushed) -> Mapping[str, object]:
    summary = pushed.summary
    return {
        "slide": pushed.name,
        "predictions": summary.written if summary else None,
        "as_detections": summary.as_detections if summary else None,
        "proposals": [p.text for p in pushed.proposals],
        "made_plain": pushed.promoted,
        "shortage": pushed.shortage,
        "written": pushed.is_written,
        "warnings": list(pushed.warnings),
    }


def _pushed_line(pushed: SlidePushed, *, has_model: bool) -> str:
    parts = []
    if pushed.summary and (pushed.summary.written or has_model):  # nobody waits for predictions before the first model
        detections = f" ({pushed.summary.as_detections} as detections)" if pushed.summary.as_detections else ""
        parts.append(f"{counted(pushed.summary.written, 'prediction')}{detections}")
    if pushed.proposals or pushed.shortage:
        shortage = f" ({pushed.shortage})" if pushed.shortage else ""
        parts.append(counted(len(pushed.proposals), "proposal") + shortage)
    if pushed.promoted:
        parts.append(f"{pushed.promoted} accepted or corrected made plain")
    verb = "written" if pushed.is_written else "would be written"
    return f"{pushed.name}: {', '.join(parts) or 'marker only'} {verb}"
