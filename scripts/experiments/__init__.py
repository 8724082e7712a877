"""The papers' comparisons, and the generator of slides that they run on. Not part of the wheel.

Lives here: slides with exact truth by option and seed (``GeneratedSlide``, ``write_slide``), the settings that judge
the papers' claims (``SETTINGS``), and the experiments themselves. ``python -m scripts.experiments.generate --list``
says what there is. May call every room below ``scripts``.
"""

from scripts.experiments.options import KidneyOptions, LymphOptions, SlideOptions, TumourOptions
from scripts.experiments.painting import BLOCK_PX, GeneratedSlide
from scripts.experiments.settings import SETTINGS, Claim, Setting, Stance, setting
from scripts.experiments.writing import WriteOptions, WrittenSlide, write_slide

__all__ = [
    "BLOCK_PX",
    "SETTINGS",
    "Claim",
    "GeneratedSlide",
    "KidneyOptions",
    "LymphOptions",
    "Setting",
    "SlideOptions",
    "Stance",
    "TumourOptions",
    "WriteOptions",
    "WrittenSlide",
    "setting",
    "write_slide",
]
