"""A text pipeline loaded and run by FAST itself: ``fast_pipeline_run.py LOADER FPL SLIDE OUTPUT RESULT.npy``.

Run by the Python of the bench environment ``fast``. LOADER is ``scripts/bench/peers/fast_predict.py``, which knows how
that environment's FAST is loaded. The pipeline's name, and its attribute ``classes``, are printed as JSON.
"""

import importlib.util
import json
import sys

import numpy as np


def main() -> None:
    """Load, run, keep what came out."""
    loader, pipeline_path, slide, output, result = sys.argv[1:6]
    spec = importlib.util.spec_from_file_location("fast_predict", loader)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fast = module.loaded()
    fast.Reporter.setGlobalReportMethod(fast.Reporter.NONE)
    pipeline = fast.Pipeline(pipeline_path)
    importer = fast.WholeSlideImageImporter.create(slide)
    pipeline.parse({"WSI": importer.runAndGetOutputData()}, {}, False)
    found = pipeline.getPipelineOutputData(output)
    np.save(result, np.asarray(getattr(fast, found.getNameOfClass()).fromDataObject(found)))
    said = {"name": pipeline.getName(), "classes": pipeline.getPipelineAttribute("classes")}
    sys.stdout.write("\n" + json.dumps(said) + "\n")  # FAST's own progress leaves its line open


if __name__ == "__main__":
    main()
