"""QuPath with images open, our script running in it: what it shows, and results into its memory."""

from __future__ import annotations

import logging
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bridge.annotations.viewer import Delivery, DeliveryProgress, DeliveryState, OpenSlide, ViewerRequest
from bridge.errors import QuPathFormatError, WriteFailedError
from bridge.qupath import viewer_files as files
from bridge.qupath.json_file import write_by_rename
from bridge.qupath.viewer_files import Heartbeat, OpenEntry

logger = logging.getLogger(__name__)
STALE_SECONDS = 15.0  # a share may show us a file that is ten seconds old
_DEAD_SECONDS = 3.0  # where the process seems to be gone: in a container, or in WSL, it may only seem so
_FORGOTTEN_SECONDS = 3600.0
_MAX_FILES = 100  # looked at in one go


@dataclass(frozen=True, slots=True)
class _Beat:
    """The last heartbeat of a file that could be read, and when its count last went up, on our clock."""

    heartbeat: Heartbeat
    moved_at: float
    is_there: bool = True


class QuPathViewer:
    """Every QuPath that has the project open and runs ``slidebridge.groovy``; implements ``Viewer``.

    Parameters
    ----------
    project_folder
        Where ``project.qpproj`` lies.
    stale_seconds
        A heartbeat that stood still for so long is that of no running QuPath.
    host
        Name of this machine: of a QuPath on it we can ask whether its process still runs.
    is_running
        Whether there is a process of a number.
    """

    def __init__(
        self,
        project_folder: Path,
        *,
        stale_seconds: float = STALE_SECONDS,
        host: str | None = None,
        is_running: Callable[[int], bool] = psutil.pid_exists,
    ) -> None:
        self._folder = project_folder / ".slidebridge" / files.FOLDER
        self._stale_seconds = stale_seconds
        self._host = _short(socket.gethostname() if host is None else host)
        self._is_running = is_running
        self._beats: dict[Path, _Beat] = {}
        self._complained: dict[Path, str] = {}

    def prepare(self) -> None:
        """Make the folder that the script looks for: where it isn't there, the script does nothing.

        Raises
        ------
        WriteFailedError
            The project's folder can't be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteFailedError(f"{self._folder} can't be made ({error.strerror})") from error

    def open_slides(self, now: float) -> Mapping[str, OpenSlide]:
        """Return entry id → what is open, in all QuPaths together.

        A heartbeat counts as long as it moves, on our own clock: no clock of another machine matters. One that is seen
        for the first time counts until it has stood still for too long.
        """
        self._listen(now)
        opened: dict[str, list[tuple[str, OpenEntry]]] = defaultdict(list)
        for beat in self._beats.values():
            if now - beat.moved_at <= self._patience(beat):
                for item in beat.heartbeat.entries:
                    opened[item.entry].append((beat.heartbeat.session, item))
        return {key: _open_slide(found) for key, found in opened.items()}

    def deliver(self, slide_key: str, delivery: Delivery) -> None:
        """Leave a delivery for whichever QuPath has the image open.

        Raises
        ------
        WriteFailedError
            The folder can't be written.
        InvalidGeometryError
            A new object has no area that QuPath could show.
        """
        write_by_rename(self._offered(slide_key, delivery.marker), files.delivery_bytes(slide_key, delivery))

    def progress(self, slide_key: str, marker: str) -> DeliveryProgress:
        """Say how far a delivery came.

        Raises
        ------
        WriteFailedError
            The folder can't be reached now.
        """
        try:
            return self._progress(slide_key, marker)
        except OSError as error:
            raise WriteFailedError(
                f"{self._folder} can't be reached ({error.strerror}); nothing was changed"
            ) from error

    def _progress(self, slide_key: str, marker: str) -> DeliveryProgress:
        if self._offered(slide_key, marker).exists():
            return DeliveryProgress(DeliveryState.WAITING)
        done = self._inbox(slide_key) / f"{marker}{files.DONE}"
        if done.exists():
            return self._receipt(done)
        taken = self._taken(slide_key, marker)
        if taken:
            session = taken[0].name.removeprefix(f"{marker}.").removesuffix(files.TAKEN)
            return DeliveryProgress(DeliveryState.TAKEN, session)
        # It may have gone from "taken" to "done" while we looked.
        return self._receipt(done) if done.exists() else DeliveryProgress(DeliveryState.GONE)

    def withdraw(self, slide_key: str, marker: str) -> bool:
        """Take a delivery back; True: no QuPath has taken it, nor will.

        Raises
        ------
        WriteFailedError
            The file can't be deleted now.
        """
        offered = self._offered(slide_key, marker)
        try:
            offered.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise WriteFailedError(f"{offered} can't be deleted ({error.strerror}); it stays on offer") from error
        self._clear(offered.parent)
        return True

    def forget(self, slide_key: str, marker: str) -> None:
        """Clear away what is left of a delivery; what can't be deleted is passed over, for nobody asks for it again."""
        inbox = self._inbox(slide_key)
        for path in (
            self._offered(slide_key, marker),
            inbox / f"{marker}{files.DONE}",
            *self._taken(slide_key, marker),
        ):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self._clear(inbox)

    def requests(self) -> tuple[ViewerRequest, ...]:
        """Return what people asked for since the last call, each once, oldest first."""
        found = []
        for path in _listed(self._folder / files.OUTBOX, "*.json"):
            try:
                request = files.read_request(path)
            except QuPathFormatError as error:
                self._complain(path, error)
                request = None
            except OSError as error:
                self._complain(path, error)
                continue
            if self._delete(path) and request is not None:
                found.append(request)
        return tuple(found)

    def _listen(self, now: float) -> None:
        heartbeats = _listed(self._folder, files.HEARTBEATS)
        for path in heartbeats:
            self._beats.update(self._heard(path, now))
        for path, beat in tuple(self._beats.items()):
            self._beats[path] = replace(beat, is_there=path in heartbeats)
            if now - beat.moved_at > _FORGOTTEN_SECONDS:
                self._delete(path)
                del self._beats[path]

    def _heard(self, path: Path, now: float) -> Mapping[Path, _Beat]:
        """Return the beat of a file; none where it can't be read now, which leaves the one before to grow old."""
        try:
            heartbeat = files.read_heartbeat(path)
        except (OSError, QuPathFormatError) as error:
            self._complain(path, error)
            return {}
        before = self._beats.get(path)
        is_still = before is not None and before.heartbeat.count == heartbeat.count
        return {path: _Beat(heartbeat, before.moved_at if before is not None and is_still else now)}

    def _patience(self, beat: _Beat) -> float:
        """Return the seconds after which a heartbeat that stands still is that of no running QuPath."""
        heartbeat = beat.heartbeat
        is_dead = _short(heartbeat.host) == self._host and not self._is_running(heartbeat.pid)
        # A closing QuPath deletes its heartbeat; a share may lose sight of a file for a moment while it is replaced.
        return min(_DEAD_SECONDS, self._stale_seconds) if is_dead or not beat.is_there else self._stale_seconds

    def _receipt(self, path: Path) -> DeliveryProgress:
        try:
            receipt = files.read_receipt(path)
        except (OSError, QuPathFormatError) as error:
            self._complain(path, error)
            return DeliveryProgress(DeliveryState.SHOWN)
        return DeliveryProgress(DeliveryState.SHOWN, receipt.session, receipt.left, receipt.trouble)

    def _inbox(self, slide_key: str) -> Path:
        if not files.is_name(slide_key):
            raise WriteFailedError(f"the id {slide_key!r:.80} of an image can't name a folder; nothing was written")
        return self._folder / files.INBOX / slide_key

    def _offered(self, slide_key: str, marker: str) -> Path:
        return self._inbox(slide_key) / f"{marker}{files.OFFERED}"

    def _taken(self, slide_key: str, marker: str) -> list[Path]:
        try:
            found = sorted(self._inbox(slide_key).iterdir())
        except FileNotFoundError:
            return []
        return [path for path in found if path.name.startswith(f"{marker}.") and path.name.endswith(files.TAKEN)]

    def _clear(self, inbox: Path) -> None:
        with suppress(OSError):  # something is in it
            inbox.rmdir()

    def _delete(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._complain(path, error)
            return False
        return True

    def _complain(self, path: Path, error: Exception) -> None:
        """Log a file that is of no use, once as long as the same is wrong with it."""
        if isinstance(error, FileNotFoundError) or self._complained.get(path) == str(error):
            return
        if len(self._complained) > _MAX_FILES:
            self._complained.clear()
        self._complained[path] = str(error)
        logger.warning("viewer_file=%s passed over: %s", path.name, error)


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))[:_MAX_FILES]
    except OSError as error:  # a share that is gone: what was open stays so until it has been silent for too long
        logger.debug("folder=%s not listed: %s", folder, error)
        return []


def _open_slide(found: list[tuple[str, OpenEntry]]) -> OpenSlide:
    return OpenSlide(
        is_changed=any(item.is_changed for _, item in found),
        is_on_screen=any(item.is_on_screen for _, item in found),
        sessions=frozenset(session for session, _ in found),
        markers=frozenset(item.marker for _, item in found if item.marker is not None),
    )


def _short(host: str) -> str:
    """Return a machine's name without its domain, which not every program tells."""
    return host.split(".", 1)[0].lower()
