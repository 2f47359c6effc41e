"""Looking into a model without changing it: what each layer costs, sees and produces."""

from course_utils.inspection.attribution import grad_cam, last_conv, saliency, share_on_mask
from course_utils.inspection.capture import Capture, capture
from course_utils.inspection.gradients import (
    activation_spread,
    gradient_norms,
    layer_names,
    output_gradients,
    parameter_gradients,
)
from course_utils.inspection.landscape import (
    Landscape,
    loss_along,
    loss_surface,
    random_direction,
)
from course_utils.inspection.memory import TrainingMemory, training_memory
from course_utils.inspection.occlusion import Occlusion, occlusion
from course_utils.inspection.receptive import FieldTracker
from course_utils.inspection.reuse import ReuseMap, feature_reuse
from course_utils.inspection.summary import LayerRow, Summary, summary
from course_utils.inspection.zoo import model_table, summarise

__all__ = [
    "Capture",
    "FieldTracker",
    "Landscape",
    "LayerRow",
    "Occlusion",
    "ReuseMap",
    "Summary",
    "TrainingMemory",
    "activation_spread",
    "capture",
    "feature_reuse",
    "grad_cam",
    "gradient_norms",
    "last_conv",
    "layer_names",
    "loss_along",
    "loss_surface",
    "model_table",
    "occlusion",
    "output_gradients",
    "parameter_gradients",
    "random_direction",
    "saliency",
    "share_on_mask",
    "summarise",
    "summary",
    "training_memory",
]
