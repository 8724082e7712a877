"""A net as an ONNX graph, and the session that runs it on the CPU."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch.jit._trace import TracerWarning

from models.checkpoints import Checkpoint, NetRole
from models.nets import MonaiName, NetKind, Segmenter, UNet

OPSET = 17
INPUT, OUTPUT = "pixels", "probabilities"


def export_onnx(checkpoint: Checkpoint, role: NetRole = NetRole.HIGH, *, tile_px: int | None = None) -> bytes:
    """Return one net as an ONNX model, normalization and softmax inside.

    Its input ``pixels`` is uint8 (n, height, width, channels), 3 or, with a heat map, 4; its output ``probabilities``
    float32 (n, classes, height, width), or (n, classes) of a patch classifier; n, height and width are free, the sides
    multiples of the net's stride.

    Parameters
    ----------
    checkpoint
        Holds the net.
    role
        Which one.
    tile_px
        Side of the tile that is traced; a small one if None. The graph doesn't depend on it.

    Raises
    ------
    CheckpointError
        There is no such net.
    """
    card = checkpoint.card.net(role)
    net = checkpoint.build(role)
    if isinstance(net, UNet):
        net.hold_less()
    segmenter = Segmenter(net, card.normalization).eval()
    side = tile_px or min(card.tile_px, max(64, 2 * card.options.stride))  # a large one takes half a gigabyte to trace
    example = torch.zeros((1, side, side, len(card.normalization.mean)), dtype=torch.uint8)
    free = {0: "n", 1: "height", 2: "width"}
    free_output = {0: "n"} if card.options.kind is NetKind.PATCH else {0: "n", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch 2.9 deprecates this exporter; the new one needs onnxscript, which no part of ours needs otherwise.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Of the padding's constants; ONNX Runtime folds them.
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        if isinstance(card.options.encoder, MonaiName):  # of their checks of sizes: all multiples of the stride pass
            warnings.filterwarnings("ignore", category=TracerWarning)
        torch.onnx.export(
            segmenter,
            (example,),
            buffer,  # type: ignore[arg-type]  # this exporter takes a file, too
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free_output},
        )
    return buffer.getvalue()


def open_session(model: bytes, *, threads: int = 0) -> Any:  # Any: onnxruntime has no types
    """Return an ONNX Runtime session on the CPU, which several threads may run at once.

    ``threads`` 0 takes one per core.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that have nothing to do would keep those that read, glue and run other passes off the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # one block for all that a pass holds: 110 MB more per 512² tile, no quicker
    options.log_severity_level = 3  # it warns of every initializer that it folds
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def shrinking() -> Any:
    """Return what makes a session's run give back the memory that it and those before it took."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options
