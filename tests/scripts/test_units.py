from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.units import KeptUnits, Unit

UNIT = Unit("full-s0", {"seed": 0})


def test_writers_of_one_unit_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    # Two simulations of one project, with other methods, share the unit that learns from everything.
    found = {"steps": list(range(2000))}

    def keep_often(_: int) -> None:
        kept = KeptUnits(tmp_path, {"torch": "2"})
        for _ in range(15):
            kept.keep(UNIT, found)
            assert (again := kept.find(UNIT)) is not None and again["steps"] == found["steps"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep_often, range(4)))

    assert [path.name for path in tmp_path.iterdir()] == [KeptUnits(tmp_path, {"torch": "2"}).path(UNIT).name]
