import pytest
import torch
from torch import nn

from course_utils.training.averaging import WeightAverage


def test_is_the_exponential_mean():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = WeightAverage(model, decay=0.5)
    expected = 0.0
    for step in range(20):
        with torch.no_grad():
            model.weight.fill_(step + 1.0)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1.0)
    assert average.average[0].item() == pytest.approx(expected)


def test_is_in_use_only_for_a_while():
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, decay=0.9)
    start = model.weight.item()
    with torch.no_grad():
        model.weight.fill_(100.0)
    with average.in_use():
        assert model.weight.item() == start
    assert model.weight.item() == 100.0
    assert average.average[0].item() == start
