"""No page names a command or an option that there isn't."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_sandbox import NOT_RUN, make_targets, reason_not_run

from scripts.cli import app
from scripts.docs.command_lines import Line, calls, documents, lines_of, problem, words_of
from scripts.docs.command_tree import Command, read_tree

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tree() -> Command:
    """The command line that there is."""
    return read_tree(app)


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    """Everything that the pages tell people to type, or name."""
    return [line for path in documents(ROOT) for line in lines_of(path)]


def test_every_command_and_option_that_the_pages_name_exists(tree: Command, lines: list[Line]) -> None:
    assert [found for line in lines if (found := problem(line, tree)) is not None] == []


def test_the_pages_have_command_lines_at_all(lines: list[Line]) -> None:
    whole = [line for line in lines if line.is_whole]
    assert len(whole) > 40 and len(lines) - len(whole) > 20
    assert {"README.md", "qupath.md", "imagescope.md", "daemon.md"} <= {line.path.name for line in whole}


def test_every_make_target_that_the_pages_name_exists(lines: list[Line]) -> None:
    targets = set(make_targets(ROOT / "Makefile"))
    named = {words[1] for line in lines if (words := words_of(line))[:1] == ["make"]}
    assert named and named <= targets


def test_what_is_not_run_is_excused_by_a_rule_that_still_excuses_something(lines: list[Line]) -> None:
    reasons = {reason_not_run(line) for line in lines if line.is_whole}
    assert set(NOT_RUN.values()) <= reasons


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("slidebridge synchronize", "has no command 'synchronize'"),
        ("slidebridge sync --projekt a", "slidebridge sync has no option --projekt"),
        ("slidebridge sync pull --force", "slidebridge sync pull has no option --force"),
        ("slidebridge confirm", "needs 1 words, not 0"),
        ("slidebridge backups", "needs a command"),
        ("slidebridge sync one", "takes 0 words, not 1"),
        ("slidebridge demo --tool photoshop", "--tool is one of imagescope, qupath, not 'photoshop'"),
        ("slidebridge hooks install systemdd", "takes one of qupath"),
        ("slidebridge sync --json=yes", "--json takes no value"),
        ("slidebridge sync -p", "-p needs a value"),
        ("cd a && slidebridge sync --nope", "no option --nope"),
        ("SLIDEBRIDGE_MODEL__MPP=0.5 slidebridge state", "has no command 'state'"),
        ("torchrun --no-python slidebridge train --gpus 2", "slidebridge train has no option --gpus"),
        (".venv/bin/slidebridge convert a.xml", "needs 2 words, not 1"),
        ("slidebridge status 'open", "No closing quotation"),
    ],
)
def test_a_line_that_would_fail_is_told(tree: Command, text: str, fault: str) -> None:
    found = problem(Line(Path("page.md"), 7, text), tree)
    assert found is not None and found.startswith("page.md:7: ") and fault in found


@pytest.mark.parametrize(
    "text",
    [
        "slidebridge sync",
        "slidebridge -v sync pull -p a --json | jq .slides",
        "slidebridge status --help --whatever",
        "slidebridge watch a b c",
        "slidebridge convert a.qpproj#slide.svs mask.tif --offset -10,20  # a comment with --nothing",
        "slidebridge sync; echo slidebridge nonsense",
        "pip install slidebridge --no-such-option-of-ours",
    ],
)
def test_a_line_that_works_is_left_alone(tree: Command, text: str) -> None:
    assert problem(Line(Path("page.md"), 1, text), tree) is None


def test_what_is_only_named_may_be_cut_short_but_not_misspelt(tree: Command) -> None:
    def named(text: str) -> str | None:
        return problem(Line(Path("page.md"), 1, text, is_whole=False), tree)

    assert named("slidebridge confirm") is None
    assert named("slidebridge new … --transfer CHECKPOINT") is None
    assert named("slidebridge backups restore SLIDE REVISION") is None
    assert named("slidebridge new --hial DIR") is not None


def test_windows_lines_are_read_with_their_backslashes(tree: Command) -> None:
    text = r".venv\Scripts\slidebridge hooks install windows --project C:\Slides --nightlyy 02:00"
    found = problem(Line(Path("page.md"), 1, text, "powershell"), tree)
    assert found is not None and "--nightlyy" in found
    assert list(calls(words_of(Line(Path("page.md"), 1, r"a\slidebridge.exe sync", "powershell")))) == [["sync"]]
