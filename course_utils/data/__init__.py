"""Images with labels, in batches: `load("fashion_mnist_mini", batch_size=64)`."""

from course_utils.data.augment import Augment
from course_utils.data.batches import Batches
from course_utils.data.errors import DataCorrupt, DataUnavailable
from course_utils.data.info import DataInfo
from course_utils.data.sets import Loaders, data_root, load, names, status
from course_utils.data.shapes import Shapes, ShapesConfig, make_shapes

__all__ = [
    "Augment",
    "Batches",
    "DataCorrupt",
    "DataInfo",
    "DataUnavailable",
    "Loaders",
    "Shapes",
    "ShapesConfig",
    "data_root",
    "load",
    "make_shapes",
    "names",
    "status",
]
