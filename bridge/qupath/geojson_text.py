"""GeoJSON as bytes: unpacked and parsed within limits."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import struct
import zipfile
import zlib
from typing import Any

import orjson

from bridge.errors import GeoJSONFormatError

JsonObject = dict[str, Any]  # what JSON holds is anybody's guess until it was looked at
MAX_JSON_BYTES = 1 << 30  # unpacked; a slide with a million outlined cells stays below
_MAX_RATIO = 200  # real exports unpack to 5 to 60 times their size, bombs to a thousand
_PACKED_FLOOR = 1 << 24  # below, the ratio says little
BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
# What gzip, zlib and zipfile raise at damaged bytes.
_BROKEN = (
    *(EOFError, OSError, ValueError, OverflowError, NotImplementedError, RuntimeError),
    *(zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile, struct.error, lzma.LZMAError),
)
_STRICT_PARSER_STUMBLES = (b"NaN", b"Infinity", b"\\ud", b"\\uD")


def is_gzip(data: bytes) -> bool:
    """Say whether the bytes begin as gzip does."""
    return data.startswith(_GZIP_MAGIC)


def is_packed(start: bytes) -> bool:
    """Say whether a file that begins so has to be unpacked (gzip or zip)."""
    return start.startswith((_GZIP_MAGIC, _ZIP_MAGIC))


def compress(text: bytes) -> bytes:
    """Return gzip bytes that depend on the text alone: no time, no name."""
    return gzip.compress(text, mtime=0)


def unpack(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """Return the JSON text of a plain, gzip or zip file; of a zip, its one ``.geojson`` or ``.json`` member.

    Raises
    ------
    GeoJSONFormatError
        The archive is cut or broken, holds no such member, or unpacks to more than ``max_bytes`` or to far more than
        GeoJSON does.
    """
    if not is_packed(data):
        return _within(data, max_bytes)
    limit = min(max_bytes, max(_PACKED_FLOOR, _MAX_RATIO * len(data)))
    try:
        text = _read_gzip(data, limit + 1) if is_gzip(data) else _read_zip(data, limit + 1)
    except GeoJSONFormatError:
        raise
    except _BROKEN as error:
        what = " ".join(str(error).split())[:100]
        raise GeoJSONFormatError(f"the compressed file is cut or broken ({what}); export it again") from error
    if limit < len(text) <= max_bytes:
        raise GeoJSONFormatError(f"unpacks to more than {_MAX_RATIO} times its size; unpack it by hand if you trust it")
    return _within(text, max_bytes)


def _within(text: bytes, max_bytes: int) -> bytes:
    if len(text) > max_bytes:
        raise GeoJSONFormatError(f"more than {max_bytes:,} bytes of JSON; export the objects in parts")
    return text


def _read_gzip(data: bytes, size: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        return stream.read(size)


def _read_zip(data: bytes, size: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith((".geojson", ".json"))]
        if len(names) != 1:
            raise GeoJSONFormatError(f"the zip file holds {len(names)} GeoJSON files instead of one; unpack it")
        with archive.open(names[0]) as stream:
            return stream.read(size)


def to_text(value: object) -> bytes:
    """Return JSON bytes; NumPy arrays become lists.

    Raises
    ------
    TypeError
        Half a surrogate pair stands in a text (see ``encodable``).
    """
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def text_again(value: object, option: int = 0) -> bytes:
    """Return the JSON bytes of a value that a file held.

    Raises
    ------
    GeoJSONFormatError
        Values lie inside one another more than some 250 times, or a text is none that UTF-8 holds.
    """
    try:
        return orjson.dumps(value, option=option)
    except TypeError as error:
        message = f"a feature holds what no tool writes ({error}); export the objects again"
        raise GeoJSONFormatError(message.replace("\n", " ")[:300]) from error


def encodable(text: str) -> str:
    """Return a text as UTF-8 can hold it: ``?`` for each lone half of a surrogate pair, as QuPath writes.

    Examples
    --------
    >>> encodable("a" + chr(0xD83D)), encodable(chr(0xD83D) + chr(0xDE00)) == chr(0x1F600)
    ('a?', True)
    """
    if text.isascii():
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return whole.encode(errors="replace").decode()


def parse(text: bytes) -> Any:
    """Return the value that JSON text holds; of repeated keys the last one counts, as in QuPath.

    ``NaN``, ``Infinity`` and halves of surrogate pairs, which JSON forbids and some exporters write, are read.

    Raises
    ------
    GeoJSONFormatError
        Cut, not JSON, or nested deeper than the parser goes (1,024 levels: 340 generations of child objects).
    """
    body = text.removeprefix(BOM)
    if not body.strip():
        raise GeoJSONFormatError("the file is empty; export it again")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if any(token in body for token in _STRICT_PARSER_STUMBLES):
            return _parse_leniently(body)
        raise GeoJSONFormatError(f"cut or not JSON: {error}; export it again") from error


def _parse_leniently(body: bytes) -> Any:
    try:
        # Constants become the text that QuPath writes for them; half surrogate pairs become "?", as in its exports.
        value = json.loads(body, parse_constant=str)
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except RecursionError as error:
        raise GeoJSONFormatError("nested too deeply; export it again without child objects") from error
    except ValueError as error:
        raise GeoJSONFormatError(f"cut or not JSON: {error}; export it again") from error
