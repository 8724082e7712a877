"""Exports: a model as other programs load it (ONNX, FAST, WSInfer), and people's labels as a data set.

Reads a project and writes one folder outside of it, whole or not at all. A model is handed over only after what was
written has given the same numbers as the model itself, on tiles of the project's slides.
"""
