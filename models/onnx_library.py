"""ONNX Runtime, which reports to nobody."""

from __future__ import annotations

from typing import Any


def load_onnxruntime() -> Any:  # Any: onnxruntime has no types
    """Return the library, told to report nothing: no names of models, no runs, no number that stands for the machine.

    Elsewhere than on Windows only an environment variable does that, set before the library is loaded: this package
    sets it as soon as it is imported (``models/__init__.py``).
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime
