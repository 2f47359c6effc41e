"""Training: `fit` a model to data, `evaluate` it, keep the `History`.

    loaders = load("fashion_mnist_mini", batch_size=64)
    model = build("lenet5", in_channels=1, num_classes=10)
    history = fit(model, loaders, TrainConfig(epochs=5), on_epoch_end=[ProgressBar()])
    evaluate(model, loaders.test).accuracy  # once, after all choices are made

The loop itself is in `loop.py`, and is written to be read after lesson 07.
"""

from course_utils.training.callbacks import ProgressBar
from course_utils.training.checkpoint import CheckpointError
from course_utils.training.config import TrainConfig, learning_rate
from course_utils.training.history import EpochRecord, History
from course_utils.training.loop import DivergenceError, fit
from course_utils.training.metrics import Evaluation, evaluate

__all__ = [
    "CheckpointError",
    "DivergenceError",
    "EpochRecord",
    "Evaluation",
    "History",
    "ProgressBar",
    "TrainConfig",
    "evaluate",
    "fit",
    "learning_rate",
]
