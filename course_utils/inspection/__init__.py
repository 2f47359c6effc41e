"""Looking into a model without changing it: what each layer costs, sees and produces."""

from course_utils.inspection.ablation import Ablation, ablate, blocks, removable, without
from course_utils.inspection.attribution import (
    Occlusion,
    grad_cam,
    last_conv,
    occlusion,
    saliency,
    share_on_mask,
)
from course_utils.inspection.capture import Capture, capture
from course_utils.inspection.gradients import (
    activation_spread,
    gradient_norms,
    layer_names,
    parameter_gradients,
)
from course_utils.inspection.landscape import (
    Landscape,
    loss_along,
    loss_surface,
    random_direction,
)
from course_utils.inspection.memory import TrainingMemory, training_memory
from course_utils.inspection.receptive import FieldTracker
from course_utils.inspection.reuse import ReuseMap, feature_reuse
from course_utils.inspection.shattering import (
    Line,
    autocorrelation,
    autocorrelation_by_depth,
    brown_noise,
    gradient_series,
    input_gradients,
    rectifier_net,
    white_noise,
)
from course_utils.inspection.summary import LayerRow, Summary, summary
from course_utils.inspection.twins import first_difference
from course_utils.inspection.zoo import model_table, summarise

__all__ = [
    "Ablation",
    "Capture",
    "FieldTracker",
    "Landscape",
    "LayerRow",
    "Line",
    "Occlusion",
    "ReuseMap",
    "Summary",
    "TrainingMemory",
    "ablate",
    "activation_spread",
    "autocorrelation",
    "autocorrelation_by_depth",
    "blocks",
    "brown_noise",
    "capture",
    "feature_reuse",
    "first_difference",
    "grad_cam",
    "gradient_norms",
    "gradient_series",
    "input_gradients",
    "last_conv",
    "layer_names",
    "loss_along",
    "loss_surface",
    "model_table",
    "occlusion",
    "parameter_gradients",
    "random_direction",
    "rectifier_net",
    "removable",
    "saliency",
    "share_on_mask",
    "summarise",
    "summary",
    "training_memory",
    "white_noise",
    "without",
]
