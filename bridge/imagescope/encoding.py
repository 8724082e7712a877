"""The bytes of an XML file as UTF-8, and back: which encoding it was in is found out once and kept."""

from __future__ import annotations

import codecs
import logging
import re
from dataclasses import dataclass

from bridge.errors import ImageScopeFormatError

logger = logging.getLogger(__name__)

_DECLARED = re.compile(rb"\A<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
# Encodings without state between characters: what a person drew keeps its bytes wherever we put something beside it.
_STATELESS = ("utf-8", "ascii", "iso8859-", "cp125", "gb", "big5", "shift_jis", "euc_")
_UNDECLARED = "cp1252"  # what Windows tools write when they forget to say UTF-8


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file writes its characters.

    Parameters
    ----------
    codec
        Python's name of it, without byte order mark.
    mark
        The byte order mark, or nothing.
    """

    codec: str = "utf-8"
    mark: bytes = b""

    def pack(self, body: bytes) -> bytes:
        """Return UTF-8 text as the file has it; characters that the encoding lacks become character references."""
        if self.codec == "utf-8":
            return self.mark + body
        return self.mark + body.decode("utf-8").encode(self.codec, "xmlcharrefreplace")


def to_utf8(data: bytes) -> tuple[bytes, Encoding]:
    """Return the text as UTF-8, without byte order mark, and how to write it back.

    Raises
    ------
    ImageScopeFormatError
        The bytes are not what mark or declaration say, or the encoding can't be written back unchanged.
    """
    encoding, is_declared = _sniff(data)
    payload = data[len(encoding.mark) :]
    try:
        text = payload.decode(encoding.codec)
    except UnicodeDecodeError as error:
        if is_declared:
            raise _undecodable(payload, error) from error
        return _guess(payload, error)
    if encoding.codec == "utf-8":
        return payload, encoding
    if text.encode(encoding.codec) != payload:
        raise ImageScopeFormatError(f"its {encoding.codec} text can't be written back unchanged; save it as UTF-8")
    return text.encode("utf-8"), encoding


def _sniff(data: bytes) -> tuple[Encoding, bool]:
    for mark, codec in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return Encoding(codec, mark), True
    for start, codec in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be")):
        if data.startswith(start):
            return Encoding(codec), True
    declared = _DECLARED.match(data)
    if declared is None:
        return Encoding(), False
    return Encoding(_codec(declared[1].decode("ascii"))), True


def _codec(declared: str) -> str:
    if declared.lower().startswith(("utf-16", "utf16", "ucs-2")):
        return "utf-8"  # we could read the declaration, so it is not true: .NET's StringWriter says so of any text
    try:
        codec = codecs.lookup(declared).name
    except LookupError:
        codec = ""
    if not codec.startswith(_STATELESS):
        raise ImageScopeFormatError(f"line 1: encoding {declared!r} is not supported; save it as UTF-8")
    return codec


def _guess(payload: bytes, error: UnicodeDecodeError) -> tuple[bytes, Encoding]:
    try:
        text = payload.decode(_UNDECLARED)
    except UnicodeDecodeError:
        raise _undecodable(payload, error) from error
    logger.warning("xml declares no encoding and is not UTF-8: read as %s", _UNDECLARED)
    return text.encode("utf-8"), Encoding(_UNDECLARED)


def _undecodable(payload: bytes, error: UnicodeDecodeError) -> ImageScopeFormatError:
    line = payload.count(b"\n", 0, error.start) + 1
    return ImageScopeFormatError(f"line {line}: not {error.encoding} text ({error.reason}); save it again")
