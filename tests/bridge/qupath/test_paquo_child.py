"""The child process itself, with a stand-in for paquo: its pipes, its records, its refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from qupath_lab import STAND_IN, new_project, save_first, stand_in

from bridge.errors import QuPathBackendError
from bridge.qupath.paquo_backend import QuPath
from bridge.qupath.paquo_verify import compare_objects
from bridge.qupath.read import read_qpdata

_COMMAND = [sys.executable, "-m", "bridge.qupath.paquo_child"]


def _child(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **environ})


def test_what_qupath_prints_never_gets_among_the_messages() -> None:
    environ = {"PYTHONPATH": str(STAND_IN), "PAQUO_QUPATH_DIR": "/QuPath"}
    child = _child(environ)
    child.stdin.write(b'{"task":"find"}\n')
    child.stdin.flush()
    messages = [json.loads(line) for line in child.stdout]
    assert [message["say"] for message in messages] == ["answer", "end"]
    printed = child.stderr.read().decode()
    assert "paquo was loaded" in printed and "a process of its own prints, too" in printed
    child.communicate()


def test_the_child_goes_when_its_caller_is_gone(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    child = _child({"PYTHONPATH": str(STAND_IN), "PAQUO_QUPATH_DIR": "/x", "STAND_IN": "hangs", "PAQUO_JAVA_OPTS": ""})
    child.stdin.write(json.dumps({"task": "read", "project": str(project.path), "images": []}).encode() + b"\n")
    child.stdin.close()
    child.stdin = None  # as when we are killed: the pipe ends
    assert child.wait(60) == 1
    child.stdout.close()
    child.stderr.close()


@pytest.mark.parametrize("given", ["", "/nowhere"])
def test_without_qupath_the_setting_is_named(given: str, tmp_path: Path) -> None:
    """With the real paquo, which is installed; it looks in the usual places unless told where."""
    environ = {**os.environ, "PAQUO_QUPATH_DIR": given or "/nowhere", "HOME": str(tmp_path)}
    with pytest.raises(QuPathBackendError, match="set PAQUO_QUPATH_DIR") as caught:
        QuPath(environ=environ).find()
    assert len(str(caught.value).splitlines()) == 1


def test_a_qupath_that_knows_no_ids_is_refused(tmp_path: Path, every_kind: bytes) -> None:
    project = new_project(tmp_path)
    save_first(project, every_kind)
    with pytest.raises(QuPathBackendError, match=r"too old.*0\.4 or newer"):
        stand_in(STAND_IN_VERSION="0.3.2").read(project, project.slides())


@pytest.mark.parametrize("version", ["0.4.4", "0.5.1", "0.6.0", "0.7.0"])
@pytest.mark.parametrize("behaviour", ["", "cleans polygons"])
def test_every_field_of_every_kind_gets_through(
    tmp_path: Path, every_kind: bytes, version: str, behaviour: str
) -> None:
    project = new_project(tmp_path)
    save_first(project, every_kind)
    shown = stand_in(behaviour, STAND_IN_VERSION=version).read(project, project.slides())["1"]
    compared = compare_objects(read_qpdata(every_kind), shown)
    assert compared.differences == () and compared.theirs == 10
    assert (shown.objects[0].metadata is None) == (version == "0.4.4")


@pytest.mark.parametrize("name", ["tma_070", "cells_070", "strings_070", "deep_070"])
def test_real_files_get_through(shared_data: Path, name: str) -> None:
    from bridge.qupath.project import QuPathProject

    project = QuPathProject(shared_data / "qupath_projects" / name / "project.qpproj")
    shown = stand_in().read(project, project.slides()[:1])["1"]
    assert compare_objects(read_qpdata(project.slides()[0].annotation_path.read_bytes()), shown).is_equal
