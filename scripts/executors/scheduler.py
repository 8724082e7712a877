"""Which scheduler a setting names, and whether it may: no Dask is needed to say so."""

from __future__ import annotations

import re

from bridge.errors import ConfigError
from scripts.options import ComputeOptions

LOCAL = "local"
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d{1,5}")


def check_scheduler(options: ComputeOptions) -> None:
    """Refuse a scheduler that can't be one, and certificates without use or in want of others.

    Raises
    ------
    ConfigError
        With what is allowed.
    """
    scheduler = options.scheduler
    if scheduler not in ("", LOCAL) and not _ADDRESS.fullmatch(scheduler):
        raise ConfigError(
            f'[compute] scheduler {scheduler!r} is none; set "" (this process), "local", "tcp://host:8786" or'
            ' "tls://host:8786"'
        )
    certificates = (options.tls_ca, options.tls_cert, options.tls_key)
    if scheduler.startswith("tls://") and (options.tls_ca is None or options.tls_cert is None):
        raise ConfigError(f"[compute] {scheduler} needs certificates; set tls_ca and tls_cert")
    if not scheduler.startswith("tls://") and any(path is not None for path in certificates):
        raise ConfigError(f"[compute] certificates are for tls:// addresses, not for {scheduler!r}")
