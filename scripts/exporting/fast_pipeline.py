"""A FAST text pipeline: what FastPathology, and FAST's own runPipeline, read to put a network over a whole slide.

The grammar is FAST's (doc/pages/FAST-Text-Pipelines.md, source/FAST/Pipeline.cpp): one statement a line, blocks that
begin with ProcessObject or Renderer, no escape for a quote. What people may write into names must therefore not reach
it as it is.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

INPUT_NAME = "WSI"  # FastPathology hands the slide over by this name
_FIRST_MAGNIFICATION_MPP = 10.0  # FAST's: 40 times is 0.25 µm per pixel
_TISSUE_THRESHOLD = 85  # FastPathology's own pipelines have it
_LEAST_TISSUE = 0.02  # of a tile
_PALETTE = ("0;158;115", "213;94;0", "0;114;178", "204;121;167", "240;228;66", "86;180;233")
_UNSAFE = re.compile(r'["$;@#\\]')
_SPACES = re.compile(r"\s+")
_MULTIPLE = 16  # FAST's of what a tile shows beyond its neighbours


@dataclass(frozen=True, slots=True)
class FastPipeline:
    """One network over one slide.

    Parameters
    ----------
    name, description
        For people.
    classes
        In the network's order; the first is what isn't shown.
    colours
        ``#rrggbb`` or None, as many.
    model_file
        Of the network, in the folder ``models`` beside the pipeline's.
    mpp
        µm per pixel of the network's input.
    tile_px
        Side of a tile.
    overlap_px
        Shared by neighbouring tiles.
    says_one_class
        One class for each tile, not for each pixel.
    """

    name: str
    description: str
    classes: tuple[str, ...]
    colours: tuple[str | None, ...]
    model_file: str
    mpp: float
    tile_px: int
    overlap_px: int
    says_one_class: bool

    def text(self) -> str:
        """Return the file's content."""
        return "\n".join([*self._head(), "", *self._chain(), "", *self._renderers()]) + "\n"

    def _head(self) -> list[str]:
        output = "heatmap stitcher 0" if self.says_one_class else "segmentation stitcher 0"
        return [
            f'PipelineName "{plain_text(self.name)}"',
            f'PipelineDescription "{plain_text(self.description)}"',
            f'PipelineInputData {INPUT_NAME} "Whole-slide image"',
            f"PipelineOutputData {output}",
            f'Attribute classes "{";".join(plain_text(name) for name in self.classes)}"',
        ]

    def _chain(self) -> list[str]:
        network = "NeuralNetwork" if self.says_one_class else "SegmentationNetwork"
        threshold = [] if self.says_one_class else ["Attribute threshold 0.0"]  # the likeliest class, however likely
        return [
            "### Processing chain",
            "",
            "ProcessObject tissue TissueSegmentation",
            f"Attribute threshold {_TISSUE_THRESHOLD}",
            f"Input 0 {INPUT_NAME}",
            "",
            "ProcessObject patch PatchGenerator",
            f"Attribute patch-size {self.tile_px} {self.tile_px}",
            f"Attribute patch-magnification {magnification(self.mpp):g}",
            f"Attribute patch-overlap {self.overlap_px / self.tile_px / 2:.6f}",
            f"Attribute mask-threshold {_LEAST_TISSUE}",
            f"Input 0 {INPUT_NAME}",
            "Input 1 tissue 0",
            "",
            f"ProcessObject network {network}",
            "Attribute scale-factor 1.0",
            *threshold,
            "Attribute inference-engine ONNXRuntime",
            f'Attribute model "$CURRENT_PATH$/../models/{self.model_file}"',
            "Input 0 patch 0",
            "",
            "ProcessObject stitcher PatchStitcher",
            "Input 0 network 0",
        ]

    def _renderers(self) -> list[str]:
        colours = " ".join(f'"{i}" "{colour}"' for i, colour in self._shown())
        slide = ["### Renderers", "", "Renderer slide ImagePyramidRenderer", f"Input 0 {INPUT_NAME}", ""]
        if self.says_one_class:
            return [
                *slide,
                "Renderer result HeatmapRenderer",
                "Attribute interpolation false",
                "Attribute hidden-channels 0",
                f"Attribute channel-colors {colours}",
                "Input 0 stitcher 0",
            ]
        return [
            *slide,
            "Renderer result SegmentationRenderer",
            "Attribute opacity 0.4",
            "Attribute border-opacity 1.0",
            f"Attribute label-colors {colours}",
            "Input 0 stitcher 0",
        ]

    def _shown(self) -> list[tuple[int, str]]:
        return [(i, fast_colour(self.colours[i], i)) for i in range(1, len(self.classes))]


def magnification(mpp: float) -> float:
    """Return the magnification that FAST takes for a resolution."""
    return round(_FIRST_MAGNIFICATION_MPP / mpp, 4)


def fast_colour(colour: str | None, place: int) -> str:
    """Return a colour as FAST reads it, ``red;green;blue``; one of a palette where there is none."""
    if colour is None:
        return _PALETTE[place % len(_PALETTE)]
    return ";".join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5))


def plain_text(text: str) -> str:
    """Return a text without what means something to FAST's reader, or to a terminal."""
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return _SPACES.sub(" ", _UNSAFE.sub("_", shown)).strip() or "_"


def fitting_overlap(tile_px: int, overlap_px: int) -> int:
    """Return the nearest overlap, not less, that FAST takes without changing it: the rest is a multiple of 16."""
    rest = max(_MULTIPLE, (tile_px - overlap_px) // _MULTIPLE * _MULTIPLE)
    return tile_px - rest


def fits(tile_px: int) -> bool:
    """Say whether FAST can cut a slide into tiles of this side, side by side."""
    return tile_px % _MULTIPLE == 0
