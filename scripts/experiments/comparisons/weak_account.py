"""What the weak experiment's numbers say: table, figure, readings; from results alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from models.data.weak_subsets import WeakSetting
from models.metrics import Spread
from scripts.experiments.comparisons.experiment import Reading, Result
from scripts.experiments.settings import Setting, Stance
from scripts.figures import bars, new_figure
from scripts.tables import Cell, Table

ACCOUNT = """Ciga and Martel's claim is that patch labels, which cost a click, raise the F1 of a segmentation learned
from few masks. As in their section 3.3, wholly labelled training pictures are cut into tiles; one of at least 90 %
one class gives a patch label, one of exactly two classes a mask, all others nothing. **S** learns from ⌊s·n⌋ of n
masks, **S+C** also from n − ⌊s·n⌋ of n labels, **S+C\\*** from all labels; one seed draws the same masks for all
three. The gain is paired by seed: an arm's F1 less that of S with the same masks, seed and pictures.

*Budget, the same for all arms:* {steps} steps of {batch} tiles of 64 × 64 pixels (S: masks only; the others: half
masks, half labels), the net of the design `weak` on `efficientnet_lite0` with ImageNet weights (the paper's
`resnet18` has none here), AdamW at {rate:g} (encoder {encoder:g}), falling over the steps, the mean of the last
weights kept, tiles drawn evenly as in the paper, both losses weighed by inverse frequency. No number was chosen by
test scores. An arm with labels makes a forward pass more per step, over as many tiles.

*Pictures.* `nuclei`: MoNuSeg, 14 pictures train and 7 of other patients judge, the middle 256 × 256 pixels of each,
enlarged 4 times (in larger tiles hardly a nucleus covers 90 %, and no label of nuclei would be left); `islets`:
photographs of stained islets of Langerhans, one of each of two kinds judges, drawn by the seed; a setting's slides of
{side} × {side} pixels of 1 µm, four train and two judge, tiles with less than 75 % tissue left out. Every pixel of
the judging pictures counts. *F1:* macro is the mean over the classes, background too; micro is that of all counts
together, which is the accuracy; the paper's "micro" is the one weighed by true pixels, in the CSV as weighted."""

_PAPER = "paper: 15 points and more up to s = 10 %"
_ARMS = (WeakSetting.MASKS_AND_REST, WeakSetting.MASKS_AND_ALL)
_FEW = 2.5  # %, the share that the settings' expectations name first
_FEW_OF_MANY = 10.0


def f1_table(results: Sequence[Result]) -> Table:
    """Return a row per source, share and arm."""
    columns = (
        *("pictures", "s, %", "arm", "masks", "labels"),
        *("macro F1", "gain in macro F1", "micro F1", "gain in micro F1", "weighted F1"),
    )
    rows = [_row(results, name, percent, arm) for name, percent in _groups(results) for arm in WeakSetting]
    return Table(columns, tuple(rows), digits=(("s, %", 1), ("masks", 0), ("labels", 0)))


def draw_gains(results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
    """Draw the gains in macro F1 of both arms with labels, per source and share."""
    groups = _groups(results)
    figure = new_figure(width=max(7.0, 0.9 * len(groups)))
    axes = figure.subplots()
    arms = [(arm.value, [gain(results, "macro_f1", name, s, arm) for name, s in groups]) for arm in _ARMS]
    bars(axes, [f"{name.replace('weak-', '')}\n{percent:g} %" for name, percent in groups], arms)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_ylabel("gain in macro F1 over S")
    axes.tick_params(axis="x", labelsize="small")
    return figure


def read_gains(results: Sequence[Result], settings: Sequence[Setting]) -> list[Reading]:
    """Hold the gains in macro F1 against claim and expectation: one reading per source, with its tiles."""
    stances = {setting.name: setting.stance for setting in settings}
    names = list(dict.fromkeys(name for name, _ in _groups(results)))
    return [_read(results, name, stances.get(name)) for name in names]


def gain(results: Sequence[Result], number: str, name: str, percent: float, arm: WeakSetting) -> Spread:
    """Return an arm's number less that of S, paired by seed; seeds that lack either don't count."""
    ours, plain = (
        {r.unit.inputs["seed"]: r.numbers[number] for r in _of(results, name, percent, chosen)}
        for chosen in (arm, WeakSetting.MASKS)
    )
    return Spread.of(ours[seed] - plain[seed] for seed in ours if seed in plain)


def _row(results: Sequence[Result], name: str, percent: float, arm: WeakSetting) -> tuple[Cell, ...]:
    mine = _of(results, name, percent, arm)
    macro, micro, weighted = (Spread.of(r.numbers[n] for r in mine) for n in ("macro_f1", "micro_f1", "weighted_f1"))
    none = Spread.of([])
    gains = [
        none if arm is WeakSetting.MASKS else gain(results, n, name, percent, arm) for n in ("macro_f1", "micro_f1")
    ]
    counts = [Spread.of(r.numbers[n] for r in mine).mean for n in ("masks", "labels")]
    return name, percent, arm.value, *counts, macro, gains[0], micro, gains[1], weighted


def _read(results: Sequence[Result], name: str, stance: Stance | None) -> Reading:
    percents = [percent for found, percent in _groups(results) if found == name]
    gains = {percent: [gain(results, "macro_f1", name, percent, arm) for arm in _ARMS] for percent in percents}
    every = [spread for pair in gains.values() for spread in pair]
    is_judged = all(spread.count > 1 for spread in every)
    said = "; ".join(
        f"s = {percent:g} %: " + ", ".join(f"{a.value} {_signed(g)}" for a, g in zip(_ARMS, pair, strict=True))
        for percent, pair in gains.items()
    )
    evidence = (
        f"Gain in macro F1 over S, to be larger than its sd everywhere: {said} ({_PAPER}). {_tiles(results, name)}"
    )
    if not is_judged:
        return Reading(name, None, evidence)
    expected = _EXPECTED[stance](gains) if stance is not None and {_FEW, _FEW_OF_MANY} <= gains.keys() else None
    return Reading(name, all(_is_gain(spread) for spread in every), evidence, expected)


def _tiles(results: Sequence[Result], name: str) -> str:
    """Say what kinds of tiles there were, over all seeds."""
    mine = [r for r in results if r.has(set=name)]
    kinds = [key for key in mine[0].numbers if key.startswith("tiles ")]
    said = []
    for kind in kinds:
        values = sorted({int(r.numbers[kind]) for r in mine if kind in r.numbers})
        count = str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
        said.append(f"{count} {_KINDS.get(kind, kind.removeprefix('tiles label '))}")
    return f"Tiles: {', '.join(said)}."


def _is_gain(spread: Spread) -> bool:
    return spread.mean > spread.sd


def _is_none(spread: Spread) -> bool:
    return spread.mean <= spread.sd


_Gains = Mapping[float, Sequence[Spread]]


def _expected_much(gains: _Gains) -> bool:
    """Say whether the gain is several points (two at least) at 2.5 %, and less at 10 %."""
    few, many = gains[_FEW], gains[_FEW_OF_MANY]
    are_more = all(a.mean > b.mean for a, b in zip(few, many, strict=True))
    return are_more and all(_is_gain(spread) and spread.mean >= 0.02 for spread in few)


def _expected_little(gains: _Gains) -> bool:
    """Say whether the gain is about its sd (half to twice) at 2.5 %, and none to speak of at 10 %."""
    is_about = all(spread.sd / 2 <= spread.mean <= 2 * spread.sd for spread in gains[_FEW])
    return is_about and all(_is_none(spread) for spread in gains[_FEW_OF_MANY])


def _expected_none(gains: _Gains) -> bool:
    """Say whether there is no gain, or a loss."""
    return all(_is_none(spread) for pair in gains.values() for spread in pair)


_EXPECTED: Mapping[Stance, Callable[[_Gains], bool]] = MappingProxyType(
    {
        Stance.FAVOURABLE: _expected_much,
        Stance.MEDIUM: _expected_little,
        Stance.ADVERSE: _expected_none,
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {"tiles mask": "with a mask", "tiles label": "with a label, of these", "tiles other": "with neither"}
)


def _signed(spread: Spread) -> str:
    return f"{spread.mean:+.3f} ± {spread.sd:.3f}"


def _groups(results: Sequence[Result]) -> list[tuple[str, float]]:
    return list(dict.fromkeys((str(r.unit.inputs["set"]), float(r.unit.inputs["percent"])) for r in results))


def _of(results: Sequence[Result], name: str, percent: float, arm: WeakSetting) -> list[Result]:
    return [r for r in results if r.has(set=name, percent=percent, arm=arm.value)]
