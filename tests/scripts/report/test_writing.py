from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from scripts.report.writing import Place, find_place, write_report

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


def page(made: datetime, since: datetime) -> str:
    return (
        '<meta name="generator" content="SlideBridge report">'
        f'<meta name="slidebridge-made" content="{made.isoformat()}">'
        f'<meta name="slidebridge-since" content="{since.isoformat()}">'
    )


def test_new_file_and_folder(tmp_path: Path) -> None:
    assert find_place(tmp_path / "a.html", NOW, is_forced=False) == Place(tmp_path / "a.html")
    assert find_place(tmp_path, NOW, is_forced=False) == Place(tmp_path / "report.html")


@pytest.mark.parametrize("days", [1, 3])
def test_news_begin_with_the_report_before(tmp_path: Path, days: int) -> None:
    path, made = tmp_path / "a.html", NOW - timedelta(days=days)
    write_report(Place(path), page(made, made - timedelta(days=1)))
    assert find_place(path, NOW, is_forced=False).since == made


def test_report_made_again_tells_the_same_news(tmp_path: Path) -> None:
    path, since = tmp_path / "a.html", NOW - timedelta(days=1)
    write_report(Place(path), page(NOW - timedelta(minutes=10), since))
    assert find_place(path, NOW, is_forced=False).since == since


@pytest.mark.parametrize("made", ["yesterday", "2026-03-01T07:30:00"])
def test_edited_report_is_replaced_all_the_same(tmp_path: Path, made: str) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        f'<meta name="generator" content="SlideBridge report"><meta name="slidebridge-made" content="{made}">'
    )
    assert find_place(path, NOW, is_forced=False) == Place(path)


def test_file_of_somebody_is_left_alone_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "thesis.html"
    path.write_text("<html>years of work</html>")
    with pytest.raises(ConfigError, match="no report of ours and is left alone"):
        find_place(path, NOW, is_forced=False)
    assert find_place(path, NOW, is_forced=True) == Place(path)


def test_missing_folder_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        find_place(tmp_path / "gone" / "a.html", NOW, is_forced=True)


def test_report_is_put_in_place_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("old")
    assert write_report(Place(path), "new ✓ \ud800") == path.resolve()
    assert path.read_text("utf-8") == "new ✓ ?"
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
