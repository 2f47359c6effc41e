"""Training: `fit` a model to data, `evaluate` it, keep the `History`.

    loaders = load("fashion_mnist_mini", batch_size=64)
    model = build("lenet5", in_channels=1, num_classes=10)
    history = fit(model, loaders, TrainConfig(epochs=5), on_epoch_end=[ProgressBar()])
    evaluate(model, loaders.test).accuracy  # once, after all choices are made

The loop itself is in `loop.py`, and is written to be read after lesson 07.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_utils.training.callbacks import ProgressBar
    from course_utils.training.checkpoint import CheckpointError
    from course_utils.training.config import TrainConfig
    from course_utils.training.evaluation import Evaluation, evaluate
    from course_utils.training.history import EpochRecord, History
    from course_utils.training.loop import DivergenceError, fit
    from course_utils.training.schedules import learning_rate

_HOMES = {
    "CheckpointError": "checkpoint",
    "DivergenceError": "loop",
    "EpochRecord": "history",
    "Evaluation": "evaluation",
    "History": "history",
    "ProgressBar": "callbacks",
    "TrainConfig": "config",
    "evaluate": "evaluation",
    "fit": "loop",
    "learning_rate": "schedules",
}

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


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for, so that `threads` can be had before torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
