"""What stands beside a data set, in plain words."""

from __future__ import annotations

from bridge.annotations import ClassScheme
from scripts.exporting.dataset_request import DatasetRequest

_TEXT = """
A data set made by SlideBridge

Only what people labelled is in it: what they drew, and predictions that somebody accepted or corrected. What only a
model said is not.

{files}

Pixels of {mpp:g} micrometres; a slide that is coarser keeps its own. The numbers in the label files:
{classes}
    {ignore:3}  nobody said what is here: leave these pixels out of the loss

Tr is to train with. Ts is held out, {held_out}: SlideBridge never trained on it, and labels that
began as predictions are ignored there.

geojson/ has the outlines of each slide in pixels of its finest level; QuPath opens them. Their metadata say what trains
and what is held out. dataset.json lists every file with its SHA-256 and its place on the slide (x, y, width, height, in
whole pixels of the finest level, rounded outwards). A box that was given one class as a whole labels no pixels; slides
with nothing else are not in this data set.
"""
_TILES = """
imagesTr/NAME_0000.{suffix} is a tile of {side} x {side} pixels, labelsTr/NAME.{suffix} its labels, one number a pixel
(it looks black in picture viewers). Tiles without any label are not there. Off the slide tiles are white.
"""
_WHOLE = """
labelsTr/NAME.tif has the labels of one whole slide, with reduced levels; QuPath and `slidebridge convert` read it. The
pictures are the slides themselves.
"""
_READERS = """
nnU-Net: call this folder DatasetNNN_NAME, put it into nnUNet_raw, and go on with nnUNetv2_plan_and_preprocess.
MONAI: monai.data.load_decathlon_datalist("dataset.json", data_list_key="training"), and "validation" for what is held
out.
"""


def dataset_readme(scheme: ClassScheme, request: DatasetRequest, mpp: float, ignore: int, held_out: int) -> str:
    """Return the text."""
    files = _WHOLE if request.is_whole else _TILES.format(suffix=request.format.value, side=request.tile_px)
    text = _TEXT.format(
        files=files.strip("\n"),
        mpp=mpp,
        classes="\n".join(f"    {label:3}  {name}" for label, name in enumerate(scheme.names)),
        ignore=ignore,
        held_out="to judge by" if held_out else "and empty here",
    )
    return (text if request.is_whole else text + _READERS).lstrip("\n")
