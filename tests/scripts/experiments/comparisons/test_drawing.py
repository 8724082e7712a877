from pathlib import Path

from scripts.experiments.comparisons.drawing import draw_slides
from scripts.experiments.comparisons.material import folder_of, opened_slides, resized, scheme_of, slide_key
from scripts.experiments.settings import setting

SETTING = resized(setting("hybrid-medium"), 512)
SCHEME = scheme_of(["Tumor"])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder_of(SETTING, folder).iterdir() if path.is_file()}


def test_slides_drawn_side_by_side_are_those_drawn_one_by_one_and_are_not_drawn_again(tmp_path: Path) -> None:
    together, single = tmp_path / "together", tmp_path / "single"
    draw_slides(SETTING, [0, 2], 0, together, SCHEME, processes=2)
    draw_slides(SETTING, [0, 2], 0, single, SCHEME, processes=1)
    written = {path: path.stat().st_mtime_ns for path in folder_of(SETTING, together).iterdir()}

    with opened_slides(SETTING, [0, 2], 0, together, SCHEME) as slides:
        assert [slide.key for slide in slides] == [slide_key(SETTING, number, 0) for number in (0, 2)]

    assert files(together) == files(single)
    assert {path: path.stat().st_mtime_ns for path in folder_of(SETTING, together).iterdir()} == written
