from typing import NamedTuple

import pytest
import torch
from torch.nn import functional as F

from course_utils.training import TrainConfig
from course_utils.training.losses import auxiliary_logits, losses, main_logits

LABELS = torch.tensor([0, 2, 1])


class Heads(NamedTuple):
    logits: torch.Tensor
    aux1: torch.Tensor | None
    aux2: torch.Tensor | None


def logits(seed):
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))


def test_plain_logits():
    objective, plain = losses(logits(0), LABELS, TrainConfig())
    expected = F.cross_entropy(logits(0), LABELS) * 3
    assert objective.item() == pytest.approx(expected.item())
    assert plain.item() == objective.item()


def test_heads_weigh_what_the_config_says():
    outputs = Heads(logits(0), logits(1), logits(2))
    objective, plain = losses(outputs, LABELS, TrainConfig(auxiliary_weight=0.3))
    each = [F.cross_entropy(head, LABELS, reduction="sum").item() for head in outputs]
    assert objective.item() == pytest.approx(each[0] + 0.3 * (each[1] + each[2]))
    assert plain.item() == pytest.approx(each[0])


def test_absent_heads_are_left_out():
    assert auxiliary_logits(Heads(logits(0), None, None)) == []
    objective, plain = losses(Heads(logits(0), None, None), LABELS, TrainConfig())
    assert objective.item() == plain.item()


def test_smoothing_spreads_the_target():
    objective, plain = losses(logits(0), LABELS, TrainConfig(label_smoothing=0.2))
    target = 0.8 * F.one_hot(LABELS, 4) + 0.2 / 4
    expected = -(target * logits(0).log_softmax(1)).sum()
    assert objective.item() == pytest.approx(expected.item())
    assert plain.item() == pytest.approx(F.cross_entropy(logits(0), LABELS).item() * 3)


def test_sixteen_bit_logits_are_compared_in_float32():
    assert main_logits(logits(0).bfloat16()).dtype == torch.float32
    objective, _ = losses(logits(0).bfloat16(), LABELS, TrainConfig())
    assert objective.dtype == torch.float32
