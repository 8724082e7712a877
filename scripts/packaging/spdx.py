"""Licences as SPDX expressions, and whether code under them may be used together with code under GPL-3.0-or-later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

COMPATIBLE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "blessing",
        "BSD",
        "BSD-1-Clause",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "GPL-2.0-or-later",
        "GPL-3.0",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "HPND",
        "IJG",
        "ISC",
        "LGPL-2.1-only",
        "LGPL-2.1-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        "libpng-2.0",
        "LicenseRef-Public-Domain",
        "libtiff",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)
"""With GPL version 3 or later, by the Free Software Foundation's list or because they are among those that it names."""

_AS_WRITTEN: Mapping[str, str] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GPLv3": "GPL-3.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "New BSD": "BSD-3-Clause",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
_BETWEEN = frozenset({"AND", "OR", "WITH", "(", ")"})
_TOKEN = re.compile(r"\(|\)|[^\s()]+")


def as_spdx(text: str) -> str | None:
    """Return what a package's own words for its licence mean; None where that isn't known.

    Examples
    --------
    >>> as_spdx("New BSD"), as_spdx("MIT"), as_spdx("Copyright (c) 2001, somebody")
    ('BSD-3-Clause', 'MIT', None)
    """
    said = " ".join(text.split())
    return _AS_WRITTEN.get(said) or (said if said in COMPATIBLE else None)


def objections(expression: str) -> frozenset[str]:
    """Return the licences of an expression that stand against its use with ours; none where it is free to be used so.

    Of two that one may choose between, one that fits is enough; of two that both hold, both must fit. What an exception
    (``WITH``) allows beside is not needed.

    Examples
    --------
    >>> objections("MIT AND (GPL-2.0-only OR BSD-3-Clause)")
    frozenset()
    >>> sorted(objections("(MIT AND BSD-4-Clause) OR GPL-2.0-only"))
    ['BSD-4-Clause', 'GPL-2.0-only']
    """
    parser = _Parser(tuple(_TOKEN.findall(expression)))
    found = parser.either()
    if parser.place != len(parser.tokens):
        raise ValueError(f"no SPDX expression: {expression!r}")
    return found


@dataclass(slots=True)
class _Parser:
    """Recursive descent: OR binds least, then AND, then WITH."""

    tokens: tuple[str, ...]
    place: int = 0

    def either(self) -> frozenset[str]:
        found = [self.both()]
        while self._takes("OR"):
            found.append(self.both())
        return frozenset() if not all(found) else frozenset().union(*found)

    def both(self) -> frozenset[str]:
        found = self.one()
        while self._takes("AND"):
            found |= self.one()
        return found

    def one(self) -> frozenset[str]:
        if self._takes("("):
            found = self.either()
            if not self._takes(")"):
                raise ValueError(f"no SPDX expression: {' '.join(self.tokens)!r}")
            return found
        name = self._next()
        if self._takes("WITH"):
            self._next()
        return frozenset() if name in COMPATIBLE else frozenset({name})

    def _takes(self, token: str) -> bool:
        is_there = self.place < len(self.tokens) and self.tokens[self.place].upper() == token
        self.place += is_there
        return is_there

    def _next(self) -> str:
        if self.place == len(self.tokens) or self.tokens[self.place].upper() in _BETWEEN:
            raise ValueError(f"no SPDX expression: {' '.join(self.tokens)!r}")
        self.place += 1
        return self.tokens[self.place - 1]
