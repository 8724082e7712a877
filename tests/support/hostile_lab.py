"""A small project in which every name is an attack on the page that shows it, as two trainings left it.

Nothing is trained for it: the records are written as the loop writes them. Imported by tests as ``hostile_lab``
(``pythonpath`` in pyproject.toml). The names can't be files' on Windows.
"""

from __future__ import annotations

import html
import json
from datetime import timedelta
from pathlib import Path

import numpy as np
from browser_support import HOSTILE_CLASSES, HOSTILE_NAMES
from shapely import box
from shown_lab import NOW, write_ours

from bridge.annotations.labels import area_key
from bridge.store import Backups, PrequentialRecord, Store
from lab_support import SETTINGS, Lab, draw_slide, labelled, xml_of
from scripts.loop.loss_curve import CURVES, CurveWriter
from scripts.loop.pull import pull
from scripts.project import open_project

SLIDES = (*HOSTILE_NAMES[:3], "case")
NOTE = f"#1 {HOSTILE_NAMES[0]}, 0.41"


def hostile_lab(root: Path) -> Lab:
    """Make the project: its classes, slides and notes are hostile; its first slide shows all three layers."""
    colors = "".join(f'{json.dumps(name)} = "#3060{40 + 20 * i:02x}"\n' for i, name in enumerate(HOSTILE_CLASSES))
    text = SETTINGS.replace('Blob = "#c80000"\n', f'Blob = "#c80000"\n{colors}')
    (root / "slidebridge.toml").write_text(text, "utf-8")
    for number, name in enumerate(SLIDES):
        draw_slide(root / f"{name}.tif", seed=number)
    layers = labelled()
    blobs = layers["Blob"]
    drawn = {html.escape(name): [(blobs.pop()[0], html.escape(HOSTILE_CLASSES[0]))] for name in HOSTILE_CLASSES}
    (root / f"{SLIDES[0]}.xml").write_bytes(xml_of(layers | drawn))
    lab = Lab(root)
    _work(lab)
    return lab


def _work(lab: Lab) -> None:
    """Record what two trainings were, what they had foreseen, and a reading; write predictions and a proposal."""
    project = open_project(lab.root)
    with Store.open(project.data_folder) as store:
        pull(project, store, Backups(project.data_folder / "backups"), NOW)
        for number in (1, 2):
            _train(store, number)
        with CurveWriter(project.data_folder / CURVES, "incremental", lambda: NOW) as curve:
            for step in range(1, 6):
                curve.add("high", step, 5, 1 / step)
    predicted, asked = [("Blob", box(220, 40, 260, 90))], [(box(100, 250, 180, 330), NOTE)]
    write_ours(lab, predicted, asked, slide=f"{SLIDES[0]}.tif")


def _train(store: Store, number: int) -> None:
    now, names = NOW + timedelta(hours=number), ("Background", "Blob", *HOSTILE_CLASSES)
    run = store.start_run(now, kind="incremental", parent=None, data_hash=str(number))
    later, metrics = now + timedelta(minutes=1), {"score": 0.4 + 0.1 * number}
    store.finish_run(run, later, checkpoint_id=f"c{number}", promoted=True, reason=HOSTILE_NAMES[1], metrics=metrics)
    matrix = 100 * np.eye(len(names), dtype=int) + 30 // number
    area = area_key(box(20 * number, 0, 20 * number + 9, 9))
    confusion = tuple(map(tuple, matrix.tolist()))
    store.record_prequential(PrequentialRecord(f"{SLIDES[0]}.tif", area, number, later, names, confusion))
