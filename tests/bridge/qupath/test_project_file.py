from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import QuPathFormatError
from bridge.qupath.project_file import read_project_file

_URI = "file:///slides/a.svs"


def _builder(**changes):
    return {"builderType": "uri", "uri": _URI, "args": [], **changes}


def _write(folder: Path, *builders, **changes) -> Path:
    images = [
        {"serverBuilder": builder, "entryID": i, "imageName": f"image {i}"} for i, builder in enumerate(builders, 1)
    ]
    path = folder / "project.qpproj"
    path.write_text(json.dumps({"version": "0.7.0", "images": images, "futureKey": [1], **changes}), "utf-8")
    return path


def test_images_of_a_project(tmp_path: Path) -> None:
    side = {"value": 0.25, "unit": "µm"}
    metadata = {"pixelCalibration": {"pixelWidth": side, "pixelHeight": side}}
    project = read_project_file(_write(tmp_path, _builder(metadata=metadata), _builder(), uri="file:/old/p.qpproj"))
    first, second = project.images
    assert (project.version, project.saved_as) == ("0.7.0", "/old/p.qpproj")
    assert (first.entry_id, first.name, first.slide, first.mpp) == ("1", "image 1", "/slides/a.svs", (0.25, 0.25))
    assert (second.mpp, second.origin) == (None, (0, 0))


def test_a_crop_of_a_crop_has_an_origin(tmp_path: Path) -> None:
    inner = {"builderType": "cropped", "builder": _builder(), "region": {"x": 100, "y": 20, "width": 9, "height": 9}}
    outer = {"builderType": "cropped", "builder": inner, "region": {"x": 3, "y": 4, "width": 2, "height": 2}}
    pyramid = {"builderType": "pyramidize", "builder": outer}
    (image,) = read_project_file(_write(tmp_path, pyramid)).images
    assert (image.slide, image.origin) == ("/slides/a.svs", (103, 24))
    assert image.builder == pyramid


@pytest.mark.parametrize(
    "builder",
    [
        {"builderType": "rotated", "builder": _builder(), "rotation": "ROTATE_90"},
        {"builderType": "affine", "builder": _builder()},
        {"builderType": "sparse"},
        {"builderType": "something of 2031", "builder": _builder()},
        {"builderType": "cropped", "builder": _builder()},
        {"builderType": "cropped", "region": {"x": 1, "y": 1}},
        {"builderType": "uri"},
    ],
)
def test_images_that_we_cannot_place_are_left_out_loudly(tmp_path: Path, builder, caplog) -> None:
    images = read_project_file(_write(tmp_path, builder, _builder())).images
    assert [image.entry_id for image in images] == ["2"]
    assert "entry=1" in caplog.text


def test_wrappers_without_end_are_left_out(tmp_path: Path) -> None:
    builder = _builder()
    for _ in range(50):
        builder = {"builderType": "pyramidize", "builder": builder}
    assert read_project_file(_write(tmp_path, builder)).images == ()


@pytest.mark.parametrize("entry_id", ["../../etc", "1/2", "", "-1", "²", 1.5, True, None, [], "9" * 50, -3])
def test_ids_that_could_name_another_folder_are_refused(tmp_path: Path, entry_id) -> None:
    path = _write(tmp_path, images=[{"serverBuilder": _builder(), "entryID": entry_id}])
    with pytest.raises(QuPathFormatError, match="entryID") as caught:
        read_project_file(path)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "no QuPath project"),
        ({"images": {}}, "no QuPath project"),
        ({"images": [1]}, "serverBuilder"),
        ({"images": [{"entryID": 1}]}, "serverBuilder"),
        ({"images": [{"serverBuilder": _builder(), "entryID": 1}] * 2}, "one entryID"),
    ],
)
def test_documents_that_are_no_project(tmp_path: Path, document, words: str) -> None:
    path = tmp_path / "project.qpproj"
    path.write_text(json.dumps(document))
    with pytest.raises(QuPathFormatError, match=words):
        read_project_file(path)


def test_missing_keys_are_tolerated(tmp_path: Path) -> None:
    project = read_project_file(_write(tmp_path, images=[{"serverBuilder": _builder()}]))
    (image,) = project.images
    assert (image.entry_id, image.name, dict(image.metadata)) == ("0", "a.svs", {})
    (tmp_path / "project.qpproj").write_text("{}")
    assert read_project_file(tmp_path / "project.qpproj").images == ()


def test_metadata_and_description(tmp_path: Path) -> None:
    entry = {"serverBuilder": _builder(), "entryID": "7", "metadata": {"grade": 3}, "description": "text"}
    (image,) = read_project_file(_write(tmp_path, images=[entry])).images
    assert (image.entry_id, image.metadata) == ("7", {"grade": "3", "description": "text"})
    entry["metadata"] = {"description": "its own"}
    (image,) = read_project_file(_write(tmp_path, images=[entry])).images
    assert image.metadata == {"description": "its own"}


def test_a_slide_is_looked_for_where_the_project_went(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "a.svs").write_bytes(b"")
    here = {"uri": "file:/old/project/project.qpproj"}
    moved = _write(tmp_path / "new", _builder(uri="file:/old/a.svs"), _builder(uri="file:/old/b.svs"), **here)
    project = read_project_file(moved)
    assert [str(project.slide_path(image, moved)) for image in project.images] == [
        str(tmp_path / "a.svs"),
        "/old/b.svs",
    ]


def test_a_project_that_did_not_move_says_where_its_slides_are(tmp_path: Path) -> None:
    path = _write(tmp_path, _builder(uri="file:/gone/a.svs"), uri=(tmp_path / "project.qpproj").as_uri())
    project = read_project_file(path)
    assert project.slide_path(project.images[0], path) == Path("/gone/a.svs")
