"""Learning-rate schedules: pure functions of how far the run has come."""

import math

from course_utils.training.config import TrainConfig

ONE_CYCLE_WARMUP = 0.3
ONE_CYCLE_START = 1 / 25  # of the highest rate
ONE_CYCLE_END = 1e-4  # of the highest rate


def learning_rate(step: int, num_steps: int, config: TrainConfig) -> float:
    """Return the learning rate of one step.

    All schedules rise linearly during the warm-up and then follow their own curve:
    ``one-cycle`` and ``cosine`` fall along half a cosine, ``step`` falls at its milestones, and
    ``constant`` stays. Only one-cycle starts from a 25th of the highest rate rather than near 0.

    Args:
        step: Number of the step, from 0 to ``num_steps - 1``.
        num_steps: Steps in the whole run.
        config: Its ``lr``, ``schedule``, ``warmup``, ``milestones`` and ``decay`` are used.

    Raises:
        ValueError: The step is outside the run.

    Source: Smith and Topin 2017 (one-cycle), Loshchilov and Hutter 2016 (cosine), He et al.
        2015, Section 4.2 (step: divided by 10 at 32k and 48k of 64k iterations).
    Differs: one-cycle falls along a cosine, as in PyTorch, and leaves the momentum alone.
    """
    if not 0 <= step < num_steps:
        raise ValueError(f"step {step} is outside a run of {num_steps} steps")
    warmup_steps = round(_warmup(config) * num_steps)
    if step < warmup_steps:
        start = ONE_CYCLE_START if config.schedule == "one-cycle" else 1 / (warmup_steps + 1)
        return config.lr * (start + (1 - start) * step / warmup_steps)
    if config.schedule == "step":
        passed = sum(step >= part * num_steps for part in config.milestones)
        return config.lr * config.decay**passed
    if config.schedule == "constant":
        return config.lr
    end = ONE_CYCLE_END if config.schedule == "one-cycle" else 0.0
    done = (step - warmup_steps) / (num_steps - warmup_steps)  # in [0, 1)
    return config.lr * (end + (1 - end) * (1 + math.cos(math.pi * done)) / 2)


def _warmup(config: TrainConfig) -> float:
    if config.warmup is not None:
        return config.warmup
    return ONE_CYCLE_WARMUP if config.schedule == "one-cycle" else 0.0
