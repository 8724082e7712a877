"""What stands beside a model folder for WSInfer, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.exporting.facts import ModelFacts

_TEXT = """
# SlideBridge model {id}, for WSInfer

Says one class for each tile of {side} × {side} pixels of {mpp:g} µm ({um:g} × {um:g} µm): {classes}.

{notes}

## In QuPath

1. Install QuPath's WSInfer extension (0.3 or newer), and let it download PyTorch.
2. Put this whole folder into `wsinfer/user` of QuPath's user directory, so that there is
   `wsinfer/user/{folder}/config.json`. (Extension 0.3 asks for a *User model directory* instead: choose the folder that
   this one lies in.)
3. *Extensions > WSInfer*: choose `{folder}`, select annotations, *Run*.

The extension wants a network connection when it starts, for its own list of models.

## With WSInfer itself

```
wsinfer run --wsi-dir SLIDES --results-dir RESULTS --config config.json --model-path torchscript_model.pt
```

## The files

* `torchscript_model.pt`: the network as TorchScript. It takes float tiles (n, 3, {side}, {side}) of 0 to 1 and gives
  the logarithms of probabilities, whose softmax the readers take. Its own normalization is inside.
* `config.json`: WSInfer's description of it.
* `card.json`: where it is from, and how it was checked.

Licence of the weights: {licence}. Research use; no medical device.
"""


def wsinfer_readme(facts: ModelFacts, tile_px: int, folder: str, notes: Sequence[str]) -> str:
    """Return the text.

    Parameters
    ----------
    folder
        Name of the model's folder: QuPath calls the model so.
    """
    return _TEXT.format(
        id=facts.checkpoint_id,
        side=tile_px,
        mpp=facts.card.mpp,
        um=round(tile_px * facts.card.mpp, 3),
        classes=", ".join(facts.classes),
        notes="\n".join(f"* {note[0].upper()}{note[1:]}." for note in notes),
        folder=folder,
        licence=facts.licence,
    )
