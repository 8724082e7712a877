"""Bad input, each with its one-line answer; nothing lost, nothing half done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import shapely

from lab_support import Lab, draw_slide, labelled, xml_of


def _one_line(lab: Lab, *arguments: str) -> str:
    """Return the one line that a command answers with; it fails, without a traceback."""
    result = lab.run(*arguments)
    assert result.exit_code == 1, result.output
    failed = [line for line in result.output.splitlines() if line.startswith("failed: ")]
    line = failed[0] if failed else str(result.exception)
    assert "\n" not in line
    return line


def test_slide_without_mpp(lab: Lab) -> None:
    draw_slide(lab.slide, mpp=None)
    assert "set [slides] mpp" in _one_line(lab, "sync")


def test_mpp_of_the_settings_mends_it(lab: Lab) -> None:
    draw_slide(lab.slide, mpp=None)
    lab.set("\n[slides]\nmpp = 0.5\n")
    assert lab.run("sync").exit_code == 0


def test_slide_that_cannot_be_opened(lab: Lab) -> None:
    lab.slide.write_bytes(b"II*\0 no slide at all")
    lab.write(labelled())
    assert "case.tif" in _one_line(lab, "sync")


@pytest.mark.parametrize("name", ["unopenable.tiff", "unreadable.svs"])
def test_damaged_slide_of_openslide(lab: Lab, shared_data: Path, name: str) -> None:
    lab.slide.unlink()
    shutil.copy(shared_data / "wsi" / "openslide-python-fixtures" / name, lab.root / name)
    lab.set("\n[slides]\nmpp = 0.5\n")
    (lab.root / name).with_suffix(".xml").write_bytes(xml_of(labelled()))
    before = (lab.root / name).with_suffix(".xml").read_bytes()
    assert name in _one_line(lab, "sync")
    assert (lab.root / name).with_suffix(".xml").read_bytes() == before


def test_xml_of_another_tool(lab: Lab) -> None:
    text = b"<ASAP_Annotations><Annotations/><AnnotationGroups/></ASAP_Annotations>"
    lab.xml.write_bytes(text)
    assert "ASAP" in _one_line(lab, "sync")
    assert lab.xml.read_bytes() == text


def test_unknown_layer_is_kept_as_other_and_named(lab: Lab) -> None:
    lab.write({"Mystery": [(shapely.box(10, 10, 50, 50), "")]})
    result = lab.run("sync", "pull")
    assert result.exit_code == 0
    assert "1 object of class 'Mystery' kept as other" in result.output


def test_unknown_class_is_an_error_when_strict(lab: Lab) -> None:
    lab.write({"Mystery": [(shapely.box(10, 10, 50, 50), "")]})
    lab.set("\n[labels]\nstrict = true\n")
    assert "'Mystery' is not in the scheme" in _one_line(lab, "sync", "pull")


def test_annotations_off_the_slide_are_counted(lab: Lab) -> None:
    lab.write({"Blob": [(shapely.box(10_000, 10_000, 10_050, 10_050), "")]})
    result = lab.run("sync", "pull")
    assert result.exit_code == 0
    assert "1 object lies off the slide" in result.output


def test_xml_without_regions(lab: Lab) -> None:
    lab.write({"Blob": []})
    result = lab.run("sync", "pull")
    assert result.exit_code == 0
    assert "1 slide read, 0 labelled" in result.output


def test_fewer_labels_than_training_needs(lab: Lab) -> None:
    lab.write({"Blob": [(shapely.box(10, 10, 50, 50), "")]})
    result = lab.run("train")
    assert result.exit_code == 0
    assert "type ROI into the box's Text" in result.output
    assert "type ROI into the box's Text" in lab.run("status").output


def test_project_whose_slides_moved(lab: Lab) -> None:
    from datetime import UTC, datetime

    from bridge.qupath import create_project
    from scripts.set_up import new_image

    create_project(lab.root / "study", [new_image(lab.slide)], {}, now=datetime.now(UTC))
    (lab.root / "elsewhere").mkdir()
    lab.slide.rename(lab.root / "elsewhere" / "case.tif")
    settings = lab.root / "slidebridge.toml"
    text = settings.read_text("utf-8").replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    settings.write_text(text, "utf-8")
    assert "[slides] search" in _one_line(lab, "sync", "pull")
    settings.write_text(text + '\n[slides]\nsearch = ["elsewhere"]\n', "utf-8")
    assert lab.run("sync", "pull").exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs permission bits")
def test_read_only_folder(lab: Lab) -> None:
    before = lab.write(labelled())
    (lab.root / ".slidebridge").mkdir()
    lab.root.chmod(0o555)
    command = [sys.executable, "-m", "scripts.cli", "propose", "--project", str(lab.root)]
    if os.getuid() == 0:  # root writes anywhere, unless it gives that right up
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("running as root without setpriv: no folder is read-only")
        command = [setpriv, "--bounding-set=-dac_override", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    lab.root.chmod(0o755)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "failed:" in done.stdout and "case.xml" in done.stdout
    assert lab.xml.read_bytes() == before


_ON_A_FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import bridge.store.placement as placement
real = placement.Placement.put
def put(self, data):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        return real(self, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
placement.Placement.put = put
from scripts.cli import main
sys.argv = ["slidebridge", "propose", "--project", sys.argv[1]]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_full_disk(lab: Lab) -> None:
    before = lab.write(labelled())
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, str(lab.root)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "failed:" in done.stdout and "case.xml" in done.stdout
    assert lab.xml.read_bytes() == before
    assert not list(lab.root.glob(".slidebridge-*"))


def _qupath(lab: Lab) -> Path:
    """Turn the lab into a QuPath project that was synced once; return its data file."""
    from datetime import UTC, datetime

    from bridge.qupath import create_project
    from scripts.set_up import new_image

    project = create_project(lab.root / "study", [new_image(lab.slide)], {}, now=datetime.now(UTC))
    settings = lab.root / "slidebridge.toml"
    text = settings.read_text("utf-8").replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    settings.write_text(text, "utf-8")
    assert lab.run("sync").exit_code == 0
    return project.slides()[0].annotation_path


def test_truncated_qupath_file_is_refused_and_untouched(lab: Lab) -> None:
    path = _qupath(lab)
    cut = path.read_bytes()[:-100]
    path.write_bytes(cut)
    assert "EOF mark is missing" in _one_line(lab, "sync")
    assert path.read_bytes() == cut


def test_qupath_file_with_bkp_beside_it_is_refused_and_untouched(lab: Lab) -> None:
    path = _qupath(lab)
    before = path.read_bytes()
    path.with_name("data.qpdata.bkp").write_bytes(before)
    assert ".bkp" in _one_line(lab, "sync", "push", "--force")
    assert path.read_bytes() == before


def test_qupath_file_of_an_unknown_version_is_refused_and_untouched(lab: Lab) -> None:
    path = _qupath(lab)
    newer = path.read_bytes().replace(b"Data file version 3", b"Data file version 9")
    path.write_bytes(newer)
    assert "version '9' is unknown" in _one_line(lab, "sync")
    assert path.read_bytes() == newer
