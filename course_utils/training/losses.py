"""What is minimised, and what is reported, given a model's outputs."""

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import functional as F

from course_utils.training.config import TrainConfig


@runtime_checkable
class SeveralOutputs(Protocol):
    """Outputs of a model with auxiliary heads: a NamedTuple whose first field is the logits."""

    @property
    def logits(self) -> Tensor:
        """(N, num_classes)."""


Outputs = Tensor | SeveralOutputs


class Losses(NamedTuple):
    """Sums over a batch's pictures.

    Attributes:
        objective: What is minimised: with label smoothing and auxiliary heads.
        cross_entropy: What is reported, and may be compared with validation: without them.
    """

    objective: Tensor
    cross_entropy: Tensor


def main_logits(outputs: Outputs) -> Tensor:
    """Return the logits (N, num_classes) of a model, with auxiliary heads or without."""
    logits = outputs if isinstance(outputs, Tensor) else outputs.logits
    return logits.float()  # a 16-bit loss would lose the small differences that steer training


def auxiliary_logits(outputs: Outputs) -> list[Tensor]:
    """Return the logits (N, num_classes) of each auxiliary head; none for a plain model."""
    if isinstance(outputs, Tensor):
        return []
    assert isinstance(outputs, tuple)
    return [head.float() for head in outputs[1:] if head is not None]


def losses(outputs: Outputs, labels: Tensor, config: TrainConfig) -> Losses:
    """Return the objective and the plain cross-entropy, both summed over the batch.

    Args:
        outputs: Logits (N, num_classes), or a NamedTuple of them whose first is ``logits``.
        labels: (N,), int64.
        config: Its ``label_smoothing`` and ``auxiliary_weight`` are used.

    Source: Szegedy et al. 2014, Section 5: the losses of the auxiliary heads weigh 0.3.
    """
    logits, heads = main_logits(outputs), auxiliary_logits(outputs)
    plain = F.cross_entropy(logits, labels, reduction="sum")
    if not heads and config.label_smoothing == 0:
        return Losses(plain, plain.detach())
    smoothing = config.label_smoothing
    objective = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
    for head in heads:
        loss = F.cross_entropy(head, labels, reduction="sum", label_smoothing=smoothing)
        objective = objective + config.auxiliary_weight * loss
    return Losses(objective, plain.detach())
