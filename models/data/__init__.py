"""Data: from label plans and slides to batches. Samplers say *where*, the dataset fetches *what*.

Nothing is chopped to disk: tiles come straight from the slide, decoded blocks are kept in memory within a bound. Knows
no net. May call ``bridge.slides``, ``bridge.raster``, ``bridge.annotations`` and ``bridge.coords``.
"""

from models.data.augmentation import Augmentation, AugmentationOptions, to_tensors
from models.data.batches import BatchMaker, Maker, batches_ahead
from models.data.clusters import ClusterOptions, TissueClusters
from models.data.index import SlideIndex, index_slide
from models.data.sampler import SamplingOptions, TileSpot, TreeSampler
from models.data.slides import Tile, TrainingSlide, slide_downsample
from models.data.stain_jitter import StainJitter, StainJitterOptions, StainVectors
from models.data.stains import (
    MacenkoOptions,
    Stains,
    combine_stains,
    find_stains,
    normalize_stains,
    optical_density,
    separate_stains,
)
from models.data.tiles import TileDataset

__all__ = [
    "Augmentation",
    "AugmentationOptions",
    "BatchMaker",
    "ClusterOptions",
    "MacenkoOptions",
    "Maker",
    "SamplingOptions",
    "SlideIndex",
    "StainJitter",
    "StainJitterOptions",
    "StainVectors",
    "Stains",
    "Tile",
    "TileDataset",
    "TileSpot",
    "TissueClusters",
    "TrainingSlide",
    "TreeSampler",
    "batches_ahead",
    "combine_stains",
    "find_stains",
    "index_slide",
    "normalize_stains",
    "optical_density",
    "separate_stains",
    "slide_downsample",
    "to_tensors",
]
