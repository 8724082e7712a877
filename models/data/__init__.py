"""Data: from label plans and slides to batches. Samplers say *where*, the dataset fetches *what*.

Nothing is chopped to disk: tiles come straight from the slide, decoded blocks are kept in memory within a bound. Knows
no net. May call ``bridge.slides``, ``bridge.raster``, ``bridge.annotations`` and ``bridge.coords``.
"""

from models.data.appearance import MOST_TILE_PX, features_at, tile_features, tissue_windows, training_features
from models.data.augmentation import Augmentation, AugmentationOptions, to_tensors
from models.data.batches import BatchMaker, Maker, batches_ahead
from models.data.centred import CentredOptions, CentredTile, SplitRule, components, index_centres, tiles_on
from models.data.clusters import ClusterOptions, TissueClusters
from models.data.dyed import DyedSlide, dye_like, reference_stains, slide_stains
from models.data.guided import GuidedSlide, HeatMap, interpolate
from models.data.index import SlideIndex, index_slide
from models.data.patch_ground import PatchOptions
from models.data.patch_labels import LabelMaker, LabelSampler, PatchIndex, index_patch_labels
from models.data.patches import index_patches
from models.data.sampler import SamplingOptions, TileSpot, TreeSampler
from models.data.share import Portion, Share
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
from models.data.tree import SamplingTree
from models.data.weak_subsets import (
    SortedTile,
    TileUse,
    WeakSetting,
    WeakSubset,
    draw_subset,
    sort_tile,
    subset_sizes,
)

__all__ = [
    "MOST_TILE_PX",
    "Augmentation",
    "AugmentationOptions",
    "BatchMaker",
    "CentredOptions",
    "CentredTile",
    "ClusterOptions",
    "DyedSlide",
    "GuidedSlide",
    "HeatMap",
    "LabelMaker",
    "LabelSampler",
    "MacenkoOptions",
    "Maker",
    "PatchIndex",
    "PatchOptions",
    "Portion",
    "SamplingOptions",
    "SamplingTree",
    "Share",
    "SlideIndex",
    "SortedTile",
    "SplitRule",
    "StainJitter",
    "StainJitterOptions",
    "StainVectors",
    "Stains",
    "Tile",
    "TileDataset",
    "TileSpot",
    "TileUse",
    "TissueClusters",
    "TrainingSlide",
    "TreeSampler",
    "WeakSetting",
    "WeakSubset",
    "batches_ahead",
    "combine_stains",
    "components",
    "draw_subset",
    "dye_like",
    "features_at",
    "find_stains",
    "index_centres",
    "index_patch_labels",
    "index_patches",
    "index_slide",
    "interpolate",
    "normalize_stains",
    "optical_density",
    "reference_stains",
    "separate_stains",
    "slide_downsample",
    "slide_stains",
    "sort_tile",
    "subset_sizes",
    "tile_features",
    "tiles_on",
    "tissue_windows",
    "to_tensors",
    "training_features",
]
