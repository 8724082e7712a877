"""What a run of the torture is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Tool(Enum):
    """Whose way of saving is simulated."""

    QUPATH = "qupath"
    IMAGESCOPE = "imagescope"


class Mode(Enum):
    """What the file system offers our writer."""

    EXCHANGE = "exchange"  # two names change places in one step: a local disk
    LINK = "link"  # a hard link keeps the old file, then a rename: some shares
    RENAME = "rename"  # the rename alone: the other shares


class Sabotage(Enum):
    """What is broken on purpose, to see that the referee notices."""

    NONE = "none"
    OVERWRITE = "overwrite"  # the old file is replaced a moment after the check, and nobody looks at what it was
    BLIND = "blind"  # write markers are not looked at: what a viewer overwrote passes for deleted


@dataclass(frozen=True, slots=True)
class Options:
    """One run.

    Parameters
    ----------
    writes
        Contested writes to reach: writes of ours that overlap a save of the tool in time.
    kills
        Processes to kill, on both sides together.
    limit_seconds
        Give up, and say so, after this long.
    """

    tool: Tool
    mode: Mode = Mode.EXCHANGE
    sabotage: Sabotage = Sabotage.NONE
    writes: int = 2000
    kills: int = 300
    seed: int = 0
    limit_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How time is scaled: the product's two seconds become hundredths, and a person's are scaled alike.

    Parameters
    ----------
    settle_seconds
        A file still for this long is believed (``[watch] settle_seconds``).
    displaced_seconds
        A displaced file is looked after for this long.
    piece_seconds
        Longest pause within a save.
    hold_seconds
        Longest pause between opening a file and changing it, where the tool doesn't truncate it at once.
    rest_seconds
        Longest pause between two saves, as a rule and now and then.
    reopen_seconds
        (shortest, longest) pause before a person opens the image again.
    """

    settle_seconds: float = 0.02
    displaced_seconds: float = 0.04
    piece_seconds: float = 0.004
    hold_seconds: float = 0.015
    rest_seconds: tuple[float, float] = (0.08, 0.3)
    reopen_seconds: tuple[float, float] = (0.015, 0.06)


@dataclass(frozen=True, slots=True)
class Job:
    """What both processes are given.

    Parameters
    ----------
    root
        The project's folder.
    target
        The annotation file that both sides write.
    """

    options: Options
    root: Path
    target: Path
    pace: Pace = Pace()

    @property
    def first(self) -> Path:
        """A copy of the annotation file as it was at the beginning."""
        return self.root / "first.bak"

    @property
    def tool_ledger(self) -> Path:
        """What the person did and saved."""
        return self.root / "tool.log"

    @property
    def our_ledger(self) -> Path:
        """What our side did and told people."""
        return self.root / "ours.log"
