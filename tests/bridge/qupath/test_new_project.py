from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import QuPathFormatError, WriteFailedError
from bridge.qupath.new_project import NewImage, create_project, level_downsample, merged_classes
from bridge.qupath.qpdata import open_qpdata

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
CLASSES = {"Tumor": (200, 0, 0), "Tumor: Predicted": (255, 120, 120)}


def _image(path: Path, **changes) -> NewImage:
    given = {
        "name": path.name, "width": 2048, "height": 1536, "levels": ((2048, 1536), (1024, 768)), "mpp": (0.5, 0.25),
        "magnification": 20.0, "tile": (256, 256), "is_openslide": True, "metadata": {"grade": "2"},
    }  # fmt: skip
    return NewImage(path, **{**given, **changes})


def test_a_new_project_is_read_back(tmp_path: Path) -> None:
    slides = [tmp_path / "a b#%µ.svs", tmp_path / "flat.png"]
    images = [_image(slides[0]), _image(slides[1], mpp=None, magnification=None, is_openslide=False, metadata={})]
    project = create_project(tmp_path / "new" / "project", images, CLASSES, now=NOW)
    assert project.path == tmp_path / "new" / "project" / "project.qpproj"
    first, second = project.slides()
    assert (first.key, first.name, first.slide_path) == ("1", slides[0].name, slides[0])
    assert (first.mpp, first.metadata, first.origin) == ((0.5, 0.25), {"grade": "2"}, (0, 0))
    assert (second.slide_path, second.mpp) == (slides[1], None)
    for entry in (first, second):
        assert project.blocker(entry) is None
        assert len(project.parse(project.create(entry), entry)) == 0


def test_files_have_qupaths_form(tmp_path: Path, shared_data: Path) -> None:
    """Same keys, of the same types, as in a project that QuPath 0.7 made of a slide."""
    real = json.loads((shared_data / "qupath_projects" / "shapes_070" / "project.qpproj").read_bytes())
    project = create_project(tmp_path / "p", [_image(tmp_path / "a.tif")], CLASSES, now=NOW)
    made = json.loads(project.path.read_bytes())
    real_image, made_image = real["images"][0], made["images"][0]
    del real_image["description"], real_image["metadata"], made_image["metadata"]
    made_image["serverBuilder"]["metadata"].pop("magnification")
    assert _form(made) == _form(real)
    assert _form(made_image) == _form(real_image)
    levels = real_image["serverBuilder"]["metadata"]["levels"][:2]
    assert made_image["serverBuilder"]["metadata"]["levels"] == levels
    assert (
        json.loads((project.root / "data" / "1" / "server.json").read_bytes()).keys()
        == real_image["serverBuilder"].keys()
    )


def _form(value):
    if isinstance(value, dict):
        return {key: _form(inner) for key, inner in value.items() if key != "images"}
    if isinstance(value, list):
        return [_form(inner) for inner in value[:1]]
    return type(value)


def test_a_picture_that_qupath_should_look_at_itself_is_not_described(tmp_path: Path) -> None:
    image = _image(tmp_path / "grey.png", is_openslide=False, is_described=False)
    project = create_project(tmp_path / "p", [image], {}, image_type="FLUORESCENCE", now=NOW)
    builder = json.loads(project.path.read_bytes())["images"][0]["serverBuilder"]
    assert builder == {"builderType": "uri", "uri": (tmp_path / "grey.png").as_uri(), "args": []}
    (entry,) = project.slides()
    assert (entry.tool_size, entry.mpp) == (None, None)
    summary = json.loads(entry.annotation_path.with_name("summary.json").read_bytes())
    assert summary["imageType"] == "FLUORESCENCE"
    assert "server" not in summary


def test_thumbnails_lie_where_qupath_looks(tmp_path: Path, shared_data: Path) -> None:
    images = [_image(tmp_path / "a.tif", thumbnail=b"jpeg"), _image(tmp_path / "b.tif")]
    project = create_project(tmp_path / "p", images, {}, now=NOW)
    there = sorted(str(p.relative_to(project.root)) for p in project.root.glob("data/*/*"))
    assert there == ["data/1/server.json", "data/1/thumbnail.jpg", "data/2/server.json"]
    real = shared_data / "qupath_projects" / "empty_070" / "data" / "1"
    assert sorted(p.name for p in real.iterdir()) == ["server.json", "thumbnail.jpg"], "as QuPath leaves an unsaved one"
    assert (project.root / "data" / "1" / "thumbnail.jpg").read_bytes() == b"jpeg"


@pytest.mark.parametrize("image_type", ["BRIGHTFIELD_H_E", "BRIGHTFIELD_H_DAB", "FLUORESCENCE"])
def test_an_image_type_is_noted_as_qupath_does(tmp_path: Path, image_type: str) -> None:
    project = create_project(tmp_path / "p", [_image(tmp_path / "a.tif")], {}, image_type=image_type, now=NOW)
    (entry,) = project.slides()
    data = entry.annotation_path.read_bytes()
    assert open_qpdata(data).image_type == image_type
    assert project.blocker(entry) is None
    assert len(project.parse(data, entry)) == 0
    summary = json.loads(entry.annotation_path.with_name("summary.json").read_bytes())
    assert summary["imageType"] == image_type
    assert summary["timestamp"] == entry.annotation_path.stat().st_mtime_ns // 10**6
    assert summary["server"] == {"width": 2048, "height": 1536, "sizeC": 3, "sizeZ": 1, "sizeT": 1}
    assert summary["hierarchy"]["nObjects"] == 1


def test_an_unknown_image_type_is_a_programmers_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="BRIGHTFIELD_H_E"):
        create_project(tmp_path / "p", [], {}, image_type="H&E", now=NOW)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("whole", "level", "downsample"),
    [
        ((2048, 1536), (512, 384), 4.0),
        ((46000, 32914), (11500, 8228), 4.0),  # 8228.5 cut off
        ((46000, 32914), (2875, 2057), 16.0),
        ((903, 701), (602, 467), (903 / 602 + 701 / 467) / 2),
        ((100, 100), (100, 100), 1.0),
        ((1000, 500), (500, 166), (2 + 500 / 166) / 2),  # a whole number explains one side only
        ((3, 3), (5, 5), 0.6),
    ],
)
def test_downsamples_are_whole_where_sizes_allow(whole, level, downsample: float) -> None:
    assert level_downsample(whole, level) == downsample


def test_levels_of_a_real_project(shared_data: Path) -> None:
    """The same numbers that QuPath noted for the same slide."""
    for name in ("shapes_070", "shapes_051"):
        document = json.loads((shared_data / "qupath_projects" / name / "project.qpproj").read_bytes())
        for image in document["images"]:
            metadata = image["serverBuilder"]["metadata"]
            whole = metadata["width"], metadata["height"]
            for level in metadata["levels"]:
                assert level_downsample(whole, (level["width"], level["height"])) == level["downsample"]


def test_time_and_classes(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", [], CLASSES, version="0.6.0", now=NOW)
    document = json.loads(project.path.read_bytes())
    assert document["createTimestamp"] == document["modifyTimestamp"] == 1893553445000
    assert (document["version"], document["lastID"], project.slides()) == ("0.6.0", 0, ())
    classes = json.loads(project.classes_path.read_bytes())
    assert classes == {
        "pathClasses": [{"name": "Tumor", "color": -3670016}, {"name": "Tumor: Predicted", "color": -34696}]
    }


@pytest.mark.parametrize("name", ["project.qpproj", "data/1/data.qpdata"])
def test_an_existing_project_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(b"precious")
    with pytest.raises(WriteFailedError, match="there already"):
        create_project(tmp_path, [_image(tmp_path / "a.svs")], CLASSES, now=NOW)
    assert there.read_bytes() == b"precious" and not (tmp_path / "classifiers").exists()


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailedError, match="can't be written"):
        create_project(tmp_path / "file" / "p", [], {}, now=NOW)


def test_classes_are_added_and_nothing_else_is_changed() -> None:
    existing = {"pathClasses": [{"name": "Tumor", "color": -1, "future": 1}, {"name": "Odd"}], "other": 2}
    merged = json.loads(merged_classes(json.dumps(existing).encode(), {**CLASSES, "Odd": (1, 2, 3)}))
    added = {"name": "Tumor: Predicted", "color": -34696}
    assert merged == {"pathClasses": [*existing["pathClasses"], added], "other": 2}
    assert json.loads(merged_classes(b"", {})) == {"pathClasses": []}


def test_merging_again_changes_nothing() -> None:
    once = merged_classes(b"\xef\xbb\xbf{}", CLASSES)
    assert merged_classes(once, CLASSES) == once


@pytest.mark.parametrize("existing", [b"{", b"[]", b'{"pathClasses": 1}'])
def test_a_broken_list_of_classes_is_refused(existing: bytes) -> None:
    with pytest.raises(QuPathFormatError):
        merged_classes(existing, CLASSES)
