"""What a progress bar shows: never a slide's name where names are hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.annotations import SlideEntry
from lab_support import RUNNER, Lab, draw_slide
from scripts.loop.explain import explain
from scripts.loop.passes import STEPS, Request, run
from scripts.naming.slide_names import SlideNames
from scripts.progress import Lines, Progress


class Recording:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.notes: list[str] = []
        self.amounts: list[float] = []

    def start(self, title: str, total: float | None) -> None:
        self.titles.append(title)

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        self.amounts.append(amount)
        self.notes.append(note)


WORK: dict[str, Callable[[Lab, Progress], object]] = {
    "pull": lambda lab, progress: run(lab.root, Request(STEPS["pull"]), progress),
    "propose": lambda lab, progress: run(lab.root, Request(STEPS["propose"]), progress),
    "explain": lambda lab, progress: explain(lab.root, progress=progress),
}


@pytest.mark.parametrize("work", sorted(WORK))
@pytest.mark.parametrize("is_hidden", [True, False], ids=["hidden", "shown"])
def test_names_are_hidden_in_notes_however_short(lab: Lab, work: str, is_hidden: bool) -> None:
    draw_slide(lab.root / "ab.tif", seed=2)
    if is_hidden:
        lab.set("\n[privacy]\nhash_names = true\n")
    told = Recording()
    WORK[work](lab, told)
    assert told.titles and len(told.notes) >= 2 and set(told.amounts) == {1.0}
    if is_hidden:
        assert all(note.startswith("slide-") for note in told.notes) and len(set(told.notes)) == 2
    else:
        assert set(told.notes) == {"case", "ab"}


def test_notes_that_name_no_slide_stay(lab: Lab) -> None:
    entries = [SlideEntry(name, name, lab.root / name, lab.root / name) for name in ("loss", "case 7")]
    names = SlideNames(entries, b"k" * 32)
    assert names.hide_note("12 of 40 tiles") == "12 of 40 tiles"
    assert names.hide_note("loss") == names.of("loss")
    assert names.hide_note("Tumor, case 7") == f"Tumor, {names.of('case 7')}"
    assert SlideNames(entries).hide_note("case 7") == "case 7"


def test_lines_tell_what_begins_and_now_and_then_how_far_it_is() -> None:
    told: list[str] = []
    now = [0.0]
    progress = Lines(told.append, lambda: now[0])
    progress.start("reading", 3)
    progress.start("training", 1.0)
    progress.advance(0.1)
    now[0] = 60.0
    progress.advance(0.15)
    progress.start("predicting and writing", 3)
    progress.advance()
    now[0] = 120.0
    progress.advance()
    progress.advance()
    progress.start("predicting", 0)
    assert told == [
        "training",
        "training, 25% done",
        "predicting and writing: slide 1 of 3",
        "predicting and writing: slide 3 of 3",
    ]


@pytest.mark.parametrize("command", [["sync"], ["propose"]], ids=" ".join)
def test_a_pass_without_a_terminal_tells_what_begins_unless_quiet(lab: Lab, command: list[str]) -> None:
    from scripts.cli import app

    def stderr(*before: str, after: tuple[str, ...] = ()) -> str:
        done = RUNNER.invoke(app, [*before, *command, *after, "--force", "--project", str(lab.root)])
        assert done.exit_code == 0, done.output
        return done.stderr

    assert "predicting and writing: slide 1 of 1\n" in stderr()
    assert "slide 1 of 1" not in stderr("--quiet") + stderr(after=("--json",))
