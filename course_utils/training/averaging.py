"""A moving average of the weights, which often classifies better than the last weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of a model's parameters.

    Early in a run the average forgets faster, so that it is not tied to the random start: step
    t keeps at most (1 + t) / (10 + t) of it.

    Args:
        model: Whose parameters are averaged; buffers, such as running means, are not.
        decay: What one step keeps of the average, in (0, 1).

    Source: Polyak and Juditsky 1992, for the plain mean; the exponential form and its warm-up
        are those of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.parameters = list(model.parameters())
        self.decay = decay
        self.average = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the parameters as they are after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, parameter in zip(self.average, self.parameters, strict=True):
            average.lerp_(parameter, 1 - decay)

    def swap(self) -> None:
        """Exchange the model's parameters and the average."""
        for index, parameter in enumerate(self.parameters):
            parameter.data, self.average[index] = self.average[index], parameter.data

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the model hold the average for a while."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def load(self, average: list[Tensor]) -> None:
        """Take over an average from a checkpoint."""
        for mine, other in zip(self.average, average, strict=True):
            mine.copy_(other)
