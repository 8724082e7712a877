"""What a net is built of, as its options name it: all that a checkpoint's card says of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from models.nets.encoder import CENTRED, IMAGENET, UNIT, UNIT_RGB, Normalization
from models.nets.label_head import LabelHead
from models.nets.monai_net import MONAI_CHANNELS
from models.nets.names import AnyEncoder, EncoderName, MonaiName, TimmName
from models.nets.refinement import REFINEMENT_CHANNELS
from models.nets.timm_encoder import TimmEncoder

_MOST_STAGES, _MOST_CHANNELS = 8, 4096  # a card from elsewhere must not ask for all memory there is


class NetKind(Enum):
    """Builds of nets."""

    UNET = "unet"  # a class per pixel
    PATCH = "patch"  # H2G-Net's patch classifier: a class per tile
    REFINEMENT = "refinement"  # H2G-Net's refinement U-Net: low resolution and heat map in, a class per pixel out
    WEAK = "weak"  # learning from patch labels: a class per pixel and per patch


@dataclass(frozen=True, slots=True)
class NetOptions:
    """One net (``[model]``).

    Parameters
    ----------
    kind
        What it is; the numbers below are those of ``UNET`` unless they say more.
    encoder
        What turns pixels into feature maps, or a whole net of MONAI's.
    encoder_channels
        Channels per map of ``PLAIN``; the others have their own. Of ``REFINEMENT`` and MONAI's nets: channels per
        level, finest first, the paper's and 16 to 256 if empty.
    decoder_channels
        One number per encoder map used, coarsest first: their count is the depth, 2^depth the stride. Of ``PATCH`` and
        ``WEAK`` only the count matters; ``REFINEMENT`` and MONAI's nets have none.
    stem_channels
        Width of the full-resolution skip.
    convolutions
        3×3 convolutions per decoder stage.
    pretrained
        Start from ImageNet weights where the encoder has them.
    label_head
        What infers a patch's label from the mask's scores, so that patch labels teach the mask. None: ``WEAK`` has the
        paper's, ``UNET`` none.
    is_guided
        Whether ``REFINEMENT`` sees a heat map beside the slide; without one it is the paper's baseline UNet-LR.

    Raises
    ------
    ValueError
        Numbers that make no net, or a net of MONAI's where an encoder is needed.
    """

    kind: NetKind = NetKind.UNET
    encoder: AnyEncoder = EncoderName.EFFICIENTNET_LITE0
    encoder_channels: tuple[int, ...] = ()
    decoder_channels: tuple[int, ...] = (64, 48, 32, 16)
    stem_channels: int = 16
    convolutions: int = 1
    pretrained: bool = True
    label_head: LabelHead | None = None
    is_guided: bool = True

    def __post_init__(self) -> None:
        widths = (*self.encoder_channels, *self.decoder_channels, self.stem_channels)
        if not 1 <= len(self.decoder_channels) <= _MOST_STAGES or not all(1 <= w <= _MOST_CHANNELS for w in widths):
            raise ValueError(f"a net has 1 to {_MOST_STAGES} stages of 1 to {_MOST_CHANNELS} channels, not {widths}")
        if not 1 <= self.convolutions <= _MOST_STAGES:
            raise ValueError(f"1 to {_MOST_STAGES} convolutions a stage, not {self.convolutions}")
        is_whole = isinstance(self.encoder, MonaiName)
        if is_whole and (self.kind in (NetKind.PATCH, NetKind.WEAK) or self.label_head is not None):
            wants = "a label head" if self.label_head is not None else f"a {self.kind.value} net"
            raise ValueError(f"{self.encoder.value} is a whole net of MONAI's; {wants} needs an encoder")

    @property
    def has_encoder(self) -> bool:
        """Whether there is an encoder in the net, and ``encoder`` says which."""
        return self.kind is not NetKind.REFINEMENT and not isinstance(self.encoder, MonaiName)

    @property
    def normalization(self) -> Normalization:
        """How pixels become the net's input.

        Raises
        ------
        CheckpointError
            The encoder is timm's, and timm isn't installed or has no such encoder.
        """
        if self.kind is NetKind.REFINEMENT:
            return UNIT if self.is_guided else UNIT_RGB
        if isinstance(self.encoder, TimmName):
            return TimmEncoder(self.encoder.name, len(self.decoder_channels)).normalization
        return IMAGENET if self.encoder in (EncoderName.RESNET18, EncoderName.MOBILENET_V2) else CENTRED

    @property
    def stride(self) -> int:
        """Sides of a net's input are multiples of this."""
        if self.kind is NetKind.REFINEMENT:
            return int(2 ** (len(self.encoder_channels or REFINEMENT_CHANNELS) - 1))
        if isinstance(self.encoder, MonaiName):
            return int(2 ** (len(self.encoder_channels or MONAI_CHANNELS) - 1))
        return int(2 ** len(self.decoder_channels))
