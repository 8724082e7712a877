"""``python -m scripts.experiments.generate``: write the slides of a setting, or list the settings.

Run again, it goes on where it was cut off; the same options give the same files.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from PIL import Image

from scripts.experiments.overview import thumbnail
from scripts.experiments.settings import SETTINGS, Setting, setting
from scripts.experiments.writing import WriteOptions, write_slide


def main(arguments: list[str] | None = None) -> None:
    """Parse, generate, print."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if asked.list or not asked.output:
        print("\n\n".join(_described(s) for s in SETTINGS))
        return
    for name in asked.setting or [s.name for s in SETTINGS]:
        _generate(_resized(setting(name), asked.size, asked.mpp), asked)


def _generate(chosen: Setting, asked: argparse.Namespace) -> None:
    folder = asked.output / chosen.name
    for number, generated in enumerate(chosen.slides(asked.slides, asked.seed)):
        name = f"{chosen.name}-s{asked.seed}-{number:02d}"
        written = write_slide(generated, folder, name, WriteOptions(asked.quality, asked.mask_downsample))
        print(written.slide)
        if asked.thumbnail:
            target = folder / "thumbnails" / f"{name}.png"
            target.parent.mkdir(exist_ok=True)
            Image.fromarray(thumbnail(written.slide, asked.thumbnail)).save(target)


def _resized(chosen: Setting, size: int | None, mpp: float | None) -> Setting:
    slide = chosen.slide
    if size is not None:
        slide = replace(slide, width_px=size, height_px=size)
    if mpp is not None:
        slide = replace(slide, mpp=mpp)
    return replace(chosen, slide=slide)


def _described(chosen: Setting) -> str:
    return f"{chosen.name}\n  why: {chosen.why}\n  expected: {chosen.expectation}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.experiments.generate", description=__doc__)
    parser.add_argument("output", type=Path, nargs="?", help="folder; each setting gets one of its own in it")
    parser.add_argument("--list", action="store_true", help="say what the settings are and what is expected of them")
    parser.add_argument("--setting", action="append", help="by name, may be repeated (default: all)")
    parser.add_argument("--slides", type=int, default=3, help="per setting (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="another one draws other slides (default: 0)")
    parser.add_argument("--size", type=int, help="width and height in pixels, instead of the setting's")
    parser.add_argument("--mpp", type=float, help="µm per pixel, instead of the setting's")
    parser.add_argument("--quality", type=int, default=85, help="of JPEG (default: 85)")
    parser.add_argument("--mask-downsample", type=int, help="also write masks, at this downsample (default: none)")
    parser.add_argument("--thumbnail", type=int, help="also write a PNG of at most this many pixels a side")
    return parser


if __name__ == "__main__":
    main()
