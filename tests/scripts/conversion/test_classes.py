"""Files of classes, and which class and colour an object goes out with."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely.geometry import box

from bridge.annotations import Annotation, Layer
from bridge.errors import ConfigError
from scripts.conversion.classes import classified, read_class_file

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.toml", 'Tumor = "#ff0000"\n"In situ" = "#0000ff"\n'),
        ("c.json", '{"Tumor": "#ff0000", "In situ": [0, 0, 255]}'),
        (
            "classes.json",
            '{"pathClasses": [{"name": "Tumor", "color": -65536}, {"name": "In situ", "color": -16776961}]}',
        ),
        ("slidebridge.toml", '[classes.colors]\nTumor = "#ff0000"\n"In situ" = "#0000ff"\n[model]\nmpp = 2.0\n'),
    ],
)
def test_every_form_names_classes_in_label_order(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert list(read_class_file(tmp_path / name).scheme.colors.items()) == [("Tumor", RED), ("In situ", BLUE)]


def test_settings_bring_their_roi_and_ignore_classes(tmp_path: Path) -> None:
    path = tmp_path / "slidebridge.toml"
    path.write_text('[classes.colors]\nTumor = "#ff0000"\n[labels]\nroi_classes = ["Region*"]\n')
    assert read_class_file(path).labels.roi_classes == ("Region*",)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("c.json", "[1]", "no table"),
        ("c.json", "{", "neither TOML nor JSON"),
        ("c.toml", "x = ", "neither TOML nor JSON"),
        ("c.json", "{}", "names no class"),
        ("c.json", '{"Tumor": "red"}', "#rrggbb"),
        ("c.json", '{"Tumor": [1, 2]}', "#rrggbb"),
        ("c.json", '{"Tumor": true}', "#rrggbb"),
        ("c.toml", "[classes.colours]\n", "unknown key"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_class_file(tmp_path / name)


def test_every_class_has_a_color_and_no_class_none() -> None:
    bare = [Annotation("a", box(0, 0, 1, 1), name) for name in ("Tumor", None, "Stroma", "Tumor")]
    told = Annotation("b", box(0, 0, 1, 1), "Stroma", color=BLUE)
    colors = [a.color for a in classified([*bare, told], None, {"Tumor": RED})]
    assert colors == [RED, None, BLUE, RED, BLUE]
    fresh = [a.color for a in classified(bare, None, {})]
    assert fresh[0] == fresh[3] != fresh[2] and None not in (fresh[0], fresh[2])


def test_rules_rename_and_predictions_take_the_color_of_their_class(tmp_path: Path) -> None:
    path = tmp_path / "slidebridge.toml"
    path.write_text('[classes.colors]\nTumor = "#ff0000"\n[classes.map]\n"id:3" = "Tumor"\nCa = "Tumor"\n')
    objects = [
        Annotation("a", box(0, 0, 1, 1), None, layer=Layer("", "3", BLUE), color=BLUE),
        Annotation("b", box(0, 0, 1, 1), "Ca", color=BLUE),
        Annotation("c", box(0, 0, 1, 1), "Tumor: Predicted"),
        Annotation("d", box(0, 0, 1, 1), "Else", color=BLUE),
    ]
    found = [(a.path_class, a.color) for a in classified(objects, read_class_file(path), {})]
    assert found == [("Tumor", RED), ("Tumor", RED), ("Tumor: Predicted", RED), ("Else", BLUE)]
