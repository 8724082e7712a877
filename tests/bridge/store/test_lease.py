"""Who may write: real processes where they are the point, a fake clock and another machine's name elsewhere."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ProjectBusyError, StoreError
from bridge.store import holders
from bridge.store.holders import Holder, holder_from, lives, this_host, this_process
from bridge.store.lease import Lease, Look, holder
from bridge.store.lease_file import LeaseFile

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLD = """
import sys, time
from pathlib import Path
from bridge.store.lease import Lease
lease = Lease.take(Path(sys.argv[1]), "watch")
print("held", flush=True)
sys.stdin.readline()
"""
RACE = """
import os, random, sys, time
from pathlib import Path
from bridge.errors import ProjectBusyError
from bridge.store.lease import Lease
folder, log, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def note(word):
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word} {os.getpid()}\\n".encode())
    os.close(file)
print("ready", flush=True)
sys.stdin.readline()
while rounds:
    try:
        lease = Lease.take(folder, "sync")
    except ProjectBusyError:
        time.sleep(random.random() / 100)
        continue
    note("enter")
    time.sleep(random.random() / 1000)
    lease.renew()
    rounds -= 1
    if not rounds:
        note("leave")
        os._exit(0)  # it dies with the lease in its hands
    note("leave")
    lease.release()
"""


@dataclass
class World:
    """A clock that only sleeping moves, and what happens while we sleep."""

    seconds: float = 1000.0
    meanwhile: Callable[[], object] = field(default=lambda: None)

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.meanwhile()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lab" / ".slidebridge"


@pytest.fixture
def child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lease until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def take(folder: Path, world: World, host: str = "here", purpose: str = "sync", **more: object) -> Lease:
    return Lease.take(folder, purpose, host=host, now=lambda: SINCE, clock=world.clock, sleep=world.sleep, **more)  # type: ignore[arg-type]


def test_held_by_one_then_free_again(folder: Path) -> None:
    with Lease.take(folder, "watch", version="0.2") as lease:
        found = holder(folder)
        assert found == lease.holder
        assert found is not None and (found.purpose, found.version, found.host) == ("watch", "0.2", this_host())
        assert lives(found)
    assert holder(folder) is None
    Lease.take(folder, "sync").release()


def test_same_process_does_not_hold_it_twice(folder: Path) -> None:
    with Lease.take(folder, "sync"), pytest.raises(ProjectBusyError, match=r"slidebridge sync \(process"):
        Lease.take(folder, "train")


def test_living_process_keeps_it_and_is_named(folder: Path, child: subprocess.Popen[str]) -> None:
    with pytest.raises(ProjectBusyError) as caught:
        Lease.take(folder, "sync", sleep=lambda seconds: pytest.fail("no need to wait for one that lives"))
    said = str(caught.value)
    assert f"slidebridge watch (process {child.pid} on {this_host()}, since 2" in said
    assert str(folder.parent) in said
    assert "it does this by itself; stop it first" in said
    assert "\n" not in said


def test_killed_process_is_taken_over_at_once_before_anybody_reaps_it(
    folder: Path, child: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bridge.store.lease")
    child.kill()
    assert child.stdout is not None and child.stdout.read() == ""  # its end of the pipe is closed: it has ended
    while (found := holder(folder)) is not None and lives(found):
        pass  # a moment between the closing of its files and its being a zombie
    Lease.take(folder, "sync", sleep=lambda seconds: pytest.fail("waited")).release()
    assert [r.message for r in caplog.records if str(child.pid) in r.message and "has ended" in r.message]


def test_process_that_bears_a_dead_ones_number_is_not_taken_for_it(folder: Path) -> None:
    lease = Lease.take(folder, "watch")
    before = replace(lease.holder, started_at=lease.holder.started_at - 9, started_after_boot=0.0)
    (folder / "lease.json").write_bytes(before.to_bytes())
    assert not lives(before)
    Lease.take(folder, "sync").release()


@pytest.mark.parametrize("jump", [{"started_at": 1.0}, {"started_after_boot": 1.0}])
def test_setting_the_clock_makes_nobody_dead(folder: Path, jump: dict[str, float]) -> None:
    lease = Lease.take(folder, "watch")
    assert lives(replace(lease.holder, **jump))  # type: ignore[arg-type]


def test_other_machine_that_goes_on_keeps_it(folder: Path) -> None:
    world = World()
    lease = take(folder, world, "there", "watch")
    world.meanwhile = lambda: world.seconds > 1060 and lease.renew()
    with pytest.raises(ProjectBusyError, match="on there, since") as caught:
        take(folder, world)
    assert 1060 <= world.seconds < 1070
    assert "should that machine be off" not in str(caught.value)


def test_other_machine_that_stands_still_is_taken_over_after_a_while(folder: Path) -> None:
    world = World()
    lost = take(folder, world, "there", "watch")
    lease = take(folder, world)
    assert 1090 <= world.seconds < 1095
    assert holder(folder) == lease.holder
    with pytest.raises(ProjectBusyError, match=r"lease lost.*on here"):
        lost.renew()
    lost.release()
    assert holder(folder) == lease.holder
    lease.renew()


def test_other_machine_that_lets_go_while_we_wait(folder: Path) -> None:
    world = World()
    lease = take(folder, world, "there")
    world.meanwhile = lambda: world.seconds > 1010 and lease.release()
    assert holder(folder) == lease.holder
    take(folder, world)
    assert world.seconds < 1020


def test_one_who_does_not_wait_is_told_when_and_goes_on_from_there(folder: Path) -> None:
    world, look = World(), Look()
    take(folder, world, "there", "nightly")
    with pytest.raises(ProjectBusyError, match=r"when it has ended \(or in 90 s, should that machine be off\)"):
        take(folder, world, is_waiting=False, look=look)
    world.seconds += 60
    with pytest.raises(ProjectBusyError, match="or in 30 s"):
        take(folder, world, is_waiting=False, look=look)
    assert world.seconds == 1060
    world.seconds += 30
    take(folder, world, is_waiting=False, look=look)


def test_waiting_ends_when_a_signal_says_so(folder: Path) -> None:
    world = World()
    take(folder, world, "there", "nightly")
    with pytest.raises(ProjectBusyError, match="on there"):
        take(folder, world, stop=lambda: world.seconds > 1005)
    assert world.seconds < 1010


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 9000, b'{"host": "there"}', b"\xff\xfe", b"x" * 20_000])
def test_damaged_lease_is_one_clear_line_and_free_after_a_while(folder: Path, content: bytes) -> None:
    world, look = World(), Look()
    folder.mkdir(parents=True)
    (folder / "lease.json").write_bytes(content)
    with pytest.raises(ProjectBusyError, match=r"lease.json is damaged; .* free in 90 s, try again$"):
        take(folder, world, is_waiting=False, look=look)
    take(folder, world)
    assert world.seconds >= 1090


def test_whoever_waits_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.mkdir(parents=True)
    (folder / "lease.json").write_bytes(b"?")
    take(folder, World())
    (waiting,) = [record for record in caplog.records if "waiting up to 90 s" in record.getMessage()]
    assert waiting.levelno == logging.WARNING  # what a command shows that isn't asked to say more


@pytest.mark.parametrize(
    ("key", "value"), [("pid", 10**30), ("pid", "1"), ("since", "2026-03-01"), ("purpose", "a\nb")]
)
def test_lease_with_nonsense_in_it_is_a_damaged_one(folder: Path, key: str, value: object) -> None:
    data = json.loads(Lease.take(folder, "sync").holder.to_bytes())
    assert holder_from(json.dumps(data).encode()) is not None
    assert holder_from(json.dumps(data | {key: value}).encode()) is None


def test_beats_go_on_and_a_lease_that_was_tidied_away_is_put_back(folder: Path) -> None:
    lease = Lease.take(folder, "watch")
    lease.renew()
    (folder / "lease.json").unlink()
    lease.renew()
    assert holder(folder) == lease.holder
    assert lease.holder.beat == 2
    with pytest.raises(ProjectBusyError):
        Lease.take(folder, "sync")


def test_after_letting_go_another_may_have_it_and_renewing_says_so(folder: Path) -> None:
    lease = Lease.take(folder, "sync")
    lease.release()
    with Lease.take(folder, "train"), pytest.raises(ProjectBusyError, match="lease lost"):
        lease.renew()


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"lease.json: .*make its folder writable"):
        Lease.take(tmp_path / "file" / ".slidebridge", "sync")


def test_share_that_went_away_does_not_hide_what_happened(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError, match="first"), Lease.take(folder, "sync"):
        (folder / "lease.json").unlink()
        (folder / "lease.lock").unlink()
        folder.rmdir()
        folder.touch()
        raise KeyError("first")
    assert "not given back" in caplog.text


def test_file_that_is_held_open_for_a_moment_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a file that somebody reads can't be replaced."""
    lease, refusals, replace_ = Lease.take(folder, "sync"), iter([True, True, False]), Path.replace

    def busy(self: Path, target: Path) -> Path:
        if next(refusals):
            raise PermissionError(13, "in use")
        return replace_(self, target)

    slept: list[float] = []
    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(lease, "_file", replace(lease._file, sleep=slept.append))
    lease.renew()
    assert len(slept) == 2 and holder(folder) == lease.holder


def test_removing_a_dead_ones_file_spares_a_fresh_one(folder: Path) -> None:
    """Where locks don't work, another machine may have taken over since we looked."""
    fresh = Lease.take(folder, "watch")
    LeaseFile(folder).remove(b"what stood there before")
    assert holder(folder) == fresh.holder


def test_file_system_without_locks_will_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    def refuse(self: FileLock, timeout: float) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with Lease.take(folder, "sync"), pytest.raises(ProjectBusyError):
        Lease.take(folder, "sync")
    assert holder(folder) is None


def test_of_two_that_were_as_fast_without_locks_one_gives_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = LeaseFile.create

    def overtaken(self: LeaseFile, data: bytes) -> bool:
        made = make(self, data)
        self.replace(data.replace(b'"sync"', b'"nightly"'))
        return made

    monkeypatch.setattr(LeaseFile, "create", overtaken)
    with pytest.raises(ProjectBusyError, match="slidebridge nightly"):
        Lease.take(folder, "sync")


def test_eight_processes_and_never_two_at_once(folder: Path, tmp_path: Path) -> None:
    log, rounds = tmp_path / "log", 25
    command = [sys.executable, "-c", RACE, str(folder), str(log), str(rounds)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert [process.stdout and process.stdout.readline() for process in processes] == ["ready\n"] * 8
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 8
    said = [line.split() for line in log.read_text().splitlines()]
    assert len(said) == 2 * 8 * rounds
    for (word, entered), (then, left) in zip(said[::2], said[1::2], strict=True):
        assert (word, then) == ("enter", "leave") and entered == left
    assert {path.name for path in folder.iterdir()} <= {"lease.json", "lease.lock"}


def test_dead_process_of_another_user_is_given_the_benefit_of_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    me = this_process(host="here", purpose="sync", version="", since=SINCE, token="t")

    def refuse(process: object) -> tuple[float, float]:
        raise holders.psutil.AccessDenied

    monkeypatch.setattr(holders, "_started", refuse)
    assert lives(me)


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        Holder,
        host=st.text("abc-.", max_size=20),
        pid=st.integers(0, 2**31 - 1),
        started_at=st.floats(0, 1e10),
        started_after_boot=st.floats(0, 1e10),
        purpose=st.sampled_from(["watch", "sync"]),
        version=st.just("0.1"),
        since=st.datetimes(timezones=st.just(UTC)),
        token=st.text("0123456789abcdef", max_size=32),
        beat=st.integers(0, 2**31 - 1),
    )
)
def test_what_is_written_is_read(found: Holder) -> None:
    assert holder_from(found.to_bytes()) == found
