"""How a worker is asked to end after its current step."""

from __future__ import annotations

import signal
from types import FrameType


class Stop:
    """Set by SIGTERM; a worker looks at it between two steps."""

    def __init__(self) -> None:
        self.is_asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True
