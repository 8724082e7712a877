"""What stands beside exported ONNX files, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from models.checkpoints import Checkpoint
from scripts.exporting.checking import at_most
from scripts.exporting.outcome import ExportedNetwork

_RGB = 3
_HEAD = """
SlideBridge model {id} (design {design}), as ONNX

Any program with ONNX Runtime can use these files. Nothing has to be prepared: give the pixels of a tile as they are on
the slide (red, green, blue, 0 to 255, whole numbers), and get probabilities. card.json says the same for programs, and
each file says it of itself (metadata_props).
"""
_NETWORK = """
{file}: {purpose}

Pixels of {mpp:g} micrometres: bring the slide to this resolution first. Trained on tiles of {side} x {side}; height and
width may be any multiple of {stride}, and any number of tiles goes in at once.{heat}
Out come {shape}, in this order:
{classes}
Checked against the model itself on {tiles} tiles of real slides: differs by {difference} at most.

    import numpy, onnxruntime
    session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
    tiles = numpy.zeros((1, {side}, {side}, {channels}), numpy.uint8)  # your pixels here
    (probabilities,) = session.run(None, {{"pixels": tiles}})
    best = probabilities.argmax(axis=1)  # numbers of the classes above
"""
_HEAT = """
A fourth channel is the heat map: 255 x (1 - the probability of class 0 that patches.onnx says), bilinearly brought to
these pixels. (For the check it was made of the tile's darkness.)"""
_COARSE_TO_FINE = """
Used together: coarse.onnx goes over the whole tissue; fine.onnx is needed only where coarse.onnx finds some class
likely, grown a little on every side. fine.onnx alone over all tissue works too, and is slower.
"""
_PATCHES_TO_REFINEMENT = """
Used together: patches.onnx first, side by side over the tissue; what it says is the heat map for refinement.onnx.
"""
_END = """
Tiles that touch: read each with some pixels more on every side, and use the middle only.
Licence of the weights: {licence}.
Research use; no medical device.
"""


def onnx_readme(checkpoint: Checkpoint, networks: Sequence[ExportedNetwork], notes: Sequence[str]) -> str:
    """Return the text."""
    parts = [
        _HEAD.format(id=checkpoint.id, design=checkpoint.card.design),
        *(_network(network) for network in networks),
        _together([network.facts.title for network in networks]),
        *(f"Note: {note}." for note in notes),
        _END.format(licence=networks[0].facts.licence),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part)


def _network(network: ExportedNetwork) -> str:
    facts = network.facts
    named = enumerate(zip(facts.classes, facts.colours, strict=True))
    return _NETWORK.format(
        file=network.file,
        purpose=facts.purpose,
        mpp=facts.card.mpp,
        side=facts.card.tile_px,
        stride=facts.stride,
        channels=facts.channels,
        heat=_HEAT if facts.channels > _RGB else "",
        shape="one row per tile" if facts.says_one_class else "one plane per class, as high and wide as the tile",
        classes="\n".join(f"    {i}  {name}{f'  {colour}' if colour else ''}" for i, (name, colour) in named),
        tiles=network.check.tiles,
        difference=at_most(network.check.largest_difference),
    )


def _together(titles: Sequence[str]) -> str:
    if "coarse" in titles:
        return _COARSE_TO_FINE
    return _PATCHES_TO_REFINEMENT if len(titles) > 1 else ""
