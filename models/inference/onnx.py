"""A net as an ONNX graph, and the session that runs it on the CPU."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from models.checkpoints import Checkpoint, NetCard, NetRole
from models.nets import MonaiName, NetKind, Segmenter, UNet
from models.onnx_library import load_onnxruntime

OPSET = 17
INPUT, OUTPUT = "pixels", "probabilities"


class InputForm(Enum):
    """How a graph takes pixels; all of them are 0 to 255, red, green, blue, and a heat map where there is a fourth."""

    PIXELS = "pixels"  # uint8 (n, height, width, channels), as programs hold pictures; sides are free
    PLANES = "planes"  # float32 (n, channels, side, side), as programs in C++ want them; only n is free


class _FromPlanes(nn.Module):
    """A segmenter whose input has its channels first, as floats."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, planes: Tensor) -> Tensor:
        scores = self.segmenter.net(self.segmenter.normalize(planes))
        return torch.softmax(scores, dim=1)


def export_onnx(
    checkpoint: Checkpoint,
    role: NetRole = NetRole.HIGH,
    *,
    tile_px: int | None = None,
    form: InputForm = InputForm.PIXELS,
) -> bytes:
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
        Side of the tile that is traced; a small one if None. The graph doesn't depend on it, but of ``PLANES`` takes
        tiles of this side only; there None is the side that the net was trained on.
    form
        How the input comes.

    Raises
    ------
    CheckpointError
        There is no such net.
    """
    card = checkpoint.card.net(role)
    net = checkpoint.build(role)
    if isinstance(net, UNet):
        net.hold_less()
    graph = _Graph.of(Segmenter(net, card.normalization).eval(), card, tile_px, form)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch 2.9 deprecates this exporter; the new one needs onnxscript, which no part of ours needs otherwise.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Of the padding's constants; ONNX Runtime folds them.
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        if isinstance(card.options.encoder, MonaiName):  # of their checks of sizes: all multiples of the stride pass
            warnings.filterwarnings("ignore", category=TracerWarning)
        torch.onnx.export(
            graph.module,
            (graph.example,),
            buffer,  # type: ignore[arg-type]  # this exporter takes a file, too
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: graph.free_input, OUTPUT: graph.free_output},
        )
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class _Graph:
    """What is traced, with which tile, and which axes of input and output may be of any length."""

    module: nn.Module
    example: Tensor
    free_input: dict[int, str]
    free_output: dict[int, str]

    @classmethod
    def of(cls, segmenter: Segmenter, card: NetCard, tile_px: int | None, form: InputForm) -> Self:
        channels = len(card.normalization.mean)
        if form is InputForm.PLANES:
            side = tile_px or card.tile_px
            return cls(_FromPlanes(segmenter).eval(), torch.zeros((1, channels, side, side)), {0: "n"}, {0: "n"})
        # A large tile takes half a gigabyte to trace.
        side = tile_px or min(card.tile_px, max(64, 2 * card.options.stride))
        example = torch.zeros((1, side, side, channels), dtype=torch.uint8)
        says_one_class = card.options.kind is NetKind.PATCH
        free_output = {0: "n"} if says_one_class else {0: "n", 2: "height", 3: "width"}
        return cls(segmenter, example, {0: "n", 1: "height", 2: "width"}, free_output)


def with_facts(model: bytes, facts: Mapping[str, str]) -> bytes:
    """Return a model that says of itself what it is (ONNX's ``metadata_props``), checked to be a valid one."""
    import onnx

    graph = onnx.load_from_string(model)
    onnx.helper.set_model_props(graph, dict(facts))
    onnx.checker.check_model(graph)
    return bytes(graph.SerializeToString())


def open_session(model: bytes, *, threads: int = 0) -> Any:  # Any: onnxruntime has no types
    """Return an ONNX Runtime session on the CPU, which several threads may run at once.

    ``threads`` 0 takes one per core.
    """
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that have nothing to do would keep those that read, glue and run other passes off the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # one block for all that a pass holds: 110 MB more per 512² tile, no quicker
    options.log_severity_level = 3  # it warns of every initializer that it folds
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def shrinking() -> Any:
    """Return what makes a session's run give back the memory that it and those before it took."""
    options = load_onnxruntime().RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options
