"""Who may look: only programs on this machine that know the token, only reading, and no page of anybody else's.

The server listens on the loopback address. That keeps other machines out, but not web pages that the user has open:
they may send requests here, under a name of their own that points at this machine. Hence the token, which they don't
know, the look at the Host header, and headers that keep other pages from showing or reading ours.

Nor does it keep out servers that somebody else on the machine runs: cookies know no ports, so that a browser would send
ours to any of them that it visits. Hence each run has its pages under a path of its own, which nobody else knows, and
the cookie is bound to it. (``__Host-`` cookies, which are bound to a host, need ``Path=/`` and HTTPS: they would go to
all ports.) What a browser is started with is no secret, so the path isn't in it; the answer to it names the path.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_METHODS = ("GET", "HEAD")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer."""
_NO_TOKEN = "This page needs the address that `slidebridge dashboard` printed, with its token.\n"
_USED_UP = (
    "This address was good for one visit, and somebody has made it: if that wasn't you, end the dashboard (Ctrl-C) and"
    " start it again; else go to the page that is open, or use the address that `slidebridge dashboard` printed.\n"
)
_OTHER_NAME = "Open this page as http://127.0.0.1 or http://localhost, at the port that was printed.\n"
_ONLY_READS = "The dashboard only reads: GET and HEAD.\n"


class Tickets:
    """Tokens that are good for one visit: what a browser is started with, everybody on the machine may read.

    Threads may share it: of those who come with the same one, one is let in.
    """

    def __init__(self) -> None:
        self._valid: set[str] = set()
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def issue(self) -> str:
        """Return a new one."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._valid.add(ticket)
        return ticket

    def use(self, given: str) -> bool:
        """Say whether this is one, which it is no more."""
        with self._lock:
            found = _same(given, self._valid)
            self._valid.difference_update(found)
            self._used.update(found)
        return bool(found)

    def was_used(self, given: str) -> bool:
        """Say whether this was one, before somebody used it."""
        with self._lock:
            return bool(_same(given, self._used))


def base_of(token: str) -> str:
    """Return what every address of a run begins with: as hard to guess as its token, which can't be told from it."""
    return f"/{hashlib.sha256(b'path ' + token.encode()).hexdigest()[:32]}"


class Access:
    """Lets a request through to the app, or answers it with one plain line; puts the headers on every answer.

    Parameters
    ----------
    app
        What is guarded.
    token
        The secret of this run, in the first address; a cookie bears it from then on.
    tickets
        Do what the token does, once each.
    """

    def __init__(self, app: ASGIApp, token: str, tickets: Tickets) -> None:
        self._app = app
        self._token = token
        self._tickets = tickets
        self._base = base_of(token)
        # Not the same for two runs: a browser that keeps an old one under another path must not confuse them.
        self._cookie = f"slidebridge-{hashlib.sha256(token.encode()).hexdigest()[:12]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the dashboard speaks HTTP only, not {scope['type']}")
        refused = self._refusal(scope)
        scope["root_path"] = self._base  # what the routes' paths follow
        await (self._app if refused is None else refused)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that the app is not to see."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
            return PlainTextResponse(_OTHER_NAME, 403)
        if scope["method"] not in _METHODS:
            return PlainTextResponse(_ONLY_READS, 405, {"Allow": ", ".join(_METHODS)})
        if scope["path"] == "/":
            return self._at_the_door(QueryParams(scope["query_string"]).getlist(TOKEN))
        is_ours = scope["path"].startswith(f"{self._base}/") and self._is_token(self._cookie_of(headers))
        return None if is_ours else PlainTextResponse(_NO_TOKEN, 403)

    def _at_the_door(self, given: list[str]) -> Response:
        """Exchange the token in the address for a cookie, and the address for that of the pages."""
        if len(given) != 1 or not (self._is_token(given[0]) or self._tickets.use(given[0])):
            was_used = len(given) == 1 and self._tickets.was_used(given[0])
            return PlainTextResponse(_USED_UP if was_used else _NO_TOKEN, 403)
        answer = RedirectResponse(f"{self._base}/", 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path=f"{self._base}/")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token.encode())

    def _cookie_of(self, headers: Headers) -> str:
        return cookie_parser("; ".join(headers.getlist("cookie"))).get(self._cookie, "")


def _same(given: str, tickets: Iterable[str]) -> list[str]:
    data = given.encode("utf-8", "surrogatepass")
    return [ticket for ticket in tickets if hmac.compare_digest(data, ticket.encode())]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")  # pixels and names of patients' stay out of caches
        await send(message)

    return sending
