"""The lease of a command that works for minutes: renewed by a thread of its own."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from bridge.errors import ProjectBusyError, StoreError
from bridge.store.lease import STALE_SECONDS, Lease

logger = logging.getLogger(__name__)


class Beat:
    """Keeps a lease alive while a block runs, and gives it back at its end.

    Parameters
    ----------
    every_seconds
        Between two renewals.
    """

    def __init__(self, lease: Lease, every_seconds: float = STALE_SECONDS / 3) -> None:
        self._lease = lease
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._lost: ProjectBusyError | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def check(self) -> None:
        """Do nothing as long as the project is ours; to be asked before each write.

        Raises
        ------
        ProjectBusyError
            Another process has taken over, as of a machine that stood still too long.
        StoreError
            The lease can't be read just now.
        """
        if self._lost is not None:
            raise self._lost
        self._lease.check()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._lease.release()

    def _run(self) -> None:
        while not self._ended.wait(self._every_seconds):
            try:
                self._lease.renew()
            except ProjectBusyError as error:
                self._lost = error
                return
            except StoreError as error:  # a share that is away for a moment: the next beat may get through
                logger.warning("lease not renewed: %s", error)
