"""One net of a checkpoint, ready to turn pixels into probabilities, by torch or by ONNX Runtime."""

from __future__ import annotations

import copy
from enum import Enum
from typing import Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.checkpoints import Checkpoint, NetCard, NetRole
from models.data import DyedSlide, Stains, slide_stains
from models.inference.onnx import INPUT, OUTPUT, export_onnx, open_session, shrinking
from models.inference.tile_line import Passes
from models.inference.turns import PLAIN, Turn
from models.nets import Segmenter, choose_device, mixed_precision, moved, place

WHITE = 255
_PASS_PX = 512**2  # of ONNX Runtime: more pixels in one pass only cost memory, and the processor's cache
_CORES_PER_PASS = 4
_MOST_AT_ONCE = 4  # passes: each holds what its tiles become within the net, some 120 MB


class Runtime(Enum):
    """What runs the net."""

    TORCH = "torch"  # any device
    ONNXRUNTIME = "onnxruntime"  # CPU: several times quicker there than torch
    AUTO = "auto"  # ONNX Runtime on the CPU, torch elsewhere


class Predictor:
    """Pixels in, probabilities out, as the checkpoint's card says.

    Parameters
    ----------
    checkpoint
        Holds the net.
    role
        Which of its nets.
    device
        ``auto``, ``cpu``, ``cuda``, ``mps``.
    runtime
        Both give the same class per pixel.
    threads
        CPU threads of ONNX Runtime; 0 takes as many as torch does: one per core, unless it is told otherwise.

    Raises
    ------
    CheckpointError
        There is no such net, or its weights don't fit its card.
    ValueError
        No such device here, or ONNX Runtime asked for on another than the CPU.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        role: NetRole = NetRole.HIGH,
        device: str = "auto",
        runtime: Runtime = Runtime.AUTO,
        threads: int = 0,
    ) -> None:
        self.checkpoint_id = checkpoint.id
        self.card: NetCard = checkpoint.card.net(role)
        self._dyes: WeakKeyDictionary[Slide, Stains | None] = WeakKeyDictionary()
        self._turn = PLAIN
        self.device = choose_device(device)
        self.runtime = _choose_runtime(runtime, self.device)
        if self.runtime is Runtime.ONNXRUNTIME:
            self._threads = threads or torch.get_num_threads()
            self._session = open_session(export_onnx(checkpoint, role), threads=self._threads)
        else:
            segmenter = Segmenter(checkpoint.build(role), self.card.normalization).eval()
            self._segmenter = place(segmenter, self.device)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by plane of the result."""
        return self.card.class_names

    @property
    def mpp(self) -> float:
        """µm per pixel of the input."""
        return self.card.mpp

    @property
    def stride(self) -> int:
        """Sides of the input are multiples of this."""
        return self.card.options.stride

    @property
    def runs_on(self) -> str:
        """What runs the net, for people: ``"onnxruntime on cpu"``."""
        return f"{self.runtime.value} on {self.device.type}"

    def passes(self, tile_px: int, batch_size: int) -> Passes:
        """Return how tiles of a side go through, at most ``batch_size`` in one pass.

        On the CPU each pass is of a few pixels and has some four cores: a batch of four tiles took four times the
        memory, and longer for each; a pass per core took 120 MB more for each, and was no quicker (measured on two).
        """
        if self.runtime is Runtime.ONNXRUNTIME:
            at_once = min(max(1, self._threads // _CORES_PER_PASS), _MOST_AT_ONCE)
            return Passes(at_once, max(1, min(batch_size, _PASS_PX // tile_px**2)))
        return Passes(1, batch_size)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return class probabilities of a batch. Several threads may ask at once.

        Parameters
        ----------
        pixels
            uint8, (n, height, width, channels), RGB at the card's mpp and, where the net wants it, a heat map; sides
            multiples of ``stride``.

        Returns
        -------
        float32, (n, classes, height, width), or (n, classes) of a patch classifier
            Summing to 1 over the classes.
        """
        if self._turn == PLAIN:
            return self._run(pixels)
        return self._turn.back(self._run(self._turn.turned(pixels)))

    def turned(self, turn: Turn) -> Self:
        """Return the same net seeing each tile turned; what it says is turned back. Tiles must be square then."""
        other = copy.copy(self)
        other._turn = turn
        return other

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.runtime is Runtime.ONNXRUNTIME:
            (result,) = self._session.run([OUTPUT], {INPUT: pixels})
            return np.asarray(result, np.float32)
        with torch.inference_mode(), mixed_precision(self.device):
            batch = moved(torch.from_numpy(np.ascontiguousarray(pixels)), self.device)
            return np.asarray(self._segmenter(batch).float().cpu().numpy())

    def give_back_memory(self) -> None:
        """Return to the system what ONNX Runtime keeps for the next batch: a daemon rests longer than it predicts.

        Kept from batch to batch it saves a third of the time; it is asked for again by the next one.
        """
        if self.runtime is Runtime.ONNXRUNTIME:
            shape = (1, self.stride, self.stride, len(self.card.normalization.mean))
            self._session.run([OUTPUT], {INPUT: np.zeros(shape, np.uint8)}, shrinking())

    def seen(self, slide: Slide) -> Slide:
        """Return a slide as the net was trained to see it: dyed like the card's reference, where there is one.

        Raises
        ------
        MissingResolutionError, SlideError
            As `models.data.dye_like`.
        """
        reference = self.card.stains
        if reference is None:
            return slide
        if slide not in self._dyes:  # kept: windows are asked for one by one
            self._dyes[slide] = slide_stains(slide, self.mpp)
        wanted = Stains(reference.haematoxylin, reference.eosin, reference.strengths)
        return DyedSlide(slide, wanted, self._dyes[slide])

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window that fits into memory, seen with some of what surrounds it.

        Parameters
        ----------
        slide
            Open.
        window
            On the slide's grid of the card's mpp.
        margin_px
            Pixels read beyond each side, at least.

        Raises
        ------
        SlideError
            The slide is damaged there.
        """
        around = padded_to_stride(window, margin_px, self.stride)
        result = self.probabilities(self.seen(slide).read_window(around)[None])[0]
        rows, columns = around.slices(window)
        return ProbabilityMap(np.ascontiguousarray(result[:, rows, columns]), window, self.names)


def padded_to_stride(window: Window, margin_px: int, stride: int) -> Window:
    """Return the window with a margin, grown right and below to sides that are multiples of the stride."""
    width = -(-(window.width + 2 * margin_px) // stride) * stride
    height = -(-(window.height + 2 * margin_px) // stride) * stride
    return Window(window.x - margin_px, window.y - margin_px, width, height, window.downsample)


def _choose_runtime(runtime: Runtime, device: torch.device) -> Runtime:
    on_cpu = device.type == "cpu"
    if runtime is Runtime.ONNXRUNTIME and not on_cpu:
        raise ValueError(f"onnxruntime runs on the CPU here, not on {device.type}; set runtime = torch")
    if runtime is Runtime.AUTO:
        return Runtime.ONNXRUNTIME if on_cpu else Runtime.TORCH
    return runtime
