"""What an export refuses."""

from __future__ import annotations

from bridge.errors import BridgeError


class ExportError(BridgeError):
    """Nothing was written: the folder is somebody's, the model doesn't fit the format, or the copy isn't true."""
