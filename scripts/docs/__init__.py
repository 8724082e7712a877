"""Pages that are made from the code, and what checks the others: the documentation's workshop, not in the wheel.

``python -m scripts.docs`` writes the generated pages below ``docs/reference`` (tests compare them with what is there);
``python -m scripts.docs.pictures`` draws the pictures; ``code_blocks`` and ``command_lines`` read what pages tell
people to type, so that no page names a command or an option that there isn't.
"""
