"""A tiny Leica SCN slide, whose scanned part begins inside the slide: OpenSlide states ``openslide.bounds-*`` for it.

Imported by tests as ``scn_support`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

NM_PER_PX = 500
WHOLE = (1000, 800)  # (width, height) of the slide at level 0
PART = (304, 208, 512, 256)  # (x, y, width, height) of what was scanned

_XML = """<?xml version="1.0"?>
<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection name="c" sizeX="{w}" sizeY="{h}">
<barcode></barcode>
<image name="macro" uuid="urn:uuid:1"><creationDate>2030-01-02T03:04:05Z</creationDate>
<device model="Leica SCN400" version="1"/>
<pixels sizeX="64" sizeY="64"><dimension sizeX="64" sizeY="64" r="0" ifd="0"/></pixels>
<view sizeX="{w}" sizeY="{h}" offsetX="0" offsetY="0" spacingZ="0"/>
<scanSettings><objectiveSettings><objective>1</objective></objectiveSettings><illuminationSettings>
<numericalAperture>0.05</numericalAperture><illuminationSource>brightfield</illuminationSource>
</illuminationSettings></scanSettings></image>
<image name="main" uuid="urn:uuid:2"><creationDate>2030-01-02T03:04:05Z</creationDate>
<device model="Leica SCN400" version="1"/>
<pixels sizeX="512" sizeY="256"><dimension sizeX="512" sizeY="256" r="0" ifd="1"/>
<dimension sizeX="128" sizeY="64" r="1" ifd="2"/></pixels>
<view sizeX="{pw}" sizeY="{ph}" offsetX="{px}" offsetY="{py}" spacingZ="0"/>
<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings><illuminationSettings>
<numericalAperture>0.4</numericalAperture><illuminationSource>brightfield</illuminationSource>
</illuminationSettings></scanSettings></image>
</collection></scn>"""


def write_scn(path: Path, part: tuple[int, int, int, int] = PART) -> None:
    """Write a slide of ``WHOLE`` pixels of 0.5 µm, 20×, two levels; pink, with a dark square at the part's corner."""
    x, y, width, height = (side * NM_PER_PX for side in part)
    xml = _XML.format(w=WHOLE[0] * NM_PER_PX, h=WHOLE[1] * NM_PER_PX, px=x, py=y, pw=width, ph=height)
    pixels = np.full((256, 512, 3), (225, 150, 190), np.uint8)
    pixels[:64, :64] = (90, 50, 130)
    pages = (np.full((64, 64, 3), 255, np.uint8), pixels, np.ascontiguousarray(pixels[::4, ::4]))
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for number, page in enumerate(pages):
            tiff.write(
                page,
                tile=(64, 64),
                photometric="rgb",
                description=xml if number == 0 else None,
                metadata=None,
                subfiletype=0,
                resolution=(1e7 / NM_PER_PX, 1e7 / NM_PER_PX),
                resolutionunit="CENTIMETER",
            )
