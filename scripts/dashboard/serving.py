"""The dashboard's server: on this machine's loopback address only, until Ctrl-C."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bridge.errors import BridgeError, ConfigError
from bridge.installing import how_to_add
from scripts.project import open_project

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_NEEDED = ("starlette", "uvicorn")
_BACKLOG = 64


def check_installed() -> None:
    """Refuse to go on where the extra is missing.

    Raises
    ------
    ConfigError
        It is.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        raise ConfigError(f"the dashboard needs two more packages: {how_to_add('dashboard', _NEEDED)}")


def serve(
    projects: Sequence[Path],
    *,
    port: int = 0,
    opens_browser: bool = True,
    tell: Callable[[str], None] = print,
    open_browser: Callable[[str], bool] = webbrowser.open,
) -> None:
    """Serve the dashboard of some projects until Ctrl-C.

    Parameters
    ----------
    port
        0: any that is free.
    tell
        Gets the address, with the token in it.
    open_browser
        Gets an address that is good for one visit: what a browser is started with is no secret on a shared machine.

    Raises
    ------
    BridgeError
        The extra is missing, the port is taken, or none of the projects can be opened.
    """
    check_installed()
    from scripts.dashboard.access import TOKEN, Tickets
    from scripts.dashboard.app import make_app

    token, tickets = secrets.token_urlsafe(32), Tickets()
    with bound(port) as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}/?{TOKEN}="
        app = make_app(roots_of(projects), token, tickets=tickets)
        tell(f"{address}{token}")
        if opens_browser:
            _open(f"{address}{tickets.issue()}", open_browser)
        try:
            _server(app).run(sockets=[listening])
        finally:
            app.state.site.close()


def bound(port: int) -> socket.socket:
    """Return a socket that listens on the loopback address; connections wait until the server takes them.

    Raises
    ------
    ConfigError
        The port is taken, or not for us.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"port {port} can't be used: {reason}; leave --port away to get a free one") from error
    return listening


def roots_of(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the projects that some paths belong to, each once; one that can't be opened now may be later.

    Raises
    ------
    BridgeError
        None of them can: most likely the path is wrong.
    """
    found: dict[Path, None] = {}
    errors: list[BridgeError] = []
    for path in paths:
        try:
            found[open_project(path).root] = None
        except BridgeError as error:
            errors.append(error)
            found[path.resolve()] = None
    if len(errors) == len(paths):
        raise errors[0]
    return tuple(found)


def has_screen(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Say whether a browser can be shown: where there is no screen, one in the terminal would take that over."""
    return platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _server(app: object) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Ends when asked to, and that was all: the signal is not passed on as an error."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.should_exit = True

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI app
        log_config=None,
        access_log=False,  # it would have the token in it
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=1,
        limit_concurrency=128,
    )
    return Server(config)


def _open(address: str, open_browser: Callable[[str], bool]) -> None:
    try:
        is_open = open_browser(address)
    except (OSError, webbrowser.Error) as error:
        logger.debug("no browser: %s", error)
        is_open = False
    if not is_open:
        logger.info("no browser could be opened; open the printed address in one")
