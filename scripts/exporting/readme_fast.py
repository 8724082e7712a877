"""What stands beside a model for FastPathology, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.exporting.facts import ModelFacts
from scripts.exporting.fast_pipeline import FastPipeline, magnification

_TEXT = """
SlideBridge model {id}, for FastPathology

FastPathology keeps its pipelines and models in the folder `fastpathology` in your home folder.
1. Copy pipelines/{file} into fastpathology/pipelines, and models/{model} into fastpathology/models.
   (The buttons `Add pipelines from disk` and `Add models from disk` of its tab Process do the same.)
2. Start FastPathology, open a slide, choose the pipeline `{name}`, and run it.

It shows {what}: {classes}.

FAST goes by magnifications: it sees the slide at {times:g} times, which it takes for {mpp:g} micrometres per pixel. A
slide must say its magnification (SVS, NDPI, MRXS and SCN do); one whose pixels are a little larger or smaller than
usual for it is seen so.

{notes}

Licence of the weights: {licence}.
Research use; no medical device.
"""


def fast_readme(facts: ModelFacts, pipeline: FastPipeline, file: str, notes: Sequence[str]) -> str:
    """Return the text.

    Parameters
    ----------
    file
        The pipeline's.
    """
    return _TEXT.format(
        id=facts.checkpoint_id,
        file=file,
        model=pipeline.model_file,
        name=pipeline.name,
        what="a heat map, one square per tile" if facts.says_one_class else "a class for every pixel",
        classes=", ".join(facts.classes[1:]),
        times=magnification(facts.card.mpp),
        mpp=facts.card.mpp,
        notes="\n".join(f"Note: {note}." for note in notes),
        licence=facts.licence,
    )
