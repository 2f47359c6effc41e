"""Looking into a model without changing it: what each layer costs, sees and produces."""

from course_utils.inspection.attribution import grad_cam, last_conv, saliency, share_on_mask
from course_utils.inspection.capture import Capture, capture
from course_utils.inspection.occlusion import Occlusion, occlusion
from course_utils.inspection.receptive import FieldTracker
from course_utils.inspection.summary import LayerRow, Summary, summary
from course_utils.inspection.zoo import model_table, summarise

__all__ = [
    "Capture",
    "FieldTracker",
    "LayerRow",
    "Occlusion",
    "Summary",
    "capture",
    "grad_cam",
    "last_conv",
    "model_table",
    "occlusion",
    "saliency",
    "share_on_mask",
    "summarise",
    "summary",
]
