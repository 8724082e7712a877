from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

Onnx = Callable[[nn.Module, torch.Tensor, torch.Tensor], NDArray[np.float32]]
Settle = Callable[[nn.Module, torch.Tensor], None]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settle() -> Settle:
    """Give a fresh net the running statistics of one batch: without them deep maps fade to nothing."""

    def run(net: nn.Module, pixels: torch.Tensor) -> None:
        for module in net.modules():
            if hasattr(module, "momentum"):
                module.momentum = 1.0
        with torch.no_grad():
            net.train()(pixels)
        net.eval()

    return run


@pytest.fixture
def through_onnx() -> Onnx:
    """Trace a net on one input, run ONNX Runtime on another, whose count and sides may differ."""

    def run(net: nn.Module, example: torch.Tensor, pixels: torch.Tensor) -> NDArray[np.float32]:
        import onnxruntime

        buffer = io.BytesIO()
        free = {0: "n", 2: "height", 3: "width"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter without onnxscript
            torch.onnx.export(
                net,
                (example,),
                buffer,  # type: ignore[arg-type]
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                output_names=["y"],
                dynamic_axes={"x": free},
            )
        session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
        (result,) = session.run(None, {"x": pixels.numpy()})
        return result

    return run
