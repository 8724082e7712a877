"""Logging set-up: the one place with handlers."""

from __future__ import annotations

import logging


def set_up_logging(*, is_verbose: bool, is_quiet: bool) -> None:
    """Send log lines to stderr: DEBUG when verbose, ERROR when quiet, else WARNING."""
    level = logging.DEBUG if is_verbose else logging.ERROR if is_quiet else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    for room in ("bridge", "models", "scripts"):
        logging.getLogger(room).setLevel(level)
