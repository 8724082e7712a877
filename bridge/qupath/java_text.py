"""Java's text: modified UTF-8, kept as bytes and decoded on demand."""

from __future__ import annotations

from struct import unpack

from bridge.errors import QuPathFormatError


class JavaString:
    """Text, kept as the bytes that the stream holds.

    Attributes
    ----------
    raw
        Java's modified UTF-8: NUL is ``C0 80``, characters beyond U+FFFF are two surrogates of three bytes each.
    """

    __slots__ = ("_text", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._text: str | None = None

    @classmethod
    def of(cls, text: str) -> JavaString:
        """Return a new string node; lone surrogates are kept."""
        return cls(encode_text(text))

    @property
    def text(self) -> str:
        """The text, decoded once however often it is referred to; lone surrogates survive as such.

        Raises
        ------
        QuPathFormatError
            The bytes are not Java's UTF-8.
        """
        if self._text is None:
            self._text = _decode(self.raw)
        return self._text


def encode_text(text: str) -> bytes:
    """Return Java's modified UTF-8 of a text."""
    if text.isascii():
        return text.encode().replace(b"\0", b"\xc0\x80")
    halves = text.encode("utf-16-be", "surrogatepass")
    units = unpack(f">{len(halves) // 2}H", halves)
    return "".join(map(chr, units)).encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()  # the same in both forms, but for a few characters
    except UnicodeDecodeError:
        pass
    try:
        halves = raw.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
        return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    except UnicodeError as error:
        raise QuPathFormatError(f"a text of {len(raw)} bytes is not Java's UTF-8") from error
