import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import openslide
import pytest
from mask_support import read_label_mask

from bridge.coords import Region
from bridge.qupath import read_geojson
from bridge.raster import rasterize
from scripts.experiments.options import KidneyOptions, SlideOptions, TumourOptions
from scripts.experiments.painting import GeneratedSlide
from scripts.experiments.truth import scheme_of
from scripts.experiments.writing import WriteOptions, halve, write_slide

SLIDE = SlideOptions(1037, 517, mpp=1.0, seed=2, center="B")
KIDNEY = GeneratedSlide(SLIDE, KidneyOptions(glomeruli_per_mm2=40.0, cortex_share=1.0))
TUMOUR = GeneratedSlide(replace(SLIDE, width_px=512, height_px=700), TumourOptions(grade=3))


@pytest.mark.parametrize("generated", [KIDNEY, TUMOUR], ids=["kidney", "tumour"])
def test_openslide_opens_what_is_written(tmp_path: Path, generated: GeneratedSlide) -> None:
    written = write_slide(generated, tmp_path, "one", WriteOptions(quality=95))

    with openslide.OpenSlide(written.slide) as slide:
        width, height = generated.options.width_px, generated.options.height_px
        levels = [(width, height)]
        while max(levels[-1]) > 512:
            levels.append((-(-levels[-1][0] // 2), -(-levels[-1][1] // 2)))
        assert list(slide.level_dimensions) == levels
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(1.0, rel=1e-3)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(1.0, rel=1e-3)
        expected = generated.read(generated.bounds)
        for level, size in enumerate(levels):
            read = np.asarray(slide.read_region((0, 0), level, size).convert("RGB")).astype(float)
            assert np.abs(read - expected).mean() < 4
            assert np.abs(read[-8:] - expected[-8:]).mean() < 5
            expected = halve(expected)


def test_files_say_what_is_true(tmp_path: Path) -> None:
    written = write_slide(KIDNEY, tmp_path, "one", WriteOptions(mask_downsample=2))

    read = read_geojson(written.truth.read_bytes())
    scheme, whole = scheme_of(KIDNEY), Region(0, 0, 1037, 517)
    assert written.mask is not None
    at_two = rasterize(read, whole, scheme, downsample=2).labels
    assert np.array_equal(rasterize(read, whole, scheme).labels, rasterize(KIDNEY.truth, whole, scheme).labels)
    assert np.array_equal(read_label_mask(written.mask).labels, at_two)
    facts = json.loads(written.facts.read_text())
    assert facts["center"] == "B"
    assert facts["objects"]["Nucleus"] == sum(a.path_class == "Nucleus" for a in read.annotations)
    assert facts["area_px"]["Glomerulus"] > facts["area_px"]["Nucleus"] > 0


def test_grade_is_metadata_for_the_sampling_tree(tmp_path: Path) -> None:
    assert json.loads(write_slide(TUMOUR, tmp_path, "one").facts.read_text())["grade"] == 3


def test_same_options_give_the_same_bytes_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    first = write_slide(TUMOUR, tmp_path / "a", "one")
    again = write_slide(GeneratedSlide(TUMOUR.options, TUMOUR.scene_options), tmp_path / "b", "one")
    stamps = [path.stat().st_mtime_ns for path in sorted((tmp_path / "a").iterdir())]

    write_slide(TUMOUR, tmp_path / "a", "one")

    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "a").iterdir())] == stamps
    for one, other in ((first.slide, again.slide), (first.truth, again.truth), (first.facts, again.facts)):
        assert one.read_bytes() == other.read_bytes()


def test_other_options_under_the_same_name_replace_the_slide(tmp_path: Path) -> None:
    before = write_slide(TUMOUR, tmp_path, "one").slide.read_bytes()
    other = GeneratedSlide(replace(TUMOUR.options, seed=9), TUMOUR.scene_options)

    assert write_slide(other, tmp_path, "one").slide.read_bytes() != before


def test_run_that_was_cut_off_leaves_no_slide_and_is_made_good(tmp_path: Path) -> None:
    class Cut(GeneratedSlide):
        def block(self, column: int, row: int) -> np.ndarray:
            if row:
                raise KeyboardInterrupt
            return super().block(column, row)

    with pytest.raises(KeyboardInterrupt):
        write_slide(Cut(TUMOUR.options, TUMOUR.scene_options), tmp_path, "one")

    assert [path.name for path in tmp_path.iterdir()] == [".one.lock"]  # locks stay: to delete one would be a race
    assert write_slide(TUMOUR, tmp_path, "one").facts.is_file()
