"""Inference: slides in, probability maps out, in bands; by torch or by ONNX Runtime, in one pass or two.

Trains nothing and writes no file. May call ``models.checkpoints``, ``models.data``, ``models.nets`` and ``bridge``.
"""

from models.inference.bands import Area, PredictionProgress, fitting_tiles, predict_bands, prediction_grid
from models.inference.cost import PredictionCost, Stage, Stopwatch
from models.inference.deepzoom import DeepZoomPredictor
from models.inference.draws import MOST_DRAWS, in_step, turned_draws
from models.inference.hot_spots import HotSpotOptions, HotSpots, find_hot_spots
from models.inference.hybrid import HybridPredictor
from models.inference.onnx import InputForm, export_onnx, open_session, with_facts
from models.inference.patchwise import PatchwisePredictor
from models.inference.predictor import Predictor, Runtime
from models.inference.slide_predictor import SlidePredictor, open_predictor
from models.inference.tile_line import Passes, PredictionOptions
from models.inference.torchscript import (
    TileClassifier,
    export_torchscript,
    has_taught_label_head,
    load_torchscript,
    tile_classifier,
)
from models.inference.turns import TURNS, Turn
from models.inference.unlikeness import FAR, Unlikeness, measure_unlikeness

__all__ = [
    "FAR",
    "MOST_DRAWS",
    "TURNS",
    "Area",
    "DeepZoomPredictor",
    "HotSpotOptions",
    "HotSpots",
    "HybridPredictor",
    "InputForm",
    "Passes",
    "PatchwisePredictor",
    "PredictionCost",
    "PredictionOptions",
    "PredictionProgress",
    "Predictor",
    "Runtime",
    "SlidePredictor",
    "Stage",
    "Stopwatch",
    "TileClassifier",
    "Turn",
    "Unlikeness",
    "export_onnx",
    "export_torchscript",
    "find_hot_spots",
    "fitting_tiles",
    "has_taught_label_head",
    "in_step",
    "load_torchscript",
    "measure_unlikeness",
    "open_predictor",
    "open_session",
    "predict_bands",
    "prediction_grid",
    "tile_classifier",
    "turned_draws",
    "with_facts",
]
