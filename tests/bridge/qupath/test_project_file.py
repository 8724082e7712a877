from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import QuPathFormatError
from bridge.qupath import QuPathProject, project_file
from bridge.qupath.project_file import KnownProject, read_project_file

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
def test_images_that_we_cannot_place_are_left_out_and_named(tmp_path: Path, builder) -> None:
    project = read_project_file(_write(tmp_path, builder, _builder()))
    assert [image.entry_id for image in project.images] == ["2"]
    (line,) = project.left_out
    assert "image 1 of the QuPath project is left out" in line
    assert builder["builderType"] in line
    assert QuPathProject(tmp_path / "project.qpproj").left_out() == project.left_out


_SLIDE_BUILDER = "qupath.lib.images.servers.openslide.OpenslideServerBuilder"
_BIO_FORMATS = "qupath.lib.images.servers.bioformats.BioFormatsServerBuilder"


@pytest.mark.parametrize(
    ("changes", "crops"),
    [
        ({"providerClassName": _SLIDE_BUILDER}, True),
        ({"providerClassName": _SLIDE_BUILDER, "args": ["--no-crop"]}, False),
        ({"providerClassName": _SLIDE_BUILDER, "args": None}, True),
        ({"providerClassName": _BIO_FORMATS, "args": ["--series", "0"]}, False),
        ({}, True),
        ({"args": "--no-crop"}, True),
    ],
)
def test_who_crops_to_the_scanned_part(tmp_path: Path, changes, crops: bool) -> None:
    inner = {"builderType": "color", "builder": _builder(**changes)}
    (image,) = read_project_file(_write(tmp_path, inner)).images
    assert image.crops_to_bounds is crops
    (entry,) = QuPathProject(tmp_path / "project.qpproj").slides()
    assert (entry.crops_to_bounds, entry.is_placed) == (crops, False)


@pytest.mark.parametrize(
    ("metadata", "size"),
    [
        ({"width": 30, "height": 20}, (30, 20)),
        ({"width": 30}, None),
        ({"width": 30, "height": 0}, None),
        ({"width": 30, "height": True}, None),
        ({"width": 30, "height": 2**40}, None),
        ({"width": "30", "height": 20}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_size_that_qupath_noted(tmp_path: Path, metadata, size) -> None:
    crop = {"builderType": "cropped", "region": {"x": 1, "y": 1}, "metadata": {"width": 5, "height": 5}}
    crop["builder"] = _builder(metadata=metadata)
    (image,) = read_project_file(_write(tmp_path, crop)).images
    assert image.size == size, "of the file's image, not of the crop"


@pytest.mark.parametrize("x", [2**31, -(10**30), True, 1.5, None, "1"])
def test_a_crop_that_no_java_int_holds_is_left_out(tmp_path: Path, x) -> None:
    crop = {"builderType": "cropped", "builder": _builder(), "region": {"x": x, "y": 0}}
    assert read_project_file(_write(tmp_path, crop)).images == ()


def test_a_project_that_is_being_replaced_is_waited_for(tmp_path: Path) -> None:
    path = _write(tmp_path, _builder())
    backup = path.rename(tmp_path / "project.qpproj.backup")
    looks: list[float] = []

    def come_back(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            shutil.copy(backup, path)

    assert len(read_project_file(path, sleep=come_back).images) == 1
    assert len(looks) == 3


@pytest.mark.parametrize("left", ["project.qpproj.backup", "project.qpproj.tmp"])
def test_a_project_that_does_not_come_back_is_an_error_with_the_way_out(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_text("{}")
    waited: list[float] = []
    with pytest.raises(QuPathFormatError, match=f"{left}.*rename that file to project.qpproj") as caught:
        read_project_file(tmp_path / "project.qpproj", sleep=waited.append)
    assert caught.value.path == tmp_path / "project.qpproj"
    assert sum(waited) <= 1.01


def test_a_project_that_was_never_there_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(QuPathFormatError, match="there is no such file"):
        read_project_file(tmp_path / "project.qpproj", sleep=lambda _: pytest.fail("waited"))


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = _write(tmp_path, _builder())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_project_file(path).images) == 1


def test_names_stay_on_one_line(tmp_path: Path) -> None:
    entry = {"serverBuilder": _builder(), "entryID": 1, "imageName": "a\n\tb  ü\r"}
    (image,) = read_project_file(_write(tmp_path, images=[entry])).images
    assert image.name == "a b ü"


def test_the_name_of_a_windows_slide(tmp_path: Path) -> None:
    entry = {"serverBuilder": _builder(uri="file:/Z:/slides/a%20b.svs"), "entryID": 1}
    (image,) = read_project_file(_write(tmp_path, images=[entry])).images
    assert (image.name, image.slide) == ("a b.svs", "Z:/slides/a b.svs")


def test_too_many_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_file, "MAX_IMAGES", 1)
    with pytest.raises(QuPathFormatError, match="more than 1 images"):
        read_project_file(_write(tmp_path, _builder(), _builder()))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_KEYS = ("builderType", "uri", "args", "metadata", "builder", "region", "providerClassName", "entryID", "imageName")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_stands_in_an_image_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    side = {"value": 0.25, "unit": "µm"}
    metadata = {"width": 9, "height": 8, "pixelCalibration": {"pixelWidth": side, "pixelHeight": side}}
    region = {"x": 1, "y": 2, "width": 3, "height": 3}
    builder = {"builderType": "cropped", "builder": _builder(metadata=metadata), "region": region}
    image = {"serverBuilder": builder, "entryID": 1, "imageName": "a", "metadata": {"k": "v"}}
    places = [image, builder, builder["builder"], metadata, metadata["pixelCalibration"], region]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places))
        place[data.draw(st.sampled_from(_KEYS) | st.sampled_from(sorted(place) or ["x"]))] = data.draw(_json)
    path = _write(tmp_path_factory.mktemp("any"), images=[image])
    try:
        project = read_project_file(path)
        assert len(project.images) + len(project.left_out) == 1
        assert all("\n" not in line for line in project.left_out)
        QuPathProject(path).slides()
    except QuPathFormatError as error:
        assert "\n" not in str(error)


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


def test_an_address_with_half_a_character_does_not_stop_the_others(tmp_path: Path) -> None:
    odd = _builder(uri="file:///slides/\ud800%20a.svs")
    images = [{"serverBuilder": b, "entryID": i} for i, b in enumerate((odd, _builder()), 1)]
    path = tmp_path / "project.qpproj"
    path.write_text(json.dumps({"images": images}), "utf-8")
    first, second = QuPathProject(path).slides()
    assert first.slide_path.name.endswith(" a.svs") and not first.slide_path.is_file()
    assert second.slide_path == Path("/slides/a.svs")


def test_a_known_project_is_parsed_again_when_its_bytes_are_others(tmp_path: Path) -> None:
    path = _write(tmp_path, _builder(), _builder())
    known = KnownProject(path)
    project, image = known.image("2")
    assert image == read_project_file(path).images[1] and project == read_project_file(path)
    path.touch()
    assert known.image("1")[0] is project
    at = path.stat()
    path.write_bytes(path.read_bytes().replace(b"image 2", b"image 7"))
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))  # neither size nor time tells
    assert known.image("2")[1] == read_project_file(path).images[1] != image
    assert known.image("3")[1] is None
    path.write_bytes(b"{")
    with pytest.raises(QuPathFormatError, match="no JSON"):
        known.image("1")


def test_a_known_project_goes_to_other_processes_without_what_was_parsed(tmp_path: Path) -> None:
    known = KnownProject(_write(tmp_path, _builder()))
    fresh = pickle.dumps(known)
    known.image("1")
    assert pickle.dumps(known) == fresh and pickle.loads(fresh).image("1") == known.image("1")
