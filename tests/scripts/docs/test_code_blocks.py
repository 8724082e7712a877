"""Blocks and inline code are found where they are, whatever lies around them."""

from __future__ import annotations

from pathlib import Path

from scripts.docs.code_blocks import blocks, inline_code
from scripts.docs.command_lines import block_lines, lines_of

PAGE = """\
# Title with `slidebridge one`

```sh
slidebridge sync   # a comment
# only a comment

slidebridge convert a.xml \\
    b.geojson
```

=== "Linux"

    ~~~console title="x"
    $ slidebridge status
    3 slides
    $ slidebridge sync \\
        --json
    ~~~

````text
```sh
slidebridge never
```
````

Text with ``slidebridge two`` and `slidebridge
three` over a line's end; ```not inline``` is.
"""


def _page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, "utf-8")
    return path


def test_blocks_have_language_place_and_their_own_indent(tmp_path: Path) -> None:
    found = list(blocks(_page(tmp_path)))
    assert [(b.language, b.line) for b in found] == [("sh", 4), ("console", 14), ("text", 21)]
    assert found[1].text.startswith("$ slidebridge status\n3 slides\n")
    assert found[1].info == 'title="x"'
    assert found[2].text == "```sh\nslidebridge never\n```\n"


def test_lines_are_joined_and_comments_and_answers_left_out(tmp_path: Path) -> None:
    shell, console, _ = blocks(_page(tmp_path))
    assert [(line.number, " ".join(line.text.split())) for line in block_lines(shell)] == [
        (4, "slidebridge sync # a comment"),
        (7, "slidebridge convert a.xml b.geojson"),
    ]
    assert [(line.number, " ".join(line.text.split())) for line in block_lines(console)] == [
        (14, "slidebridge status"),
        (16, "slidebridge sync --json"),
    ]


def test_inline_code_is_found_with_its_line_and_never_inside_blocks(tmp_path: Path) -> None:
    found = [(line, text) for line, text in inline_code(_page(tmp_path)) if text.startswith("slidebridge")]
    assert found == [(1, "slidebridge one"), (26, "slidebridge two"), (26, "slidebridge three")]


def test_named_lines_follow_those_of_blocks(tmp_path: Path) -> None:
    found = list(lines_of(_page(tmp_path)))
    assert [line.is_whole for line in found] == [True] * 4 + [False] * 3
