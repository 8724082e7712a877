"""What a worker process that we started ourselves does at its beginning. Imports Dask."""

from __future__ import annotations

import signal
import threading

from distributed import Worker, WorkerPlugin


class OurWorker(WorkerPlugin):
    """Has a worker leave Ctrl-C to the process that started it, which says what there is to say and ends it."""

    def setup(self, worker: Worker) -> None:
        """Begin on a worker, in its main thread: others may not change what signals do."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
