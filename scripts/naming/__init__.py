"""What slides are called where others may read it: by their names, or, with ``[privacy] hash_names``, by short hashes.

``slide_names`` knows one project's slides, ``beside`` what else tells who they are of, ``replacements`` puts texts in
place of others, ``hidden`` is the one filter over all that a command says. Knows no project but by `NamedProject`: who
opens one makes its names known here.
"""
