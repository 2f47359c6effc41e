"""Feature reuse in a DenseNet: how strongly each layer weights the maps of each earlier one."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_utils.arguments import instance
from course_utils.models.densenet import DenseBlock, DenseNet, Transition

__all__ = ["ReuseMap", "feature_reuse"]


@dataclass(frozen=True, eq=False)
class ReuseMap:
    """Which layers read which in one dense block.

    Attributes:
        weights: (num_sources, num_targets), float32: mean absolute weight between the maps of a
            source and the first convolution of a target; NaN where the target comes before the
            source, or is the source.
        sources: Names of the rows: the block's input, then its layers by number, from 1.
        targets: Names of the columns: its layers, then what reads the whole block: the transition
            layer or the classifier.
    """

    weights: Tensor
    sources: tuple[str, ...]
    targets: tuple[str, ...]

    def relative(self) -> Tensor:
        """Return the weights over the largest of their column: (num_sources, num_targets).

        Targets of different width, or with weights shrunk differently by weight decay, can be
        compared by where they look, but not by how large their weights are.
        """
        largest = self.weights.nan_to_num(nan=0.0).amax(dim=0, keepdim=True)  # (1, num_targets)
        return self.weights / largest.clamp(min=torch.finfo(torch.float32).tiny)


def feature_reuse(model: DenseNet) -> list[ReuseMap]:
    """Measure, in each block, how strongly each layer weights the maps of each earlier layer.

    The mean is over all weights between a source and a target: over the source's maps, the
    target's filters and the taps of the kernel. So a source with many maps does not count for more
    than one with few.

    Returns:
        One map for each dense block of a DenseNet, trained or not, in order.

    Raises:
        ValueError: The model is not a DenseNet of this course.

    Source: Huang et al. 2017, figure 5: the average L1 norm of the weights between two layers,
        normalised by the number of input feature maps.
    Differs: the paper's net (40 layers, k = 12) has no bottlenecks. Here a layer with a bottleneck
        is measured by its 1x1 convolution, which reads the other layers' maps.
    """
    instance("model", model, DenseNet, "one, such as models.build('densenet_small')")
    parts = list(model.blocks)
    readers = [part for part in parts if isinstance(part, Transition)] + [model.classifier]
    blocks = [part for part in parts if isinstance(part, DenseBlock)]
    return [_reuse_of(block, reader) for block, reader in zip(blocks, readers, strict=True)]


def _reuse_of(block: DenseBlock, reader: nn.Module) -> ReuseMap:
    """Return the map of one block, whose output `reader` reads."""
    targets = [*block.layers, reader]
    weights = [_first_weight(target) for target in targets]
    num_inputs = weights[0].shape[1]
    growth = weights[1].shape[1] - num_inputs
    widths = [num_inputs] + [growth] * len(block.layers)
    means = torch.full((len(widths), len(widths)), torch.nan)
    for i, weight in enumerate(weights):
        parts = weight.abs().split(widths[: i + 1], dim=1)  # the maps of each source that it reads
        means[: i + 1, i] = torch.stack([part.mean() for part in parts])
    numbers = tuple(str(number + 1) for number in range(len(block.layers)))
    last = "classifier" if isinstance(reader, nn.Linear) else "transition"
    return ReuseMap(means, ("input", *numbers), (*numbers, last))


def _first_weight(target: nn.Module) -> Tensor:
    """Return the weights with which a layer reads its input: (num_outputs, num_inputs, ...)."""
    kinds = nn.Conv2d | nn.Linear
    return next(m for m in target.modules() if isinstance(m, kinds)).weight.detach()
