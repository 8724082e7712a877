"""Inference: slides in, probability maps out, in bands; by torch or by ONNX Runtime, in one pass or two.

Trains nothing and writes no file. May call ``models.checkpoints``, ``models.data``, ``models.nets`` and ``bridge``.
"""

from models.inference.bands import (
    Area,
    PredictionOptions,
    PredictionProgress,
    predict_bands,
    prediction_grid,
)
from models.inference.deepzoom import DeepZoomPredictor
from models.inference.hot_spots import HotSpotOptions, HotSpots, find_hot_spots
from models.inference.onnx import export_onnx, open_session
from models.inference.predictor import Predictor, Runtime
from models.inference.slide_predictor import SlidePredictor, open_predictor

__all__ = [
    "Area",
    "DeepZoomPredictor",
    "HotSpotOptions",
    "HotSpots",
    "PredictionOptions",
    "PredictionProgress",
    "Predictor",
    "Runtime",
    "SlidePredictor",
    "export_onnx",
    "find_hot_spots",
    "open_predictor",
    "open_session",
    "predict_bands",
    "prediction_grid",
]
