"""Where a wheel installs: asked of uv, with an index of small wheels that are made here."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from package_lab import make_wheel
from scripts.packaging.resolve import Answer, Asked, Way, answer, questions, table
from scripts.packaging.targets import PYTHONS, SYSTEMS
from scripts.packaging.uv import Uv, index_settings, one_line
from scripts.packaging.wheel import PackageError, Wheel

LINUX, _, WINDOWS, MAC, _ = SYSTEMS

needs_uv = pytest.mark.skipif(find_spec("uv") is None and shutil.which("uv") is None, reason="uv isn't installed")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels: one that all have, one that only Linux and Windows have, one that Windows needs."""
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        make_wheel(folder, "pure", version)
    make_wheel(folder, "compiled", "1.0", "cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(folder, "compiled", "1.0", "cp311-cp311-win_amd64", requires=["console; sys_platform == 'win32'"])
    make_wheel(folder, "console", "0.1", "py3-none-win_amd64")
    extras = [f"pure; extra == '{name}'" for name in ("dashboard", "dask", "timm")]
    make_wheel(folder / "own", "slidebridge", "1.0", requires=["pure>=1", "compiled", *extras])
    (folder / "constraints.txt").write_text("pure==1.0\n", "utf-8")
    return folder


def ask(index: Path, asked: Asked) -> Answer:
    wheel = Wheel(index / "own" / "slidebridge-1.0-py3-none-any.whl")
    found = Uv.find(dict(os.environ) | {"UV_DEFAULT_INDEX": index.as_uri(), "UV_CACHE_DIR": str(index / "cache")})
    offline = Uv((*found.command, "--offline"), dict(found.environ) | {"UV_FIND_LINKS": str(index), "UV_NO_INDEX": "1"})
    return answer(asked, wheel, offline, index / "constraints.txt")


@needs_uv
@pytest.mark.parametrize(
    ("way", "version"), [(Way.PINNED, "1.0"), (Way.NEWEST, "2.0"), (Way.OLDEST, "1.0")], ids=lambda v: str(v)
)
def test_ways_take_the_versions_that_they_name(way: Way, version: str, index: Path) -> None:
    found = ask(index, Asked(LINUX, "3.11", way))
    assert set(found.packages) == {"compiled==1.0", f"pure=={version}"}
    assert found.lacking == () and not found.is_fault


@needs_uv
def test_what_only_another_system_needs_is_asked_for_that_system(index: Path) -> None:
    assert "console==0.1" in ask(index, Asked(WINDOWS, "3.11", Way.NEWEST)).packages


@needs_uv
@pytest.mark.parametrize(
    ("system", "python"), [(MAC, "3.11"), (LINUX, "3.12")], ids=["another system", "another Python"]
)
def test_requirement_without_a_wheel_is_named(system: object, python: str, index: Path) -> None:
    assert system in (MAC, LINUX)
    found = ask(index, Asked(MAC if system is MAC else LINUX, python, Way.NEWEST))
    assert found.packages == () and found.is_fault
    ((requirement, reason),) = found.lacking
    assert requirement == "compiled" and "compiled" in reason and "\n" not in reason


def test_every_promise_is_asked_about_in_every_way() -> None:
    asked = list(questions())
    assert len(set(asked)) == len(asked)
    for system in SYSTEMS:
        for python in PYTHONS:
            assert {one.way for one in asked if (one.system, one.python) == (system, python)} == set(Way)


def test_only_a_broken_promise_is_a_fault() -> None:
    lacking = (("torch>=2.4", "no wheel"),)
    assert Answer(Asked(MAC, "3.12", Way.NEWEST), (), lacking).is_fault
    assert not Answer(Asked(SYSTEMS[-1], "3.12", Way.NEWEST), (), lacking).is_fault  # an Intel Mac
    assert not Answer(Asked(MAC, "3.14", Way.NEWEST), (), lacking).is_fault


def test_table_names_what_lacks_and_why() -> None:
    answers = [
        Answer(Asked(LINUX, "3.11", Way.PINNED), ("a==1", "b==2")),
        Answer(Asked(MAC, "3.12", Way.NEWEST), (), (("torch>=2.4", "there is none"),)),
    ]
    lines = list(table(answers))
    assert lines[1].split() == ["Linux", "x86_64", "3.11", "2", "packages", "–", "–"]
    assert lines[2].split() == ["macOS", "14", "arm64", "3.12", "–", "no,", "see", "below", "–"]
    assert lines[-1] == "\ntorch>=2.4: macOS 14 arm64 with Python 3.12 (newest)\n  there is none"


def test_missing_uv_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.packaging.uv.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(PackageError, match="pip install uv"):
        Uv.find({})


def test_settings_of_pip_hold_where_uv_has_none() -> None:
    said = {"PIP_INDEX_URL": "https://a.example/simple", "PIP_CERT": "/ca.pem", "PIP_FIND_LINKS": "/wheels"}
    assert index_settings(said) == {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "SSL_CERT_FILE": "/ca.pem",
        "UV_FIND_LINKS": "/wheels",
    }
    ours = {"UV_DEFAULT_INDEX": "b", "SSL_CERT_FILE": "c", "UV_FIND_LINKS": "d"}
    assert index_settings(said | ours) == {}


def test_reason_is_one_line_without_addresses() -> None:
    said = "  × No solution found when resolving:\n  ╰─▶ Because a has no wheels on https://u:p@a.example/simple/,\n"
    told = one_line(said)
    assert told == "No solution found when resolving: Because a has no wheels on the package index"
