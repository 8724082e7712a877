from collections import Counter
from dataclasses import replace

import pytest

from scripts.experiments.options import KidneyOptions, SlideOptions, TumourOptions
from scripts.experiments.painting import GeneratedSlide
from scripts.experiments.settings import SETTINGS, Claim, Stance, setting


def test_every_claim_is_judged_from_three_sides_each_with_its_reason() -> None:
    assert Counter((s.claim, s.stance) for s in SETTINGS) == Counter((c, s) for c in Claim for s in Stance)
    assert all(len(s.why) > 60 and len(s.expectation) > 60 for s in SETTINGS)


def test_slides_of_a_setting_take_turns_in_centre_and_grade() -> None:
    slides = setting("hybrid-medium").slides(6)
    pairs = [(s.options.center, s.scene.facts["grade"]) for s in slides]

    assert len(set(pairs)) == 6
    assert slides[0].options == setting("hybrid-medium").slides(1)[0].options
    assert len({s.options.seed for s in [*slides, *setting("hybrid-medium").slides(3, seed=1)]}) == 9


def test_unknown_setting_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="deepzoom-favourable"):
        setting("deepzoom")


def _glomerular_share(stance: str) -> float:
    slides = setting(f"deepzoom-{stance}").slides(3)
    glomeruli = sum(a.geometry.area for s in slides for a in s.truth.annotations if a.path_class == "Glomerulus")
    return glomeruli / sum(s.scene.tissue.area for s in slides)


def test_deepzoom_settings_cover_what_they_were_chosen_for() -> None:
    favourable, medium, adverse = (_glomerular_share(stance) for stance in ("favourable", "medium", "adverse"))

    assert 0.003 < favourable < 0.02
    assert favourable * 2 < medium < 0.08
    assert 0.1 < adverse < 0.25


def test_adverse_tumours_are_smaller_than_a_quarter_of_a_patch() -> None:
    slides = setting("hybrid-adverse").slides(3)
    areas = [a.geometry.area * s.options.mpp**2 for s in slides for a in s.truth.annotations]

    assert len(areas) > 20
    assert sorted(areas)[len(areas) // 2] < 0.25 * 256**2


def test_large_tumours_cover_their_share_of_the_tissue() -> None:
    slides = setting("hybrid-favourable").slides(4)
    tumour = sum(a.geometry.area for s in slides for a in s.truth.annotations)

    assert 0.15 < tumour / sum(s.scene.tissue.area for s in slides) < 0.35


def _metastatic_shares(stance: str) -> list[float]:
    return [float(s.scene.facts["metastatic_share"]) for s in setting(f"selection-{stance}").slides(16)]


def test_selection_settings_cover_what_they_were_chosen_for() -> None:
    favourable, medium, adverse = (_metastatic_shares(stance) for stance in ("favourable", "medium", "adverse"))

    assert 0.3 < sum(share < 0.01 for share in favourable) / 16 < 0.7, "as in CAMELYON16: 49.5 %"
    assert max(favourable) < 0.05
    assert all(0.1 < share < 0.25 for share in medium)
    assert all(0.3 < share < 0.45 for share in adverse)


def test_density_of_glomeruli_is_what_was_asked_for() -> None:
    slide = SlideOptions(20_000, 20_000, mpp=0.5, seed=1)
    generated = GeneratedSlide(slide, KidneyOptions(cortex_share=1.0, glomeruli_per_mm2=2.0))
    count = sum(a.path_class == "Glomerulus" for a in generated.truth.annotations)

    assert count == pytest.approx(2.0 * generated.scene.tissue.area * 0.25e-6, rel=0.25)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"likeness": 2.0}, "likeness"), ({"glomeruli_per_mm2": 500.0}, "don't fit"), ({"tubule_um": 0.0}, "tubule_um")],
)
def test_impossible_kidneys_are_refused_by_name(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(KidneyOptions(), **wrong)


def test_impossible_tumours_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="grade"):
        TumourOptions(grade=4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="width_px"):
        SlideOptions(width_px=100)
