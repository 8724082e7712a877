"""How to tell HALO's XML, which has the element names of ImageScope's, from it; siblings that read either share this.

HALO counts and nests in ways of its own, so that its files are refused by name, wherever they turn up.
"""

from __future__ import annotations

import re

HALO_ADVICE = "export the annotations as GeoJSON from HALO"

# Words for types, and <V> for vertices. The first region tells: vertices by the million needn't be looked through.
_SIGN = re.compile(rb"\bHasEndcaps=|<V\s+X=|<Region\b[^>]*\bType=\"[A-Z]")
_FIRST_REGION = re.compile(rb"<Region\s")
_REGION_BYTES = 8192


def is_halo(xml: bytes) -> bool:
    r"""Say whether XML that looks like ImageScope's is HALO's.

    Parameters
    ----------
    xml
        The file or its first bytes, in an encoding that writes ASCII as ASCII.

    Examples
    --------
    >>> is_halo(b'<Region Type="Polygon" HasEndcaps="0">'), is_halo(b'<Region Type="0">')
    (True, False)
    """
    region = _FIRST_REGION.search(xml)
    start = 0 if region is None else region.start()
    return _SIGN.search(xml, start, start + _REGION_BYTES) is not None
