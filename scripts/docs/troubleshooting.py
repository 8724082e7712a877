"""``docs/reference/troubleshooting.md``: all that ``slidebridge doctor`` finds, why it matters, and its cure."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.docs.markdown import GENERATED, code, plain, table
from scripts.doctor.catalogue import GROUPS, TROUBLES, Trouble
from scripts.doctor.report import Level

_HEAD = f"""\
{GENERATED}
<!-- commands: in synced projects -->

# Troubleshooting

```sh
slidebridge doctor -p /data/kidneys
```

looks for all that follows and writes nothing. Each line says what was met, where, and the cure; a *problem* must be
mended, a *note* works, but not as one would wish. The exit status is 1 while there are problems. `--json` names each by
the word that ends its address here, so that a machine can ask. `slidebridge doctor --store` checks the project's own
records, `slidebridge doctor --verify` has your QuPath read what was written.

`slidebridge status` says what failed lately and why; the logs lie in `.slidebridge/log`.
"""
_WORDS = {Level.PROBLEM: "problem", Level.WARNING: "note"}


def troubleshooting_page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, _overview(), *(part for group in GROUPS for part in _group(group))]).rstrip("\n") + "\n"


def _overview() -> str:
    rows = [(f"[{plain(t.title)}](#{t.key})", plain(t.group), _WORDS[t.level], code(t.check)) for t in TROUBLES]
    return table(("what is wrong", "where", "how bad", "doctor's word"), rows) + "\n"


def _group(group: str) -> Iterator[str]:
    yield f"## {plain(group)}\n"
    for trouble in TROUBLES:
        if trouble.group == group:
            yield _section(trouble)


def _section(trouble: Trouble) -> str:
    said = f"{_WORDS[trouble.level]}, {code(trouble.check)}"
    return (
        f"### {plain(trouble.title)} {{ #{trouble.key} }}\n\n"
        f"{plain(trouble.why)}\n\n**Cure:** {plain(trouble.cure)}\n\n*{said}*\n"
    )
