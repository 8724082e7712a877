"""``doctor --resave``: QuPath saves an image of an old version anew, so that we may write into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.annotations import SlideEntry
from bridge.ingest import SlideOptions, locate_slide
from bridge.qupath import QuPathProject
from bridge.qupath.paquo_backend import QuPath
from bridge.qupath.paquo_copy import read_whole
from scripts.conversion.placing import find_site, put_in_place, refuse_blocked


def resave(project: QuPathProject, entries: Sequence[SlideEntry], qupath: QuPath, slides: SlideOptions) -> list[str]:
    """Have QuPath save images in its present format, a backup of each first; return a line for each.

    The project must be closed in QuPath: an open image would be saved over it.

    Raises
    ------
    BridgeError
        A slide can't be reached, QuPath refused, or the file was saved meanwhile; that image is as it was.
    """
    return [_resave(project, entry, qupath, slides) for entry in entries]


def _resave(project: QuPathProject, entry: SlideEntry, qupath: QuPath, slides: SlideOptions) -> str:
    before = read_whole(project, entry)
    after = qupath.resave(project, replace(entry, slide_path=locate_slide(entry, slides)))
    site = find_site(project, entry)
    refuse_blocked(site)
    told = put_in_place(site, before, after)
    return "; ".join((f"{entry.key} {entry.name}: saved anew by QuPath", *told))
