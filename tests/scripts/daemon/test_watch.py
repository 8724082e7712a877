"""``watch`` in the real world: threads, the system's events, real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.errors import ConfigError, ProjectBusyError
from bridge.store.lease import Lease
from daemon_lab import DaemonLab
from lab_support import labelled, xml_of
from scripts.daemon.heartbeat import read_heartbeat
from scripts.daemon.watch import watch
from scripts.project import open_project, open_store

pytestmark = pytest.mark.heavy
DEADLINE = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    DaemonLab.with_slides(tmp_path)
    settings = tmp_path / "slidebridge.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("settle_seconds = 2.0", "settle_seconds = 0.2"), "utf-8")
    return tmp_path


class Running:
    """A daemon in a thread of the test's."""

    def __init__(self, *paths: Path) -> None:
        self._is_asked = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, args=(paths,))
        self._thread.start()

    def _watch(self, paths: tuple[Path, ...]) -> None:
        try:
            watch(paths, lambda: self._is_asked, is_quiet=True)
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self._is_asked = True
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(*paths: Path) -> Running:
        running.append(Running(*paths))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def log(root: Path) -> str:
    path = root / ".slidebridge" / "log" / "watch.log"
    return path.read_text("utf-8") if path.exists() else ""


def test_a_save_is_answered_by_predictions_and_a_stop_ends_in_good_order(
    root: Path, start: Callable[..., Running]
) -> None:
    daemon = start(root)
    wait_for(lambda: "proposals=3" in log(root))
    (root / "case0.xml").write_bytes(xml_of(labelled()))
    wait_for(lambda: "training=1" in log(root).rpartition("wrote to")[2])
    daemon.stop()
    assert daemon.error is None
    assert log(root).splitlines()[-1].endswith("the next start goes on from here")
    state = read_heartbeat(root / ".slidebridge")
    assert state is not None
    assert state.ended_at is not None
    assert not (root / ".slidebridge" / "lease.json").exists()


def test_changed_settings_are_taken_up_and_wrong_ones_are_not(
    root: Path, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.daemon.engine._SETTINGS_SECONDS", 0.2)
    start(root)
    wait_for(lambda: "proposals=3" in log(root))
    settings = root / "slidebridge.toml"
    good = settings.read_text("utf-8")
    settings.write_text(good.replace("k = 3", "k = 'many'"), "utf-8")
    wait_for(lambda: "those before stay" in log(root))
    settings.write_text(good.replace("k = 3", "k = 5"), "utf-8")
    wait_for(lambda: "opened anew" in log(root))


def test_two_projects_and_one_that_is_taken(
    root: Path, tmp_path_factory: pytest.TempPathFactory, start: Callable[..., Running]
) -> None:
    other = tmp_path_factory.mktemp("other")
    DaemonLab.with_slides(other)
    start(root)
    wait_for(lambda: "watching" in log(root))
    start(other, root)
    wait_for(lambda: "watching" in log(other))
    second = Running(root)
    second.stop()
    assert isinstance(second.error, ProjectBusyError)
    project = open_project(other)
    with open_store(project, is_dry_run=True) as store:
        wait_for(lambda: len(store.live_objects("case0.tif")) == 3)


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="slidebridge new"):
        watch([tmp_path], lambda: True)


def test_a_project_that_another_has_is_watched_once_that_one_ends(
    root: Path, tmp_path_factory: pytest.TempPathFactory, start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.daemon.engine.RETRY_SECONDS", 0.5)
    other = tmp_path_factory.mktemp("other")
    DaemonLab.with_slides(other)
    with Lease.take(root / ".slidebridge", "sync"):
        start(other, root)
        wait_for(lambda: "tried again" in log(root))
        assert "watching" not in log(root)
    wait_for(lambda: "watching" in log(root))
