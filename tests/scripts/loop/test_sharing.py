"""Slides that compete for boxes: the best of all within the project's total, and no more of one look than allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import Proposal
from bridge.coords import Region
from bridge.imagescope import read_imagescope
from lab_support import Lab, draw_slide, labelled
from scripts.loop.boxes import FoundBox, FoundBoxes
from scripts.loop.sharing import Rivals, share, winners
from scripts.options import ProposeOptions

PLAIN = ProposeOptions(k=3)


def boxes(scores: Sequence[float], looks: Sequence[tuple[float, ...]] | None = None) -> FoundBoxes:
    looks = looks or [(0.0,)] * len(scores)
    return FoundBoxes(
        tuple(
            FoundBox(Proposal(Region(10 * n, 0, 5, 5), n + 1, score, "uncertain"), 1.0, look)
            for n, (score, look) in enumerate(zip(scores, looks, strict=True))
        )
    )


def scores_of(found: FoundBoxes) -> list[float]:
    return [box.proposal.score for box in found.boxes]


def test_without_a_limit_each_slide_has_its_own_whatever_others_have() -> None:
    rivals = Rivals({"a": boxes([0.9] * 9)}, {"c": ((),) * 50})
    found = share("b", boxes([0.1, 0.2, 0.3]), rivals, PLAIN)
    assert scores_of(found.found) == [0.1, 0.2, 0.3] and found.shortage is None


def test_the_total_goes_to_the_best_scores_of_all_slides() -> None:
    options = ProposeOptions(k=3, total=4)
    own = {"a": boxes([0.9, 0.2]), "b": boxes([0.8, 0.7, 0.6]), "c": boxes([0.1])}
    found = {key: share(key, mine, Rivals(own), options) for key, mine in own.items()}
    assert {key: scores_of(one.found) for key, one in found.items()} == {"a": [0.9], "b": [0.8, 0.7, 0.6], "c": []}
    assert found["b"].shortage is None
    assert found["c"].shortage == "0 of 3 boxes: the project's 4 open boxes are used up"
    assert found["c"].passed_over == {"project is full": 1}


def test_what_stays_open_elsewhere_counts_against_the_total_and_ranks_begin_at_one() -> None:
    options = ProposeOptions(k=3, total=5)
    found = share("b", boxes([0.5, 0.9]), Rivals({}, {"a": ((), ()), "c": ((), ())}), options)
    assert scores_of(found.found) == [0.9]
    assert [box.proposal.rank for box in found.found.boxes] == [1]
    full = share("b", boxes([0.5, 0.9]), Rivals({}, {"a": ((),) * 7}), options)
    assert full.found.boxes == ()


def test_random_boxes_are_spread_over_the_slides() -> None:
    own = {key: boxes([0.0, 0.0, 0.0]) for key in "abcd"}
    counts = [len(share(key, mine, Rivals(own), ProposeOptions(k=3, total=5)).found.boxes) for key, mine in own.items()]
    assert counts == [2, 1, 1, 1]


def test_no_more_boxes_of_one_look_than_allowed_open_ones_included() -> None:
    options = ProposeOptions(k=4, same_look=2)
    pale, dark = (0.9, 0.9), (0.1, 0.1)
    own = boxes([0.9, 0.8, 0.7, 0.6], [pale, pale, pale, dark])
    alone = share("b", own, Rivals(), options)
    assert scores_of(alone.found) == [0.9, 0.8, 0.6]
    assert alone.shortage == "3 of 4 boxes: 1 more look like others that are open"
    beside = share("b", own, Rivals({}, {"a": (pale,)}), options)
    assert scores_of(beside.found) == [0.9, 0.6]


def test_open_boxes_that_look_alike_count_against_the_total_all_the_same() -> None:
    options = ProposeOptions(k=4, same_look=1, total=4)
    pale, dark = (0.9, 0.9), (0.1, 0.1)
    found = share("b", boxes([0.9, 0.8], [dark, (0.5, 0.1)]), Rivals({}, {"a": (pale, pale, pale)}), options)
    assert scores_of(found.found) == [0.9]


@given(
    st.dictionaries(st.sampled_from("abcde"), st.lists(st.integers(0, 5), max_size=4), min_size=1),
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3)),
    st.integers(0, 4),
    st.integers(1, 9),
)
@settings(max_examples=80)
def test_shares_together_are_the_best_within_the_limits(
    wanted: dict[str, list[int]], staying: dict[str, int], k: int, total: int
) -> None:
    options = ProposeOptions(k=k, total=total)
    own = {key: boxes([float(score) for score in scores]) for key, scores in wanted.items()}
    rivals = Rivals(own, {key: ((),) * count for key, count in staying.items()})
    found = {key: share(key, mine, rivals, options).found for key, mine in own.items()}
    best = sorted((score for one in wanted.values() for score in sorted(one, reverse=True)[:k]), reverse=True)
    room = max(0, total - sum(staying.values()))
    assert sorted((s for one in found.values() for s in scores_of(one)), reverse=True) == best[:room]
    assert all(len(one.boxes) <= k for one in found.values())
    assert winners(rivals, options) == {key for key, one in found.items() if one.boxes}


# ── in a project ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def three(lab: Lab) -> Lab:
    """Return a project of three slides, four open boxes at most."""
    for name, seed in (("other", 3), ("third", 5)):
        draw_slide(lab.root / f"{name}.tif", seed=seed)
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("k = 3", "k = 3\ntotal = 4"), "utf-8")
    return lab


def open_boxes(lab: Lab) -> dict[str, int]:
    files = {path.stem: path for path in sorted(lab.root.glob("*.xml"))}
    return {name: _proposed(path) for name, path in files.items()}


def _proposed(path: Path) -> int:
    return sum(a.path_class == "Proposed" for a in read_imagescope(path.read_bytes()).annotations)


def ran(lab: Lab, *words: str) -> dict[str, Any]:
    result = lab.run(*words, "--json")
    assert result.exit_code == 0, result.output + str(result.exception)
    return dict(json.loads(result.stdout))


def test_a_command_shares_the_total_out_and_says_why_a_slide_has_fewer(three: Lab) -> None:
    told = ran(three, "propose")
    assert sorted(open_boxes(three).values()) == [1, 1, 2]
    assert all("the project's 4 open boxes are used up" in slide["shortage"] for slide in told["written"])
    before = {path: path.read_bytes() for path in three.root.glob("*.xml")}
    ran(three, "propose")
    assert {path: path.read_bytes() for path in three.root.glob("*.xml")} == before, "nothing is to be had"


def test_explaining_foretells_what_is_then_written_and_writes_nothing(three: Lab) -> None:
    three.write(labelled())
    assert three.run("train").exit_code == 0
    kept = sorted(path.name for path in (three.root / ".slidebridge").rglob("*.prediction"))
    foretold = ran(three, "propose", "--explain")
    assert not (three.root / "other.xml").exists()
    assert sorted(path.name for path in (three.root / ".slidebridge").rglob("*.prediction")) == kept
    assert {slide["slide"]: len(slide["boxes"]) for slide in foretold["slides"]} != dict.fromkeys(
        ("case", "other", "third"), 3
    )
    written = {slide["slide"]: slide["proposals"] for slide in ran(three, "propose")["written"]}
    assert sum(len(found) for found in written.values()) == 4
    assert {s["slide"]: [box["text"] for box in s["boxes"]] for s in foretold["slides"]} == written


def test_what_becomes_free_goes_to_slides_without_a_box_as_well(three: Lab) -> None:
    path = three.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("total = 4", "total = 1"), "utf-8")
    ran(three, "propose")
    assert sum(open_boxes(three).values()) == 1
    (name,) = (name for name, count in open_boxes(three).items() if count)
    path.write_text(path.read_text("utf-8").replace("total = 1", "total = 3"), "utf-8")
    ran(three, "propose")
    counts = open_boxes(three)
    assert counts[name] == 1 and sum(counts.values()) == 3, "that box stays, and two more come to the others"


def without_a_box(path: Path) -> None:
    text = path.read_text("utf-8")
    fewer = re.sub(r'\s*<Region [^>]*Text="#\d+ .*?</Region>', "", text, count=1, flags=re.DOTALL)
    assert fewer != text
    path.write_text(fewer, "utf-8", newline="")


def test_declined_boxes_that_may_come_again_compete_as_all_others(
    three: Lab, new_text: Callable[[str, str], None]
) -> None:
    new_text("total = 4", "total = 3")
    new_text("k = 3", "k = 1")
    new_text("region_um = 40", "region_um = 150")
    ran(three, "propose")
    assert set(open_boxes(three).values()) == {1}
    for path in three.root.glob("*.xml"):
        without_a_box(path)  # one a slide: there is no other place
    new_text("total = 3", "total = 2")
    ran(three, "propose")
    assert sum(open_boxes(three).values()) == 0
    foretold = ran(three, "propose", "--explain", "--again")
    ran(three, "propose", "--again")
    assert sum(open_boxes(three).values()) == 2 == sum(len(slide["boxes"]) for slide in foretold["slides"])


def test_a_box_that_a_person_moved_counts_as_long_as_it_is_open(three: Lab) -> None:
    ran(three, "propose")
    (path,) = (path for path in three.root.glob("*.xml") if _proposed(path) == 2)
    text = path.read_text("utf-8")
    box = re.search(r'<Region [^>]*Text="#1 .*?</Region>', text, re.DOTALL)
    assert box is not None
    moved = re.sub(r' X="(\d+)', lambda found: f' X="{int(found[1]) + 9}', box[0])
    path.write_text(text.replace(box[0], moved), "utf-8", newline="")
    foretold = ran(three, "propose", "--explain")
    ran(three, "propose", "--force")
    assert sum(open_boxes(three).values()) == 4, "no more than there may be"
    assert sum(len(slide["boxes"]) for slide in foretold["slides"]) == 3
    assert [slide["open"] for slide in foretold["slides"]].count(1) == 3, "one isn't ours to replace"


def test_open_boxes_count_where_none_can_be_written_now(three: Lab) -> None:
    three.write(labelled())
    ran(three, "propose")
    held = open_boxes(three)["case"]
    assert held
    boxes = re.findall(r'<Annotation [^>]*Name="Proposed".*?</Annotation>', three.xml.read_text("utf-8"), re.DOTALL)
    few = three.write({"Blob": labelled()["Blob"][:1]}).decode()
    three.xml.write_text(few.replace("</Annotations>", "".join(boxes) + "</Annotations>"), "utf-8", newline="")
    foretold = ran(three, "propose", "--explain")
    assert [bool(slide["why_none"]) for slide in foretold["slides"]].count(True) == 1
    ran(three, "propose", "--force")
    assert open_boxes(three)["case"] == held
    assert sum(len(slide["boxes"]) for slide in foretold["slides"]) == 4 - held
    assert sum(open_boxes(three).values()) == 4


def test_boxes_of_one_look_are_not_asked_for_again_and_again(three: Lab, new_text: Callable[[str, str], None]) -> None:
    new_text("total = 4", "same_look = 1")
    told = ran(three, "propose")
    counts = open_boxes(three)
    assert 1 <= sum(counts.values()) < 9
    assert any("look like others that are open" in (slide["shortage"] or "") for slide in told["written"])


@pytest.fixture
def new_text(lab: Lab) -> Callable[[str, str], None]:
    def change(before: str, after: str) -> None:
        path = lab.root / "slidebridge.toml"
        text = path.read_text("utf-8")
        assert before in text
        path.write_text(text.replace(before, after), "utf-8")

    return change
