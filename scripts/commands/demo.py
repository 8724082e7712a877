"""``slidebridge demo``: the loop, played on a real picture with a simulated expert."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, print_json
from scripts.telling import say


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
    """Play the loop on a real H&E picture: proposals, a simulated expert, training, predictions, four times."""
    from scripts.demo.play import Tool, play
    from scripts.demo.show import header, row, summary
    from scripts.progress import show_progress

    with show_progress(is_shown=not as_json) as progress:
        if slide is not None:
            from scripts.demo.own_slide import begin

            say(begin(slide, output, Tool(tool.value), progress))
            return
        if not as_json:
            say(header())
        facts = play(output, Tool(tool.value), progress, lambda r: None if as_json else say(row(r)), rounds)
    if as_json:
        print_json(facts)
    else:
        say(summary(facts, output))
