"""Answers of lesson and exercise 12: highway layers, and how to tell why a deep net is worse."""

from math import prod

import torch
from torch import nn

from course_utils.models.highway import HighwayLinear
from course_utils.quiz.answer import Answer
from course_utils.quiz.banks.shared.answers import num_parameters


def highway_output(h: int, x: int, percent: int) -> Answer:
    """Return the output of one highway unit for H(x) = h, input x, and T = percent / 100."""
    layer, share = HighwayLinear(1), percent / 100
    with torch.no_grad():
        layer.transform.weight.zero_()
        layer.transform.bias.fill_(h)
        layer.gate.weight.zero_()
        layer.gate.bias.fill_(torch.logit(torch.tensor(share)).item())
        right = round(float(layer(torch.tensor([[float(x)]]))), 4)
    return Answer(
        right,
        gates_swapped=round(x * share + h * (1 - share), 4),
        carry_forgotten=round(h * share, 4),
        skip_for_gate=round(h * share + x, 4),
    )


def highway_parameters(units: int, n: int) -> Answer:
    """Count the parameters of n fully connected highway layers."""
    with torch.device("meta"):
        layers = nn.ModuleList(HighwayLinear(units) for _ in range(n))
    return Answer(
        num_parameters(layers),
        gate_is_free=n * (units * units + units),
        bias_forgotten=n * 2 * units * units,
        one_gate_a_layer=n * (units * units + units + units + 1),
        carry_has_weights=n * 3 * (units * units + units),
        single_layer=2 * (units * units + units),
    )


def carried_share(percent: int, n: int) -> Answer:
    """Return the percentage of the input that n layers with H = 0 carry."""
    return Answer(
        round(100 * prod([1 - percent / 100] * n), 4),
        gates_swapped=round(100 * (percent / 100) ** n, 4),
        shares_subtracted=100 - n * percent,
        single_layer=100 - percent,
    )


def gate_seen(b: int, n: int) -> Answer:
    """Say what a fresh net of n layers y = H(x) T(x) does to the size of its input."""
    del n  # the same happens in each layer
    share = float(torch.sigmoid(torch.tensor(float(b))))
    return Answer(
        f"Each layer passes on about {share:.0%} of the size of its input",
        gates_swapped=f"Each layer passes on about {1 - share:.0%} of the size of its input",
        carry_survives="Each layer keeps the size of its input: what H does not get is carried",
        input_added=f"Each layer adds about {share:.0%} to the size of its input",
    )


def overfit_told(a: int, b: int) -> Answer:
    """Return which experiment tells whether the deeper of two nets overfits."""
    both = f"Compare the nets of {a} and of {b} layers by their"
    return Answer(
        f"{both} loss on the images that they were trained on",
        more_images_tell=f"{both} loss on a validation set that is ten times as large",
        size_tells=f"{both} number of parameters per training image",
        repeat_tells=f"{both} mean validation loss, over ten seeds each",
    )
