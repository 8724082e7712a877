from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# In the order of the program: nets bring MONAI, which loads ONNX Runtime by itself.
PROGRAM = """
import models.nets
from models.onnx_library import load_onnxruntime
import numpy, onnx
from onnx import TensorProto, helper
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Neg", ["a"], ["b"])], "g", [value("a")], [value("b")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnxruntime = load_onnxruntime()
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
print(session.run(None, {"a": numpy.ones(1, numpy.float32)})[0][0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where the library keeps what it reports is known of Linux")
def test_onnx_runtime_makes_no_number_for_the_machine_and_keeps_nothing_to_report(tmp_path: Path) -> None:
    # CI, PYTEST_* and the like would silence it as well, so the program gets none of them.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    surroundings = {**kept, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "-1.0", done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.name == "deviceid" or path.suffix == ".db"] == []
