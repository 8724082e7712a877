"""``python -m scripts.docs``: write the pages that are made from the code; with ``--check`` only say which are old."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.docs.pages import old_pages, write_pages


def main(words: list[str], root: Path) -> int:
    """Write, or check, the generated pages below ``root``; return the exit status."""
    if words == ["--check"]:
        old = old_pages(root)
        for path in old:
            print(f"{path} is not what the code says; make reference writes it anew")
        return 1 if old else 0
    for path in write_pages(root):
        print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
