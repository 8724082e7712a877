"""Who gets in: programs on this machine, with the token, to read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_lab import DOOR, TOKEN, Board, Browser, browser

from scripts.dashboard.access import Tickets

ADDRESSES = ("/", "/static/page.js", "/api/p/x/now", "/no/such/page")  # below the base of a run
OUTSIDE = (DOOR, f"{DOOR}/static/page.js", f"{DOOR}/p/x", f"{DOOR}/no/such/page")


@pytest.fixture
def stranger(root: Path) -> Iterator[Browser]:
    """A browser that was never told the token."""
    with browser(root) as stranger:
        yield stranger


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(stranger: Browser) -> None:
    answer = stranger.get(f"{DOOR}/?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{stranger.base}/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert stranger.get("/").status_code in (200, 303)


def test_the_cookie_goes_to_no_other_server_of_the_machine(root: Path) -> None:
    """Cookies know no ports: only the path keeps ours from who listens on another one."""
    with browser(root) as client:
        client.get(f"{DOOR}/?token={TOKEN}")
        (cookie,) = client.cookies.jar
        assert cookie.path == f"{client.base}/"
        with browser(root, token="of another run") as other:
            assert other.base != client.base
            for path in ("/", "/p/x", f"{other.base}/", f"{client.base}x/"):
                asked = client.client.build_request("GET", f"http://127.0.0.1:9999{path}")
                assert "cookie" not in asked.headers, path
            asked = client.client.build_request("GET", f"{DOOR}{client.base}/p/x")
            assert "cookie" in asked.headers


def test_what_a_browser_is_started_with_tells_nothing_of_where_the_pages_are(root: Path) -> None:
    tickets = Tickets()
    ticket = tickets.issue()
    with browser(root, tickets=tickets) as client:
        assert TOKEN not in client.base and ticket not in client.base
        assert client.get(f"{DOOR}/?token=wrong").text.count(client.base) == 0


@pytest.mark.parametrize("address", OUTSIDE)
def test_beside_the_door_nothing_is_answered_outside_of_the_base(board: Board, address: str) -> None:
    header = {"cookie": "; ".join(f"{name}={value}" for name, value in board.client.cookies.items())}
    assert board.client.get(address, headers=header).status_code == 403


@pytest.mark.parametrize("address", [*ADDRESSES, *OUTSIDE])
def test_nothing_is_shown_without_the_token(stranger: Browser, address: str) -> None:
    answer = stranger.get(address)
    assert answer.status_code == 403
    assert len(answer.text.splitlines()) == 1
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "tökén", "%00", f"{TOKEN}&token=wrong"]
)
def test_a_wrong_token_is_refused(stranger: Browser, token: str) -> None:
    answer = stranger.get(f"{DOOR}/?token={token}")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert TOKEN not in answer.text


def test_a_wrong_cookie_is_refused(stranger: Browser) -> None:
    stranger.get(f"{DOOR}/?token={TOKEN}")
    (name,) = stranger.cookies
    stranger.cookies.clear()
    stranger.cookies.set(name, "wrong")
    assert stranger.get("/").status_code == 403


def test_another_programs_odd_cookie_does_not_hide_ours(board: Board) -> None:
    (name,) = board.client.cookies
    header = {"cookie": f'odd[name]="un=even; {name}={board.client.cookies[name]}; =; x'}
    assert board.client.get("/static/page.js", headers=header).status_code == 200


def test_a_ticket_is_good_for_one_visit_and_who_comes_later_is_told_that_somebody_came(root: Path) -> None:
    tickets = Tickets()
    ticket = tickets.issue()
    with browser(root, tickets=tickets) as invited:
        thief = Browser(invited.app, invited.portal)
        assert invited.get(f"{DOOR}/?token={ticket}").status_code == 303
        for late in (thief, invited):
            answer = late.get(f"{DOOR}/?token={ticket}")
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
            assert len(answer.text.splitlines()) == 1 and "somebody has made it" in answer.text
            assert invited.base not in answer.text
        assert invited.get("/").status_code == 303, "the visit goes on"
        assert "somebody" not in thief.get(f"{DOOR}/?token=wrong").text


def test_of_two_who_come_with_one_ticket_at_once_one_is_let_in() -> None:
    tickets, let_in = Tickets(), list[bool]()
    ticket = tickets.issue()
    second = threading.Thread(target=lambda: let_in.append(tickets.use(ticket)))

    class Slow(str):
        """A ticket that somebody else comes with while it is looked at."""

        def encode(self, *args: str) -> bytes:
            if second.ident is None:
                second.start()
                second.join(timeout=0.1)  # who has to wait for us doesn't end
            return str(self).encode(*args)

    tickets._valid = {Slow(ticket)}
    let_in.append(tickets.use(ticket))
    second.join()
    assert sorted(let_in) == [False, True]


def test_two_dashboards_of_one_machine_have_cookies_of_their_own(root: Path) -> None:
    names = set()
    for token in ("first", "second"):
        with browser(root, token=token) as client:
            client.get(f"{DOOR}/?token={token}")
            names |= set(client.cookies)
    assert len(names) == 2


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8123", "localhost:8123", "LOCALHOST:8123", "localhost", "127.0.0.1", "[::1]:8123"]
)
def test_this_machine_may_be_called_by_its_own_names(board: Board, host: str) -> None:
    assert board.client.get("/static/page.js", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8123", "127.0.0.1.evil.example", "localhost.evil.example:8123", "127.0.0.2:8123",
     "0.0.0.0:8123", "", "localhost:8123@evil.example", "localhost:port", "[::1", "user@localhost"],
)  # fmt: skip
def test_other_names_for_this_machine_are_refused(board: Board, host: str) -> None:
    answer = board.client.get(f"{DOOR}/?token={TOKEN}", headers={"host": host})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("address", ["/", "/static/page.js", f"{DOOR}/?token={TOKEN}"])
def test_it_only_reads(board: Board, method: str, address: str) -> None:
    answer = board.client.request(method, address)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_has_the_headers_of_get_and_no_body(board: Board) -> None:
    got, head = (board.client.request(method, "/static/page.css") for method in ("GET", "HEAD"))
    assert head.status_code == 200 and not head.content
    assert head.headers["etag"] == got.headers["etag"]


@pytest.mark.parametrize("address", [*ADDRESSES, "/p/none", "/static/none.js"])
def test_every_answer_keeps_other_pages_out(board: Board, stranger: Browser, address: str) -> None:
    for client in (board.client, stranger):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if headers.get("etag") and "static" in address else "no-store")


def test_what_has_not_changed_is_not_sent_again(board: Board) -> None:
    tag = board.client.get("/static/page.js").headers["etag"]
    again = board.client.get("/static/page.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache", "or the browser would throw away what it keeps"
