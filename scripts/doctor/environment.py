"""The checks on this machine: Python, libraries, devices, memory, QuPath."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psutil

from bridge.errors import ConfigError, QuPathBackendError
from bridge.qupath.paquo_backend import PaquoOptions, QuPath
from models.onnx_library import load_onnxruntime
from scripts.config import Settings
from scripts.daemon.schedule import zone_name
from scripts.doctor import catalogue
from scripts.doctor.report import Finding, ok
from scripts.options import PredictOptions, TrainOptions
from scripts.plain_words import size

_OLDEST = (3, 11)
_LIBRARIES = ("numpy", "shapely", "torch", "openslide-python", "openslide-bin", "tifffile", "lxml", "paquo", "monai")
_SETTING = "PAQUO_QUPATH_DIR"
_DRIVER = Path("/proc/driver/nvidia/version")
_CPU_PROVIDER = "CPUExecutionProvider"
_REMOTE_PROVIDER = "AzureExecutionProvider"  # in every build; for models that name a server, and none of ours does

# Measured with the usual network on a processor, and rounded up: a process that does nothing yet, and each working
# pixel of what is computed at once. Training 8 tiles of 128² took 0.95 GB, of 256² 1.84 GB; for predictions see
# docs/benchmarks.md.
_TRAINING_BYTES, _TRAINING_PIXEL = 700e6, 2_500
_PREDICTION_BYTES, _PREDICTION_PIXEL = 400e6, 700
_MOST_PASSES = 4  # of predictions, side by side
_CORES_PER_PASS = 4


@dataclass(frozen=True, slots=True)
class Torch:
    """What torch says of itself.

    Parameters
    ----------
    is_for_gpu
        It was built to use graphics cards.
    """

    version: str
    is_for_gpu: bool


def has_nvidia_card(driver: Path = _DRIVER, which: Callable[[str], str | None] = shutil.which) -> bool:
    """Say whether there is an NVIDIA card with a driver, as far as can be told without it."""
    return driver.exists() or which("nvidia-smi") is not None


def _has_library(name: str) -> bool:
    return find_spec(name) is not None


def _torch() -> Torch:
    import torch

    return Torch(torch.__version__, torch.version.cuda is not None or torch.version.hip is not None)


def _device(name: str) -> str:
    from models.nets.device import choose_device

    return str(choose_device(name))


def _providers() -> tuple[str, ...]:
    return tuple(load_onnxruntime().get_available_providers())


def _memory_bytes() -> float:
    return float(psutil.virtual_memory().total)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, as the checks see it; each fact is asked for when it is needed, and tests hand in their own.

    Parameters
    ----------
    environ
        The environment.
    version
        Of Python.
    version_of
        Name of a distribution → its version.
    has_library
        Name of a module → whether it is installed.
    has_card
        Whether there is an NVIDIA card with a driver.
    torch
        None where it can't be loaded; raises what the loading raised.
    device
        Name → the device that torch would take.
    providers
        What ONNX Runtime can compute on.
    memory_bytes
        All that this machine has.
    cores
        Logical cores.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    version: tuple[int, ...] = sys.version_info[:3]
    version_of: Callable[[str], str] = metadata.version
    has_library: Callable[[str], bool] = _has_library
    has_card: Callable[[], bool] = has_nvidia_card
    torch: Callable[[], Torch] = _torch
    device: Callable[[str], str] = _device
    providers: Callable[[], tuple[str, ...]] = _providers
    memory_bytes: Callable[[], float] = _memory_bytes
    cores: int = psutil.cpu_count() or 1


def check_python(machine: Machine) -> Finding:
    """Say whether the interpreter is new enough."""
    text = ".".join(map(str, machine.version))
    if machine.version < _OLDEST:
        return catalogue.OLD_PYTHON.found(text)
    return ok("python", f"{text}, {sys.executable}")


def check_libraries(machine: Machine) -> Finding:
    """Say whether the libraries are installed."""
    found, missing = [], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {machine.version_of(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return catalogue.MISSING_LIBRARY.found(f"missing: {', '.join(missing)}")
    return ok("libraries", ", ".join(found))


def check_openslide() -> Finding:
    """Say whether OpenSlide's own library can be loaded."""
    try:
        import openslide

        return ok("openslide", f"version {openslide.__library_version__}")
    except (ImportError, OSError) as error:
        what = str(error).partition("\n")[0]
        return catalogue.NO_OPENSLIDE.found(f"can't be loaded ({what})")


def check_device(machine: Machine, asked: str = "auto") -> Finding:
    """Say whether the device that ``[train] device`` names is there, and a graphics card used; takes seconds."""
    try:
        torch, found = machine.torch(), machine.device(asked)
    except (ImportError, OSError) as error:
        return catalogue.NO_TORCH.found(f"torch can't be loaded ({error})")
    except ValueError as error:
        return catalogue.NO_DEVICE.found(str(error))
    if found != "cpu":
        return ok("device", f"{found}, torch {torch.version}")
    if asked == "cpu":
        return ok("device", f"this machine's processor, as [train] device says, torch {torch.version}")
    if machine.has_card():
        if torch.is_for_gpu:
            return catalogue.OLD_DRIVER.found(f"torch {torch.version} sees no card, though there is one")
        return catalogue.CPU_BUILD.found(f"torch {torch.version} is built for processors only, and there is a card")
    return catalogue.CPU_ONLY.found("this machine's processor, no graphics card")


def check_onnx(machine: Machine) -> Finding:
    """Say whether ONNX Runtime, which predicts on processors, can be used."""
    try:
        providers = machine.providers()
    except (ImportError, OSError) as error:
        return catalogue.NO_ONNX.found(f"can't be loaded ({str(error).partition(chr(10))[0]})")
    if _CPU_PROVIDER not in providers:
        return catalogue.NO_ONNX.found(f"it lacks {_CPU_PROVIDER}, and has {', '.join(providers) or 'nothing'}")
    here = (p.removesuffix("ExecutionProvider") for p in providers if p != _REMOTE_PROVIDER)
    return ok("onnxruntime", f"computes on {', '.join(here)}")


def check_memory(machine: Machine, settings: Settings) -> Finding:
    """Say whether a training and a prediction, as they are set, fit into the memory."""
    there = machine.memory_bytes()
    needs = {
        "a training": training_bytes(settings.train),
        "a prediction": prediction_bytes(settings.predict, machine.cores),
    }
    too_large = [f"{what} needs about {size(bytes_)}" for what, bytes_ in needs.items() if bytes_ > there]
    if too_large:
        return catalogue.LITTLE_MEMORY.found(f"{' and '.join(too_large)}, this machine has {size(there)}")
    return ok("memory", f"{size(there)}; {', '.join(f'{what} takes about {size(b)}' for what, b in needs.items())}")


def training_bytes(train: TrainOptions) -> float:
    """Return about how much memory a training takes, its kept tiles included."""
    return _TRAINING_BYTES + _TRAINING_PIXEL * train.batch_size * train.tile_px**2 + train.cache_mb * 1e6


def prediction_bytes(predict: PredictOptions, cores: int) -> float:
    """Return about how much memory a prediction takes."""
    passes = min(_MOST_PASSES, max(1, cores // _CORES_PER_PASS))
    return _PREDICTION_BYTES + _PREDICTION_PIXEL * passes * predict.tile_px**2


def check_qupath(options: PaquoOptions, environ: Mapping[str, str]) -> Finding:
    """Say whether QuPath is found; it is needed for some tasks only."""
    try:
        folder: Path = QuPath(options, environ).find()
    except QuPathBackendError as error:
        if environ.get(_SETTING):
            return catalogue.NO_QUPATH.found(str(error), "")
        only = "needed for new --backend paquo and doctor --verify only"
        return ok("qupath", f"not found; {only}: set {_SETTING} to its folder")
    return ok("qupath", f"in {folder}")


def check_cluster(machine: Machine, scheduler: str) -> Finding:
    """Say whether what a cluster needs is installed, where the settings name one."""
    if not scheduler:
        return ok("cluster", "none set, slides are predicted here")
    missing = [name for name in ("dask", "distributed") if not machine.has_library(name)]
    if missing:
        return catalogue.NO_DASK.found(f"[compute] scheduler is {scheduler!r}; {' and '.join(missing)} not installed")
    return ok("cluster", f"[compute] scheduler {scheduler}")


def check_time_zone(settings: Settings) -> Finding:
    """Say whether the time zone is known that the nightly training goes by."""
    schedule = settings.schedule
    if not schedule.nightly:
        return ok("time zone", "no nightly training is set")
    try:
        zone = zone_name(schedule)
    except ConfigError as error:
        return catalogue.NO_TIME_ZONE.found(str(error), "")
    return ok("time zone", f"{zone}, nightly training at {schedule.nightly}")


def environment_findings(settings: Settings, machine: Machine) -> Iterator[Finding]:
    """Yield what all checks on this machine find."""
    yield check_python(machine)
    yield check_libraries(machine)
    yield check_openslide()
    yield check_device(machine, settings.train.device)
    yield check_onnx(machine)
    yield check_memory(machine, settings)
    yield check_qupath(settings.qupath, machine.environ)
    yield check_cluster(machine, settings.compute.scheduler)
    yield check_time_zone(settings)
