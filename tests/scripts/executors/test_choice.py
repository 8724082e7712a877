"""Which scheduler may be asked for, told before anything is tried."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from lab_support import SETTINGS
from scripts.config import load_settings
from scripts.executors import check_scheduler, open_chosen
from scripts.options import ComputeOptions
from scripts.project import open_project

CA, CERT = Path("ca.pem"), Path("cert.pem")


@pytest.mark.parametrize(
    "options",
    [
        ComputeOptions(),
        ComputeOptions("local", workers=3),
        ComputeOptions("tcp://cluster.lab:8786"),
        ComputeOptions("tls://[::1]:8786", tls_ca=CA, tls_cert=CERT),
    ],
    ids=lambda options: options.scheduler or "none",
)
def test_these_may_be_asked_for(options: ComputeOptions) -> None:
    check_scheduler(options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (ComputeOptions("Local"), "'Local' is none; set"),
        (ComputeOptions("cluster.lab:8786"), r'"tcp://host:8786"'),
        (ComputeOptions("tcp://cluster.lab"), r"'tcp://cluster\.lab' is none"),
        (ComputeOptions("tls://lab:8786", tls_cert=CERT), "needs certificates; set tls_ca and tls_cert"),
        (ComputeOptions("tcp://lab:8786", tls_ca=CA), "certificates are for tls:// addresses"),
    ],
    ids=["word", "no protocol", "no port", "no authority", "certificates for nothing"],
)
def test_others_are_refused_with_the_way_out(options: ComputeOptions, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_scheduler(options)


def test_settings_are_refused_as_they_are_read(tmp_path: Path) -> None:
    file = tmp_path / "slidebridge.toml"
    file.write_text('[compute]\nscheduler = "somewhere"\n', "utf-8")

    with pytest.raises(ConfigError, match="'somewhere' is none"):
        load_settings(file, {})


def test_certificates_lie_where_the_settings_file_says(tmp_path: Path) -> None:
    compute = '\n[compute]\nscheduler = "tls://lab:8786"\ntls_ca = "keys/ca.pem"\ntls_cert = "cert.pem"\n'
    (tmp_path / "slidebridge.toml").write_text(SETTINGS + compute, "utf-8")

    found = open_project(tmp_path).settings.compute

    assert (found.tls_ca, found.tls_cert, found.tls_key) == (tmp_path / "keys/ca.pem", tmp_path / "cert.pem", None)


def test_without_a_scheduler_nothing_but_this_machine_is_used() -> None:
    with open_chosen(ComputeOptions(), 1) as (executor, at_once):
        assert at_once == 1
        assert executor.submit(os.getpid).result() == os.getpid()
