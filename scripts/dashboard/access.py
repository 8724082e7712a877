"""Who may look: only programs on this machine that know the token, only reading, and no page of anybody else's.

The server listens on the loopback address. That keeps other machines out, but not web pages that the user has open:
they may send requests here, under a name of their own that points at this machine. Hence the token, which they don't
know, the look at the Host header, and headers that keep other pages from showing or reading ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

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
_OTHER_NAME = "Open this page as http://127.0.0.1 or http://localhost, at the port that was printed.\n"
_ONLY_READS = "The dashboard only reads: GET and HEAD.\n"


class Tickets:
    """Tokens that are good for one visit: what a browser is started with, everybody on the machine may read."""

    def __init__(self) -> None:
        self._valid: set[str] = set()

    def issue(self) -> str:
        """Return a new one."""
        ticket = secrets.token_urlsafe(32)
        self._valid.add(ticket)
        return ticket

    def use(self, given: str) -> bool:
        """Say whether this is one, which it is no more."""
        data = given.encode("utf-8", "surrogatepass")
        found = [ticket for ticket in self._valid if hmac.compare_digest(data, ticket.encode())]
        self._valid.difference_update(found)
        return bool(found)


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
        # Browsers share cookies between the ports of a machine: two dashboards must not overwrite each other's.
        self._cookie = f"slidebridge-{hashlib.sha256(token.encode()).hexdigest()[:12]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the dashboard speaks HTTP only, not {scope['type']}")
        refused = self._refusal(scope)
        await (self._app if refused is None else refused)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that the app is not to see."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
            return PlainTextResponse(_OTHER_NAME, 403)
        if scope["method"] not in _METHODS:
            return PlainTextResponse(_ONLY_READS, 405, {"Allow": ", ".join(_METHODS)})
        given = QueryParams(scope["query_string"]).getlist(TOKEN)
        if len(given) == 1 and (self._is_token(given[0]) or self._tickets.use(given[0])):
            return self._welcome()
        if not self._is_token(self._cookie_of(headers)):
            return PlainTextResponse(_NO_TOKEN, 403)
        return RedirectResponse("/", 303) if given else None  # a ticket that was used, by "back" or "reload"

    def _welcome(self) -> Response:
        """Exchange the token in the address for a cookie, and the address for one without it."""
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token.encode())

    def _cookie_of(self, headers: Headers) -> str:
        return cookie_parser("; ".join(headers.getlist("cookie"))).get(self._cookie, "")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")  # pixels and names of patients' stay out of caches
        await send(message)

    return sending
