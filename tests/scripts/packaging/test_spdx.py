"""What licences of others say about use together with ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.packaging.spdx import COMPATIBLE, objections

GOOD, BAD = ("MIT", "Apache-2.0", "LGPL-2.1-only"), ("GPL-2.0-only", "BSD-4-Clause", "LicenseRef-Ours")
TREES = st.recursive(
    st.sampled_from(GOOD + BAD), lambda inner: st.tuples(st.sampled_from(("AND", "OR")), inner, inner), max_leaves=8
)


def written(tree: object) -> str:
    if isinstance(tree, str):
        return tree
    assert isinstance(tree, tuple)
    return f"({written(tree[1])} {tree[0]} {written(tree[2])})"


def is_free(tree: object) -> bool:
    if isinstance(tree, str):
        return tree in GOOD
    assert isinstance(tree, tuple)
    first, second = is_free(tree[1]), is_free(tree[2])
    return (first and second) if tree[0] == "AND" else (first or second)


@settings(max_examples=60)
@given(TREES)
def test_expression_objects_exactly_where_no_choice_of_its_licences_fits(tree: object) -> None:
    found = objections(written(tree))
    assert bool(found) != is_free(tree)
    assert found <= set(BAD)


@pytest.mark.parametrize(
    ("expression", "against"),
    [
        ("MIT OR BSD-4-Clause AND GPL-2.0-only", set()),  # AND binds more
        ("BSD-4-Clause AND GPL-2.0-only OR MIT", set()),
        ("MIT AND GPL-2.0-only OR BSD-4-Clause", {"GPL-2.0-only", "BSD-4-Clause"}),
        ("Apache-2.0 WITH LLVM-exception", set()),
        ("GPL-2.0-only WITH Classpath-exception-2.0", {"GPL-2.0-only"}),
        ("mit", {"mit"}),
    ],
    ids=["and first", "and first, turned", "both sides", "exception", "exception to what doesn't fit", "lower case"],
)
def test_words_between_licences_bind_as_spdx_says(expression: str, against: set[str]) -> None:
    assert objections(expression) == against


@pytest.mark.parametrize("text", ["", "MIT AND", "(MIT", "MIT)", "MIT BSD", "WITH"], ids=repr)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no SPDX expression"):
        objections(text) and pytest.fail("taken for one")


def test_version_two_alone_never_fits() -> None:
    assert not {"GPL-2.0", "GPL-2.0-only", "BSD-4-Clause", "AGPL-1.0", "CDDL-1.0"} & COMPATIBLE
