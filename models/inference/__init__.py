"""Inference: slides in, probability maps out, in bands; by torch or by ONNX Runtime, in one pass or two.

Trains nothing and writes no file. May call ``models.checkpoints``, ``models.data``, ``models.nets`` and ``bridge``.
"""

from models.inference.bands import (
    Area,
    Passes,
    PredictionOptions,
    PredictionProgress,
    fitting_tiles,
    predict_bands,
    prediction_grid,
)
from models.inference.cost import PredictionCost, Stage, Stopwatch
from models.inference.deepzoom import DeepZoomPredictor
from models.inference.draws import MOST_DRAWS, in_step, turned_draws
from models.inference.hot_spots import HotSpotOptions, HotSpots, find_hot_spots
from models.inference.hybrid import HybridPredictor
from models.inference.onnx import export_onnx, open_session
from models.inference.patchwise import PatchwisePredictor
from models.inference.predictor import Predictor, Runtime
from models.inference.slide_predictor import SlidePredictor, open_predictor
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
    "Turn",
    "Unlikeness",
    "export_onnx",
    "find_hot_spots",
    "fitting_tiles",
    "in_step",
    "measure_unlikeness",
    "open_predictor",
    "open_session",
    "predict_bands",
    "prediction_grid",
    "turned_draws",
]
