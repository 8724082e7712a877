"""Everything that knows torch: nets, training, inference, simulation, and (NumPy only) active learning.

Calls ``bridge`` for slides, rasters and label plans; never opens the store, never reads the environment: ``scripts``
hands it records and options, so that training is a function of its arguments.
"""

import os

# ONNX Runtime tells its maker of models and runs from 1.29 on, unless this is set before it is loaded; MONAI loads it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
