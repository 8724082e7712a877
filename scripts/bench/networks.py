"""The network that prediction is measured with, in every form that a program takes it in."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded where it is used: a bare forward pass is measured without it
    from torch import Tensor, nn

    from models.checkpoints import Checkpoint

NAMES = ("Background", "Tumor", "Stroma", "Necrosis")
MPP = 0.5
_FINEST = {"decoder.2.units.0.0.weight": 48, "decoder.3.units.0.0.weight": 32}  # convolution: inputs from below
TILE_PX = 512


@dataclass(frozen=True, slots=True)
class NetworkFiles:
    """One network.

    Parameters
    ----------
    checkpoint
        Folder of ours.
    own_onnx
        As ours runs it: whole numbers (n, height, width, colours) in.
    onnx, torchscript
        As others take it: floats of 0 to 255, (1, colours, height, width) of one tile, in.
    """

    checkpoint: Path
    own_onnx: Path
    onnx: Path
    torchscript: Path


def write_networks(folder: Path, *, for_others: bool = True) -> NetworkFiles:
    """Write the network into a folder; without ``for_others`` only as ours takes it: the rest costs seconds.

    The encoder's weights are ImageNet's, the decoder's are drawn with a seed. Those of the two finest skips are zero:
    what it finds has the size of structures then, as a trained one's, and costs the same.
    """
    from models.inference import export_onnx

    checkpoint = _checkpoint(folder / "checkpoints")
    files = NetworkFiles(
        folder / "checkpoints" / checkpoint.id, folder / "own.onnx", folder / "net.onnx", folder / "net.pt"
    )
    files.own_onnx.write_bytes(export_onnx(checkpoint))
    if for_others:
        _write_for_others(checkpoint, files)
    return files


def _checkpoint(folder: Path) -> Checkpoint:
    from models.checkpoints import Card, NetCard, NetRole, save_checkpoint, with_role
    from models.nets import IMAGENET, NetOptions, build_net

    options = NetOptions()
    weights = build_net(options, len(NAMES), seed=0).state_dict()
    weights = {name: _without_skip(name, values) for name, values in weights.items()}
    card = Card("deepzoom", (NetCard(NetRole.HIGH, options, NAMES, MPP, TILE_PX, IMAGENET),))
    return save_checkpoint(folder, with_role(weights, NetRole.HIGH), card)


def _without_skip(name: str, values: Tensor) -> Tensor:
    """Return a weight without what it takes from a skip: its inputs after those that come from below."""
    from_below = _FINEST.get(name)
    if from_below is None:
        return values
    kept = values.clone()
    kept[:, from_below:] = 0
    return kept


def _write_for_others(checkpoint: Checkpoint, files: NetworkFiles) -> None:
    import torch

    net, tile = segmenter(checkpoint), torch.zeros(1, 3, TILE_PX, TILE_PX)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter that needs no further library is the older one, and says so
        torch.onnx.export(
            net, (tile,), files.onnx, dynamo=False, opset_version=17, input_names=["pixels"], output_names=["shares"]
        )
        torch.jit.trace(net, tile).save(str(files.torchscript))  # type: ignore[no-untyped-call]


def segmenter(checkpoint: Checkpoint) -> nn.Module:
    """Return the network as others take it."""
    from torch import nn

    from models.checkpoints import NetRole
    from models.nets import Segmenter

    whole = Segmenter(checkpoint.build(NetRole.HIGH), checkpoint.card.net(NetRole.HIGH).normalization).eval()
    return nn.Sequential(whole.normalize, whole.net, nn.Softmax(dim=1)).eval()
