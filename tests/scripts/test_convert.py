"""``slidebridge convert`` from the command line: every pair of formats, counts, and every refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
import typer
from click.testing import Result
from PIL import Image
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box
from typer.testing import CliRunner

from bridge.annotations import Annotation, Shape
from bridge.annotations.diff import diff_annotations
from bridge.errors import BridgeError
from bridge.formats import read_label_mask
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import NewImage, QuPathProject, create_project, read_geojson, read_qpdata, write_geojson
from scripts.commands import convert
from tests_clock import NOW  # noqa: F401
