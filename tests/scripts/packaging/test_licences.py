"""The page of licences: of the packages that there are, with nothing unknown unsaid."""

from __future__ import annotations

from email.message import Message
from typing import cast

import pytest
from packaging.utils import canonicalize_name

from scripts.packaging.closure import installed, needed
from scripts.packaging.licences import PAGE, ROOT, Package, licence_of, made, pinned


def told(**said: str) -> str:
    message = Message()
    for name, value in said.items():
        message[name.replace("_", "-")] = value
    return licence_of(cast("object", message))  # type: ignore[arg-type]


def test_page_is_of_the_packages_that_constraints_hold() -> None:
    pins = pinned(ROOT / "constraints.txt")
    for name in needed(ROOT / "pyproject.toml"):
        found = installed(name)
        if name in pins and (found is None or found.version.partition("+")[0] != pins[name]):
            pytest.skip(f"this environment isn't that of constraints.txt: {name}")
    text, faults = made()
    assert (faults, (ROOT / PAGE).read_text("utf-8")) == ([], text), "make licences"


def test_each_package_but_those_of_an_unpinned_extra_is_pinned() -> None:
    pins = pinned(ROOT / "constraints.txt")
    assert {name for name in needed(ROOT / "pyproject.toml") if name not in pins} == {"timm"}


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ({"License_Expression": "MIT OR Apache-2.0", "License": "BSD"}, "MIT OR Apache-2.0"),
        ({"License": "New BSD", "Classifier": "License :: OSI Approved :: BSD License"}, "BSD-3-Clause"),
        ({"License": "UNKNOWN", "Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License": "Copyright (c) 2001, 2002\nAll rights reserved.", "Classifier": "Topic :: Software"}, ""),
        ({}, ""),
    ],
    ids=["expression first", "text that says more", "classifier", "a licence's whole text", "nothing"],
)
def test_licence_is_what_a_package_says_most_exactly(said: dict[str, str], licence: str) -> None:
    assert told(**said) == licence


def test_unknown_and_unfit_licences_are_faults_until_something_is_said_of_them() -> None:
    assert "isn't known; read it" in Package("odd", "1", "", "", "").fault
    assert "BSD-4-Clause isn't known to go together" in Package("old", "1", "MIT AND BSD-4-Clause", "", "").fault
    assert Package("old", "1", "MIT AND BSD-4-Clause", "", "it is only a tool").fault == ""


def test_names_are_compared_as_an_index_writes_them() -> None:
    assert all(name == canonicalize_name(name) for name in pinned(ROOT / "constraints.txt"))
