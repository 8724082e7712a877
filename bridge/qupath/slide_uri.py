"""Addresses of slides in a project file → paths, also those of another machine."""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

_DRIVE = re.compile(r"/?[A-Za-z]:[/\\]")
_SCHEMES = ("file", "smb")


def path_of_uri(uri: str) -> str:
    """Return the path that a URI names, on whichever system it was written.

    Percent signs are decoded; ``file:/C:/x`` is ``C:/x``; ``file://server/share/x``, also with more slashes, and
    ``smb://server/share/x`` are ``//server/share/x``. What is no file URI comes back as it is.

    Examples
    --------
    >>> path_of_uri("file:///data/a%20b.svs"), path_of_uri("file:/C:/slides/a.svs"), path_of_uri("file://nas/s/a.svs")
    ('/data/a b.svs', 'C:/slides/a.svs', '//nas/s/a.svs')
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    if parts.scheme not in _SCHEMES:
        return uri
    path = _decoded(parts.path)
    host = "" if parts.netloc == "localhost" else _decoded(parts.netloc)
    if host:
        return f"{host}{path}" if _DRIVE.match(f"{host}/") else f"//{host}{path}"
    if path.startswith("//"):
        return f"//{path.lstrip('/')}"
    return path[1:] if _DRIVE.match(path) and path.startswith("/") else path


def _decoded(text: str) -> str:
    # Half a surrogate pair in the project's JSON names no file, and must not stop the others.
    return os.fsdecode(unquote_to_bytes(text.encode("utf-8", "surrogatepass")))


def relocate(slide: str, old_project: str, new_root: Path) -> Path | None:
    """Return where the slide lies now if it moved together with its project, None if nothing is there.

    Parameters
    ----------
    slide, old_project
        Paths of the slide and of the project file as they were when the project was saved, of any system.
    new_root
        The folder that the project file lies in now.
    """
    paths = ntpath if _DRIVE.match(slide) or slide.startswith(("//", "\\\\")) else posixpath
    try:
        relative = paths.relpath(slide, paths.dirname(old_project))
    except ValueError:  # on another drive
        return None
    candidate = os.path.normpath(new_root.joinpath(*relative.replace("\\", "/").split("/")))
    return Path(candidate) if os.path.exists(candidate) else None  # noqa: PTH110 - false, not an error, for odd names
