import math
from itertools import pairwise

import pytest
import torch
from torch.optim import lr_scheduler

from course_utils.training import TrainConfig, learning_rate


def rates(num_steps, **settings):
    config = TrainConfig(lr=0.4, **settings)
    return [learning_rate(step, num_steps, config) for step in range(num_steps)]


def torchs_rates(num_steps, make):
    """What one of torch's schedulers sets at each step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    scheduler = make(optimizer)
    seen = []
    for _ in range(num_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_cosine_equals_torchs():
    theirs = torchs_rates(50, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=50))
    assert rates(50, schedule="cosine") == pytest.approx(theirs)


def test_step_equals_torchs():
    theirs = torchs_rates(40, lambda o: lr_scheduler.MultiStepLR(o, milestones=[20, 30], gamma=0.1))
    assert rates(40, schedule="step") == pytest.approx(theirs)


def test_step_takes_its_milestones_and_decay():
    ours = rates(10, schedule="step", milestones=(0.2,), decay=0.5)
    assert ours == pytest.approx([0.4] * 2 + [0.2] * 8)


def test_constant_stays():
    assert rates(7, schedule="constant") == [0.4] * 7


def test_one_cycle_rises_in_a_line_and_falls_along_a_cosine():
    ours = rates(100)
    assert ours[0] == pytest.approx(0.4 / 25)
    assert ours[30] == max(ours) == 0.4
    slopes = [after - before for before, after in pairwise(ours[:31])]
    assert slopes == pytest.approx([slopes[0]] * 30)
    assert ours[65] == pytest.approx(0.4 * (1 + 1e-4) / 2)  # half-way down
    assert all(after < before for before, after in pairwise(ours[30:]))
    assert 0 < ours[-1] < 0.001


@pytest.mark.parametrize("schedule", ["cosine", "step", "constant"])
def test_warmup_rises_to_the_highest_rate(schedule):
    ours = rates(20, schedule=schedule, warmup=0.2)
    assert ours[:5] == pytest.approx([0.08, 0.16, 0.24, 0.32, 0.4])


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "step", "constant"])
@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_shortest_runs_have_a_positive_rate(schedule, num_steps):
    ours = rates(num_steps, schedule=schedule)
    assert all(0 < rate <= 0.4 and math.isfinite(rate) for rate in ours)


@pytest.mark.parametrize("step", [-1, 10])
def test_a_step_outside_the_run_is_an_error(step):
    with pytest.raises(ValueError, match=f"step {step} is outside a run of 10 steps"):
        learning_rate(step, 10, TrainConfig())
