"""What a person reads on a proposal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import ClassScheme, LabelOptions, Proposal
from bridge.annotations.gestures import class_of_text
from bridge.coords import Region

BOX = Region(0, 0, 512, 512)


@pytest.mark.parametrize(
    ("rank", "score", "text"),
    [(1, 0.0, "#1 random, 0.00"), (12, 0.456, "#12 random, 0.46"), (3, -1.0, "#3 random, -1.00")],
)
def test_text_tells_rank_reason_and_score(rank: int, score: float, text: str) -> None:
    assert Proposal(BOX, rank, score, "random").text == text


@given(
    st.integers(1, 500), st.floats(0, 10), st.sampled_from(["random", "Tumor", "ROI", "ok", "uncertain Tumor / Stroma"])
)
def test_no_proposal_answers_itself(rank: int, score: float, reason: str) -> None:
    # In ImageScope a person answers in the very Text that we write.
    scheme = ClassScheme({"Tumor": (255, 0, 0), "Stroma": (0, 255, 0)})
    assert class_of_text(Proposal(BOX, rank, score, reason).text, scheme, LabelOptions()) is None
