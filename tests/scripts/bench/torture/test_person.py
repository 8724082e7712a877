"""What the simulated person believes to have drawn is what the file then holds."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from scripts.bench.torture.options import Options, Tool
from scripts.bench.torture.person import FEWEST, Sitting
from scripts.bench.torture.prints import made_plain, prints_of, where_now
from scripts.bench.torture.tools import simulator_of
from scripts.bench.torture.world import make_world


@pytest.mark.parametrize("tool", list(Tool))
def test_every_change_is_in_the_file_exactly(tmp_path: Path, tool: Tool) -> None:
    job, simulator = make_world(tmp_path, Options(tool)), simulator_of(tool)
    sitting = Sitting(tool, Random(0), "1", set())
    data = job.target.read_bytes()
    for _ in range(12):
        data = simulator.edit(data, sitting.changes(simulator.parse(data).annotations))
        assert prints_of(simulator.parse(data).annotations) == sitting.mine
    assert len(sitting.mine) >= FEWEST
    assert simulator.save(job.target, data, Random(1), lambda: None, lambda: None).is_done
    shown = simulator.open(job.target)
    assert shown is not None and prints_of(simulator.parse(shown).annotations) == sitting.mine


def test_print_changes_with_every_part_that_a_person_sees() -> None:
    item = "id\tTumor: Predicted\th1\tshape"
    assert where_now(item, {item}) == item
    assert where_now(item, {made_plain(item)}) == "id\tTumor\th1\tshape"
    assert where_now(item, {"id\tTumor\th2\tshape", "id\tStroma\th1\tshape", "id\tTumor\th1\tother"}) is None
