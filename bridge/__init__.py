"""Annotation files, slides and rasters: everything that needs no torch.

Rooms, from the bottom: ``coords``, ``files`` and ``errors``; ``annotations``; ``raster``; the adapters ``slides``,
``imagescope``, ``qupath``, ``formats``, ``store``, ``watch`` (siblings that never import each other); ``ingest`` and
``export``, which compose them. Nothing here imports torch, ever.
"""
