"""Training: `fit` a model to data, `evaluate` it, keep the `History`.

The loop itself is in `loop.py`, and is written to be read after lesson 07.
"""

from course_utils.training.callbacks import ProgressBar
from course_utils.training.config import TrainConfig
from course_utils.training.evaluation import Evaluation, evaluate
from course_utils.training.history import EpochRecord, History
from course_utils.training.loop import fit
from course_utils.training.schedules import learning_rate

__all__ = [
    "EpochRecord",
    "Evaluation",
    "History",
    "ProgressBar",
    "TrainConfig",
    "evaluate",
    "fit",
    "learning_rate",
]
