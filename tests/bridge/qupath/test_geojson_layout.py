"""Byte extents against the parser: every span holds the very value that it names."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.qupath.geojson_layout import JsonLayout

texts = st.text(st.sampled_from('ab"\\[]{},: \n\u00e9\U0001f600'), max_size=6)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(leaves, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=25)
containers = values.filter(lambda value: isinstance(value, list | dict))


@settings(deadline=None, max_examples=150)
@given(containers, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_every_container_is_found_where_it_lies(value: Any, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    layout = JsonLayout(text)
    waiting = [(layout.root, value)]
    while waiting:
        number, expected = waiting.pop()
        start, end = layout.span(number)
        assert json.loads(text[start:end]) == expected
        members = expected.values() if isinstance(expected, dict) else expected
        inner = [member for member in members if isinstance(member, list | dict)]
        children = layout.children(number)
        assert len(children) == len(inner)
        if isinstance(expected, dict):
            keys = [key for key, member in expected.items() if isinstance(member, list | dict)]
            assert [layout.key(child) for child in children] == keys
            assert [layout.member(number, key) for key in keys] == children
        waiting.extend(zip(children, inner, strict=True))


def test_of_repeated_keys_the_last_container_is_the_member() -> None:
    layout = JsonLayout(b'{"a":[1],"b":[],"a":[2]}')
    assert layout.span(layout.member(layout.root, "a") or 0) == (20, 23)
    assert layout.member(layout.root, "c") is None
