from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ImageScopeFormatError
from bridge.imagescope.encoding import to_utf8

TEXT = '<Annotations><Annotation Name="Läsion"/></Annotations>\r\n'


def declared(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>\r\n{TEXT}'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (TEXT.encode(), TEXT),
        (codecs.BOM_UTF8 + TEXT.encode(), TEXT),
        (TEXT.encode("utf-16"), TEXT),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), TEXT),
        (TEXT.encode("utf-16-le"), TEXT),
        (TEXT.encode("utf-16-be"), TEXT),
        (declared("UTF-8").encode(), declared("UTF-8")),
        (declared("ISO-8859-1").encode("latin-1"), declared("ISO-8859-1")),
        (declared("windows-1252").encode("cp1252"), declared("windows-1252")),
        (declared("gb18030").encode("gb18030"), declared("gb18030")),
    ],
)
def test_text_comes_out_as_utf8_and_goes_back_as_it_was(data: bytes, text: str) -> None:
    body, encoding = to_utf8(data)
    assert body.decode() == text
    assert encoding.pack(body) == data


def test_undeclared_windows_text_is_read_as_such() -> None:
    data = TEXT.encode("cp1252")
    body, encoding = to_utf8(data)
    assert body.decode() == TEXT
    assert encoding.pack(body) == data


def test_utf8_that_calls_itself_utf16_is_read_as_utf8() -> None:
    data = declared("utf-16").encode()
    assert to_utf8(data)[0] == data


def test_characters_that_the_encoding_lacks_become_references() -> None:
    _, encoding = to_utf8(declared("ISO-8859-1").encode("latin-1"))
    assert encoding.pack('<a b="ö肿"/>'.encode()) == b'<a b="\xf6&#32959;"/>'


@pytest.mark.parametrize(
    "data",
    [
        declared("utf-7").encode(),
        declared("iso-2022-jp").encode(),
        declared("rot13").encode(),
        declared("zip").encode(),
        declared("nonsense").encode(),
    ],
)
def test_encoding_with_state_or_without_sense_is_refused(data: bytes) -> None:
    with pytest.raises(ImageScopeFormatError, match=r"line 1: encoding .* not supported"):
        to_utf8(data)


def test_bytes_that_break_their_declaration_are_refused_with_the_line() -> None:
    with pytest.raises(ImageScopeFormatError, match=r"^line 2: not utf-8 text"):
        to_utf8(declared("UTF-8").encode("latin-1"))


@given(st.binary(max_size=40))
def test_any_bytes_come_back_or_are_refused(data: bytes) -> None:
    try:
        body, encoding = to_utf8(data)
    except ImageScopeFormatError:
        return
    assert encoding.pack(body) == data
