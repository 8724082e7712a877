"""What the numbers of ``deepzoom`` say: the claim, and each setting's expectation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.metrics import Spread
from scripts.experiments.comparisons.experiment import Reading, Result, spread_of
from scripts.experiments.settings import Stance
from scripts.tables import said

ONE, TWO = "one network", "DeepZoom"
FASTER, MOST_LOST = 3.0, 0.01
_AS_SLOW = 1.1  # times faster: within what two runs of one program differ by


def read_setting(stance: Stance, results: Sequence[Result]) -> Reading:
    """Hold one setting's results against the claim and against what was expected of it."""
    if not results:
        return Reading(stance.value, None, "No unit was run.")
    evidence = _Evidence.of(results)
    unexpected = evidence.unexpected(stance)
    account = f"{evidence} Expected and not so: {', '.join(unexpected)}." if unexpected else str(evidence)
    return Reading(stance.value, evidence.holds(), account, not unexpected)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The differences that decide, paired within seeds."""

    faster: Spread
    pixel: Spread
    object: Spread
    one_false: Spread
    two_false: Spread
    object_sd: float

    @classmethod
    def of(cls, results: Sequence[Result]) -> _Evidence:
        one = spread_of(results, f"{ONE}: object F1")
        return cls(
            spread_of(results, "times faster"),
            _difference(results, "pixel F1"),
            _difference(results, "object F1"),
            spread_of(results, f"{ONE}: false positives"),
            spread_of(results, f"{TWO}: false positives"),
            0.0 if one.sd != one.sd else one.sd,
        )

    @property
    def keeps_f1(self) -> bool:
        """Neither F1 is lower by more than is claimed."""
        return min(self.pixel.mean, self.object.mean) >= -MOST_LOST

    def holds(self) -> bool:
        """Say whether the whole claim holds."""
        return self.faster.mean >= FASTER and self.keeps_f1 and self.two_false.mean < self.one_false.mean

    def unexpected(self, stance: Stance) -> list[str]:
        """Return what went otherwise than the setting's expectation has it."""
        allowed = max(1.0, 0.25 * self.one_false.mean)
        about_as_many = ("about as many false positives", abs(self.two_false.mean - self.one_false.mean) <= allowed)
        match stance:
            case Stance.FAVOURABLE:
                expected = [("all that is claimed", self.holds())]
            case Stance.MEDIUM:
                within = abs(self.object.mean) <= max(MOST_LOST, self.object_sd)
                speed = ("1.5 to 3 times faster", 1.5 <= self.faster.mean <= FASTER)
                expected = [speed, ("F1 as of one network, within its sd", within), about_as_many]
            case Stance.ADVERSE:
                expected = [("as slow as one network or slower", self.faster.mean <= _AS_SLOW), about_as_many]
        return [what for what, is_so in expected if not is_so]

    def __str__(self) -> str:
        return (
            f"{said(self.faster, 2)} times faster (claimed: {FASTER:g}); F1 changes by {said(self.pixel, 3, '+')} of"
            f" pixels and {said(self.object, 3, '+')} of objects (claimed: no worse than {-MOST_LOST});"
            f" {said(self.two_false, 1)} false positives per slide against {said(self.one_false, 1)} (claimed:"
            " fewer)."
        )


def _difference(results: Sequence[Result], number: str) -> Spread:
    return Spread.of(r.numbers[f"{TWO}: {number}"] - r.numbers[f"{ONE}: {number}"] for r in results)
