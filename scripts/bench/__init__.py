"""Measurements of §19's rows: ours against the obvious alternative, as ratios in one run. Not part of the wheel."""
