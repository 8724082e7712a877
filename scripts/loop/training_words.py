"""What a training is called in what people read: by what it learned from, and why it ended as it did."""

from __future__ import annotations

_KINDS = {"incremental": "on new labels", "nightly": "on all labels"}
_NETS = {"high": "close view", "low": "overview", "refinement": "refinement"}
_EARLIER = (
    ("promoted: ", "the new model is used from now on; "),
    ("promoted by force: ", "the new model is used from now on, by force; "),
    ("kept the champion: ", "the model before stays in use; "),
    ("the first champion", "the first model"),
    ("the champion's", "the model before"),
    ("the champion", "the model before"),
)


def kind_in_words(kind: str) -> str:
    """Return what a training learns from, to stand after "training".

    Examples
    --------
    >>> kind_in_words("incremental"), kind_in_words("nightly")
    ('on new labels', 'on all labels')
    """
    return _KINDS.get(kind, kind)


def net_in_words(net: str) -> str:
    """Return what one of the networks of a training is called; the only one has no name.

    Examples
    --------
    >>> net_in_words("high"), net_in_words("fold-2"), net_in_words("")
    ('close view', 'helper 2', 'network')
    """
    if net.startswith("fold-"):
        return f"helper {net.removeprefix('fold-')}"
    return _NETS.get(net, net or "network")


def reason_in_words(reason: str | None) -> str:
    """Return why a training ended as it did, as its record says; records of earlier versions in today's words.

    Examples
    --------
    >>> reason_in_words("kept the champion: hold-out score 0.351, the champion's 0.402, on 900 pixels")
    'the model before stays in use; hold-out score 0.351, the model before 0.402, on 900 pixels'
    """
    said = " ".join((reason or "").split())
    for before, now in _EARLIER:
        said = said.replace(before, now)
    return said
