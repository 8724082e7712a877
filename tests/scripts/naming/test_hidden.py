"""Names that a project hides: no command of it tells one, whatever happens, but the one that is asked to."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import pytest
import typer

from lab_support import SETTINGS, Lab, draw_slide, labelled, xml_of
from scripts.cli import app, main
from scripts.naming.hidden import Everything, HiddenNames, hidden_names, hiding

_TELLTALE = ("Meyer", "Anna", "meyer", "anna", "Q7")
_READ = (".html", ".md", ".txt", ".json", ".csv")  # files for others that are text
_PIXELS = re.compile(r"base64,[\w+/=]+")  # any two characters are somewhere in them
_COMMANDS: tuple[tuple[str, ...], ...] = (
    ("sync",),
    ("sync", "--json"),
    ("train", "--force"),
    ("train", "--dry-run"),
    ("predict",),
    ("propose", "--explain"),
    ("propose", "--explain", "--json"),
    ("validate",),
    ("validate", "--json"),
    ("effort",),
    ("effort", "--json"),
    ("status",),
    ("status", "--read"),
    ("status", "--json"),
    ("status", "--lineage", "none"),
    ("report", "--json", "--force", "--out", "report.html"),
    ("confirm", "no such slide"),
    ("backups", "list"),
    ("backups", "list", "--json"),
    ("backups", "restore", "no such slide", "0000"),
    ("export", "dataset", "--out", "data", "--force"),
    ("export", "dataset", "--whole", "--json", "--out", "masks", "--force"),
    ("export", "onnx", "--out", "onnx"),
    ("config", "show"),
    ("config", "show", "--json"),
    ("doctor", "--json"),
    ("doctor", "--store"),
    ("nightly", "--dry-run"),
)


def _make_ward(root: Path) -> Lab:
    """Make a project with two slides called after a patient, one of them by two characters; names are hidden."""
    root.mkdir()
    settings = f'{SETTINGS}\n[privacy]\nhash_names = true\n[slides.mpp_of]\n"Meyer, Anna.tif" = 0.5\n'
    (root / "slidebridge.toml").write_text(settings, "utf-8")
    for seed, name in enumerate(("Meyer, Anna", "Q7")):
        draw_slide(root / f"{name}.tif", seed=seed)
    (root / "Meyer, Anna.xml").write_bytes(xml_of(labelled()))
    return Lab(root)


@pytest.fixture
def ward(tmp_path: Path) -> Lab:
    """A project that nobody worked on yet."""
    return _make_ward(tmp_path / "project")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A project with a model; the commands that a test runs in it leave it one."""
    lab = _make_ward(tmp_path_factory.mktemp("ward") / "project")
    with pytest.MonkeyPatch.context() as patch:
        said = said_by(lab, ("sync",), patch)
    _assert_untold(said)
    assert said.count("exit 0") == 1 and "used" in said, said
    return lab


@cache
def _program() -> object:
    """Return the program with its commands, made once: making them takes longer than most of them."""
    return typer.main.get_command(app)


def said_by(lab: Lab, arguments: Sequence[str], patch: pytest.MonkeyPatch, *, is_verbose: bool = True) -> str:
    """Return all that a command says, run as the program runs it: stdout, stderr, log files, and what it made."""
    patch.chdir(lab.root.parent)
    patch.setattr(logging.root, "handlers", [])
    patch.setattr("scripts.cli.app", _program())
    options = ["--verbose"] if is_verbose else []
    patch.setattr(sys, "argv", ["slidebridge", *options, *arguments, "--project", str(lab.root)])
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            err.write(f"exit {end.code}")
    logs = sorted((lab.root / ".slidebridge").glob("log/*.log"))
    made = [path for path in sorted(lab.root.parent.rglob("*")) if path.is_file() and lab.root not in path.parents]
    texts = [path.read_text("utf-8") for path in (*logs, *made) if path in logs or path.suffix in _READ]
    said = "\n".join((out.getvalue(), err.getvalue(), *texts, *(path.name for path in made)))
    return _PIXELS.sub("", said)


def _assert_untold(said: str) -> None:
    assert said.strip()
    for name in _TELLTALE:
        assert name not in said, said[max(said.index(name) - 300, 0) : said.index(name) + 100]


@pytest.mark.parametrize("arguments", _COMMANDS, ids=" ".join)
def test_no_command_tells_a_hidden_name(
    trained: Lab, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_untold(said_by(trained, arguments, monkeypatch))


@pytest.mark.parametrize("arguments", [("sync", "--dry-run"), ("status",), ("propose",)], ids=" ".join)
def test_nor_does_the_first_of_all(ward: Lab, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    _assert_untold(said_by(ward, arguments, monkeypatch))


def _cut_xml(lab: Lab) -> None:
    (lab.root / "Meyer, Anna.xml").write_bytes(xml_of(labelled()).replace(b"</Regions>", b"<Regions>", 1))


def _bad_files(lab: Lab) -> None:
    """One slide of each kind: drawn on and no slide, its file cut, without a slide, with a name that is no text."""
    (lab.root / "Meyer, Anna.tif").write_bytes(b"II*\0 no slide at all")
    draw_slide(lab.root / "Anna Meyer.tif")
    (lab.root / "Anna Meyer.xml").write_bytes(xml_of(labelled()).replace(b"</Regions>", b"<Regions>", 1))
    (lab.root / "Anna lonely.xml").write_bytes(xml_of(labelled()))
    if sys.platform == "linux":  # elsewhere names are text
        (Path(os.fsdecode(os.fsencode(lab.root) + b"/Meyer\xff.tif"))).write_bytes(b"")


def _two_of_a_name(lab: Lab) -> None:
    draw_slide(lab.root / "MEYER, ANNA.png")


def _bad_store(lab: Lab) -> None:
    folder = lab.root / ".slidebridge"
    folder.mkdir()
    (folder / "store.sqlite").write_text("no database")


@pytest.mark.parametrize(
    "arguments", [("sync",), ("status", "--read"), ("doctor",), ("export", "dataset", "--out", "d")], ids=" ".join
)
@pytest.mark.parametrize("fail", [_bad_files, _two_of_a_name, _bad_store])
def test_nor_does_one_that_fails(
    ward: Lab, fail: Callable[[Lab], None], arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(ward)
    _assert_untold(said_by(ward, arguments, monkeypatch, is_verbose=False))


def test_a_save_that_comes_in_between_is_told_without_its_name(ward: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from bridge.imagescope import ImageScopeFolder

    path, real = ward.root / "Meyer, Anna.xml", ImageScopeFolder.apply

    def apply(self: ImageScopeFolder, data: bytes, edits: object, entry: object) -> bytes:
        path.write_bytes(path.read_bytes() + b" ")
        return real(self, data, edits, entry)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageScopeFolder, "apply", apply)
    said = said_by(ward, ("propose",), monkeypatch)
    assert "failed: " in said
    _assert_untold(said)


def test_a_slide_that_is_gone_stays_unnamed(ward: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    said_by(ward, ("sync", "pull"), monkeypatch)
    with sqlite3.connect(ward.root / ".slidebridge" / "store.sqlite") as database:
        database.execute("UPDATE slides SET name = 'Meyer, Bert', slide_key = 'Meyer, Bert.tif' WHERE name = 'Q7'")
    database.close()
    said = said_by(ward, ("doctor",), monkeypatch)
    assert "Bert" not in said
    _assert_untold(said)


def test_a_traceback_tells_none_either(ward: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("Meyer, Anna")

    monkeypatch.setattr("scripts.loop.passes.pull", fail)
    said = said_by(ward, ("sync",), monkeypatch)
    assert "KeyError" in said and "exit 1" in said
    _assert_untold(said)


def test_who_asks_for_the_names_gets_them(ward: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Meyer, Anna" in said_by(ward, ("status", "--names"), monkeypatch)
    assert "Meyer, Anna" in said_by(ward, ("status", "--names", "--json"), monkeypatch)


def test_names_that_nobody_hides_are_told(ward: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ward.root / "slidebridge.toml"
    settings.write_text(settings.read_text("utf-8").replace("hash_names = true", "hash_names = false"), "utf-8")
    _cut_xml(ward)
    assert "Meyer, Anna" in said_by(ward, ("sync",), monkeypatch)


def test_what_one_command_hides_the_next_does_not_know() -> None:
    class Names:
        is_hidden = True

        def hide(self, text: str) -> str:
            return text.replace("Meyer", "slide-1")

        hide_note = hide

    with hiding() as hidden:
        hidden.know(Path("a"), Names())
        assert hidden_names().hide("Meyer") == "slide-1"
    assert hidden_names().hide("Meyer") == "Meyer"


def test_json_keeps_its_fields_where_a_slide_is_called_like_part_of_one() -> None:
    from bridge.annotations import SlideEntry
    from scripts.naming.slide_names import SlideNames

    hidden = HiddenNames()
    told = {"slides": ["ROI and roi_7"], "roi_count": 2, "name": "A", "class": "A", "seen": {"roi.tif": None}}
    assert hidden.hide_json(told) == told
    entries = [SlideEntry(f"{name}.tif", name, Path(f"{name}.tif"), Path(f"{name}.xml")) for name in ("roi", "A")]
    names = SlideNames(entries, b"k" * 32)
    hidden.know(Path("a"), names)
    roi, letter = names.of("roi.tif"), names.of("A.tif")
    wanted = {
        "slides": [f"{roi} and {roi}_7"],
        "roi_count": 2,
        "name": letter,
        "class": "A",
        "seen": {f"{roi}.tif": None},
    }
    assert json.loads(json.dumps(hidden.hide_json(told))) == wanted


def test_a_line_that_comes_while_names_become_known_waits_for_nobody() -> None:
    """As where a signal's handler logs: it runs in the very thread that is interrupted."""
    hidden = HiddenNames()
    said = []

    class Key(type(Path())):  # type: ignore[misc]
        def __hash__(self) -> int:
            said.append(hidden.hide("Meyer"))
            return 1

    watchdog = threading.Thread(target=hidden.know, args=(Key("a"), Everything()), daemon=True)
    watchdog.start()
    watchdog.join(20)
    assert not watchdog.is_alive() and said
