"""Looking into a model without changing it: what each layer costs, sees and produces."""

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
    "model_table",
    "occlusion",
    "summarise",
    "summary",
]
