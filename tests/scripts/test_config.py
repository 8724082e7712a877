"""Settings: defaults file, settings file, environment; every value with its origin."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from scripts import config
from scripts.config import Settings, load_settings


def _settings(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "slidebridge.toml"
    path.write_text(text, "utf-8")
    return path


def test_defaults_file_names_every_setting_with_its_default(tmp_path: Path) -> None:
    shipped = Path(config.__file__).with_name("defaults.toml").read_text("utf-8")
    written = load_settings(_settings(tmp_path, shipped), {}).settings
    assert written == load_settings(None, {}).settings
    tables = tomllib.loads(shipped)
    # They have no default: their lines are comments.
    optional = {("slides", "mpp"), ("store", "path"), ("model", "weights"), ("model", "map_stride_px")}
    optional |= {("compute", "tls_ca"), ("compute", "tls_cert"), ("compute", "tls_key")}
    for section in fields(Settings):
        options = getattr(written, section.name)
        for option in fields(options):
            if (section.name, option.name) in optional:
                assert f"# {option.name} = " in shipped
            else:
                assert option.name in tables[section.name], (
                    f"[{section.name}] {option.name} is not in the defaults file"
                )


def test_file_goes_over_defaults_and_environment_over_the_file(tmp_path: Path) -> None:
    path = _settings(tmp_path, "[model]\nmpp = 0.25\n[propose]\nk = 7\n")
    loaded = load_settings(path, {"SLIDEBRIDGE_MODEL__MPP": "0.5", "UNRELATED": "1"})
    assert (loaded.settings.model.mpp, loaded.settings.propose.k) == (0.5, 7)
    rows = {name: (value, origin) for name, value, origin in loaded.rows()}
    assert rows["model.mpp"] == (0.5, "environment SLIDEBRIDGE_MODEL__MPP")
    assert rows["propose.k"] == (7, str(path))
    assert rows["propose.min_tissue"][1] == "default"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[models]\nmpp = 1", "unknown section [models]"),
        ("[model]\nmmp = 1", "unknown key 'mmp' in [model]"),
        ("[model]\nmpp = 'fine'", "[model] mpp"),
        ("[model]\ndesign = 'magic'", "[model] design"),
        ("[propose]\nk = -1", "[propose] k must be 0 to"),
        ("[model]\nmpp = 0", "[model] mpp must be"),
        ("[labels]\ncomplete = 'foo'", "[labels] complete"),
        ("mpp = 1", "mpp is not inside a [section]"),
        ("[model", "slidebridge.toml"),
        ("[classes.colors]\nTumor = 'red'", "'red' is not a colour"),
        ("[classes.map]\nTumour = 'Tumor'", "'Tumor', which is not in [classes.colors]"),
    ],
)
def test_wrong_settings_are_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(_settings(tmp_path, text), {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_key_in_the_environment_is_an_error() -> None:
    with pytest.raises(ConfigError, match="SLIDEBRIDGE_MODEL__MMP"):
        load_settings(None, {"SLIDEBRIDGE_MODEL__MMP": "1"})


def test_colours_are_written_as_hex(tmp_path: Path) -> None:
    loaded = load_settings(_settings(tmp_path, "[write]\nroi_color = '#010203'\n"), {})
    assert loaded.settings.write.roi_color == (1, 2, 3)


def test_marks_and_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    text = '# Möller\n[source]\nkind = "geojson"\n'
    wanted = load_settings(_settings(tmp_path, text), {}).settings
    for written in (b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode()):
        (tmp_path / "slidebridge.toml").write_bytes(written)
        assert load_settings(tmp_path / "slidebridge.toml", {}).settings == wanted


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_settings_in_another_encoding_are_one_line_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "slidebridge.toml"
    path.write_bytes('[source]\n# Möller\nkind = "geojson"\n'.encode(encoding))
    with pytest.raises(ConfigError, match=r"line \d is not written in UTF-8; save the file as UTF-8 in your editor$"):
        load_settings(path, {})
