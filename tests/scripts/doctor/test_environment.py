"""The checks on this machine; what no test can make real (a graphics card, memory, a driver) is handed in."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from qupath_lab import STAND_IN

from bridge.qupath.paquo_backend import PaquoOptions
from scripts.config import Settings, load_settings
from scripts.doctor.environment import (
    Machine,
    Torch,
    check_cluster,
    check_device,
    check_libraries,
    check_memory,
    check_onnx,
    check_openslide,
    check_python,
    check_qupath,
    check_time_zone,
    has_nvidia_card,
    prediction_bytes,
    training_bytes,
)
from scripts.doctor.report import Level
from scripts.options import PredictOptions, TrainOptions


def _cpu(name: str) -> str:
    return "cpu"


def test_an_old_python_is_a_problem() -> None:
    assert check_python(Machine(version=(3, 10, 9))).level is Level.PROBLEM
    assert check_python(Machine()).level is Level.OK


def test_a_missing_library_is_named() -> None:
    def version_of(name: str) -> str:
        if name == "lxml":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    found = check_libraries(Machine(version_of=version_of))
    assert found.level is Level.PROBLEM and found.text == "missing: lxml"
    assert check_libraries(Machine()).level is Level.OK


def test_openslide_is_loaded() -> None:
    assert check_openslide().level is Level.OK


def test_a_device_that_is_none_is_a_problem() -> None:
    assert check_device(Machine(), "abacus").trouble == "no-such-device"


@pytest.mark.parametrize(
    ("is_for_gpu", "has_card", "asked", "trouble"),
    [
        (False, True, "auto", "gpu-not-used"),
        (True, True, "auto", "gpu-driver"),
        (True, False, "auto", "cpu-only"),
    ],
)
def test_a_card_that_torch_does_not_use_is_told(is_for_gpu: bool, has_card: bool, asked: str, trouble: str) -> None:
    machine = Machine(torch=lambda: Torch("2.9", is_for_gpu), device=_cpu, has_card=lambda: has_card)
    found = check_device(machine, asked)
    assert found.trouble == trouble and found.cure and found.level is Level.WARNING


@pytest.mark.parametrize("has_card", [True, False])
def test_a_processor_that_the_settings_ask_for_is_no_trouble(has_card: bool) -> None:
    machine = Machine(torch=lambda: Torch("2.9", has_card), device=_cpu, has_card=lambda: has_card)
    found = check_device(machine, "cpu")
    assert found.level is Level.OK and "as [train] device says" in found.text and "card" not in found.text


def test_a_card_in_use_is_well() -> None:
    machine = Machine(torch=lambda: Torch("2.9+cu126", True), device=lambda name: "cuda", has_card=lambda: True)
    assert check_device(machine).level is Level.OK


def test_a_torch_that_cant_be_loaded_is_a_problem() -> None:
    def broken() -> Torch:
        raise OSError("libtorch_cpu.so: cannot open shared object file")

    assert check_device(Machine(torch=broken)).trouble == "torch-not-loaded"


def test_a_driver_tells_that_there_is_a_card(tmp_path: Path) -> None:
    assert not has_nvidia_card(tmp_path / "version", lambda name: None)
    assert has_nvidia_card(tmp_path / "version", lambda name: "/usr/bin/nvidia-smi")
    (tmp_path / "version").write_text("NVRM version")
    assert has_nvidia_card(tmp_path / "version", lambda name: None)


def test_onnx_runtime_needs_its_cpu_part() -> None:
    assert check_onnx(Machine()).level is Level.OK
    usual = check_onnx(Machine(providers=lambda: ("AzureExecutionProvider", "CPUExecutionProvider")))
    assert usual.text == "computes on CPU", "nothing is computed at a cloud's"
    found = check_onnx(Machine(providers=lambda: ("CUDAExecutionProvider",)))
    assert found.trouble == "onnx-not-usable" and "CUDAExecutionProvider" in found.text

    def missing() -> tuple[str, ...]:
        raise ImportError("DLL load failed")

    assert check_onnx(Machine(providers=missing)).trouble == "onnx-not-usable"


def test_settings_that_need_more_memory_than_there_is_are_told() -> None:
    machine = Machine(memory_bytes=lambda: 8e9)
    assert check_memory(machine, Settings()).level is Level.OK
    large = load_settings(None, {}, {"train.tile_px": 1024, "train.batch_size": 16}).settings
    found = check_memory(machine, large)
    assert found.trouble == "little-memory" and "a training needs" in found.text and "8.0 GB" in found.text
    wide = load_settings(None, {}, {"predict.tile_px": 8192}).settings
    assert "a prediction needs" in check_memory(machine, wide).text


def test_more_pixels_at_once_never_need_less_memory() -> None:
    assert 0.95e9 < training_bytes(TrainOptions(tile_px=128, batch_size=8, cache_mb=0)) < 1.2e9  # as measured
    assert 1.83e9 < training_bytes(TrainOptions(tile_px=256, batch_size=8, cache_mb=0)) < 2.2e9
    sizes = [training_bytes(TrainOptions(tile_px=px, batch_size=n)) for px in (64, 512) for n in (1, 8)]
    assert sizes == sorted(sizes)
    passes = [prediction_bytes(PredictOptions(tile_px=512), cores) for cores in (1, 4, 8, 16, 64)]
    assert passes == sorted(passes) and passes[-1] == passes[-2]


def test_a_cluster_without_dask_is_a_problem() -> None:
    lacks = Machine(has_library=lambda name: name != "distributed")
    assert check_cluster(lacks, "").level is Level.OK
    found = check_cluster(lacks, "local")
    assert found.trouble == "dask-missing" and "distributed" in found.text and "slidebridge[dask]" in found.cure
    assert check_cluster(Machine(), "local").level is Level.OK


def test_a_time_zone_that_the_machine_does_not_know_is_a_problem() -> None:
    code = (
        "from scripts.config import load_settings\n"
        "from scripts.doctor.environment import check_time_zone\n"
        "found = check_time_zone(load_settings(None, {}, {'schedule.nightly': '02:00'}).settings)\n"
        "print(found.trouble, found.text)"
    )
    environ = {**os.environ, "TZ": "Nowhere/Nothing"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, env=environ)
    assert done.stdout.startswith("time-zone-unknown ") and "[schedule] timezone" in done.stdout, done.stderr


def test_a_known_time_zone_is_told() -> None:
    given = {"schedule.nightly": "02:00", "schedule.timezone": "Europe/Berlin"}
    found = check_time_zone(load_settings(None, {}, given).settings)
    assert found.level is Level.OK and "Europe/Berlin" in found.text
    assert check_time_zone(Settings()).level is Level.OK


@pytest.mark.parametrize(("folder", "level"), [("/QuPath", Level.OK), ("/nowhere", Level.PROBLEM)])
def test_qupath_is_looked_for_where_it_should_be(folder: str, level: Level) -> None:
    path = {"PYTHONPATH": str(STAND_IN)} if level is Level.OK else {}
    assert check_qupath(PaquoOptions(), {"PAQUO_QUPATH_DIR": folder, **path}).level is level


def test_no_qupath_is_no_problem_where_none_was_named(tmp_path: Path) -> None:
    (tmp_path / "paquo").mkdir()
    (tmp_path / "paquo" / "__init__.py").write_text("raise ValueError('no valid qupath installation found')")
    found = check_qupath(PaquoOptions(), {"PYTHONPATH": str(tmp_path)})
    assert found.level is Level.OK and "PAQUO_QUPATH_DIR" in found.text
