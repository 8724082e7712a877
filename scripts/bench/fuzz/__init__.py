"""Fuzz: mutated annotation files for every codec; the laws that none of them may break.

``python -m scripts.bench.fuzz`` runs it (``--help`` says how). Here lie mutators (pure: bytes and a generator in, bytes
out), seeds, laws, and the run over processes. May call ``bridge`` only.
"""
