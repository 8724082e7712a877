"""The torture bench: people's tools and our writer on one file, killed at random, and a referee who counts.

    tool process  ──saves──▶  annotation file  ◀──writes──  our process
         │ ledger                    ▲                          │ ledger
         └────────────────▶ referee: kills both, checks ◀───────┘

The tools behave like QuPath and ImageScope (``scripts.bench.simulators``); our side runs the product's own ``pull``,
``push_slide``, ``recover`` and ``finish_displaced`` with made-up predictions in place of a network's.
"""
