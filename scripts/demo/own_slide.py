"""The first half of the demo on anybody's slide: a project beside a link to it, with boxes to label."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations.roles import Role
from bridge.errors import ConfigError
from bridge.qupath import create_project
from scripts.demo.material import CLASSES
from scripts.demo.play import Tool
from scripts.gestures import answer_with_roi
from scripts.loop.passes import STEPS, Request, run
from scripts.options import SourceKind
from scripts.plain_words import counted
from scripts.progress import Progress
from scripts.set_up import new_image, our_classes
from scripts.survey import settings_text, write_settings

_CLASS = "Tumor"


def begin(slide: Path, output: Path, tool: Tool, progress: Progress) -> str:
    """Make a project for one slide, write proposals for it, and say what to do next.

    Raises
    ------
    BridgeError
        The slide can't be opened or has no mpp, or the folder isn't empty.
    """
    image = new_image(slide)
    if output.exists() and any(output.iterdir()):
        raise ConfigError(f"{output} is not empty; give another --output")
    output.mkdir(parents=True, exist_ok=True)
    colors = {_CLASS: CLASSES["Neoplastic"]}
    if tool is Tool.QUPATH:
        create_project(output / "project", [image], our_classes(colors), now=datetime.now(UTC))
        kind, root, path = SourceKind.QUPATH, output / "project", "project.qpproj"
    else:
        _link(slide.resolve(), output / slide.name)
        kind, root, path = SourceKind.IMAGESCOPE, output, "."
    write_settings(root, settings_text(kind, path, colors, {}, {}), may_replace=False)
    result = run(root, Request(STEPS["sync"]), progress)
    if result.problems:
        raise ConfigError(result.problems[0].message)
    boxes = len(result.pushed.slides[0].proposals) if result.pushed and result.pushed.slides else 0
    drawn = len(result.pulled.slides[0].reading.reconciled.of(Role.ANNOTATION))
    found = f"{counted(boxes, 'box', 'boxes')} proposed on {slide.name} ({counted(drawn, 'annotation')} so far)"
    return (
        f"{found} in {root}; open it in {tool.value},"
        f" outline {_CLASS} in a box, {answer_with_roi(kind)}, save, then:"
        f" slidebridge sync -p {root}"
    )


def _link(slide: Path, target: Path) -> None:
    """Put the slide beside the project without copying gigabytes where the system allows it."""
    try:
        target.symlink_to(slide)
    except OSError:
        shutil.copy2(slide, target)
