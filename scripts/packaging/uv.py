"""uv, the resolver that knows other systems than the one it runs on; it asks the package index that pip asks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Self

from scripts.packaging.wheel import PackageError

_ADDRESS = re.compile(r"\b[a-z][a-z+]*://\S+")


class Unresolved(Exception):  # noqa: N818  an answer, not a fault
    """The requirements can't be met together; ``reason`` says why, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Uv:
    """The program.

    Parameters
    ----------
    command
        What starts it.
    environ
        What it is started with.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str]

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Find it beside this Python, or on the path.

        Raises
        ------
        PackageError
            It is installed nowhere.
        """
        program = shutil.which("uv")
        if find_spec("uv") is None and program is None:
            raise PackageError("uv isn't installed, and resolves for other systems; pip install uv")
        command = (sys.executable, "-m", "uv") if find_spec("uv") is not None else (str(program),)
        return cls(command, {**environ, **index_settings(environ)})

    def compile(self, requirements: Sequence[str], options: Sequence[str], oldest: str = "") -> tuple[str, ...]:
        """Return what would be installed, as ``name==version``; what is given as a file is left out.

        Parameters
        ----------
        oldest
            The macOS that wheels must run on, if that is asked for.

        Raises
        ------
        Unresolved
            The requirements can't be met so.
        """
        plain = ("--quiet", "--no-config", "--no-header", "--no-annotate", "--python", sys.executable)
        command = [*self.command, "pip", "compile", "-", *plain, *options]
        environ = {**self.environ, **({"MACOSX_DEPLOYMENT_TARGET": oldest} if oldest else {})}
        done = subprocess.run(
            command, input="\n".join(requirements), env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unresolved(one_line(done.stderr))
        return tuple(line for line in done.stdout.splitlines() if "==" in line)


def one_line(said: str) -> str:
    r"""Return the cause of a failure as uv tells it: without its drawing, its conclusions and addresses of indexes.

    Examples
    --------
    >>> one_line("  × No solution found:\n  ╰─▶ Because only a<2 is\n      on https://index.example/simple\n")
    'No solution found: Because only a<2 is on the package index'
    """
    text = " ".join(re.sub(r"[×╰─▶├│]", " ", said).split())
    text = re.sub(r"^.*? cause: ", "", text)
    text = re.sub(r",? we can conclude that .*?(?= hint:|$)", ".", text)
    return _ADDRESS.sub("the package index", text)


def index_settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return pip's package index, certificates and folder of wheels as uv's settings, where uv has none of its own."""
    found = {}
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & environ.keys():
        index = environ.get("PIP_INDEX_URL") or _of_pip("global.index-url")
        if index:
            found["UV_DEFAULT_INDEX"] = index
    for theirs, ours in (("PIP_CERT", "SSL_CERT_FILE"), ("PIP_FIND_LINKS", "UV_FIND_LINKS")):
        if theirs in environ and ours not in environ:
            found[ours] = environ[theirs]
    return found


def _of_pip(name: str) -> str:
    command = [sys.executable, "-m", "pip", "config", "get", name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
