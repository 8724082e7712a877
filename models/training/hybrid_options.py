"""What the design *hybrid* is told: the patch classifier, the refinement, and how the one teaches the other."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

from bridge.annotations import ClassScheme
from models.checkpoints import NetCard, NetRole
from models.nets import REFINEMENT_SIDE, NetKind, NetOptions
from models.training.patchwise_options import PatchwiseOptions
from models.training.refinement_task import RefinementBatches

_QUICK_CHANNELS = (8, 16, 32, 64, 128, 128)  # of each level; the paper's net has three levels more


def _quick_refinement() -> NetOptions:
    return NetOptions(kind=NetKind.REFINEMENT, encoder_channels=_QUICK_CHANNELS, pretrained=False)


@dataclass(frozen=True, slots=True)
class HybridOptions(PatchwiseOptions):
    """The patch classifier, as `PatchwiseOptions` say, and the refinement.

    Parameters
    ----------
    is_guided
        False trains the refinement alone, on the slide without a heat map: the paper's baseline UNet-LR.
    refinement
        Build of the refinement; the default is quick, `paper` has the paper's.
    refine_mpp
        µm per pixel that the refinement sees, and of the masks.
    refine_px
        Side of its tiles; rounded up to its stride.
    refine_rate
        Its learning rate at the top; ``learning_rate`` of the training is the classifier's. The paper's 1e-3 is for
        1000 epochs: in 60 steps a toy was learned to a Dice of 0.73 with it, of 0.93 with the default.
    batches
        Its batches, and how tiles are changed.
    momentum
        Weight of the newest batch in the running statistics of batch renormalization. The published code's 0.01 suits
        1000 epochs: after 100 batches 37 % of the statistics would still be those of the untrained start, and the mask
        in use, which is made with them, another than in training. At 0.1 it is less than 0.01 %.
    folds
        Parts that the training slides are dealt out to; with more of them each classifier sees more slides, and all
        take longer. 1 trains no classifier but the final one, whose heat maps of its own slides are too good.
    fold_by
        Key of the slides' metadata whose slides stay in one fold.
    """

    is_guided: bool = True
    refinement: NetOptions = field(default_factory=_quick_refinement)
    refine_mpp: float = 8.0
    refine_px: int = 512
    refine_rate: float = 5e-3
    batches: RefinementBatches = field(default_factory=lambda: RefinementBatches(size=2, accumulation=2))
    momentum: float = 0.1
    folds: int = 3
    fold_by: str = "patient"

    def __post_init__(self) -> None:
        super(HybridOptions, self).__post_init__()  # by name: slots make the class anew, which ``super()`` can't see
        if self.refinement.kind is not NetKind.REFINEMENT:
            raise ValueError(f"the refinement is of kind refinement, not {self.refinement.kind.value}")
        if self.refine_mpp <= 0 or self.refine_px < 1 or self.folds < 1 or not 0 < self.momentum <= 1:
            raise ValueError("refine_mpp, refine_px and folds are positive, momentum is a share of 1")

    @classmethod
    def paper(cls, weights_path: Path | None, *, weighs_clusters: bool = False) -> Self:
        """Return H2G-Net's numbers: its U-Net on tiles of 1024², steps of 6 × 4; parameters as of `PatchwiseOptions`.

        Its slides, some 25 mm wide, had pixels of some 24 µm in 1024². At 16 µm a tile holds 16 mm.
        """
        return replace(
            super(HybridOptions, cls).paper(weights_path, weighs_clusters=weighs_clusters),
            refinement=NetOptions(kind=NetKind.REFINEMENT, pretrained=False),
            refine_mpp=16.0,
            refine_px=REFINEMENT_SIDE,
            refine_rate=1e-3,
            batches=RefinementBatches(),
            momentum=0.01,
        )

    def patchwise(self) -> PatchwiseOptions:
        """Return the classifier's part alone."""
        return PatchwiseOptions(**{f.name: getattr(self, f.name) for f in fields(PatchwiseOptions)})


def refinement_card(model: HybridOptions, scheme: ClassScheme) -> NetCard:
    """Return the card of the refinement: the high net where it is the only one."""
    net = replace(model.refinement, is_guided=model.is_guided)
    tile_px = -(-model.refine_px // net.stride) * net.stride
    role = NetRole.REFINEMENT if model.is_guided else NetRole.HIGH
    return NetCard(role, net, scheme.names, model.refine_mpp, tile_px, net.normalization)
