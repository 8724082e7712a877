"""What can be asked of a generated slide: its size and scan, and what kidney, tumour or lymph node it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal[1, 2, 3]
TumourClass = Literal["Tumor", "In situ", "Lymphocytes"]


@dataclass(frozen=True, slots=True)
class SlideOptions:
    """Size, scan and chance of one slide; the same seed at another mpp shows the same tissue."""

    width_px: int = 4096
    """Level-0 pixels, 512 to 100,000."""
    height_px: int = 4096
    """Level-0 pixels, 512 to 100,000."""
    mpp: float = 0.5
    """µm per level-0 pixel and side; 0.5 is a 20x scanner's, which the small experiments read."""
    seed: int = 0
    """Draws the tissue, and the slide's own staining within its centre's."""
    center: str = "A"
    """Laboratory and scanner: draws the stain vectors, their strength and the light around which slides vary."""
    stain_variation: float = 1.0
    """Strength of the differences between centres and slides; 0 gives every slide the measured picture's colours, 1
    what laboratories commonly differ by, 2 a shift that a model has to be made for."""
    tissue_share: float = 0.6
    """Share of the slide that the tissue's outline encloses (before wobble); the rest is glass."""

    def __post_init__(self) -> None:
        for name, size in (("width_px", self.width_px), ("height_px", self.height_px)):
            if not 512 <= size <= 100_000:
                raise ValueError(f"{name} must be 512 to 100,000 pixels, got {size}")
        if not 0.1 <= self.mpp <= 10:
            raise ValueError(f"mpp must be 0.1 to 10 µm, got {self.mpp}")
        _check_shares(tissue_share=self.tissue_share)
        if self.stain_variation < 0:
            raise ValueError(f"stain_variation can't be negative, got {self.stain_variation}")


@dataclass(frozen=True, slots=True)
class KidneyOptions:
    """A kidney section after H-AI-L: truth is ``Glomerulus`` and, nested in them, ``Nucleus``."""

    glomerulus_diameter_um: float = 75.0
    """Mean outer diameter of Bowman's capsule; 70 to 80 in mice (the paper's first organ), 180 to 220 in humans."""
    glomerulus_sd: float = 0.15
    """Sd of the diameter over its mean: cuts through a ball are rarely through its middle."""
    glomeruli_per_mm2: float = 6.0
    """Of cortex. Mouse sections show some 5 to 20, human ones 2 to 5: a per cent or two of the slide's area."""
    cortex_share: float = 0.45
    """Outer share of the radius that is cortex; glomeruli lie there and nowhere else."""
    nuclei_spacing_um: float = 7.5
    """Between neighbouring nuclei inside a tuft: 40 to 60 nuclei per mouse glomerulus, as the paper's Fig. 4 shows."""
    sclerosed_share: float = 0.1
    """Sclerosed glomeruli per live one; they are distractors and never truth."""
    vessels_per_mm2: float = 2.0
    """Arteries of 40 to 120 µm: round, with a wall and a lumen, and so the commonest false positives."""
    likeness: float = 0.3
    """How far a sclerosed glomerulus looks like a live one: 0 a plain pink ball, 1 the same space, capillaries, nuclei
    and colour; between, that share of space, capillaries and nuclei, and of the balls that are coloured so."""
    tubule_um: float = 45.0
    """Mean distance between the middles of tubules in the cortex; 40 to 60 in mice and humans."""

    def __post_init__(self) -> None:
        _check_positive(
            glomerulus_diameter_um=self.glomerulus_diameter_um,
            nuclei_spacing_um=self.nuclei_spacing_um,
            tubule_um=self.tubule_um,
        )
        _check_shares(cortex_share=self.cortex_share, sclerosed_share=self.sclerosed_share, likeness=self.likeness)
        if not 0 <= self.glomerulus_sd <= 0.3:
            raise ValueError(f"glomerulus_sd must lie in 0 to 0.3 of the diameter, got {self.glomerulus_sd}")
        if min(self.glomeruli_per_mm2, self.vessels_per_mm2) < 0 or self.balls_per_mm2 > self.most_per_mm2:
            raise ValueError(
                f"{self.balls_per_mm2:.1f} glomeruli and vessels of up to {self.glomerulus_diameter_um} µm don't fit"
                f" into a mm²; at most {self.most_per_mm2:.1f} do"
            )

    @property
    def cell_um(self) -> float:
        """Side of the lattice cell that holds at most one glomerulus: room for the largest, and for moving it."""
        return self.glomerulus_diameter_um * (1 + 2 * self.glomerulus_sd) * 1.25

    @property
    def balls_per_mm2(self) -> float:
        """Glomeruli, sclerosed ones and vessels per mm² of cortex."""
        return self.glomeruli_per_mm2 * (1 + self.sclerosed_share) + self.vessels_per_mm2

    @property
    def most_per_mm2(self) -> float:
        """Glomeruli per mm² when every cell holds one."""
        return 1e6 / self.cell_um**2


@dataclass(frozen=True, slots=True)
class TumourOptions:
    """A breast section after H2G-Net: truth is the invasive tumour as a pathologist outlines it, stroma included."""

    tumours: int = 2
    """Invasive regions per slide; they may join."""
    tumour_um: float | None = None
    """Mean diameter of a region in µm; None: a share of the slide (``tumour_share``), as large tumours have."""
    tumour_share: float = 0.3
    """Share of the tissue that the regions cover together, before joining, where ``tumour_um`` is None."""
    border_um: float = 120.0
    """Width over which nests of tumour thin out around the outline: 0 a sharp border, 300 one that experts disagree
    about. The outline lies in the middle, where half of the inner density is left."""
    wobble: float = 0.25
    """Share of the radius by which a region's outline swings."""
    islands: int = 2
    """Holes per region without tumour (stroma, fat): holes of the truth as well."""
    grade: Grade = 2
    """Nottingham grade, also the slide's metadata for the sampling tree: 1 small even nuclei around lumens, 3 large
    uneven ones in solid sheets."""
    nest_share: float = 0.6
    """Share of the tumour's inside that is nests of tumour cells; the rest is stroma that is truth all the same."""
    fat_share: float = 0.25
    """Share of the tissue outside tumours that is fat: white inside, so that it is glass to a tissue threshold."""
    lymphocyte_aggregates_per_mm2: float = 0.5
    """Round crowds of dark nuclei, 100 to 300 µm: what a classifier by darkness takes for tumour."""
    in_situ_per_mm2: float = 1.0
    """Ducts outside tumours, 120 to 350 µm: normal, or filled (in situ), by ``in_situ_filled``."""
    in_situ_filled: float = 0.5
    """Share of the ducts that are filled."""
    likeness: float = 0.4
    """Of cells in filled ducts, the share that look like invasive ones: at 1 only the outline tells them apart."""
    background_likeness: float = 0.0
    """Share of connective nuclei outside tumours that look neoplastic: confuses a classifier of single patches."""
    folds: int = 1
    """Folds of the section: bands of double thickness across the tissue."""
    pen_marks: int = 0
    """Strokes of a blue marker over slide and tissue."""
    truth_classes: tuple[TumourClass, ...] = ("Tumor",)
    """Which classes are written as truth, later ones on top: ``Tumor``, ``In situ`` (filled ducts), ``Lymphocytes``."""

    def __post_init__(self) -> None:
        if self.grade not in (1, 2, 3):
            raise ValueError(f"grade must be 1, 2 or 3, got {self.grade}")
        if min(self.tumours, self.islands, self.folds, self.pen_marks) < 0:
            raise ValueError("tumours, islands, folds and pen_marks are counts: 0 or more")
        if min(self.border_um, self.lymphocyte_aggregates_per_mm2, self.in_situ_per_mm2) < 0:
            raise ValueError("border_um and the densities per mm² can't be negative")
        if self.tumour_um is not None:
            _check_positive(tumour_um=self.tumour_um)
        _check_shares(
            tumour_share=self.tumour_share,
            wobble=self.wobble,
            nest_share=self.nest_share,
            fat_share=self.fat_share,
            in_situ_filled=self.in_situ_filled,
            likeness=self.likeness,
            background_likeness=self.background_likeness,
        )


@dataclass(frozen=True, slots=True)
class LymphOptions:
    """A lymph node after CAMELYON16: truth is the metastases (``Tumor``) as a pathologist outlines them."""

    metastases: int = 4
    """Per slide; they may join where there is no room."""
    metastasis_um: float = 200.0
    """Median diameter in µm: isolated cells are under 200, micrometastases 200 to 2000."""
    metastasis_spread: float = 0.5
    """Sd of the diameter's natural logarithm (cut at twice): 0 all alike, 0.5 most within a factor of 1.6."""
    metastasis_share: float | None = None
    """Share of the section that they cover together, before joining; their diameters are scaled to it, and only
    ``metastasis_spread`` is left of their own. None: as ``metastasis_um`` says."""
    wobble: float = 0.2
    """Share of the radius by which a metastasis' outline swings."""
    border_um: float = 20.0
    """Width over which tumour cells thin out around the outline: 0 a sharp border, 300 one that experts disagree
    about. The outline lies in the middle, where half of the inner density is left."""
    dispersal: float = 0.3
    """Share of tumour cells that stand alone where the density is below the inner one; the others keep together in
    clumps of some 50 µm."""
    cellularity: float = 0.95
    """Share of the inside's places that tumour cells take; lymphocytes show in the others."""
    follicles_per_mm2: float = 2.5
    """Of cortex: round, 180 to 440 µm. Those that would reach over the capsule are left out, about a quarter."""
    germinal_share: float = 0.6
    """Share of the follicles with a germinal centre, which is pale: the commonest false positive."""
    cortex_share: float = 0.5
    """Outer share of the section's radius that is cortex, with follicles; inside lie cords and sinuses."""
    capsule_um: float = 35.0
    """Thickness of the capsule."""
    sinus_um: float = 30.0
    """Width of the sinus under the capsule."""
    likeness: float = 0.1
    """Share of large cells in germinal centres and sinuses that are drawn as tumour cells: at 1 only their place
    tells a germinal centre or a sinus full of histiocytes from a metastasis."""

    def __post_init__(self) -> None:
        if self.metastases < 0:
            raise ValueError(f"metastases is a count: 0 or more, got {self.metastases}")
        if min(self.border_um, self.follicles_per_mm2, self.capsule_um, self.sinus_um) < 0:
            raise ValueError("border_um, follicles_per_mm2, capsule_um and sinus_um can't be negative")
        _check_positive(metastasis_um=self.metastasis_um)
        if not 0 <= self.metastasis_spread <= 1.5:
            raise ValueError(f"metastasis_spread must lie in 0 to 1.5, got {self.metastasis_spread}")
        _check_shares(
            metastasis_share=self.metastasis_share or 0.0,
            wobble=self.wobble,
            dispersal=self.dispersal,
            cellularity=self.cellularity,
            germinal_share=self.germinal_share,
            cortex_share=self.cortex_share,
            likeness=self.likeness,
        )


SceneOptions = KidneyOptions | TumourOptions | LymphOptions


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is a share: 0 to 1, got {share}")


def _check_positive(**sizes: float) -> None:
    for name, size in sizes.items():
        if not size > 0:
            raise ValueError(f"{name} must be positive, got {size}")
