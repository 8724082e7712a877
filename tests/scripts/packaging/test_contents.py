"""What is found wrong with packages that were made wrongly."""

from __future__ import annotations

import io
import tarfile
import tomllib
from pathlib import Path

import pytest

from package_lab import pack
from scripts.hook_files import PACKED
from scripts.packaging.contents import (
    HOOKS,
    LEFT_OUT,
    NEEDED,
    ROOMS,
    foreign_paths,
    packed_as,
    read_sdist,
    readme_faults,
    sdist_faults,
    tracked_files,
    wheel_faults,
)
from scripts.packaging.wheel import PackageError, Wheel, find_wheel

ROOT = Path(__file__).resolve().parents[3]
SOURCES = (
    "bridge/coords.py",
    "bridge/store/migrations/script.py.mako",
    "bridge/store/migrations/versions/0001.py",
    "hooks/cron/slidebridge.cron",
    "hooks/launchd/a.plist",
    "hooks/qupath/a.groovy",
    "hooks/systemd/a.service",
    "hooks/windows/a.xml",
    "scripts/bench/rows.py",
    "scripts/cli.py",
    "scripts/dashboard/templates/page.html",
    "scripts/defaults.toml",
    "scripts/report/templates/page.html",
    "scripts/web/assets/page.css",
    "scripts/web/assets/page.js",
    "scripts/web/vendor/openseadragon.min.js",
    "scripts/web/vendor/uPlot.iife.min.js",
    "tests/test_coords.py",
)
METADATA = """Metadata-Version: 2.4
Name: slidebridge
Version: 1.2.0
License-Expression: GPL-3.0-or-later AND MIT
Description-Content-Type: text/markdown
Requires-Dist: numpy>=1.26
Requires-Dist: starlette>=0.40; extra == 'dashboard'
Classifier: Programming Language :: Python :: 3.11
Classifier: Programming Language :: Python :: 3.12
Classifier: Programming Language :: Python :: 3.13

# SlideBridge
"""


def wheel_of(folder: Path, *names: str, said: str = METADATA, tag: str = "py3-none-any") -> Wheel:
    info = "slidebridge-1.2.0.dist-info"
    files = dict.fromkeys(names, "x") | {
        f"{info}/METADATA": said,
        f"{info}/entry_points.txt": "[console_scripts]\nslidebridge = scripts.cli:main\n",
        f"{info}/licenses/LICENSE": "GPL",
    }
    return Wheel(pack(folder / f"slidebridge-1.2.0-{tag}.whl", files))


def packed() -> list[str]:
    return [path for name in SOURCES if (path := packed_as(name)) is not None]


def test_whole_wheel_has_no_fault(tmp_path: Path) -> None:
    assert list(wheel_faults(wheel_of(tmp_path, *packed()), SOURCES)) == []


@pytest.mark.parametrize("name", packed())
def test_wheel_without_one_of_its_files_is_told(name: str, tmp_path: Path) -> None:
    found = list(wheel_faults(wheel_of(tmp_path, *(n for n in packed() if n != name)), SOURCES))
    assert found[0] == f"lacks {name}"


@pytest.mark.parametrize("name", ["tests/test_coords.py", "scripts/bench/rows.py", "hooks/cron/slidebridge.cron"])
def test_wheel_with_more_than_its_files_is_told(name: str, tmp_path: Path) -> None:
    found = list(wheel_faults(wheel_of(tmp_path, *packed(), name), SOURCES))
    assert found == [f"has {name}, which it shouldn't"]


def test_file_that_neither_has_is_told(tmp_path: Path) -> None:
    names = [name for name in SOURCES if not name.endswith(".groovy")]
    wheel = wheel_of(tmp_path, *(n for n in packed() if not n.endswith(".groovy")))
    assert [fault.partition(":")[0] for fault in wheel_faults(wheel, names)] == ["lacks QuPath's script"]


@pytest.mark.parametrize(
    ("said", "instead", "told"),
    [
        ("Version: 1.2.0", "Version: unknown", "has the version 'unknown', which is none"),
        ("GPL-3.0-or-later AND MIT", "MIT", "says of its licence: MIT"),
        ("Python :: 3.12", "Python :: 3", "has no classifier of Python 3.12"),
        ("text/markdown", "text/x-rst", "says that its README is text/x-rst"),
    ],
    ids=["version", "licence", "classifier", "readme"],
)
def test_wrong_metadata_is_told(said: str, instead: str, told: str, tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, *packed(), said=METADATA.replace(said, instead))
    assert list(wheel_faults(wheel, SOURCES)) == [told]


def test_wheel_for_one_machine_is_told(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, *packed(), tag="cp311-cp311-linux_x86_64")
    assert "is for one kind of machine" in " ".join(wheel_faults(wheel, SOURCES))


def test_readme_may_link_only_to_what_is_in_the_package() -> None:
    text = "[a](docs/a.md#part) [b](docs/) [c](https://example.org) [d](#top) [e](docs/gone.md)\n```sh\n"
    assert list(readme_faults(text, ["docs/a.md"])) == [
        "README links to docs/gone.md, which is in no package",
        "README has a block of code without an end",
    ]


def test_source_archive_lacks_what_git_has(tmp_path: Path) -> None:
    path, data = tmp_path / "slidebridge-1.tar.gz", b"a"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("bridge/coords.py", "LICENSE"):
            member = tarfile.TarInfo(f"slidebridge-1/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = list(sdist_faults(read_sdist(path), ["bridge/coords.py", "bridge/errors.py", ".ci/run"]))
    assert "lacks bridge/errors.py, which is in git" in found and "lacks README.md" in found
    assert not any("coords" in fault or ".ci" in fault or "LICENSE" in fault for fault in found)


def test_folder_that_it_was_built_in_is_found(tmp_path: Path) -> None:
    files = {"a.pth": f"{tmp_path}\n".encode(), "b.py": b"/usr/bin"}
    assert list(foreign_paths(files, tmp_path)) == [f"a.pth names the folder {tmp_path}"]


def test_folder_without_git_has_no_tracked_files(tmp_path: Path) -> None:
    assert tracked_files(tmp_path) == frozenset()


def test_the_build_leaves_out_and_renames_what_these_checks_expect() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert (tuple(wheel["packages"]), tuple(wheel["exclude"])) == (ROOMS, LEFT_OUT)
    assert wheel["force-include"] == {HOOKS[0]: HOOKS[1]}
    assert f"scripts/{PACKED}" == HOOKS[1]
    assert len({line.partition(": ")[0] for line in NEEDED}) == len(NEEDED)


def test_wheel_says_what_it_needs(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path)
    assert wheel.requirements() == ("numpy>=1.26",)
    assert wheel.requirements(["dashboard"]) == ("numpy>=1.26", "starlette>=0.40")
    assert wheel.requirement(["dashboard", "dask"]) == f"slidebridge[dashboard,dask] @ {wheel.path.as_uri()}"


def test_one_wheel_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"0 files named .* run make packages"):
        find_wheel(tmp_path)
    wheel = wheel_of(tmp_path)
    assert find_wheel(tmp_path).path == find_wheel(wheel.path).path == wheel.path
    pack(tmp_path / "slidebridge-1.3.0-py3-none-any.whl", {})
    with pytest.raises(PackageError, match="2 files named"):
        find_wheel(tmp_path)
