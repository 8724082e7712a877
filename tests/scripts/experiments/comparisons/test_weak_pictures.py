from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.annotations import Part
from bridge.coords import Window
from bridge.raster import PlanRaster
from models.data import TrainingSlide
from scripts.experiments.comparisons.weak_pictures import (
    ENLARGED,
    ISLETS,
    NUCLEI,
    Picture,
    class_of,
    find_pictures,
    open_picture,
)

XML = """<Annotations MicronsPerPixel="0.25"><Annotation Id="1" LineColor="65280"><Regions><Region Id="1" Type="0">
<Vertices><Vertex X="10" Y="20"/><Vertex X="30" Y="20"/><Vertex X="30" Y="25"/><Vertex X="10" Y="25"/></Vertices>
</Region></Regions></Annotation></Annotations>"""


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One nucleus on a training and on a judging picture; islets on four photographs of one kind and two of another."""
    picture = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    nucleus = np.zeros((40, 50), np.uint8)
    nucleus[5:9, 7:20] = 1
    nuclei, islets = tmp_path / "segmentation" / "monuseg", tmp_path / "segmentation" / "langerhans_islets"
    write(nuclei / "train" / "images" / "TCGA-18-1.tif", picture)
    write(nuclei / "train" / "binary_masks" / "TCGA-18-1.png", nucleus)
    (write(nuclei / "test" / "TCGA-44-1.tif", picture).with_suffix(".xml")).write_text(XML)
    for name in ("Lh1", "Lh2", "Lh3", "gtExo1", "gtExo2"):
        write(islets / "image" / f"{name}.jpg", picture[:39])
        grey = np.where(nucleus > 0, 255, np.where(np.roll(nucleus, 10, 0) > 0, 120, 0)).astype(np.uint8)
        write(islets / "annot" / f"{name}.png", grey)
    write(islets / "image" / "Lh4.jpg", picture)  # without a mask
    return tmp_path


def burnt(slide: TrainingSlide, kind: str, shape: tuple[int, int]) -> np.ndarray:
    return PlanRaster(slide.plan, class_of(kind), 1.0, Part.TRAINING).burn(Window(0, 0, shape[1], shape[0])).labels


def opened(picture: Picture, folder: Path, stack: ExitStack) -> TrainingSlide:
    slide = open_picture(picture, folder, stack)
    assert slide.slide.pyramid.mpp == (1.0, 1.0)
    return slide


def test_nuclei_keep_patients_apart_and_are_enlarged_with_their_truth(data: Path, tmp_path: Path) -> None:
    found = find_pictures(data, NUCLEI, 0)
    assert found is not None
    with ExitStack() as stack:
        train, test = (opened(p, tmp_path, stack) for p in (*found.train, *found.test))
        size = (40 * ENLARGED, 50 * ENLARGED)
        shown = burnt(train, NUCLEI, size), burnt(test, NUCLEI, size)

        assert train.slide.pyramid.dimensions[0] == (size[1], size[0])
        assert shown[0].sum() == 4 * 13 * ENLARGED**2
        assert shown[0][5 * ENLARGED, 7 * ENLARGED] == 1
        assert shown[1].sum() == 20 * 5 * ENLARGED**2
        assert shown[1][20 * ENLARGED, 10 * ENLARGED] == 1


def test_middle_of_a_picture_is_taken_with_its_truth(data: Path, tmp_path: Path) -> None:
    found = find_pictures(data, NUCLEI, 0)
    assert found is not None
    cut = Picture(found.test[0].path, found.test[0].truth, NUCLEI, 20)
    with ExitStack() as stack:
        slide = opened(cut, tmp_path, stack)  # columns 15 to 35, rows 10 to 30
        shown = burnt(slide, NUCLEI, (20 * ENLARGED, 20 * ENLARGED))

    assert shown.sum() == 15 * 5 * ENLARGED**2
    assert shown[10 * ENLARGED : 15 * ENLARGED, : 15 * ENLARGED].all()
    assert cut.digest != found.test[0].digest


def test_islets_of_each_kind_judge_in_turn_and_grey_is_background(data: Path, tmp_path: Path) -> None:
    sets = [find_pictures(data, ISLETS, seed) for seed in range(8)]

    for found in sets:
        assert found is not None
        assert sorted(p.path.stem[:2] for p in found.test) == ["Lh", "gt"]
        assert len({p.path for p in (*found.train, *found.test)}) == 5
    assert len({p.path for found in sets if found is not None for p in found.test}) > 2
    with ExitStack() as stack:
        assert sets[0] is not None
        slide = opened(sets[0].test[0], tmp_path, stack)
        assert burnt(slide, ISLETS, (39, 50)).sum() == 4 * 13


def test_digest_follows_the_files(data: Path) -> None:
    first = find_pictures(data, NUCLEI, 0)
    assert first is not None
    before = first.test[0].digest
    first.test[0].truth.write_text(XML.replace("30", "31"))

    assert first.test[0].digest != before


@pytest.mark.parametrize("kind", [NUCLEI, ISLETS])
def test_without_pictures_there_are_none(tmp_path: Path, kind: str) -> None:
    assert find_pictures(None, kind, 0) is None
    assert find_pictures(tmp_path / "nowhere", kind, 0) is None
