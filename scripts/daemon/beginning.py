"""Beginning a job: by a person's word, or though another lane may just have put a newer one in its place."""

from __future__ import annotations

from datetime import datetime

from bridge.errors import StoreError
from bridge.store import JobRecord, JobState, Store

FORCED = "forced "  # begins the input of a job that a person asked for
CONFIRMED = "confirmed "  # of a READ job by which a person believes what the file holds


def begin_job(store: Store, job: JobRecord, now: datetime) -> JobRecord | None:
    """Begin a job that was seen waiting; None when it doesn't wait any more, because a newer one took its place."""
    try:
        return store.start_job(job.id, now)
    except StoreError:
        if store.job(job.id).state is JobState.WAITING:
            raise
        return None
