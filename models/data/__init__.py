"""Data: from label plans and slides to batches. Samplers say *where*, the dataset fetches *what*.

Nothing is chopped to disk: tiles come straight from the slide, decoded blocks are kept in memory within a bound. Knows
no net. May call ``bridge.slides``, ``bridge.raster``, ``bridge.annotations`` and ``bridge.coords``.
"""

from models.data.augmentation import Augmentation, AugmentationOptions, to_tensors
from models.data.batches import BatchMaker, batches_ahead
from models.data.index import SlideIndex, index_slide
from models.data.sampler import SamplingOptions, TileSpot, TreeSampler
from models.data.slides import Tile, TrainingSlide, slide_downsample
from models.data.tiles import TileDataset

__all__ = [
    "Augmentation",
    "AugmentationOptions",
    "BatchMaker",
    "SamplingOptions",
    "SlideIndex",
    "Tile",
    "TileDataset",
    "TileSpot",
    "TrainingSlide",
    "TreeSampler",
    "batches_ahead",
    "index_slide",
    "slide_downsample",
    "to_tensors",
]
