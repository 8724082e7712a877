"""What each design's paper trained with, and what trains within minutes on a CPU, as options ready to use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import tau

from models.checkpoints import DesignName
from models.data import AugmentationOptions, SamplingOptions
from models.data.sampler import CLASS_STAGE
from models.inference import HotSpotOptions
from models.training.deepzoom import DeepZoom
from models.training.design import Design
from models.training.hybrid import Hybrid
from models.training.hybrid_options import HybridOptions
from models.training.options import LOW_FACTOR, ModelOptions, TrainingOptions
from models.training.patchwise import Patchwise
from models.training.patchwise_options import PatchwiseOptions, paper_patch_training
from models.training.weak import Weak, WeakOptions

_UNIFORM = 3**0.5  # half a uniform range, in standard deviations


class PresetName(Enum):
    """Which numbers."""

    FAST = "fast"  # some minutes on two cores of a CPU
    PAPER = "paper"  # the paper's, where they mean the same here


@dataclass(frozen=True, slots=True)
class Preset:
    """A design and how it is trained.

    Parameters
    ----------
    design
        With its nets.
    training
        Budget, batches, tiles, augmentation.
    """

    design: Design
    training: TrainingOptions


def preset(design: DesignName, name: PresetName) -> Preset:
    """Return the numbers of one design."""
    match design:
        case DesignName.DEEPZOOM:
            return deepzoom_preset(name)
        case DesignName.PATCHWISE:
            return patchwise_preset(name)
        case DesignName.HYBRID:
            return hybrid_preset(name)
        case DesignName.WEAK:
            return weak_preset(name)


def patchwise_preset(name: PresetName) -> Preset:
    """Return the first stage of H2G-Net (Pedersen et al., 2022), Mob-PW, or the same within minutes."""
    if name is PresetName.FAST:
        return Preset(Patchwise(), replace(fast_training(), batch_size=16))
    return Preset(Patchwise(PatchwiseOptions.paper(None)), paper_patch_training(_h2g_training()))


def hybrid_preset(name: PresetName) -> Preset:
    """Return H2G-Net's best (Mob-PW-UNet), or the same within minutes."""
    if name is PresetName.FAST:
        return Preset(Hybrid(), replace(fast_training(), batch_size=16))
    return Preset(Hybrid(HybridOptions.paper(None)), paper_patch_training(_h2g_training()))


def weak_preset(name: PresetName) -> Preset:
    """Return learning to segment with classification labels (Ciga and Martel, 2021), or the same within minutes.

    The paper's: tiles of 128 px at 1.25×, batches of 20, Adam at 1e-4, 100 epochs (8800 steps of its largest set, 1757
    tiles). Its colour changes are uniform (brightness, saturation ± 0.25, hue ± 0.04 of a turn), ours normal and of the
    same standard deviation; its change of contrast is left to the power of lightness.
    """
    if name is PresetName.FAST:
        return Preset(Weak(), fast_training())
    augmentation = AugmentationOptions(
        warp_share=0.0,
        hue_radians=0.04 * tau / _UNIFORM,
        saturation=0.25 / _UNIFORM,
        brightness=0.25 / _UNIFORM,
        lightness=0.25 / _UNIFORM,
    )
    training = TrainingOptions(
        max_steps=8_800,
        max_seconds=None,
        batch_size=20,
        tile_px=128,
        learning_rate=1e-4,
        encoder_share=1.0,
        weight_decay=0.0,
        average=0.0,
        freeze_statistics=False,
        evaluate_every=88,
        patience=100,
        augmentation=augmentation,
    )
    return Preset(Weak(WeakOptions.paper()), training)


def _h2g_training() -> TrainingOptions:
    return replace(TrainingOptions(), tile_px=256, checkpoint_every=500)


def deepzoom_preset(name: PresetName) -> Preset:
    """Return H-AI-L's (Lutnick et al., 2019), or the same within minutes."""
    return Preset(DeepZoom(), fast_training()) if name is PresetName.FAST else _deepzoom_paper()


def fast_training() -> TrainingOptions:
    """Return a training for two cores of a CPU: small tiles, few steps, all else the default."""
    return replace(TrainingOptions(), max_steps=150, max_seconds=300.0, tile_px=128, checkpoint_every=50)


def _deepzoom_paper() -> Preset:
    """Return the paper's numbers.

    Blocks of 500 px at full resolution (40×: 0.25 µm) and at a quarter of it per side; the class is drawn first, over
    all blocks; batches of 3; hue ± N(0, 0.05) of a full turn, lightness to a power about 1 ± 0.025, grid points moved
    by 1 to 5 % of the block's side, here some 3 %; a hot-spot is what the first net holds for likelier than background
    (one half), of at least 650 px, grown by 50 px. Its optimizer was gradient descent with momentum at 2.5e-4: the
    number means nothing to ours, which keeps its own. Its net, DeepLab v2 on ResNet-101, is our U-Net here.
    """
    model = ModelOptions(mpp=0.25, low_factor=LOW_FACTOR)
    hot_spots = HotSpotOptions(threshold=0.5, min_area_um2=650 * 0.25**2, padding_um=50 * 0.25)
    augmentation = AugmentationOptions(
        warp_share=1.0,
        turn_radians=0.0,
        zoom=0.0,
        bend=0.2,  # of a cell, evenly: a standard deviation of 0.2 / √3 / 4 = 3 % of the side
        hue_radians=0.05 * tau,
        saturation=0.0,
        brightness=0.0,
        lightness=0.025,
    )
    training = TrainingOptions(
        max_steps=20_000,
        max_seconds=None,
        batch_size=3,
        tile_px=500,  # rounded up to the nets' stride
        evaluate_every=500,
        checkpoint_every=500,
        sampling=SamplingOptions(tree=(CLASS_STAGE,), replay=1.0),
        augmentation=augmentation,
    )
    return Preset(DeepZoom(model, hot_spots), training)
