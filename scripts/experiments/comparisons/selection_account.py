"""What the numbers of simulations say of adaptive selection: from results alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from models.active import SelectionMethod
from models.metrics import Spread
from models.simulation import CycleStep
from scripts.experiments.comparisons.experiment import Numbers, Reading, Result
from scripts.experiments.settings import Stance
from scripts.simulation import Arm, Curve, Simulated
from scripts.simulation.account import differences_said, name_of
from scripts.simulation.efficiency import differences, least_dependent, size_dependence
from scripts.simulation.reached import step_name
from scripts.tables import said

ADAPTIVE, STANDARD, RANDOM = SelectionMethod.ADAPTIVE, SelectionMethod.STANDARD, SelectionMethod.RANDOM
_LEVEL = 0.99
_TWO_THIRDS, _A_FIFTH, _HALF_MORE = 2 / 3, 0.2, 1.5  # of annotated tissue: what the settings expect
_FULL, _BAR = "full", " | "
_VALUES = ("annotated_share", "miou", "clicks", "seconds", "regions")

ACCOUNT = """Qiu et al. ask for regions of a slide, learn from what is annotated in them, and ask again: at
**random**, the l × l squares of the largest summed uncertainty (**standard**), rectangles of the same area
(**standard nonsquare**), or the bounding box of an uncertain area in a size of its own, from l²/4 to 9l²/4
(**adaptive**, theirs). Claims: adaptive needs no more annotated tissue than standard for any (l, k), and depends less
on l (their Fig. 4, Table 1).

*Slides.* Per setting {train} slides are revealed and {test} judge, the same for all seeds; a slide is cut into cells of
{cell_um:g} µm. Real pictures: MoNuSeg's nuclei, 14 pictures revealed and 7 of other patients judging, 250 µm a side, in
cells of 4 µm (half a nucleus), all of a picture counting as tissue. It is a frame of another kind: what is looked for
lies everywhere, a region of as many cells is a sixteenth as wide, and no picture is without it. *Loop.* The slides in
{subsets} subsets, one a cycle, {cycles} cycles; 30 % of the slides, evenly of centres (organs), validate and are
annotated alike (4); the first boxes are random, and each seed's are the same for all methods; a tenth of any box's
cells hold tissue (the paper asks that of random ones). Every cycle trains from scratch: a small head on what
EfficientNet-Lite0 with ImageNet weights, frozen, sees at {mpp:g} µm per pixel (the paper trains a whole network for
hours; frozen features bound what full annotation reaches), choosing the weights of the least
validation loss. l: {sizes} cells; k: {ks}.

*Scores.* mIoU: mean over test slides of the intersection over union of the class. The table gives the annotated share
of all tissue at the end of the first cycle whose mIoU is 99 %, or all, of that of the same seed's model that learned
from everything: mean ± sd over seeds; where only some seeds got there the mean is theirs, and their number is said; /
where none did. A first cycle at a level may be luck: no level is held to be kept afterwards, as in the paper. *At
least as good* is judged by the mean mIoU over the range of annotated shares that two curves have in common, within
each seed: not worse by more than the sd of these differences. *Depends less* is judged by the largest less the
smallest of these means over l, at one k and seed, where all methods' curves have a range in common: smaller on
average, by however little."""


def numbers_of(found: Simulated) -> Numbers:
    """Return the runs of one seed by name: ``ARM | CYCLE | VALUE``, and the level of full annotation."""
    (level,) = found.full.values()
    numbers = {_FULL: level}
    for curve in found.curves:
        for step in curve.steps:
            head = f"{curve.arm.name}{_BAR}{step.cycle}{_BAR}"
            numbers |= {head + value: float(getattr(step, value)) for value in _VALUES}
    return numbers


def simulated_of(results: Sequence[Result], arms: Sequence[Arm]) -> Simulated:
    """Return what `numbers_of` told, of several seeds; arms that no result has are left out."""
    curves = [
        Curve(arm, int(result.unit.inputs["seed"]), steps)
        for result in results
        for arm in arms
        if (steps := _steps(result.numbers, arm))
    ]
    return Simulated(tuple(curves), {int(r.unit.inputs["seed"]): r.numbers[_FULL] for r in results})


def read_claims(found: Mapping[str, Simulated], stances: Mapping[str, Stance]) -> list[Reading]:
    """Say for each collection of slides whether adaptive is at least as good as standard for every (l, k).

    Parameters
    ----------
    found
        Collection of slides → runs.
    stances
        Of the settings among them; of others nothing was expected.
    """
    return [_read(name, simulated, stances.get(name)) for name, simulated in found.items()]


def read_robustness(found: Mapping[str, Simulated], stances: Mapping[str, Stance]) -> list[Reading]:
    """Say for each collection whether adaptive depends on l less than standard does."""
    return [_read_sizes(name, simulated, stances.get(name)) for name, simulated in found.items()]


def share_at(found: Simulated, arm: Arm, level: float = _LEVEL) -> float:
    """Return the mean annotated share at which a level is reached; infinite where any seed never does."""
    reached = found.reached(arm, level)
    shares = [step.annotated_share if step is not None else math.inf for step in reached]
    return sum(shares) / len(shares) if shares else math.inf


def _read(name: str, found: Simulated, stance: Stance | None) -> Reading:
    compared = differences(found, ADAPTIVE, STANDARD)
    measured = [d for d in compared if d.gain.count]
    worse = [step_name(d.step, None) for d in measured if d.is_worse]
    verdict = not worse if len(measured) == len(compared) and measured else (False if worse else None)
    others = [_beside(found, other) for other in (SelectionMethod.STANDARD_NONSQUARE, RANDOM)]
    evidence = (
        f"Mean mIoU of adaptive less standard on common ranges of annotated tissue: {differences_said(compared, None)};"
        f" worse by more than its sd at {', '.join(worse) or 'none'}.{''.join(others)}"
        f" At 99 % of full annotation ({said(found.full_level)}): {_shares_said(found)}."
    )
    expected = None if stance is None else _EXPECTED[stance](found)
    return Reading(f"{name}, adaptive at least as good as standard", verdict, evidence, expected)


def _beside(found: Simulated, other: SelectionMethod) -> str:
    gains = [d.gain.mean for d in differences(found, ADAPTIVE, other) if d.gain.count]
    mean = Spread.of(gains)
    return f" Less {name_of(other)}, mean over (l, k): {mean.mean:+.3f}." if mean.count else ""


def _shares_said(found: Simulated) -> str:
    parts = []
    for step in _steps_of(found):
        both = [(m, Arm(m, step[1], step[0])) for m in (ADAPTIVE, STANDARD)]
        told = " against ".join(f"{name_of(m)} {_share_said(found, arm)}" for m, arm in both)
        parts.append(f"{step_name(step, None)}: {told}")
    return "; ".join(parts)


def _read_sizes(name: str, found: Simulated, stance: Stance | None) -> Reading:
    methods = [method for method in SelectionMethod if any(arm.method is method for arm in found.arms)]
    spreads = {method: size_dependence(found, method) for method in methods}
    is_measured = bool(spreads[ADAPTIVE].count and spreads[STANDARD].count)
    verdict = spreads[ADAPTIVE].mean < spreads[STANDARD].mean if is_measured else None
    least = least_dependent(found, methods)
    listed = ", ".join(f"{name_of(method)} {said(spread)}" for method, spread in spreads.items() if spread.count)
    evidence = (
        f"Largest less smallest mean mIoU over l, at one k, seed and range of annotated tissue: {listed};"
        f" least: {name_of(least)}."
        if least is not None
        else "No k and seed has a range of annotated tissue that all its curves pass through."
    )
    expected = None if stance is None or verdict is None else verdict is (stance is not Stance.ADVERSE)
    return Reading(f"{name}, adaptive depends less on l than standard", verdict, evidence, expected)


def _expected_less(found: Simulated) -> bool:
    """Say whether 99 % takes no more tissue than standard's anywhere, two thirds at the largest l, and grows little."""
    largest = max(size for _, size in _steps_of(found))
    for k, size in _steps_of(found):
        ours, theirs = (share_at(found, Arm(method, size, k)) for method in (ADAPTIVE, STANDARD))
        if math.isinf(ours) or ours > theirs or (size == largest and ours > _TWO_THIRDS * theirs):
            return False
    return all(growth < _HALF_MORE for growth in _growths(found))


def _expected_alike(found: Simulated) -> bool:
    """Say whether 99 % takes adaptive and standard the same tissue, by a fifth, everywhere."""
    for k, size in _steps_of(found):
        ours, theirs = (share_at(found, Arm(method, size, k)) for method in (ADAPTIVE, STANDARD))
        if math.isinf(ours) or math.isinf(theirs) or abs(ours - theirs) > _A_FIFTH * max(ours, theirs):
            return False
    return True


def _expected_nothing(found: Simulated) -> bool:
    """Say whether adaptive gains nothing: its mean mIoU is above standard's by more than the sd at no (l, k)."""
    compared = [d.gain for d in differences(found, ADAPTIVE, STANDARD) if d.gain.count]
    return bool(compared) and not any(gain.count > 1 and gain.mean > gain.sd for gain in compared)


_EXPECTED: Mapping[Stance, Callable[[Simulated], bool]] = MappingProxyType(
    {Stance.FAVOURABLE: _expected_less, Stance.MEDIUM: _expected_alike, Stance.ADVERSE: _expected_nothing}
)


def _growths(found: Simulated) -> list[float]:
    """Return by how much adaptive's annotated tissue at 99 % grows from the smallest to the largest l, for each k."""
    steps = _steps_of(found)
    least, most = (pick(size for _, size in steps) for pick in (min, max))
    ks = sorted({k for k, _ in steps})
    return [share_at(found, Arm(ADAPTIVE, most, k)) / share_at(found, Arm(ADAPTIVE, least, k)) for k in ks]


def _steps_of(found: Simulated) -> list[tuple[int, int]]:
    return sorted({arm.step for arm in found.arms})


def _share_said(found: Simulated, arm: Arm) -> str:
    share, reached = share_at(found, arm), found.reached(arm, _LEVEL)
    count = sum(step is not None for step in reached)
    if 0 < count < len(reached):
        return f"in {count} of {len(reached)} seeds"
    return f"{100 * share:.1f} %" if count else "never"


def _steps(numbers: Numbers, arm: Arm) -> tuple[CycleStep, ...]:
    """Return an arm's cycles, in order; without the boxes, which no number holds."""
    steps: list[CycleStep] = []
    while f"{arm.name}{_BAR}{len(steps)}{_BAR}miou" in numbers:
        head = f"{arm.name}{_BAR}{len(steps)}{_BAR}"
        share, miou, clicks, seconds, regions = (numbers[head + value] for value in _VALUES)
        steps.append(CycleStep(len(steps), share, {}, miou, clicks, seconds, int(regions)))
    return tuple(steps)
