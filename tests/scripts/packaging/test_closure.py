"""Which packages come with a list of requirements."""

from __future__ import annotations

from importlib import metadata

import pytest

from scripts.packaging.closure import closure


class Installed(metadata.Distribution):
    """What is installed, without a file."""

    def __init__(self, *requires: str) -> None:
        self._requires = list(requires)

    @property
    def requires(self) -> list[str]:
        return self._requires

    def read_text(self, filename: str) -> str | None:
        return None

    def locate_file(self, path: object) -> metadata.SimplePath:
        raise NotImplementedError(path)


ALL = {
    "app": Installed("Left_Pad>=1", "windows-only; sys_platform == 'win32'", "old; python_version < '3.12'"),
    "left-pad": Installed("app", "for-fast; extra == 'fast'", "for-slow; extra == 'slow'"),
    "windows-only": Installed("of-windows"),
    "old": Installed("never; python_version < '3.9'"),
    "torch": Installed("nvidia-cublas; platform_system == 'Linux'", "triton", "filelock"),
}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("app", {"app", "left-pad", "windows-only", "of-windows", "old"}),
        ("left.pad", {"app", "left-pad", "windows-only", "of-windows", "old"}),
        ("left-pad[fast]", {"app", "left-pad", "windows-only", "of-windows", "old", "for-fast"}),
        ("nothing-known", {"nothing-known"}),
        ("torch", {"torch", "filelock"}),
    ],
    ids=["other systems' and older Pythons' too", "by any spelling", "with an extra", "not installed", "without CUDA"],
)
def test_closure_holds_what_any_system_needs(asked: str, found: set[str]) -> None:
    assert closure([asked], ALL.get) == found


def test_extra_asked_for_later_is_followed_too() -> None:
    assert "for-slow" in closure(["left-pad[slow]", "app"], ALL.get)
    assert "for-slow" in closure(["app", "left-pad[slow]"], ALL.get)
