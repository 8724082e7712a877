from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.bench.peers import PeerMissing, ask_peer, peer_python

PROGRAM = """
import json, sys
import tiny
print("no JSON: a library's greeting")
print(json.dumps({"version": tiny.VERSION, "said": sys.argv[1:]}))
"""


def wheel(folder: Path, version: str) -> Path:
    """Make a package of one module, as an index would hand it out."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    (folder / "tiny.lock").write_text(f"{wheel(tmp_path, '1.0')}\n")
    (folder / "program.py").write_text(PROGRAM)
    return folder


def test_environment_has_what_the_lock_says_and_nothing_of_ours(locks: Path, tmp_path: Path) -> None:
    python = peer_python("tiny", locks=locks, environments=tmp_path / "envs")

    has = (
        "import importlib.util as u, json; print(json.dumps([u.find_spec(n) is not None for n in ('tiny', 'bridge')]))"
    )
    asked = subprocess.run([python, "-c", has], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(asked.stdout) == [True, False]


def test_whole_environment_stays_and_a_new_lock_makes_it_anew(locks: Path, tmp_path: Path) -> None:
    environments = tmp_path / "envs"
    (said,) = ask_peer("tiny", "program.py", 7, Path("a b"), locks=locks, environments=environments)
    assert said == {"version": "1.0", "said": ["7", "a b"]}

    (environments / "tiny" / "left").touch()
    peer_python("tiny", locks=locks, environments=environments)
    assert (environments / "tiny" / "left").exists()

    (locks / "tiny.lock").write_text(f"{wheel(tmp_path, '2.0')}\n")
    (said,) = ask_peer("tiny", "program.py", locks=locks, environments=environments)
    assert said["version"] == "2.0"
    assert not (environments / "tiny" / "left").exists()


def test_environment_whose_making_failed_is_never_taken_for_whole(locks: Path, tmp_path: Path) -> None:
    environments = tmp_path / "envs"
    whole = (locks / "tiny.lock").read_text()
    (locks / "tiny.lock").write_text(whole + f"{tmp_path / 'absent-1.0-py3-none-any.whl'}\n")
    for _ in range(2):
        with pytest.raises(PeerMissing, match=r"tiny: .*absent"):
            peer_python("tiny", locks=locks, environments=environments)

    (locks / "tiny.lock").write_text(whole)
    assert ask_peer("tiny", "program.py", locks=locks, environments=environments)[0]["version"] == "1.0"


def test_program_that_fails_says_why_in_one_line(locks: Path, tmp_path: Path) -> None:
    (locks / "broken.py").write_text("import sys\nraise ValueError('no such slide')\n")
    with pytest.raises(PeerMissing, match=r"^tiny: ValueError: no such slide$"):
        ask_peer("tiny", "broken.py", locks=locks, environments=tmp_path / "envs")


def test_peer_without_a_lock_names_those_that_have_one(locks: Path, tmp_path: Path) -> None:
    with pytest.raises(PeerMissing, match="huge has no lock file; there are tiny"):
        peer_python("huge", locks=locks, environments=tmp_path / "envs")


def test_python_without_pip_says_so(locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = bare / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(PeerMissing, match="No module named pip"):
        peer_python("tiny", locks=locks, environments=tmp_path / "envs")
