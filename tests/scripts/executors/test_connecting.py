"""A cluster that can't do our work is refused in one line, with the way out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from distributed.security import Security

from bridge.errors import ConfigError
from cluster_lab import reached, running_cluster
from cluster_work import divide
from scripts.executors import open_cluster
from scripts.executors.connecting import check_versions, local_workers
from scripts.options import ComputeOptions

OURS, PYTHON = version("slidebridge"), f"{sys.version_info.major}.{sys.version_info.minor}"
WORKER = "tcp://10.0.0.7:4000"


def told_by(python: str, slidebridge: str | None) -> Mapping[str, object]:
    return {WORKER: {"packages": {"python": python, "slidebridge": slidebridge}}}


def refused(options: ComputeOptions) -> str:
    with pytest.raises(ConfigError) as caught, open_cluster(options):
        pytest.fail("it was opened")
    return str(caught.value)


def test_workers_of_our_versions_may_work() -> None:
    check_versions(told_by(f"{PYTHON}.99.final.0", OURS))


@pytest.mark.parametrize(
    ("python", "slidebridge", "told"),
    [
        (f"{PYTHON}.1.final.0", None, "has no SlideBridge; install slidebridge[dask]"),
        (f"{PYTHON}.1.final.0", "0.0.1", f"has SlideBridge 0.0.1, here is {OURS}"),
        ("3.7.1.final.0", OURS, f"runs Python 3.7, here is {PYTHON}"),
        (f"{PYTHON}0.1.final.0", OURS, f"runs Python {PYTHON}0, here is {PYTHON}"),
    ],
    ids=["none", "older", "older Python", "later Python"],
)
def test_workers_of_other_versions_are_named(python: str, slidebridge: str | None, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_versions(told_by(python, slidebridge))

    assert str(caught.value).startswith(f"worker {WORKER} {told}")


@pytest.mark.parametrize(
    ("ours", "install"),
    [
        ("1.2.0", "install slidebridge[dask]==1.2.0 there"),
        ("1.2.1.dev3+g1a2b3c4", "install slidebridge[dask] from the same sources as here there"),
    ],
    ids=["release", "between releases"],
)
def test_other_version_is_told_what_can_be_had(ours: str, install: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.executors.connecting.program_version", lambda: ours)
    with pytest.raises(ConfigError) as caught:
        check_versions(told_by(f"{PYTHON}.1.final.0", "1.2.1.dev3+g0000000"))

    assert str(caught.value).endswith(f"has SlideBridge 1.2.1.dev3+g0000000, here is {ours}; {install}")


def test_scheduler_of_another_version_is_named() -> None:
    with pytest.raises(ConfigError, match=rf"^scheduler {WORKER} has no SlideBridge; install"):
        check_versions(told_by(f"{PYTHON}.1.final.0", None), "scheduler")


def test_missing_dask_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    assert refused(ComputeOptions("tcp://127.0.0.1:1")).endswith(
        'needs Dask: pip install "slidebridge[dask]"; where pipx installed SlideBridge,'
        " pipx inject slidebridge dask distributed"
    )


def test_scheduler_that_does_not_answer_is_told() -> None:
    told = refused(ComputeOptions("tcp://127.0.0.1:1", timeout_seconds=0.2))

    assert "no Dask scheduler answers at tcp://127.0.0.1:1 within 0.2 s; start it with `dask scheduler`" in told


def test_scheduler_without_workers_is_told() -> None:
    with running_cluster(0) as cluster:
        options = reached(cluster, seconds=0.5)

        assert refused(options).endswith(
            f"has no worker, within 0.5 s; start some with `dask worker {options.scheduler}`"
        )


def test_certificate_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    options = ComputeOptions("tls://127.0.0.1:1", timeout_seconds=0.2, tls_ca=missing, tls_cert=tmp_path / "cert.pem")

    assert refused(options) == f"[compute] certificate {missing} is not there"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_cluster_behind_tls_is_reached(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    names = {
        f"tls_{role}_{kind}": str(path)
        for role in ("scheduler", "worker", "client")
        for kind, path in (("cert", cert), ("key", key))
    }
    security = Security(require_encryption=True, tls_ca_file=str(cert), **names)

    with running_cluster(1, security) as cluster:
        options = ComputeOptions(cluster.scheduler_address, tls_ca=cert, tls_cert=cert, tls_key=key)
        with open_cluster(options) as opened:
            assert options.scheduler.startswith("tls://")
            assert opened.executor.submit(divide, 6).result() == 2


@pytest.mark.parametrize(("asked", "cores", "workers"), [(0, 1, 1), (0, 2, 1), (0, 9, 4), (3, 2, 3)])
def test_workers_of_this_machine_share_its_cores(asked: int, cores: int, workers: int) -> None:
    assert local_workers(ComputeOptions("local", workers=asked), cores) == workers
