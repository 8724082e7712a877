"""Fixtures of doctor's tests."""

from __future__ import annotations

import os

import pytest
from ward_lab import Ward

from lab_support import Lab, labelled, xml_of


@pytest.fixture
def ward(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Ward:
    lab.xml.write_bytes(xml_of(labelled()))
    os.utime(lab.xml, (0, 0))  # long ago
    return Ward(lab, monkeypatch)
