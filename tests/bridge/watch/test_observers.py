"""Real observers on a folder of their own; conditions are waited for, with a deadline."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from deaf_observer import deaf
from watchdog.observers.api import BaseObserver, EventEmitter

from bridge.watch import Observing, WatchedFolder, WatchOptions
from bridge.watch.observed_folder import native_observer
from bridge.watch.observed_root import WatchedRoot
from bridge.watch.observers import Observers

SECONDS = 20.0  # until something that must happen has failed to
AUTO, POLLING, EVENTS = (
    WatchOptions(observing=observing) for observing in (Observing.AUTO, Observing.POLLING, Observing.EVENTS)
)
Start = Callable[..., Observers]


def exhausted() -> BaseObserver:
    raise OSError(errno.ENOSPC, "inotify watch limit reached")


def watched(root: Path, *deep: str, is_remote: bool = False) -> WatchedRoot:
    folders = (
        WatchedFolder(root, is_recursive=False),
        *(WatchedFolder(root / name, is_recursive=True) for name in deep),
    )
    return WatchedRoot(root, folders, is_remote)


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(
            *roots: WatchedRoot, options: WatchOptions = AUTO, make: Callable[[], BaseObserver] = native_observer
        ) -> Observers:
            return stack.enter_context(Observers(roots, options, make_observer=make, tend_seconds=0.05))

        yield begin


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    (folder / "data" / "1").mkdir(parents=True)
    return folder


def heard(observers: Observers, *expected: Path) -> set[Path]:
    """Wait until some paths were heard of; return all that were."""
    found: set[Path] = set()
    end = time.monotonic() + SECONDS
    while not found.issuperset(expected):
        assert time.monotonic() < end, f"not heard of {set(expected) - found}, but of {found}"
        observers.wait(0.2)
        found |= observers.drain()
    return found


def eventually(is_true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def write_until_heard(observers: Observers, path: Path) -> None:
    """Save a file again and again until that is heard of: when observing begins anew can't be seen from outside."""
    end = time.monotonic() + SECONDS
    while path not in observers.drain():
        assert time.monotonic() < end, f"never heard of {path}"
        path.write_bytes(b"x")
        observers.wait(0.1)


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_saves_are_heard_of_wherever_annotations_lie(start: Start, root: Path) -> None:
    observers = start(watched(root, "data"))
    (root / "project.qpproj").write_bytes(b"x")
    (root / "data" / "1" / "data.qpdata").write_bytes(b"x")
    heard(observers, root / "project.qpproj", root / "data" / "1" / "data.qpdata")
    (root / "data" / "2").mkdir()
    (root / "data" / "2" / "data.qpdata").write_bytes(b"x")
    heard(observers, root / "data" / "2" / "data.qpdata")


def test_both_names_of_a_renamed_file_are_heard_of(start: Start, root: Path) -> None:
    path = root / "data" / "1" / "data.qpdata"
    path.write_bytes(b"x")
    observers = start(watched(root, "data"))
    path.rename(path.with_name("data.qpdata.bkp"))
    heard(observers, path, path.with_name("data.qpdata.bkp"))


def test_reading_is_nothing_to_hear_of(start: Start, root: Path) -> None:
    """Else the daemon, which reads what it hears of, would hear of it again."""
    path = root / "a.xml"
    path.write_bytes(b"x" * 10_000)
    observers = start(watched(root))
    for _ in range(20):
        assert path.read_bytes()
    (root / "b.xml").write_bytes(b"x")
    assert heard(observers, root / "b.xml") == {root / "b.xml"}


def test_our_own_folder_is_not_listened_to(start: Start, root: Path) -> None:
    (root / ".slidebridge" / "backups").mkdir(parents=True)
    observers = start(watched(root, "data"))
    for i in range(20):
        (root / ".slidebridge" / "backups" / str(i)).write_bytes(b"x")
    (root / "a.xml").write_bytes(b"x")
    assert heard(observers, root / "a.xml") == {root / "a.xml"}


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="no links")
def test_root_that_is_a_link_is_heard_of_by_its_own_name(start: Start, root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    try:
        link.symlink_to(root, target_is_directory=True)
    except OSError:
        pytest.skip("links aren't allowed here")
    observers = start(watched(link, "data"))
    (root / "data" / "1" / "data.qpdata").write_bytes(b"x")
    heard(observers, link / "data" / "1" / "data.qpdata")


def test_burst_of_events_stays_a_few_paths(start: Start, root: Path) -> None:
    observers = start(watched(root, "data"))
    for i in range(5000):
        path = root / "data" / "1" / f"{i}.tmp"
        path.touch()
        path.unlink()
    (root / "last.xml").write_bytes(b"x")
    drained: set[Path] = set()
    end = time.monotonic() + SECONDS
    while not drained & {root / "last.xml", root}:
        assert time.monotonic() < end
        observers.wait(0.2)
        time.sleep(0.3)  # somebody who comes late, so that much has piled up
        now = observers.drain()
        assert len(now) <= 4096
        drained |= now
    assert drained & {root / "data" / "1", root / "data" / "1" / "0.tmp"}


# ── what goes away, dies or is replaced ──────────────────────────────────────────────────────────────────────────────


def test_folder_that_was_removed_and_made_again_is_observed_again(
    start: Start, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bridge.watch")
    observers = start(watched(root, "data"))
    shutil.rmtree(root)
    eventually(lambda: "can't be reached" in caplog.text, "nobody noticed")
    observers.drain()
    (root / "data" / "1").mkdir(parents=True)
    heard(observers, root, root / "data")
    write_until_heard(observers, root / "data" / "1" / "data.qpdata")
    write_until_heard(observers, root / "a.xml")
    assert caplog.text.count("can't be reached") == 1 and caplog.text.count("there again") == 1


def test_folder_that_another_took_the_place_of_is_observed_as_it_is_now(
    start: Start, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "data" / "1").mkdir(parents=True)
    observers = start(watched(root, "data"))
    root.rename(tmp_path / "old")
    other.rename(root)
    heard(observers, root, root / "data")
    write_until_heard(observers, root / "data" / "1" / "data.qpdata")


def test_folder_that_is_not_there_yet_is_waited_for(start: Start, root: Path) -> None:
    shutil.rmtree(root / "data")
    observers = start(watched(root, "data"))
    (root / "data" / "7").mkdir(parents=True)
    write_until_heard(observers, root / "data" / "7" / "data.qpdata")


def test_observer_that_died_is_replaced(start: Start, root: Path) -> None:
    made: list[BaseObserver] = []

    def make() -> BaseObserver:
        made.append(native_observer())
        return made[-1]

    observers = start(watched(root), make=make)
    for emitter in made[0].emitters:
        emitter.stop()
    heard(observers, root)
    write_until_heard(observers, root / "a.xml")
    assert len(made) == 2


def test_observers_that_die_all_the_time_are_given_up(
    start: Start, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Dying(EventEmitter):
        def queue_events(self, timeout: float) -> None:
            self.stop()

    observers = start(watched(root), make=lambda: BaseObserver(Dying, timeout=0.1))
    eventually(lambda: observers.is_polling(root), "still tried")
    assert caplog.text.count("ended by itself") == 1


# ── polling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_polled_source_is_asked_for_every_poll_seconds_and_never_observed(start: Start, root: Path) -> None:
    observers = start(watched(root), options=POLLING, make=exhausted)
    assert observers.polls_due(100.0) == (root,)
    assert observers.polls_due(100.0) == ()
    assert observers.next_poll() == 105.0
    assert observers.polls_due(104.9) == ()
    assert observers.polls_due(105.0) == (root,)
    assert observers.polls_due(4000.0) == (root,), "what was missed isn't made up for"
    assert observers.next_poll() == 4005.0


@pytest.mark.parametrize(("options", "is_polled"), [(AUTO, True), (POLLING, True), (EVENTS, False)])
def test_network_drive_is_polled_unless_told_otherwise(
    start: Start, root: Path, options: WatchOptions, is_polled: bool
) -> None:
    assert start(watched(root, is_remote=True), options=options).is_polling(root) is is_polled


def test_source_with_events_is_not_polled(start: Start, root: Path) -> None:
    observers = start(watched(root))
    assert observers.polls_due(1e9) == ()
    assert observers.next_poll() is None


def test_limit_of_the_system_leads_to_polling_and_one_line_that_says_how_to_raise_it(
    start: Start, root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    observers = start(watched(root, "data"), make=exhausted)
    eventually(lambda: observers.polls_due(0.0) == (root,), "not polled")
    observers.watch([watched(root, "data"), watched(tmp_path, is_remote=True)])
    eventually(lambda: observers.polls_due(0.0) == (tmp_path,), "not tended again")
    assert caplog.text.count("max_user_watches") == 1


def test_events_that_do_not_arrive_are_missed_twice_and_polled_from_then_on(
    start: Start, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    observers = start(watched(root, "data"), make=deaf)
    observers.missed(root / "data" / "1" / "data.qpdata")
    assert not observers.is_polling(root)
    observers.missed(root / "data" / "2" / "data.qpdata")
    assert observers.polls_due(0.0) == (root,)
    observers.missed(root / "data" / "2" / "data.qpdata")
    assert caplog.text.count("looking for changes every 5 s") == 1


def test_misses_of_another_source_do_not_count(start: Start, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "lab2"
    other.mkdir()
    observers = start(watched(root), watched(other), make=deaf)
    for _ in range(3):
        observers.missed(other / "a.xml")
    assert (observers.is_polling(root), observers.is_polling(other)) == (False, True)


def test_event_from_the_folder_in_between_makes_up_for_a_miss(start: Start, root: Path) -> None:
    observers = start(watched(root, "data"))
    path = root / "data" / "1" / "data.qpdata"
    for _ in range(3):
        observers.missed(path)
        write_until_heard(observers, path)
    assert not observers.is_polling(root)


def test_events_from_elsewhere_do_not_make_up_for_a_folder_that_is_deaf(start: Start, root: Path) -> None:
    """The system may have had observers to give for some folders only."""
    observers = start(watched(root, "data"))
    observers.missed(root / "data" / "2" / "data.qpdata")
    write_until_heard(observers, root / "data" / "1" / "data.qpdata")
    assert not observers.is_polling(root)
    observers.missed(root / "data" / "2" / "data.qpdata")
    assert observers.is_polling(root)


def test_only_events_wanted_are_not_given_up_for_misses(start: Start, root: Path) -> None:
    observers = start(watched(root), options=EVENTS, make=deaf)
    for _ in range(5):
        observers.missed(root / "a.xml")
    assert not observers.is_polling(root)


# ── beginning and end ────────────────────────────────────────────────────────────────────────────────────────────────


def test_other_sources_are_watched_without_a_gap_for_those_that_stay(start: Start, root: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    observers = start(watched(root, "data"))
    observers.watch([watched(root), watched(new)])
    (root / "a.xml").write_bytes(b"x")
    heard(observers, root / "a.xml")
    write_until_heard(observers, new / "a.xml")
    observers.watch([watched(new)])
    eventually(lambda: _is_silent(observers, root / "a.xml"), "still told of a source that was given up")
    with pytest.raises(KeyError):
        observers.is_polling(root)


def _is_silent(observers: Observers, path: Path) -> bool:
    path.write_bytes(b"x")
    time.sleep(0.05)
    return path not in observers.drain()


def test_end_is_prompt_and_leaves_no_thread(root: Path) -> None:
    before = threading.active_count()
    with Observers([watched(root, "data")], AUTO) as observers:
        assert threading.active_count() > before
        waiting = threading.Thread(target=observers.wait, args=[SECONDS])
        waiting.start()
        began = time.monotonic()
    waiting.join(SECONDS)
    assert time.monotonic() - began < 2.0
    eventually(lambda: threading.active_count() <= before, f"{threading.enumerate()}")
