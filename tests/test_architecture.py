"""What the import contracts in ``pyproject.toml`` can't say: no module reaches itself through others."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_import_cycle_is_hidden_behind_a_late_import() -> None:
    graph = grimp.build_graph("bridge", "models", "scripts", cache_dir=None)
    imports = TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    imports.prepare()  # raises CycleError, which names the modules
