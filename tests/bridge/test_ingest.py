"""From a source's entry to a slide: found, and its annotations where they belong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely

from bridge.annotations import Annotation, ClassScheme, LabelOptions, SlideEntry, Source
from bridge.errors import SlideError, SlideNotFoundError
from bridge.ingest import Known, SlideOptions, SlideReading, locate_slide, place_entry, place_if_found, read_slide
from bridge.qupath import GeoJSONFolder, NewImage, QuPathProject, create_project, write_geojson
from bridge.slides import open_slide
from scn_support import PART, WHOLE, write_scn

_NOW = datetime(2030, 1, 2, tzinfo=UTC)
_SCHEME = ClassScheme({"Tumor": (200, 0, 0)})
_BOX = shapely.box(10, 20, 60, 70)


@pytest.fixture
def scn(tmp_path: Path) -> Path:
    write_scn(tmp_path / "a.scn")
    return tmp_path / "a.scn"


def _project(slide: Path, size: tuple[int, int] = PART[2:], args: tuple[str, ...] = ()) -> QuPathProject:
    """Make a project as QuPath saves it: of the scanned part."""
    image = NewImage(slide, slide.name, *size, (size,), (0.5, 0.5), 20.0, (64, 64), is_openslide=True)
    project = create_project(slide.parent / "study", [image], {}, now=_NOW)
    document = json.loads(project.path.read_text("utf-8"))
    document["images"][0]["serverBuilder"]["args"] = list(args)
    project.path.write_text(json.dumps(document), "utf-8")
    return project


def _drawn(entry: SlideEntry, source: Source) -> bytes:
    from bridge.annotations import Edits, MachineObject, MachineRole

    given = MachineObject("0a0a0a0a-0000-4000-8000-000000000001", MachineRole.PREDICTION, "Tumor", _BOX, (200, 0, 0))
    return source.apply(source.create(entry), Edits("w", add=(given,)), entry)


def _read(source: Source, entry: SlideEntry, options: SlideOptions = SlideOptions()) -> SlideReading:  # noqa: B008
    return read_slide(source, entry, Known(), _SCHEME, LabelOptions(), options, _drawn(entry, source))


def test_what_qupath_shows_of_a_slide_lies_where_it_was_scanned(scn: Path) -> None:
    project = _project(scn)
    reading = _read(project, project.slides()[0])
    (shape,) = reading.found.annotations
    assert shape.geometry.bounds == (10 + PART[0], 20 + PART[1], 60 + PART[0], 70 + PART[1])
    assert reading.entry.origin == PART[:2], "so that what is written goes back the same way"


def test_a_slide_that_is_not_cropped_stays(scn: Path) -> None:
    project = _project(scn, WHOLE, ("--no-crop",))
    (shape,) = _read(project, project.slides()[0]).found.annotations
    assert shape.geometry.bounds == _BOX.bounds


def test_a_persons_crop_comes_on_top_of_qupaths(scn: Path) -> None:
    project = _project(scn)
    document = json.loads(project.path.read_text("utf-8"))
    image = document["images"][0]
    region = {"x": 7, "y": 5, "width": 100, "height": 90}
    image["serverBuilder"] = {"builderType": "cropped", "builder": image["serverBuilder"], "region": region}
    project.path.write_text(json.dumps(document), "utf-8")
    assert _read(project, project.slides()[0]).entry.origin == (PART[0] + 7, PART[1] + 5)


def test_a_size_that_fits_nothing_stops_the_slide(scn: Path) -> None:
    project = _project(scn, (500, 300))
    (entry,) = project.slides()
    with pytest.raises(SlideError, match="500 × 300"):
        _read(project, entry)
    assert _read(project, entry, SlideOptions(offset_of={"a.scn": (3, 4)})).entry.origin == (3, 4), "unless told"


def test_reading_a_placed_entry_again_adds_nothing(scn: Path) -> None:
    project = _project(scn)
    options = SlideOptions(offset_of={"a.scn": (3, 4)})
    for given in (SlideOptions(), options):
        once = _read(project, project.slides()[0], given)
        again = _read(project, once.entry, given)
        assert again.entry == once.entry
        assert again.found.annotations[0].geometry.equals(once.found.annotations[0].geometry)


class TestOffsets:
    """GeoJSON and ImageScope don't say where their (0, 0) is."""

    @pytest.fixture
    def source(self, scn: Path) -> GeoJSONFolder:
        data = write_geojson([Annotation("0a0a0a0a-0000-4000-8000-000000000001", _BOX, "Tumor", color=(1, 2, 3))])
        scn.with_suffix(".geojson").write_bytes(data)
        return GeoJSONFolder(scn.parent)

    def _bounds(self, source: Source, options: SlideOptions) -> tuple[tuple[float, ...], tuple[str, ...]]:
        (entry,) = source.slides()
        data = entry.annotation_path.read_bytes()
        reading = read_slide(source, entry, Known(), _SCHEME, LabelOptions(), options, data)
        return reading.found.annotations[0].geometry.bounds, reading.warnings

    @pytest.mark.parametrize("name", ["a", "a.scn"])
    @pytest.mark.parametrize("given", [(304, 208), "bounds"])
    def test_a_setting_moves_them_and_says_so(self, source: GeoJSONFolder, name: str, given) -> None:
        bounds, warnings = self._bounds(source, SlideOptions(offset_of={name: given}))
        assert bounds == (314, 228, 364, 278)
        assert warnings == ("a: annotations are moved by (304, 208) pixels, as [slides] offset_of says",)

    def test_without_a_setting_the_question_is_asked(self, source: GeoJSONFolder) -> None:
        bounds, warnings = self._bounds(source, SlideOptions())
        assert bounds == _BOX.bounds
        assert len(warnings) == 1
        assert "(304, 208)" in warnings[0]
        assert "[slides] offset_of" in warnings[0]

    def test_zero_is_an_answer(self, source: GeoJSONFolder) -> None:
        assert self._bounds(source, SlideOptions(offset_of={"a": (0, 0)})) == (_BOX.bounds, ())


def test_any_file_of_a_dicom_series_opens_the_slide(shared_data: Path, tmp_path: Path) -> None:
    for name in ("boxes_0.dcm", "boxes_1.dcm"):
        shutil.copy(shared_data / "wsi" / "openslide-python-fixtures" / name, tmp_path)
    for number, name in enumerate(("boxes_0.dcm", "boxes_1.dcm")):
        image = NewImage(tmp_path / name, name, 16, 16, ((16, 16),), None, None, (64, 64), is_openslide=True)
        project = create_project(tmp_path / str(number), [image], {}, now=_NOW)
        assert _read(project, project.slides()[0]).pyramid.dimensions[0] == (16, 16)


class TestLocating:
    def _entry(self, said: str) -> SlideEntry:
        return SlideEntry("1", "case", Path(said), Path("data.qpdata"))

    @pytest.mark.parametrize(
        ("said", "old"),
        [
            ("//nas/share/x/a.svs", "file://nas/share"),
            ("//nas/share/x/a.svs", "smb://NAS/share/"),
            ("//nas/share/x/a.svs", "\\\\nas\\share"),
            ("Z:/x/a.svs", "file:///Z:/"),
            ("/mnt/my slides/x/a.svs", "file:/mnt/my%20slides"),
        ],
    )
    def test_rules_may_be_addresses(self, tmp_path: Path, said: str, old: str) -> None:
        wanted = tmp_path / "new folder" / "x" / "a.svs"
        wanted.parent.mkdir(parents=True)
        wanted.touch()
        for new in (tmp_path / "new folder", (tmp_path / "new folder").as_uri()):
            assert locate_slide(self._entry(said), SlideOptions(relocate={old: str(new)})) == wanted

    def test_a_slide_that_is_nowhere_is_named_with_the_way_out(self) -> None:
        with pytest.raises(SlideNotFoundError, match=r"slide case is not at Z:/a\.svs; .*search.*relocate"):
            locate_slide(self._entry("Z:/a.svs"), SlideOptions())

    def test_a_slide_on_a_server_is_named(self) -> None:
        with pytest.raises(SlideNotFoundError, match=r"^slide case: https:/.*image server"):
            locate_slide(self._entry("https://omero/webclient/?show=image-1"), SlideOptions())


def test_placing_without_reading(scn: Path) -> None:
    (entry,) = _project(scn).slides()
    placed, lines = place_if_found(entry, SlideOptions())
    assert (placed.origin, placed.is_placed, lines) == (PART[:2], True, ())
    scn.unlink()
    left, (line,) = place_if_found(entry, SlideOptions())
    assert left == entry
    assert "QuPath may count from inside the slide" in line
    other = replace(entry, slide_path=scn.with_suffix(".svs"))
    assert place_if_found(other, SlideOptions()) == (other, ())


def test_a_placed_entry_stays_as_it_is(scn: Path) -> None:
    entry = SlideEntry("1", "a", scn, scn, origin=(1, 2), crops_to_bounds=True, is_placed=True)
    with open_slide(scn) as slide:
        assert place_entry(entry, slide, SlideOptions()) == (entry, ())
        placed, _ = place_entry(replace(entry, is_placed=False), slide, SlideOptions())
    assert placed.origin == (1 + PART[0], 2 + PART[1])
