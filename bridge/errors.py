"""The root of the one error tree.

    BridgeError
    ├── AnnotationFileError (ValueError)      malformed file: path, and where in it
    │   ├── QuPathFormatError
    │   ├── ImageScopeFormatError
    │   └── GeoJSONFormatError
    ├── InvalidGeometryError (ValueError)
    ├── UnknownPathClassError (LookupError)
    ├── SlideError (OSError)
    │   ├── UnsupportedSlideError
    │   ├── SlideNotFoundError                the slide is not where its project says
    │   └── MissingResolutionError            no mpp in the slide and none configured
    ├── StoreError
    │   └── ProjectBusyError                  another SlideBridge is at work on the project
    ├── WriteConflictError (OSError)          the target changed since it was read
    ├── WriteFailedError (OSError)            the target could not be written; nothing was changed
    ├── QuPathBackendError (OSError)          QuPath itself couldn't be asked: not found, silent, or refusing
    ├── ConfigError (ValueError)
    └── CheckpointError, TrainingDataError,
        ProcessLostError, DamagedSlideError (SlideError)      defined in models/errors.py

A message says what was met, where, and what would mend it, in one line.
"""

from __future__ import annotations

from pathlib import Path


class BridgeError(Exception):
    """Anything that SlideBridge answers with one line instead of a traceback."""


class AnnotationFileError(BridgeError, ValueError):
    """A file that is not what its name promises.

    Attributes
    ----------
    path
        The file, when the error has one.
    """

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        super().__init__(f"{path}: {message}" if path is not None else message)
        self.message = message
        self.path = path

    def at(self, path: Path) -> AnnotationFileError:
        """Return the same error, naming the file it was met in."""
        return type(self)(self.message, path=path)


class QuPathFormatError(AnnotationFileError):
    """A QuPath project or data file that is cut, of an unknown version, or not one at all."""


class ImageScopeFormatError(AnnotationFileError):
    """An XML file that is not ImageScope's."""


class GeoJSONFormatError(AnnotationFileError):
    """A GeoJSON file that QuPath would not read either."""


class InvalidGeometryError(BridgeError, ValueError):
    """A shape that has no area where one is needed, or that can't be repaired."""


class UnknownPathClassError(BridgeError, LookupError):
    """A class that the scheme doesn't name."""

    def __init__(self, path_class: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"class {path_class!r} is not in the scheme ({', '.join(known) or 'empty'});"
            " add it to [classes.colors] or map it in [classes.map]"
        )
        self.path_class, self._known = path_class, known

    def __reduce__(self) -> tuple[type[UnknownPathClassError], tuple[str, tuple[str, ...]]]:
        """Come whole out of another process."""
        return type(self), (self.path_class, self._known)


class SlideError(BridgeError, OSError):
    """A slide that can't be opened or read."""


class UnsupportedSlideError(SlideError):
    """A file that neither OpenSlide nor the picture reader opens."""


class SlideNotFoundError(SlideError):
    """A slide that is not where its project says."""


class MissingResolutionError(SlideError):
    """No mpp in the slide and none configured."""


class StoreError(BridgeError):
    """The project's own records are missing, locked or of another version."""


class ProjectBusyError(StoreError):
    """Another SlideBridge is at work on the project: one writes at a time."""


class WriteConflictError(BridgeError, OSError):
    """The target changed since it was read; nothing was written."""


class WriteFailedError(BridgeError, OSError):
    """The target could not be written (read-only, disk full); it is as it was."""


class QuPathBackendError(BridgeError, OSError):
    """QuPath, run in a child process, is not there, gave no answer in time, or refused."""


class ConfigError(BridgeError, ValueError):
    """A setting that is unknown, of the wrong kind, or missing."""
