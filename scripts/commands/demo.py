"""``slidebridge demo``: the loop, played on a real picture with a simulated expert."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.commands.common import AsJson, print_json
from scripts.telling import say, tell

if TYPE_CHECKING:
    from scripts.demo.play import Telling


class DemoTool(Enum):
    """Where the simulated expert sits."""

    IMAGESCOPE = "imagescope"
    QUPATH = "qupath"


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the project, rounds.json and pictures.")] = Path("demo"),
    tool: Annotated[DemoTool, typer.Option(help="Where the simulated expert sits.")] = DemoTool.IMAGESCOPE,
    rounds: Annotated[int, typer.Option(help="How often the expert comes back.", min=1)] = 4,
    slide: Annotated[Path | None, typer.Option(help="Your own slide: proposals are written for you to answer.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play the loop on a real H&E picture: proposals, a simulated expert, training, predictions, four times.

    Takes about five minutes on two cores, and says on standard error what it is at.
    """
    from scripts.demo import show
    from scripts.demo.play import Tool, play
    from scripts.progress import show_progress

    with show_progress(is_shown=not as_json) as progress:
        if slide is not None:
            from scripts.demo.own_slide import begin

            say(begin(slide, output, Tool(tool.value), progress))
            return
        played = play(output, Tool(tool.value), progress, _telling(rounds, is_silent=as_json), rounds)
    if as_json:
        print_json(played.as_json())
    else:
        tell(show.lines(played.rounds, played.otsu, output))


def _telling(rounds: int, *, is_silent: bool) -> Telling:
    """Return what says on standard error what begins, and on standard output how each round went."""
    from scripts.demo import show
    from scripts.demo.play import Telling

    if is_silent:
        return Telling()

    def begins(line: str) -> None:
        tell([line], sys.stderr)

    return Telling(
        begins,
        lambda number, boxes: begins(show.working(number, rounds, boxes)),
        lambda number, before: begins(show.learning(number, rounds, before)),
        lambda found: say(show.ended(found, rounds)),
    )
