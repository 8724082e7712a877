"""A net as TorchScript that says one class of a tile: the form that WSInfer, and QuPath's extension of it, load.

Both divide pixels by 255, put the channels first, and take the softmax of what comes back: so the logarithms of the
probabilities are handed out, whose softmax the probabilities are. Everything else, the net's own normalization too, is
inside. A file of TorchScript is a zip of code and tensors; what reads it runs no Python of ours.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from models.checkpoints import Checkpoint, NetRole
from models.nets import Net, NetKind, Normalization, Normalize, UNet, WeakNet

_BRIGHTEST = 255.0
_LEAST = 1e-30  # of a probability, before its logarithm


class TileClassifier(nn.Module):
    """Tiles in, the logarithms of class probabilities out.

    Parameters
    ----------
    net
        A patch classifier, or a net with a class per pixel.
    normalization
        The one that the net was trained with.
    asks_label_head
        Let the net's own label head say a tile's class, not the mean of its pixels.
    """

    def __init__(self, net: Net, normalization: Normalization, *, asks_label_head: bool = False) -> None:
        super().__init__()
        self.net = net
        self.normalize = Normalize(normalization)
        self._asks_label_head = asks_label_head

    def forward(self, tiles: Tensor) -> Tensor:
        """Return log probabilities.

        Parameters
        ----------
        tiles
            float32 of 0 to 1, shape (n, 3, side, side).

        Returns
        -------
        Tensor
            float32, (n, classes); its softmax over the classes is its exponential.
        """
        seen = self.normalize(tiles * _BRIGHTEST)
        if self._asks_label_head and isinstance(self.net, UNet | WeakNet):
            shares = self.net.classify(seen).softmax(dim=1)
        else:
            shares = self.net(seen).softmax(dim=1)
            shares = shares if shares.dim() == 2 else shares.mean(dim=(2, 3))
        return shares.clamp_min(_LEAST).log()


def tile_classifier(checkpoint: Checkpoint) -> TileClassifier:
    """Return the high net of a checkpoint as what says one class of a tile.

    A patch classifier does so by itself, and so does a label head that patch labels have taught; of any other net it is
    the mean of the probabilities of the tile's pixels.

    Raises
    ------
    CheckpointError
        The weights don't fit their card.
    """
    card = checkpoint.card.net(NetRole.HIGH)
    return TileClassifier(
        checkpoint.build(), card.normalization, asks_label_head=has_taught_label_head(checkpoint)
    ).eval()


def has_taught_label_head(checkpoint: Checkpoint) -> bool:
    """Say whether the high net has a label head, and was trained on patch labels."""
    options = checkpoint.card.net(NetRole.HIGH).options
    has_head = options.kind is NetKind.WEAK or options.label_head is not None
    return has_head and any(slide.patch_labels for slide in checkpoint.card.lineage.values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out that torch would rather have its successor used: that is not what the readers load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)  # the same, from torch 2.15 on
        yield


def export_torchscript(classifier: nn.Module, tile_px: int, channels: int = 3) -> bytes:
    """Return a module, traced with tiles of a side, as the bytes of a TorchScript file; any number of tiles runs."""
    example = torch.zeros((1, channels, tile_px, tile_px))
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        warnings.filterwarnings("ignore", category=TracerWarning)  # of checks of sizes, which are one side here
        traced = torch.jit.trace(classifier, (example,))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, buffer)
    return buffer.getvalue()


def load_torchscript(script: bytes) -> Callable[[Tensor], Tensor]:
    """Return what `export_torchscript` made, loaded as others load it, on the CPU."""
    with _quiet():
        module: Callable[[Tensor], Tensor] = torch.jit.load(io.BytesIO(script), map_location="cpu")  # type: ignore[no-untyped-call]
    return module
