"""A named pipe, socket, device or folder where a file should be: refused in one line, and never waited for."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from qupath_lab import new_project

from bridge.errors import BridgeError
from bridge.imagescope import ImageScopeFolder
from bridge.qupath import GeoJSONFolder, QuPathProject
from bridge.qupath.project_file import read_project_file
from bridge.slides import open_slide
from bridge.store.lease import holder
from bridge.watch import SettledFile, WatchOptions, read_settled, read_still
from bridge.watch.settling import observe
from lab_support import SETTINGS, Lab, draw_slide, labelled, xml_of
from scripts.daemon.heartbeat import FILE_NAME, read_heartbeat

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes in folders")


@contextmanager
def watchdog(pipe: Path, seconds: float = 30.0) -> Iterator[None]:
    """Let go of whoever waits for the pipe's writer, and fail."""
    waited = threading.Event()

    def let_go() -> None:
        waited.set()
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))

    timer = threading.Timer(seconds, let_go)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    assert not waited.is_set(), "waited for the pipe"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # its path may have a hundred characters only
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


ODD: dict[str, Callable[[Path], None]] = {
    "a named pipe": _pipe,
    "a socket": _socket,
    "a device": _device,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("source", [ImageScopeFolder, GeoJSONFolder, QuPathProject])
def test_annotation_file_is_refused_at_once(
    tmp_path: Path, source: type[ImageScopeFolder | GeoJSONFolder | QuPathProject], kind: str
) -> None:
    if source is QuPathProject:
        opened: ImageScopeFolder | GeoJSONFolder | QuPathProject = new_project(tmp_path, "a.png")
    else:
        draw_slide(tmp_path / "case.tif")
        opened = source(tmp_path)
    (entry,) = opened.slides()
    path = entry.annotation_path
    path.parent.mkdir(parents=True, exist_ok=True)
    ODD[kind](path)

    def never(seconds: float) -> None:
        raise AssertionError("waited")

    with watchdog(path):
        with pytest.raises(BridgeError, match=f"it is {kind}, not a file") as refused:
            read_settled(opened, entry, WatchOptions(), sleep=never)
        assert str(path) in str(refused.value)
        with pytest.raises(BridgeError, match=f"it is {kind}, not a file"):
            read_still(opened, entry, observe(path), WatchOptions())
        assert f"it is {kind}, not a file" in (opened.blocker(entry) or "")


@pytest.mark.parametrize("kind", ODD)
def test_slide_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "case.svs"
    ODD[kind](path)
    with watchdog(path), pytest.raises(BridgeError, match=f"is {kind}, not a file"):
        open_slide(path)
    assert ImageScopeFolder(tmp_path).slides() == GeoJSONFolder(tmp_path).slides() == ()


def test_project_file_of_qupath_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "project.qpproj"
    _pipe(path)
    with watchdog(path), pytest.raises(BridgeError, match="it is a named pipe, not a file"):
        read_project_file(path)


def test_own_files_are_refused_at_once(tmp_path: Path) -> None:
    for name in ("lease.json", FILE_NAME):
        _pipe(tmp_path / name)
    with watchdog(tmp_path / "lease.json"), pytest.raises(BridgeError, match="it is a named pipe, not a file; remove"):
        holder(tmp_path)
    with watchdog(tmp_path / FILE_NAME):
        assert read_heartbeat(tmp_path) is None


def test_file_behind_a_link_is_read(tmp_path: Path) -> None:
    draw_slide(tmp_path / "case.tif")
    (tmp_path / "drawn").write_bytes(xml_of(labelled()))
    (tmp_path / "case.xml").symlink_to(tmp_path / "drawn")
    source = ImageScopeFolder(tmp_path)
    read = read_settled(source, source.slides()[0], WatchOptions(settle_seconds=0.0))
    assert isinstance(read, SettledFile) and read.data == xml_of(labelled())


def test_the_others_go_on(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    (tmp_path / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    for name in ("case", "other"):
        draw_slide(tmp_path / f"{name}.tif")
    (tmp_path / "case.xml").write_bytes(xml_of(labelled()))
    _pipe(tmp_path / "other.xml")
    with watchdog(tmp_path / "other.xml"):
        result = lab.run("sync", "pull")
    assert result.exit_code == 1
    (failed,) = [line for line in result.stdout.splitlines() if line.startswith("failed: ")]
    assert "other.xml: it is a named pipe, not a file" in failed and "remove it" in failed
    assert "1 labelled" in result.stdout
