"""The settings that judge the papers' claims: three each, written down before any method was run on them.

Of each three, one is what the paper speaks for, one lies between, and one is adverse: there the claim should fail, and
a comparison that doesn't show it measures something else. All three are reported. Whoever changes a number here after a
method was run on it says so in ``docs/experiments.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from scripts.experiments.options import Grade, KidneyOptions, LymphOptions, SceneOptions, SlideOptions, TumourOptions
from scripts.experiments.painting import GeneratedSlide

_GRADES: tuple[Grade, ...] = (1, 2, 3)


class Claim(StrEnum):
    """What a paper claims, by the design that should show it."""

    DEEPZOOM = "deepzoom"
    """H-AI-L: on sparse objects two resolutions are several times faster than one, with no lower F1 and fewer false
    positives."""
    HYBRID = "hybrid"
    """H2G-Net: a refinement network on heat map and low-resolution slide beats patch-wise, UNet-LR and Otsu."""
    WEAK = "weak"
    """L2S: patch labels beside few masks raise F1."""
    SELECTION = "selection"
    """Adaptive region selection: regions of their own size and shape reach full performance with less annotated tissue
    than regions of one size, and for any step size."""


class Stance(StrEnum):
    """On whose side a setting is."""

    FAVOURABLE = "favourable"
    MEDIUM = "medium"
    ADVERSE = "adverse"


@dataclass(frozen=True, slots=True)
class Setting:
    """One kind of slide on which a claim is judged.

    Parameters
    ----------
    claim, stance
        What it judges, and from which side.
    slide, scene
        Options of its first slide; ``slides`` draws the others.
    why
        What the numbers that differ from the defaults were chosen for.
    expectation
        Which way the comparison should go, and by what mechanism; written before it was run.
    centers
        Laboratories that its slides come from in turn.
    """

    claim: Claim
    stance: Stance
    slide: SlideOptions
    scene: SceneOptions
    why: str
    expectation: str
    centers: tuple[str, ...] = ("A", "B")

    @property
    def name(self) -> str:
        """For files and tables."""
        return f"{self.claim}-{self.stance}"

    def slides(self, count: int, seed: int = 0) -> list[GeneratedSlide]:
        """Return so many slides; number i is the same whatever the count. Centres and grades take turns."""
        return [self._slide(number, seed) for number in range(count)]

    def _slide(self, number: int, seed: int) -> GeneratedSlide:
        center = self.centers[number % len(self.centers)]
        slide = replace(self.slide, seed=1000 * seed + number, center=center)
        scene = self.scene
        if isinstance(scene, TumourOptions):
            grade = _GRADES[number // len(self.centers) % 3]  # so that grade and centre are not one and the same
            scene = replace(scene, grade=grade)
        return GeneratedSlide(slide, scene)


_KIDNEY = SlideOptions(width_px=4096, height_px=4096, mpp=0.5)
_TUMOUR = SlideOptions(width_px=4096, height_px=4096, mpp=1.0)
_LYMPH = SlideOptions(width_px=4096, height_px=4096, mpp=1.0)
_PATCH_UM = 256.0  # side of H2G's patch: 256 pixels at 10x

SETTINGS: tuple[Setting, ...] = (
    Setting(
        Claim.DEEPZOOM,
        Stance.FAVOURABLE,
        _KIDNEY,
        KidneyOptions(glomeruli_per_mm2=5.0, likeness=0.2, sclerosed_share=0.1),
        why="5 glomeruli of 75 µm per mm² of cortex cover about 1 % of the slide, as in a normal mouse kidney;"
        " sclerosed ones are few and plain, so that the low resolution tells them apart. 4096 px at 0.5 µm hold some"
        " half a dozen: the smallest slide on which a few per cent of hot spots still mean something.",
        expectation="The first pass drops more than 90 % of the tissue: at least 3 times faster than one network, F1"
        " not lower by more than 0.01, false positives fewer because most of the tissue is never looked at closely.",
    ),
    Setting(
        Claim.DEEPZOOM,
        Stance.MEDIUM,
        _KIDNEY,
        KidneyOptions(glomeruli_per_mm2=15.0, likeness=0.5, sclerosed_share=0.3, vessels_per_mm2=5.0),
        why="15 per mm² is a mouse's outer cortex without medulla to thin it out; more sclerosed glomeruli and vessels,"
        " of medium likeness, make hot spots without glomeruli.",
        expectation="Faster still, by 1.5 to 3 times, as hot spots with their padding cover a fifth to a half of the"
        " tissue; F1 as of one network within its sd; false positives about as many.",
    ),
    Setting(
        Claim.DEEPZOOM,
        Stance.ADVERSE,
        _KIDNEY,
        KidneyOptions(
            glomeruli_per_mm2=40.0, cortex_share=1.0, likeness=1.0, sclerosed_share=0.25, vessels_per_mm2=8.0
        ),
        why="Glomeruli everywhere (no medulla, two thirds of all places taken) and sclerosed ones that differ by"
        " nothing but their truth: padded hot spots cover nearly all of the tissue.",
        expectation="No gain: the second pass looks at nearly everything and the first is paid on top, so DeepZoom is"
        " as slow as one network or slower. False positives (sclerosed glomeruli) are as many for both.",
    ),
    Setting(
        Claim.HYBRID,
        Stance.FAVOURABLE,
        _TUMOUR,
        TumourOptions(border_um=150.0, likeness=0.6, background_likeness=0.25, nest_share=0.5, tumour_share=0.3),
        why="Regions of more than 1 mm hold dozens of patches; a quarter of connective nuclei and most of the cells in"
        " ducts look neoplastic, and half of the tumour is stroma: single patches err often, inside and outside, while"
        " the outline is plain from afar. It is the case that the paper describes (stroma-rich, fatty parts missed).",
        expectation="Otsu < patch-wise < hybrid, UNet-LR between: refinement fills stroma inside, drops lone patches"
        " outside and replaces steps of a patch by an outline; Dice up by 0.03 or more over patch-wise.",
    ),
    Setting(
        Claim.HYBRID,
        Stance.MEDIUM,
        _TUMOUR,
        TumourOptions(border_um=60.0, likeness=0.2, background_likeness=0.0, nest_share=0.75, tumour_share=0.3),
        why="A clean patch classifier: dense nests, even cells in ducts, nothing neoplastic outside.",
        expectation="The same order with smaller steps: patch-wise is limited by its grid only, which refinement mends;"
        " Dice up by 0.01 to 0.03.",
    ),
    Setting(
        Claim.HYBRID,
        Stance.ADVERSE,
        _TUMOUR,
        TumourOptions(
            tumours=16, tumour_um=0.5 * _PATCH_UM, border_um=10.0, islands=0, likeness=0.2, nest_share=0.85, folds=1
        ),
        why="Sixteen tumours, each half a patch across: one covers at most a fifth of a patch, less than the 25 % that"
        " make a tumour patch, so that training has hardly a tumour patch and the heat map hardly a signal; they"
        " are a few pixels of the refinement's 1024² picture.",
        expectation="The claim fails: patch-wise finds next to nothing, refinement has nothing to refine, and UNet-LR"
        " or a segmentation at higher resolution does as well or better. Dice of all is low.",
    ),
    Setting(
        Claim.WEAK,
        Stance.FAVOURABLE,
        _TUMOUR,
        TumourOptions(
            truth_classes=("Tumor", "In situ", "Lymphocytes"),
            in_situ_per_mm2=2.5,
            in_situ_filled=1.0,
            likeness=0.0,
            lymphocyte_aggregates_per_mm2=2.0,
            nest_share=0.75,
            border_um=40.0,
        ),
        why="Three classes whose cells differ (large uneven, small even, dark round): a patch of one class tells which"
        " by its texture alone, so that a label carries what a mask carries. Enough of each for patches of one class.",
        expectation="S+C and S+C* above S, most at s = 2.5 %, by several points of macro F1, less at 10 %.",
    ),
    Setting(
        Claim.WEAK,
        Stance.MEDIUM,
        _TUMOUR,
        TumourOptions(
            truth_classes=("Tumor", "In situ", "Lymphocytes"),
            in_situ_per_mm2=2.5,
            in_situ_filled=0.8,
            likeness=0.5,
            background_likeness=0.1,
            lymphocyte_aggregates_per_mm2=2.0,
            nest_share=0.6,
            border_um=120.0,
        ),
        why="Half of the cells in ducts look invasive, borders are fuzzy and tumours hold stroma: labels of patches are"
        " right more often than they are obvious.",
        expectation="A gain at s = 2.5 % that is about as large as its sd, none to speak of at 10 %.",
    ),
    Setting(
        Claim.WEAK,
        Stance.ADVERSE,
        _TUMOUR,
        TumourOptions(
            truth_classes=("Tumor", "In situ"),
            in_situ_per_mm2=2.5,
            in_situ_filled=1.0,
            likeness=1.0,
            background_likeness=0.25,
            nest_share=0.6,
            border_um=120.0,
        ),
        why="Cells in ducts are drawn exactly as the tumour's: only a duct's round wall tells the classes apart,"
        " which a patch inside a duct or a tumour doesn't show.",
        expectation="No gain, or a loss: patch labels ask the encoder for a difference that isn't in the patch, and"
        " take steps from the masks that show it.",
    ),
    Setting(
        Claim.SELECTION,
        Stance.FAVOURABLE,
        _LYMPH,
        LymphOptions(metastases=6, metastasis_um=120.0, metastasis_spread=0.5, border_um=20.0, likeness=0.15),
        why="Many small lesions: six of 120 µm on 10 mm² of tissue cover some 1 % of it, less on about half of the"
        " slides, as in CAMELYON16 (49.5 % of its slides). They are one to five of the map's cells wide, smaller than"
        " the regions asked for. Germinal centres, as pale and as large, are what doubt is spent on at first. 4096 px"
        " at 1 µm make a map of 64 x 64 cells of 64 µm, the paper's patch; its smallest region, 1 mm, is 16 of them"
        " here and a tenth of the tissue, as sections are smaller: 0.5 and 1 mm are the sizes to ask for.",
        expectation="Adaptive reaches 99 % of full performance with no more annotated tissue than standard for every"
        " (l, k), and with at most two thirds of it for the larger l: it cuts the box to a lesion, where standard fills"
        " up l x l with sure tissue and prefers the sum of much slight doubt to one small lesion. From the smaller to"
        " the larger l its annotated tissue grows by less than half, standard's doubles or more. Non-square lies at"
        " standard. Random needs several times as much or never gets there.",
    ),
    Setting(
        Claim.SELECTION,
        Stance.MEDIUM,
        _LYMPH,
        LymphOptions(metastases=2, metastasis_share=0.2, metastasis_spread=0.3, border_um=60.0, likeness=0.15),
        why="Few large lesions: two of about 1 mm cover a fifth of the tissue and are wider than any region, as in the"
        " macrometastases of the other half of CAMELYON16. Any region that touches one holds tumour and its edge.",
        expectation="The difference vanishes: what is uncertain is an edge longer than a region, which fills a box of"
        " any size alike, so that adaptive and standard lie within a fifth of each other in annotated tissue; both"
        " reach 99 % after few cycles and random soon after. Adaptive still depends less on l than standard does,"
        " since an edge seen in a large box has been learned from a part of it.",
    ),
    Setting(
        Claim.SELECTION,
        Stance.ADVERSE,
        _LYMPH,
        LymphOptions(
            metastases=1,
            metastasis_share=0.35,
            metastasis_spread=0.0,
            wobble=0.35,
            border_um=900.0,
            dispersal=1.0,
            cellularity=0.7,
            likeness=0.5,
        ),
        why="One diffuse lesion: single tumour cells that thin out over 0.9 mm, 14 cells of the map, among germinal"
        " centres and sinuses half of whose large cells look the same. Doubt is a plateau over a third of the section,"
        " with noise on it, and no box is much better than the next. Adverse to adaptive selection: it needs peaks.",
        expectation="The claim fails: no gain, or a loss. On a plateau the highest pixel is noise; the component around"
        " it is a speck until the threshold lets it run over the whole plateau, so that the bisection ends on its"
        " bounds: boxes of a quarter or of nine quarters of l² by chance. At the small ones adaptive takes more cycles,"
        " at the large ones more tissue than standard, and it depends on l as standard does. Random is about as good as"
        " any, and the level of full annotation itself is low, as the outline can't be seen.",
    ),
)


def setting(name: str) -> Setting:
    """Return a setting by its name.

    Raises
    ------
    ValueError
        No setting is called so.
    """
    for candidate in SETTINGS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no setting is called {name!r}; there are {', '.join(s.name for s in SETTINGS)}")
