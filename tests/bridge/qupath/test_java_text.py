from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import QuPathFormatError
from bridge.qupath.java_text import JavaString, encode_text

any_text = st.text(st.characters(), max_size=30)  # lone surrogates included


def _joined(text: str) -> str:
    """Two halves that stand together are one character: nobody can tell them apart."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_every_text_survives(text: str) -> None:
    assert JavaString.of(text).text == _joined(text)


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_bytes_are_those_of_javas_form(text: str) -> None:
    raw = encode_text(text)
    assert b"\0" not in raw
    assert all(byte < 0xF0 for byte in raw), "no four-byte characters"
    assert JavaString(raw).raw == raw


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("a\0b", b"a\xc0\x80b"),
        ("µ", b"\xc2\xb5"),
        ("😀", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("\ud83d", b"\xed\xa0\xbd"),
        ("", b""),
    ],
)
def test_known_texts(text: str, raw: bytes) -> None:
    assert encode_text(text) == raw
    assert JavaString(raw).text == text


@pytest.mark.parametrize("raw", [b"\xff", b"\xc2", b"ok\x80"])
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(QuPathFormatError, match="not Java's UTF-8"):
        _ = JavaString(raw).text
