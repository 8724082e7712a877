"""GeoJSON as bytes: unpacked and parsed within limits."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from typing import Any

import orjson

from bridge.errors import GeoJSONFormatError

JsonObject = dict[str, Any]  # what JSON holds is anybody's guess until it was looked at
MAX_JSON_BYTES = 1 << 30  # unpacked; a slide with a million outlined cells stays below
BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_STRICT_PARSER_STUMBLES = (b"NaN", b"Infinity", b"\\ud", b"\\uD")


def is_gzip(data: bytes) -> bool:
    """Say whether the bytes begin as gzip does."""
    return data.startswith(_GZIP_MAGIC)


def compress(text: bytes) -> bytes:
    """Return gzip bytes that depend on the text alone: no time, no name."""
    return gzip.compress(text, mtime=0)


def unpack(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """Return the JSON text of a plain, gzip or zip file; of a zip, its one ``.geojson`` or ``.json`` member.

    Raises
    ------
    GeoJSONFormatError
        The archive is cut or broken, holds no such member, or unpacks to more than ``max_bytes``.
    """
    try:
        if is_gzip(data):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                text = stream.read(max_bytes + 1)
        elif data.startswith(_ZIP_MAGIC):
            text = _read_zip(data, max_bytes)
        else:
            text = data
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise GeoJSONFormatError(f"the compressed file is cut or broken ({error}); export it again") from error
    if len(text) > max_bytes:
        raise GeoJSONFormatError(f"more than {max_bytes:,} bytes of JSON; export the objects in parts")
    return text


def _read_zip(data: bytes, max_bytes: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith((".geojson", ".json"))]
        if len(names) != 1:
            raise GeoJSONFormatError(f"the zip file holds {len(names)} GeoJSON files instead of one; unpack it")
        with archive.open(names[0]) as stream:
            return stream.read(max_bytes + 1)


def parse(text: bytes) -> Any:
    """Return the value that JSON text holds; of repeated keys the last one counts, as in QuPath.

    ``NaN``, ``Infinity`` and halves of surrogate pairs, which JSON forbids and some exporters write, are read.

    Raises
    ------
    GeoJSONFormatError
        Cut, not JSON, or nested deeper than the parser goes (1,024 levels: 340 generations of child objects).
    """
    body = text.removeprefix(BOM)
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
