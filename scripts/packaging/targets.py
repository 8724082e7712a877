"""The systems and Pythons that SlideBridge is to install on without a compiler."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """One kind of machine.

    Parameters
    ----------
    name
        For people.
    platform
        As uv's ``--python-platform`` names it: it says which wheels fit and what the markers of requirements mean.
    is_promised
        Whether it is one of those that we say SlideBridge installs on.
    markers
        The values of the environment markers that tell it from others.
    oldest
        The oldest release of it that is asked for, where uv doesn't take that from ``platform``: of macOS.
    """

    name: str
    platform: str
    is_promised: bool
    markers: tuple[tuple[str, str], ...]
    oldest: str = ""


_LINUX = (("os_name", "posix"), ("sys_platform", "linux"), ("platform_system", "Linux"))
_MAC = (("os_name", "posix"), ("sys_platform", "darwin"), ("platform_system", "Darwin"))
_WINDOWS = (("os_name", "nt"), ("sys_platform", "win32"), ("platform_system", "Windows"))

SYSTEMS: tuple[System, ...] = (
    System("Linux x86_64", "x86_64-manylinux_2_28", True, (*_LINUX, ("platform_machine", "x86_64"))),
    System("Linux arm64", "aarch64-manylinux_2_28", True, (*_LINUX, ("platform_machine", "aarch64"))),
    System("Windows x86_64", "x86_64-pc-windows-msvc", True, (*_WINDOWS, ("platform_machine", "AMD64"))),
    System("macOS 14 arm64", "aarch64-apple-darwin", True, (*_MAC, ("platform_machine", "arm64")), "14.0"),
    System("macOS 14 x86_64", "x86_64-apple-darwin", False, (*_MAC, ("platform_machine", "x86_64")), "14.0"),
)
PYTHONS: tuple[str, ...] = ("3.11", "3.12", "3.13")
LATER_PYTHONS: tuple[str, ...] = ("3.14",)
