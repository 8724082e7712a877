"""What is said between us and the child: any pieces, bounded, nothing believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import QuPathBackendError
from bridge.qupath.paquo_protocol import MessageReader, Say, StreamLimits, encode

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_MESSAGES = st.builds(lambda say, value: {"say": say.value, "value": value}, st.sampled_from(Say), _VALUES)


@given(st.lists(_MESSAGES, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_messages_come_out_as_they_went_in_whatever_the_pieces(messages, sizes) -> None:
    stream = b"".join(map(encode, messages))
    reader, found, at, turn = MessageReader(StreamLimits()), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == messages


def test_half_a_character_pair_survives() -> None:
    (message,) = MessageReader(StreamLimits()).feed(encode({"say": "answer", "text": "a\ud83d\0\n"}))
    assert message["text"] == "a\ud83d\0\n"


@pytest.mark.parametrize(
    "line", [b"hello", b"", b"[]", b'"end"', b'{"say":"nonsense"}', b'{"say":["end"]}', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(QuPathBackendError, match="where a message belongs"):
        list(MessageReader(StreamLimits()).feed(line + b"\n"))


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    reader = MessageReader(StreamLimits(line_bytes=1000))
    assert list(reader.feed(b"x" * 1000)) == []
    with pytest.raises(QuPathBackendError, match="line of more than 1000 bytes"):
        list(reader.feed(b"x"))


def test_a_whole_line_that_is_too_long_is_refused_too() -> None:
    line = encode({"say": "progress", "text": "x" * 2000})
    with pytest.raises(QuPathBackendError, match="line of more than 1000 bytes"):
        list(MessageReader(StreamLimits(line_bytes=1000)).feed(line))


def test_messages_without_end_are_refused() -> None:
    reader, line = MessageReader(StreamLimits(total_bytes=1000)), encode({"say": "progress"})
    with pytest.raises(QuPathBackendError, match="more than 1000 bytes"):
        for _ in range(1000):
            list(reader.feed(line))


def test_a_number_that_is_not_finite_is_never_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"say": "answer", "value": float("nan")})
