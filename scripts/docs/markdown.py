"""A few ways to say things in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made from the code by `make reference`; don't edit it here. -->\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a table; an upright bar in a cell is kept from ending it.

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "x|y"]]))
    | a | b |
    | --- | --- |
    | 1 | x\|y |
    """
    lines = [_row(head), _row(["---"] * len(head)), *(_row(cells) for cells in rows)]
    return "\n".join(lines)


def code(text: str) -> str:
    """Return text as code, whatever backticks it has.

    Examples
    --------
    >>> code("a`b"), code("`a`")
    ('``a`b``', '`` `a` ``')
    """
    if "`" not in text:
        return f"`{text}`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"``{pad}{text}{pad}``"


def plain(text: str) -> str:
    r"""Return text that shows as it is: what Markdown or HTML would take for a sign of its own is escaped.

    Examples
    --------
    >>> plain("SRC <file> *all*")
    'SRC &lt;file&gt; \\*all\\*'
    """
    escaped = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{sign}" if sign in "*_[]" else sign for sign in escaped)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
