"""What we and the child process that runs QuPath say to each other: one JSON object a line, in ASCII.

One request goes down; up come any number of ``progress``, ``image`` and ``object`` messages and one ``answer``, or an
``error``; ``end`` is the last word. Either side believes nothing of the other: lines and their sum are bounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bridge.errors import QuPathBackendError

Message = Mapping[str, Any]  # whatever the other side sent; checked where it is used


class Say(Enum):
    """What a message is; its ``say``."""

    PROGRESS = "progress"  # ``text``: what is being done
    IMAGE = "image"  # ``id``, ``n_objects``, ``tma_grid``: the objects of this image follow
    OBJECT = "object"  # ``object``: one object, see ``paquo_records``
    ANSWER = "answer"  # result of a request that isn't a list of objects
    ERROR = "error"  # ``text``, ``is_missing``: nothing more will come
    END = "end"  # all was done, files are closed


class Task(Enum):
    """What the child is asked for; ``task`` of the request."""

    FIND = "find"  # where QuPath is; starts no Java machine
    READ = "read"  # objects of images of a project
    CREATE = "create"  # a project from slides
    RESAVE = "resave"  # load an image and save it in QuPath's present format


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How much the child may say.

    Parameters
    ----------
    line_bytes
        Of one message. An object of a million vertices has some 33 MB.
    total_bytes
        Of a whole run: some hundred thousand large objects.
    """

    line_bytes: int = 128 * 2**20
    total_bytes: int = 8 * 2**30


def encode(message: Message) -> bytes:
    """Return a message as a line; non-finite numbers must be texts by then.

    Raises
    ------
    ValueError
        A number is not finite.
    """
    return json.dumps(message, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


class MessageReader:
    """Cuts a stream of bytes into messages, whatever pieces it comes in."""

    __slots__ = ("_limits", "_parts", "_pending", "_total")

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._parts: list[bytes] = []
        self._pending = 0
        self._total = 0

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that a piece completes.

        Raises
        ------
        QuPathBackendError
            The bytes are no messages, or too many.
        """
        self._total += len(chunk)
        if self._total > self._limits.total_bytes:
            raise QuPathBackendError(f"the QuPath process sent more than {self._limits.total_bytes} bytes; stopped it")
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._keep(line)
            yield _decode(b"".join(self._parts))
            self._parts, self._pending = [], 0
        self._keep(rest)

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._pending += len(part)
        if self._pending > self._limits.line_bytes:
            raise QuPathBackendError(
                f"the QuPath process sent a line of more than {self._limits.line_bytes} bytes; stopped it"
            )


def _decode(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _garbage(line) from error
    said = message.get("say") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(said, str) or said not in _SAID:
        raise _garbage(line)
    return message


_SAID = frozenset(say.value for say in Say)


def _garbage(line: bytes) -> QuPathBackendError:
    shown = ascii(line[:60])[2:-1]
    return QuPathBackendError(
        f"the QuPath process sent {shown!r} where a message belongs; run again with --verbose to see what it printed"
    )
