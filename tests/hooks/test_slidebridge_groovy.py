"""The script for QuPath: it parses, and both sides of its protocol say the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shapely import box

from bridge.annotations import PROPOSED, Annotation, Delivery, LabelOptions, MachineObject, MachineRole, Promotion
from bridge.qupath import viewer_files as files
from bridge.qupath.qpdata import WRITE_MARKER
from bridge.qupath.read import OWN_KEY

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "hooks" / "qupath" / "slidebridge.groovy"
PARSER = ROOT / "tests" / "support" / "ParseGroovy.java"
SAMPLES: dict[str, Any] = {
    "session": "s1",
    "pid": 1,
    "host": "h",
    "count": 1,
    "time": 1,
    "left": ["a"],
    "trouble": None,
    "ask": files.PREDICT,
    "entry": "1",
    "region": [0, 0, 5, 5],
}


@pytest.fixture(scope="module")
def text() -> str:
    return SCRIPT.read_text("utf-8")


def groovy_jars() -> list[Path]:
    """The jars of a Groovy compiler: of an installed Groovy, of QuPath, or of Debian's packages."""
    folders = [Path(os.environ[name]) for name in ("GROOVY_HOME", "PAQUO_QUPATH_DIR") if os.environ.get(name)]
    for folder in folders:
        jars = [*folder.rglob("groovy-[0-9]*.jar"), *folder.rglob("groovy-all*.jar")]
        if jars:
            return [*jars, *(jar for jar in jars[0].parent.glob("*.jar") if re.match("antlr|asm", jar.name))]
    debian = [Path("/usr/share/java") / f"{name}.jar" for name in ("groovy-all", "groovy", "antlr", "asm-all", "asm")]
    return [jar for jar in debian if jar.exists()] if debian[0].exists() or debian[1].exists() else []


def parse(script: Path) -> subprocess.CompletedProcess[str]:
    java, jars = shutil.which("java"), groovy_jars()
    if java is None or not jars:
        pytest.skip("no Groovy compiler here: set GROOVY_HOME or PAQUO_QUPATH_DIR, and have java on the path")
    command = [java, "-cp", os.pathsep.join(map(str, jars)), str(PARSER), str(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_script_is_groovy() -> None:
    result = parse(SCRIPT)
    assert result.returncode == 0, result.stderr


def test_parser_sees_what_is_no_groovy(tmp_path: Path) -> None:
    broken = tmp_path / "broken.groovy"
    broken.write_text(SCRIPT.read_text("utf-8").replace("void start() {", "void start( {"), "utf-8")
    result = parse(broken)
    assert result.returncode != 0 and "broken.groovy" in result.stderr


def maps_left(text: str) -> list[list[str]]:
    """The keys of every file that the script leaves."""
    given = re.findall(r"leave\([^\[]*\[(.*?)\]\)\n", text, re.DOTALL)
    request = re.findall(r"Map request = \[(.*?)\]\n", text, re.DOTALL)
    return [re.findall(r"(?:^|[\[,]\s*)(\w+):", f"[{body}") for body in [*given, *request]]


@pytest.mark.parametrize(
    ("read", "key"), [(files.read_heartbeat, "open"), (files.read_receipt, "left"), (files.read_request, "ask")]
)
def test_what_the_script_leaves_is_what_we_read(
    tmp_path: Path, text: str, read: Callable[[Path], object], key: str
) -> None:
    keys = next(found for found in maps_left(text) if key in found)
    row = dict.fromkeys(re.findall(r"(\w+): it\.\w+", text)) | {"entry": "1", "changed": True, "on_screen": True}
    assert {"entry", "changed", "on_screen", "marker"} <= set(re.findall(r"(\w+): it\.\w+", text))
    content = {name: SAMPLES.get(name) for name in keys} | ({"open": [row]} if key == "open" else {})
    path = tmp_path / "left.json"
    path.write_text(json.dumps({"protocol": files.PROTOCOL} | content), "utf-8")
    assert read(path)


def test_script_reads_what_we_offer(text: str) -> None:
    ours = Annotation("aaaaaaaa-0000-4000-8000-000000000001", box(0, 0, 9, 9), "Tumor", is_ours=True)
    new = MachineObject(ours.object_id, MachineRole.PROPOSAL, PROPOSED, box(1, 1, 5, 5), (255, 200, 0))
    delivery = Delivery("w1", (new,), (ours,), (Promotion(ours, "Tumor", (1, 2, 3)),))
    offered = json.loads(files.delivery_bytes("1", delivery))
    assert set(re.findall(r"root\.get(?:AsJsonArray)?\('(\w+)'\)", text)) == set(offered)
    inside = set(re.findall(r"row\.getAsJsonObject\(\)\.get(?:AsJsonObject)?\('(\w+)'\)", text))
    assert inside == set(offered["promote"][0])


def test_names_are_the_same_on_both_sides(text: str) -> None:
    constants = dict(re.findall(r"static final \w+ (\w+) = '?([\w.]+)'?", text))
    assert int(constants["PROTOCOL"]) == files.PROTOCOL
    assert (constants["MARKER"], constants["OURS"], constants["PROPOSED"]) == (WRITE_MARKER, OWN_KEY, PROPOSED)
    assert constants["LABELLED"] in LabelOptions().roi_classes
    start, end = files.HEARTBEATS.split("*")
    assert f"'{start}' + session + '{end}'" in text
    for name in (files.FOLDER, files.INBOX, files.OUTBOX, files.TAKEN, files.DONE):
        assert f"'{name}'" in text
    assert f"'*{files.OFFERED}'" in text


def test_script_never_saves_and_never_asks(text: str) -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    for word in ("saveImageData", "syncChanges", "showConfirmDialog", "showMessageDialog", "showYesNo", "setReadOnly"):
        assert word not in code
