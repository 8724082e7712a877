"""A folder that doesn't answer, or isn't there any more: what its pages say meanwhile, and that others don't wait."""

from __future__ import annotations

import re
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dashboard_lab import NOW, Board, make_project, opened, project_page, text_of

from scripts.dashboard import looking, pages
from scripts.dashboard.live import Now, read_now
from scripts.dashboard.looking import Watched
from scripts.project import Project, open_project


def test_a_share_that_hangs_keeps_no_other_project_waiting(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, is_back = make_project(tmp_path / "away"), threading.Event()

    def opening(path: Path) -> Project:
        if path == away:
            is_back.wait(60)
        return open_project(path)

    monkeypatch.setattr(looking, "open_project", opening)
    with opened(lab, away) as board:
        hanging = f"/api/p/{board.project(1)}/slides"
        asked = [board.client.portal.start_task_soon(board.client.client.get, hanging) for _ in range(6)]
        try:
            answer = board.client.portal.start_task_soon(board.client.client.get, f"/api/p/{board.project(0)}/slides")
            assert answer.result(timeout=20).status_code == 200
        finally:
            is_back.set()
        assert [one.result(timeout=20).status_code for one in asked] == [200] * 6


def test_polls_of_a_share_that_hangs_begin_one_reading_and_are_told_what_was_known(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_there, is_back, begun = [True], threading.Event(), list[Watched]()

    def reading(watched: Watched, now: datetime) -> Now:
        begun.append(watched)
        return read_now(watched, now)

    def opening(path: Path) -> Project:
        if not is_there[0]:
            is_back.wait(60)
        return open_project(path)

    clock, now = [0.0], [NOW]
    monkeypatch.setattr(looking, "open_project", opening)
    monkeypatch.setattr(pages, "read_now", reading)
    with opened(lab, clock=lambda: clock[0], now=lambda: now[0], patience=0.05) as board:
        address = f"/api/p/{board.project()}/now"
        before = settled(board, address, "no daemon is watching")
        is_there[0], begun[:] = False, []
        clock[0], now[0] = 100.0, NOW + timedelta(seconds=100)
        try:
            said = [text_of(board.client.get(address).text) for _ in range(12)]
            page = board.client.get(f"/p/{board.project()}").text
        finally:
            is_there[0] = True
            is_back.set()
        after = settled(board, address, before)
    assert len(begun) == 1, "one reading for all polls"
    assert all("doesn't answer since" in one and "Below is how it was 1 min 40 s ago" in one for one in said)
    assert all("no daemon is watching" in one for one in said)
    assert "data-incomplete" in page, "it is loaded anew when the share is back"
    assert after == before


def settled(board: Board, address: str, wanted: str) -> str:
    """Return what an address says as soon as it says that: a busy machine needs some time for it."""
    for _ in range(400):
        said = text_of(board.client.get(address).text)
        if wanted in said and "doesn't answer" not in said:
            return said
    raise AssertionError(said)


def test_whatever_is_asked_of_a_share_that_hangs_no_more_threads_are_made(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back = threading.Event()

    def opening(path: Path) -> Project:
        is_back.wait(60)
        return open_project(path)

    monkeypatch.setattr(looking, "open_project", opening)
    with opened(lab, patience=0.01) as board:
        project = f"/p/{board.project()}"
        addresses = [f"/api{project}/{part}" for part in ("now", "curve", "learning", "slides")]
        addresses.append(f"/api{project}/s/x/outlines?left=0&top=0&right=9&bottom=9&unit=1")
        addresses.append(f"{project}/s/x/thumbnail.jpg")
        try:
            counts = []
            for _ in range(4):
                answers = {address: board.client.get(address) for address in addresses for _ in range(3)}
                counts.append(threading.active_count())
        finally:
            is_back.set()
    assert counts[1:] == counts[1:2] * 3, counts
    assert {answer.status_code for address, answer in answers.items() if not address.endswith("now")} == {503}
    assert all("doesn't answer" in text_of(answer.text) for answer in answers.values())


@pytest.mark.parametrize("is_mount_point_left", [False, True], ids=["no folder", "an empty folder"])
def test_a_folder_that_went_is_told_as_such_and_since_when_and_recovers(
    lab: Path, tmp_path: Path, *, is_mount_point_left: bool
) -> None:
    clock, now = [0.0], [NOW]
    with opened(lab, clock=lambda: clock[0], now=lambda: now[0]) as board:
        address = f"/api/p/{board.project()}/now"
        before = board.client.get(address).text
        lab.rename(tmp_path / "elsewhere")
        if is_mount_point_left:
            lab.mkdir()
        said = []
        for seconds in (10, 70):
            clock[0], now[0] = float(seconds), NOW + timedelta(seconds=seconds)
            said.append(text_of(board.client.get(address).text))
        rows = board.client.get(f"/api/p/{board.project()}/slides")
        if is_mount_point_left:
            lab.rmdir()
        (tmp_path / "elsewhere").rename(lab)
        clock[0], now[0] = 100.0, NOW
        after = board.client.get(address).text
    since = f"{(NOW + timedelta(seconds=10)).astimezone():%Y-%m-%d %H:%M:%S}"
    assert said[0] == said[1] and f"{lab} can't be reached since {since}" in said[0]
    assert "slidebridge.toml" not in said[0] and "slidebridge new" not in said[0]
    assert rows.status_code == 503 and "can't be reached since" in rows.text
    assert after == before


def test_a_project_above_the_one_that_went_is_not_taken_for_it(lab: Path, tmp_path: Path) -> None:
    clock, inner = [0.0], make_project(lab / "inner", slide="inner")
    with opened(inner, clock=lambda: clock[0]) as board:
        assert board.client.get(f"/api/p/{board.project()}/slides").status_code == 200
        inner.rename(tmp_path / "elsewhere")
        clock[0] = 100.0
        answer = board.client.get(f"/api/p/{board.project()}/slides")
    assert answer.status_code == 503 and "can't be reached" in answer.text


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_project_keeps_its_address_and_title_whatever_becomes_of_its_folder(lab: Path, tmp_path: Path) -> None:
    """They are needed for the line that says that a share doesn't answer, too: it isn't asked for them."""
    link = tmp_path / "link"
    link.symlink_to(lab)
    with opened(link) as board:
        before = project_page(board)
        link.unlink()
        link.symlink_to(tmp_path / "nowhere")
        page = project_page(board)
    assert re.search("<h1>.*</h1>", page)[0] == re.search("<h1>.*</h1>", before)[0]  # type: ignore[index]
    assert f"/api/p/{board.project()}/now" in page
